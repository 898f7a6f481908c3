/* A call of the past, as a record of the ledger has it, and what the rules said of it then. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include "lib/policy.h"

#define NEED_TEXT 512

struct past {
	struct facts facts;
	char **argv, *cwd, *binary, *remote;
	const char **groups;
	enum decision decision;
	const char *rule;
	char need[NEED_TEXT]; /* "" : nobody was asked */
	struct json_object *checks; /* results of that time; NULL: none were looked at */
};

/* Did the rules, or their checks, decide this record's call?  People deny as well. */
bool past_by_rule(const struct json_object *record);
/* Fills a zeroed RET, which borrows from RECORD.  -ENOENT, -EINVAL: the record does not hold the whole call; -ENOMEM.  past_done()
 * is due in any case. */
int past_read(const struct json_object *record, struct past *ret);
void past_done(struct past *k);
/* What RULE came to for K with what its checks found then; one that nobody looked at then holds. */
void past_checked(const struct past *k, const struct rule *r, struct checked *ret);
