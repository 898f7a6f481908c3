/* jitd's control interface, org.pamjit.Jit1 on the system bus. */
#pragma once
#include <json-c/json.h>
#include <systemd/sd-bus.h>
#include "lib/id.h"

static inline void bus_p(sd_bus **b)
{
	*b = sd_bus_flush_close_unref(*b);
}
static inline void bus_slot_p(sd_bus_slot **s)
{
	*s = sd_bus_slot_unref(*s);
}
static inline void bus_message_p(sd_bus_message **m)
{
	*m = sd_bus_message_unref(*m);
}

#define BUS_TIMEOUT_USEC UINT64_C(20000000)

/* Connects.  An exit code; what went wrong is said. */
int bus_open(sd_bus **ret);
/* Calls METHOD with arguments of TYPES (may be NULL).  Where RET is given, the reply's string is returned there; caller
 * frees.  An exit code; what went wrong is said. */
int bus_call(sd_bus *bus, const char *method, char **ret, const char *types, ...);
/* The same without words: *ret_words (caller frees) has them. */
int bus_try(sd_bus *bus, const char *method, char **ret, char **ret_words, const char *types, ...);
/* A call whose reply is a JSON object (or, where ARRAY, a JSON array). */
int bus_call_json(sd_bus *bus, const char *method, struct json_object **ret, bool array, const char *types, ...);
/* One's own requests, within a second, or NULL; says nothing. */
struct json_object *bus_list_quietly(void);
