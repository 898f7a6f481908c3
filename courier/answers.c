#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "courier/answers.h"
#include "lib/cleanup.h"
#include "lib/envelope.h"
#include "lib/json.h"
#include "lib/log.h"

#define N_MAX ((UINT64_C(1) << 53) - 1)

void answers_done(struct answers *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->list[i].text);
	free(a->list);
	*a = (struct answers){ 0 };
}

static const char *known_type(const char *type)
{
	static const char *const types[] = { "decision", "revoke", "check" };

	for (size_t i = 0; i < ELEMENTS(types); i++)
		if (!strcmp(types[i], type))
			return types[i];
	return NULL;
}

/* One bad envelope must not stop those behind it. */
static int read_envelope(struct json_object *envelope, struct answer *ret)
{
	CLEAN(envelope_done) struct envelope e = { 0 };
	const char *text = json_text(envelope);
	struct why w;
	int r;

	if (!text)
		return -ENOMEM;
	r = envelope_parse(text, strlen(text), &e, &w);
	if (r == -ENOMEM)
		return r;
	ret->item.type = r < 0 ? NULL : known_type(e.type);
	if (!ret->item.type) {
		log_warning("item %llu of the hub is passed over: %s", (unsigned long long)ret->item.n,
			r < 0 ? w.text : "its type is not for the inbox");
		return 0;
	}
	ret->text = envelope_format(e.type, e.document, e.signature);
	return ret->text ? 0 : -ENOMEM;
}

static int read_item(struct json_object *o, uint64_t after, struct answer *ret, struct why *w)
{
	struct json_object *envelope;

	if (!json_object_is_type(o, json_type_object) || json_u64(o, "n", &ret->item.n) < 0 ||
	    !(envelope = json_obj(o, "envelope")))
		return why(w, -EINVAL, "an item is not {\"n\",\"envelope\"}");
	if (ret->item.n <= after || ret->item.n > N_MAX)
		return why(w, -EINVAL, "the items are not numbered upwards");
	return read_envelope(envelope, ret);
}

int answers_parse(const char *text, size_t len, uint64_t after, struct answers *ret, struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(answers_done) struct answers a = { 0 };
	struct json_object *items;
	uint64_t last = after;
	const char *run;
	size_t n;
	int r = json_parse(text, len, &o, w);

	if (r < 0)
		return r;
	items = json_arr(o, "items");
	if (!items || json_u64(o, "next", &a.next) < 0)
		return why(w, -EINVAL, "it is not {\"items\",\"next\"}");
	n = json_object_array_length(items);
	a.list = calloc(n ? n : 1, sizeof(*a.list));
	if (!a.list)
		return why(w, -ENOMEM, "out of memory");
	for (; a.n < n; a.n++) {
		r = read_item(json_object_array_get_idx(items, a.n), last, &a.list[a.n], w);
		if (r < 0)
			return r == -ENOMEM ? why(w, r, "out of memory") : r;
		last = a.list[a.n].item.n;
	}
	run = json_str(o, "run");
	if (run && (strlen(run) > RUN_MAX || strspn(run, "0123456789abcdef") != strlen(run)))
		return why(w, -EINVAL, "\"run\" is not of hex digits");
	if (run)
		strcpy(a.run, run);
	if (a.next != last)
		return why(w, -EINVAL, "\"next\" is not the last item's number");
	*ret = a;
	a = (struct answers){ 0 };
	return 0;
}
