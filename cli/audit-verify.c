/* jitctl audit verify: the chain, heads that somebody else kept, and the signatures of all decisions again. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cli/approver.h"
#include "cli/screen.h"
#include "cli/story.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/ledger.h"
#include "lib/sshsig.h"
#include "lib/text.h"

#define WITNESS_MIN 16

struct witness {
	char head[SHA256_HEX + 1]; /* or its leading digits */
	char source[128];
	uint64_t seq; /* where it stands in the chain; 0: not there */
};

struct verifying {
	struct cli *c;
	struct json_object *digests; /* id → digest of the request's bytes */
	char host[128];
	char first[SHA256_HEX + 1], last_time[TIME_RFC3339_LEN + 1];
	uint64_t records, first_seq;
	struct witness *witness;
	size_t n_witnesses;
	uint64_t good, bad; /* signatures */
	struct json_object *problems;
};

static void verifying_done(struct verifying *v)
{
	json_put_p(&v->digests);
	json_put_p(&v->problems);
	free(v->witness);
}

__attribute__((format(printf, 2, 3))) static void problem(struct verifying *v, const char *fmt, ...)
{
	CLEAN(free_p) char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return;
	}
	v->bad++;
	json_object_array_add(v->problems, json_object_new_string(text));
	if (!v->c->json)
		cli_fail(CLI_INTEGRITY, "%s", text);
}

static int add_witness(struct verifying *v, const char *head, const char *source)
{
	struct witness *grown = reallocarray(v->witness, v->n_witnesses + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	v->witness = grown;
	grown[v->n_witnesses] = (struct witness){0};
	snprintf(grown[v->n_witnesses].head, sizeof(grown->head), "%s", head);
	snprintf(grown[v->n_witnesses].source, sizeof(grown->source), "%s", source);
	v->n_witnesses++;
	return 0;
}

/* ---- signatures ---- */

static void signer_p(struct signers *s)
{
	signers_done(s);
}

/* The decision's own words against the record around it and the request it is for. */
static bool document_agrees(struct verifying *v, struct json_object *r, const char *document, struct why *w)
{
	CLEAN(json_put_p) struct json_object *doc = NULL;
	const char *id = json_str(r, "id"), *digest = id ? json_str(v->digests, id) : NULL;
	const char *said_id, *said_digest, *approver, *principal = json_str(r, "principal"), *verdict;

	if (json_parse(document, strlen(document), &doc, w) < 0)
		return false;
	said_id = json_str(doc, "request");
	said_digest = json_str(doc, "digest");
	approver = json_str(doc, "approver");
	verdict = json_str(doc, "verdict");
	if (!said_id || !id || strcmp(said_id, id) != 0)
		return why(w, 0, "it is for another request"), false;
	if (!digest)
		return why(w, 0, "its request is not in the ledger"), false;
	if (!said_digest || strcmp(said_digest, digest) != 0)
		return why(w, 0, "it is for a request with other bytes"), false;
	if (!approver || !principal || strcmp(approver, principal) != 0)
		return why(w, 0, "it is by another approver than the record says"), false;
	if (!verdict || !json_str(r, "verdict") || strcmp(verdict, json_str(r, "verdict")) != 0)
		return why(w, 0, "it says something else than the record"), false;
	return true;
}

/* "2026-11-21T14:32:05Z" as ssh-keygen wants it. */
static bool verify_time(const char *rfc3339, char out[static 16])
{
	if (!rfc3339 || strlen(rfc3339) != TIME_RFC3339_LEN)
		return false;
	snprintf(out, 16, "%.4s%.2s%.2s%.2s%.2s%.2s", rfc3339, rfc3339 + 5, rfc3339 + 8, rfc3339 + 11, rfc3339 + 14,
		rfc3339 + 17);
	return true;
}

/* What jitd reads in the blob itself: touch, verification, key, and the strength that it recorded. */
static bool blob_agrees(struct json_object *r, const char *signature, const struct signers *signers, struct why *w)
{
	struct sshsig sig CLEAN(sshsig_done) = {0};
	const char *strength = json_str(r, "strength"), *origins[] = {NULL, NULL};
	struct sshsig_policy policy = {.ns = NS_DECISION, .origins = origins};

	if (sshsig_parse(signature, strlen(signature), &sig, w) < 0)
		return false;
	/* Which origins the host allowed then is not in the record. */
	origins[0] = sig.origin;
	if (signers->n != 1)
		return why(w, 0, "the record names %zu signers", signers->n), false;
	if (sshsig_check(&sig, &policy, &signers->list[0], w) < 0)
		return false;
	if (!strength || strcmp(strength, sshsig_strength(&sig)) != 0)
		return why(w, 0, "it was made with %s, the record says %s", sshsig_strength(&sig), strength ? strength : "nothing"),
			false;
	return true;
}

static void check_signature(struct verifying *v, struct json_object *r)
{
	const char *document = json_str(r, "document"), *signature = json_str(r, "signature"), *signer = json_str(r, "signer"),
		*principal = json_str(r, "principal");
	struct signers signers CLEAN(signer_p) = {0};
	uint64_t seq = 0;
	char when[16];
	struct why w;

	json_u64(r, "seq", &seq);
	if (!document || !signature || !signer || !principal || !verify_time(json_str(r, "time"), when)) {
		problem(v, "seq %" PRIu64 ": the decision's document, signature or signer is missing", seq);
		return;
	}
	if (!principal_valid(principal) || signers_parse(signer, strlen(signer), "signer", NS_DECISION, &signers, &w) < 0 ||
		!document_agrees(v, r, document, &w) || !blob_agrees(r, signature, &signers, &w) ||
		keygen_verify(signers.bytes, principal, NS_DECISION, when, document, strlen(document), signature, &w) < 0) {
		problem(v, "seq %" PRIu64 ": the decision of %s does not verify: %s", seq, principal, w.text);
		return;
	}
	v->good++;
}

/* The request's bytes must have the digest that the record says: decisions are over that digest. */
static void learn_request(struct verifying *v, struct json_object *r)
{
	const char *id = json_str(r, "id"), *document = json_str(r, "document"), *digest = json_str(r, "digest");
	CLEAN(json_put_p) struct json_object *doc = NULL;
	char computed[SHA256_HEX + 1];
	uint64_t seq = 0;

	json_u64(r, "seq", &seq);
	if (!id || !document || sha256_hex(document, strlen(document), computed) < 0)
		return;
	if (digest && strcmp(digest, computed) != 0)
		problem(v, "seq %" PRIu64 ": the digest of request %s is not that of its bytes", seq, id_valid(id) ? id : "?");
	json_add_str(v->digests, id, computed);
	if (!*v->host && json_parse(document, strlen(document), &doc, NULL) == 0 && json_str(doc, "host"))
		snprintf(v->host, sizeof(v->host), "%s", json_str(doc, "host"));
}

static int on_record(struct json_object *line, const char *text, size_t len, void *userdata)
{
	struct verifying *v = userdata;
	const char *event = json_str(line, "event"), *time = json_str(line, "time");
	char hash[SHA256_HEX + 1];
	uint64_t seq = 0;

	if (sha256_hex(text, len, hash) < 0)
		return -EIO;
	json_u64(line, "seq", &seq);
	if (v->records++ == 0) {
		snprintf(v->first, sizeof(v->first), "%s", hash);
		v->first_seq = seq;
	}
	snprintf(v->last_time, sizeof(v->last_time), "%s", time ? time : "");
	for (size_t i = 0; i < v->n_witnesses; i++)
		if (strncmp(v->witness[i].head, hash, strlen(v->witness[i].head)) == 0)
			v->witness[i].seq = seq;
	if (event && strcmp(event, "requested") == 0)
		learn_request(v, line);
	if (event && v->c->value[OPT_SIGNATURES] &&
		(strcmp(event, "decided") == 0 || (strcmp(event, "revoked") == 0 && json_str(line, "signature"))))
		check_signature(v, line);
	return 0;
}

/* ---- witnesses ---- */

static int given_witnesses(struct verifying *v)
{
	const char *head;
	size_t at = 0;

	while ((head = cli_next(v->c, OPT_WITNESS, &at))) {
		char low[SHA256_HEX + 1];
		size_t n = strlen(head);

		if (n < WITNESS_MIN || n > SHA256_HEX || strspn(head, "0123456789abcdefABCDEF") != n)
			return cli_fail(CLI_MISUSED, "--witness is %d to %d hexadecimal digits", WITNESS_MIN, SHA256_HEX);
		for (size_t i = 0; i <= n; i++)
			low[i] = (char)(head[i] >= 'A' && head[i] <= 'F' ? head[i] + 32 : head[i]);
		if (add_witness(v, low, "given") < 0)
			return cli_oom();
	}
	return CLI_DONE;
}

static void one_receipt(struct verifying *v, struct json_object *envelope, const struct host_key *key, const char *host)
{
	struct receipt r CLEAN(receipt_done) = {0};
	char source[128];

	if (receipt_read(envelope, key, &r, NULL) < 0 || strcmp(r.host, host) != 0 || !r.head)
		return;
	if (!r.verified) {
		cli_warn("the receipt '%s' of %s is unverified and witnesses nothing: %s", r.event, r.request, r.why.text);
		return;
	}
	if (strlen(r.head) != SHA256_HEX || strspn(r.head, "0123456789abcdef") != SHA256_HEX)
		return;
	/* A host's first receipts may stand for an empty ledger. */
	if (strspn(r.head, "0") == SHA256_HEX)
		return;
	snprintf(source, sizeof(source), "receipt %s of %s", r.event, r.request);
	(void)add_witness(v, r.head, source);
}

static int one_page(struct verifying *v, struct hub *h, const struct host_key *key, const char *host, uint64_t *after,
	bool *ret_more)
{
	CLEAN(json_put_p) struct json_object *answer = NULL;
	struct json_object *list;
	uint64_t next = *after;
	char path[96];
	int r;

	snprintf(path, sizeof(path), "/v1/requests?state=all&after=%" PRIu64 "&wait=0", *after);
	r = hub_call(h, "GET", path, NULL, 0, &answer);
	if (r != CLI_DONE)
		return r;
	list = json_arr(answer, "requests");
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *receipts = json_arr(json_object_array_get_idx(list, i), "receipts");

		for (size_t j = 0; receipts && j < json_object_array_length(receipts); j++)
			one_receipt(v, json_object_array_get_idx(receipts, j), key, host);
	}
	json_u64(answer, "next", &next);
	*ret_more = json_true(answer, "more") && next > *after;
	*after = next;
	return CLI_DONE;
}

/* All receipts of this ledger's host that the hub keeps. */
static int hub_witnesses(struct verifying *v, const char *host)
{
	struct settings s CLEAN(settings_done) = {0};
	CLEAN(hub_p) struct hub *h = NULL;
	struct host_key key CLEAN(host_key_done) = {0};
	uint64_t after = 0;
	bool more = true;
	int r;

	r = settings_load(v->c, &s);
	if (r == CLI_DONE)
		r = hub_open(&s, &h);
	if (r == CLI_DONE)
		r = host_key_find(h, &s, host, &key);
	while (r == CLI_DONE && more)
		r = one_page(v, h, &key, host, &after, &more);
	return r;
}

/* The ledger's own word for its host: the first request's. */
static int find_host(struct json_object *line, const char *text, size_t len, void *userdata)
{
	char *host = userdata;
	const char *event = json_str(line, "event"), *document = json_str(line, "document");
	CLEAN(json_put_p) struct json_object *doc = NULL;

	if (!event || strcmp(event, "requested") != 0 || !document ||
		json_parse(document, strlen(document), &doc, NULL) < 0 || !json_str(doc, "host"))
		return 0;
	snprintf(host, 128, "%s", json_str(doc, "host"));
	return -ECANCELED; /* enough */
}

static int collect_witnesses(struct verifying *v, int dir)
{
	char host[128] = "";
	bool torn;
	struct ledger_head head;
	int r;

	r = given_witnesses(v);
	if (r != CLI_DONE || !v->c->value[OPT_HUB])
		return r;
	if (v->c->value[OPT_HOST])
		snprintf(host, sizeof(host), "%s", v->c->value[OPT_HOST]);
	else
		(void)ledger_read(dir, find_host, host, &head, &torn, NULL);
	if (!name_valid(host))
		return cli_fail(CLI_MISUSED, "the ledger names no host; say --host");
	return hub_witnesses(v, host);
}

/* ---- the outcome ---- */

static void say_witnesses(const struct verifying *v)
{
	const struct witness *newest = NULL;
	size_t in = 0;

	for (size_t i = 0; i < v->n_witnesses; i++) {
		const struct witness *w = &v->witness[i];

		if (w->seq)
			in++;
		if (w->seq && (!newest || w->seq > newest->seq))
			newest = w;
	}
	if (newest)
		printf("witnessed by %zu of %zu heads, up to seq %" PRIu64 " (%s)\n", in, v->n_witnesses, newest->seq,
			newest->source);
	else
		printf("no witness: a ledger that was rewritten as a whole would look the same; see --witness and --hub\n");
}

static void say_json(const struct verifying *v, const struct ledger_head *head, bool torn, const char *broken)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	uint64_t upto = 0;

	json_add_bool(o, "consistent", !broken);
	json_add_str(o, "broken", broken);
	json_add_u64(o, "records", v->records);
	json_add_str(o, "first", v->records ? v->first : NULL);
	if (!broken) {
		json_add_u64(o, "seq", head->seq);
		json_add_str(o, "head", head->hash);
		json_add_bool(o, "torn", torn);
	}
	for (size_t i = 0; i < v->n_witnesses; i++) {
		struct json_object *w = json_object_new_object();

		json_add_str(w, "head", v->witness[i].head);
		json_add_str(w, "source", v->witness[i].source);
		json_add_bool(w, "found", v->witness[i].seq > 0);
		if (v->witness[i].seq)
			json_add_u64(w, "seq", v->witness[i].seq);
		upto = v->witness[i].seq > upto ? v->witness[i].seq : upto;
		json_object_array_add(list, w);
	}
	json_add(o, "witnesses", list);
	json_add_u64(o, "witnessed_to", upto);
	if (v->c->value[OPT_SIGNATURES])
		json_add_u64(o, "signatures", v->good);
	json_add(o, "problems", json_object_get(v->problems));
	screen_json(stdout, o);
}

static void say(const struct verifying *v, const struct ledger_head *head, bool torn)
{
	char when[64];

	if (v->records == 0) {
		printf("the ledger is empty\n");
		return;
	}
	printf("%sconsistent%s since head %.16s (seq %" PRIu64 "): %" PRIu64 " records to seq %" PRIu64 ", %s\n", paint(GREEN),
		paint(PLAIN), v->first, v->first_seq, v->records, head->seq, when_clock(v->last_time, when, sizeof(when)));
	printf("head %s\n", head->hash);
	if (torn)
		printf("the last line is torn (a crash while it was written); jitd cuts it at its next start\n");
	say_witnesses(v);
	if (v->c->value[OPT_SIGNATURES])
		printf("signatures of decisions: %" PRIu64 " good, %" PRIu64 " not\n", v->good, v->bad);
}

static int judge(struct verifying *v, int r, const struct ledger_head *head, bool torn, const struct why *w)
{
	if (r < 0 && r != -EBADMSG)
		return cli_fail(CLI_REFUSED, "cannot read the ledger: %s", w->text);
	for (size_t i = 0; i < v->n_witnesses; i++)
		if (!v->witness[i].seq)
			problem(v, "head %s (%s) is not in this ledger", v->witness[i].head, v->witness[i].source);
	if (v->c->json)
		say_json(v, head, torn, r < 0 ? w->text : NULL);
	if (r < 0)
		return v->c->json ? CLI_INTEGRITY
				  : cli_fail(CLI_INTEGRITY, "BROKEN after %" PRIu64 " records: %s", v->records, w->text);
	if (!v->c->json)
		say(v, head, torn);
	return v->bad ? CLI_INTEGRITY : CLI_DONE;
}

int verb_audit_verify(struct cli *c)
{
	struct verifying v CLEAN(verifying_done) = {.c = c};
	CLEAN(close_p) int dir = -1;
	struct ledger_head head = {0};
	bool torn = false;
	struct why w;
	int r;

	if (c->argc)
		return cli_usage(c, "no words, only options");
	v.digests = json_object_new_object();
	v.problems = json_object_new_array();
	if (!v.digests || !v.problems)
		return cli_oom();
	r = audit_open(c, &dir);
	if (r == CLI_DONE)
		r = collect_witnesses(&v, dir);
	if (r != CLI_DONE)
		return r;
	r = ledger_read(dir, on_record, &v, &head, &torn, &w);
	return judge(&v, r, &head, torn, &w);
}
