/* Putting processes under a grant, and taking them and login sessions down. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/units-op.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"

#define LOGIN_NAME "org.freedesktop.login1"
#define LOGIN_PATH "/org/freedesktop/login1"
#define LOGIN_INTERFACE "org.freedesktop.login1.Manager"
#define TRIES_MAX 8
#define LAST_RESORT_USEC (10 * USEC_PER_SEC) /* RuntimeMaxSec comes this long after the deadline and the grace */

/* A pidfd becomes readable when its process has ended. */
static bool alive(const struct op *op)
{
	struct pollfd p = { .fd = op->pidfd, .events = POLLIN };

	return op->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

static void attach_scope(struct op *op);

/* What /proc says of PID counts only while PID is still that process. */
static void attach_check(struct op *op)
{
	bool inside = units_contains(op->id, op->pid);

	if (!alive(op))
		op_finish(op, -ESRCH, "process %d has ended", (int)op->pid);
	else if (!inside)
		op_finish(op, -ESTALE, "process %d did not stay in %s", (int)op->pid, op->name);
	else
		op_finish(op, 0, "attached to %s", op->name);
}

static int fill_scope(sd_bus_message *m, const struct op *op)
{
	uint64_t now = clock_boot(), left = op->deadline > now ? op->deadline - now : 0;
	char slice[UNIT_NAME_SIZE], words[128];
	int r;

	snprintf(slice, sizeof(slice), "jit-%s.slice", op->unit);
	snprintf(words, sizeof(words), "Use of grant %s", op->id);
	r = sd_bus_message_append(m, "ss", op->name, "fail");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s", words,
			"Slice", "s", slice, "PIDs", "au", 1, (uint32_t)op->pid, "Delegate", "b", 1,
			"SendSIGHUP", "b", 1, "TimeoutStopUSec", "t", op->grace,
			"CollectMode", "s", "inactive-or-failed");
	if (r >= 0 && op->deadline != USEC_INFINITY)
		r = sd_bus_message_append(m, "(sv)", "RuntimeMaxUSec", "t", left + op->grace + LAST_RESORT_USEC);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	return r;
}

static bool scope_refused(struct op *op, const sd_bus_error *e)
{
	op->flag = sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitExists");
	return op->flag;
}

static void attach_scoped(struct op *op)
{
	if (op->flag)
		attach_scope(op);
	else
		attach_check(op);
}

static void attach_scope(struct op *op)
{
	sd_bus_message *m;
	int r;

	if (!alive(op)) {
		op_finish(op, -ESRCH, "process %d has ended", (int)op->pid);
		return;
	}
	if (op->tries++ >= TRIES_MAX) {
		op_finish(op, -EEXIST, "%s: no free name for a scope", op->name);
		return;
	}
	m = op_message(op, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "StartTransientUnit");
	if (!m)
		return;
	snprintf(op->name, sizeof(op->name), "jit-%s-%u.scope", op->unit, ++op->u->scopes);
	op->flag = false;
	op->step = attach_scoped;
	r = fill_scope(m, op);
	if (r < 0)
		op_unfilled(op, m, r);
	else
		op_call(op, m, op->name, CALL_JOB, NULL, scope_refused);
}

static int read_state(struct op *op, sd_bus_message *m)
{
	const char *state;
	int r = sd_bus_message_read(m, "v", "s", &state);

	if (r < 0)
		return r;
	op->flag = strcmp(state, "active") == 0;
	return 0;
}

static void attach_joined(struct op *op)
{
	if (op->flag && units_contains(op->id, op->pid))
		attach_check(op);
	else
		attach_scope(op);
}

/* Into a scope that lives.  It may have been about to end with its last process, and then the process would stand in
 * a cgroup that no unit stops: so systemd is asked afterwards whether the scope is active. */
static bool attach_join(struct op *op)
{
	CLEAN(free_p) char *path = NULL;
	sd_bus_message *m;
	int r;

	if (cgroup_live_scope(op->unit, op->name, sizeof(op->name)) < 0 ||
	    cgroup_join(op->unit, op->name, op->pid) < 0)
		return false;
	op->flag = false;
	op->step = attach_joined;
	r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", op->name, &path);
	if (r < 0)
		return false;
	m = op_message(op, MANAGER_NAME, path, "org.freedesktop.DBus.Properties", "Get");
	if (!m)
		return true;
	r = sd_bus_message_append(m, "ss", "org.freedesktop.systemd1.Unit", "ActiveState");
	if (r < 0)
		op_unfilled(op, m, r);
	else
		op_call(op, m, op->name, CALL_OPTIONAL, read_state, NULL);
	return true;
}

static void attach_begin(struct op *op)
{
	if (!units_connected(op))
		return;
	if (!alive(op))
		op_finish(op, -ESRCH, "process %d has ended", (int)op->pid);
	else if (!attach_join(op))
		attach_scope(op);
}

void units_attach(struct units *u, const jit_id id, pid_t pid, int pidfd, uint64_t deadline, uint64_t grace_usec,
	units_done done, void *userdata)
{
	struct op *op = op_new(u, id, attach_begin, done, userdata);

	if (!op)
		return;
	op->pid = pid;
	op->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	op->deadline = deadline;
	op->grace = grace_usec;
}

static void kill_begin(struct op *op)
{
	char name[UNIT_NAME_SIZE];
	sd_bus_message *m;
	int r = cgroup_kill(op->unit);

	if (r == 0 || r == -ENOENT) {
		op_finish(op, 0, r == 0 ? "killed" : "nothing is there");
		return;
	}
	if (!units_connected(op))
		return;
	m = op_message(op, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "KillUnit");
	if (!m)
		return;
	snprintf(name, sizeof(name), "jit-%s.slice", op->unit);
	r = sd_bus_message_append(m, "ssi", name, "all", SIGKILL);
	if (r < 0)
		op_unfilled(op, m, r);
	else
		op_call(op, m, name, CALL_ABSENT, NULL, NULL);
}

void units_kill(struct units *u, const jit_id id, units_done done, void *userdata)
{
	op_new(u, id, kill_begin, done, userdata);
}

static void session_terminate(struct op *op)
{
	sd_bus_message *m;
	int r;

	if (!units_connected(op))
		return;
	m = op_message(op, LOGIN_NAME, LOGIN_PATH, LOGIN_INTERFACE, "TerminateSession");
	if (!m)
		return;
	r = sd_bus_message_append(m, "s", op->session);
	if (r < 0)
		op_unfilled(op, m, r);
	else
		op_call(op, m, op->name, CALL_ABSENT, NULL, NULL);
}

static void session_kill(struct op *op)
{
	sd_bus_message *m;
	int r;

	if (!units_connected(op))
		return;
	m = op_message(op, LOGIN_NAME, LOGIN_PATH, LOGIN_INTERFACE, "KillSession");
	if (!m)
		return;
	r = sd_bus_message_append(m, "ssi", op->session, "all", SIGKILL);
	if (r < 0)
		op_unfilled(op, m, r);
	else
		op_call(op, m, op->name, CALL_ABSENT, NULL, NULL);
}

static void session_missing(struct op *op)
{
	op_finish(op, -ENOMEM, "out of memory");
}

static void session_op(struct units *u, const char *session, op_step first, units_done done, void *userdata)
{
	struct op *op = op_new(u, NULL, first, done, userdata);

	if (!op)
		return;
	snprintf(op->name, sizeof(op->name), "session %.40s", session);
	op->session = strdup(session);
	if (!op->session)
		op->step = session_missing;
}

void units_session_terminate(struct units *u, const char *session, units_done done, void *userdata)
{
	session_op(u, session, session_terminate, done, userdata);
}

void units_session_kill(struct units *u, const char *session, units_done done, void *userdata)
{
	session_op(u, session, session_kill, done, userdata);
}
