/* Before a use is recorded and let go: what must still be as it was when people agreed.  See release.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "helper/lives.h"
#include "helper/release.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/text.h"

/* ---- what you approve is what runs ---- */

static uint64_t turn(const struct client *c)
{
	uint64_t n = 0;

	sd_event_get_iteration(c->jitd->event, &n);
	return n;
}

static const struct call *call_of(const struct request *r, const struct client *c)
{
	return c->call ? c->call : r->call; /* who made the request gave the call to it */
}

/* Did people see the files that C is about to run?  Under scope service they agreed to what a rule covers, not to a file: the
 * program that the request showed is looked at when the grant is opened with it, other programs and later uses are not. */
static bool was_shown(struct request *r, const struct client *c)
{
	const struct call *k = call_of(r, c);

	if (!k->binary || k->binary[0] != '/' || !r->call->binary || strcmp(k->binary, r->call->binary) != 0)
		return false;
	return r->terms.scope != SCOPE_SERVICE || r->state == STATE_GRANTED || !strcmp(c->waited, r->id) || lives_own_use(r, c);
}

/* What follows for the requester when one use is refused and no file has changed.  A use that jitd's restart has cut short is
 * the only one of its grant, and is over. */
const char *release_try_again(const struct request *r)
{
	return r->state == STATE_GRANTED || r->terms.scope == SCOPE_SERVICE ? "the approval stays: run the command again" :
		"run the command again to ask again";
}

static struct json_object *difference(const struct request *r, const struct identity *now, unsigned which)
{
	struct json_object *o = json_object_new_object();
	const struct identity *then = &r->call->file;
	const char *path = which < now->n ? now->file[which].path : which < then->n ? then->file[which].path : r->call->binary;

	json_add(o, "path", json_bytes(path, strlen(path)));
	json_add(o, "approved", identity_json(then));
	json_add(o, "found", identity_json(now));
	return o;
}

/* A grant for one command is for what people saw, and that is gone: it ends, and with it the chance that whoever changed the file
 * changes it back and tries again.  A grant of scope service is for a rule: it stays for what else the rule covers. */
static enum release_said judge_files(struct request *r, struct client *c, struct identity *now)
{
	CLEAN(free_p) char *by = lives_approvers(r);
	bool whole = r->terms.scope != SCOPE_SERVICE;
	unsigned which = 0;
	struct why w = { "" };

	switch (identity_compare(&r->call->file, now, r->call->uid, &which, &w)) {
	case IDENTITY_REPLACED:
		free(c->found_note);
		c->found_note = strdup(w.text);
		__attribute__((fallthrough));
	case IDENTITY_SAME:
		identity_done(&c->found);
		c->found = *now;
		*now = (struct identity){ 0 };
		return RELEASE_PASSED;
	case IDENTITY_UNKNOWN:
		release_refuse(c, NULL, difference(r, now, which), "approved by %s, but %s, so nothing is run; %s", by, w.text,
			release_try_again(r));
		return RELEASE_REFUSED;
	case IDENTITY_CHANGED:
		break;
	}
	release_refuse(c, whole ? w.text : NULL, difference(r, now, which), "approved by %s, but %s, so nothing is run; %s", by, w.text, whole ?
		"the approval is void: run the command again to ask again" : "the grant stays for what else its rule covers");
	return RELEASE_REFUSED;
}

static void on_files(int result, struct identity *now, void *userdata)
{
	struct client *c = userdata;
	struct request *r = c->request;

	c->ticket = 0;
	if (result < 0) {
		CLEAN(free_p) char *path = text_escape(r->call->binary, strlen(r->call->binary), 200);

		release_refuse(c, NULL, NULL, "approved, but %s could not be looked at again (%s), so nothing is run; %s",
			path ? path : "the file", strerror(-result), release_try_again(r));
	} else if (judge_files(r, c, now) == RELEASE_PASSED)
		release_go_on(c);
}

static enum release_said begin_files(struct request *r, struct client *c)
{
	int ticket;

	if (!was_shown(r, c))
		return RELEASE_PASSED;
	/* Read this very moment, with nothing waited for since: a second look would see the same. */
	if (c->call && c->call->file.n && c->file_turn == turn(c))
		return judge_files(r, c, &c->call->file);
	ticket = account_read_file(c, call_of(r, c), on_files);
	if (ticket < 0) {
		release_refuse(c, NULL, NULL, "approved, but this host cannot look at the file again now (%s), so nothing is run; %s",
			strerror(-ticket), release_try_again(r));
		return RELEASE_REFUSED;
	}
	c->ticket = ticket;
	return RELEASE_WAITS;
}

/* ---- the row ---- */

/* The files last: between this look and the use nothing is waited for. */
static const struct release_step steps[] = {
	{ release_checks, NULL },
	{ begin_files, NULL },
};

/* Is it still to be had?  True: nothing was said; else C has its verdict. */
static bool still_there(struct request *r, struct client *c)
{
	uint64_t now = clock_boot();

	if (r->ending || r->stale || (r->state != STATE_GRANTED && r->state != STATE_RUNNING) ||
	    now >= (r->state == STATE_GRANTED ? r->claim_by : r->deadline)) {
		client_verdict(c, GATE_TIMED_OUT, r, NULL, false, "the time of %s is up", r->id);
		return false;
	}
	if (r->state == STATE_RUNNING && r->terms.scope != SCOPE_SERVICE && !lives_has_used(r, c)) {
		client_verdict(c, GATE_DENIED, r, NULL, false, "%s was approved for one run, and another one of yours took it; "
			"run the command again to ask again", r->id);
		return false;
	}
	return true;
}

void release_go_on(struct client *c)
{
	struct request *r = c->request;

	c->step_waits = false;
	for (;;) {
		enum release_said said;

		if (!still_there(r, c))
			return;
		if (c->step >= ELEMENTS(steps))
			break;
		said = steps[c->step++].begin(r, c);
		if (said == RELEASE_WAITS)
			c->step_waits = true;
		if (said != RELEASE_PASSED)
			return;
	}
	lives_let_go(r, c);
}

void release_begin(struct request *r, struct client *c)
{
	if (c->state == CLIENT_WAITING) /* it stood here while the file could be changed, whatever the grant's state is by now */
		strcpy(c->waited, r->id);
	client_work(c, true);
	c->request = r;
	c->next_waiting = r->waiting;
	r->waiting = c;
	sd_event_source_disable_unref(c->timer);
	c->timer = NULL;
	c->step = 0;
	release_go_on(c);
}

void release_cancel(struct client *c)
{
	if (c->step_waits && steps[c->step - 1].cancel)
		steps[c->step - 1].cancel(c);
	c->step_waits = false;
}

void release_refuse(struct client *c, const char *cause, struct json_object *fields, const char *fmt, ...)
{
	struct request *r = c->request;
	struct use *own = lives_own_use(r, c);
	CLEAN(free_p) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!fields)
		fields = json_object_new_object();
	json_add_str(fields, "where", "use");
	json_add_str(fields, "user", r->call->user);
	json_add_str(fields, "text", text);
	json_add_u64(fields, "pid", (uint64_t)c->process.pid);
	record(r->jitd, EV_REFUSED, r->id, fields, NULL);
	client_unwait(c);
	client_verdict(c, GATE_REFUSED, r, NULL, false, "%s: %s", r->id, text ? text : "refused");
	/* It stands in PAM and was told no: nothing of it is to be ended with the grant. */
	if (own)
		lives_close_use(own, "refused");
	if (cause)
		lives_revoke(r, "jitd", cause, NULL);
	else {
		receipt(r, "refused", NULL, "%s", text ? text : "a use was refused");
		lives_keep(r);
	}
}
