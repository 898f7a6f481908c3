/* The timer of a grant: arming, re-arming, and the end of slice and timers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "helper/units-op.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"

#define TIMERS_MAX 64
#define TRIES_MAX 8

static void slice_name(const struct op *op, char name[static UNIT_NAME_SIZE])
{
	snprintf(name, UNIT_NAME_SIZE, "jit-%s.slice", op->unit);
}

/* A timer that is made over the bus cannot be told its Unit=: it starts the service of its own name.  So the number
 * stands in the instance of jit-expire@.service, which cuts it off. */
static void timer_name(struct op *op, unsigned n)
{
	if (n == 0)
		snprintf(op->name, sizeof(op->name), "jit-expire@%s.timer", op->unit);
	else
		snprintf(op->name, sizeof(op->name), "jit-expire@%s-%u.timer", op->unit, n);
}

/* N of jit-expire@ID-N.timer, 0 of jit-expire@ID.timer; -EINVAL when NAME is no timer of OP's grant. */
static int timer_number(const struct op *op, const char *name)
{
	static const char before[] = "jit-expire@", after[] = ".timer";
	size_t len = strlen(name), head = strlen(before) + ID_UNIT_LEN, tail = strlen(after);
	char digits[8];
	unsigned long long n;

	if (len < head + tail || strncmp(name, before, strlen(before)) != 0 ||
	    strncmp(name + strlen(before), op->unit, ID_UNIT_LEN) != 0 || strcmp(name + len - tail, after) != 0)
		return -EINVAL;
	if (len == head + tail)
		return 0;
	len -= head + tail + 1;
	if (name[head] != '-' || len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, name + head + 1, len);
	digits[len] = '\0';
	return number_parse(digits, 999999, &n) < 0 ? -EINVAL : (int)n;
}

static int read_userspace(struct op *op, sd_bus_message *m)
{
	uint64_t usec;
	int r = sd_bus_message_read(m, "v", "t", &usec);

	if (r >= 0)
		op->u->userspace = usec;
	return r < 0 ? r : 0;
}

/* OnStartupSec counts from this; asked for once per connection.  False: OP is gone. */
static bool ask_userspace(struct op *op)
{
	sd_bus_message *m;
	int r;

	if (!units_connected(op))
		return false;
	if (op->u->userspace)
		return true;
	m = op_message(op, MANAGER_NAME, MANAGER_PATH, "org.freedesktop.DBus.Properties", "Get");
	if (!m)
		return false;
	r = sd_bus_message_append(m, "ss", MANAGER_INTERFACE, "UserspaceTimestampMonotonic");
	if (r < 0) {
		op_unfilled(op, m, r);
		return false;
	}
	return op_call(op, m, "systemd", 0, read_userspace, NULL);
}

/* CLOCK_MONOTONIC stops in suspend, so the deadline is converted by the offset of now; OnCalendar is right after a
 * suspend.  Both are rounded up: neither may come before the deadline, as the service would then do nothing. */
static int append_triggers(sd_bus_message *m, const struct op *op)
{
	uint64_t boot = clock_boot(), mono = clock_mono(), real = clock_real();
	uint64_t left = op->deadline > boot ? op->deadline - boot : 0;
	uint64_t since = mono + left > op->u->userspace ? mono + left - op->u->userspace : 0;
	time_t at = (time_t)((real + left + USEC_PER_SEC - 1) / USEC_PER_SEC);
	char text[64];
	struct tm tm;
	int r;

	if (!gmtime_r(&at, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		return -EOVERFLOW;
	r = sd_bus_message_append(m, "(sv)", "TimersMonotonic", "a(st)", 1, "OnStartupSec", since);
	if (r < 0)
		return r;
	return sd_bus_message_append(m, "(sv)", "TimersCalendar", "a(ss)", 1, "OnCalendar", text);
}

static int fill_timer(sd_bus_message *m, const struct op *op)
{
	char words[64];
	int r;

	snprintf(words, sizeof(words), "The end of grant %s", op->id);
	r = sd_bus_message_append(m, "ss", op->name, "fail");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)", "Description", "s", words,
			"AccuracyUSec", "t", UINT64_C(1000), "RemainAfterElapse", "b", 0,
			"CollectMode", "s", "inactive-or-failed");
	if (r >= 0)
		r = append_triggers(m, op);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	return r;
}

static bool unit_exists(struct op *op, const sd_bus_error *e)
{
	op->flag = sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitExists");
	return op->flag;
}

/* Starts the timer op->name; op->flag says afterwards that there is one of this name. */
static bool start_timer(struct op *op)
{
	sd_bus_message *m = op_message(op, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "StartTransientUnit");
	int r;

	if (!m)
		return false;
	op->flag = false;
	r = fill_timer(m, op);
	if (r < 0) {
		op_unfilled(op, m, r);
		return false;
	}
	return op_call(op, m, op->name, CALL_JOB, NULL, unit_exists);
}

static int read_timers(struct op *op, sd_bus_message *m)
{
	const char *name;
	int r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");

	while (r >= 0 && (r = sd_bus_message_read(m, "(ssssssouso)", &name, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL)) > 0) {
		char **more;

		if (timer_number(op, name) < 0 || op->n_timers >= TIMERS_MAX)
			continue;
		more = reallocarray(op->timers, op->n_timers + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		op->timers = more;
		more[op->n_timers] = strdup(name);
		if (!more[op->n_timers])
			return -ENOMEM;
		op->n_timers++;
	}
	return r;
}

static int stop_timers_now(struct op *op, sd_bus_message *m)
{
	int r = read_timers(op, m);

	for (size_t i = 0; i < op->n_timers; i++)
		units_stop_quietly(op->u, op->timers[i]);
	return r;
}

static bool list_timers(struct op *op, unsigned flags, call_reply reply)
{
	sd_bus_message *m = op_message(op, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "ListUnitsByPatterns");
	char first[UNIT_NAME_SIZE], others[UNIT_NAME_SIZE];
	int r;

	if (!m)
		return false;
	snprintf(first, sizeof(first), "jit-expire@%s.timer", op->unit);
	snprintf(others, sizeof(others), "jit-expire@%s-*.timer", op->unit);
	r = sd_bus_message_append(m, "asas", 0, 2, first, others);
	if (r < 0) {
		op_unfilled(op, m, r);
		return false;
	}
	return op_call(op, m, first, flags, reply, NULL);
}

static void stop_listed(struct op *op)
{
	for (size_t i = 0; i < op->n_timers; i++)
		if (!op_stop_unit(op, op->timers[i], CALL_OPTIONAL))
			return;
	op_go_on(op);
}

/* A new timer beside those of op->timers. */

static void late_but_done(struct op *op)
{
	op_finish(op, 0, "armed; an older timer is still being stopped");
}

static void stop_new_timer(struct op *op)
{
	units_stop_quietly(op->u, op->name);
}

static void rearm_start(struct op *op);

static void rearm_started(struct op *op)
{
	if (op->flag) {
		rearm_start(op);
		return;
	}
	op->undo = NULL;
	op->late = late_but_done;
	stop_listed(op);
}

static void rearm_start(struct op *op)
{
	int last = -1;

	for (size_t i = 0; i < op->n_timers; i++) {
		int n = timer_number(op, op->timers[i]);

		if (n > last)
			last = n;
	}
	if (op->tries >= TRIES_MAX) {
		op_finish(op, -EEXIST, "%s: no free name for a timer", op->name);
		return;
	}
	timer_name(op, (unsigned)(last + 1) + op->tries);
	op->tries++;
	op->undo = stop_new_timer;
	op->step = rearm_started;
	start_timer(op);
}

static void rearm_list(struct op *op)
{
	op->step = rearm_start;
	list_timers(op, 0, read_timers);
}

static void rearm_begin(struct op *op)
{
	op->step = rearm_list;
	if (ask_userspace(op))
		op_go_on(op);
}

void units_rearm(struct units *u, const jit_id id, uint64_t deadline, units_done done, void *userdata)
{
	struct op *op = op_new(u, id, rearm_begin, done, userdata);

	if (op)
		op->deadline = deadline;
}

static void arm_timer_started(struct op *op)
{
	if (op->flag)
		rearm_list(op); /* left over from an earlier life: goes when the new one is there */
	else
		op_finish(op, 0, "armed");
}

static void arm_timer(struct op *op)
{
	timer_name(op, 0);
	op->step = arm_timer_started;
	start_timer(op);
}

static void stop_new_slice(struct op *op)
{
	char name[UNIT_NAME_SIZE];

	slice_name(op, name);
	units_stop_quietly(op->u, name);
	if (op->name[0])
		units_stop_quietly(op->u, op->name);
}

static void arm_slice_started(struct op *op)
{
	sd_bus_message *m;
	char name[UNIT_NAME_SIZE];
	int r;

	if (!op->flag) {
		arm_timer(op);
		return;
	}
	/* There already: not ours to undo, but it must run. */
	op->undo = NULL;
	slice_name(op, name);
	m = op_message(op, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "StartUnit");
	if (!m)
		return;
	op->step = arm_timer;
	r = sd_bus_message_append(m, "ss", name, "fail");
	if (r < 0)
		op_unfilled(op, m, r);
	else
		op_call(op, m, name, CALL_JOB, NULL, NULL);
}

static void arm_slice(struct op *op)
{
	sd_bus_message *m = op_message(op, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "StartTransientUnit");
	char name[UNIT_NAME_SIZE], words[64];
	int r;

	if (!m)
		return;
	slice_name(op, name);
	snprintf(words, sizeof(words), "What runs under grant %s", op->id);
	op->undo = stop_new_slice;
	op->step = arm_slice_started;
	r = sd_bus_message_append(m, "ssa(sv)a(sa(sv))", name, "fail", 2, "Description", "s", words,
		"CollectMode", "s", "inactive-or-failed", 0);
	if (r < 0)
		op_unfilled(op, m, r);
	else
		op_call(op, m, name, CALL_JOB, NULL, unit_exists);
}

static void arm_begin(struct op *op)
{
	op->step = arm_slice;
	if (ask_userspace(op))
		op_go_on(op);
}

void units_arm(struct units *u, const jit_id id, uint64_t deadline, units_done done, void *userdata)
{
	struct op *op = op_new(u, id, arm_begin, done, userdata);

	if (op)
		op->deadline = deadline;
}

static void late_stopping(struct op *op)
{
	op_finish(op, -EINPROGRESS, "systemd is still stopping jit-%s.slice", op->unit);
}

/* The slice first and without regard to the timers: whatever fails, what runs is told to end. */
static void stop_begin(struct op *op)
{
	char name[UNIT_NAME_SIZE];

	if (!units_connected(op))
		return;
	op->late = late_stopping;
	slice_name(op, name);
	if (op_stop_unit(op, name, 0))
		list_timers(op, CALL_OPTIONAL, stop_timers_now);
}

void units_stop(struct units *u, const jit_id id, units_done done, void *userdata)
{
	op_new(u, id, stop_begin, done, userdata);
}

static void disarm_begin(struct op *op)
{
	char name[UNIT_NAME_SIZE];

	if (!units_connected(op))
		return;
	/* An empty slice would stay for ever. */
	slice_name(op, name);
	if (units_population(op->id) == 0 && !op_stop_unit(op, name, CALL_OPTIONAL))
		return;
	op->step = stop_listed;
	list_timers(op, 0, read_timers);
}

void units_disarm(struct units *u, const jit_id id, units_done done, void *userdata)
{
	op_new(u, id, disarm_begin, done, userdata);
}
