/* Rules and calls.  The input is a part of policy-manual.txt: keys of rules, "---", cases.  Whatever they are, the verdict is one that
 * can be explained; a denial in front opens nothing, nor does an odd call, nor one of which less is known. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/json.h"
#include "lib/policy-case.h"
#include "lib/policy-keys.h"
#include "lib/zone.h"

#define RULES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct made {
	struct policy policy;
	struct rule rule[RULES + 1]; /* [0] is a denial of everything, not always part of it */
	char name[RULES + 1][4];
};

/* Keys in order; a new section is a new rule. */
static void take_line(const struct conf_line *l, struct conf_errors *e, void *userdata)
{
	struct made *m = userdata;
	struct rule *r = &m->rule[m->policy.n_rules];
	int key;

	if (!l->key) {
		if (strcmp(l->section, "Rule") != 0 || m->policy.n_rules == RULES)
			return;
		r = &m->rule[++m->policy.n_rules];
		snprintf(m->name[m->policy.n_rules], sizeof(m->name[0]), "r%zu", m->policy.n_rules);
		r->name = strdup(m->name[m->policy.n_rules]);
		r->file = strdup("f");
		must(r->name && r->file);
		return;
	}
	key = m->policy.n_rules && *l->value ? policy_key_find(l->key, IN_RULE) : -1;
	if (key >= 0)
		(void)policy_key_table[key].type->parse(l->value, r, policy_key_field((enum policy_key)key, r), NULL);
}

static int openness(const struct policy *p, const struct facts *f)
{
	struct verdict v;

	policy_decide(p, f, &v);
	must(!v.unknown || (v.decision == DECISION_DENY && !v.rule));
	must(v.decision != DECISION_APPROVE || v.rule);
	return v.decision == DECISION_ALLOW ? 2 : v.decision == DECISION_APPROVE ? 1 : 0;
}

static void try_case(struct made *m, const struct policy_case *c)
{
	struct policy *p = &m->policy, front = { .rule = m->rule, .n_rules = p->n_rules + 1 };
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct facts f = c->facts;
	int open = openness(p, &f);
	struct verdict v;
	struct need need;
	struct why w = { "" };
	char buf[128];

	if (policy_case_decide(p, c, &v, &need, &w) < 0)
		must(w.text[0]);
	else
		must(policy_case_met(p, c, &v, &need, &w) || w.text[0]);
	policy_decide(p, &f, &v);
	must(policy_verdict_words(&v, buf, sizeof(buf))[0]);
	must(!v.rule || !policy_mismatch(p, v.rule, &f, &w));
	o = policy_explain(p, &f);
	must(o && strcmp(json_str(o, "decision"), decision_string(v.decision)) == 0);
	must(openness(&front, &f) == 0);
	f.marked = true;
	must(openness(p, &f) < 2);
	f = c->facts;
	f.groups = NULL;
	must(openness(p, &f) < 2 || open == 2);
	f = c->facts;
	f.cwd = f.tty = f.remote = NULL;
	f.real_usec = 0;
	must(openness(p, &f) < 2 || open == 2);
}

static void try_cases(struct made *m, char *cases)
{
	struct zone *zones = NULL;
	char *line;

	while ((line = strsep(&cases, "\n"))) {
		CLEAN(policy_case_done) struct policy_case c;
		struct why w = { "" };
		int r = policy_case_parse(line, &zones, &c, &w);

		must(r >= 0 || w.text[0]);
		if (r > 0)
			try_case(m, &c);
	}
	zone_free(zones);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	CLEAN(free_p) char *text = malloc(size + 1);
	struct made m = { 0 };
	struct conf_reading r = { .handler = take_line, .userdata = &m };
	char *cases;

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	cases = strstr(text, "\n---\n");
	conf_parse(&r, text, cases ? (size_t)(cases - text) + 1 : size, "f", &e);
	for (size_t i = 1; i <= m.policy.n_rules; i++)
		must(rule_compile(&m.rule[i], &m.policy.zones, NULL) == 0);
	m.policy.rule = m.rule + 1;
	m.rule[0].decision = DECISION_DENY;
	m.policy.default_decision = DECISION_ALLOW;
	if (cases)
		try_cases(&m, cases + 5);
	for (size_t i = 0; i <= RULES; i++)
		rule_done(&m.rule[i]);
	zone_free(m.policy.zones);
	return 0;
}
