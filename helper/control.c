/* The D-Bus interface.  Who calls is the bus's word: every call first asks the bus for the caller's credentials, without
 * waiting, and is served when they are there. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include "helper/control.h"
#include "helper/jitd.h"
#include "helper/lives.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"
#include "lib/text.h"

#define CALL_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define RECONNECT_USEC (5 * USEC_PER_SEC)
#define CALLS_MAX 256
#define CALLS_PER_UID 8 /* under way: a digest of a large file may take seconds, and others wait for the same worker */

struct control {
	struct jitd *jitd;
	sd_bus *bus;
	sd_event_source *retry;
	gid_t operators;
	unsigned calls;
	struct control_call *list;
};

void control_call_free(struct control_call *k)
{
	if (!k)
		return;
	for (struct control_call **p = &k->control->list; *p; p = &(*p)->next)
		if (*p == k) {
			*p = k->next;
			break;
		}
	k->control->calls--;
	sd_bus_message_unref(k->message);
	free(k);
}

int control_error(struct control_call *k, const char *name, const char *fmt, ...)
{
	char full[64], text[600];
	sd_bus_error error = SD_BUS_ERROR_NULL;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(full, sizeof(full), JIT_BUS_INTERFACE ".Error.%s", name);
	error.name = full;
	error.message = text;
	sd_bus_reply_method_error(k->message, &error);
	control_call_free(k);
	return 0;
}

void control_reply_json(struct control_call *k, struct json_object *o)
{
	if (!o)
		control_error(k, "Failed", "out of memory");
	else {
		sd_bus_reply_method_return(k->message, "s", json_text(o));
		control_call_free(k);
	}
	json_object_put(o);
}

struct jitd *control_jitd(const struct control_call *k)
{
	return k->control->jitd;
}

/* The request named in the call, if the caller may see it. */
struct request *control_request(struct control_call *k, const char *text)
{
	struct request *r;
	jit_id id;

	if (id_parse(text, id) < 0) {
		CLEAN(free_p) char *shown = text_escape(text, strlen(text), 40);

		control_error(k, "Misused", "'%s' is no id; ids look like K7QF-2M9X", shown ? shown : "");
		return NULL;
	}
	r = request_find(k->control->jitd, id);
	if (!r || (r->call->uid != k->uid && !k->operator)) {
		control_error(k, "NotFound", "there is no request %s%s", id, k->operator ? "" : " of yours");
		return NULL;
	}
	return r;
}

/* ---- credentials, then dispatch ---- */

static int read_groups(sd_bus_message *m, struct control_call *k)
{
	const uint32_t *gids;
	size_t size;
	int r = sd_bus_message_enter_container(m, 'v', "au");

	if (r < 0)
		return r;
	r = sd_bus_message_read_array(m, 'u', (const void **)&gids, &size);
	if (r < 0)
		return r;
	for (size_t i = 0; i < size / sizeof(*gids); i++)
		if (k->control->operators != (gid_t)-1 && gids[i] == k->control->operators)
			k->operator = true;
	return sd_bus_message_exit_container(m);
}

static int read_credentials(sd_bus_message *m, struct control_call *k)
{
	bool have_uid = false;
	uint32_t n;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *key;

		r = sd_bus_message_read(m, "s", &key);
		if (r >= 0 && !strcmp(key, "UnixUserID")) {
			r = sd_bus_message_read(m, "v", "u", &n);
			k->uid = n;
			have_uid = r >= 0;
		} else if (r >= 0 && !strcmp(key, "ProcessID")) {
			r = sd_bus_message_read(m, "v", "u", &n);
			k->pid = (pid_t)n;
		} else if (r >= 0 && !strcmp(key, "UnixGroupIDs"))
			r = read_groups(m, k);
		else if (r >= 0)
			r = sd_bus_message_skip(m, "v");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : have_uid ? 0 : -EACCES;
}

static int on_credentials(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct control_call *k = userdata;
	unsigned same = 0;

	if (sd_bus_message_is_method_error(m, NULL) || read_credentials(m, k) < 0)
		return control_error(k, "NotPermitted", "the bus does not say who calls");
	if (k->uid == 0)
		k->operator = true;
	for (const struct control_call *o = k->control->list; o; o = o->next)
		same += o->uid == k->uid;
	if (!k->operator && same > CALLS_PER_UID)
		return control_error(k, "Busy", "more than %d calls of yours at once", CALLS_PER_UID);
	k->method(k);
	return 0;
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct control *c = userdata;
	control_method method = control_methods_find(sd_bus_message_get_member(m));
	struct control_call *k;
	int r;

	if (!method)
		return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_METHOD, "no such method");
	if (c->calls >= CALLS_MAX)
		return sd_bus_error_setf(error, JIT_BUS_INTERFACE ".Error.Busy", "more than %d calls at once", CALLS_MAX);
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	c->calls++;
	k->control = c;
	k->next = c->list;
	c->list = k;
	k->message = sd_bus_message_ref(m);
	k->method = method;
	k->uid = UID_NONE;
	r = sd_bus_call_method_async(c->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
		"GetConnectionCredentials", on_credentials, k, "s", sd_bus_message_get_sender(m));
	if (r < 0)
		control_call_free(k);
	return r < 0 ? r : 1;
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("List", SD_BUS_ARGS("b", all), SD_BUS_RESULT("s", json), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Show", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", json), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Request", SD_BUS_ARGS("s", json), SD_BUS_RESULT("s", id), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("s", id), SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Revoke", SD_BUS_ARGS("s", id, "s", note), SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("s", json), SD_BUS_RESULT("s", json), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Status", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL_WITH_ARGS("Changed", SD_BUS_ARGS("s", id, "s", state), 0),
	SD_BUS_VTABLE_END,
};

/* ---- the bus itself ---- */

static void connect_later(struct control *c);

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct control *c = userdata;

	log_warning("the system bus is gone; trying again");
	connect_later(c);
	return 0;
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	if (sd_bus_message_is_method_error(m, NULL))
		log_error("the bus name " JIT_BUS_NAME " cannot be had: %s", sd_bus_message_get_error(m)->message);
	return 0;
}

static int connect_bus(struct control *c)
{
	int r = sd_bus_open_system(&c->bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(c->bus, CALL_TIMEOUT_USEC);
	if (r >= 0)
		r = sd_bus_set_exit_on_disconnect(c->bus, 0);
	if (r >= 0)
		r = sd_bus_add_object_vtable(c->bus, NULL, JIT_BUS_PATH, JIT_BUS_INTERFACE, vtable, c);
	if (r >= 0)
		r = sd_bus_match_signal_async(c->bus, NULL, "org.freedesktop.DBus.Local", NULL,
			"org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL, c);
	if (r >= 0)
		r = sd_bus_request_name_async(c->bus, NULL, JIT_BUS_NAME, SD_BUS_NAME_REPLACE_EXISTING, on_name, c);
	if (r >= 0)
		r = sd_bus_attach_event(c->bus, c->jitd->event, SD_EVENT_PRIORITY_NORMAL);
	if (r < 0)
		c->bus = sd_bus_close_unref(c->bus);
	return r;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct control *c = userdata;

	if (c->bus) {
		sd_bus_detach_event(c->bus);
		c->bus = sd_bus_close_unref(c->bus);
	}
	if (connect_bus(c) < 0)
		connect_later(c);
	return 0;
}

static void connect_later(struct control *c)
{
	sd_event_source_disable_unref(c->retry);
	c->retry = NULL;
	sd_event_add_time_relative(c->jitd->event, &c->retry, CLOCK_BOOTTIME, RECONNECT_USEC, 0, on_retry, c);
}

int control_new(struct jitd *j, struct control **ret)
{
	struct control *c = calloc(1, sizeof(*c));
	const struct group *g = getgrnam(JIT_OPERATORS); /* at the start only: the loop asks no name service */

	if (!c)
		return -ENOMEM;
	c->jitd = j;
	c->operators = g ? g->gr_gid : (gid_t)-1;
	if (connect_bus(c) < 0)
		connect_later(c); /* the gate works without a bus; jitctl will once it is there */
	*ret = c;
	return 0;
}

struct control *control_free(struct control *c)
{
	if (!c)
		return NULL;
	sd_event_source_disable_unref(c->retry);
	if (c->bus)
		sd_bus_flush_close_unref(c->bus);
	free(c);
	return NULL;
}

void control_changed(struct jitd *j, const struct request *r)
{
	if (j->control && j->control->bus)
		sd_bus_emit_signal(j->control->bus, JIT_BUS_PATH, JIT_BUS_INTERFACE, "Changed", "ss", r->id,
			state_string(r->state));
}
