/* Open and close of sessions.  What is confirmed here is that the process which opens a session is the one that was let
 * go, for the target that was granted, in time, and that it stands in the grant's slice. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "helper/jitd.h"
#include "helper/lives.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/text.h"

#define ALLOWED_MAX 256
#define ALLOWED_KEEP_USEC (3 * USEC_PER_MIN) /* longer than sshd's LoginGraceTime */

struct allowed_login {
	struct allowed_login *next;
	pid_t pid, ppid;
	uint64_t start, until;
	char *user, *conn; /* conn: NULL: not known */
};

/* Drops what is too old, and the oldest beyond the bound. */
static void allowed_prune(struct jitd *j)
{
	unsigned n = 0;

	for (struct allowed_login **p = &j->allowed; *p;) {
		struct allowed_login *a = *p;

		if (a->until > clock_boot() && ++n <= ALLOWED_MAX) {
			p = &a->next;
			continue;
		}
		*p = a->next;
		free(a->user);
		free(a->conn);
		free(a);
	}
}

void session_allow(struct client *c, const char *user)
{
	struct allowed_login *a = calloc(1, sizeof(*a));

	allowed_prune(c->jitd);
	if (!a)
		return;
	a->pid = c->process.pid;
	a->ppid = c->process.ppid;
	a->start = c->process.start;
	a->until = clock_boot() + ALLOWED_KEEP_USEC;
	a->user = strdup(user);
	a->conn = c->conn ? strdup(c->conn) : NULL;
	a->next = c->jitd->allowed;
	c->jitd->allowed = a;
}

/* A connection is one login, whatever process of sshd speaks for it.  Where it is not known, the parent of the one that was
 * judged is that login's. */
static bool same_connection(const char *a, const char *b, bool parent)
{
	return a && b ? !strcmp(a, b) : parent;
}

static bool login_was_allowed(struct jitd *j, const struct process *p, const char *user, const char *conn)
{
	allowed_prune(j);
	for (const struct allowed_login *a = j->allowed; a; a = a->next)
		if (((a->pid == p->pid && a->start == p->start) || same_connection(a->conn, conn, a->ppid == p->pid)) && a->user &&
		    !strcmp(a->user, user))
			return true;
	return false;
}

static bool session_expects(const struct use *u, const struct process *p, const char *conn)
{
	return !u->confirmed && same_connection(u->conn, conn, u->ppid == p->pid);
}

/* The open use that this process stands for.  sshd's account phase may have run in a child of it. */
static struct use *find_use(struct jitd *j, const struct process *p, const char *service, const char *conn)
{
	for (struct request *r = j->requests; r; r = r->next) {
		if (r->state != STATE_RUNNING)
			continue;
		for (struct use *u = r->uses; u; u = u->next) {
			if (u->closed && strcmp(r->call->service, "sshd") != 0)
				continue;
			if (u->pid == p->pid && u->start == p->start)
				return u;
			if (!strcmp(service, "sshd") && !strcmp(r->call->service, "sshd") && session_expects(u, p, conn))
				return u;
		}
	}
	return NULL;
}

static void refuse(struct client *c, const struct request *r, const char *words)
{
	record_refusal(c->jitd, "session", r ? r->id : NULL, NULL, "%s", words);
	client_verdict(c, GATE_REFUSED, r, NULL, false, "%s", words);
}

static bool target_agrees(struct client *c, struct use *u, const char *user)
{
	struct request *r = u->request;
	struct json_object *o;

	if (r->call->target)
		return !strcmp(r->call->target, user);
	/* Nobody could tell beforehand; the people who agreed were told so.  Now it is known, and recorded. */
	o = json_object_new_object();
	json_add_str(o, "user", r->call->user);
	json_add_str(o, "target", user);
	json_add_u64(o, "pid", (uint64_t)u->pid);
	json_add_str(o, "text", "the session's target");
	return record(c->jitd, EV_USED, r->id, o, NULL) >= 0;
}

struct opening {
	struct jitd *jitd;
	jit_id id;
	pid_t pid;
	uint64_t start;
};

static void on_attached(int result, const char *words, void *userdata)
{
	struct opening *p = userdata;
	struct request *r = request_find(p->jitd, p->id);
	struct client *c = r ? r->waiting : NULL;

	while (c && (c->process.pid != p->pid || c->process.start != p->start || c->state != CLIENT_SESSION))
		c = c->next_waiting;
	if (c) {
		client_unwait(c);
		for (struct use *u = r->uses; u; u = u->next)
			if (u->pid == p->pid && u->start == p->start && result >= 0)
				u->attached = u->confirmed = true;
		if (result < 0)
			refuse(c, r, words);
		else if (r->ending || r->state != STATE_RUNNING || clock_boot() >= r->deadline)
			refuse(c, r, "the grant has ended meanwhile");
		else
			client_verdict(c, GATE_ALLOW, r, NULL, false, NULL);
	}
	free(p);
}

static void attach(struct client *c, struct use *u)
{
	struct opening *p = calloc(1, sizeof(*p));
	struct request *r = u->request;

	if (!p) {
		refuse(c, r, "out of memory");
		return;
	}
	p->jitd = c->jitd;
	strcpy(p->id, r->id);
	p->pid = c->process.pid;
	p->start = c->process.start;
	c->state = CLIENT_SESSION;
	c->request = r;
	c->next_waiting = r->waiting;
	r->waiting = c;
	units_attach(c->jitd->units, r->id, u->pid, u->pidfd, use_last_resort(r), r->terms.grace_usec, on_attached, p);
}

/* sshd: the session is logind's; it is ended through logind and has its RuntimeMaxSec. */
static void login_session(struct client *c, struct use *u, const char *session)
{
	struct request *r = u->request;

	if (u->pid != c->process.pid) { /* the account phase ran in a child: from now on it is this process */
		struct why w;

		if (use_move(u, &c->process, &w) < 0) {
			refuse(c, r, w.text);
			return;
		}
	}
	if (session && !u->session)
		u->session = strdup(session);
	u->confirmed = true;
	grant_publish(r);
	client_verdict(c, GATE_ALLOW, r, NULL, false, NULL);
}

void session_open(struct client *c, const struct gate_in *in)
{
	const char *service = gate_get(in, "service"), *user = gate_get(in, "user"), *session = gate_get(in, "session");
	const char *conn = gate_get(in, "conn");
	struct use *u;

	c->state = CLIENT_SESSION;
	if (!service || !user || (session && (!name_valid(session) || strlen(session) > 31))) {
		refuse(c, NULL, "a session without service or user");
		return;
	}
	u = find_use(c->jitd, &c->process, service, conn);
	if (!u && exact_session(c, service, user)) {
		client_verdict(c, GATE_ALLOW, NULL, user, false, NULL);
		return;
	}
	if (!u && !strcmp(service, "sshd") && login_was_allowed(c->jitd, &c->process, user, conn)) {
		client_verdict(c, GATE_ALLOW, NULL, user, false, NULL);
		return;
	}
	if (!u || strcmp(service, u->request->call->service) != 0) {
		refuse(c, NULL, "this process was not let go under any grant");
		return;
	}
	if (u->request->ending || clock_boot() >= u->request->deadline) {
		refuse(c, u->request, "the grant's time is up");
		return;
	}
	if (!target_agrees(c, u, user)) {
		CLEAN(free_p) char *name = text_escape(user, strlen(user), 64), *words = NULL;

		if (asprintf(&words, "the session is for %s, but %s was granted", name ? name : "?",
			     u->request->call->target ? u->request->call->target : "another account") >= 0)
			refuse(c, u->request, words);
		else
			refuse(c, u->request, "the session is for another account than was granted");
		return;
	}
	if (!strcmp(service, "sshd"))
		login_session(c, u, session);
	else if (u->attached && units_contains(u->request->id, u->pid)) {
		u->confirmed = true;
		client_verdict(c, GATE_ALLOW, u->request, NULL, false, NULL);
	} else
		attach(c, u);
}

void session_close(struct client *c, const struct gate_in *in)
{
	const char *service = gate_get(in, "service");
	struct use *u = service ? find_use(c->jitd, &c->process, service, NULL) : NULL;

	if (u && !u->closed)
		lives_close_use(u, "closed");
	client_verdict(c, GATE_ALLOW, NULL, NULL, false, NULL);
}
