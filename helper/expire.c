#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "helper/expire-bus.h"
#include "helper/expire.h"
#include "helper/grantfile.h"
#include "helper/notes.h"
#include "helper/units-cgroup.h"
#include "helper/units.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

#define EARLY_USEC (2 * USEC_PER_SEC)   /* this much too early is waited out */
#define DEFAULT_GRACE (5 * USEC_PER_SEC) /* when the file does not say */
#define MAX_GRACE (5 * USEC_PER_MIN)
#define DYING_USEC USEC_PER_SEC          /* how long a SIGKILL may take to show */
#define LEFT_MAX 64

struct ending {
	struct grantfile g;
	const char *file; /* "read", "missing", "unreadable" */
	char unit[ID_UNIT_LEN + 1];
	struct expire_bus bus;
	const char *via;
	bool was_there; /* something of the grant was found to end */
	struct pollfd *pids; /* pidfds of the recorded processes that lived outside of the slice; -1 when not */
	unsigned killed;
	struct json_object *errors, *signalled, *left;
};

static void ending_done(struct ending *e)
{
	for (size_t i = 0; e->pids && i < e->g.n_pids; i++)
		if (e->pids[i].fd >= 0)
			close_quietly(e->pids[i].fd);
	free(e->pids);
	grantfile_done(&e->g);
	expire_bus_done(&e->bus);
	json_object_put(e->errors);
	json_object_put(e->signalled);
	json_object_put(e->left);
}

__attribute__((format(printf, 2, 3))) static void trouble(struct ending *e, const char *fmt, ...)
{
	struct why w = { { 0 } };
	char text[WHY_MAX];
	struct json_object *s;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	why(&w, 0, "%s", text);
	log_error("%s: %s", e->g.id, w.text);
	s = json_object_new_string(w.text);
	if (s && json_object_array_add(e->errors, s) < 0)
		json_object_put(s);
}

static int pidfd_signal(int fd, int sig)
{
	return pidfd_send_signal(fd, sig, NULL, 0) < 0 ? -errno : 0;
}

/* The recorded process if it is still the same one, outside of the slice; -1. */
static int recorded_pidfd(const struct ending *e, const struct grantfile_pid *p)
{
	CLEAN(close_p) int fd = pidfd_open(p->pid, 0);
	struct pollfd alive = { .fd = fd, .events = POLLIN };
	uint64_t start;

	/* The descriptor first: what is read of /proc afterwards is of the process that it holds, or it has ended. */
	if (fd < 0 || process_start(p->pid, &start) < 0 || start != p->start || poll(&alive, 1, 0) != 0 ||
	    units_contains(e->g.id, p->pid))
		return -1;
	return steal_fd(&fd);
}

static void end_recorded(struct ending *e)
{
	e->pids = calloc(e->g.n_pids + 1, sizeof(*e->pids));
	if (!e->pids) {
		trouble(e, "out of memory: recorded processes are not ended");
		return;
	}
	for (size_t i = 0; i < e->g.n_pids; i++) {
		struct json_object *n;

		e->pids[i].events = POLLIN;
		e->pids[i].fd = recorded_pidfd(e, &e->g.pids[i]);
		if (e->pids[i].fd < 0)
			continue;
		e->was_there = true;
		pidfd_signal(e->pids[i].fd, SIGTERM);
		pidfd_signal(e->pids[i].fd, SIGHUP);
		pidfd_signal(e->pids[i].fd, SIGCONT); /* a stopped one hears nothing before */
		n = json_object_new_int(e->g.pids[i].pid);
		if (n && json_object_array_add(e->signalled, n) < 0)
			json_object_put(n);
	}
}

static void hang_up(pid_t pid, void *userdata)
{
	kill(pid, SIGTERM);
	kill(pid, SIGHUP);
	kill(pid, SIGCONT);
}

static void end_slice(struct ending *e)
{
	char slice[UNIT_NAME_SIZE];
	int r;

	snprintf(slice, sizeof(slice), "jit-%s.slice", e->unit);
	r = expire_stop_unit(&e->bus, slice);
	e->via = r < 0 ? "hand" : e->bus.via == VIA_BUS ? "bus" : "private";
	if (r > 0)
		e->was_there = true;
	if (r >= 0)
		return;
	trouble(e, "systemd does not stop %s (%s): its processes are ended by hand", slice, strerror(-r));
	r = cgroup_each(e->unit, hang_up, NULL);
	if (r > 0)
		e->was_there = true;
	if (r < 0)
		trouble(e, "%s: %s", slice, strerror(-r));
}

static void end_sessions(struct ending *e, int sig)
{
	for (size_t i = 0; i < e->g.n_sessions; i++) {
		int r = expire_session(&e->bus, e->g.sessions[i], sig);

		if (r > 0)
			e->was_there = true;
		if (r < 0)
			trouble(e, "session %s: %s", e->g.sessions[i], strerror(-r));
	}
}

static bool recorded_live(struct ending *e)
{
	bool live = false;

	for (size_t i = 0; e->pids && i < e->g.n_pids; i++) {
		if (e->pids[i].fd < 0)
			continue;
		if (poll(&e->pids[i], 1, 0) == 0)
			live = true;
		else
			close_quietly(steal_fd(&e->pids[i].fd));
	}
	return live;
}

static bool anything_lives(struct ending *e)
{
	return recorded_live(e) || cgroup_each(e->unit, NULL, NULL) > 0;
}

/* Until nothing lives any more or USEC are over: woken by the ends of the recorded processes and of the slice. */
static bool wait_for_end(struct ending *e, uint64_t usec)
{
	CLEAN(close_p) int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	CLEAN(free_p) struct pollfd *fds = calloc(e->g.n_pids + 1, sizeof(*fds));
	uint64_t end = clock_boot() + usec, now;
	char path[256], buf[4096];

	if (watch >= 0 && cgroup_events(e->unit, path, sizeof(path)) == 0)
		inotify_add_watch(watch, path, IN_MODIFY | IN_DELETE_SELF);
	while (anything_lives(e)) {
		struct timespec step = { .tv_nsec = 200000000 }; /* the belt: not every end shows */
		size_t n = 0;

		now = clock_boot();
		if (now >= end)
			return false;
		if (end - now < 200000)
			step.tv_nsec = (long)(end - now) * 1000;
		for (size_t i = 0; fds && e->pids && i < e->g.n_pids; i++)
			if (e->pids[i].fd >= 0)
				fds[n++] = e->pids[i];
		if (fds)
			fds[n++] = (struct pollfd){ .fd = watch, .events = POLLIN };
		if (ppoll(fds, n, &step, NULL) < 0 && errno != EINTR)
			return false;
		while (watch >= 0 && read(watch, buf, sizeof(buf)) > 0)
			;
	}
	return true;
}

static void kill_rest(struct ending *e)
{
	char slice[UNIT_NAME_SIZE];
	int n = cgroup_each(e->unit, NULL, NULL), r;

	if (n > 0)
		e->killed += (unsigned)n;
	r = cgroup_kill(e->unit);
	if (r < 0 && r != -ENOENT) {
		snprintf(slice, sizeof(slice), "jit-%s.slice", e->unit);
		r = expire_kill_unit(&e->bus, slice, SIGKILL);
		if (r < 0)
			trouble(e, "%s is not killed: %s", slice, strerror(-r));
	}
	for (size_t i = 0; e->pids && i < e->g.n_pids; i++)
		if (e->pids[i].fd >= 0 && pidfd_signal(e->pids[i].fd, SIGKILL) == 0)
			e->killed++;
}

static void add_left(pid_t pid, void *userdata)
{
	struct ending *e = userdata;
	CLEAN(fclose_p) FILE *f = NULL;
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *shown = NULL;
	char path[32], name[64] = "";

	if (json_object_array_length(e->left) >= LEFT_MAX)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (f && fgets(name, sizeof(name), f))
		name[strcspn(name, "\n")] = '\0';
	shown = text_escape(name, strlen(name), 64);
	if (!o || json_add_u64(o, "pid", (uint64_t)pid) < 0 || json_add_str(o, "name", shown) < 0 ||
	    json_object_array_add(e->left, o) < 0)
		return;
	o = NULL;
}

static void list_left(struct ending *e)
{
	cgroup_each(e->unit, add_left, e);
	for (size_t i = 0; e->pids && i < e->g.n_pids; i++)
		if (e->pids[i].fd >= 0)
			add_left(e->g.pids[i].pid, e);
}

static int add_sessions(const struct ending *e, struct json_object *o)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < e->g.n_sessions; i++) {
		struct json_object *s = json_object_new_string(e->g.sessions[i]);

		if (!s || json_object_array_add(list, s) < 0) {
			json_object_put(s);
			return -ENOMEM;
		}
	}
	return list ? json_add(o, "sessions", STEAL_PTR(list)) : -ENOMEM;
}

static int leave_note(struct ending *e, const char *action)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	char now[TIME_RFC3339_LEN + 1], boot[BOOT_ID_LEN + 1] = "";
	const char *text;
	int r;

	clock_boot_id(boot);
	if (!o || json_add_u64(o, "v", 1) < 0 || json_add_str(o, "id", e->g.id) < 0 ||
	    json_add_str(o, "time", time_rfc3339(clock_real(), now)) < 0 || json_add_str(o, "boot", boot) < 0 ||
	    json_add_u64(o, "at", clock_boot()) < 0 || json_add_str(o, "action", action) < 0 ||
	    json_add_str(o, "grant", e->file) < 0 || json_add_str(o, "via", e->via) < 0 || add_sessions(e, o) < 0 ||
	    json_add(o, "signalled", json_object_get(e->signalled)) < 0 || json_add_u64(o, "killed", e->killed) < 0 ||
	    json_add(o, "left", json_object_get(e->left)) < 0 ||
	    json_add(o, "errors", json_object_get(e->errors)) < 0)
		return -ENOMEM;
	text = json_text(o);
	r = text ? note_write(e->g.id, text) : -ENOMEM;
	if (r < 0)
		log_error("%s: no note could be left: %s", e->g.id, strerror(-r));
	return r;
}

/* Nothing new can use the grant; what runs may finish.  The timers are stopped first: they have nothing more to do. */
static int drain(struct ending *e)
{
	int r, removed;

	e->via = "none";
	e->killed += units_kill_unbegun(e->g.id, e->g.uid);
	expire_stop_timers(&e->bus, e->unit);
	r = leave_note(e, "drain");
	removed = grantfile_drained(e->g.id);
	if (removed < 0)
		log_error("%s: the grant's file stays: %s", e->g.id, strerror(-removed));
	return r < 0 ? r : removed;
}

static int terminate(struct ending *e)
{
	int r = 0, removed;

	e->killed += units_kill_unbegun(e->g.id, e->g.uid);
	e->was_there = e->killed > 0;
	end_slice(e);
	end_sessions(e, 0);
	end_recorded(e);
	if (!e->was_there && strcmp(e->file, "missing") == 0) {
		log_info("%s: nothing of this grant is there", e->g.id);
		return 0;
	}
	if (!wait_for_end(e, e->g.grace)) {
		kill_rest(e);
		wait_for_end(e, DYING_USEC);
	}
	end_sessions(e, SIGKILL);
	list_left(e);
	expire_stop_timers(&e->bus, e->unit);
	if (json_object_array_length(e->left) > 0) {
		log_error("%s: %zu processes live on", e->g.id, json_object_array_length(e->left));
		r = -EBUSY;
	}
	removed = leave_note(e, "terminate");
	if (removed >= 0)
		removed = grantfile_remove(e->g.id);
	log_notice("%s: ended (by %s, %u killed)", e->g.id, e->via, e->killed);
	return r < 0 ? r : removed;
}

static uint64_t early_by(const struct grantfile *g)
{
	char boot[BOOT_ID_LEN + 1];
	uint64_t now = clock_boot();

	/* A boot that is over has no clock left to wait for. */
	if (clock_boot_id(boot) >= 0 && strcmp(boot, g->boot) != 0)
		return 0;
	return g->deadline > now ? g->deadline - now : 0;
}

/* Reads the file, as often as its deadline turns out to be near but not passed.  1: too early; 0: due; -EALREADY. */
static int read_due(const jit_id id, bool force, struct ending *e)
{
	for (;;) {
		struct why w = { { 0 } };
		uint64_t early;
		struct timespec at;
		int r = grantfile_read(id, &e->g, &w);

		if (r == -EALREADY)
			return r;
		if (r < 0) {
			/* Better a grant ended that nobody can read than one that stays. */
			log_error("%s: the grant's file is %s (%s): what runs under it is ended", id,
				r == -ENOENT ? "missing" : "unreadable", r == -ENOENT ? "no such file" : w.text);
			e->file = r == -ENOENT ? "missing" : "unreadable";
			memcpy(e->g.id, id, sizeof(e->g.id));
			e->g.grace = DEFAULT_GRACE;
			e->g.uid = (uid_t)-1;
			return 0;
		}
		e->file = "read";
		early = force ? 0 : early_by(&e->g);
		if (early == 0)
			return 0;
		if (early > EARLY_USEC)
			return 1;
		at = (struct timespec){ .tv_sec = (time_t)(e->g.deadline / USEC_PER_SEC),
			.tv_nsec = (long)(e->g.deadline % USEC_PER_SEC) * 1000 };
		grantfile_done(&e->g);
		while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
	}
}

int expire(const jit_id id, bool force)
{
	CLEAN(ending_done) struct ending e = { 0 };
	int r;

	e.errors = json_object_new_array();
	e.signalled = json_object_new_array();
	e.left = json_object_new_array();
	if (!e.errors || !e.signalled || !e.left)
		return -ENOMEM;
	r = read_due(id, force, &e);
	if (r != 0) {
		log_info("%s: %s", id, r > 0 ? "its time is not up" : "it was let drain before");
		return 0;
	}
	id_unit(id, e.unit);
	if (e.g.grace > MAX_GRACE)
		e.g.grace = MAX_GRACE;
	return e.g.drain ? drain(&e) : terminate(&e);
}
