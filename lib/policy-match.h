/* What the judging of rules is made of.  Nobody but policy's own files includes this. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "lib/policy.h"

enum match { MATCH_NO, MATCH_UNKNOWN, MATCH_YES };

/* All of a rule's keys.  A no is a no whatever else is unknown.  Words (W may be NULL) for anything but yes. */
enum match match_rule(const struct rule *r, const struct facts *f, struct why *w);
/* Those of them that are about the host alone. */
enum match match_host(const struct rule *r, const struct facts *f);
/* May this call be allowed without anybody looking at it?  Words when not. */
bool fit_for_allow(const struct facts *f, struct why *w);
/* Puts LIST as the file has it into BUF, cut when too long.  Returns BUF. */
const char *list_words(char *const *list, const char *between, char *buf, size_t size);
