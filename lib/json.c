#include "lib/json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json-scan.h"
#include "lib/text.h"

static void tokener_p(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

/* Members of all objects within O; json_scan() bounded the depth. */
static size_t count_members(struct json_object *o)
{
	size_t n = 0;

	switch (json_object_get_type(o)) {
	case json_type_object: {
		json_object_object_foreach(o, key, value) {
			(void)key;
			n += 1 + count_members(value);
		}
		return n;
	}
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += count_members(json_object_array_get_idx(o, i));
		return n;
	default:
		return 0;
	}
}

int json_parse(const char *text, size_t len, struct json_object **ret, struct why *w)
{
	CLEAN(tokener_p) struct json_tokener *t = NULL;
	CLEAN(json_put_p) struct json_object *o = NULL;
	size_t members;
	int r;

	if (len > INT_MAX / 2)
		return why(w, -EINVAL, "JSON of more than a gigabyte");
	r = json_scan(text, len, &members, w);
	if (r < 0)
		return r;
	t = json_tokener_new_ex(JSON_DEPTH_MAX + 8);
	if (!t)
		return why(w, -ENOMEM, "out of memory");
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(t, text, (int)len);
	if (!o || !json_object_is_type(o, json_type_object))
		return why(w, -EINVAL, "not proper JSON: %s", json_tokener_error_desc(json_tokener_get_error(t)));
	if (count_members(o) != members)
		return why(w, -EINVAL, "not proper JSON: a name stands twice in one object");
	*ret = STEAL_PTR(o);
	return 0;
}

/* The member, borrowed, when it is of TYPE. -ENOENT, -EINVAL. */
static int member(const struct json_object *o, const char *key, enum json_type type, struct json_object **ret)
{
	struct json_object *got;

	if (!o || !json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &got))
		return -ENOENT;
	if (!json_object_is_type(got, type) || type == json_type_null)
		return -EINVAL;
	*ret = got;
	return 0;
}

const char *json_str(const struct json_object *o, const char *key)
{
	struct json_object *got;

	return member(o, key, json_type_string, &got) < 0 ? NULL : json_object_get_string(got);
}

int json_u64(const struct json_object *o, const char *key, uint64_t *ret)
{
	struct json_object *got;
	int r = member(o, key, json_type_int, &got);

	if (r < 0)
		return r;
	if (json_object_get_int64(got) < 0)
		return -EINVAL;
	*ret = json_object_get_uint64(got);
	return 0;
}

bool json_true(const struct json_object *o, const char *key)
{
	struct json_object *got;

	return member(o, key, json_type_boolean, &got) == 0 && json_object_get_boolean(got);
}

struct json_object *json_obj(const struct json_object *o, const char *key)
{
	struct json_object *got;

	return member(o, key, json_type_object, &got) < 0 ? NULL : got;
}

struct json_object *json_arr(const struct json_object *o, const char *key)
{
	struct json_object *got;

	return member(o, key, json_type_array, &got) < 0 ? NULL : got;
}

int json_add(struct json_object *o, const char *key, struct json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(o, key, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

int json_add_str(struct json_object *o, const char *key, const char *value)
{
	size_t len;

	if (!value)
		return 0;
	len = strlen(value);
	if (len > INT_MAX || !text_utf8(value, len))
		return -EINVAL;
	return json_add(o, key, json_object_new_string_len(value, (int)len));
}

int json_add_u64(struct json_object *o, const char *key, uint64_t value)
{
	return json_add(o, key, json_object_new_uint64(value));
}

int json_add_bool(struct json_object *o, const char *key, bool value)
{
	return json_add(o, key, json_object_new_boolean(value));
}

struct json_object *json_bytes(const char *s, size_t len)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *coded = NULL;

	if (len > INT_MAX / 2)
		return NULL;
	if (text_utf8(s, len))
		return json_object_new_string_len(s, (int)len);
	coded = base64_encode(s, len);
	o = json_object_new_object();
	if (!coded || !o || json_add_str(o, "base64", coded) < 0)
		return NULL;
	return STEAL_PTR(o);
}

int json_bytes_get(const struct json_object *o, char **ret, size_t *ret_len)
{
	struct json_object *coded = NULL;
	uint8_t *bytes = NULL;
	size_t len;
	char *copy;
	int r;

	if (json_object_is_type(o, json_type_string)) {
		/* json-c's getters take no const although they change nothing here. */
		struct json_object *s = (struct json_object *)(uintptr_t)o;

		len = (size_t)json_object_get_string_len(s);
		copy = malloc(len + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, json_object_get_string(s), len);
		copy[len] = '\0';
		*ret = copy;
		*ret_len = len;
		return 0;
	}
	if (!json_object_is_type(o, json_type_object) || json_object_object_length(o) != 1 ||
		member(o, "base64", json_type_string, &coded) < 0)
		return -EINVAL;
	r = base64_decode(json_object_get_string(coded), (size_t)json_object_get_string_len(coded), &bytes, &len);
	if (r < 0)
		return r;
	*ret = (char *)bytes; /* base64_decode() puts a NUL behind */
	*ret_len = len;
	return 0;
}

const char *json_text(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
