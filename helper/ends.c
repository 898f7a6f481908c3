/* The end of a grant, and what is taken up again after a restart.  Ending never depends on a record: when the disk is
 * full the processes are ended all the same. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include "helper/jitd.h"
#include "helper/lives.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"

struct handle *handle_new(const struct request *r)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->jitd = r->jitd;
	strcpy(h->id, r->id);
	return h;
}

static void leftover(struct request *r, const char *what)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "what", what);
	json_add_str(o, "user", r->call->user);
	record(r->jitd, EV_LEFTOVER, r->id, o, NULL);
}

static void finish(struct request *r)
{
	int left = units_population(r->id);

	if (left > 0)
		leftover(r, "processes in the grant's slice outlived SIGKILL");
	r->ending = false;
	grantfile_remove(r->id);
}

static void on_killed(int result, const char *words, void *userdata)
{
	struct handle *h = userdata;
	struct request *r = request_find(h->jitd, h->id);

	if (r)
		finish(r);
	free(h);
}

/* The grace is over: what ignores its end is killed. */
static int on_grace_over(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct handle *h = userdata;
	struct request *r = request_find(h->jitd, h->id);

	sd_event_source_disable_unref(s);
	if (!r) {
		free(h);
		return 0;
	}
	for (struct use *u = r->uses; u; u = u->next) {
		if (u->session)
			units_session_kill(r->jitd->units, u->session, lives_ignore, NULL);
		if (use_alive(u))
			pidfd_send_signal(u->pidfd, SIGKILL, NULL, 0);
	}
	units_kill(r->jitd->units, r->id, on_killed, h);
	return 0;
}

void ends_processes(struct request *r)
{
	struct handle *h = handle_new(r);
	sd_event_source *s = NULL;

	for (struct use *u = r->uses; u; u = u->next) {
		if (u->session)
			units_session_terminate(r->jitd->units, u->session, lives_ignore, NULL);
		/* Not in the slice: it still waits in PAM, where no command runs yet, so it may go at once. */
		if (use_alive(u) && !units_contains(r->id, u->pid) && !u->session)
			pidfd_send_signal(u->pidfd, SIGKILL, NULL, 0);
	}
	units_stop(r->jitd->units, r->id, lives_ignore, NULL);
	if (!h || sd_event_add_time_relative(r->jitd->event, &s, CLOCK_BOOTTIME, r->terms.grace_usec + USEC_PER_SEC / 2, 0,
			on_grace_over, h) < 0) {
		free(h);
		units_kill(r->jitd->units, r->id, lives_ignore, NULL);
		finish(r);
	}
}

/* Whose command ends here learns it from more than the shell's "Terminated". */
static void tell_users(struct request *r, const char *cause, bool drain)
{
	CLEAN(free_p) char *text = NULL;

	if (asprintf(&text, "\r\npam-jit: %s: %s; %s\r\n", r->id, cause,
		    drain ? "nothing new is let through, what runs may finish" : "what still runs is ended") < 0)
		text = NULL;
	for (struct use *u = r->uses; u && text; u = u->next)
		if (u->tty && use_alive(u))
			worker_terminal(r->jitd->worker, u->tty, r->call->uid, text);
}

void lives_end(struct request *r, enum jit_event event, const char *cause)
{
	struct json_object *o = json_object_new_object();
	bool drain = event == EV_EXPIRED && r->terms.at_end == AT_END_DRAIN;

	r->ending = true;
	json_add_str(o, event == EV_REVOKED ? "text" : "cause", cause);
	json_add_str(o, "user", r->call->user);
	if (event == EV_EXPIRED)
		record(r->jitd, event, r->id, o, NULL);
	else
		json_object_put(o); /* lives_revoke() has recorded */
	lives_outcome(r, "%s", cause);
	lives_settle_waiting(r, event == EV_REVOKED ? GATE_DENIED : GATE_TIMED_OUT, cause);
	receipt(r, event == EV_REVOKED ? "revoked" : "expired", NULL, "%s: %s", cause,
		!r->uses ? "nothing was run" : drain ? "nothing new is let through; what runs may finish" : "what still ran is ended");
	lives_state(r, STATE_ENDED);
	worker_flush_caches(r->jitd->worker);
	tell_users(r, cause, drain);
	units_kill_unbegun(r->id, r->call->uid);
	if (drain) {
		/* Not removed: the timer's service may be at work this very moment, and ends what has no file. */
		grantfile_drained(r->id);
		units_disarm(r->jitd->units, r->id, lives_ignore, NULL);
		r->ending = false;
		return;
	}
	ends_processes(r);
}

void lives_revoke(struct request *r, const char *by, const char *text, struct json_object *signed_fields)
{
	struct json_object *o = signed_fields ? signed_fields : json_object_new_object();
	CLEAN(free_p) char *cause = NULL;

	json_add_str(o, "by", by);
	json_add_str(o, "user", r->call->user);
	json_add_str(o, "text", text);
	record(r->jitd, EV_REVOKED, r->id, o, NULL);
	if (asprintf(&cause, "revoked by %s%s%s", by, text && *text ? ": " : "", text ? text : "") < 0)
		cause = NULL;
	lives_end(r, EV_REVOKED, cause ? cause : "revoked");
}

/* ---- after a restart ---- */

static void on_resumed(int result, const char *words, void *userdata)
{
	struct handle *h = userdata;
	struct request *r = request_find(h->jitd, h->id);

	if (r && result >= 0)
		r->armed = true;
	else if (r && r->state == STATE_RUNNING)
		lives_revoke(r, "jitd", "its timer could not be confirmed after a restart", NULL);
	else if (r)
		log_warning("%s: no timer after the restart: %s", r->id, words);
	free(h);
}

static void rearm(struct request *r, uint64_t deadline)
{
	struct handle *h = handle_new(r);

	grant_publish(r);
	if (h)
		units_rearm(r->jitd->units, r->id, deadline, on_resumed, h);
}

static void resume_running(struct request *r)
{
	struct use *next;

	if (r->stale) {
		lives_outcome(r, "the host was restarted");
		for (struct use *u = r->uses; u; u = u->next)
			u->closed = true;
		lives_end(r, EV_EXPIRED, "the host was restarted");
		return;
	}
	if (clock_boot() >= r->deadline) {
		for (struct use *u = r->uses; u; u = u->next)
			if (!u->closed)
				use_watch(u);
		lives_end(r, EV_EXPIRED, "its time was up while jitd was away");
		return;
	}
	for (struct use *u = r->uses; u; u = next) {
		next = u->next;
		if (!u->closed && use_watch(u) < 0)
			lives_close_use(u, "gone while jitd was away");
		else if (!u->closed)
			u->attached = units_contains(r->id, u->pid);
	}
	lives_clock(r);
	rearm(r, r->deadline);
}

void lives_resume(struct request *r)
{
	switch (r->state) {
	case STATE_PENDING:
		if (r->stale || clock_boot() >= r->answer_by) {
			lives_expire_unused(r);
			return;
		}
		for (const struct decision_taken *d = r->decisions; d; d = d->next)
			if (!d->approve) { /* jitd died between the no and its effect */
				lives_deny(r, d);
				return;
			}
		if (outbox_request(r->id, r->document) < 0)
			log_warning("%s: cannot be written to the outbox again", r->id);
		lives_clock(r);
		lives_evaluate(r);
		return;
	case STATE_GRANTED:
		if (r->stale || clock_boot() >= r->claim_by) {
			lives_expire_unused(r);
			return;
		}
		lives_clock(r);
		rearm(r, r->claim_by);
		return;
	case STATE_RUNNING:
		resume_running(r);
		return;
	default:
		return;
	}
}
