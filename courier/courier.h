/* jit-courier: carries requests and receipts to the hub and answers back.  It reads the outbox, writes the inbox, and has
 * nothing else; it need not be trusted with more than delivery. */
#pragma once
#include <stdbool.h>
#include <systemd/sd-event.h>
#include "courier/conf.h"
#include "courier/state.h"
#include "courier/status.h"
#include "courier/web.h"

#define COURIER_STATEDIR "/var/lib/jit-courier"
#define COURIER_ANSWER_MAX (1024 * 1024)
#define COURIER_LONG_POLL 50 /* seconds, while a request is pending */
#define COURIER_POLL 60      /* seconds between two short polls otherwise */
#define COURIER_LOOK_AGAIN 15 /* seconds until a missing configuration, secret or folder is looked for again */

struct sender;
struct collector;
struct questions;

struct courier_paths {
	const char *config, *outbox, *inbox, *statedir, *status;
};

struct courier {
	sd_event *event;
	struct courier_paths paths;
	struct courier_conf conf;
	bool configured;
	char *secret;
	sd_event_source *secret_watch;
	struct web *web;
	struct state state;
	struct status status;
	struct sender *sender;
	struct collector *collector;
	struct questions *questions;
};

/* When a lane (sending, collecting) may try again. */
struct backoff {
	unsigned failures;
	uint64_t not_before; /* monotonic usec */
};
void backoff_success(struct backoff *b);
/* 1 s, doubled with each failure up to 60 s, of which a random half counts; never before SECONDS that the hub named. */
void backoff_failure(struct backoff *b, unsigned seconds);
void backoff_hurry(struct backoff *b); /* a new request: in one second at the latest */

/* Calls HANDLER at USEC (monotonic), whatever the source did before. */
int timer_arm(sd_event *event, sd_event_source **source, uint64_t usec, sd_event_time_handler_t handler, void *userdata);

/* Configuration and secret are there (read now when they are not)?  Else the status says so. */
bool courier_ready(struct courier *c);
void courier_reload(struct courier *c);
/* What an answer says about the hub itself.  True: it was reached and did not turn us away. */
bool courier_judge(struct courier *c, const struct web_answer *a);

/* sender.c: outbox to hub */
int sender_new(struct courier *c, struct sender **ret);
struct sender *sender_free(struct sender *s);
size_t sender_pending(const struct sender *s);
void sender_reconnect(struct sender *s); /* the hub was away: what it has is not sure any more */
void sender_kick(struct sender *s);
void sender_again(struct sender *s); /* at once, whatever failed before */
const char *sender_complaint(const struct sender *s); /* of a request that the hub will not take; NULL */

/* collector.c: hub to inbox */
int collector_new(struct courier *c, struct collector **ret);
struct collector *collector_free(struct collector *k);
void collector_kick(struct collector *k);
void collector_again(struct collector *k);

/* questions.c: what jitd's checks ask of a URL; with or without a hub */
int questions_new(struct courier *c, struct questions **ret);
struct questions *questions_free(struct questions *q);

/* enroll.c: `jit-courier enroll …`: an exit code */
int enroll_command(const struct courier_paths *paths, int argc, char **argv);
