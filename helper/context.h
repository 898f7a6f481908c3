/* What a person at 3 a.m. wants to know of the host, from /proc alone: nothing here can block. */
#pragma once
#include <json-c/json.h>

/* {"load":"0.10 0.12 0.09","up":seconds,"memory_available_mib":N} - a member is left out when it cannot be read. */
struct json_object *context_json(void);
