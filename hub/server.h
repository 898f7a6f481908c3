/* libmicrohttpd on sd-event: one daemon for each listening socket, driven from outside through its epoll descriptor. */
#pragma once
#include <microhttpd.h>
#include "hub/call.h"

#define SERVER_CONNECTIONS 2048
#define SERVER_IDLE_SEC 30 /* to send a request whole, to take an answer whole, and between two */

/* A connection, so that one that dawdles can be ended: libmicrohttpd's own time-out starts anew with every byte. */
struct link {
	struct link *next, *prev;
	int fd;
	uint64_t since; /* monotonic: begin of what the peer has to do now */
	bool busy;      /* the peer waits for us */
};

struct server {
	struct hub *hub;
	struct listener {
		struct MHD_Daemon *daemon;
		sd_event_source *io;
		struct server *server;
	} listener[HUB_LISTEN_MAX];
	size_t n_listeners;
	sd_event_source *kick, *timer, *sweep;
	struct call *suspended;
	struct link *links;
	size_t n_calls;
	bool stopping;
	char run[33]; /* of this process: tells hosts that the hub was away */
};

/* Listens on what systemd passed, else on Listen=. */
int server_new(struct hub *hub, struct server **ret, struct why *w);
/* Lets everybody who waits have an answer, then closes.  At most about a second. */
struct server *server_free(struct server *s);
/* Calls again every long-poll of KEY (NULL: of anybody) of that kind. */
void server_wake(struct server *s, enum auth kind, const char *key);
/* Something was resumed: run again soon. */
void server_kick(struct server *s);
/* How many long-polls of KEY there are; those whose peer has gone are let go first when there are LIMIT. */
size_t server_waits(struct server *s, enum auth kind, const char *key, size_t limit);

/* listen.c: the sockets, non-blocking; refused where plain HTTP would be heard beyond loopback. */
int listen_open(const struct hub_conf *conf, int fds[static HUB_LISTEN_MAX], size_t *ret_n, struct why *w);
