/* jitctl approve, deny, revoke --at-hub: a request is fetched, judged, shown whole to a person, and only then signed for. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cli/approver.h"
#include "cli/document.h"
#include "cli/screen.h"
#include "cli/terminal.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/code.h"
#include "lib/json.h"
#include "lib/policy.h"
#include "lib/text.h"

#define FOLLOW_USEC (30 * USEC_PER_SEC)
#define DIGEST_MIN 16
#define NOTE_MAX 1000
#define CODE_ASKS 3

struct answer {
	struct cli *c;
	const char *verdict; /* "approve", "deny", "revoke" */
	jit_id id;
	struct settings s;
	struct hub *hub;
	struct fetched f;
	struct host_key key;
	jit_code code;  /* "": none */
	char *decision; /* the exact bytes that are signed */
	uint64_t after; /* receipts that were there before */
};

static void answer_done(struct answer *a)
{
	settings_done(&a->s);
	hub_close(a->hub);
	fetched_done(&a->f);
	host_key_done(&a->key);
	free(a->decision);
}

static int check_words(struct answer *a)
{
	const struct cli *c = a->c;
	const char *note = c->value[OPT_NOTE], *host = c->value[OPT_HOST], *digest = c->value[OPT_DIGEST];
	size_t n = digest ? strlen(digest) : 0;

	if (note && (!text_utf8(note, strlen(note)) || strlen(note) > NOTE_MAX))
		return cli_fail(CLI_MISUSED, "--note is not UTF-8, or over %d bytes", NOTE_MAX);
	if (host && !name_valid(host))
		return cli_fail(CLI_MISUSED, "--host is no host's name");
	if (digest && (n < DIGEST_MIN || n > 64 || strspn(digest, "0123456789abcdefABCDEF") != n))
		return cli_fail(CLI_MISUSED, "--digest is %d to 64 hexadecimal digits", DIGEST_MIN);
	if (c->value[OPT_CODE] && code_parse(c->value[OPT_CODE], a->code) < 0)
		return cli_fail(CLI_MISUSED, "--code is the three digits that stand on the requester's terminal");
	if (c->value[OPT_YES] && !digest)
		return cli_fail(CLI_MISUSED, "--yes signs only what --digest names");
	if (c->json && !c->value[OPT_YES])
		return cli_fail(CLI_MISUSED, "--json cannot ask; it goes with --yes and --digest");
	return CLI_DONE;
}

static int fetch(struct answer *a)
{
	CLEAN(json_put_p) struct json_object *outer = NULL;
	const char *host = a->c->value[OPT_HOST];
	struct why w;
	char path[160];
	int r;

	snprintf(path, sizeof(path), "/v1/requests/%s%s%s", a->id, host ? "?host=" : "", host ? host : "");
	r = hub_call(a->hub, "GET", path, NULL, 0, &outer);
	if (r != CLI_DONE)
		return r;
	if (fetched_read(outer, &a->f, &w) < 0)
		return cli_fail(CLI_INTEGRITY, "the request cannot be trusted: %s", w.text);
	if (strcmp(a->f.id, a->id) != 0)
		return cli_fail(CLI_INTEGRITY, "the hub gave request %s instead of %s", a->f.id, a->id);
	if (host && strcmp(a->f.host, host) != 0)
		return cli_fail(CLI_INTEGRITY, "the hub gave a request of %s instead of %s", a->f.host, host);
	return CLI_DONE;
}

static int check_digest(const struct answer *a)
{
	const char *want = a->c->value[OPT_DIGEST];

	if (want && strncasecmp(a->f.digest, want, strlen(want)) != 0)
		return cli_fail(CLI_INTEGRITY, "the digest of the request is %s, not %s", a->f.digest, want);
	return CLI_DONE;
}

static bool wants_code(const struct answer *a)
{
	return strcmp(a->verdict, "approve") == 0 && json_true(a->f.document, "match");
}

/* Before anything is shown: where nobody can be asked the code must have been given. */
static int check_code(struct answer *a)
{
	if (!wants_code(a)) {
		if (*a->code)
			cli_warn("%s wants no code; --code is not used", a->id);
		*a->code = '\0';
		return CLI_DONE;
	}
	if (*a->code || (!a->c->value[OPT_YES] && terminal_there()))
		return CLI_DONE;
	return cli_fail(CLI_MISUSED, "%s wants the code that stands on the requester's terminal: --code with its three digits", a->id);
}

static bool in_teams(const struct answer *a)
{
	struct json_object *teams = json_obj(a->f.document, "teams");

	json_object_object_foreach(teams, name, members) {
		(void)name;
		for (size_t i = 0; i < json_object_array_length(members); i++)
			if (strcmp(json_object_get_string(json_object_array_get_idx(members, i)), a->s.principal) == 0)
				return true;
	}
	return false;
}

/* What would be of no use, or what deserves a word, before anything is asked. */
static int check_state(const struct answer *a)
{
	const char *state = json_str(a->f.outer, "state");
	uint64_t by;

	if (!in_teams(a))
		cli_warn("%s stands in none of the teams that may answer; the host will refuse it", a->s.principal);
	if (strcmp(a->verdict, "revoke") == 0)
		return CLI_DONE;
	if (state && strcmp(state, "pending") != 0)
		return cli_fail(strcmp(state, "expired") == 0 ? CLI_EXPIRED : CLI_REFUSED, "%s on %s is no longer pending: %s",
			a->id, a->f.host, state);
	time_rfc3339_parse(json_str(a->f.document, "answer_by"), &by);
	if (by + USEC_PER_MIN < clock_real())
		return cli_fail(CLI_EXPIRED, "%s could be answered until %s", a->id, json_str(a->f.document, "answer_by"));
	return CLI_DONE;
}

/* --for and --scope only narrow. */
static int add_terms(const struct answer *a, struct json_object *decision)
{
	const char *wanted = a->c->value[OPT_SCOPE];
	enum scope asked, narrowed;
	uint64_t span = 0, asked_sec = 0;
	int r;

	r = cli_span(a->c, OPT_FOR, &span);
	if (r != CLI_DONE)
		return r;
	json_u64(a->f.document, "for", &asked_sec);
	if (a->c->value[OPT_FOR]) {
		if (span < USEC_PER_SEC || span % USEC_PER_SEC)
			return cli_fail(CLI_MISUSED, "--for is whole seconds");
		if (span / USEC_PER_SEC > asked_sec)
			return cli_fail(CLI_MISUSED, "--for is longer than the %" PRIu64 " s that were asked for", asked_sec);
		json_add_u64(decision, "for", span / USEC_PER_SEC);
	}
	if (!wanted)
		return CLI_DONE;
	if (scope_parse(wanted, &narrowed) < 0)
		return cli_fail(CLI_MISUSED, "--scope is command, session or service");
	scope_parse(json_str(a->f.document, "scope"), &asked);
	if (narrowed > asked)
		return cli_fail(CLI_MISUSED, "--scope %s is wider than the %s that was asked for", wanted, scope_string(asked));
	json_add_str(decision, "scope", wanted);
	return CLI_DONE;
}

static int make_decision(struct answer *a)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	char time[TIME_RFC3339_LEN + 1];
	int r;

	json_add_u64(o, "v", 1);
	json_add_str(o, "request", a->f.id);
	json_add_str(o, "digest", a->f.digest);
	json_add_str(o, "host", a->f.host);
	json_add_str(o, "verdict", a->verdict);
	json_add_str(o, "approver", a->s.principal);
	if (strcmp(a->verdict, "approve") == 0) {
		r = add_terms(a, o);
		if (r != CLI_DONE)
			return r;
		json_add_str(o, "code", *a->code ? a->code : NULL);
	}
	json_add_str(o, "note", a->c->value[OPT_NOTE]);
	json_add_str(o, "time", time_rfc3339(clock_real(), time));
	free(a->decision);
	a->decision = json_text(o) ? strdup(json_text(o)) : NULL;
	return a->decision ? CLI_DONE : cli_oom();
}

static void view_answers(const struct answer *a)
{
	struct json_object *list = json_arr(a->f.outer, "decisions");
	const char *left = "answers";

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *d = json_object_array_get_idx(list, i);
		CLEAN(free_p) char *who = document_text(d, "approver", 64), *verdict = document_text(d, "verdict", 16);
		char when[64];

		fieldf(left, PLAIN, "%s: %s, %s (says the hub)", who ? who : "?", verdict ? verdict : "?",
			when_text(json_str(d, "time"), when, sizeof(when)));
		left = "";
	}
}

static void view_request(const struct answer *a)
{
	size_t changed;
	char when[64];

	printf("%sThe request, %zu bytes, whose digest is signed:%s\n", paint(DIM), a->f.envelope.document_len, paint(PLAIN));
	changed = screen_json_text(stdout, a->f.envelope.document);
	printf("\n");
	if (changed)
		printf("%s(%zu characters that are not ASCII stand above as \\uXXXX)%s\n", paint(DIM), changed, paint(PLAIN));
	printf("\n%s%s on %s%s\n", paint(BOLD), a->f.id, a->f.host, paint(PLAIN));
	document_view(a->f.document);
	field("answer by", YELLOW, when_clock(json_str(a->f.document, "answer_by"), when, sizeof(when)));
	view_answers(a);
	field("digest", PLAIN, a->f.digest);
	fflush(stdout);
}

static void view_decision(const struct answer *a)
{
	printf("\n%sThe decision, the very bytes that are signed by %s:%s\n", paint(DIM), a->s.key, paint(PLAIN));
	screen_json_text(stdout, a->decision);
	printf("\n\n");
	fflush(stdout);
}

/* The decision is made anew with the code, so that what is shown and signed holds it. */
static int ask_code(struct answer *a)
{
	CLEAN(free_p) char *user = document_text(a->f.document, "user", 64);

	if (!wants_code(a) || *a->code)
		return CLI_DONE;
	printf("\n");
	for (unsigned i = 0; i < CODE_ASKS; i++) {
		CLEAN(free_p) char *line = NULL;

		if (terminal_ask(&line, "Code on %s's terminal: ", user ? user : "?") < 0 || !*line)
			break;
		if (code_parse(line, a->code) == 0)
			return make_decision(a);
		printf("a code is three digits\n");
	}
	return cli_fail(CLI_REFUSED, "not signed, nothing was sent");
}

static int ask(const struct answer *a)
{
	CLEAN(free_p) char *line = NULL, *who = document_who(a->f.document);
	int r = terminal_ask(&line, "%s %s on %s, %s? type yes: ", a->verdict, a->f.id, a->f.host, who ? who : "?");

	if (r == -ENOTTY)
		return cli_fail(CLI_MISUSED, "there is no terminal to ask on; --yes --digest %s signs without asking", a->f.digest);
	if (r < 0 || strcmp(line, "yes") != 0)
		return cli_fail(CLI_REFUSED, "not signed, nothing was sent");
	return CLI_DONE;
}

/* Where the list of receipts ends before our answer. */
static int remember_receipts(struct answer *a)
{
	CLEAN(json_put_p) struct json_object *answer = NULL;
	char path[200];
	int r;

	snprintf(path, sizeof(path), "/v1/requests/%s/receipts?host=%s&after=0&wait=0", a->id, a->f.host);
	r = hub_call(a->hub, "GET", path, NULL, 0, &answer);
	if (r == CLI_DONE)
		json_u64(answer, "next", &a->after);
	return r;
}

static int post(struct answer *a, const char *signature)
{
	CLEAN(json_put_p) struct json_object *body = json_object_new_object();
	CLEAN(free_p) char *envelope = NULL;
	bool revoke = strcmp(a->verdict, "revoke") == 0;
	struct json_object *parsed = NULL;
	char path[160];
	int r;

	envelope = envelope_format(revoke ? "revoke" : "decision", a->decision, signature);
	if (!envelope || json_parse(envelope, strlen(envelope), &parsed, NULL) < 0)
		return cli_oom();
	json_add_str(body, "host", a->f.host);
	json_add(body, "envelope", parsed);
	snprintf(path, sizeof(path), "/v1/requests/%s/%s", a->id, revoke ? "revocations" : "decisions");
	r = hub_call(a->hub, "POST", path, body, 0, NULL);
	if (r != CLI_DONE)
		return r;
	if (a->c->json) {
		CLEAN(json_put_p) struct json_object *o = json_object_new_object();

		json_add_str(o, "id", a->f.id);
		json_add_str(o, "host", a->f.host);
		json_add_str(o, "verdict", a->verdict);
		json_add_str(o, "digest", a->f.digest);
		json_add_str(o, "state", "queued");
		screen_json(stdout, o);
	} else if (a->c->value[OPT_NO_WAIT]) {
		printf("signed and handed to the hub\n");
	} else {
		printf("signed and handed to the hub; waiting for %s\n", a->f.host);
	}
	fflush(stdout);
	return CLI_DONE;
}

static int sign_and_send(struct answer *a)
{
	CLEAN(free_p) char *signature = NULL;
	uint64_t timeout = FOLLOW_USEC;
	struct why w;
	int r;

	r = cli_span(a->c, OPT_TIMEOUT, &timeout);
	if (r == CLI_DONE && !a->c->value[OPT_NO_WAIT]) {
		r = host_key_find(a->hub, &a->s, a->f.host, &a->key);
		if (r == CLI_DONE)
			r = remember_receipts(a);
	}
	if (r != CLI_DONE)
		return r;
	if (keygen_sign(a->s.key, NS_DECISION, a->decision, strlen(a->decision), &signature, &w) < 0)
		return cli_fail(CLI_REFUSED, "not signed, nothing was sent: %s", w.text);
	r = post(a, signature);
	if (r != CLI_DONE || a->c->value[OPT_NO_WAIT])
		return r;
	return receipt_follow(a->c, a->hub, &a->key, a->f.host, a->id, a->s.principal, a->verdict, a->after, timeout);
}

static int answer(struct cli *c, const char *verdict)
{
	struct answer a CLEAN(answer_done) = {.c = c, .verdict = verdict};
	int r;

	r = cli_id(c, a.id);
	if (r == CLI_DONE)
		r = check_words(&a);
	if (r == CLI_DONE)
		r = settings_load(c, &a.s);
	if (r == CLI_DONE)
		r = hub_open(&a.s, &a.hub);
	if (r == CLI_DONE)
		r = fetch(&a);
	if (r == CLI_DONE)
		r = check_digest(&a);
	if (r == CLI_DONE)
		r = check_state(&a);
	if (r == CLI_DONE)
		r = check_code(&a);
	if (r == CLI_DONE)
		r = make_decision(&a);
	if (r != CLI_DONE)
		return r;
	if (!c->json)
		view_request(&a);
	r = ask_code(&a);
	if (r != CLI_DONE)
		return r;
	if (!c->json)
		view_decision(&a);
	if (!c->value[OPT_YES]) {
		r = ask(&a);
		if (r != CLI_DONE)
			return r;
	}
	return sign_and_send(&a);
}

int verb_approve(struct cli *c)
{
	return answer(c, "approve");
}

int verb_deny(struct cli *c)
{
	return answer(c, "deny");
}

int approver_revoke(struct cli *c)
{
	return answer(c, "revoke");
}
