/* Clients on the gate socket: accepted up to quotas, known by the kernel's word, heard only in the state in which a
 * message is legal.  Every slip closes that one client. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "helper/jitd.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/text.h"

#define CLIENTS_MAX 2048       /* all of them; a new one then drops the oldest that has said nothing */
#define CLIENTS_PER_UID 64     /* of one real uid, root excepted: its processes are the host's own */
#define FIRST_WORD_USEC (5 * USEC_PER_SEC)
#define WORK_WORD_USEC (2 * USEC_PER_SEC) /* a client hears this often that it is being looked at */
#define SEND_BUFFER (256 * 1024)

_Static_assert(2 * WORK_WORD_USEC < GATE_FIRST_WAIT_USEC, "the module gives up before it hears that it is not forgotten");

struct gate {
	struct jitd *jitd;
	int fd;
	bool ours; /* made by us: unlinked at the end */
	sd_event_source *io;
	struct client *clients; /* newest first */
	unsigned n;
	char buffer[GATE_MAX + 1];
};

unsigned gate_clients(const struct gate *g)
{
	return g ? g->n : 0;
}

static void client_free(struct client *c)
{
	struct gate *g = c->gate;

	account_cancel(c);
	for (struct client **p = &g->clients; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			g->n--;
			break;
		}
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	sd_event_source_disable_unref(c->work);
	if (c->fd >= 0)
		close_quietly(c->fd);
	process_done(&c->process);
	call_free(c->call);
	free(c->conn);
	identity_done(&c->found);
	free(c->found_note);
	if (c->bus)
		control_answer(c, GATE_UNREACHABLE, NULL, "jitd is being stopped");
	free(c);
}

static int client_send(struct client *c, struct gate_out *o)
{
	ssize_t len = gate_finish(o);

	if (len < 0 || c->fd < 0)
		return (int)(len < 0 ? len : 0);
	return send(c->fd, o->buf, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

__attribute__((format(printf, 1, 0))) static char *format(const char *fmt, va_list ap)
{
	char *text;

	return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

void client_verdict(struct client *c, enum gate_result result, const struct request *grant, const char *target,
	bool session, const char *fmt, ...)
{
	char buf[8192];
	struct gate_out o;
	CLEAN(free_p) char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	text = fmt ? format(fmt, ap) : NULL;
	va_end(ap);
	if (c->bus)
		control_answer(c, result, grant, text ? text : "");
	gate_begin(&o, buf, sizeof(buf), "verdict");
	gate_put(&o, "result", gate_result_string(result));
	gate_put(&o, "text", text);
	if (grant)
		gate_put(&o, "id", grant->id);
	if (grant && result == GATE_ALLOW) {
		gate_put_u64(&o, "deadline", grant->deadline);
		gate_put(&o, "boot", c->jitd->boot);
	}
	gate_put(&o, "target", target);
	gate_put(&o, "session", session ? "yes" : NULL);
	r = client_send(c, &o);
	if (r < 0)
		log_warning("verdict to process %d: %s", (int)c->process.pid, strerror(-r));
	client_free(c);
}

static void client_text(struct client *c, const char *type, const char *what, const char *id, uint64_t wait, const char *text)
{
	char buf[8192];
	struct gate_out o;

	gate_begin(&o, buf, sizeof(buf), type);
	gate_put(&o, "what", what);
	gate_put(&o, "text", text);
	gate_put(&o, "id", id);
	gate_put_u64(&o, "wait", wait);
	client_send(c, &o);
}

void client_progress(struct client *c, const char *id, uint64_t wait, const char *fmt, ...)
{
	CLEAN(free_p) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	if (text)
		client_text(c, "progress", NULL, id, wait, text);
}

static int on_silence(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct client *c = userdata;

	if (c->state == CLIENT_NEW)
		client_free(c);
	else if (c->state == CLIENT_ASKED)
		client_verdict(c, GATE_REFUSED, NULL, NULL, false, "no reason was given in time; run it again");
	return 0;
}

void client_ask(struct client *c, uint64_t wait, const char *prompt)
{
	c->state = CLIENT_ASKED;
	sd_event_source_disable_unref(c->timer);
	c->timer = NULL;
	sd_event_add_time_relative(c->jitd->event, &c->timer, CLOCK_BOOTTIME, wait, 0, on_silence, c);
	client_text(c, "ask", "reason", NULL, wait, prompt);
}

void client_look(struct client *c, uint64_t wait, const char *prompt)
{
	c->state = CLIENT_LOOKING;
	c->asked_at = clock_boot();
	client_text(c, "ask", "look", NULL, wait, prompt);
}

/* Names, digests and systemd may take their time, and the module its leave. */
static int on_work(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct client *c = userdata;

	if (c->state != CLIENT_WORKING && c->state != CLIENT_RELEASING)
		return 0;
	client_progress(c, NULL, 2 * WORK_WORD_USEC, "%s", c->state == CLIENT_WORKING ? "looking at the command; this takes longer "
		"than usual" : "opening the grant; this takes longer than usual");
	sd_event_source_set_time_relative(s, WORK_WORD_USEC);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

void client_work(struct client *c, bool releasing)
{
	c->state = releasing ? CLIENT_RELEASING : CLIENT_WORKING;
	if (c->bus)
		return;
	sd_event_source_disable_unref(c->work);
	c->work = NULL;
	sd_event_add_time_relative(c->jitd->event, &c->work, CLOCK_BOOTTIME, WORK_WORD_USEC, 0, on_work, c);
}

void client_unwait(struct client *c)
{
	if (!c->request)
		return;
	for (struct client **p = &c->request->waiting; *p; p = &(*p)->next_waiting)
		if (*p == c) {
			*p = c->next_waiting;
			break;
		}
	c->request = NULL;
	c->next_waiting = NULL;
}

/* ---- messages, each legal in its states only ---- */

static void do_leave(struct client *c, const struct gate_in *in)
{
	client_free(c); /* the request stays */
}

static const struct {
	const char *type;
	unsigned legal; /* bits of states */
	void (*handler)(struct client *c, const struct gate_in *in);
} messages[] = {
	{ "account", 1u << CLIENT_NEW, account_begin },
	{ "approval", 1u << CLIENT_NEW, account_begin },
	{ "answer", 1u << CLIENT_ASKED, account_answer },
	{ "answer", 1u << CLIENT_LOOKING, account_look },
	{ "leave", 1u << CLIENT_WORKING | 1u << CLIENT_ASKED | 1u << CLIENT_WAITING | 1u << CLIENT_LOOKING |
		1u << CLIENT_RELEASING, do_leave },
	{ "open", 1u << CLIENT_NEW, session_open },
	{ "close", 1u << CLIENT_NEW, session_close },
};

static void dispatch(struct client *c, const struct gate_in *in)
{
	bool known = false;

	for (size_t i = 0; i < ELEMENTS(messages); i++) {
		if (strcmp(messages[i].type, in->type) != 0)
			continue;
		known = true;
		if (messages[i].legal & (1u << c->state)) {
			messages[i].handler(c, in);
			return;
		}
	}
	if (known)
		record_refusal(c->jitd, "gate", NULL, NULL, "message '%s' out of turn", in->type);
	else
		record_refusal(c->jitd, "gate", NULL, NULL, "unknown message");
	client_free(c);
}

static int on_message(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct client *c = userdata;
	struct gate_in in;
	ssize_t n;
	int r;

	n = recv(fd, c->gate->buffer, GATE_MAX + 1, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) { /* gone: what it asked for stays pending */
		client_free(c);
		return 0;
	}
	r = n > GATE_MAX ? -EMSGSIZE : gate_parse(c->gate->buffer, (size_t)n, &in);
	if (r < 0) {
		record_refusal(c->jitd, "gate", NULL, NULL, "malformed message: %s", strerror(-r));
		client_free(c);
		return 0;
	}
	dispatch(c, &in);
	return 0;
}

/* ---- accepting ---- */

static int judge_peer(struct gate *g, int fd, struct process *ret, bool *ret_busy)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	unsigned same = 0;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (cred.uid != 0) {
		record_refusal(g->jitd, "gate", NULL, NULL, "a peer with effective uid %u", (unsigned)cred.uid);
		return -EPERM;
	}
	r = process_read(cred.pid, ret);
	if (r < 0)
		return r;
	for (struct client *c = g->clients; c; c = c->next)
		same += c->process.uid == ret->uid && !c->busy;
	if (ret->uid != 0 && same >= CLIENTS_PER_UID) {
		record_refusal(g->jitd, "gate", NULL, NULL, "more than %d calls of uid %u at once", CLIENTS_PER_UID,
			(unsigned)ret->uid);
		*ret_busy = true;
	}
	return 0;
}

/* Room for one more: the oldest client that has said nothing yet goes. */
static bool make_room(struct gate *g)
{
	struct client *oldest = NULL;

	if (g->n < CLIENTS_MAX)
		return true;
	for (struct client *c = g->clients; c; c = c->next)
		if (c->state == CLIENT_NEW)
			oldest = c;
	if (oldest)
		client_free(oldest);
	return oldest != NULL;
}

static struct client *client_add(struct gate *g, int fd, struct process *p)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->gate = g;
	c->jitd = g->jitd;
	c->began = clock_boot();
	c->fd = fd;
	c->process = *p;
	c->next = g->clients;
	g->clients = c;
	g->n++;
	*p = (struct process){ .pidfd = -1 };
	return c;
}

struct client *gate_client_for_bus(struct gate *g, struct process *p, struct call *call, void *bus)
{
	struct client *c = make_room(g) ? client_add(g, -1, p) : NULL;

	if (!c)
		return NULL;
	c->call = call;
	c->bus = bus;
	client_work(c, false);
	return c;
}

static int client_new(struct gate *g, int fd, struct process *p, bool busy)
{
	struct client *c = client_add(g, fd, p);
	int buffer = SEND_BUFFER, r;

	if (!c)
		return -ENOMEM;
	c->busy = busy;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	r = sd_event_add_io(g->jitd->event, &c->io, fd, EPOLLIN, on_message, c);
	if (r >= 0)
		r = sd_event_add_time_relative(g->jitd->event, &c->timer, CLOCK_BOOTTIME, FIRST_WORD_USEC, 0, on_silence, c);
	if (r < 0) {
		client_free(c);
		return 0; /* the descriptor went with it */
	}
	return 0;
}

static int on_accept(sd_event_source *s, int listen_fd, uint32_t revents, void *userdata)
{
	struct gate *g = userdata;
	struct process p = { .pidfd = -1 };
	bool busy = false;
	CLEAN(close_p) int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return 0;
	if (!make_room(g)) {
		record_refusal(g->jitd, "gate", NULL, NULL, "more than %d calls at once", CLIENTS_MAX);
		return 0;
	}
	if (judge_peer(g, fd, &p, &busy) < 0)
		return 0;
	if (client_new(g, fd, &p, busy) >= 0)
		steal_fd(&fd);
	process_done(&p);
	return 0;
}

static int bind_gate(int *ret)
{
	CLEAN(close_p) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = GATE_SOCKET };
	mode_t mask;
	int r;

	if (fd < 0)
		return -errno;
	if (unlink(GATE_SOCKET) < 0 && errno != ENOENT)
		return -errno;
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, SOMAXCONN) < 0 ? -errno : 0;
	umask(mask);
	if (r >= 0)
		*ret = steal_fd(&fd);
	return r;
}

int gate_open(struct jitd *j, int fd, struct gate **ret)
{
	struct gate *g = calloc(1, sizeof(*g));
	int r = 0;

	if (!g)
		return -ENOMEM;
	g->jitd = j;
	g->ours = fd < 0;
	if (fd < 0)
		r = bind_gate(&fd);
	else
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (r >= 0) {
		g->fd = fd;
		r = sd_event_add_io(j->event, &g->io, fd, EPOLLIN, on_accept, g);
	}
	if (r < 0) {
		free(g);
		return r;
	}
	*ret = g;
	return 0;
}

struct gate *gate_close(struct gate *g)
{
	if (!g)
		return NULL;
	while (g->clients)
		client_free(g->clients);
	sd_event_source_disable_unref(g->io);
	close_quietly(g->fd);
	if (g->ours)
		unlink(GATE_SOCKET);
	free(g);
	return NULL;
}
