/* What of a call goes to the rules, and into the ledger. */
#include "tests/unit/unit.h"

#include "helper/call.h"
#include "lib/json.h"
#include "lib/text.h"

static char id[] = "/usr/bin/id", u[] = "-u", dba[] = "dba", ops[] = "ops", alice[] = "alice", sudo[] = "sudo", root[] = "root",
	tty[] = "pts/3", srv[] = "/srv", sshd[] = "sshd", bytes[] = "\xff";
static char *words[] = { id, u, NULL };
static char *groups[] = { dba, ops, NULL };

static struct call sample(void)
{
	return (struct call){ .user = alice, .groups = groups, .service = sudo, .target = root, .tty = tty,
		.cwd = srv, .binary = id, .argv = words, .argc = 2 };
}

static void as_judged(void **state)
{
	struct call c = sample();
	CLEAN(json_put_p) struct json_object *o = call_judged_json(&c);

	assert_string_equal(json_text(o), "{\"user\":\"alice\",\"groups\":[\"dba\",\"ops\"],\"service\":\"sudo\",\"target\":\"root\","
		"\"tty\":\"pts/3\",\"marked\":false,\"cwd\":\"/srv\",\"binary\":\"/usr/bin/id\",\"argv\":[\"/usr/bin/id\",\"-u\"]}");
}

/* What was unknown stays so; bytes stay bytes. */
static void unknown_and_bytes(void **state)
{
	struct call c = { .service = sshd, .target = alice, .remote = bytes, .marked = true };
	CLEAN(json_put_p) struct json_object *o = call_judged_json(&c);

	assert_string_equal(json_text(o), "{\"service\":\"sshd\",\"target\":\"alice\",\"marked\":true,"
		"\"remote\":{\"base64\":\"/w==\"},\"argv\":[]}");
}

/* A record has bounds: a long command line is left out, all of it. */
static void long_argv(void **state)
{
	static char text[4090], fits[] = "1234", beyond[] = "12345678";
	char *argv[] = { text, fits, NULL };
	struct call c = sample();

	memset(text, 'a', sizeof(text) - 1);
	c.argv = argv;
	for (unsigned extra = 0; extra < 2; extra++) {
		CLEAN(json_put_p) struct json_object *o = NULL;

		argv[1] = extra ? beyond : fits;
		o = call_judged_json(&c);
		assert_int_equal(json_arr(o, "argv") != NULL, !extra);
	}
}

static void facts_of_a_call(void **state)
{
	struct call c = sample();
	struct facts f;

	call_facts(&c, &f);
	assert_string_equal(f.tty, "pts/3");
	assert_string_equal(f.cwd, "/srv");
	assert_null(f.remote);
	assert_null(f.host);
	assert_int_equal(f.real_usec, 0);
	c.tty = NULL;
	call_facts(&c, &f);
	assert_string_equal(f.tty, POLICY_NO_TTY);
}

/* What a pattern sees is what the approver reads: text, of a bounded length. */
static void reasons(void **state)
{
	static char long_ascii[700], long_utf8[1000], long_bytes[700];
	struct {
		const char *given, *kept;
	} cases[] = {
		{ NULL, NULL }, { "", NULL }, { " \t\r\n", NULL }, { "INC-1", "INC-1" }, { "  INC-1\n", "INC-1" },
		{ "a\nb \x1b[2J", "a\nb \x1b[2J" }, { "f\xc3\xbcr", "f\xc3\xbcr" }, { "f\xfcr \\", "f\\xfcr \\\\" },
		{ long_ascii, NULL }, { long_utf8, NULL }, { long_bytes, NULL },
	};
	CLEAN(call_free_p) struct call *c = calloc(1, sizeof(*c));

	memset(long_ascii, 'a', sizeof(long_ascii) - 1);
	memset(long_bytes, '\xff', sizeof(long_bytes) - 1);
	long_utf8[0] = 'x';
	for (size_t i = 1; i + 2 < sizeof(long_utf8); i += 2)
		memcpy(long_utf8 + i, "\xc3\xbc", 2);
	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		assert_int_equal(call_set_reason(c, "before"), 0);
		assert_int_equal(call_set_reason(c, cases[i].given), 0);
		if (cases[i].given && strlen(cases[i].given) > REASON_MAX) {
			size_t n = strspn(c->reason, "ax\\f\xc3\xbc");

			check_case(n > REASON_MAX / 2 && n <= REASON_MAX, "%zu: %s", i, c->reason);
			check_case(!strncmp(c->reason + n, "...(cut)", 9), "%zu: %s", i, c->reason + n);
			check_case(text_utf8(c->reason, strlen(c->reason)), "%zu", i);
		} else if (!cases[i].kept)
			check_case(!c->reason, "%zu: %s", i, c->reason);
		else
			check_case(c->reason && !strcmp(c->reason, cases[i].kept), "%zu: %s", i, c->reason);
	}
	assert_int_equal(call_set_reason(c, long_ascii), 0);
	assert_string_equal(c->reason + REASON_MAX, "...(cut)");
	/* Not within a character, and no character is taken for bytes because the text was cut in it. */
	assert_int_equal(call_set_reason(c, long_utf8), 0);
	assert_string_equal(c->reason + REASON_MAX - 1, "...(cut)");
	assert_null(strchr(c->reason, '\\'));
}

/* A login has no session: its place is the address, whatever port it comes from. */
static void same_place(void **state)
{
	static char here[] = "192.0.2.7", there[] = "192.0.2.8", conn1[] = "192.0.2.1:22 192.0.2.7:1000",
		conn2[] = "192.0.2.1:22 192.0.2.7:1001", su[] = "su", other[] = "pts/4", s1[] = "1", s2[] = "2";
	static const struct {
		char *service, *remote[2], *session[2], *tty[2];
		bool same;
	} cases[] = {
		{ sshd, { here, here }, { conn1, conn1 }, { NULL }, true },
		{ sshd, { here, here }, { conn1, conn2 }, { NULL }, true },
		{ sshd, { here, there }, { conn1, conn1 }, { NULL }, false },
		{ sshd, { NULL, NULL }, { conn1, conn1 }, { NULL }, true },
		{ sshd, { NULL, NULL }, { conn1, conn2 }, { NULL }, false },
		{ sshd, { here, NULL }, { conn1, conn2 }, { NULL }, false },
		{ su, { here, here }, { s1, s2 }, { tty, tty }, false },
		{ su, { here, there }, { s1, s1 }, { tty, other }, true },
		{ su, { NULL, NULL }, { NULL, NULL }, { tty, other }, false },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct call a = sample(), b = sample();

		a.service = b.service = cases[i].service;
		a.remote = cases[i].remote[0];
		b.remote = cases[i].remote[1];
		a.session = cases[i].session[0];
		b.session = cases[i].session[1];
		a.tty = cases[i].tty[0];
		b.tty = cases[i].tty[1];
		assert_int_equal(call_same(&a, &b, SCOPE_SERVICE, false), cases[i].same);
		assert_int_equal(call_same(&b, &a, SCOPE_SERVICE, false), cases[i].same);
		assert_true(call_same(&a, &b, SCOPE_SERVICE, true));
		b.user = root;
		assert_false(call_same(&a, &b, SCOPE_SERVICE, false));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_judged),
		cmocka_unit_test(unknown_and_bytes),
		cmocka_unit_test(long_argv),
		cmocka_unit_test(facts_of_a_call),
		cmocka_unit_test(same_place),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
