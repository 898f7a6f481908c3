/* What the courier remembers of one enrollment: how far it has collected, what it has handed over.  One file, replaced as a
 * whole; another secret is another enrollment and starts with nothing. */
#pragma once
#include <stdint.h>
#include "courier/set.h"
#include "lib/digest.h"
#include "lib/why.h"

struct state {
	char enrollment[SHA256_HEX + 1]; /* SHA-256 of the secret; "" before one is known */
	uint64_t cursor;
	struct set requests; /* ids that the hub was offered and not told to be settled */
	struct set receipts; /* names that the hub has, or will never take */
};
void state_done(struct state *s);
/* A missing file is an empty state.  -EINVAL with words for one that cannot be read (RET is empty then). */
int state_load(const char *dir, struct state *ret, struct why *w);
int state_save(const char *dir, const struct state *s);
/* Belongs to SECRET from now on; empties it when it did not.  0 or -errno. */
int state_bind(struct state *s, const char *secret);
