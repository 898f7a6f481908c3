#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "hub/document.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/text.h"

void request_document_done(struct request_document *d)
{
	for (char **v = d->viewers; v && *v; v++)
		free(*v);
	free(d->viewers);
	*d = (struct request_document){ 0 };
}

void answer_document_done(struct answer_document *d)
{
	json_put_p(&d->json);
	*d = (struct answer_document){ 0 };
}

static int open_document(const struct envelope *e, const char *type, struct json_object **ret, struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	uint64_t v;
	int r;

	if (strcmp(e->type, type))
		return why(w, -EINVAL, "the envelope holds a %s, not a %s", e->type, type);
	r = json_parse(e->document, e->document_len, &o, w);
	if (r < 0)
		return r;
	if (json_u64(o, "v", &v) < 0 || v != 1)
		return why(w, -EINVAL, "the document is of an unknown version");
	*ret = STEAL_PTR(o);
	return 0;
}

static int must_be(const struct json_object *o, const char *key, const char *value, struct why *w)
{
	const char *have = json_str(o, key);

	if (!have || strcmp(have, value))
		return why(w, -EINVAL, "\"%s\" of the document is not %s", key, value);
	return 0;
}

static int add_viewer(char **viewers, size_t *n, struct json_object *name, struct why *w)
{
	const char *text = json_object_is_type(name, json_type_string) ? json_object_get_string(name) : "";

	if (!principal_valid(text))
		return why(w, -EINVAL, "\"teams\" holds what is no principal");
	if (*n == DOCUMENT_VIEWERS_MAX)
		return why(w, -EINVAL, "\"teams\" holds more than %d principals", DOCUMENT_VIEWERS_MAX);
	viewers[*n] = strdup(text);
	if (!viewers[*n])
		return why(w, -ENOMEM, "out of memory");
	(*n)++;
	return 0;
}

static int read_viewers(struct json_object *doc, char **viewers, struct why *w)
{
	struct json_object *teams = json_obj(doc, "teams");
	size_t n = 0;
	int r = 0;

	if (!teams)
		return why(w, -EINVAL, "\"teams\" is missing or no object");
	json_object_object_foreach(teams, name, members) {
		if (!name_valid(name) || !json_object_is_type(members, json_type_array))
			return why(w, -EINVAL, "\"teams\" does not map names to lists");
		for (size_t i = 0; r >= 0 && i < json_object_array_length(members); i++)
			r = add_viewer(viewers, &n, json_object_array_get_idx(members, i), w);
		if (r < 0)
			return r;
	}
	return 0;
}

int request_document_read(const struct envelope *e, const char *host, const char *id, struct request_document *ret,
	struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(request_document_done) struct request_document d = { 0 };
	const char *answer_by;
	int r = open_document(e, "request", &o, w);

	if (r >= 0)
		r = must_be(o, "id", id, w);
	if (r >= 0)
		r = must_be(o, "host", host, w);
	if (r < 0)
		return r;
	answer_by = json_str(o, "answer_by");
	if (!answer_by || time_rfc3339_parse(answer_by, &d.answer_by) < 0)
		return why(w, -EINVAL, "\"answer_by\" of the document is no time");
	d.viewers = calloc(DOCUMENT_VIEWERS_MAX + 1, sizeof(*d.viewers));
	if (!d.viewers)
		return why(w, -ENOMEM, "out of memory");
	r = read_viewers(o, d.viewers, w);
	if (r < 0)
		return r;
	*ret = d;
	d = (struct request_document){ 0 };
	return 0;
}

static int check_verdict(const struct answer_document *d, const char *type, struct why *w)
{
	bool fits = !strcmp(type, "revoke") ? !strcmp(d->verdict, "revoke") :
		!strcmp(d->verdict, "approve") || !strcmp(d->verdict, "deny");

	return fits ? 0 : why(w, -EINVAL, "\"verdict\" of the document does not fit a %s", type);
}

int answer_document_read(const struct envelope *e, const char *type, const char *id, struct answer_document *ret,
	struct why *w)
{
	CLEAN(answer_document_done) struct answer_document d = { 0 };
	uint64_t usec;
	int r = open_document(e, type, &d.json, w);

	if (r >= 0)
		r = must_be(d.json, "request", id, w);
	if (r < 0)
		return r;
	d.host = json_str(d.json, "host");
	d.digest = json_str(d.json, "digest");
	d.approver = json_str(d.json, "approver");
	d.verdict = json_str(d.json, "verdict");
	d.time = json_str(d.json, "time");
	if (!d.host || !d.digest || !d.approver || !d.verdict || !d.time)
		return why(w, -EINVAL, "the document needs host, digest, approver, verdict and time");
	if (time_rfc3339_parse(d.time, &usec) < 0)
		return why(w, -EINVAL, "\"time\" of the document is no time");
	r = check_verdict(&d, type, w);
	if (r < 0)
		return r;
	*ret = d;
	d = (struct answer_document){ 0 };
	return 0;
}

int receipt_document_read(const struct envelope *e, const char *host, char **ret_id, struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	const char *id;
	char *copy;
	int r = open_document(e, "receipt", &o, w);

	if (r >= 0)
		r = must_be(o, "host", host, w);
	if (r < 0)
		return r;
	id = json_str(o, "request");
	if (!id || !id_valid(id))
		return why(w, -EINVAL, "\"request\" of the document is no request's id");
	copy = strdup(id);
	if (!copy)
		return why(w, -ENOMEM, "out of memory");
	*ret_id = copy;
	return 0;
}
