/* What jitd remembers that helps with a new request: for its context (lib/envelope.h), from memory alone. */
#pragma once
#include "helper/jitd.h"

#define PAST_USEC USEC_PER_DAY
#define PAST_LAST 3

/* "last": the requester's latest requests and what became of them.  "similar": how often the same command was asked for, as
 * the same account, by anybody, and what the people said.  Whole command lines of other rules are not told: their approvers
 * are others.  0 or -ENOMEM. */
int past_add(const struct request *r, struct json_object *o);
/* The ticket that REASON names: what the rule's PATTERN (POSIX extended; NULL: none) matches, if that looks like one, else
 * the first word like INC-1234.  Caller frees; NULL: none. */
char *past_ticket(const char *reason, const char *pattern);
