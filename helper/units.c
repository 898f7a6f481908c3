#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "helper/units-op.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"

#define BACKOFF_MIN_USEC UINT64_C(100000)
#define BACKOFF_MAX_USEC UINT64_C(5000000)

static int units_connect(struct units *u);

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct units *u = userdata;

	u->retry = sd_event_source_disable_unref(u->retry);
	if (!u->bus)
		units_connect(u);
	return 0;
}

static void units_retry(struct units *u)
{
	int r;

	u->backoff = u->backoff ? u->backoff * 2 : BACKOFF_MIN_USEC;
	if (u->backoff > BACKOFF_MAX_USEC)
		u->backoff = BACKOFF_MAX_USEC;
	sd_event_source_disable_unref(u->retry);
	u->retry = NULL;
	r = sd_event_add_time_relative(u->event, &u->retry, CLOCK_MONOTONIC, u->backoff, 10000, on_retry, u);
	if (r < 0)
		log_error("system bus: no timer for the next try: %s", strerror(-r));
}

static void units_drop(struct units *u)
{
	u->removed = sd_bus_slot_unref(u->removed);
	u->lost = sd_bus_slot_unref(u->lost);
	u->subscribed = sd_bus_slot_unref(u->subscribed);
	if (u->bus) {
		sd_bus_detach_event(u->bus);
		u->bus = sd_bus_close_unref(u->bus);
	}
	u->ready = false;
	u->userspace = 0;
}

static int on_lost(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct units *u = userdata;

	log_warning("the system bus is lost");
	units_drop(u);
	units_retry(u);
	ops_fail(u, -ENOTCONN, "the system bus is lost");
	return 0;
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct units *u = userdata;

	if (sd_bus_message_is_method_error(m, NULL)) {
		/* Without it no job would ever be seen to end. */
		log_warning("systemd does not tell of its jobs: %s", sd_bus_message_get_error(m)->message);
		units_drop(u);
		units_retry(u);
		ops_fail(u, -ENOTCONN, "systemd cannot be reached");
		return 0;
	}
	u->ready = true;
	u->backoff = 0;
	return 0;
}

static int units_connect(struct units *u)
{
	int r = sd_bus_open_system_with_description(&u->bus, "units");

	if (r >= 0)
		r = sd_bus_attach_event(u->bus, u->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_match_signal(u->bus, &u->lost, "org.freedesktop.DBus.Local",
			"/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected", on_lost, u);
	if (r >= 0)
		r = sd_bus_match_signal_async(u->bus, &u->removed, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
			"JobRemoved", units_job_removed, NULL, u);
	if (r >= 0)
		r = sd_bus_call_method_async(u->bus, &u->subscribed, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
			"Subscribe", on_subscribed, u, "");
	if (r < 0) {
		units_drop(u);
		if (!u->backoff)
			log_warning("the system bus cannot be reached: %s", strerror(-r));
		units_retry(u);
	}
	return r;
}

bool units_connected(struct op *op)
{
	struct units *u = op->u;

	/* While a try is waiting for its time, and when the loop is just about to hear of the loss, what is asked fails. */
	if (u->bus ? sd_bus_is_open(u->bus) <= 0 : u->retry || units_connect(u) < 0) {
		op_finish(op, -ENOTCONN, "the system bus cannot be reached");
		return false;
	}
	return true;
}

const char *units_state(const struct units *u)
{
	if (!u->bus || sd_bus_is_open(u->bus) <= 0)
		return "unreachable";
	return u->ready ? "connected" : "connecting";
}

int units_new(sd_event *event, struct units **ret)
{
	struct units *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->event = sd_event_ref(event);
	units_connect(u); /* a bus that is not there yet is tried for again */
	*ret = u;
	return 0;
}

struct units *units_free(struct units *u)
{
	if (!u)
		return NULL;
	for (struct op *op = u->ops; op; op = op->next)
		op->done = NULL;
	ops_fail(u, 0, "dropped");
	units_drop(u);
	sd_event_source_disable_unref(u->retry);
	sd_event_unref(u->event);
	free(u);
	return NULL;
}
