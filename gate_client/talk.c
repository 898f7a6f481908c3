/* The client side of lib/gate.h: connect, say who asks for what, and hear jitd out, within bounds on everything. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/paths.h"
#include "gate_client/jit.h"

struct talk {
	struct jit *j;
	struct jit_verdict *v;
	struct watch *w; /* NULL in the session talks */
	int fd;
	bool done;          /* *v is the end of it */
	bool connected;     /* jitd was there once */
	bool told_lost;
	uint64_t ceiling;   /* CLOCK_BOOTTIME; the end of all patience */
	uint64_t word_by;   /* CLOCK_MONOTONIC: the next word of jitd */
	uint64_t lost_at;   /* when the connection broke; 0: it has not, or jitd has spoken since */
	uint64_t retry_at, retry_delay;
	unsigned words, prompts;
	bool looked;        /* the user wants to know how it stands: what lies in the socket, and then what jitd says */
	jit_id id;          /* as soon as jitd has named it */
	char last[JIT_LINE_MAX]; /* the last progress, so that a repetition is not shown */
	struct gate_in fields;
	unsigned first_fields;     /* of the opening message; 0: nothing may be added */
	bool id_added;
	size_t first_len, in_most; /* how much of the buffers was ever used */
	char first[GATE_MAX];      /* the opening message, kept to be sent again */
	char in[GATE_MAX + 1];
};

static struct talk *talk_new(struct jit *j, struct jit_verdict *v, uint64_t patience)
{
	struct talk *t = calloc(1, sizeof(*t)); /* large: fresh pages, most of them never touched */

	memset(v, 0, sizeof(*v));
	verdict_own(v, GATE_UNREACHABLE, "no memory or no descriptors left");
	if (!t)
		return NULL;
	t->j = j;
	t->v = v;
	t->fd = -1;
	t->ceiling = clock_boot() + patience;
	return t;
}

static void talk_free(struct talk *t)
{
	if (t->fd >= 0)
		close(t->fd);
	explicit_bzero(t->first, t->first_len); /* argv and reasons hold secrets */
	explicit_bzero(t->in, t->in_most);
	free(t);
}

static void end(struct talk *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->done = true;
	if (!*t->v->id)
		memcpy(t->v->id, t->id, sizeof(t->id));
}

/* ---- connecting ---- */

/* Whoever listens must be root: anybody else could approve. */
static int check_server(int fd)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	return len == sizeof(cred) && cred.uid == JIT_SERVER_UID ? 0 : -EPERM;
}

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	CLEAN(close_p) int fd = fd_above_stdio(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int r;

	if (fd < 0)
		return fd;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", JIT_SOCKET);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	r = check_server(fd);
	return r < 0 ? r : steal_fd(&fd);
}

static int transmit(struct talk *t, const char *buf, size_t len)
{
	return send(t->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void unreachable(struct talk *t, int err)
{
	if (err == -EPERM)
		verdict_own(t->v, GATE_UNREACHABLE, "another than root answers at %s; nothing is let through",
			JIT_SOCKET);
	else if (*t->id)
		verdict_own(t->v, GATE_UNREACHABLE,
			"jitd did not come back (systemctl status jitd)\nthe request %s stays; run the command again",
			t->id);
	else
		verdict_own(t->v, GATE_UNREACHABLE, "jitd cannot be reached at %s (%s); see 'systemctl status jitd'",
			JIT_SOCKET, strerror(-err));
	say_log(t->j, LOG_ERR, "jitd cannot be reached at %s: %s", JIT_SOCKET,
		err == -EPERM ? "the listener is not root" : strerror(-err));
	end(t);
}

/* No connection: come again later, or give up. */
static void retry(struct talk *t, int err)
{
	uint64_t now = clock_mono();
	bool full = err == -EAGAIN; /* listening, but its queue is full */

	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->looked = false;
	if (err == -EPERM || (!t->connected && !full)) {
		unreachable(t, err);
		return;
	}
	if (!t->lost_at) {
		t->lost_at = now;
		t->retry_delay = JIT_RETRY_FIRST;
	}
	if (now - t->lost_at >= (t->connected ? JIT_RETRY_FOR : JIT_FIRST_WAIT)) {
		unreachable(t, err);
		return;
	}
	if (t->connected && !t->told_lost && t->w)
		say(t->j, "jitd went away; waiting for it to come back");
	t->told_lost = true;
	t->retry_at = now + t->retry_delay;
	t->retry_delay = t->retry_delay * 2 < JIT_RETRY_MOST ? t->retry_delay * 2 : JIT_RETRY_MOST;
}

/* After a lost connection jitd is told which request this call waited for: it may have been settled meanwhile. */
static void add_id(struct talk *t)
{
	struct gate_out o = { .buf = t->first, .size = sizeof(t->first), .len = t->first_len, .fields = t->first_fields };
	ssize_t len;

	if (!t->id[0] || !t->first_fields || t->id_added)
		return;
	gate_put(&o, "id", t->id);
	len = gate_finish(&o);
	if (len < 0)
		return;
	t->first_len = (size_t)len;
	t->id_added = true;
}

static void try_connect(struct talk *t)
{
	int r = dial();

	if (r >= 0) {
		t->fd = r;
		t->connected = true;
		t->word_by = clock_mono() + JIT_FIRST_WAIT;
		add_id(t);
		r = transmit(t, t->first, t->first_len);
	}
	if (r < 0)
		retry(t, r);
}

/* ---- hearing ---- */

static void nonsense(struct talk *t, const char *what)
{
	verdict_own(t->v, GATE_UNREACHABLE, "jitd's answer is not understood (%s); nothing is let through", what);
	say_log(t->j, LOG_ERR, "jitd's answer is not understood: %s", what);
	end(t);
}

/* The announced wait, bounded: what is beyond the ceiling makes no difference. */
static int hear_wait(struct talk *t)
{
	uint64_t wait;

	if (gate_get_u64(&t->fields, "wait", &wait) < 0)
		return -EPROTO;
	t->word_by = clock_mono() + (wait < JIT_CEILING ? wait : JIT_CEILING) + JIT_GRACE;
	return 0;
}

static void hear_progress(struct talk *t)
{
	const char *text = gate_get(&t->fields, "text"), *id = gate_get(&t->fields, "id");

	if (!text || (id && !id_valid(id)) || hear_wait(t) < 0) {
		nonsense(t, "progress");
		return;
	}
	if (id)
		memcpy(t->id, id, sizeof(t->id));
	if (!strncmp(t->last, text, sizeof(t->last) - 1))
		return;
	snprintf(t->last, sizeof(t->last), "%s", text);
	/* Without a terminal one line is shown, and it is to be the one that names the request. */
	if (id || t->j->terminal)
		show_progress(t->j, text);
}

static void answer(struct talk *t, const char *text)
{
	char buf[JIT_LINE_MAX + 64];
	struct gate_out o;
	ssize_t len;
	int r;

	gate_begin(&o, buf, sizeof(buf), "answer");
	gate_put(&o, "text", text);
	len = gate_finish(&o);
	r = len < 0 ? (int)len : transmit(t, buf, (size_t)len);
	if (r < 0)
		retry(t, r);
}

static void leave(struct talk *t, enum leave cause);

/* A prompt that was broken off counts as Ctrl-C.  In sshd it ends with the client, and where nothing is passed on to the
 * client (public key alone) it fails at once: that is for jitd to know, and the wait goes on without questions. */
static void unanswered(struct talk *t)
{
	if (t->j->kind != KIND_SSHD)
		leave(t, LEAVE_INTERRUPT);
	else if (watch_wait(t->w, -1, clock_mono()) == WOKE_LEAVE)
		leave(t, watch_cause(t->w));
	else if (!t->j->unsure)
		leave(t, LEAVE_CLIENT_GONE);
	else {
		t->j->prompt = false;
		answer(t, NULL);
	}
}

static bool put_question(struct talk *t, const char *text, char **ret)
{
	int r;

	watch_pause(t->w);
	r = show_prompt(t->j, text, ret);
	watch_resume(t->w);
	if (r == 0 && *ret)
		t->j->unsure = false;
	return r == 0;
}

/* The prompt runs under the host's own mask, so that its way with Ctrl-C works. */
static void hear_ask(struct talk *t)
{
	const char *what = gate_get(&t->fields, "what"), *text = gate_get(&t->fields, "text");
	CLEAN(free_p) char *typed = NULL;
	bool look = what && !strcmp(what, "look");

	if (!what || !text || hear_wait(t) < 0 || (!look && t->prompts++ >= JIT_PROMPTS_MAX)) {
		nonsense(t, "ask");
		return;
	}
	if ((look || !strcmp(what, "reason")) && !put_question(t, text, &typed)) {
		unanswered(t);
		return;
	}
	hear_wait(t); /* it counts from the answer */
	t->last[0] = '\0';
	t->looked = look && typed;
	if (!t->looked)
		answer(t, typed);
	if (typed)
		explicit_bzero(typed, strlen(typed));
}

static void hear(struct talk *t)
{
	ssize_t n = recv(t->fd, t->in, GATE_MAX, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		retry(t, n < 0 ? -errno : -ECONNRESET);
		return;
	}
	if ((size_t)n > t->in_most)
		t->in_most = n < GATE_MAX ? (size_t)n : GATE_MAX;
	if (n > GATE_MAX || ++t->words > JIT_WORDS_MAX || gate_parse(t->in, (size_t)n, &t->fields) < 0) {
		nonsense(t, n > GATE_MAX ? "too long" : t->words > JIT_WORDS_MAX ? "too much" : "malformed");
		return;
	}
	t->lost_at = 0;
	if (!strcmp(t->fields.type, "verdict")) {
		if (verdict_read(&t->fields, t->v) < 0)
			nonsense(t, "verdict");
		else
			end(t);
	} else if (t->w && !strcmp(t->fields.type, "progress"))
		hear_progress(t);
	else if (t->w && !strcmp(t->fields.type, "ask"))
		hear_ask(t);
	else
		nonsense(t, "type");
}

/* ---- leaving ---- */

static const char *cause_word(enum leave cause)
{
	switch (cause) {
	case LEAVE_INTERRUPT:
		return "interrupt";
	case LEAVE_HANGUP:
		return "hangup";
	case LEAVE_CLIENT_GONE:
		return "client-gone";
	case LEAVE_TERMINATED:
	case LEAVE_NOT:
		break;
	}
	return "terminated";
}

/* What jitd has said already may name the request; no verdict counts any more.  Besides, a socket that is closed over
 * unread messages shows its peer an error before our last word. */
static void hear_the_rest(struct talk *t)
{
	for (unsigned i = 0; i < 32; i++) {
		ssize_t n = recv(t->fd, t->in, GATE_MAX, MSG_DONTWAIT);
		const char *id;

		if (n <= 0)
			return;
		if ((size_t)n > t->in_most)
			t->in_most = (size_t)n;
		if (gate_parse(t->in, (size_t)n, &t->fields) < 0)
			continue;
		id = gate_get(&t->fields, "id");
		if (id && id_valid(id))
			memcpy(t->id, id, sizeof(t->id));
	}
}

static void leave(struct talk *t, enum leave cause)
{
	char buf[128];
	struct gate_out o;
	ssize_t len;

	if (t->fd >= 0) {
		hear_the_rest(t);
		gate_begin(&o, buf, sizeof(buf), "leave");
		gate_put(&o, "cause", cause_word(cause));
		len = gate_finish(&o);
		if (len > 0)
			transmit(t, buf, (size_t)len);
	}
	/* A write to where nobody reads any more would only fetch the host a SIGPIPE. */
	t->j->gone = cause == LEAVE_HANGUP || cause == LEAVE_CLIENT_GONE;
	if (*t->id)
		verdict_own(t->v, GATE_PENDING, "not waiting any longer (%s)\n"
			"the request %s stays; run the command again when it is approved, or withdraw it: jitctl cancel %s",
			cause_word(cause), t->id, t->id);
	else
		verdict_own(t->v, GATE_CANCELLED, "not waiting any longer (%s)", cause_word(cause));
	end(t);
}

/* ---- the talks ---- */

static void out_of_time(struct talk *t, const char *words)
{
	say_log(t->j, LOG_ERR, "%s", words);
	if (*t->id)
		verdict_own(t->v, GATE_UNREACHABLE, "%s\nthe request %s stays; run the command again", words, t->id);
	else
		verdict_own(t->v, GATE_UNREACHABLE, "%s; see 'systemctl status jitd'", words);
	end(t);
}

/* What lies in the socket is heard before any clock is looked at: a host that was stopped finds jitd's last word there,
 * and verdict_timely() judges whether it still holds. */
static void step(struct talk *t)
{
	uint64_t boot = clock_boot(), left = boot < t->ceiling ? t->ceiling - boot : 0, until;
	enum woke woke;

	if (t->fd < 0 && left > 0 && clock_mono() >= t->retry_at)
		try_connect(t);
	if (t->done)
		return;
	until = t->fd < 0 ? t->retry_at : t->word_by;
	if (until > clock_mono() + left)
		until = clock_mono() + left;
	woke = watch_wait(t->w, t->fd, t->looked ? clock_mono() : until);
	if (woke == WOKE_LEAVE)
		leave(t, watch_cause(t->w));
	else if (woke == WOKE_DATA)
		hear(t);
	else if (t->looked) {
		t->looked = false;
		answer(t, "");
	} else if (left == 0)
		out_of_time(t, "no verdict in time");
	else if (t->fd >= 0 && clock_mono() >= t->word_by)
		out_of_time(t, "jitd has stopped answering");
}

static ssize_t compose_account(struct talk *t, const char *type, talk_put put)
{
	const char *reason = facts_reason(t->j);
	struct gate_out o;

	gate_begin(&o, t->first, sizeof(t->first), type);
	put(t->j, &o);
	if (reason)
		gate_put_bytes(&o, "reason", reason, strnlen(reason, JIT_LINE_MAX));
	gate_put(&o, "interactive", t->j->unsure ? "try" : t->j->prompt ? "yes" : "no");
	t->first_fields = o.fields;
	return gate_finish(&o);
}

static void converse(struct talk *t, ssize_t len)
{
	if (len < 0) {
		verdict_own(t->v, GATE_REFUSED, "this call is too long to be judged, so it is refused");
		return;
	}
	t->first_len = (size_t)len;
	while (!t->done)
		step(t);
}

void talk_account(struct jit *j, const char *type, talk_put put, struct jit_verdict *v)
{
	struct talk *t = talk_new(j, v, JIT_CEILING);

	if (!t)
		return;
	t->w = watch_begin(j);
	if (t->w) {
		converse(t, compose_account(t, type, put));
		show_verdict(j, v);
	}
	/* Only now: with its mask back the host may be killed by the signal that made us leave. */
	t->w = watch_end(t->w);
	talk_free(t);
}

void talk_session(struct jit *j, const char *type, const char *id, const char *session, uint64_t limit,
	struct jit_verdict *v)
{
	struct talk *t = talk_new(j, v, limit);
	struct gate_out o;

	if (!t)
		return;
	t->connected = true; /* it was, in account: a jitd that is being restarted gets its chance within LIMIT */
	gate_begin(&o, t->first, sizeof(t->first), type);
	facts_put_who(j, &o);
	if (!strcmp(type, "open"))
		facts_put_claims(j, &o);
	gate_put(&o, "session", session);
	gate_put(&o, "id", id);
	converse(t, gate_finish(&o));
	talk_free(t);
}
