/* Time zones as pure data: the rules of tzdata's files, read once, asked for any moment.  No environment, no tzset(3), no
 * global state. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/why.h"

#define ZONE_DIR "/usr/share/zoneinfo"
#define ZONE_NAME_MAX 64

struct zone;

/* A name of tzdata ("Europe/Berlin", "UTC"): letters, digits, '_', '+', '-', and '/' between parts; no way out of the
 * directory. */
bool zone_name_valid(const char *name);
/* From the file of that name in tzdata; "UTC" needs no file.  -EINVAL with words: there is no such zone, or its file is not
 * understood. */
int zone_load(const char *name, struct zone **ret, struct why *w);
/* The same from the bytes of such a file (TZif, RFC 9636, any version; leap seconds are not taken). */
int zone_parse(const char *name, const void *bytes, size_t len, struct zone **ret, struct why *w);
struct zone *zone_free(struct zone *z); /* and all behind it in a list; NULL */
/* The zone of that name from LIST, loaded into it when it is not there yet. */
int zone_get(struct zone **list, const char *name, const struct zone **ret, struct why *w);
const char *zone_name(const struct zone *z);
/* Seconds east of UTC at T (seconds since 1970). */
int32_t zone_offset(const struct zone *z, int64_t t);
