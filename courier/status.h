/* The status file, for `jitctl status`:
 *	{"hub":URL,"state":"reachable|unreachable|refused|unconfigured","since":RFC 3339,"error"?,"last_delivery"?,
 *	 "last_collection"?,"pending":N,"undelivered":[ID,…]}
 * `since` tells when the state began; `last_delivery` when the hub took something last; `last_collection` when answers
 * came last; `pending` how many requests the hub has not taken yet, `undelivered` which, the first STATUS_LISTED of them. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "courier/set.h"
#include "lib/why.h"

#define STATUS_LISTED 256

enum status_state { STATUS_UNCONFIGURED, STATUS_UNREACHABLE, STATUS_REFUSED, STATUS_REACHABLE };

struct status {
	const char *path;
	char *hub;
	enum status_state state;
	uint64_t since, last_delivery, last_collection; /* real usec; 0: never */
	struct set undelivered;
	struct why error; /* "": none */
	char *written;    /* what stands in the file */
};
void status_done(struct status *s);
void status_set(struct status *s, enum status_state state, const char *error);
/* Writes the file when it would differ. Failures are logged only. */
void status_write(struct status *s);
