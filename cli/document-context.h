/* What a request's document says of the host and of the past (lib/envelope.h: "context", "checks"), in the words of a person.
 * Every value may be missing, and any may be of a form that this jitctl does not know: it is then shown as it stands. */
#pragma once
#include <json-c/json.h>

void document_view_package(struct json_object *doc); /* the file's package, and whether the file is as shipped */
void document_view_ticket(struct json_object *doc);
void document_view_checks(struct json_object *doc);
/* Before and similar requests, who is logged on, failed units, load, memory; then what is not known. */
void document_view_context(struct json_object *doc);
