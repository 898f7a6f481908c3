/* What jitd remembers for the context of a new request. */
#include "tests/unit/unit.h"

#include "helper/past.h"
#include "lib/json.h"

static struct jitd jitd;

/* ---- tickets ---- */

static void tickets(void **state)
{
	static const struct {
		const char *reason, *pattern, *ticket;
	} cases[] = {
		{ "INC-1234", NULL, "INC-1234" },
		{ "for INC-1234: nginx hangs", NULL, "INC-1234" },
		{ "(OPS2-7)", NULL, "OPS2-7" },
		{ "INC-1 CHG-2", NULL, "INC-1" },
		{ "nginx hangs", NULL, NULL },
		{ "inc-1234", NULL, NULL },
		{ "X-1", NULL, NULL },
		{ "INC-", NULL, NULL },
		{ "INC-12a", NULL, NULL },
		{ "preINC-12", NULL, NULL },
		{ "INC -12", NULL, NULL },
		{ "", NULL, NULL },
		{ NULL, NULL, NULL },
		/* the rule's own pattern knows better */
		{ "INC-1 CHG-2", "CHG-[0-9]+", "CHG-2" },
		{ "INC-77 now", "^(INC|CHG)-[0-9]+", "INC-77" },
		{ "#4711 disk", "^#[0-9]+", "#4711" },
		{ "gh/org/repo#12", "[a-z/]+#[0-9]+", "gh/org/repo#12" },
		/* unless what it matches is no ticket */
		{ "because of INC-5", ".*", "INC-5" },
		{ "because", ".*", NULL },
		{ "fix everything", "^fix", NULL },
		{ "x\x1b[1m9", "x.*", NULL },
		{ "1234567890123456789012345678901234567890123", "[0-9]+", NULL },
		{ "INC-9", "[", "INC-9" },
		{ "A1234567890123456789012345678901234567890-1", NULL, NULL },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		CLEAN(free_p) char *got = past_ticket(cases[i].reason, cases[i].pattern);

		check_case(got && cases[i].ticket ? !strcmp(got, cases[i].ticket) : got == cases[i].ticket, "%s: %s",
			cases[i].reason, got ? got : "none");
	}
}

/* ---- requests ---- */

static char sudo[] = "sudo", root[] = "root", systemctl[] = "/usr/bin/systemctl", id[] = "/usr/bin/id", web[] = "web",
	other[] = "other", bob[] = "bob", carol[] = "carol";
static char restart[] = "restart", nginx[] = "nginx", secret[] = "--password=x", word[] = "systemctl", idw[] = "id";
static char *restart_argv[] = { word, restart, nginx, NULL }, *secret_argv[] = { idw, secret, NULL };

#define AGO(sec) (clock_real() - (sec) * USEC_PER_SEC)

static struct call call_of(uid_t uid, char *binary, char **argv)
{
	struct call c = { .uid = uid, .service = sudo, .target = root, .binary = binary, .argv = argv };

	while (argv[c.argc])
		c.argc++;
	return c;
}

static const char *told(const struct request *now, const char *key)
{
	static char text[4096];
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	struct json_object *value;

	assert_int_equal(past_add(now, o), 0);
	assert_true(json_object_object_get_ex(o, key, &value));
	snprintf(text, sizeof(text), "%s", json_text(value));
	return text;
}

static void first_ever(void **state)
{
	struct call call = call_of(1000, systemctl, restart_argv);
	struct request now = { .jitd = &jitd, .call = &call, .terms.rule = web };

	jitd.requests = NULL;
	assert_string_equal(told(&now, "last"), "[]");
	assert_string_equal(told(&now, "similar"), "{\"total\":0,\"approved\":0,\"denied\":0,\"unanswered\":0,\"pending\":0}");
}

/* A request of SEC seconds ago, put before the others. */
static struct request *before(struct request *r, const char *name, struct call *call, char *rule, uint64_t sec, enum state s)
{
	*r = (struct request){ .jitd = &jitd, .call = call, .terms.rule = rule, .created_real = AGO(sec), .state = s,
		.next = jitd.requests };
	snprintf(r->id, sizeof(r->id), "%s", name);
	jitd.requests = r;
	return r;
}

static void outcomes(void **state)
{
	static char denied[] = "denied by bob: no\x1b[2J", done[] = "done";
	struct call call = call_of(1000, systemctl, restart_argv), hidden = call_of(1000, id, secret_argv),
		another = call_of(1001, systemctl, restart_argv);
	struct decision_taken yes = { .person = bob, .approve = true };
	struct request r[8], now = { .jitd = &jitd, .call = &call, .terms.rule = web };
	struct request *q;

	jitd.requests = NULL;
	before(&r[0], "OLDX-0000", &call, web, 100, STATE_PENDING);
	before(&r[1], "AAAA-0001", &call, web, 61, STATE_DENIED)->outcome = denied;
	q = before(&r[2], "AAAA-0002", &hidden, other, 50, STATE_ENDED);
	q->claim_by = 7;
	q->decisions = &yes;
	q->outcome = done;
	before(&r[3], "BBBB-0001", &another, web, 40, STATE_PENDING);
	before(&r[4], "AAAA-0003", &hidden, web, 30, STATE_PENDING);
	/* Three of the same uid, the newest first; what another rule's approvers were shown is not shown to these. */
	assert_string_equal(told(&now, "last"), "["
		"{\"id\":\"AAAA-0003\",\"age\":30,\"command\":\"id --password=x\",\"target\":\"root\",\"outcome\":\"pending\"},"
		"{\"id\":\"AAAA-0002\",\"age\":50,\"command\":\"id ...\",\"target\":\"root\",\"outcome\":\"approved by bob; done\"},"
		"{\"id\":\"AAAA-0001\",\"age\":61,\"command\":\"systemctl restart nginx\",\"target\":\"root\","
		"\"outcome\":\"denied by bob: no\\\\x1b[2J\"}]");
}

static void approved_ones(void **state)
{
	static const struct {
		enum state state;
		const char *words;
	} cases[] = {
		{ STATE_GRANTED, "approved by bob; not used yet" }, { STATE_RUNNING, "approved by bob; in use" },
		{ STATE_EXPIRED, "approved by bob; never used" }, { STATE_ENDED, "approved by bob; its time is up" },
		{ STATE_WITHDRAWN, "approved by bob; its time is up" },
	};
	static char up[] = "its time is up";
	struct call call = call_of(1000, systemctl, restart_argv);
	struct decision_taken yes = { .person = bob, .approve = true };
	struct request r, now = { .jitd = &jitd, .call = &call, .terms.rule = web };

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		jitd.requests = NULL;
		before(&r, "AAAA-0001", &call, web, 5, cases[i].state);
		r.claim_by = 1;
		r.decisions = &yes;
		r.outcome = up;
		check_case(strstr(told(&now, "last"), cases[i].words), "%s: %s", cases[i].words, told(&now, "last"));
	}
}

static void similar_ones(void **state)
{
	char *shorter[] = { word, restart, NULL };
	char when[TIME_RFC3339_LEN + 1];
	struct call call = call_of(1000, systemctl, restart_argv), other_args = call_of(1000, systemctl, shorter),
		other_user = call_of(1001, systemctl, restart_argv), other_target = call, other_binary = call_of(1000, id, restart_argv);
	struct decision_taken yes = { .person = bob, .approve = true }, no = { .person = carol };
	struct request r[10], now = { .jitd = &jitd, .call = &call, .terms.rule = web };

	other_target.target = bob;
	jitd.requests = NULL;
	before(&r[0], "AAAA-0000", &call, web, 86400 + 60, STATE_DENIED);
	before(&r[1], "AAAA-0001", &call, web, 7300, STATE_ENDED)->claim_by = 9;
	r[1].decisions = &yes;
	before(&r[2], "AAAA-0002", &other_user, web, 7200, STATE_DENIED)->decisions = &no;
	no.time = (char *)(uintptr_t)time_rfc3339(AGO(7000), when);
	before(&r[3], "AAAA-0003", &other_args, web, 60, STATE_DENIED);
	before(&r[4], "AAAA-0004", &other_target, web, 50, STATE_DENIED);
	before(&r[5], "AAAA-0005", &other_binary, web, 40, STATE_DENIED);
	before(&r[6], "AAAA-0006", &call, other, 30, STATE_EXPIRED);
	before(&r[7], "AAAA-0007", &call, web, 20, STATE_WITHDRAWN);
	before(&r[8], "AAAA-0008", &other_user, web, 10, STATE_PENDING);
	assert_non_null(strstr(told(&now, "similar"), "{\"total\":5,\"approved\":1,\"denied\":1,\"unanswered\":1,\"pending\":1,"
		"\"last\":{\"by\":\"carol\",\"verdict\":\"denied\",\"age\":700"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tickets), cmocka_unit_test(first_ever), cmocka_unit_test(outcomes), cmocka_unit_test(approved_ones),
		cmocka_unit_test(similar_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
