/* Clocks and spans of time.  Everything that decides runs on CLOCK_BOOTTIME in microseconds, tied to the boot
 * id; the wall clock is for people only. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "lib/why.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MIN (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define USEC_INFINITY UINT64_MAX

#define BOOT_ID_LEN 32 /* hex digits, no dashes */

uint64_t clock_boot(void); /* CLOCK_BOOTTIME, usec */
uint64_t clock_real(void); /* CLOCK_REALTIME, usec since 1970 */
uint64_t clock_mono(void); /* CLOCK_MONOTONIC, usec */

/* The kernel's boot id as 32 hex digits and a NUL.  0, or -errno with ID untouched. */
int clock_boot_id(char id[static BOOT_ID_LEN + 1]);

/* A span as people write it: "90s", "30min", "4h", "1h 30min", "2d", a bare number is seconds.  Units: s sec min m
 * h hr d day w, each once, the larger first.  At most 366 days.  -EINVAL with words. */
int span_parse(const char *text, uint64_t *ret_usec, struct why *w);

/* The same, for the screen, rounded to seconds: "30 min", "1 h 30 min", "45 s".  span_parse() reads it back.  Returns
 * BUF. */
const char *span_format(uint64_t usec, char *buf, size_t size);

/* RFC 3339 in UTC with seconds, "2026-11-21T14:32:05Z" (20 characters and NUL). */
#define TIME_RFC3339_LEN 20
/* A time beyond the year 9999 is shown as its last second. */
const char *time_rfc3339(uint64_t real_usec, char buf[static TIME_RFC3339_LEN + 1]);
/* Parses exactly that form, from 1970 on.  -EINVAL. */
int time_rfc3339_parse(const char *text, uint64_t *ret_real_usec);
/* Local wall-clock time for a person: "14:32", with the day where it is not today: "Sun 14:32", with the date where it is
 * six days away or more: "2026-11-29 14:32".  Asks for the time zone (tzset(3)): not for the modules. */
const char *time_short(uint64_t real_usec, char *buf, size_t size);
