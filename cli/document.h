/* A request's document (lib/envelope.h): checking its form and showing it to a person. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include "lib/why.h"

/* Where requester's text is cut on the screen. */
#define SHOWN_LINE 200
#define SHOWN_LONG 2000

/* Reads the exact bytes of a request document and checks every field's form, as strictly as one must who signs its digest.
 * -EINVAL with words. */
int document_parse(const char *bytes, size_t len, struct json_object **ret, struct why *w);

/* A member as text fit for the screen, cut at MAX; NULL when missing.  Understands bytes ({"base64":…}).  Caller frees. */
char *document_text(struct json_object *doc, const char *key, size_t max);
/* The command as one line: argv, or what stands in its place.  Never NULL except out of memory. */
char *document_command(struct json_object *doc, size_t max);
/* "alice → root"; never NULL except out of memory. */
char *document_who(struct json_object *doc);
/* Each team that may answer, with its principals. */
void document_view_teams(struct json_object *doc);
/* What deserves a look before a yes, in a few words: marks, a changed file, checks that fail; "" when nothing does.  Caller
 * frees. */
char *document_alarms(struct json_object *doc);
/* All of it, as aligned fields: who, what, file, package, as, where, why, ticket, marks, for, scope, rule, need, and what
 * document-context.h shows. */
void document_view(struct json_object *doc);
