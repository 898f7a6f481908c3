/* Match=yes: the code of a request, from its making over the ledger to the approver's answer. */
#include "config.h"
#include "tests/unit/ssh-fixture.h"
#include "tests/unit/site.h"
#include "tests/unit/unit.h"

#include <unistd.h>
#include "helper/jitd.h"
#include "lib/envelope.h"
#include "lib/json.h"

#define ID "K7QF-2M9X"

static struct jitd j;

/* ---- what jitd would do with the answer ---- */

static struct {
	verify_done done; /* ssh-keygen is asked, and its word is awaited */
	void *userdata;
	char refusal[512], receipt[512], event[32];
	unsigned votes;
} seen;

int __wrap_verify_signature(struct verify *v, const char *signers, size_t signers_len, const char *principal, const char *ns,
	const char *document, size_t len, const char *signature, verify_done done, void *userdata);
bool __wrap_record_refusal(struct jitd *jitd, const char *where, const char *id, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void __wrap_receipt(struct request *r, const char *event, const char *approver, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int __wrap_lives_vote(struct request *r, struct decision_taken *d, struct json_object *fields, uint64_t work_usec, int scope,
	struct why *w);
void __wrap_inbox_done(struct inbox *i, const char *name, bool again);

int __wrap_verify_signature(struct verify *v, const char *signers, size_t signers_len, const char *principal, const char *ns,
	const char *document, size_t len, const char *signature, verify_done done, void *userdata)
{
	seen.done = done;
	seen.userdata = userdata;
	return 0;
}

bool __wrap_record_refusal(struct jitd *jitd, const char *where, const char *id, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(seen.refusal, sizeof(seen.refusal), fmt, ap);
	va_end(ap);
	return true;
}

void __wrap_receipt(struct request *r, const char *event, const char *approver, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(seen.receipt, sizeof(seen.receipt), fmt, ap);
	va_end(ap);
	snprintf(seen.event, sizeof(seen.event), "%s", event);
}

int __wrap_lives_vote(struct request *r, struct decision_taken *d, struct json_object *fields, uint64_t work_usec, int scope,
	struct why *w)
{
	json_object_put(fields);
	d->next = r->decisions;
	r->decisions = d;
	seen.votes++;
	return 0;
}

void __wrap_inbox_done(struct inbox *i, const char *name, bool again)
{
}

/* ---- the host ---- */

static int begin(void **state)
{
	struct conf_errors e = { 0 };
	char approvers[2048] = "";

	if (fixture_begin(state) < 0)
		return -1;
	site_begin();
	for (const char *const *name = (const char *const[]){ "bob", "carol", NULL }; *name; name++) {
		CLEAN(sshkey_done) struct sshkey key = { 0 };
		CLEAN(free_p) char *text = NULL;

		keygen(*name, "ed25519", NULL);
		public_key(*name, &key);
		text = sshkey_format(&key);
		snprintf(approvers + strlen(approvers), sizeof(approvers) - strlen(approvers),
			"%s namespaces=\"decision@pam-jit\" %s\n", *name, text);
	}
	site_write("approvers", approvers);
	site_write("people.d/p.conf", "[Person alice]\nUser=alice\n[Person bob]\nUser=bob\nPrincipal=bob\n"
		"[Person carol]\nPrincipal=carol\n[Team sre]\nMember=bob carol\n");
	site_write("jitd.conf", "[Host]\nHost=web1\nDefault=deny\n");
	site_write("rules.d/r.conf", "[Rule code]\nUser=alice\nDecision=approve\nNeed=2 of sre\nMatch=yes\n"
		"[Rule plain]\nDecision=approve\nNeed=2 of sre\n");
	if (policy_load(site_path(""), getuid(), &j.policy, &e) < 0) {
		print_error("%s\n", e.n ? e.list[0] : "?");
		return -1;
	}
	j.host = j.policy->host;
	strcpy(j.machine, "00112233445566778899aabbccddeeff");
	strcpy(j.boot, "00112233445566778899aabbccddeeff");
	return 0;
}

static int end(void **state)
{
	while (j.requests)
		request_forget(j.requests);
	j.policy = policy_free(j.policy);
	site_end();
	return fixture_end(state);
}

static struct call *a_call(void)
{
	struct call *c = calloc(1, sizeof(*c));

	c->uid = 1000;
	c->user = strdup("alice");
	c->service = strdup("sudo");
	c->target = strdup("root");
	c->marks = strdup("");
	c->line = strdup("");
	c->argv = calloc(1, sizeof(char *));
	return c;
}

static struct request *make(const char *rule)
{
	struct request *r = NULL;
	struct why w = { "" };
	const struct rule *found = policy_find_rule(j.policy, rule);
	struct asked asked = { .need = &found->need };
	int e = request_new(&j, a_call(), found, &asked, &r, &w);

	check_case(e == 0, "%s", w.text);
	return r;
}

/* The `requested` record as it stands in the ledger, with MORE among its terms. */
static struct json_object *old_record(const char *more)
{
	CLEAN(free_p) char *text = NULL;
	struct json_object *o = NULL;

	assert_true(asprintf(&text, "{\"id\":\"" ID "\",\"rule\":\"code\",\"answer_by\":99,\"requesters\":[\"alice\"],\"terms\":"
		"{\"need\":\"2 of sre\",\"scope\":\"command\",\"for\":60000000,\"at_most\":60000000,\"claim_by\":60000000,"
		"\"at_end\":\"terminate\",\"warn\":0,\"grace\":0,\"join_user\":false%s},\"call\":{\"uid\":1000,\"user\":\"alice\","
		"\"service\":\"sudo\",\"line\":\"\",\"argv\":[]},\"document\":\"{\\\"v\\\":1}\"}", more) > 0);
	assert_int_equal(json_parse(text, strlen(text), &o, NULL), 0);
	return o;
}

static struct request *restore(const char *more)
{
	CLEAN(json_put_p) struct json_object *o = old_record(more);
	struct request *r = NULL;
	struct why w = { "" };
	int e = request_restore(&j, o, &r, &w);

	check_case(e == 0, "%s: %s", more, w.text);
	return r;
}

/* ---- making, recording, showing ---- */

static bool a_member(struct json_object *o, const char *key)
{
	return json_object_object_get_ex(o, key, NULL);
}

static void made(void **state)
{
	struct request *r = make("code"), *plain = make("plain"), *again = NULL;
	CLEAN(json_put_p) struct json_object *doc = NULL, *record = request_record(r), *shown = NULL, *others = NULL;
	char words[CODE_WORDS_MAX], expected[CODE_WORDS_MAX];
	struct why w = { "" };

	assert_true(code_valid(r->terms.code));
	assert_string_equal(plain->terms.code, "");
	/* The document says that a code is wanted, and the code stands nowhere in it. */
	assert_int_equal(json_parse(r->document, strlen(r->document), &doc, NULL), 0);
	assert_true(json_true(doc, "match"));
	assert_false(a_member(doc, "code"));
	assert_null(strstr(plain->document, "\"match\""));
	/* It survives a restart of jitd. */
	assert_int_equal(request_restore(&j, record, &again, &w), 0);
	assert_string_equal(again->terms.code, r->terms.code);
	assert_string_equal(again->digest, r->digest);
	/* And is for some eyes only, while it is of use. */
	shown = request_json(r, true);
	others = request_json(r, false);
	assert_string_equal(json_str(shown, "code"), r->terms.code);
	assert_false(a_member(others, "code"));
	r->state = STATE_DENIED;
	json_object_put(shown);
	shown = request_json(r, true);
	assert_false(a_member(shown, "code"));
	snprintf(expected, sizeof(expected), "\n%s: tell whoever approves this code: %s", r->id, r->terms.code);
	assert_string_equal(request_code_words(r, words), expected);
	assert_string_equal(request_code_words(plain, words), "");
	request_free(r);
	request_free(plain);
	request_free(again);
}

static void restored(void **state)
{
	static const char *const bad[] = { ",\"code\":\"\"", ",\"code\":\"41\"", ",\"code\":\"4177\"", ",\"code\":\"abc\"",
		",\"code\":417", ",\"code\":null", ",\"code\":true" };
	struct request *r = restore("");

	/* From before there were codes: none is wanted. */
	assert_string_equal(r->terms.code, "");
	request_free(r);
	r = restore(",\"code\":\"007\"");
	assert_string_equal(r->terms.code, "007");
	request_free(r);
	/* Never one that wanted a code and has forgotten it. */
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		CLEAN(json_put_p) struct json_object *o = old_record(bad[i]);
		struct why w = { "" };

		r = NULL;
		check_case(request_restore(&j, o, &r, &w) == -EBADMSG && !r, "%s", bad[i]);
	}
}

/* ---- answers ---- */

static void deliver(const struct request *r, const char *principal, const char *verdict, const char *more)
{
	CLEAN(free_p) char *document = NULL, *signature = NULL;
	struct envelope e = { 0 };
	char type[] = "decision";

	seen.done = NULL;
	*seen.refusal = *seen.receipt = *seen.event = '\0';
	assert_true(asprintf(&document, "{\"v\":1,\"request\":\"%s\",\"digest\":\"%s\",\"host\":\"web1\",\"verdict\":\"%s\","
		"\"approver\":\"%s\",\"time\":\"2026-01-01T00:00:00Z\"%s}", r->id, r->digest, verdict, principal, more) > 0);
	signature = keygen_sign(principal, NS, document);
	e.type = type;
	e.document = document;
	e.document_len = strlen(document);
	e.signature = signature;
	intake_envelope(&e, "decision-1.json", NULL, &j);
}

static struct request *pending(const char *more)
{
	struct request *r = restore(more);

	r->next = j.requests;
	j.requests = r;
	seen.votes = 0;
	return r;
}

static void answered(void **state)
{
	static const struct {
		const char *terms, *verdict, *more;
		const char *refusal; /* NULL: counted */
	} cases[] = {
		{ ",\"code\":\"417\"", "approve", ",\"code\":\"417\"", NULL },
		{ ",\"code\":\"007\"", "approve", ",\"code\":\"007\"", NULL },
		{ ",\"code\":\"417\"", "approve", ",\"code\":\"418\"", "bob: the code is wrong" },
		{ ",\"code\":\"417\"", "approve", ",\"code\":\" 417\"", "bob: the code is wrong" },
		{ ",\"code\":\"417\"", "approve", ",\"code\":\"4170\"", "bob: the code is wrong" },
		{ ",\"code\":\"417\"", "approve", ",\"code\":\"\"", "bob: the code is wrong" },
		{ ",\"code\":\"417\"", "approve", ",\"code\":417", "bob: an approval must bear the code" },
		{ ",\"code\":\"417\"", "approve", ",\"code\":null", "bob: an approval must bear the code" },
		{ ",\"code\":\"417\"", "approve", "", "bob: an approval must bear the code" },
		{ ",\"code\":\"417\"", "deny", "", NULL },
		{ ",\"code\":\"417\"", "deny", ",\"code\":\"999\"", NULL },
		{ "", "approve", "", NULL },
		{ "", "approve", ",\"code\":\"999\"", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct request *r = pending(cases[i].terms);

		deliver(r, "bob", cases[i].verdict, cases[i].more);
		check_case(seen.done != NULL, "row %zu: %s", i, seen.refusal);
		/* Whatever the code, nothing is said of it before the signature is known to be good. */
		check_case(!*seen.refusal && !seen.votes, "row %zu said %s", i, seen.refusal);
		seen.done(0, "Good", seen.userdata);
		if (cases[i].refusal) {
			check_case(!strncmp(seen.refusal, cases[i].refusal, strlen(cases[i].refusal)), "row %zu: %s", i, seen.refusal);
			check_case(!strcmp(seen.event, "refused") && strstr(seen.receipt, "code"), "row %zu: %s", i, seen.receipt);
			/* Neither the ledger's words nor the receipt's tell what would have been right. */
			check_case(!strstr(seen.refusal, "417") && !strstr(seen.receipt, "417"), "row %zu", i);
		} else
			check_case(!*seen.refusal, "row %zu: %s", i, seen.refusal);
		check_case(seen.votes == !cases[i].refusal, "row %zu: %u votes", i, seen.votes);
		request_forget(r);
	}
}

/* Who cannot sign learns nothing: right and wrong code get the same words. */
static void no_oracle(void **state)
{
	struct request *r = pending(",\"code\":\"417\"");
	char right[512];

	deliver(r, "bob", "approve", ",\"code\":\"417\"");
	seen.done(-EACCES, "Could not verify signature", seen.userdata);
	strcpy(right, seen.refusal);
	assert_non_null(strstr(right, "ssh-keygen does not accept"));
	deliver(r, "bob", "approve", ",\"code\":\"418\"");
	seen.done(-EACCES, "Could not verify signature", seen.userdata);
	assert_string_equal(seen.refusal, right);
	assert_int_equal(seen.votes, 0);
	request_forget(r);
}

/* A wrong code is no answer: the approver may try again, up to the bound; a second answer is still refused. */
static void tries(void **state)
{
	struct request *r = pending(",\"code\":\"417\"");
	char expected[64];

	for (unsigned i = 1; i <= TRIES_MAX; i++) {
		deliver(r, "bob", "approve", ",\"code\":\"000\"");
		check_case(seen.done != NULL, "try %u: %s", i, seen.refusal);
		seen.done(0, "Good", seen.userdata);
		snprintf(expected, sizeof(expected), "(try %u of %d)", i, TRIES_MAX);
		check_case(strstr(seen.refusal, expected) != NULL, "try %u: %s", i, seen.refusal);
	}
	deliver(r, "bob", "approve", ",\"code\":\"417\"");
	assert_null(seen.done);
	assert_string_equal(seen.refusal, "bob: more than 8 tries by this approver");
	/* Another approver has their own tries, and the same code. */
	deliver(r, "carol", "approve", ",\"code\":\"111\"");
	seen.done(0, "Good", seen.userdata);
	assert_int_equal(seen.votes, 0);
	deliver(r, "carol", "approve", ",\"code\":\"417\"");
	seen.done(0, "Good", seen.userdata);
	assert_int_equal(seen.votes, 1);
	deliver(r, "carol", "approve", ",\"code\":\"417\"");
	assert_null(seen.done);
	assert_string_equal(seen.refusal, "carol: carol has answered already");
	request_forget(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made),
		cmocka_unit_test(restored),
		cmocka_unit_test(answered),
		cmocka_unit_test(no_oracle),
		cmocka_unit_test(tries),
	};

	return cmocka_run_group_tests_name("match", tests, begin, end);
}
