/* Hours of the week in a time zone: "Mon..Fri 08:00-20:00 Europe/Berlin". */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "lib/why.h"
#include "lib/zone.h"

struct hours {
	uint8_t days;      /* bit 0: Monday */
	unsigned from, to; /* minutes of the day, 0 … 1440; from > to: over midnight, into the next day */
	const struct zone *zone; /* borrowed */
};

/* [DAYS] [HH:MM-HH:MM] ZONE, of DAYS and the time at least one.  DAYS: Mon, or Mon..Fri, several with commas.  The zone
 * is looked up in ZONES, and put there.  -EINVAL, -ENOMEM with words. */
int hours_parse(const char *text, struct zone **zones, struct hours *ret, struct why *w);
/* Is REAL_USEC within?  The end does not count.  Hours over midnight belong to the day on which they begin.  What the clocks
 * leave out never comes, what they repeat comes twice. */
bool hours_match(const struct hours *h, uint64_t real_usec);
/* The day and the time there: "Sat 02:30".  Returns BUF. */
#define HOURS_NOW_LEN 9
const char *hours_now(const struct zone *z, uint64_t real_usec, char buf[HOURS_NOW_LEN + 1]);
/* A moment: "2026-06-01 10:00 Europe/Berlin", or "Mon 10:00 Europe/Berlin" for one in the first week of June 2026; the zone is
 * UTC when not said.  Also RFC 3339.  Of a time that the clocks repeat, the first; -EINVAL with words for one that they leave
 * out. */
int hours_moment(const char *text, struct zone **zones, uint64_t *ret_real_usec, struct why *w);
