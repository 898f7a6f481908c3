/* Check=, Inform=, Escalate= and Recheck= in rules: what may be said, how it is shown, and what follows from what holds. */
#include "tests/unit/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/policy.h"

#define DENY "[Host]\nDefault=deny\n"
#define ALLOW "[Rule a]\nDecision=allow\n"
#define ASK "[Rule a]\nDecision=approve\nNeed=1 of sre\n"

static struct policy *load(const char *host, const char *rules, struct conf_errors *e)
{
	struct policy *p = NULL;
	char dir[512];

	site_begin();
	site_write("people.d/p.conf", site_people);
	site_write("approvers", site_approvers);
	site_write("jitd.conf", host);
	site_write("rules.d/r.conf", rules);
	snprintf(dir, sizeof(dir), "%s", site_path(""));
	dir[strlen(dir) - 1] = '\0';
	(void)policy_load(dir, getuid(), &p, e);
	return p;
}

static const struct {
	const char *host, *rules, *mistake; /* each line one, in order */
} mistakes[] = {
	{ DENY, ASK "Check=load<8 lod<8\n", "rules.d/r.conf:4: Check=: 'lod' is no check; there are: load load-per-core memory disk "
		"failed-units unit file users user up incident exec http https\n" },
	{ DENY, ASK "Check=load<8 | up>1h\n", "rules.d/r.conf:4: Check=: '|' is no check; there are: load load-per-core memory disk "
		"failed-units unit file users user up incident exec http https\n" },
	{ DENY, ASK "Check=exec:/bin/ok load<8\n", "rules.d/r.conf:4: Check=: 'load<8' behind exec: would be an argument of the program: "
		"write it in front of exec: or in a line of its own (\\load<8 when the program wants it)\n" },
	{ DENY, ASK "Inform=load<8 memory\n", "rules.d/r.conf:4: Inform=: 'memory' compares with nothing: behind it stands <, >, = or != "
		"and 500M, 2G or 10%\n" },
	{ DENY, ASK "Escalate=2 of sre\n", "rules.d/r.conf:4: Escalate=: '2 of sre' is not understood: write it like \"2 of sre unless "
		"load<8\"\n" },
	{ DENY, ASK "Escalate=2 of sre unless\n", "rules.d/r.conf:4: Escalate=: '2 of sre unless' is not understood: write it like \"2 of "
		"sre unless load<8\"\n" },
	{ DENY, ASK "Escalate=unless load<8\n", "rules.d/r.conf:4: Escalate=: 'unless load<8' is not understood: write it like \"2 of sre "
		"unless load<8\"\n" },
	{ DENY, ASK "Escalate=0 of sre unless load<8\n", "rules.d/r.conf:4: Escalate=: the count is 0: it must be 1 to 16\n" },
	{ DENY, ASK "Escalate=2 of sre unless load<8 |\n", "rules.d/r.conf:4: Escalate=: there is nothing on one side of a '|'\n" },
	{ DENY, ASK "Escalate=1 of ops unless load<8\n", "rules.d/r.conf:4: Escalate= names the team 'ops', and there is no [Team ops] in "
		"people.d\n" },
	{ DENY, ASK "Escalate=3 of sre unless load<8\n", "rules.d/r.conf:4: Escalate= wants 3 of team 'sre', of whom only 2 have a key in "
		"the approvers file\n" },
	{ DENY, ASK "Escalate=2 of sre with hw-key unless load<8\n", "rules.d/r.conf:4: Escalate= wants 2 of team 'sre' with hw-key, of "
		"whom only 1 have such a key in the approvers file\n" },
	/* Each of them could be met, both cannot. */
	{ DENY, "[Rule a]\nDecision=approve\nNeed=1 of sre with hw-key or 1 of sre with key or 1 of security\n"
		"Escalate=2 of sre or 1 of sre with browser, 1 of security with key or 1 of security with hw-key unless load<8\n", "rules.d/r.conf:4: Escalate=: together with Need= "
		"it asks for more people or alternatives than a need can have (4 alternatives of 8 terms)\n" },
	{ DENY, ASK "Recheck=yes\n", "rules.d/r.conf:4: Recheck=yes without Check= or Escalate=: there is nothing to look at again\n" },
	{ DENY, "[Rule a]\nDecision=deny\nCheck=load<8\nEscalate=2 of sre unless up>1h\n", "rules.d/r.conf:3: Check= in a rule whose Decision= is "
		"deny: it denies whatever holds; remove one of them\nrules.d/r.conf:4: Escalate= in a rule whose Decision= is deny: it denies "
		"whatever holds; remove one of them\n" },
	{ DENY, ALLOW "Inform=load<8\n", "rules.d/r.conf:3: Inform= in a rule that asks nobody: there is nobody to see it\n" },
	{ DENY, ALLOW "Check=https://gate/open\n", "rules.d/r.conf:3: Check=: https://gate/open is asked by the courier, whose word lets "
		"nobody through without an approver: a rule whose Decision= is allow cannot depend on it\n" },
	{ DENY, ALLOW "Escalate=1 of sre unless http://gate/open\n", "rules.d/r.conf:3: Escalate=: http://gate/open is asked by the "
		"courier, whose word lets nobody through without an approver: a rule whose Decision= is allow cannot depend on it\n" },
	{ DENY "CheckWithin=2min\n", ALLOW, "jitd.conf:3: CheckWithin=: checks are waited for a minute at most: somebody stands at the "
		"terminal\n" },
	{ DENY "[Default]\nNeed=1 of sre\nCheck=lod<8\n", ALLOW, "jitd.conf:5: Check=: 'lod' is no check; there are: load load-per-core "
		"memory disk failed-units unit file users user up incident exec http https\n" },
	/* And what is none. */
	{ DENY, ALLOW "Check=load<8\nEscalate=1 of sre unless failed-units=0\nInform=https://gate/open\nRecheck=yes\n", "" },
	{ DENY, ASK "Check=https://gate/open\nEscalate=2 of sre unless https://gate/calm\n", "" },
	{ DENY, ASK "Check=load<8\nCheck=\n", "" },
};

static void mistakes_table(void **state)
{
	for (size_t i = 0; i < ELEMENTS(mistakes); i++) {
		CLEAN(conf_errors_done) struct conf_errors e = { 0 };
		struct policy *p = load(mistakes[i].host, mistakes[i].rules, &e);
		char all[2048] = "";

		for (size_t k = 0; k < e.n; k++) {
			strcat(all, site_error(&e, k));
			strcat(all, "\n");
		}
		if (strcmp(all, mistakes[i].mistake) != 0)
			fail_msg("site %zu:\n%swanted:\n%s", i, all, mistakes[i].mistake);
		policy_free(p);
		site_end();
	}
}

static void too_many(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	char text[1024] = ASK "Check=";

	for (int i = 0; i < 9; i++)
		strcat(text, "load<8 ");
	strcat(text, "\nInform=");
	for (int i = 0; i < 8; i++)
		strcat(text, "load<8 ");
	assert_null(load(DENY, text, &e));
	assert_string_equal(site_error(&e, 0), "rules.d/r.conf:5: Inform=: more than 16 checks in one rule");
	site_end();
}

/* What is shown is read again as the same. */
static void shown(void **state)
{
	static const char rules[] = ALLOW "Check=load<8 exec:/usr/local/bin/ok a\\ b\nCheck=up>10min\n"
		"Escalate=1 of sre unless  failed-units=0   disk:/var>10% | 2 of sre unless exec:/bin/x \\| y | 1 of security unless up>1h\n"
		"Recheck=yes\n";
	static const char *const lines[] = { "\nCheck=load<8 exec:/usr/local/bin/ok a\\ b\nCheck=up>10min\n",
		"\nEscalate=1 of sre unless failed-units=0 disk:/var>10% | 2 of sre unless exec:/bin/x \\| y | 1 of security unless up>1h\n",
		"\nRecheck=yes\n", "\nFor=30 min\n", "\nCheckWithin=5 s\n" };
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct policy *p = load(DENY, rules, &e);
	CLEAN(free_p) char *text = NULL;

	assert_non_null(p);
	text = policy_show(p);
	for (size_t i = 0; i < ELEMENTS(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("%s is not in:\n%s", lines[i], text);
	policy_free(p);
	site_end();
}

/* A rule, for each of its checks + or -, and what it comes to: "allow", "approve NEED", "refused CHECK". */
static const struct {
	const char *rule, *holds, *outcome;
} outcomes[] = {
	{ ALLOW, "", "allow" },
	{ ASK, "", "approve 1 of sre" },
	/* A check refuses; the first that does is named. */
	{ ALLOW "Check=load<8\n", "+", "allow" },
	{ ALLOW "Check=load<8\n", "-", "refused load<8" },
	{ ASK "Check=load<8 up>1h\n", "++", "approve 1 of sre" },
	{ ASK "Check=load<8 up>1h\n", "+-", "refused up>1h" },
	{ ASK "Check=load<8 up>1h\n", "-+", "refused load<8" },
	{ ASK "Check=load<8 up>1h\n", "--", "refused load<8" },
	/* Information changes nothing. */
	{ ASK "Inform=load<8 up>1h\n", "--", "approve 1 of sre" },
	{ ASK "Check=load<8\nInform=up>1h\n", "+-", "approve 1 of sre" },
	/* An escalation adds its need, of several checks any, of several escalations each. */
	{ ASK "Escalate=2 of sre unless load<8\n", "+", "approve 1 of sre" },
	{ ASK "Escalate=2 of sre unless load<8\n", "-", "approve 2 of sre" },
	{ ASK "Escalate=1 of security unless load<8 up>1h\n", "+-", "approve 1 of sre, 1 of security" },
	{ ASK "Escalate=1 of security unless load<8 up>1h\n", "-+", "approve 1 of sre, 1 of security" },
	{ ASK "Escalate=1 of security unless load<8 up>1h\n", "--", "approve 1 of sre, 1 of security" },
	{ ASK "Escalate=1 of security unless load<8 | 2 of sre unless up>1h\n", "+-", "approve 2 of sre" },
	{ ASK "Escalate=1 of security unless load<8 | 2 of sre unless up>1h\n", "-+", "approve 1 of sre, 1 of security" },
	{ ASK "Escalate=1 of security unless load<8 | 2 of sre unless up>1h\n", "--", "approve 2 of sre, 1 of security" },
	{ ASK "Escalate=1 of sre with hw-key unless load<8\n", "-", "approve 1 of sre with hw-key" },
	/* It never lowers one. */
	{ "[Rule a]\nDecision=approve\nNeed=2 of sre\nEscalate=1 of sre unless load<8\n", "-", "approve 2 of sre" },
	{ "[Rule a]\nDecision=approve\nNeed=1 of sre or 1 of security\nEscalate=1 of sre unless load<8\n", "-",
		"approve 1 of sre" },
	{ "[Rule a]\nDecision=approve\nNeed=1 of sre or 1 of security\nEscalate=2 of sre unless load<8\n", "-",
		"approve 2 of sre" },
	/* What allows then asks. */
	{ ALLOW "Escalate=1 of sre unless load<8\n", "+", "allow" },
	{ ALLOW "Escalate=1 of sre unless load<8\n", "-", "approve 1 of sre" },
	{ ALLOW "Escalate=1 of sre unless load<8 | 1 of security unless up>1h\n", "--", "approve 1 of sre, 1 of security" },
	/* What refuses refuses, whatever else would be asked. */
	{ ASK "Check=load<8\nInform=users<5\nEscalate=2 of sre unless up>1h\n", "--+", "refused load<8" },
	{ ASK "Check=load<8\nInform=users<5\nEscalate=2 of sre unless up>1h\n", "---", "refused load<8" },
	{ ASK "Check=load<8\nInform=users<5\nEscalate=2 of sre unless up>1h\n", "+--", "approve 2 of sre" },
	{ ALLOW "Check=load<8\nEscalate=2 of sre unless up>1h\n", "--", "refused load<8" },
	/* The order of the lines does not matter: Check= Inform= Escalate= is the order of checks. */
	{ ASK "Escalate=2 of sre unless up>1h\nInform=users<5\nCheck=load<8\n", "+--", "approve 2 of sre" },
};

static const char *outcome(const struct rule *r, const bool *holds, char *buf, size_t size)
{
	struct checked c;
	char need[512];

	policy_checked(r, holds, &c);
	if (c.decision == DECISION_DENY)
		snprintf(buf, size, "refused %s", c.refusing < r->n_checks ? r->checks[c.refusing].check.text : "?");
	else if (c.decision == DECISION_ALLOW)
		snprintf(buf, size, "allow");
	else
		snprintf(buf, size, "approve %s", need_format(&c.need, need, sizeof(need)));
	return buf;
}

static void outcomes_table(void **state)
{
	for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
		CLEAN(conf_errors_done) struct conf_errors e = { 0 };
		struct policy *p = load(DENY, outcomes[i].rule, &e);
		bool holds[RULE_CHECKS_MAX];
		char got[600];

		if (!p)
			fail_msg("row %zu: %s", i, e.n ? e.list[0] : "?");
		assert_int_equal(p->rule[0].n_checks, strlen(outcomes[i].holds));
		for (size_t k = 0; outcomes[i].holds[k]; k++)
			holds[k] = outcomes[i].holds[k] == '+';
		if (strcmp(outcome(&p->rule[0], holds, got, sizeof(got)), outcomes[i].outcome) != 0)
			fail_msg("row %zu: %s with %s: %s", i, outcomes[i].rule, outcomes[i].holds, got);
		policy_free(p);
		site_end();
	}
}

/* The terms that an allow has when it asks, and those of [Default]. */
static void terms(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct policy *p = load("[Default]\nNeed=1 of sre\nCheck=load<8\nEscalate=2 of sre unless up>1h\n",
		ALLOW "Escalate=1 of sre unless load<8\nFor=7min\n", &e);

	assert_non_null(p);
	assert_int_equal(p->rule[0].work_usec, 7 * 60 * UINT64_C(1000000));
	assert_true(p->rule[0].answer_by_usec > 0);
	assert_int_equal(p->fallback.n_checks, 2);
	assert_int_equal(p->fallback.n_escalations, 1);
	policy_free(p);
	site_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_table), cmocka_unit_test(too_many), cmocka_unit_test(shown),
		cmocka_unit_test(outcomes_table), cmocka_unit_test(terms),
	};

	return cmocka_run_group_tests_name("policy-check", tests, NULL, NULL);
}
