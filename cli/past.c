/* Calls of the past: see past.h. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cli/past.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"

void past_done(struct past *k)
{
	for (size_t i = 0; k->argv && i < k->facts.argc; i++)
		free(k->argv[i]);
	free(k->argv);
	free(k->cwd);
	free(k->binary);
	free(k->remote);
	free(k->groups);
	json_object_put(k->checks);
}

static int take_bytes(const struct json_object *call, const char *key, char **ret)
{
	struct json_object *o;
	size_t len;

	if (!json_object_object_get_ex(call, key, &o))
		return 0;
	return json_bytes_get(o, ret, &len);
}

static int take_argv(struct past *k, struct json_object *list)
{
	size_t n = list ? json_object_array_length(list) : 0, len;

	if (!list)
		return -ENOENT; /* too long for the ledger, or older than this verb */
	k->argv = calloc(n + 1, sizeof(*k->argv));
	if (!k->argv)
		return -ENOMEM;
	for (; k->facts.argc < n; k->facts.argc++) {
		int r = json_bytes_get(json_object_array_get_idx(list, k->facts.argc), &k->argv[k->facts.argc], &len);

		if (r < 0)
			return r;
	}
	k->facts.argv = (const char *const *)k->argv;
	return 0;
}

static int take_groups(struct past *k, struct json_object *list)
{
	size_t n = list ? json_object_array_length(list) : 0;

	if (!list)
		return 0;
	k->groups = calloc(n + 1, sizeof(*k->groups));
	if (!k->groups)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!(k->groups[i] = json_object_get_string(json_object_array_get_idx(list, i))))
			return -EINVAL;
	k->facts.groups = k->groups;
	return 0;
}

static int take_facts(struct past *k, const struct json_object *record, const struct json_object *call)
{
	const char *tty = json_str(call, "tty"), *when = json_str(record, "time");
	int r = take_argv(k, json_arr(call, "argv"));

	if (r == 0)
		r = take_groups(k, json_arr(call, "groups"));
	if (r == 0)
		r = take_bytes(call, "cwd", &k->cwd);
	if (r == 0)
		r = take_bytes(call, "binary", &k->binary);
	if (r == 0)
		r = take_bytes(call, "remote", &k->remote);
	if (r < 0)
		return r;
	k->facts.service = json_str(call, "service");
	k->facts.user = json_str(call, "user");
	k->facts.target = json_str(call, "target");
	k->facts.remote = k->remote;
	k->facts.tty = tty ? tty : POLICY_NO_TTY;
	k->facts.marked = json_true(call, "marked");
	k->facts.cwd = k->cwd;
	k->facts.binary = k->binary;
	return when ? time_rfc3339_parse(when, &k->facts.real_usec) : -EINVAL;
}

static int take_outcome(struct past *k, const struct json_object *record, const char *event)
{
	const struct json_object *terms = json_obj(record, "terms");
	const char *text = terms ? json_str(terms, "need") : NULL;
	struct need need = {0};

	k->decision = strcmp(event, "allowed") == 0 ? DECISION_ALLOW : strcmp(event, "denied") == 0 ? DECISION_DENY :
		DECISION_APPROVE;
	k->rule = json_str(record, "rule");
	if (k->decision != DECISION_APPROVE)
		return 0;
	/* As the rules of today write it. */
	if (!text || need_parse(text, &need, NULL) < 0)
		return -EINVAL;
	need_format(&need, k->need, sizeof(k->need));
	return 0;
}

bool past_by_rule(const struct json_object *record)
{
	const char *event = json_str(record, "event"), *by = json_str(record, "by");

	if (!event)
		return false;
	if (strcmp(event, "denied") == 0)
		return by && (strcmp(by, "rule") == 0 || strcmp(by, "check") == 0);
	return strcmp(event, "allowed") == 0 || strcmp(event, "requested") == 0;
}

/* Those of a request stand in its document. */
static int take_checks(struct past *k, const struct json_object *record)
{
	CLEAN(json_put_p) struct json_object *document = NULL;
	const char *text = json_str(record, "document");

	if (text && json_parse(text, strlen(text), &document, NULL) < 0)
		return -EINVAL;
	k->checks = json_object_get(json_arr(document ? document : record, "checks"));
	return 0;
}

int past_read(const struct json_object *record, struct past *ret)
{
	const struct json_object *call = json_obj(record, "call");
	int r = call ? take_facts(ret, record, call) : -ENOENT;

	if (r == 0)
		r = take_checks(ret, record);
	return r < 0 ? r : take_outcome(ret, record, json_str(record, "event"));
}

static bool held(const struct past *k, const char *check)
{
	for (size_t i = 0; k->checks && i < json_object_array_length(k->checks); i++) {
		const struct json_object *o = json_object_array_get_idx(k->checks, i);
		const char *text = json_object_is_type(o, json_type_object) ? json_str(o, "check") : NULL;

		if (text && strcmp(text, check) == 0)
			return json_true(o, "holds");
	}
	return true;
}

void past_checked(const struct past *k, const struct rule *r, struct checked *ret)
{
	bool holds[RULE_CHECKS_MAX];

	for (size_t i = 0; i < r->n_checks; i++)
		holds[i] = held(k, r->checks[i].check.text);
	policy_checked(r, holds, ret);
}
