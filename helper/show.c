/* A request as `jitctl show` gets it. */
#include <stdlib.h>
#include <string.h>
#include "helper/jitd.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static void add_left(struct json_object *o, const char *key, const char *left_key, uint64_t at)
{
	uint64_t now = clock_boot();

	json_add_u64(o, key, at);
	json_add_u64(o, left_key, at > now ? at - now : 0);
}

static struct json_object *decisions_json(const struct request *r)
{
	static const char *const strengths[] = { "browser", "key", "hw-key" };
	struct json_object *list = json_object_new_array();

	for (const struct decision_taken *d = r->decisions; d; d = d->next) {
		struct json_object *o = json_object_new_object();

		json_add_str(o, "person", d->person);
		json_add_str(o, "principal", d->principal);
		json_add_str(o, "verdict", d->approve ? "approve" : "deny");
		json_add_str(o, "strength", strengths[d->strength]);
		json_add_str(o, "time", d->time);
		json_add_str(o, "note", d->note);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *uses_json(const struct request *r)
{
	struct json_object *list = json_object_new_array();

	for (const struct use *u = r->uses; u; u = u->next) {
		struct json_object *o = json_object_new_object();

		json_add_u64(o, "pid", (uint64_t)u->pid);
		json_add_str(o, "tty", u->tty);
		json_add_bool(o, "open", !u->closed);
		json_object_array_add(list, o);
	}
	return list;
}

struct json_object *request_json(struct request *r, bool with_code)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *document = NULL;
	CLEAN(free_p) char *command = request_command(r, 300), *whom = NULL;
	char need[512], when[TIME_RFC3339_LEN + 1];
	int e = 0;

	if (!o)
		return NULL;
	if (json_parse(r->document, strlen(r->document), &document, NULL) >= 0)
		e |= json_add(o, "document", STEAL_PTR(document));
	e |= json_add_str(o, "id", r->id);
	e |= json_add_str(o, "state", state_string(r->state));
	e |= json_add_str(o, "outcome", r->outcome);
	e |= json_add_str(o, "digest", r->digest);
	e |= json_add_str(o, "user", r->call->user);
	e |= json_add_str(o, "target", r->call->target ? r->call->target : "unknown");
	e |= json_add_str(o, "service", r->call->service);
	e |= json_add_str(o, "command", command);
	e |= json_add_str(o, "scope", scope_string(r->terms.scope));
	e |= json_add_u64(o, "for", r->terms.work_usec);
	e |= json_add_str(o, "need", need_format(&r->terms.need, need, sizeof(need)));
	e |= json_add_str(o, "created", time_rfc3339(r->created_real, when));
	e |= json_add(o, "decisions", decisions_json(r));
	e |= json_add(o, "uses", uses_json(r));
	if (r->state == STATE_PENDING) {
		if (with_code && r->terms.code[0])
			e |= json_add_str(o, "code", r->terms.code);
		whom = request_whom(r);
		e |= json_add_str(o, "missing", whom);
		add_left(o, "answer_by", "answer_left", r->answer_by);
	} else if (r->state == STATE_GRANTED)
		add_left(o, "claim_by", "claim_left", r->claim_by);
	else if (r->state == STATE_RUNNING) {
		add_left(o, "deadline", "left", r->deadline);
		e |= json_add_str(o, "real_deadline", time_rfc3339(r->deadline_real, when));
	}
	return e ? NULL : STEAL_PTR(o);
}
