/* What a person at 3 a.m. wants to know before saying yes: gathered by child processes (jit-context) within a second, while
 * the requester is still asked for a reason.  What does not come in time is left out and named.  It is for people: nothing
 * of it is the ground of a decision. */
#pragma once
#include <stdbool.h>
#include <systemd/sd-event.h>
#include <json-c/json.h>

#define CONTEXT_USEC UINT64_C(1000000)

struct contexts;
int contexts_new(sd_event *event, struct contexts **ret);
struct contexts *contexts_free(struct contexts *c); /* those that were begun must be freed before */

struct context;
typedef void (*context_done)(void *userdata);
/* Begins to look at the host for a call of USER that runs BINARY (absolute; NULL: none), found below ROOT, the root directory
 * of who asks (process_root(); the caller's own; below 0: jitd's).  DONE is called once, from the
 * loop and never from inside this call, when all is known or the second is over.  NULL: out of memory. */
struct context *context_begin(struct contexts *all, const char *user, int root, const char *binary, context_done done,
	void *userdata);
bool context_ready(const struct context *c);
/* Was it learnt that somebody other than root can change what BINARY leads to?  (helper/writable.h)  C NULL: no. */
bool context_writable(const struct context *c);
/* Ends what still runs; DONE is not called any more.  Accepts NULL. */
struct context *context_free(struct context *c);
/* The gathered members into O, then load, memory and time since boot.  C NULL: nothing was gathered.  SHA256 is the
 * digest that the request has of its binary, "" none: what was learnt of other bytes is not told.  0 or -ENOMEM. */
int context_add(const struct context *c, const char *sha256, struct json_object *o);
