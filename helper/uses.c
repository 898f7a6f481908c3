/* Processes let go under a grant.  A use is recorded (on disk for the first, which starts the work time), the timer and
 * the scope are confirmed by systemd, and only then the verdict goes out. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include "helper/jitd.h"
#include "helper/lives.h"
#include "helper/release.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

#define SESSION_WITHIN_USEC (30 * USEC_PER_SEC)

void lives_ignore(int result, const char *words, void *userdata)
{
	if (result < 0)
		log_warning("systemd: %s", words);
}

uint64_t use_last_resort(const struct request *r)
{
	return r->terms.at_end == AT_END_DRAIN ? USEC_INFINITY : r->deadline;
}

bool use_alive(const struct use *u)
{
	struct pollfd pfd = { .fd = u->pidfd, .events = POLLIN };

	return !u->closed && u->pidfd >= 0 && poll(&pfd, 1, 0) == 0;
}

/* Keyboard-interactive: sshd judges a login in a child, which has done its work now, and opens the session in the parent. */
static bool expects_session(struct use *u)
{
	if (strcmp(u->request->call->service, "sshd") != 0 || u->confirmed || u->request->state != STATE_RUNNING)
		return false;
	u->expected_until = clock_boot() + SESSION_WITHIN_USEC;
	sd_event_source_disable_unref(u->watch);
	u->watch = NULL;
	lives_clock(u->request);
	return true;
}

static int on_gone(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	if (!expects_session(userdata))
		lives_close_use(userdata, "exited");
	return 0;
}

int use_watch(struct use *u)
{
	uint64_t start = 0;
	int r;

	if (u->pidfd < 0)
		u->pidfd = jitd_fd_take(u->pid, u->start);
	if (u->pidfd < 0) {
		u->pidfd = pidfd_open(u->pid, 0);
		if (u->pidfd < 0)
			return -ESRCH;
		r = process_start(u->pid, &start);
		if (r < 0 || start != u->start)
			return -ESRCH;
	}
	if (!use_alive(u))
		return -ESRCH;
	jitd_fd_keep(u);
	return sd_event_add_io(u->request->jitd->event, &u->watch, u->pidfd, EPOLLIN, on_gone, u);
}

/* The last of what was let finish has finished. */
static void forget_drained(struct request *r)
{
	for (const struct use *u = r->uses; u; u = u->next)
		if (!u->closed)
			return;
	units_disarm(r->jitd->units, r->id, lives_ignore, NULL);
	grantfile_remove(r->id);
}

void lives_close_use(struct use *u, const char *how)
{
	struct request *r = u->request;
	struct json_object *o;

	if (u->closed)
		return;
	u->closed = true;
	jitd_fd_drop(u);
	sd_event_source_disable_unref(u->watch);
	u->watch = NULL;
	if (u->pidfd >= 0)
		close_quietly(u->pidfd);
	u->pidfd = -1;
	o = json_object_new_object();
	json_add_u64(o, "pid", (uint64_t)u->pid);
	json_add_u64(o, "start", u->start);
	json_add_str(o, "user", r->call->user);
	json_add_str(o, "text", how);
	record(r->jitd, EV_CLOSED, r->id, o, NULL);
	if (r->state == STATE_RUNNING && !r->ending) {
		grant_publish(r);
		lives_clock(r);
	} else if (r->state == STATE_ENDED && r->terms.at_end == AT_END_DRAIN && !r->jitd->replaying)
		forget_drained(r);
}

/* The grant's file, before anything takes effect: jit-expire must be able to end it alone. */
void grant_publish(struct request *r)
{
	struct grantfile g = {
		.deadline = r->state == STATE_RUNNING ? r->deadline : r->claim_by,
		.grace = r->terms.grace_usec,
		.drain = r->terms.at_end == AT_END_DRAIN,
		.uid = r->call->uid,
	};
	struct grantfile_pid pids[USES_MAX];
	char *sessions[GRANTFILE_SESSIONS];
	int e;

	strcpy(g.id, r->id);
	strcpy(g.boot, r->jitd->boot);
	g.pids = pids;
	g.sessions = sessions;
	for (struct use *u = r->uses; u; u = u->next) {
		if (u->closed)
			continue;
		if (g.n_pids < USES_MAX)
			pids[g.n_pids++] = (struct grantfile_pid){ .pid = u->pid, .start = u->start };
		if (u->session && g.n_sessions < GRANTFILE_SESSIONS)
			sessions[g.n_sessions++] = u->session;
	}
	e = grantfile_write(&g);
	if (e < 0)
		log_error("%s: the grant's file cannot be written: %s", r->id, strerror(-e));
}

/* ---- which grant serves a call ---- */

static struct use *use_of(struct request *r, pid_t pid, uint64_t start)
{
	for (struct use *u = r->uses; u; u = u->next)
		if (u->pid == pid && u->start == start && !u->closed)
			return u;
	return NULL;
}

/* Another process of the same connection asks, before or behind the one that was let go: a login is one request. */
static bool same_login(const struct request *r, const struct client *c)
{
	for (const struct use *u = r->uses; u; u = u->next)
		if (c->conn && u->conn && !strcmp(c->conn, u->conn) && !(u->closed && u->confirmed))
			return true;
	return false;
}

struct use *lives_own_use(struct request *r, const struct client *c)
{
	return c->process.pid ? use_of(r, c->process.pid, c->process.start) : NULL;
}

bool lives_has_used(struct request *r, const struct client *c)
{
	return c->process.pid && (lives_own_use(r, c) || same_login(r, c));
}

struct request *lives_of(const struct client *c, struct use **ret_use)
{
	for (struct request *r = c->jitd->requests; r; r = r->next) {
		struct use *u = r->state == STATE_RUNNING ? lives_own_use(r, c) : NULL;

		if (u) {
			*ret_use = u;
			return r;
		}
	}
	return NULL;
}

static struct request *match(const struct client *c, const struct rule *rule, bool digest,
	bool (*same)(const struct call *a, const struct call *b, enum scope scope, bool join_user))
{
	uint64_t now = clock_boot();

	for (struct request *r = c->jitd->requests; r; r = r->next) {
		bool whole = r->terms.scope != SCOPE_SERVICE; /* the same words, by digest and all */

		if ((r->state != STATE_GRANTED && r->state != STATE_RUNNING) || r->ending || r->stale)
			continue;
		if (now >= (r->state == STATE_GRANTED ? r->claim_by : r->deadline))
			continue;
		/* The same process asks the same again, because jitd was away when it was to be let go.  It may stand in the
		 * grant's slice already, where its session is out of sight. */
		if ((digest || !whole) && lives_has_used(r, c) && same(r->call, c->call, r->terms.scope, true))
			return r;
		if ((whole && !digest) || strcmp(r->terms.rule, rule->name ? rule->name : POLICY_FALLBACK) != 0)
			continue;
		if (r->state == STATE_RUNNING && whole)
			continue;
		if (same(r->call, c->call, r->terms.scope, r->terms.join_user))
			return r;
	}
	return NULL;
}

struct request *lives_match(const struct client *c, const struct rule *rule, bool digest)
{
	return match(c, rule, digest, call_same);
}

struct request *lives_match_changed(const struct client *c, const struct rule *rule)
{
	return match(c, rule, true, call_same_words);
}

/* ---- letting go ---- */

struct release {
	struct jitd *jitd;
	jit_id id;
	pid_t pid;
	uint64_t start;
};

static struct release *release_new(const struct use *u)
{
	struct release *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->jitd = u->request->jitd;
	strcpy(p->id, u->request->id);
	p->pid = u->pid;
	p->start = u->start;
	return p;
}

/* Everything may have changed while systemd worked: looked up anew. */
static bool release_find(const struct release *p, struct request **ret_r, struct use **ret_u, struct client **ret_c)
{
	struct request *r = request_find(p->jitd, p->id);

	*ret_c = NULL;
	if (!r)
		return false;
	for (struct client *c = r->waiting; c; c = c->next_waiting)
		if (c->process.pid == p->pid && c->process.start == p->start)
			*ret_c = c;
	*ret_r = r;
	*ret_u = use_of(r, p->pid, p->start);
	return true;
}

static void tell_released(struct request *r, struct use *u, struct client *c)
{
	uint64_t now = clock_boot();
	CLEAN(free_p) char *by = lives_approvers(r);
	char left[32], end[32];

	client_unwait(c);
	if (now >= r->deadline || r->ending || !use_alive(u)) {
		client_verdict(c, GATE_TIMED_OUT, r, NULL, false, "the time of %s is up", r->id);
		return;
	}
	if (c->quiet) {
		client_verdict(c, GATE_ALLOW, r, r->call->target, true, NULL);
		return;
	}
	span_format((r->deadline - now + 500000) / USEC_PER_SEC * USEC_PER_SEC, left, sizeof(left));
	client_verdict(c, GATE_ALLOW, r, r->call->target, true, "%s: approved by %s, %s, ends %s", r->id, by, left,
		time_short(r->deadline_real, end, sizeof(end)));
}

static void failed(struct release *p, const char *what, const char *words)
{
	struct request *r;
	struct use *u;
	struct client *c;
	CLEAN(free_p) char *text = NULL;

	if (!release_find(p, &r, &u, &c))
		return;
	if (asprintf(&text, "%s: %s", what, words) < 0)
		text = NULL;
	if (c) {
		client_unwait(c);
		client_verdict(c, GATE_UNREACHABLE, r, NULL, false,
			"%s was approved, but systemd did not confirm its %s (%s), so it is not let through", r->id, what, words);
	}
	/* Without a timer nothing may run; without a scope only this one use is refused. */
	if (!r->armed)
		lives_revoke(r, "jitd", text ? text : words, NULL);
	else if (u)
		lives_close_use(u, "not attached");
}

static void on_attached(int result, const char *words, void *userdata)
{
	struct release *p = userdata;
	struct request *r;
	struct use *u;
	struct client *c;

	if (result < 0)
		failed(p, "scope", words);
	else if (release_find(p, &r, &u, &c) && u) {
		u->attached = true;
		if (c)
			tell_released(r, u, c);
	}
	free(p);
}

static void attach_or_tell(struct request *r, struct use *u, struct release *p)
{
	struct client *c;
	struct use *same;

	/* sudo has no pam_systemd behind it and may run without a session phase: its place is settled now. */
	if (!strcmp(r->call->service, "sudo") && !u->attached) {
		units_attach(r->jitd->units, r->id, u->pid, u->pidfd, use_last_resort(r), r->terms.grace_usec, on_attached, p);
		return;
	}
	if (release_find(p, &r, &same, &c) && c)
		tell_released(r, u, c);
	free(p);
}

/* What C runs under R: another command than was asked for where the scope is wide.  The request has the call of the first. */
static char *use_command(const struct request *r, const struct client *c, size_t max)
{
	const struct call *k = c && c->call ? c->call : r->call;

	return k->argc ? text_argv(k->argv, k->argc, max) : text_escape(k->service, strlen(k->service), max);
}

static void on_armed(int result, const char *words, void *userdata)
{
	struct release *p = userdata;
	struct request *r;
	struct use *u;
	struct client *c;
	CLEAN(free_p) char *by = NULL;

	if (result < 0) {
		failed(p, "timer", words);
		free(p);
		return;
	}
	if (!release_find(p, &r, &u, &c) || !u || r->ending) {
		free(p);
		return;
	}
	r->armed = true;
	by = use_command(r, c, 200);
	receipt(r, "applied", NULL, "%s runs %s on %s", r->call->user, by ? by : "", r->jitd->host);
	attach_or_tell(r, u, p);
}

static struct json_object *use_fields(const struct request *r, const struct use *u, const struct client *c, const char *command)
{
	struct json_object *o = json_object_new_object();
	const struct call *k = c && c->call ? c->call : r->call;
	char when[TIME_RFC3339_LEN + 1];

	json_add_str(o, "user", r->call->user);
	json_add_str(o, "service", r->call->service);
	json_add_str(o, "target", r->call->target ? r->call->target : "unknown");
	json_add_str(o, "command", command);
	if (k->marks && *k->marks)
		json_add_str(o, "marks", k->marks);
	json_add_str(o, "sha256", c ? identity_sha256(&c->found) : NULL);
	json_add_str(o, "note", c ? c->found_note : NULL);
	json_add_u64(o, "pid", (uint64_t)u->pid);
	json_add_u64(o, "ppid", (uint64_t)u->ppid);
	json_add_u64(o, "start", u->start);
	json_add_str(o, "tty", u->tty);
	json_add_str(o, "conn", u->conn);
	json_add_u64(o, "deadline", r->deadline);
	json_add_str(o, "until", time_rfc3339(r->deadline_real, when));
	return o;
}

static struct use *use_new(struct request *r, const struct client *c)
{
	struct use *u = calloc(1, sizeof(*u));
	unsigned n = 0;

	for (const struct use *v = r->uses; v; v = v->next)
		n += !v->closed;
	if (!u || n >= USES_MAX) {
		free(u);
		return NULL;
	}
	u->request = r;
	u->pid = c->process.pid;
	u->ppid = c->process.ppid;
	u->start = c->process.start;
	u->pidfd = fcntl(c->process.pidfd, F_DUPFD_CLOEXEC, 3);
	u->tty = c->process.tty ? strdup(c->process.tty) : NULL;
	u->conn = c->conn ? strdup(c->conn) : NULL;
	u->opened_real = clock_real();
	return u;
}

/* Records the use; at the first one the work time begins. */
static int use_begin(struct request *r, struct use *u, const struct client *c, struct why *w)
{
	CLEAN(free_p) char *command = use_command(r, c, 400);
	bool first = r->state == STATE_GRANTED;
	int e;

	if (first) {
		r->deadline = clock_boot() + r->terms.work_usec;
		r->deadline_real = clock_real() + r->terms.work_usec;
	}
	e = record(r->jitd, first ? EV_OPENED : EV_USED, r->id, use_fields(r, u, c, command), w);
	if (e < 0)
		return e;
	u->next = r->uses;
	r->uses = u;
	if (first) {
		r->armed = false;
		lives_state(r, STATE_RUNNING);
	}
	e = use_watch(u);
	if (e < 0) {
		lives_close_use(u, "gone before it was let go");
		return why(w, e, "the process is gone");
	}
	grant_publish(r);
	return 0;
}

static void use_discard(struct use *u)
{
	if (u->pidfd >= 0)
		close_quietly(u->pidfd);
	free(u->tty);
	free(u->conn);
	free(u);
}

int use_move(struct use *u, const struct process *p, struct why *w)
{
	struct request *r = u->request;
	CLEAN(free_p) char *command = use_command(r, NULL, 400);
	int e;

	lives_close_use(u, "the login goes on in the process that opens its session");
	u->pid = p->pid;
	u->ppid = p->ppid;
	u->start = p->start;
	e = record(r->jitd, EV_USED, r->id, use_fields(r, u, NULL, command), w);
	if (e < 0)
		return e;
	u->closed = false;
	u->expected_until = 0;
	e = use_watch(u);
	if (e >= 0)
		return 0;
	lives_close_use(u, "gone before its session was opened");
	return why(w, e, "the process is gone");
}

void lives_use(struct request *r, struct client *c)
{
	if (c->bus) /* asked ahead: the grant is there, and stays to be used */
		client_verdict(c, GATE_ALLOW, r, NULL, false, NULL);
	else
		release_begin(r, c);
}

void lives_let_go(struct request *r, struct client *c)
{
	struct use *u = lives_own_use(r, c);
	struct release *p;
	struct why w;

	if (!u) {
		u = use_new(r, c);
		if (!u) {
			client_verdict(c, GATE_BUSY, r, NULL, false, "more than %d processes run under %s already", USES_MAX, r->id);
			return;
		}
		if (use_begin(r, u, c, &w) < 0) {
			if (u->request->uses != u) /* never came among them */
				use_discard(u);
			client_verdict(c, GATE_UNREACHABLE, r, NULL, false, "%s is approved, but this use of it cannot be recorded "
				"(%s), so it is not let through", r->id, w.text);
			return;
		}
	}
	p = release_new(u);
	if (!p) {
		client_verdict(c, GATE_UNREACHABLE, r, NULL, false, "out of memory");
		return;
	}
	if (r->armed)
		attach_or_tell(r, u, p);
	else
		units_rearm(r->jitd->units, r->id, r->deadline, on_armed, p);
}
