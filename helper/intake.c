/* Decisions and revocations from the inbox.  Everything here is untrusted until ssh-keygen and our own reading of the
 * signature agree; the cheap questions come first, and no process is started before they are all answered. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "helper/checks.h"
#include "helper/jitd.h"
#include "helper/lives.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/sshsig.h"
#include "lib/text.h"

struct statement {
	struct jitd *jitd;
	char *name;               /* of the inbox file */
	struct json_object *doc;
	char *document, *signature;
	jit_id id;
	const char *verdict, *principal; /* live in doc */
	enum { APPROVE, DENY, REVOKE } kind;
	uint64_t work_usec;       /* 0: as asked */
	int scope;                /* -1: as asked */
	enum strength strength;
	unsigned number;          /* of this approver's tries */
	char key[FINGERPRINT_LEN + 1]; /* that signed */
	char *signer_line;
};

static void statement_free(struct statement *s)
{
	json_object_put(s->doc);
	free(s->name);
	free(s->document);
	free(s->signature);
	free(s->signer_line);
	free(s);
}

static void statement_done(struct statement *s, bool again)
{
	inbox_done(s->jitd->inbox, s->name, again);
	statement_free(s);
}

/* It counts for nothing: recorded with its reason, and the approvers are told. */
__attribute__((format(printf, 2, 3))) static int refused(struct statement *s, const char *fmt, ...)
{
	struct request *r = s->id[0] ? request_find(s->jitd, s->id) : NULL;
	CLEAN(free_p) char *text = NULL;
	const char *principal = s->principal && principal_valid(s->principal) ? s->principal : NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	/* Told once a minute as it is recorded once a minute: a flood of junk must not keep ssh-keygen busy with signing. */
	if (record_refusal(s->jitd, "inbox", r ? r->id : NULL, s->name, "%s%s%s", principal ? principal : "",
		    principal ? ": " : "", text ? text : "refused") && r)
		receipt(r, "refused", principal, "%s", text ? text : "refused");
	return -EACCES;
}

static int read_terms(struct statement *s, struct why *w)
{
	const char *scope = json_str(s->doc, "scope");
	enum scope parsed;
	uint64_t seconds;
	int r = json_u64(s->doc, "for", &seconds);

	s->scope = -1;
	if (r >= 0) {
		if (seconds == 0 || seconds > UINT64_C(366) * 86400)
			return why(w, -EINVAL, "its duration is out of bounds");
		s->work_usec = seconds * USEC_PER_SEC;
	} else if (r != -ENOENT)
		return why(w, -EINVAL, "its duration is no number");
	if (scope) {
		if (scope_parse(scope, &parsed) < 0)
			return why(w, -EINVAL, "its scope is none");
		s->scope = (int)parsed;
	}
	return 0;
}

/* The form of the document. */
static int read_document(struct statement *s, const char *type, struct why *w)
{
	const char *id;
	uint64_t v;
	int r = json_parse(s->document, strlen(s->document), &s->doc, w);

	if (r < 0)
		return why(w, r, "its document is %s", w->text);
	id = json_str(s->doc, "request");
	if (id && id_valid(id))
		strcpy(s->id, id); /* so that its refusal is told of this request */
	s->verdict = json_str(s->doc, "verdict");
	s->principal = json_str(s->doc, "approver");
	if (json_u64(s->doc, "v", &v) < 0 || v != 1 || !id || !id_valid(id) || !s->verdict || !s->principal ||
	    !principal_valid(s->principal) || !json_str(s->doc, "digest") || !json_str(s->doc, "host"))
		return why(w, -EINVAL, "the document lacks v, request, digest, host, verdict or approver");
	if (!strcmp(type, "revoke") && !strcmp(s->verdict, "revoke"))
		s->kind = REVOKE;
	else if (!strcmp(type, "decision") && !strcmp(s->verdict, "approve"))
		s->kind = APPROVE;
	else if (!strcmp(type, "decision") && !strcmp(s->verdict, "deny"))
		s->kind = DENY;
	else
		return why(w, -EINVAL, "the verdict does not fit a %s", type);
	return read_terms(s, w);
}

/* The request that it is about, in a state in which this can be said of it. */
static int find_request(struct statement *s, struct request **ret)
{
	struct request *r = request_find(s->jitd, s->id);

	if (!r)
		return refused(s, "no request %s on this host", s->id);
	if (strcmp(json_str(s->doc, "host"), s->jitd->host) != 0)
		return refused(s, "it is about another host");
	if (strcmp(json_str(s->doc, "digest"), r->digest) != 0)
		return refused(s, "it is about another request (the digest differs)");
	if (s->kind == REVOKE) {
		if (r->state != STATE_GRANTED && r->state != STATE_RUNNING)
			return refused(s, "there is nothing to revoke: it is %s", state_string(r->state));
	} else if (r->state != STATE_PENDING)
		return refused(s, "the request is settled already: %s", state_string(r->state));
	if (s->work_usec > r->terms.work_usec || (s->scope >= 0 && (enum scope)s->scope > r->terms.scope))
		return refused(s, "it grants more than was asked");
	*ret = r;
	return 0;
}

static bool in_need(const struct statement *s, const struct request *r, const char *person, bool *strong)
{
	bool in = false;

	*strong = false;
	for (size_t a = 0; a < r->terms.need.n; a++)
		for (size_t t = 0; t < r->terms.need.alternative[a].n; t++) {
			const struct need_term *term = &r->terms.need.alternative[a].term[t];

			if (!people_member(&s->jitd->policy->people, person, term->team))
				continue;
			in = true;
			if (s->strength >= term->strength)
				*strong = true;
		}
	return in;
}

static struct tries *tries_of(struct request *r, const char *principal)
{
	struct tries *t;

	for (t = r->tries; t; t = t->next)
		if (!strcmp(t->principal, principal))
			return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->principal = strdup(principal);
	if (!t->principal) {
		free(t);
		return NULL;
	}
	t->next = r->tries;
	r->tries = t;
	return t;
}

/* May this person say anything here? */
static int check_person(struct statement *s, struct request *r, const struct person **ret)
{
	const struct person *p;
	bool strong;

	if (!s->jitd->policy)
		return refused(s, "no rules are in force");
	p = people_by_principal(&s->jitd->policy->people, s->principal);
	if (!p)
		return refused(s, "no approver of that name is listed");
	if (request_is_requester(r, p->name))
		return refused(s, "the requester never answers their own request");
	if (!in_need(s, r, p->name, &strong))
		return refused(s, "%s is in none of the teams that are asked", p->name);
	for (const struct decision_taken *d = r->decisions; d && s->kind != REVOKE; d = d->next)
		if (!strcmp(d->person, p->name))
			return refused(s, "%s has answered already", p->name);
	*ret = p;
	return 0;
}

/* One key is one person's and counts once, whatever names certificates give it. */
static int check_key(struct statement *s, const struct request *r, const struct person *p, const struct sshkey *key,
	struct why *w)
{
	const struct people *people = &s->jitd->policy->people;

	sshkey_fingerprint(key, s->key);
	for (const struct decision_taken *d = r->decisions; d && s->kind != REVOKE; d = d->next)
		if (d->key && !strcmp(d->key, s->key))
			return why(w, -EACCES, "this key has answered already, as %s", d->person);
	for (size_t i = 0; i < people->approvers.n; i++) {
		const struct signer *listed = &people->approvers.list[i];
		const struct person *owner = people_by_principal(people, listed->principals[0]);

		if (!listed->cert_authority && sshkey_equal(&listed->key, key) && owner != p)
			return why(w, -EACCES, "this key is listed for %s", owner ? owner->name : "somebody else");
	}
	return 0;
}

/* What our own reading of the signature says; its arithmetic is ssh-keygen's. */
static int check_signature_form(struct statement *s, struct request *r, const struct person *p)
{
	struct sshsig sig = { 0 };
	const struct signer *signer;
	struct sshsig_policy policy = { .ns = NS_DECISION, .origins = (const char *const *)s->jitd->policy->origins };
	struct why w = { "" };
	bool strong;
	int e;

	e = sshsig_parse(s->signature, strlen(s->signature), &sig, &w);
	if (e < 0)
		return refused(s, "the signature: %s", w.text);
	signer = signers_find(&s->jitd->policy->people.approvers, s->principal, sig.certificate ? &sig.cert_ca : &sig.key);
	e = signer ? sshsig_check(&sig, &policy, signer, &w) : why(&w, -EACCES, "the key is not listed for %s", s->principal);
	if (e >= 0 && sig.certificate && strcmp(sig.cert_principal, s->principal) != 0)
		e = why(&w, -EACCES, "the certificate is somebody else's");
	if (e >= 0 && sig.kind == SSHSIG_BROWSER)
		e = sshsig_check_challenge(&sig, s->document, strlen(s->document), NULL) < 0 ?
			why(&w, -EACCES, "the passkey signed something else") : 0;
	s->strength = sig.kind == SSHSIG_BROWSER ? STRENGTH_BROWSER : sig.kind == SSHSIG_HW_KEY ? STRENGTH_HW_KEY : STRENGTH_KEY;
	if (e >= 0)
		e = check_key(s, r, p, &sig.key, &w);
	if (e >= 0) {
		free(s->signer_line);
		s->signer_line = strdup(signer->text);
		in_need(s, r, p->name, &strong);
		if (!strong && s->kind == APPROVE)
			e = why(&w, -EACCES, "a %s signature is not strong enough for what the rule demands", sshsig_strength(&sig));
	}
	sshsig_done(&sig);
	return e < 0 ? refused(s, "%s", w.text) : 0;
}

/* ---- after ssh-keygen ---- */

static const char *const strengths[] = { "browser", "key", "hw-key" };

static struct json_object *decided_fields(const struct statement *s, const struct person *p)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "person", p->name);
	json_add_str(o, "principal", s->principal);
	json_add_str(o, "verdict", s->verdict);
	json_add_str(o, "strength", strengths[s->strength]);
	json_add_str(o, "key", s->key);
	json_add_str(o, "note", json_str(s->doc, "note"));
	json_add_u64(o, "for", s->work_usec);
	if (s->scope >= 0)
		json_add_str(o, "scope", scope_string((enum scope)s->scope));
	json_add_str(o, "document", s->document);
	json_add_str(o, "signature", s->signature);
	json_add_str(o, "signer", s->signer_line);
	return o;
}

/* Takes the vote.  False: it could not be recorded and must be tried again. */
static bool take_vote(struct statement *s, struct request *r, const struct person *p)
{
	struct decision_taken *d = calloc(1, sizeof(*d));
	const char *note = json_str(s->doc, "note");
	char when[TIME_RFC3339_LEN + 1];
	struct why w;

	if (!d)
		return false;
	d->person = strdup(p->name);
	d->principal = strdup(s->principal);
	d->note = note ? strdup(note) : NULL;
	d->time = strdup(time_rfc3339(clock_real(), when));
	d->key = strdup(s->key);
	d->strength = s->strength;
	d->approve = s->kind == APPROVE;
	if (d->person && d->principal && d->time && d->key &&
	    lives_vote(r, d, decided_fields(s, p), s->work_usec, s->scope, &w) >= 0)
		return true;
	decision_free(d);
	return false;
}

/* Match=yes: the approver must have been told what stands on the requester's terminal.  Only what an approver's own key has
 * signed is told whether its code is right, and each try counts: neither hub nor courier can use the answer to find it. */
static int check_code(struct statement *s, const struct request *r)
{
	const char *code = json_str(s->doc, "code");

	if (s->kind != APPROVE || !r->terms.code[0] || code_equal(r->terms.code, code))
		return 0;
	/* With the number in it each is a refusal of its own, told at once and not once a minute: the approver waits for it. */
	return refused(s, code ? "the code is wrong: it is not what stands on the requester's terminal (try %u of %d)" :
		"an approval must bear the code that stands on the requester's terminal (try %u of %d)", s->number, TRIES_MAX);
}

static void on_verified(int result, const char *words, void *userdata)
{
	struct statement *s = userdata;
	struct request *r = NULL;
	const struct person *p = NULL;
	bool again = false;

	if (result == -EAGAIN)
		again = true;
	else if (result < 0)
		refused(s, "ssh-keygen does not accept the signature: %s", words);
	/* All of it again: a reload, another vote or the clock may have changed the answer. */
	else if (find_request(s, &r) >= 0 && check_person(s, r, &p) >= 0 && check_signature_form(s, r, p) >= 0 &&
		check_code(s, r) >= 0) {
		if (s->kind == REVOKE) {
			CLEAN(free_p) char *note = json_str(s->doc, "note") ?
				text_escape(json_str(s->doc, "note"), strlen(json_str(s->doc, "note")), 300) : NULL;

			lives_revoke(r, p->name, note, decided_fields(s, p));
		} else
			again = !take_vote(s, r, p);
	}
	statement_done(s, again);
}

static int judge(struct statement *s)
{
	const struct people *people;
	const struct person *p;
	struct request *r;
	struct tries *t;
	int e = find_request(s, &r);

	if (e < 0)
		return e;
	e = check_person(s, r, &p);
	if (e < 0)
		return e;
	t = tries_of(r, s->principal);
	if (!t || t->n >= TRIES_MAX)
		return refused(s, "more than %d tries by this approver", TRIES_MAX);
	s->number = ++t->n;
	e = check_signature_form(s, r, p);
	if (e < 0)
		return e;
	people = &s->jitd->policy->people;
	e = verify_signature(s->jitd->verify, people->approvers.bytes, people->approvers.len, s->principal, NS_DECISION,
		s->document, strlen(s->document), s->signature, on_verified, s);
	if (e == -EAGAIN) {
		t->n--;
		return e;
	}
	return e < 0 ? refused(s, "ssh-keygen cannot be run: %s", strerror(-e)) : 0;
}

void intake_envelope(const struct envelope *e, const char *name, const char *words, void *userdata)
{
	struct jitd *j = userdata;
	struct statement *s;
	struct why w;
	int r;

	if (!e) {
		record_refusal(j, "inbox", NULL, name, "%s", words);
		return;
	}
	if (!strcmp(e->type, "check")) {
		r = checks_answer(j->checks, e->document, &w);
		inbox_done(j->inbox, name, false);
		if (r < 0)
			record_refusal(j, "inbox", NULL, name, "a check: %s", w.text);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		inbox_done(j->inbox, name, true);
		return;
	}
	s->jitd = j;
	s->name = strdup(name);
	s->document = strdup(e->document);
	s->signature = e->signature ? strdup(e->signature) : NULL;
	if (!s->name || !s->document) {
		inbox_done(j->inbox, name, true);
		statement_free(s);
		return;
	}
	if (!s->signature)
		r = refused(s, "a %s counts for nothing here", e->type);
	else {
		r = read_document(s, e->type, &w);
		r = r < 0 ? refused(s, "%s", w.text) : judge(s);
	}
	if (r < 0)
		statement_done(s, r == -EAGAIN);
}

/* ---- notes of jit-expire ---- */

bool intake_note(const jit_id id, const char *text, void *userdata)
{
	struct jitd *j = userdata;
	struct request *r = request_find(j, id);
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct json_object *left;

	if (json_parse(text, strlen(text), &o, NULL) < 0) {
		record_refusal(j, "notes", id, NULL, "a note that cannot be read");
		return true;
	}
	if (r && r->state == STATE_GRANTED)
		lives_expire_unused(r);
	else if (r && r->state == STATE_RUNNING && !r->ending)
		lives_end(r, EV_EXPIRED, "its time is up (ended by the timer)");
	left = json_arr(o, "left");
	if (left && json_object_array_length(left)) {
		struct json_object *f = json_object_new_object();

		json_add_str(f, "what", json_text(left));
		if (record(j, EV_LEFTOVER, id, f, NULL) < 0)
			return false;
	}
	return true;
}
