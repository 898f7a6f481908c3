/* The grammar of JSON (RFC 8259), checked before json-c builds anything: json-c takes NaN, silently drops the first of two
 * members with one name, cuts a name at a NUL and turns a lone surrogate into U+FFFD. */
#pragma once
#include <stddef.h>
#include "lib/why.h"

#define JSON_DEPTH_MAX 8

/* One object of valid UTF-8 and nothing but white space after it, depth at most JSON_DEPTH_MAX (the object itself is 1),
 * whole numbers within int64 and uint64, no \u0000, surrogates in pairs.  Whether names are doubled shows only after
 * decoding: *RET_MEMBERS counts the members of all objects, to be compared with what was built.  -EINVAL with words. */
int json_scan(const char *text, size_t len, size_t *ret_members, struct why *w);
