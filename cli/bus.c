/* Calls to jitd: see bus.h. */
#include "config.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "cli/bus.h"
#include "cli/cli.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/paths.h"

#define ERROR_PREFIX JIT_BUS_INTERFACE ".Error."

int bus_open(sd_bus **ret)
{
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0)
		return cli_fail(CLI_UNREACHABLE, "cannot connect to the system bus: %s", strerror(-r));
	sd_bus_set_method_call_timeout(bus, BUS_TIMEOUT_USEC);
	*ret = bus;
	return CLI_DONE;
}

/* What jitd's own errors mean as an exit code. */
static int exit_of(const char *name)
{
	static const struct {
		const char *name;
		int exit;
	} known[] = {
		{"NotFound", CLI_NOT_FOUND},           {"NotPermitted", CLI_REFUSED}, {"Refused", CLI_REFUSED},
		{"Misconfigured", CLI_MISCONFIGURED}, {"Misused", CLI_MISUSED},      {"Busy", CLI_REFUSED},
		{"Failed", CLI_REFUSED},
	};

	for (size_t i = 0; i < ELEMENTS(known); i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].exit;
	return CLI_REFUSED;
}

static int judge(int r, const sd_bus_error *e, char **ret_words)
{
	const char *name = e->name ? e->name : "", *message = e->message ? e->message : strerror(-r);
	int n, exit = CLI_UNREACHABLE;

	if (strncmp(name, ERROR_PREFIX, strlen(ERROR_PREFIX)) == 0) {
		exit = exit_of(name + strlen(ERROR_PREFIX));
		n = asprintf(ret_words, "%s", message);
	} else if (strcmp(name, SD_BUS_ERROR_ACCESS_DENIED) == 0) {
		exit = CLI_REFUSED;
		n = asprintf(ret_words, "the bus does not let you: %s", message);
	} else if (strcmp(name, SD_BUS_ERROR_UNKNOWN_METHOD) == 0 || strcmp(name, SD_BUS_ERROR_INVALID_ARGS) == 0) {
		n = asprintf(ret_words, "this jitd does not know how to do that: %s", message);
	} else {
		n = asprintf(ret_words, "jitd cannot be reached: %s (see: systemctl status jitd)", message);
	}
	if (n < 0)
		*ret_words = NULL;
	return exit;
}

static int vcall(sd_bus *bus, const char *method, char **ret, char **ret_words, const char *types, va_list ap)
{
	__attribute__((cleanup(sd_bus_error_free))) sd_bus_error error = SD_BUS_ERROR_NULL;
	CLEAN(bus_message_p) sd_bus_message *call = NULL, *reply = NULL;
	const char *text;
	int r;

	*ret_words = NULL;
	r = sd_bus_message_new_method_call(bus, &call, JIT_BUS_NAME, JIT_BUS_PATH, JIT_BUS_INTERFACE, method);
	if (r >= 0 && types)
		r = sd_bus_message_appendv(call, types, ap);
	if (r >= 0)
		r = sd_bus_call(bus, call, 0, &error, &reply);
	if (r >= 0 && ret)
		r = sd_bus_message_read(reply, "s", &text);
	if (r < 0)
		return judge(r, &error, ret_words);
	if (ret) {
		*ret = strdup(text);
		if (!*ret)
			return CLI_REFUSED;
	}
	return CLI_DONE;
}

int bus_try(sd_bus *bus, const char *method, char **ret, char **ret_words, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = vcall(bus, method, ret, ret_words, types, ap);
	va_end(ap);
	return r;
}

int bus_call(sd_bus *bus, const char *method, char **ret, const char *types, ...)
{
	CLEAN(free_p) char *words = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = vcall(bus, method, ret, &words, types, ap);
	va_end(ap);
	return r == CLI_DONE ? r : cli_fail(r, "%s", words ? words : "out of memory");
}

static int parse_reply(const char *method, const char *text, bool array, struct json_object **ret)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *wrapped = NULL;
	struct json_object *list;
	struct why w;

	/* The reader takes objects only, so an array travels in one. */
	if (asprintf(&wrapped, array ? "{\"list\":%s}" : "%s", text) < 0) {
		wrapped = NULL;
		return cli_oom();
	}
	if (json_parse(wrapped, strlen(wrapped), &o, &w) < 0)
		return cli_fail(CLI_UNREACHABLE, "jitd's answer to %s cannot be read: %s", method, w.text);
	if (!array) {
		*ret = STEAL_PTR(o);
		return CLI_DONE;
	}
	list = json_arr(o, "list");
	if (!list)
		return cli_fail(CLI_UNREACHABLE, "jitd's answer to %s is no list", method);
	*ret = json_object_get(list);
	return CLI_DONE;
}

int bus_call_json(sd_bus *bus, const char *method, struct json_object **ret, bool array, const char *types, ...)
{
	CLEAN(free_p) char *words = NULL, *text = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = vcall(bus, method, &text, &words, types, ap);
	va_end(ap);
	if (r != CLI_DONE)
		return cli_fail(r, "%s", words ? words : "out of memory");
	return parse_reply(method, text, array, ret);
}

struct json_object *bus_list_quietly(void)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(free_p) char *words = NULL, *text = NULL;
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *wrapped = NULL;

	if (sd_bus_open_system(&bus) < 0)
		return NULL;
	sd_bus_set_method_call_timeout(bus, 1000000);
	if (bus_try(bus, "List", &text, &words, "b", 0) != CLI_DONE)
		return NULL;
	if (asprintf(&wrapped, "{\"list\":%s}", text) < 0) {
		wrapped = NULL;
		return NULL;
	}
	if (json_parse(wrapped, strlen(wrapped), &o, NULL) < 0 || !json_arr(o, "list"))
		return NULL;
	return json_object_get(json_arr(o, "list"));
}
