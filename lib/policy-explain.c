/* The judging of a call told in JSON, for the bus and for jitctl. */
#include "lib/policy.h"

#include "lib/cleanup.h"
#include "lib/json.h"

static int add_rule(struct json_object *list, const struct policy *p, const struct rule *r, const struct facts *f)
{
	CLEAN(json_put_p) struct json_object *line = json_object_new_object();
	struct why w;

	if (!line || json_add_str(line, "rule", r->name) < 0)
		return -1;
	if (policy_mismatch(p, r, f, &w) && json_add_str(line, "why", w.text) < 0)
		return -1;
	if (json_object_array_add(list, line) < 0)
		return -1;
	(void)STEAL_PTR(line);
	return 0;
}

static int add_verdict(struct json_object *o, const struct policy *p, const struct facts *f, const struct verdict *v)
{
	char need[512];
	struct why w;
	int e;

	e = json_add_str(o, "decision", decision_string(v->decision));
	e |= json_add_str(o, "rule", v->rule ? v->rule->name : POLICY_FALLBACK);
	if (v->decision == DECISION_APPROVE) {
		e |= json_add_str(o, "need", need_format(&v->rule->need, need, sizeof(need)));
		if (!policy_reason_ok(v->rule, NULL, &w))
			e |= json_add_str(o, "reason", w.text);
		if (v->rule->match_code)
			e |= json_add_bool(o, "match", true);
	}
	if (policy_unknown_words(p, f, v, &w))
		e |= json_add_str(o, "unknown", w.text);
	return e;
}

/* What the rule looks at, without results: those are not a pure function's to know. */
static int add_checks(struct json_object *o, const struct rule *r)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();
	char need[512];

	for (size_t i = 0; list && i < r->n_checks; i++) {
		const struct rule_check *c = &r->checks[i];
		struct json_object *line = json_object_new_object();
		int e = line ? json_add_str(line, "check", c->check.text) : -1;

		if (e)
			return -1;
		e |= json_add_str(line, "effect", check_effect_string(c->effect));
		if (c->effect == CHECK_ESCALATES)
			e |= json_add_str(line, "need", need_format(&r->escalation[c->escalation], need, sizeof(need)));
		if (e || json_object_array_add(list, line) < 0) {
			json_object_put(line);
			return -1;
		}
	}
	return json_add(o, "checks", STEAL_PTR(list));
}

struct json_object *policy_explain(const struct policy *p, const struct facts *f)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	struct verdict v;

	if (!o || !list)
		return NULL;
	policy_decide(p, f, &v);
	for (size_t i = 0; i < p->n_rules && &p->rule[i] != v.rule; i++)
		if (add_rule(list, p, &p->rule[i], f) < 0)
			return NULL;
	if (add_verdict(o, p, f, &v) < 0 || json_add(o, "passed_over", STEAL_PTR(list)) < 0)
		return NULL;
	if (v.rule && v.rule->n_checks > 0 && add_checks(o, v.rule) < 0)
		return NULL;
	return STEAL_PTR(o);
}
