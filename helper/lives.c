/* The lives of requests and grants.  Order of every step: the record on disk, then the effect; a step that fails undoes
 * the ones before it and refuses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include "helper/jitd.h"
#include "helper/lives.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

#define RETRY_USEC (5 * USEC_PER_SEC)
#define SPENT_LOOK_USEC (2 * USEC_PER_SEC)
#define LATE_USEC (2 * USEC_PER_SEC) /* the timer has met the deadline long since */
#define LAST_WARNING_USEC (10 * USEC_PER_SEC)

void lives_outcome(struct request *r, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	free(r->outcome);
	r->outcome = text;
}

void lives_settle_waiting(struct request *r, enum gate_result result, const char *text)
{
	while (r->waiting) {
		struct client *c = r->waiting;

		client_unwait(c);
		client_verdict(c, result, r, NULL, false, "%s", text);
	}
}

/* Settled requests are kept for `list` and `show`, the newest SETTLED_MAX of them. */
static void prune(struct jitd *j)
{
	unsigned n = 0;

	for (struct request **p = &j->requests; *p;) {
		struct request *r = *p;

		if (request_live(r) || r->waiting || r->ending || ++n <= SETTLED_MAX) {
			p = &r->next;
			continue;
		}
		*p = r->next;
		request_free(r);
	}
}

void lives_state(struct request *r, enum state s)
{
	r->state = s;
	if (s != STATE_PENDING)
		outbox_settle(r->id);
	lives_clock(r);
	if (!r->jitd->replaying)
		control_changed(r->jitd, r);
}

int lives_begin(struct request *r, struct why *w)
{
	int e = record(r->jitd, EV_REQUESTED, r->id, request_record(r), w);

	if (e < 0) {
		request_free(r);
		return e;
	}
	e = outbox_request(r->id, r->document);
	r->next = r->jitd->requests;
	r->jitd->requests = r;
	prune(r->jitd);
	if (e < 0) {
		struct json_object *o = json_object_new_object();

		why(w, e, "the outbox cannot be written: %s", strerror(-e));
		json_add_str(o, "by", "jitd");
		json_add_str(o, "text", w->text);
		record(r->jitd, EV_WITHDRAWN, r->id, o, NULL);
		/* It stays, so that it counts for MaxPerMinute=: its records are in the ledger as well as anybody's. */
		lives_outcome(r, "%s", w->text);
		lives_state(r, STATE_WITHDRAWN);
		return e;
	}
	lives_state(r, STATE_PENDING);
	return 0;
}

/* ---- votes ---- */

void lives_narrow(struct request *r, uint64_t work_usec, int scope)
{
	if (work_usec && work_usec < r->terms.work_usec)
		r->terms.work_usec = work_usec;
	if (scope >= 0 && (enum scope)scope < r->terms.scope)
		r->terms.scope = (enum scope)scope;
}

void lives_deny(struct request *r, const struct decision_taken *d)
{
	struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *text = NULL;
	CLEAN(free_p) char *note = d->note ? text_escape(d->note, strlen(d->note), 300) : NULL;

	if (asprintf(&text, "denied by %s%s%s", d->person, note ? ": " : "", note ? note : "") < 0)
		text = NULL;
	json_add_str(o, "by", "person");
	json_add_str(o, "person", d->person);
	json_add_str(o, "user", r->call->user);
	json_add_str(o, "text", note);
	/* A denial closes: it stands even when the record cannot be written. */
	record(r->jitd, EV_DENIED, r->id, o, NULL);
	lives_outcome(r, "%s", text);
	lives_settle_waiting(r, GATE_DENIED, text ? text : "denied");
	receipt(r, "denied", d->principal, "%s", text ? text : "denied");
	lives_state(r, STATE_DENIED);
}

int lives_vote(struct request *r, struct decision_taken *d, struct json_object *fields, uint64_t work_usec, int scope,
	struct why *w)
{
	int e = record(r->jitd, EV_DECIDED, r->id, fields, w);

	if (e < 0)
		return e;
	d->next = r->decisions;
	r->decisions = d;
	if (!d->approve) {
		lives_deny(r, d);
		return 0;
	}
	lives_narrow(r, work_usec, scope);
	receipt(r, "received", d->principal, "%s counted on %s", d->person, r->jitd->host);
	lives_evaluate(r);
	if (r->state == STATE_PENDING)
		for (struct client *c = r->waiting; c; c = c->next_waiting)
			client_progress(c, r->id, r->jitd->policy ? r->jitd->policy->hold_usec : USEC_PER_MIN,
				"%s: %s agreed; more are needed", r->id, d->person);
	return 0;
}

static bool is_member(const char *person, const char *team, void *people)
{
	return people_member(people, person, team);
}

bool lives_votes_meet(const struct request *r, const struct need *need)
{
	struct need_vote votes[NEED_VOTES];
	size_t n = 0;

	if (!r->jitd->policy)
		return false;
	for (const struct decision_taken *d = r->decisions; d && n < NEED_VOTES; d = d->next)
		if (d->approve && !request_is_requester(r, d->person))
			votes[n++] = (struct need_vote){ .person = d->person, .strength = d->strength };
	return need_met(need, votes, n, is_member, &r->jitd->policy->people);
}

bool lives_need_met(const struct request *r)
{
	return lives_votes_meet(r, &r->terms.need);
}

/* "bob and carol" */
char *lives_approvers(const struct request *r)
{
	char *text = NULL, *more;

	for (const struct decision_taken *d = r->decisions; d; d = d->next) {
		if (!d->approve)
			continue;
		if (asprintf(&more, "%s%s%s", d->person, text ? (strstr(text, " and ") ? ", " : " and ") : "",
			     text ? text : "") < 0)
			more = NULL;
		free(text);
		text = more;
	}
	return text ? text : strdup("nobody");
}

static struct json_object *grant_fields(struct request *r)
{
	struct json_object *o = json_object_new_object(), *by = json_object_new_array();

	for (const struct decision_taken *d = r->decisions; d; d = d->next)
		if (d->approve)
			json_object_array_add(by, json_object_new_string(d->person));
	json_add(o, "by", by);
	json_add_str(o, "user", r->call->user);
	json_add_str(o, "scope", scope_string(r->terms.scope));
	json_add_u64(o, "for", r->terms.work_usec);
	json_add_u64(o, "claim_by", r->claim_by);
	return o;
}

static void on_claim_armed(int result, const char *words, void *userdata)
{
	struct handle *h = userdata;

	/* jitd's own clock ends an unclaimed grant as well; at first use a timer is confirmed or nothing is let go. */
	if (result < 0)
		log_warning("%s: no timer for its claim-by: %s", h->id, words);
	free(h);
}

void lives_keep(struct request *r)
{
	struct handle *h;

	if (r->state != STATE_GRANTED || r->kept)
		return;
	for (const struct client *c = r->waiting; c; c = c->next_waiting)
		if (c->state == CLIENT_RELEASING)
			return;
	r->kept = true;
	h = handle_new(r);
	grant_publish(r);
	if (h)
		units_rearm(r->jitd->units, r->id, r->claim_by, on_claim_armed, h);
}

void lives_let_in(struct request *r, struct client *c)
{
	bool ssh = !strcmp(r->call->service, "sshd");

	/* Joined while a wider scope was asked: what was narrowed since covers the words that people have read. */
	if (c->call && !call_same(r->call, c->call, r->terms.scope, r->terms.join_user))
		client_verdict(c, GATE_DENIED, r, NULL, false, "%s was approved for another command; run this one again to ask "
			"for it", r->id);
	else if (r->ending || clock_boot() >= (r->state == STATE_GRANTED ? r->claim_by : r->deadline))
		client_verdict(c, GATE_TIMED_OUT, r, NULL, false, "the time of %s is up", r->id);
	else if (r->state == STATE_GRANTED || (r->state == STATE_RUNNING && r->terms.scope == SCOPE_SERVICE))
		lives_use(r, c);
	else
		client_verdict(c, GATE_DENIED, r, NULL, false, "%s was approved for one %s, and another one of yours took it; %s to ask "
			"again", r->id, ssh ? "login" : "run", ssh ? "connect again" : "run the command again");
}

void lives_evaluate(struct request *r)
{
	CLEAN(free_p) char *by = NULL;
	struct client *waiting;
	struct why w;
	int e;

	if (r->state != STATE_PENDING || r->stale || !lives_need_met(r))
		return;
	if (ledger_broken(r->jitd->ledger, &w))
		e = -EBADMSG;
	else {
		r->claim_by = clock_boot() + r->terms.claim_by_usec;
		e = record(r->jitd, EV_GRANTED, r->id, grant_fields(r), &w);
	}
	if (e < 0) {
		CLEAN(free_p) char *text = NULL;

		if (asprintf(&text, "approved, but the grant cannot be recorded (%s), so it is not given; the request stays, and "
				"is granted when the ledger can be written again", w.text) < 0)
			text = NULL;
		lives_settle_waiting(r, GATE_UNREACHABLE, text ? text : "no room for the record");
		r->retry_at = clock_boot() + RETRY_USEC;
		lives_clock(r);
		return;
	}
	r->retry_at = 0;
	by = lives_approvers(r);
	lives_outcome(r, "approved by %s", by);
	receipt(r, "granted", NULL, "approved by %s; kept for the requester", by);
	lives_state(r, STATE_GRANTED);
	waiting = r->waiting;
	r->waiting = NULL;
	while (waiting) {
		struct client *c = waiting;

		waiting = c->next_waiting;
		c->next_waiting = NULL;
		c->request = NULL;
		if (c->state == CLIENT_LOOKING) { /* nobody knows whether she is still there: it keeps until she looks */
			c->request = r;
			c->next_waiting = r->waiting;
			r->waiting = c;
		} else
			lives_let_in(r, c);
	}
	lives_keep(r);
}

/* ---- the other ways a request is settled ---- */

void lives_withdraw(struct request *r, const char *by)
{
	struct json_object *o = json_object_new_object();
	enum state was = r->state;

	json_add_str(o, "by", by);
	json_add_str(o, "user", r->call->user);
	record(r->jitd, EV_WITHDRAWN, r->id, o, NULL);
	lives_outcome(r, "withdrawn by %s", by);
	lives_settle_waiting(r, GATE_CANCELLED, r->outcome ? r->outcome : "withdrawn");
	receipt(r, "withdrawn", NULL, "withdrawn by %s", by);
	lives_state(r, STATE_WITHDRAWN);
	if (was == STATE_GRANTED) {
		units_disarm(r->jitd->units, r->id, lives_ignore, NULL);
		grantfile_remove(r->id);
	}
}

static void expire_unused(struct request *r, const char *cause, const char *event)
{
	struct json_object *o = json_object_new_object();
	bool granted = r->state == STATE_GRANTED;

	json_add_str(o, "cause", cause);
	json_add_str(o, "user", r->call->user);
	record(r->jitd, EV_EXPIRED, r->id, o, NULL);
	lives_outcome(r, "%s", cause);
	lives_settle_waiting(r, GATE_TIMED_OUT, cause);
	receipt(r, event, NULL, "%s", cause);
	lives_state(r, STATE_EXPIRED);
	if (granted) {
		units_disarm(r->jitd->units, r->id, lives_ignore, NULL);
		grantfile_remove(r->id);
	}
}

void lives_expire_unused(struct request *r)
{
	if (r->state == STATE_PENDING)
		expire_unused(r, r->stale ? "the host was restarted before anybody answered" : "nobody answered in time", "expired");
	else
		expire_unused(r, r->stale ? "the host was restarted before it was used" : "approved, but not used in time", "unclaimed");
}

/* ---- clocks ---- */

static uint64_t warn_at(const struct request *r)
{
	uint64_t first = r->terms.warn_usec < r->terms.work_usec ? r->terms.warn_usec : r->terms.work_usec / 2;

	if (!r->terms.warn_usec)
		return USEC_INFINITY;
	if (r->warned == 0)
		return r->deadline - first;
	if (r->warned == 1 && first > 2 * LAST_WARNING_USEC)
		return r->deadline - LAST_WARNING_USEC;
	return USEC_INFINITY;
}

/* The child that a login was judged in is gone, and nobody has come for the session yet. */
static uint64_t expected_until(const struct request *r)
{
	uint64_t at = USEC_INFINITY;

	for (const struct use *u = r->uses; u; u = u->next)
		if (!u->closed && u->expected_until && u->expected_until < at)
			at = u->expected_until;
	return at;
}

static void close_unexpected(struct request *r, uint64_t now)
{
	for (struct use *u = r->uses; u; u = u->next)
		if (!u->closed && u->expected_until && now >= u->expected_until)
			lives_close_use(u, "exited, and no session was opened");
}

static bool spent(const struct request *r)
{
	if (r->terms.scope == SCOPE_SERVICE)
		return false;
	for (const struct use *u = r->uses; u; u = u->next)
		if (!u->closed)
			return false;
	return r->uses != NULL;
}

static uint64_t next_tick(const struct request *r)
{
	uint64_t at = USEC_INFINITY;

	switch (r->state) {
	case STATE_PENDING:
		at = r->answer_by;
		if (r->retry_at && r->retry_at < at)
			at = r->retry_at;
		break;
	case STATE_GRANTED:
		at = r->claim_by;
		break;
	case STATE_RUNNING:
		at = r->deadline;
		if (warn_at(r) < at)
			at = warn_at(r);
		if (expected_until(r) < at)
			at = expected_until(r);
		if (spent(r) && clock_boot() + SPENT_LOOK_USEC < at)
			at = clock_boot() + SPENT_LOOK_USEC;
		break;
	default:
		break;
	}
	return at;
}

static void warn_users(struct request *r, uint64_t now)
{
	struct json_object *o = json_object_new_object();
	char left[32], text[256];

	r->warned++;
	span_format((r->deadline - now + 500000) / USEC_PER_SEC * USEC_PER_SEC, left, sizeof(left));
	snprintf(text, sizeof(text), "\r\npam-jit: %s ends in %s; what still runs then is ended\r\n", r->id, left);
	for (struct use *u = r->uses; u; u = u->next)
		if (!u->closed && u->tty)
			worker_terminal(r->jitd->worker, u->tty, r->call->uid, text);
	json_add_u64(o, "left", r->deadline - now);
	json_add_str(o, "user", r->call->user);
	record(r->jitd, EV_WARNED, r->id, o, NULL);
}

/* All uses are closed and nothing new may come: it ends when nothing runs any more. */
static void end_if_idle(struct request *r)
{
	struct json_object *o;

	if (!spent(r) || units_population(r->id) > 0)
		return;
	o = json_object_new_object();
	json_add_str(o, "cause", "closed");
	json_add_str(o, "user", r->call->user);
	record(r->jitd, EV_EXPIRED, r->id, o, NULL);
	lives_outcome(r, "done");
	receipt(r, "closed", NULL, "done on %s", r->jitd->host);
	lives_state(r, STATE_ENDED);
	units_stop(r->jitd->units, r->id, lives_ignore, NULL);
	grantfile_remove(r->id);
}

static int on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct request *r = userdata;
	uint64_t now = clock_boot();

	switch (r->state) {
	case STATE_PENDING:
		if (now >= r->answer_by)
			lives_expire_unused(r);
		else {
			r->retry_at = 0;
			lives_evaluate(r);
		}
		break;
	case STATE_GRANTED:
		if (now >= r->claim_by)
			lives_expire_unused(r);
		break;
	case STATE_RUNNING:
		if (now >= r->deadline)
			lives_end(r, EV_EXPIRED, now < r->deadline + LATE_USEC ? "its time is up" :
				"its time was up while jitd was held up");
		else if (now >= warn_at(r))
			warn_users(r, now);
		else if (now >= expected_until(r))
			close_unexpected(r, now);
		else
			end_if_idle(r);
		break;
	default:
		return 0;
	}
	lives_clock(r);
	return 0;
}

void lives_clock(struct request *r)
{
	uint64_t at = next_tick(r);

	sd_event_source_disable_unref(r->clock);
	r->clock = NULL;
	if (at == USEC_INFINITY || r->jitd->replaying)
		return;
	if (sd_event_add_time(r->jitd->event, &r->clock, CLOCK_BOOTTIME, at, 1000, on_tick, r) < 0) {
		log_error("%s: no clock; it is ended now", r->id);
		if (r->state == STATE_RUNNING)
			lives_revoke(r, "jitd", "there is no clock for it", NULL);
	}
}
