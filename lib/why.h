/* The words that go with an error.  The contract of the whole tree (HACKING, "Errors"): a function that can
 * fail returns a negative errno and leaves its outputs untouched; where a person must read the cause, its last
 * parameter is a struct why, filled only on failure. */
#pragma once
#include <stdarg.h>

#define WHY_MAX 512

struct why {
	char text[WHY_MAX]; /* one line, no newline, UTF-8, already escaped */
};

/* Writes the words into WHY (may be NULL) and returns ERR, so that an error site is one line:
 *	return why(w, -EINVAL, "%s:%u: unknown key '%s'", file, line, key);
 * What a screen must not get is escaped as text_line() does; too long a text is cut and ends in "...".  Arguments may lie
 * in W itself.  errno stays as it was. */
int why(struct why *w, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
