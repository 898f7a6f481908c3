/* json-c, strictly and bounded: the few calls that the tree needs. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/why.h"

static inline void json_put_p(struct json_object **o)
{
	if (*o)
		json_object_put(*o);
}

/* One JSON object and nothing after it: strict, valid UTF-8, depth at most 8, no doubled key, no NUL in a string, whole
 * numbers within 64 bits.  -EINVAL with words. */
int json_parse(const char *text, size_t len, struct json_object **ret, struct why *w);
/* Members by type; NULL / false / -ENOENT / -EINVAL when missing or of another type. Strings live as long as O. */
const char *json_str(const struct json_object *o, const char *key);
int json_u64(const struct json_object *o, const char *key, uint64_t *ret);
bool json_true(const struct json_object *o, const char *key); /* false when missing */
struct json_object *json_obj(const struct json_object *o, const char *key);
struct json_object *json_arr(const struct json_object *o, const char *key);
/* Adding.  -ENOMEM; a string that is not UTF-8 is -EINVAL (use json_bytes()); VALUE NULL adds nothing. */
int json_add_str(struct json_object *o, const char *key, const char *value);
int json_add_u64(struct json_object *o, const char *key, uint64_t value);
int json_add_bool(struct json_object *o, const char *key, bool value);
/* VALUE is taken, also on failure; NULL is an allocation that failed: -ENOMEM. */
int json_add(struct json_object *o, const char *key, struct json_object *value);
/* Bytes that may not be UTF-8 (argv, paths): a string where they are, else {"base64":"…"}.  New object. */
struct json_object *json_bytes(const char *s, size_t len);
/* Back again: a malloc'ed NUL-terminated copy, *ret_len its length. -EINVAL for anything else. */
int json_bytes_get(const struct json_object *o, char **ret, size_t *ret_len);
/* The one way to print: plain, no blanks, slashes not escaped.  Lives as long as O. */
const char *json_text(struct json_object *o);
