#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper/units-op.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static void call_free(struct call *c)
{
	sd_bus_slot_unref(c->slot);
	free(c->job);
	free(c);
}

static void op_free(struct op *op)
{
	struct call *c;

	if (op->link) {
		*op->link = op->next;
		if (op->next)
			op->next->link = op->link;
	}
	while ((c = op->calls)) {
		op->calls = c->next;
		call_free(c);
	}
	sd_event_source_disable_unref(op->start);
	sd_event_source_disable_unref(op->clock);
	for (size_t i = 0; i < op->n_timers; i++)
		free(op->timers[i]);
	free(op->timers);
	free(op->session);
	if (op->pidfd >= 0)
		close_quietly(op->pidfd);
	free(op);
}

void op_finish(struct op *op, int result, const char *fmt, ...)
{
	units_done done = op->done;
	void *userdata = op->userdata;
	struct why w = { { 0 } };
	char text[WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	why(&w, result, "%s", text);
	if (result < 0 && op->undo && op->u->bus && sd_bus_is_open(op->u->bus) > 0)
		op->undo(op);
	op_free(op);
	/* Last: the handler may free the units. */
	if (done)
		done(result, w.text, userdata);
}

void ops_fail(struct units *u, int result, const char *words)
{
	/* Only those that are there now: a handler may begin new ones. */
	size_t n = 0;

	for (struct op *op = u->ops; op; op = op->next)
		n++;
	while (n-- > 0 && u->ops) {
		struct op *op = u->ops;

		while (op->next)
			op = op->next;
		op_finish(op, result, "%s", words);
	}
}

void op_go_on(struct op *op)
{
	op_step step = op->step;

	if (op->calls)
		return;
	op->step = NULL;
	if (step)
		step(op);
	else
		op_finish(op, 0, "done");
}

static int on_start(sd_event_source *s, void *userdata)
{
	op_go_on(userdata);
	return 0;
}

static int on_clock(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct op *op = userdata;

	if (op->late)
		op->late(op);
	else
		op_finish(op, -ETIMEDOUT, "systemd did not answer in 5 s");
	return 0;
}

struct op *op_new(struct units *u, const jit_id id, op_step first, units_done done, void *userdata)
{
	struct op *op = calloc(1, sizeof(*op));
	int r = -ENOMEM;

	if (!op)
		goto fail;
	op->u = u;
	op->pidfd = -1;
	op->done = done;
	op->userdata = userdata;
	op->step = first;
	if (id) {
		memcpy(op->id, id, sizeof(op->id));
		id_unit(id, op->unit);
	}
	r = sd_event_add_defer(u->event, &op->start, on_start, op);
	if (r < 0)
		goto fail;
	r = sd_event_add_time_relative(u->event, &op->clock, CLOCK_MONOTONIC, UNITS_TIMEOUT_USEC, 10000, on_clock, op);
	if (r < 0)
		goto fail;
	op->next = u->ops;
	if (op->next)
		op->next->link = &op->next;
	op->link = &u->ops;
	u->ops = op;
	return op;
fail:
	if (op)
		op_free(op);
	log_error("units: %s", strerror(-r));
	done(r, "out of memory", userdata);
	return NULL;
}

sd_bus_message *op_message(struct op *op, const char *service, const char *path, const char *interface, const char *member)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(op->u->bus, &m, service, path, interface, member);

	if (r < 0) {
		op_finish(op, r, "%s: the call cannot be made: %s", member, strerror(-r));
		return NULL;
	}
	sd_bus_message_set_allow_interactive_authorization(m, false);
	return m;
}

void op_unfilled(struct op *op, sd_bus_message *m, int r)
{
	char member[64];

	snprintf(member, sizeof(member), "%s", sd_bus_message_get_member(m));
	sd_bus_message_unref(m);
	op_finish(op, r, "%s: the call cannot be made: %s", member, strerror(-r));
}

static void call_over(struct call *c)
{
	struct op *op = c->op;

	for (struct call **p = &op->calls; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	call_free(c);
	op_go_on(op);
}

static int error_errno(sd_bus *bus, const sd_bus_error *e)
{
	int r;

	if (sd_bus_is_open(bus) <= 0)
		return -ENOTCONN;
	if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) || sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT))
		return -ETIMEDOUT;
	if (sd_bus_error_has_name(e, SD_BUS_ERROR_DISCONNECTED))
		return -ENOTCONN;
	r = sd_bus_error_get_errno(e);
	return r > 0 ? -r : -EIO;
}

static bool error_absent(const sd_bus_error *e)
{
	return sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit") ||
		sd_bus_error_has_name(e, "org.freedesktop.login1.NoSuchSession");
}

static void call_failed(struct call *c, const sd_bus_error *e)
{
	struct op *op = c->op;

	if (c->refused && c->refused(op, e)) {
		call_over(c);
	} else if ((c->flags & CALL_ABSENT) && error_absent(e)) {
		call_over(c);
	} else if (c->flags & CALL_OPTIONAL) {
		log_warning("%s: %s", c->unit, e->message ? e->message : e->name);
		call_over(c);
	} else {
		op_finish(op, error_errno(op->u->bus, e), "%s: %s", c->unit, e->message ? e->message : e->name);
	}
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	struct call *c = userdata;
	struct op *op = c->op;
	const char *job;
	int r = 0;

	c->slot = sd_bus_slot_unref(c->slot);
	if (sd_bus_message_is_method_error(m, NULL)) {
		call_failed(c, sd_bus_message_get_error(m));
		return 0;
	}
	if (c->flags & CALL_JOB) {
		r = sd_bus_message_read(m, "o", &job);
		if (r >= 0) {
			c->job = strdup(job);
			r = c->job ? 0 : -ENOMEM;
		}
	} else if (c->reply) {
		r = c->reply(op, m);
	}
	if (r < 0)
		op_finish(op, r, "%s: the answer cannot be read: %s", c->unit, strerror(-r));
	else if (!c->job)
		call_over(c);
	return 0;
}

bool op_call(struct op *op, sd_bus_message *m, const char *unit, unsigned flags, call_reply reply, call_refused refused)
{
	struct call *c = calloc(1, sizeof(*c));
	int r = -ENOMEM;

	if (c) {
		snprintf(c->unit, sizeof(c->unit), "%s", unit);
		c->op = op;
		c->flags = flags;
		c->reply = reply;
		c->refused = refused;
		r = sd_bus_call_async(op->u->bus, &c->slot, m, on_reply, c, UNITS_TIMEOUT_USEC);
	}
	sd_bus_message_unref(m);
	if (r < 0) {
		free(c);
		op_finish(op, r == -ECONNRESET || r == -EPIPE ? -ENOTCONN : r, "%s: the call cannot be sent: %s", unit,
			strerror(-r));
		return false;
	}
	c->next = op->calls;
	op->calls = c;
	return true;
}

static sd_bus_message *stop_message(sd_bus *bus, const char *unit)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_method_call(bus, &m, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "StopUnit") < 0 ||
	    sd_bus_message_append(m, "ss", unit, "replace") < 0)
		return sd_bus_message_unref(m);
	return m;
}

bool op_stop_unit(struct op *op, const char *unit, unsigned flags)
{
	sd_bus_message *m = stop_message(op->u->bus, unit);

	if (!m) {
		op_finish(op, -ENOMEM, "%s: out of memory", unit);
		return false;
	}
	return op_call(op, m, unit, flags | CALL_JOB | CALL_ABSENT, NULL, NULL);
}

void units_stop_quietly(struct units *u, const char *unit)
{
	sd_bus_message *m = stop_message(u->bus, unit);

	if (!m)
		return;
	sd_bus_message_set_expect_reply(m, false);
	if (sd_bus_send(u->bus, m, NULL) < 0)
		log_error("%s cannot be stopped", unit);
	sd_bus_message_unref(m);
}

static struct call *call_of_job(struct units *u, const char *job)
{
	for (struct op *op = u->ops; op; op = op->next)
		for (struct call *c = op->calls; c; c = c->next)
			if (c->job && strcmp(c->job, job) == 0)
				return c;
	return NULL;
}

int units_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct units *u = userdata;
	const char *job, *unit, *result;
	struct call *c;
	uint32_t n;

	if (sd_bus_message_read(m, "uoss", &n, &job, &unit, &result) < 0)
		return 0;
	c = call_of_job(u, job);
	if (!c)
		return 0;
	if (strcmp(result, "done") == 0) {
		call_over(c);
	} else if (c->flags & CALL_OPTIONAL) {
		log_warning("%s: the job ended as '%s'", c->unit, result);
		call_over(c);
	} else {
		op_finish(c->op, -EIO, "%s: the job ended as '%s'", c->unit, result);
	}
	return 0;
}
