/* The hub's answer to GET /v1/host/inbox, read as what it is: a stranger's words. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "courier/inbox.h"
#include "lib/why.h"

#define RUN_MAX 64

struct answer {
	struct inbox_item item;
	char *text; /* the envelope; NULL: its form is bad, it is passed over */
};
struct answers {
	struct answer *list;
	size_t n;
	uint64_t next;
	char run[RUN_MAX + 1]; /* "" when not said */
};
void answers_done(struct answers *a);
/* "run" (optional, hex digits) names one run of the hub's program.  Refuses as a whole (-EINVAL with words) what is
 * not {"items":[{"n","envelope"}…],"next"} with n ascending from AFTER and next the last of them. */
int answers_parse(const char *text, size_t len, uint64_t after, struct answers *ret, struct why *w);
