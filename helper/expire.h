/* The end of a grant by systemd's hand: what jit-expire@ID.service does, whether jitd lives or not.  Takes no lock,
 * writes no ledger; leaves a note (notes.h). */
#pragma once
#include <stdbool.h>
#include "lib/id.h"

/* Before the deadline nothing is done (0), except that a deadline less than 2 s away is waited for.  After it, or with
 * FORCE: see DESIGN, "The end of a grant".  A grant whose file is missing or unreadable is ended as if its time were up.
 * 0, or -errno when something lives on or no note could be left. */
int expire(const jit_id id, bool force);
