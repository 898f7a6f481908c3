/* The ledger read again at start: it is the state.  A record changes what is in memory and nothing else; when all are
 * read, replay_finish() takes up the lives from there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "helper/jitd.h"
#include "helper/lives.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"

static int replay_requested(struct jitd *j, struct json_object *line)
{
	const char *boot = json_str(line, "boot");
	struct request *r;
	struct why w = { "" };

	if (request_restore(j, line, &r, &w) < 0) {
		log_error("a request in the ledger cannot be restored: %s", w.text);
		return 0;
	}
	r->stale = !boot || strcmp(boot, j->boot) != 0;
	r->state = STATE_PENDING;
	r->next = j->requests;
	j->requests = r;
	return 0;
}

static enum strength strength_parse(const char *s)
{
	return s && !strcmp(s, "hw-key") ? STRENGTH_HW_KEY : s && !strcmp(s, "key") ? STRENGTH_KEY : STRENGTH_BROWSER;
}

static char *copy(const struct json_object *line, const char *key)
{
	const char *s = json_str(line, key);

	return s ? strdup(s) : NULL;
}

static int replay_decided(struct request *r, struct json_object *line)
{
	struct decision_taken *d = calloc(1, sizeof(*d));
	const char *verdict = json_str(line, "verdict"), *scope = json_str(line, "scope");
	enum scope narrowed = SCOPE_COMMAND;
	uint64_t work = 0;

	if (!d)
		return -ENOMEM;
	d->person = copy(line, "person");
	d->principal = copy(line, "principal");
	d->note = copy(line, "note");
	d->time = copy(line, "time");
	d->key = copy(line, "key");
	d->strength = strength_parse(json_str(line, "strength"));
	d->approve = verdict && !strcmp(verdict, "approve");
	if (!d->person || !d->principal) {
		decision_free(d);
		return 0;
	}
	d->next = r->decisions;
	r->decisions = d;
	json_u64(line, "for", &work);
	if (d->approve)
		lives_narrow(r, work, scope && scope_parse(scope, &narrowed) >= 0 ? (int)narrowed : -1);
	return 0;
}

static int replay_use(struct request *r, struct json_object *line, bool first)
{
	struct use *u;
	uint64_t pid = 0, start = 0, ppid = 0;
	const char *until = json_str(line, "until");

	if (json_u64(line, "pid", &pid) < 0 || json_u64(line, "start", &start) < 0)
		return 0; /* the target of a session, told later */
	if (first) {
		json_u64(line, "deadline", &r->deadline);
		if (until)
			time_rfc3339_parse(until, &r->deadline_real);
		r->state = STATE_RUNNING;
	}
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	json_u64(line, "ppid", &ppid);
	u->request = r;
	u->pid = (pid_t)pid;
	u->ppid = (pid_t)ppid;
	u->start = start;
	u->pidfd = -1;
	u->tty = copy(line, "tty");
	u->conn = copy(line, "conn");
	u->next = r->uses;
	r->uses = u;
	return 0;
}

static void replay_closed(struct request *r, struct json_object *line)
{
	uint64_t pid = 0, start = 0;

	json_u64(line, "pid", &pid);
	json_u64(line, "start", &start);
	for (struct use *u = r->uses; u; u = u->next)
		if ((uint64_t)u->pid == pid && u->start == start)
			u->closed = true;
}

static void replay_end(struct request *r, enum jit_event event, struct json_object *line)
{
	const char *cause = json_str(line, "cause"), *text = json_str(line, "text"),
		*by = json_str(line, event == EV_DENIED ? "person" : "by");

	/* In the very words of before the restart. */
	if (event == EV_EXPIRED)
		lives_outcome(r, "%s", cause ? cause : event_name(event));
	else
		lives_outcome(r, "%s%s%s%s%s", event_name(event), by ? " by " : "", by ? by : "", text ? ": " : "", text ? text : "");
	if (event == EV_WITHDRAWN)
		r->state = STATE_WITHDRAWN;
	else if (event == EV_DENIED)
		r->state = STATE_DENIED;
	else if (r->state == STATE_RUNNING || event == EV_REVOKED) {
		/* Ended in the ledger; whether the processes are gone is looked at in replay_finish(). */
		r->state = STATE_ENDED;
		r->ending = event == EV_REVOKED || r->terms.at_end != AT_END_DRAIN;
	} else
		r->state = STATE_EXPIRED;
}

int replay_record(struct json_object *line, const char *text, size_t len, void *userdata)
{
	struct jitd *j = userdata;
	const char *name = json_str(line, "event"), *id = json_str(line, "id");
	int event = name ? event_parse(name) : -ENOENT;
	struct request *r;

	if (event == EV_REQUESTED)
		return replay_requested(j, line);
	r = id ? request_find(j, id) : NULL;
	if (!r)
		return 0;
	switch (event) {
	case EV_DECIDED:
		return replay_decided(r, line);
	case EV_GRANTED:
		json_u64(line, "claim_by", &r->claim_by);
		r->state = STATE_GRANTED;
		break;
	case EV_OPENED:
	case EV_USED:
		return replay_use(r, line, event == EV_OPENED);
	case EV_CLOSED:
		replay_closed(r, line);
		break;
	case EV_WARNED:
		r->warned++;
		break;
	case EV_DENIED:
	case EV_REVOKED:
	case EV_EXPIRED:
	case EV_WITHDRAWN:
		replay_end(r, (enum jit_event)event, line);
		break;
	default:
		break;
	}
	return 0;
}

static bool still_pending(const jit_id id, void *userdata)
{
	const struct request *r = request_find(userdata, id);

	return r && r->state == STATE_PENDING;
}

/* Ended in the ledger, but jitd died before the processes were: ended again, without a second record. */
static void end_again(struct request *r)
{
	bool alive = !r->stale && units_population(r->id) > 0;

	for (struct use *u = r->uses; u && !r->stale; u = u->next)
		if (!u->closed && use_watch(u) >= 0)
			alive = true;
	if (alive)
		ends_processes(r);
	else {
		for (struct use *u = r->uses; u; u = u->next)
			u->closed = true;
		r->ending = false;
		grantfile_remove(r->id);
	}
}

void replay_finish(struct jitd *j)
{
	unsigned settled = 0;
	struct request *next;

	j->replaying = false;
	outbox_sweep(still_pending, j);
	outbox_prune();
	for (struct request *r = j->requests; r; r = next) {
		next = r->next;
		if (request_live(r))
			lives_resume(r);
		else if (r->ending)
			end_again(r);
		else if (++settled > SETTLED_MAX)
			request_forget(r);
	}
}
