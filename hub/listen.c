/* The listening sockets: systemd's, else those of Listen=. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include "hub/server.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define BACKLOG 512

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

static bool loopback(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

/* Judges a socket that listens, whoever made it, and says where it does. */
static int judge(const struct hub_conf *conf, int fd, struct why *w)
{
	union address a = { 0 };
	socklen_t len = sizeof(a);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(fd, &a.any, &len) < 0)
		return why(w, -errno, "a listening socket: %s", strerror(errno));
	if (a.any.sa_family != AF_INET && a.any.sa_family != AF_INET6)
		return why(w, -EAFNOSUPPORT, "jit-hub listens on IPv4 and IPv6 only");
	if (getnameinfo(&a.any, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return why(w, -EINVAL, "a listening socket has no address");
	if (!conf->certificate && !conf->insecure && !loopback(&a))
		return why(w, -EPERM, "plain HTTP on %s port %s would be heard by others: give Certificate= and "
			"PrivateKey=, or say Insecure=yes", host, port);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return why(w, -errno, "a listening socket: %s", strerror(errno));
	log_info("listening on %s port %s (%s)", host, port, conf->certificate ? "HTTPS" : "plain HTTP");
	return 0;
}

static int resolve(const char *text, struct addrinfo **ret, struct why *w)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	const char *colon = strrchr(text, ':');
	CLEAN(free_p) char *host = NULL;
	size_t len = (size_t)(colon - text);
	int r;

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
		host = strndup(text + 1, len - 2);
	else
		host = strndup(text, len);
	if (!host)
		return why(w, -ENOMEM, "out of memory");
	r = getaddrinfo(host, colon + 1, &hints, ret);
	return r ? why(w, -EINVAL, "Listen=%s: %s (numeric addresses only)", text, gai_strerror(r)) : 0;
}

static int open_one(const char *text, struct why *w)
{
	CLEAN(close_p) int fd = -1;
	struct addrinfo *ai = NULL;
	int on = 1, r;

	r = resolve(text, &ai, w);
	if (r < 0)
		return r;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (ai->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		r = why(w, -errno, "Listen=%s: %s", text, strerror(errno));
	freeaddrinfo(ai);
	return r < 0 ? r : steal_fd(&fd);
}

static int open_all(const struct hub_conf *conf, int fds[static HUB_LISTEN_MAX], size_t *n, struct why *w)
{
	int passed = sd_listen_fds(1), r;

	if (passed < 0)
		return why(w, passed, "the sockets that systemd passed: %s", strerror(-passed));
	if (passed > HUB_LISTEN_MAX)
		return why(w, -E2BIG, "more than %d sockets", HUB_LISTEN_MAX);
	for (int i = 0; i < passed; i++) {
		if (sd_is_socket(SD_LISTEN_FDS_START + i, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
			return why(w, -EINVAL, "systemd passed something that is no listening stream socket");
		fds[(*n)++] = SD_LISTEN_FDS_START + i;
	}
	for (size_t i = 0; !passed && i < conf->n_listen; i++) {
		r = open_one(conf->listen[i], w);
		if (r < 0)
			return r;
		fds[(*n)++] = r;
	}
	return 0;
}

int listen_open(const struct hub_conf *conf, int fds[static HUB_LISTEN_MAX], size_t *ret_n, struct why *w)
{
	size_t n = 0;
	int r = open_all(conf, fds, &n, w);

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = judge(conf, fds[i], w);
	if (r < 0) {
		while (n)
			close_quietly(fds[--n]);
		return r;
	}
	*ret_n = n;
	return 0;
}
