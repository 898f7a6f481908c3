/* What must hold of all rules and all calls, tried on random ones. */
#include "tests/unit/site.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/policy-keys.h"
#include "lib/policy.h"
#include "lib/zone.h"

#define ENTRY_MAX 16
static char services[][ENTRY_MAX] = { "sudo", "su", "!su", "!sudo" };
static char users[][ENTRY_MAX] = { "alice", "bob", "%dba", "%ops", "!alice", "!%dba", "!%ops", "!bob" };
static char targets[][ENTRY_MAX] = { "root", "postgres", "!root", "!postgres" };
static char patterns[][ENTRY_MAX] = { "/bin/id", "/bin/id *", "/bin/ls -l", "/bin/*" };
static char folders[][ENTRY_MAX] = { "/srv", "/srv/*", "/*", "!/srv", "!/etc" };
static char terminals[][ENTRY_MAX] = { "pts/*", "tty1", "none", "!none", "!pts/1" };
static char networks[][ENTRY_MAX] = { "10.0.0.0/8", "10.9.0.0/16", "!10.9.9.9", "::/0", "!2001:db8::/32" };
static char hosts[][ENTRY_MAX] = { "web*", "db1", "!web1", "!db*" };
static char labels[][ENTRY_MAX] = { "prod", "dmz", "!prod", "!dmz" };
static char times[][ENTRY_MAX * 2] = { "Mon..Fri UTC", "22:00-06:00 UTC", "!Sat UTC", "!12:00-13:00 UTC" };
static char prod[] = "prod", dmz[] = "dmz";
static struct zone *random_zones;

struct random_rule {
	struct rule rule;
	char *list[10][3]; /* at most two entries */
};

static void random_list(char ***field, char *list[3], char words[][ENTRY_MAX], unsigned count)
{
	unsigned n = test_below(3);

	for (unsigned i = 0; i < n; i++)
		list[i] = words[test_below(count)];
	list[n] = NULL;
	*field = n ? list : NULL;
}

/* Of each of these keys few rules have something, lest none matches any more. */
static void random_place(struct random_rule *r)
{
	if (!test_below(4))
		random_list(&r->rule.cwd, r->list[4], folders, ELEMENTS(folders));
	if (!test_below(4))
		random_list(&r->rule.tty, r->list[5], terminals, ELEMENTS(terminals));
	if (!test_below(4))
		random_list(&r->rule.remote, r->list[6], networks, ELEMENTS(networks));
	if (!test_below(4))
		random_list(&r->rule.host, r->list[7], hosts, ELEMENTS(hosts));
	if (!test_below(4))
		random_list(&r->rule.label, r->list[8], labels, ELEMENTS(labels));
	if (!test_below(4)) {
		r->list[9][0] = times[test_below(ELEMENTS(times))];
		r->rule.hours = r->list[9];
	}
	assert_int_equal(rule_compile(&r->rule, &random_zones, NULL), 0);
}

static void random_rule_done(struct random_rule *r)
{
	free(r->rule.network);
	free(r->rule.hour);
}

static void random_rule(struct random_rule *r, enum decision d)
{
	memset(r, 0, sizeof(*r));
	r->rule.decision = d;
	random_list(&r->rule.service, r->list[0], services, ELEMENTS(services));
	random_list(&r->rule.user, r->list[1], users, ELEMENTS(users));
	random_list(&r->rule.target, r->list[2], targets, ELEMENTS(targets));
	random_list(&r->rule.command, r->list[3], patterns, ELEMENTS(patterns));
	random_place(r);
}

static void random_facts(struct facts *f)
{
	static const char *const argvs[][3] = { { "id", NULL }, { "id", "-u", NULL }, { "ls", "-l", NULL } };
	static const char *const groups[][3] = { { NULL }, { "dba", NULL }, { "ops", NULL }, { "dba", "ops", NULL } };
	static const char *const su_argvs[][4] = { { "su", "-", NULL }, { "su", "-c", "id", NULL } };
	static const char *const cwds[] = { "/srv", "/srv/x", "/etc", "/srv/../etc", "/" };
	static const char *const ttys[] = { "pts/1", "pts/2", "tty1", "none" };
	static const char *const remotes[] = { "10.1.1.1", "10.9.9.9", "2001:db8::1", "::1", "pc.example" };
	static const char *const names[] = { "web1", "web2", "db1" };
	static char *const marks[][3] = { { NULL }, { prod, NULL }, { dmz, NULL }, { dmz, prod, NULL } };
	bool su = test_below(2);
	unsigned a = test_below(ELEMENTS(argvs)), b = test_below(2);

	*f = (struct facts){
		.service = su ? "su" : "sudo",
		.user = test_below(2) ? "alice" : "bob",
		.target = test_below(2) ? "root" : "postgres",
		.groups = groups[test_below(ELEMENTS(groups))],
		.binary = su ? NULL : a == 2 ? "/bin/ls" : "/bin/id",
		.argv = su ? su_argvs[b] : argvs[a],
		.argc = su ? 2 + b : argvs[a][1] ? 2 : 1,
		.cwd = cwds[test_below(ELEMENTS(cwds))],
		.tty = ttys[test_below(ELEMENTS(ttys))],
		.remote = remotes[test_below(ELEMENTS(remotes))],
		.host = names[test_below(ELEMENTS(names))],
		.labels = marks[test_below(ELEMENTS(marks))],
		/* Some hour of the first week of June 2026. */
		.real_usec = (UINT64_C(1780272000) + test_below(7 * 24) * 3600) * 1000000,
	};
}

/* Takes some knowledge away. */
static void forget(struct facts *f)
{
	if (!test_below(3))
		f->service = test_below(2) ? NULL : "unknown";
	if (!test_below(3))
		f->user = NULL;
	if (!test_below(3))
		f->groups = NULL;
	if (!test_below(3))
		f->target = test_below(2) ? NULL : "unknown";
	if (!test_below(3))
		f->binary = NULL;
	if (!test_below(3))
		f->cwd = test_below(2) ? NULL : "srv";
	if (!test_below(3))
		f->tty = test_below(2) ? NULL : "unknown";
	if (!test_below(3))
		f->remote = test_below(2) ? NULL : "pc.example";
	if (!test_below(3))
		f->host = NULL;
	if (!test_below(3))
		f->real_usec = 0;
	f->marked = !test_below(4);
}

#define RULES 5

struct random_policy {
	struct policy policy;
	struct random_rule rule[RULES];
	struct rule list[RULES + 1];
};

/* The lists stay those of RULE; LIST is what the policy looks at, with room for one in front. */
static void random_policy(struct random_policy *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < RULES; i++) {
		random_rule(&p->rule[i], (enum decision)test_below(3));
		p->list[i + 1] = p->rule[i].rule;
	}
	p->policy.rule = p->list + 1;
	p->policy.n_rules = RULES;
	p->policy.default_decision = (enum decision)test_below(3);
}

static void random_policy_done(struct random_policy *p)
{
	for (size_t i = 0; i < RULES; i++)
		random_rule_done(&p->rule[i]);
}

/* deny < approve < allow */
static int openness(const struct policy *p, const struct facts *f)
{
	struct verdict v;

	policy_decide(p, f, &v);
	return v.decision == DECISION_ALLOW ? 2 : v.decision == DECISION_APPROVE ? 1 : 0;
}

/* A deny in front of the others never opens anything. */
static void a_deny_opens_nothing(void **state)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < 50000; i++) {
		struct random_policy p;
		struct random_rule deny;
		struct facts f;
		int before, after;

		random_policy(&p);
		random_facts(&f);
		if (test_below(2))
			forget(&f);
		before = openness(&p.policy, &f);
		random_rule(&deny, DECISION_DENY);
		p.list[0] = deny.rule;
		p.policy.rule = p.list;
		p.policy.n_rules = RULES + 1;
		after = openness(&p.policy, &f);
		assert_true(after == 0 || after == before);
		closed += after < before;
		random_rule_done(&deny);
		random_policy_done(&p);
	}
	assert_true(closed > 1000);
}

/* What is allowed with less known is allowed with more known: not knowing opens nothing.  And nothing marked, and nothing
 * without service, user and target, is allowed. */
static void forgetting_opens_nothing(void **state)
{
	unsigned allowed = 0, kept = 0;

	for (unsigned i = 0; i < 80000; i++) {
		struct random_policy p;
		struct facts f, less;

		random_policy(&p);
		random_facts(&f);
		less = f;
		forget(&less);
		allowed += openness(&p.policy, &f) == 2;
		if (openness(&p.policy, &less) != 2) {
			random_policy_done(&p);
			continue;
		}
		kept++;
		assert_int_equal(openness(&p.policy, &f), 2);
		assert_false(less.marked);
		assert_true(less.service && less.user && less.target);
		assert_true(less.binary || strcmp(less.service, "su") == 0);
		random_policy_done(&p);
	}
	assert_true(allowed > 10000);
	assert_true(kept > 1000);
}

/* A rule decides exactly when it is the first that policy_mismatch() finds nothing against. */
static void explained_as_decided(void **state)
{
	for (unsigned i = 0; i < 30000; i++) {
		struct random_policy p;
		struct verdict v;
		struct facts f;
		size_t first = 0;

		random_policy(&p);
		random_facts(&f);
		forget(&f);
		policy_decide(&p.policy, &f, &v);
		while (first < RULES && policy_mismatch(&p.policy, &p.policy.rule[first], &f, NULL))
			first++;
		if (v.unknown)
			assert_true(first == RULES || p.policy.rule[first].decision != DECISION_DENY);
		else if (first < RULES)
			assert_ptr_equal(v.rule, &p.policy.rule[first]);
		else
			assert_int_equal(v.decision, p.policy.default_decision);
		random_policy_done(&p);
	}
}

/* The order of groups and labels, and of the entries of a list, never matters. */
static void order_is_nothing(void **state)
{
	static const char *const forth[] = { "dba", "ops", NULL }, *const back[] = { "ops", "dba", NULL };
	static char *const label_forth[] = { prod, dmz, NULL }, *const label_back[] = { dmz, prod, NULL };

	for (unsigned i = 0; i < 20000; i++) {
		struct random_policy p;
		struct facts f;
		int one;

		random_policy(&p);
		random_facts(&f);
		forget(&f);
		f.groups = forth;
		f.labels = label_forth;
		one = openness(&p.policy, &f);
		f.groups = back;
		f.labels = label_back;
		assert_int_equal(openness(&p.policy, &f), one);
		for (size_t k = 0; k < RULES; k++) {
			for (size_t l = 0; l < ELEMENTS(p.rule[k].list); l++)
				if (p.rule[k].list[l][0] && p.rule[k].list[l][1]) {
					char *first = p.rule[k].list[l][0];

					p.rule[k].list[l][0] = p.rule[k].list[l][1];
					p.rule[k].list[l][1] = first;
				}
			assert_int_equal(rule_compile(&p.rule[k].rule, &random_zones, NULL), 0);
			p.list[k + 1] = p.rule[k].rule;
		}
		assert_int_equal(openness(&p.policy, &f), one);
		random_policy_done(&p);
	}
}

/* What the loader finds out about a rule and its own host changes no verdict. */
static void settled_as_judged(void **state)
{
	static char web1[] = "web1", db1[] = "db1";
	static char *const marks[][3] = { { NULL }, { prod, NULL }, { dmz, NULL }, { dmz, prod, NULL } };
	unsigned elsewhere = 0;

	for (unsigned i = 0; i < 50000; i++) {
		struct random_policy p;
		struct verdict before, after;
		struct facts f;
		char *own[3];

		random_policy(&p);
		random_facts(&f);
		if (test_below(2))
			forget(&f);
		memcpy(own, marks[test_below(ELEMENTS(marks))], sizeof(own));
		p.policy.host = test_below(2) ? web1 : db1;
		p.policy.labels = own;
		if (test_below(4)) {
			f.host = NULL;
			f.labels = NULL;
		}
		policy_decide(&p.policy, &f, &before);
		policy_settle(&p.policy);
		policy_decide(&p.policy, &f, &after);
		assert_int_equal(after.decision, before.decision);
		assert_ptr_equal(after.rule, before.rule);
		assert_int_equal(after.unknown, before.unknown);
		assert_ptr_equal(after.doubt, before.doubt);
		for (size_t k = 0; k < RULES; k++)
			elsewhere += p.policy.rule[k].elsewhere;
		random_policy_done(&p);
	}
	assert_true(elsewhere > 10000);
}

/* Looking at the first letters of a pattern says no only where fnmatch() does. */
static void letters_as_fnmatch(void **state)
{
	static const char letters[] = "ab.-/*?[]!\\";
	unsigned matched = 0;

	for (unsigned i = 0; i < 200000; i++) {
		char pattern[8] = "/", text[8] = "/";
		const char *const argv[] = { "x", NULL };
		bool match;

		for (unsigned k = 1, n = 1 + test_below(6); k <= n; k++)
			pattern[k] = letters[test_below(sizeof(letters) - 1)];
		for (unsigned k = 1, n = test_below(5); k <= n; k++)
			text[k] = letters[test_below(5)];
		match = policy_command_match(pattern, text, argv, 1);
		assert_int_equal(match, fnmatch(pattern, text, FNM_PATHNAME | FNM_PERIOD) == 0);
		matched += match;
	}
	assert_true(matched > 1000);
}

static int end_random(void **state)
{
	random_zones = zone_free(random_zones);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deny_opens_nothing),
		cmocka_unit_test(forgetting_opens_nothing),
		cmocka_unit_test(explained_as_decided),
		cmocka_unit_test(order_is_nothing),
		cmocka_unit_test(settled_as_judged),
		cmocka_unit_test(letters_as_fnmatch),
	};

	return cmocka_run_group_tests_name("policy-laws", tests, NULL, end_random);
}
