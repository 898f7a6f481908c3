/* Between control.c (the bus) and methods.c (what each method does). */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <json-c/json.h>

struct control_call;
typedef void (*control_method)(struct control_call *k); /* answers K and frees it, at once or later */

struct control_call {
	struct control_call *next;
	struct control *control;
	sd_bus_message *message;
	control_method method;
	uid_t uid;     /* of the caller, by the bus */
	pid_t pid;
	bool operator; /* root, or of the group jit-operators */
	void *data;    /* the method's own */
};
struct jitd;
struct request;
control_method control_methods_find(const char *name);
void control_call_free(struct control_call *k);
/* Answers with org.pamjit.Jit1.Error.NAME and frees K. */
int control_error(struct control_call *k, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Answers with O (taken) as text and frees K. */
void control_reply_json(struct control_call *k, struct json_object *o);
struct jitd *control_jitd(const struct control_call *k);
/* The request of that id, or NULL and K is answered. */
struct request *control_request(struct control_call *k, const char *text);
