#include "helper/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "helper/checks.h"
#include "helper/jitd.h"
#include "lib/cleanup.h"
#include "lib/json.h"

#define ASK_MAX (48 * 1024)

/* One that waits for its checks. */
struct explanation {
	struct control_call *call;
	struct json_object *answer;
	char *rule, *user;
};

static void explanation_free(struct explanation *e)
{
	json_object_put(e->answer);
	free(e->rule);
	free(e->user);
	free(e);
}

/* "1 of sre (bob, carol)": USER's own person is not among them. */
static char *whom(struct jitd *j, const struct need *need, const char *user)
{
	const struct person *p = user ? people_by_user(&j->policy->people, user) : NULL;
	char *requesters[2] = { p ? p->name : NULL, NULL };
	struct request r = { .jitd = j, .terms = { .need = *need }, .requesters = requesters };

	return request_whom(&r);
}

static int add_whom(struct json_object *o, struct jitd *j, const struct need *need, const char *user)
{
	CLEAN(free_p) char *words = whom(j, need, user);

	return words ? json_add_str(o, "whom", words) : -ENOMEM;
}

/* What it comes to as the host is now. */
static int add_outcome(struct json_object *o, struct jitd *j, const struct rule *rule, struct json_object *results,
	const char *user)
{
	CLEAN(free_p) char *refusal = NULL;
	bool holds[RULE_CHECKS_MAX], partial = false; /* what was not looked at is taken to hold */
	struct checked checked;
	char need[512];
	int e;

	if (!rule || !checks_holds(rule, results, holds))
		return json_add_str(o, "unchecked", "the rules were read anew meanwhile; ask again");
	for (size_t i = 0; i < rule->n_checks; i++)
		if (!json_object_object_get_ex(json_object_array_get_idx(results, i), "holds", NULL))
			holds[i] = partial = true;
	policy_checked(rule, holds, &checked);
	e = partial ? json_add_bool(o, "partial", true) : 0;
	e |= json_add(o, "checks", json_object_get(results));
	e |= json_add_str(o, "outcome", decision_string(checked.decision));
	if (checked.decision == DECISION_APPROVE) {
		e |= json_add_str(o, "outcome_need", need_format(&checked.need, need, sizeof(need)));
		e |= add_whom(o, j, &checked.need, user);
	} else if (checked.decision == DECISION_DENY) {
		refusal = checking_refusal(rule, results);
		e |= json_add_str(o, "refused_by", refusal);
	}
	return e;
}

static void on_results(struct json_object *results, const char *words, void *userdata)
{
	struct explanation *e = userdata;
	struct jitd *j = control_jitd(e->call);
	int r;

	if (results)
		r = j->policy ? add_outcome(e->answer, j, policy_find_rule(j->policy, e->rule), results, e->user) : -EINVAL;
	else
		r = json_add_str(e->answer, "unchecked", words);
	if (r < 0)
		control_error(e->call, "Failed", "out of memory");
	else
		control_reply_json(e->call, STEAL_PTR(e->answer));
	explanation_free(e);
}

/* Programs and URLs of the site are run for those only who may see everything: what they are told of the call is whatever the
 * caller says. */
static int look(struct control_call *k, struct explanation *e, const struct rule *rule, const struct facts *f, const char *reason)
{
	struct jitd *j = control_jitd(k);
	struct checks_question q = { .rule = rule, .uid = k->uid, .within = j->policy->check_within_usec, .host = j->host,
		.local = !k->operator, .done = on_results, .userdata = e };

	e->call = k;
	e->rule = strdup(rule->name);
	e->user = f->user ? strdup(f->user) : NULL;
	q.facts = check_facts(j, f, rule->name, reason, "explain");
	if (!e->rule || (f->user && !e->user) || !q.facts) {
		json_object_put(q.facts);
		return -ENOMEM;
	}
	return checks_start(j->checks, &q);
}

static void explain_now(struct control_call *k, const struct facts *f, const char *reason)
{
	struct jitd *j = control_jitd(k);
	struct explanation *e = calloc(1, sizeof(*e));
	struct verdict v;
	int r = -ENOMEM;

	if (e)
		e->answer = policy_explain(j->policy, f);
	policy_decide(j->policy, f, &v);
	if (e && e->answer)
		r = v.rule && v.rule->n_checks ? look(k, e, v.rule, f, reason) : 0;
	if (r > 0)
		return;
	if (r == 0 && v.decision == DECISION_APPROVE)
		r = add_whom(e->answer, j, &v.rule->need, f->user);
	if (r == -EAGAIN)
		control_error(k, "Busy", "too many wait for this host's state to be looked at; try again");
	else
		control_reply_json(k, r < 0 ? NULL : STEAL_PTR(e->answer));
	if (e)
		explanation_free(e);
}

/* A request of the past, judged as if it were asked now: what was known of its call then, by the rules in force. */
static void explain_request(struct control_call *k, const char *id)
{
	struct request *r = control_request(k, id);
	struct json_object *o, *now;
	struct facts f;

	if (!r)
		return;
	call_facts(r->call, &f);
	f.real_usec = r->created_real;
	o = json_object_new_object();
	now = policy_explain(control_jitd(k)->policy, &f);
	json_add(o, "request", request_json(r, false));
	json_add(o, "now", now);
	json_add_bool(o, "reloaded", control_jitd(k)->policy_loaded > r->created_real);
	control_reply_json(k, o);
}

void explain_method(struct control_call *k)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct jitd *j = control_jitd(k);
	const char *text = "", *argv[GATE_FIELDS + 1] = { NULL }, *groups[GATE_FIELDS + 1] = { NULL };
	struct json_object *list;
	struct facts f = { 0 };
	size_t n = 0;

	sd_bus_message_read(k->message, "s", &text);
	if (!j->policy) {
		control_error(k, "Misconfigured", "no rules are in force: %s", j->policy_errors.n ? j->policy_errors.list[0] : "");
		return;
	}
	if (strlen(text) > ASK_MAX || json_parse(text, strlen(text), &o, NULL) < 0) {
		control_error(k, "Misused", "the question cannot be read");
		return;
	}
	if (json_str(o, "id")) {
		explain_request(k, json_str(o, "id"));
		return;
	}
	list = json_arr(o, "argv");
	for (; list && f.argc < json_object_array_length(list) && f.argc < GATE_FIELDS; f.argc++) {
		argv[f.argc] = json_object_get_string(json_object_array_get_idx(list, f.argc));
		if (!argv[f.argc])
			argv[f.argc] = "";
	}
	f.argv = argv;
	/* The question is hypothetical, so are the groups: whoever asks says them. */
	list = json_arr(o, "groups");
	for (; list && n < json_object_array_length(list) && n < GATE_FIELDS; n++) {
		groups[n] = json_object_get_string(json_object_array_get_idx(list, n));
		if (!groups[n])
			groups[n] = "";
	}
	f.groups = list ? groups : NULL;
	f.service = json_str(o, "service");
	f.user = json_str(o, "user");
	f.target = json_str(o, "target");
	f.binary = json_str(o, "binary");
	f.cwd = json_str(o, "cwd");
	f.tty = json_str(o, "tty");
	f.remote = json_str(o, "remote");
	if (json_u64(o, "real_usec", &f.real_usec) < 0)
		f.real_usec = clock_real();
	explain_now(k, &f, json_str(o, "reason"));
}
