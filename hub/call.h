/* One HTTP request from its head to its answer.  A handler is called when the body is complete; it either answers or
 * lets the call wait, and is then called again from the start. */
#pragma once
#include <json-c/json.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "hub/hub.h"
#include "lib/envelope.h"

#define CALL_BODY_MAX (ENVELOPE_MAX + 8192) /* an envelope, and what stands around it */
#define CALL_TOO_LARGE 413                  /* libmicrohttpd renamed its constant */
#define CALL_WAIT_MAX 50                    /* seconds of a long-poll */
#define CALL_WAITS_HOST 4                   /* long-polls of one host at a time */
#define CALL_WAITS_APPROVER 8

enum auth { AUTH_NONE, AUTH_HOST, AUTH_APPROVER };

struct call;
struct route {
	const char *method, *path;
	void (*handler)(struct call *c);
	enum auth auth;
};

struct call {
	struct hub *hub;
	const struct route *route; /* NULL: refused before one was found */
	char *caller;              /* the host's name or the approver's principal */
	char *param;               /* the path's {…} */
	char *body;
	size_t len;
	void *work;                /* of a handler that waits for something of its own */
	int work_result;

	/* call.c's own */
	struct MHD_Connection *connection;
	struct link *link;
	struct call *next, *prev; /* among the suspended ones */
	sd_event_source *timer;
	uint64_t deadline;        /* of the wait, monotonic; 0 before the first */
	size_t received;
	bool suspended, polling, over;
	int status;               /* 0: no answer yet */
	char *reply;
	unsigned retry_after;
	char allow[48];
};

/* Answers with O, which is taken; NULL is an empty body when STATUS is 204, else out of memory. */
void call_reply(struct call *c, int status, struct json_object *o);
/* Answers {"error":{"code","message"}}. */
void call_error(struct call *c, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Answers for an error of the store. */
void call_store_error(struct call *c, int r);
/* Answers 429. */
void call_busy(struct call *c, unsigned seconds, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A query parameter; NULL when missing. */
const char *call_query(const struct call *c, const char *name);
/* A number of the query, DEFAULT when missing.  False: answered with 400. */
bool call_number(struct call *c, const char *name, uint64_t max, uint64_t deflt, uint64_t *ret);
/* The body as one JSON object.  False: answered with 400. */
bool call_json(struct call *c, struct json_object **ret);
/* A string member.  NULL: answered with 400. */
const char *call_str(struct call *c, const struct json_object *o, const char *key);

/* Nothing to tell yet: waits up to SECONDS in all for server_wake().  True: the handler returns at once (it will be called
 * again, or too many wait and that has been answered).  False: answer now with what there is. */
bool call_wait(struct call *c, uint64_t seconds);
/* Waits for something else, without bound; call_resume() ends it. */
void call_suspend(struct call *c);
void call_resume(struct call *c);

/* libmicrohttpd's callbacks; CLS is the struct server. */
size_t call_on_unescape(void *cls, struct MHD_Connection *connection, char *s);
enum MHD_Result call_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **con_cls);
void call_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
	enum MHD_RequestTerminationCode code);
