/* The loop around libmicrohttpd.  What must be observed with external polling: a connection resumed inside a handler is
 * only seen by the next MHD_run(); MHD_get_timeout() must be armed after every run; a suspended connection's end is not
 * noticed; none may be suspended when a daemon stops. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include "hub/login.h"
#include "hub/server.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/log.h"

#define SWEEP_USEC (5 * USEC_PER_SEC)
#define STOP_USEC USEC_PER_SEC
#define PEM_MAX (256 * 1024)
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static int arm(sd_event_source *timer, uint64_t usec)
{
	int r = sd_event_source_set_time(timer, usec);

	return r < 0 ? r : sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void run(struct server *s)
{
	uint64_t soonest = USEC_INFINITY, now;
	unsigned MHD_LONG_LONG ms;
	int on;

	do {
		sd_event_source_set_enabled(s->kick, SD_EVENT_OFF);
		for (size_t i = 0; i < s->n_listeners; i++)
			MHD_run(s->listener[i].daemon);
	} while (sd_event_source_get_enabled(s->kick, &on) >= 0 && on != SD_EVENT_OFF);

	if (s->stopping)
		return; /* the event loop has ended; drain() looks by itself */
	now = clock_mono();
	for (size_t i = 0; i < s->n_listeners; i++)
		if (MHD_get_timeout(s->listener[i].daemon, &ms) == MHD_YES && now + ms * 1000 < soonest)
			soonest = now + ms * 1000;
	if (soonest == USEC_INFINITY)
		sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	else if (arm(s->timer, soonest) < 0)
		log_error("a timer cannot be armed");
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	run(userdata);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	run(userdata);
	return 0;
}

static int on_kick(sd_event_source *source, void *userdata)
{
	run(userdata);
	return 0;
}

void server_kick(struct server *s)
{
	sd_event_source_set_enabled(s->kick, SD_EVENT_ONESHOT);
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct server *s = userdata;
	uint64_t now = clock_mono();

	for (struct link *l = s->links; l; l = l->next)
		if (!l->busy && now - l->since > SERVER_IDLE_SEC * USEC_PER_SEC)
			shutdown(l->fd, SHUT_RDWR); /* libmicrohttpd reads the end and cleans up */
	return arm(source, now + SWEEP_USEC);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct server *s = cls;
	struct link *l = *socket_context;
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		l = calloc(1, sizeof(*l));
		if (!l || !info) {
			free(l);
			return; /* such a connection is only bound by libmicrohttpd's time-out */
		}
		*l = (struct link){ .next = s->links, .fd = info->connect_fd, .since = clock_mono() };
		if (l->next)
			l->next->prev = l;
		s->links = l;
		*socket_context = l;
	} else if (l) {
		if (l->prev)
			l->prev->next = l->next;
		else
			s->links = l->next;
		if (l->next)
			l->next->prev = l->prev;
		*socket_context = NULL;
		free(l);
	}
}

void server_wake(struct server *s, enum auth kind, const char *key)
{
	struct call *next;

	for (struct call *c = s->suspended; c; c = next) {
		next = c->next;
		if (c->polling && c->route->auth == kind && (!key || !strcmp(c->caller, key)))
			call_resume(c);
	}
}

static bool peer_gone(const struct call *c)
{
	struct pollfd p = { .fd = c->link ? c->link->fd : -1, .events = POLLIN | POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

static size_t count(struct server *s, enum auth kind, const char *key, bool let_go)
{
	struct call *next;
	size_t n = 0;

	for (struct call *c = s->suspended; c; c = next) {
		next = c->next;
		if (!c->polling || c->route->auth != kind || strcmp(c->caller, key))
			continue;
		if (let_go && peer_gone(c)) {
			c->over = true;
			call_resume(c);
		} else
			n++;
	}
	return n;
}

size_t server_waits(struct server *s, enum auth kind, const char *key, size_t limit)
{
	size_t n = count(s, kind, key, false);

	return n < limit ? n : count(s, kind, key, true);
}

static void __attribute__((format(printf, 2, 0))) on_mhd_log(void *cls, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

static int read_pem(const char *path, char **ret, struct why *w)
{
	CLEAN(close_p) int fd = file_open_trusted(AT_FDCWD, path, geteuid(), w);
	size_t len;
	int r;

	if (fd < 0)
		return fd;
	r = file_read_all(fd, PEM_MAX, ret, &len);
	return r < 0 ? why(w, r, "%s: %s", path, strerror(-r)) : 0;
}

static void pem_free(char **p)
{
	if (*p)
		explicit_bzero(*p, strlen(*p));
	free(*p);
}

static struct MHD_Daemon *start(struct server *s, int fd, char *certificate, char *key)
{
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (certificate ? MHD_USE_TLS : 0),
		0, NULL, NULL, call_on_request, s,
		/* first: libmicrohttpd logs while it reads the others */
		MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVER_CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, s->hub->conf.per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVER_IDLE_SEC,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_UNESCAPE_CALLBACK, call_on_unescape, s,
		MHD_OPTION_NOTIFY_COMPLETED, call_on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_ARRAY, certificate ? tls : none, MHD_OPTION_END);
}

static int add_listener(struct server *s, int fd, char *certificate, char *key, struct why *w)
{
	struct listener *l = &s->listener[s->n_listeners];
	const union MHD_DaemonInfo *info;
	int r;

	l->server = s;
	l->daemon = start(s, fd, certificate, key);
	if (!l->daemon) {
		close_quietly(fd);
		return why(w, -EIO, "the HTTP server cannot start%s",
			certificate ? ": are Certificate= and PrivateKey= a pair, in PEM?" : "");
	}
	s->n_listeners++;
	info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	r = info ? sd_event_add_io(s->hub->event, &l->io, info->epoll_fd, EPOLLIN, on_io, s) : -EIO;
	return r < 0 ? why(w, r, "the HTTP server cannot be watched: %s", strerror(-r)) : 0;
}

static int add_sources(struct server *s)
{
	sd_event *event = s->hub->event;
	int r;

	r = sd_event_add_time(event, &s->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, s);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &s->sweep, CLOCK_MONOTONIC, clock_mono() + SWEEP_USEC, 0, on_sweep, s);
	if (r >= 0)
		r = sd_event_add_defer(event, &s->kick, on_kick, s);
	return r;
}

static int name_run(struct server *s)
{
	uint8_t bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	hex_encode(bytes, sizeof(bytes), s->run);
	return 0;
}

int server_new(struct hub *hub, struct server **ret, struct why *w)
{
	CLEAN(pem_free) char *certificate = NULL, *key = NULL;
	int fds[HUB_LISTEN_MAX], r = 0;
	struct server *s;
	size_t n = 0, i = 0;

	if (hub->conf.certificate) {
		r = read_pem(hub->conf.certificate, &certificate, w);
		if (r >= 0)
			r = read_pem(hub->conf.private_key, &key, w);
		if (r < 0)
			return r;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return why(w, -ENOMEM, "out of memory");
	s->hub = hub;
	r = name_run(s);
	if (r >= 0)
		r = add_sources(s);
	if (r < 0)
		why(w, r, "cannot start: %s", strerror(-r));
	if (r >= 0)
		r = listen_open(&hub->conf, fds, &n, w);
	for (; r >= 0 && i < n; i++)
		r = add_listener(s, fds[i], certificate, key, w);
	for (; i < n; i++)
		close_quietly(fds[i]);
	if (r < 0) {
		server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* Runs until every call has its answer. */
static void drain(struct server *s)
{
	uint64_t end = clock_mono() + STOP_USEC;
	struct pollfd p[HUB_LISTEN_MAX];

	while (s->suspended)
		call_resume(s->suspended);
	for (run(s); s->n_calls && clock_mono() < end; run(s)) {
		for (size_t i = 0; i < s->n_listeners; i++)
			p[i] = (struct pollfd){ .fd = MHD_get_daemon_info(s->listener[i].daemon,
				MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN };
		(void)poll(p, s->n_listeners, 20);
	}
}

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	s->stopping = true;
	for (size_t i = 0; i < s->n_listeners; i++)
		close_quietly(MHD_quiesce_daemon(s->listener[i].daemon));
	if (s->n_listeners)
		drain(s);
	for (size_t i = 0; i < s->n_listeners; i++) {
		sd_event_source_disable_unref(s->listener[i].io);
		MHD_stop_daemon(s->listener[i].daemon);
	}
	sd_event_source_disable_unref(s->kick);
	sd_event_source_disable_unref(s->timer);
	sd_event_source_disable_unref(s->sweep);
	free(s);
	return NULL;
}
