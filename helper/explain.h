/* What would be decided about a call, and why: the method of the bus behind `jitctl explain`. */
#pragma once
#include "helper/control.h"

/* Which rule decides, why no earlier one did, what its checks say now, and who would be asked.  Answers K when the checks
 * have been looked at. */
void explain_method(struct control_call *k);
