/* How often a key may ask: a bucket for each, filled at a steady rate.  The table is of fixed size; when it is full the
 * bucket that rested longest is given up, which can only forget, never refuse. */
#pragma once
#include <stdint.h>

#define LIMIT_HOST 600     /* requests a minute of one host */
#define LIMIT_APPROVER 300 /* of one approver */
#define LIMIT_ADDRESS 120  /* of one address without credentials */

struct limits;
int limits_new(struct limits **ret);
struct limits *limits_free(struct limits *l);
/* Takes one from the bucket of KIND and KEY at NOW (monotonic usec), which holds PER_MINUTE.  0, or how many seconds to
 * wait. */
unsigned limit_take(struct limits *l, char kind, const char *key, unsigned per_minute, uint64_t now);
