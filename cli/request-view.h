/* jitd's request objects (D-Bus: List, Show) in the words of a person. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include "cli/screen.h"

enum style state_style(const char *state);
/* "answer in 4 min, 1 of sre missing", "ends in 29 min", "approved by bob": what matters about it now.  Returns BUF. */
const char *request_now(struct json_object *request, char *buf, size_t size);
/* The people who said VERDICT, "bob and carol"; "" when nobody did.  Returns BUF. */
const char *request_people(struct json_object *request, const char *verdict, char *buf, size_t size);
/* All of it. */
void request_view(struct json_object *request);
