/* Receipts: what a host says became of an answer, signed with its key.  One that does not verify is no fact. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cli/approver.h"
#include "cli/document.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/text.h"

/* After "granted", the command's first use is usually there at once (sudo waits); not for longer than this. */
#define APPLIED_WAIT_USEC (10 * USEC_PER_SEC)
#define POLL_SEC 20

void receipt_done(struct receipt *r)
{
	json_put_p(&r->doc);
	*r = (struct receipt){0};
}

static void verify(const struct envelope *e, const struct host_key *key, struct receipt *r)
{
	if (key->trust == HOST_CHANGED)
		why(&r->why, 0, "the key of %s has changed", r->host);
	else if (!key->signers)
		why(&r->why, 0, "no key of %s is known", r->host);
	else
		r->verified = keygen_verify(key->signers, r->host, NS_RECEIPT, NULL, e->document, e->document_len,
				      e->signature, &r->why) == 0;
}

static void envelope_p(struct envelope *e)
{
	envelope_done(e);
}

int receipt_read(struct json_object *envelope, const struct host_key *key, struct receipt *ret, struct why *w)
{
	struct receipt r CLEAN(receipt_done) = {0};
	struct envelope e CLEAN(envelope_p) = {0};
	const char *text = envelope ? json_text(envelope) : NULL;
	uint64_t v;

	if (!text)
		return why(w, -EINVAL, "it is no envelope");
	if (envelope_parse(text, strlen(text), &e, w) < 0)
		return -EINVAL;
	if (strcmp(e.type, "receipt") != 0)
		return why(w, -EINVAL, "it is a %s", e.type);
	if (json_parse(e.document, e.document_len, &r.doc, w) < 0)
		return -EINVAL;
	r.host = json_str(r.doc, "host");
	r.request = json_str(r.doc, "request");
	r.event = json_str(r.doc, "event");
	r.text = json_str(r.doc, "text");
	r.approver = json_str(r.doc, "approver");
	r.head = json_str(r.doc, "head");
	r.time = json_str(r.doc, "time");
	if (json_u64(r.doc, "v", &v) < 0 || v != 1 || !r.host || !name_valid(r.host) || !r.request || !id_valid(r.request) ||
		!r.event || json_u64(r.doc, "seq", &r.seq) < 0)
		return why(w, -EINVAL, "its fields are not a receipt's");
	verify(&e, key, &r);
	*ret = r;
	r = (struct receipt){0};
	return 0;
}

static void say_json(const struct receipt *r)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();

	json_add(o, "receipt", json_object_get(r->doc));
	json_add_bool(o, "verified", r->verified);
	if (!r->verified)
		json_add_str(o, "why", r->why.text);
	screen_json(stdout, o);
}

void receipt_say(const struct cli *c, const struct receipt *r)
{
	static const struct {
		const char *event, *words;
		enum style style;
	} known[] = {
		{"received", "taken by", PLAIN},       {"refused", "refused by", RED},     {"granted", "granted on", GREEN},
		{"denied", "denied on", RED},          {"applied", "applied on", GREEN},   {"expired", "expired on", YELLOW},
		{"revoked", "revoked on", YELLOW},     {"withdrawn", "withdrawn on", DIM}, {"closed", "closed on", DIM},
		{"unclaimed", "never used on", YELLOW},
	};
	const char *text = r->text && *r->text ? r->text : NULL;
	CLEAN(free_p) char *event = text_escape(r->event, strlen(r->event), 32);
	CLEAN(free_p) char *shown = text ? text_escape(text, strlen(text), 300) : NULL;
	const char *words = event;
	enum style style = PLAIN;

	if (c->json) {
		say_json(r);
		return;
	}
	for (size_t i = 0; i < ELEMENTS(known); i++)
		if (strcmp(r->event, known[i].event) == 0) {
			words = known[i].words;
			style = known[i].style;
		}
	if (strcmp(r->event, "applied") == 0 && !shown)
		shown = strdup("command running");
	if (!r->verified)
		printf("%sunverified%s (%s): ", paint(RED), paint(PLAIN), r->why.text);
	printf("%s%s%s %s%s%s\n", r->verified ? paint(style) : "", words ? words : "?", r->verified ? paint(PLAIN) : "", r->host,
		shown ? ": " : "", shown ? shown : "");
	fflush(stdout);
}

/* What a verified receipt means for an answer of APPROVER with VERDICT: an exit code, or -1 to wait on. */
static int settles(const struct receipt *r, const char *approver, const char *verdict, bool *ret_granted)
{
	bool mine = !r->approver || strcmp(r->approver, approver) == 0;

	if (strcmp(r->event, "refused") == 0)
		return mine ? CLI_REFUSED : -1;
	if (strcmp(verdict, "approve") == 0) {
		if (strcmp(r->event, "granted") == 0)
			*ret_granted = true;
		if (strcmp(r->event, "applied") == 0 || strcmp(r->event, "closed") == 0)
			return CLI_DONE;
		if (strcmp(r->event, "expired") == 0 || strcmp(r->event, "unclaimed") == 0)
			return CLI_EXPIRED;
		if (strcmp(r->event, "denied") == 0 || strcmp(r->event, "withdrawn") == 0 || strcmp(r->event, "revoked") == 0)
			return CLI_REFUSED;
		return -1;
	}
	if (strcmp(verdict, "deny") == 0 && strcmp(r->event, "denied") == 0)
		return CLI_DONE;
	if (strcmp(verdict, "revoke") == 0 && (strcmp(r->event, "revoked") == 0 || strcmp(r->event, "closed") == 0))
		return CLI_DONE;
	if (strcmp(r->event, "expired") == 0 || strcmp(r->event, "unclaimed") == 0)
		return CLI_EXPIRED;
	return strcmp(r->event, "withdrawn") == 0 ? CLI_REFUSED : -1;
}

struct following {
	const struct cli *c;
	const struct host_key *key;
	const char *host, *id, *approver, *verdict;
	bool received, granted;
	int result; /* -1: not settled */
};

static void one_receipt(struct following *f, const struct receipt *r)
{
	int settled;

	if (strcmp(r->host, f->host) != 0 || strcmp(r->request, f->id) != 0) {
		cli_warn("the hub gave a receipt of %s for %s; it does not count", r->host, r->request);
		return;
	}
	receipt_say(f->c, r);
	if (!r->verified)
		return;
	f->received = true;
	settled = settles(r, f->approver, f->verdict, &f->granted);
	if (f->result < 0)
		f->result = settled;
}

static int by_seq(const void *a, const void *b)
{
	const struct receipt *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* A page of receipts, in the order of the host's ledger: on their way some may have overtaken others. */
static int all_receipts(struct following *f, struct json_object *list)
{
	size_t n = list ? json_object_array_length(list) : 0, good = 0;
	struct receipt *receipt = n ? calloc(n, sizeof(*receipt)) : NULL;
	struct why w;

	if (n && !receipt)
		return cli_oom();
	for (size_t i = 0; i < n; i++) {
		struct json_object *envelope = json_obj(json_object_array_get_idx(list, i), "envelope");

		if (receipt_read(envelope, f->key, &receipt[good], &w) == 0)
			good++;
		else
			cli_warn("a receipt of the hub cannot be read: %s", w.text);
	}
	if (good)
		qsort(receipt, good, sizeof(*receipt), by_seq);
	for (size_t i = 0; i < good; i++) {
		one_receipt(f, &receipt[i]);
		receipt_done(&receipt[i]);
	}
	free(receipt);
	return CLI_DONE;
}

static int fetch(struct following *f, struct hub *h, uint64_t *after, unsigned wait)
{
	CLEAN(json_put_p) struct json_object *answer = NULL;
	CLEAN(free_p) char *path = NULL;
	uint64_t next;
	int r;

	if (asprintf(&path, "/v1/requests/%s/receipts?host=%s&after=%" PRIu64 "&wait=%u", f->id, f->host, *after, wait) < 0)
		return cli_oom();
	r = hub_call(h, "GET", path, NULL, wait, &answer);
	if (r == CLI_DONE)
		r = all_receipts(f, json_arr(answer, "receipts"));
	if (r != CLI_DONE)
		return r;
	/* A hub that does not count on would be asked the same for ever. */
	if (json_u64(answer, "next", &next) < 0 || next < *after)
		return cli_fail(CLI_UNREACHABLE, "the hub's list of receipts cannot be read");
	*after = next;
	return CLI_DONE;
}

static int out_of_time(const struct following *f)
{
	if (f->granted)
		return CLI_DONE;
	if (f->received) {
		if (!f->c->json)
			printf("%s has it; others must still answer\n", f->host);
		return CLI_DONE;
	}
	return cli_fail(CLI_PENDING, "delivered to the hub; no verified receipt of %s yet (jitctl inbox --all shows it later)",
		f->host);
}

int receipt_follow(const struct cli *c, struct hub *h, const struct host_key *key, const char *host, const char *id,
	const char *approver, const char *verdict, uint64_t after, uint64_t timeout_usec)
{
	struct following f = {c, key, host, id, approver, verdict, .result = -1};
	uint64_t now = clock_boot(), end = timeout_usec > USEC_INFINITY - now ? USEC_INFINITY : now + timeout_usec;
	bool was_granted = false;

	while (f.result < 0 && now < end) {
		uint64_t before = now, left = (end - now + USEC_PER_SEC - 1) / USEC_PER_SEC;
		int r = fetch(&f, h, &after, left < POLL_SEC ? (unsigned)left : POLL_SEC);

		if (r != CLI_DONE)
			return r;
		now = clock_boot();
		if (f.granted && !was_granted && end > now + APPLIED_WAIT_USEC)
			end = now + APPLIED_WAIT_USEC;
		was_granted = f.granted;
		/* The hub should have waited; one that does not is not asked more often than this. */
		if (f.result < 0 && now - before < USEC_PER_SEC / 5) {
			usleep(200000);
			now = clock_boot();
		}
	}
	return f.result >= 0 ? f.result : out_of_time(&f);
}
