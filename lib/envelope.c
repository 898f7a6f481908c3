#include "lib/envelope.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

static const struct type {
	const char *name;
	bool is_signed;
} types[] = {
	{ "request", false }, { "decision", true }, { "revoke", true }, { "receipt", true }, { "check", false }, { "question", false },
};

static const struct type *find_type(const char *name)
{
	for (size_t i = 0; name && i < ELEMENTS(types); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

void envelope_done(struct envelope *e)
{
	free(e->type);
	free(e->document);
	free(e->signature);
	*e = (struct envelope){ 0 };
}

/* Only known members, so that nothing rides along unsigned. */
static int check_members(struct json_object *o, struct why *w)
{
	json_object_object_foreach(o, key, value) {
		(void)value;
		if (strcmp(key, "v") && strcmp(key, "type") && strcmp(key, "document") && strcmp(key, "signature"))
			return why(w, -EINVAL, "the envelope has an unknown member '%s'", key);
	}
	return 0;
}

static int check_form(struct json_object *o, const struct type **ret_type, struct why *w)
{
	const char *name = json_str(o, "type"), *document = json_str(o, "document");
	const struct type *type = find_type(name);
	const char *signature = json_str(o, "signature");
	uint64_t v;

	if (json_u64(o, "v", &v) < 0 || v != 1)
		return why(w, -EINVAL, "the envelope is not of version 1");
	if (!type)
		return why(w, -EINVAL, "the envelope has no known type");
	if (!document || !*document)
		return why(w, -EINVAL, "the envelope holds no document");
	if (type->is_signed && (!signature || !*signature))
		return why(w, -EINVAL, "a %s must be signed", type->name);
	if (!type->is_signed && json_object_object_get_ex(o, "signature", NULL))
		return why(w, -EINVAL, "a %s has no signature", type->name);
	*ret_type = type;
	return check_members(o, w);
}

int envelope_parse(const char *text, size_t len, struct envelope *ret, struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(envelope_done) struct envelope e = { 0 };
	const struct type *type = NULL;
	int r;

	if (len > ENVELOPE_MAX)
		return why(w, -EFBIG, "an envelope has at most %d bytes, not %zu", ENVELOPE_MAX, len);
	r = json_parse(text, len, &o, w);
	if (r < 0)
		return r;
	r = check_form(o, &type, w);
	if (r < 0)
		return r;
	e.type = strdup(type->name);
	e.document = strdup(json_str(o, "document"));
	if (type->is_signed)
		e.signature = strdup(json_str(o, "signature"));
	if (!e.type || !e.document || (type->is_signed && !e.signature))
		return why(w, -ENOMEM, "out of memory");
	e.document_len = strlen(e.document); /* json_parse() lets no NUL through */
	*ret = e;
	e = (struct envelope){ 0 };
	return 0;
}

char *envelope_format(const char *type, const char *document, const char *signature)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	const char *text;
	int r;

	if (!o)
		return NULL;
	r = json_add_u64(o, "v", 1);
	if (r == 0)
		r = json_add_str(o, "type", type);
	if (r == 0)
		r = json_add_str(o, "document", document);
	if (r == 0)
		r = json_add_str(o, "signature", signature);
	text = r == 0 ? json_text(o) : NULL;
	if (!text) {
		errno = r < 0 ? -r : ENOMEM;
		return NULL;
	}
	if (strlen(text) > ENVELOPE_MAX) {
		errno = EFBIG;
		return NULL;
	}
	return strdup(text);
}
