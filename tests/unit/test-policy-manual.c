/* policy-manual.txt: every line of it must come true, and be told as it came. */
#include "tests/unit/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/policy-case.h"
#include "lib/zone.h"

#define CASES_MIN 300

struct reading {
	char *host, *rules; /* of the part being read */
	const char *title;
	struct policy *policy;
	struct zone *zones;
	bool in_rules, in_cases;
	unsigned line, cases, failed;
};

static char *append(char *text, const char *line)
{
	char *longer;

	assert_true(asprintf(&longer, "%s%s\n", text ? text : "", line) > 0);
	free(text);
	return longer;
}

static void end_part(struct reading *m)
{
	free(m->host);
	free(m->rules);
	m->host = m->rules = NULL;
	m->policy = policy_free(m->policy);
	m->in_rules = m->in_cases = false;
}

static void load(struct reading *m)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	char dir[512];

	snprintf(dir, sizeof(dir), "%s", site_begin());
	site_write("jitd.conf", m->host ? m->host : "");
	site_write("people.d/p.conf", site_people);
	site_write("approvers", site_approvers);
	site_write("rules.d/r.conf", m->rules ? m->rules : "");
	if (policy_load(dir, getuid(), &m->policy, &e) != 0)
		fail_msg("%s: %s", m->title, e.n ? e.list[0] : "out of memory");
	site_end();
	m->in_cases = true;
}

/* What `explain` says of the call is what becomes of it. */
static bool explained(const struct policy *p, const struct facts *f, const struct verdict *v)
{
	CLEAN(json_put_p) struct json_object *o = policy_explain(p, f);
	struct json_object *passed = json_arr(o, "passed_over");
	size_t before = v->rule && v->rule != &p->fallback ? (size_t)(v->rule - p->rule) : p->n_rules;

	if (strcmp(json_str(o, "decision"), decision_string(v->decision)) != 0 ||
	    strcmp(json_str(o, "rule"), v->rule ? v->rule->name : POLICY_FALLBACK) != 0 ||
	    (json_str(o, "unknown") != NULL) != v->unknown || json_object_array_length(passed) != before)
		return false;
	for (size_t i = 0; i < before && !v->unknown; i++)
		if (!json_str(json_object_array_get_idx(passed, i), "why"))
			return false;
	return true;
}

/* The order of groups and labels never matters. */
static bool same_backwards(const struct policy *p, const struct policy_case *c, const struct verdict *v)
{
	const char *groups[POLICY_CASE_WORDS + 1] = { NULL };
	char *labels[POLICY_CASE_WORDS + 1] = { NULL };
	struct facts f = c->facts;
	struct verdict other;
	size_t n = 0, k = 0;

	while (f.groups && f.groups[n])
		n++;
	for (size_t i = 0; i < n; i++)
		groups[i] = f.groups[n - 1 - i];
	while (f.labels && f.labels[k])
		k++;
	for (size_t i = 0; i < k; i++)
		labels[i] = f.labels[k - 1 - i];
	f.groups = f.groups ? groups : NULL;
	f.labels = f.labels ? labels : NULL;
	policy_decide(p, &f, &other);
	return other.decision == v->decision && other.rule == v->rule && other.doubt == v->doubt;
}

static void complain(struct reading *m, const char *line, const char *what)
{
	print_error("policy-manual.txt:%u: (%s) %s: %s\n", m->line, m->title, line, what);
	m->failed++;
}

static void judge(struct reading *m, const char *line)
{
	CLEAN(policy_case_done) struct policy_case c;
	struct why w = { "" };
	struct verdict v;
	struct need need;
	char got[128];
	int r = policy_case_parse(line, &m->zones, &c, &w);

	if (r < 0)
		complain(m, line, w.text);
	if (r <= 0)
		return;
	m->cases++;
	if (policy_case_decide(m->policy, &c, &v, &need, &w) < 0) {
		complain(m, line, w.text);
		return;
	}
	if (!policy_case_met(m->policy, &c, &v, &need, &w)) {
		complain(m, line, policy_verdict_words(&v, got, sizeof(got)));
		print_error("  %s\n", w.text);
	}
	policy_decide(m->policy, &c.facts, &v);
	if (!explained(m->policy, &c.facts, &v))
		complain(m, line, "explained otherwise than decided");
	if (!same_backwards(m->policy, &c, &v))
		complain(m, line, "the order of groups or labels matters");
}

static void take_line(struct reading *m, char *line)
{
	m->line++;
	if (strncmp(line, "=== ", 4) == 0) {
		end_part(m);
		m->title = line + 4;
	} else if (!m->title) {
		assert_true(*line == '#' || !*line);
	} else if (m->in_cases) {
		judge(m, line);
	} else if (strcmp(line, "---") == 0) {
		load(m);
	} else {
		char **part = NULL;

		m->in_rules = m->in_rules || strncmp(line, "[Rule ", 6) == 0;
		part = m->in_rules ? &m->rules : &m->host;
		*part = append(*part, line);
	}
}

static void manual(void **state)
{
	CLEAN(free_p) char *text = NULL;
	struct reading m = { .line = 0 };
	char *line, *rest;
	size_t len;

	assert_int_equal(file_read_untrusted(AT_FDCWD, POLICY_MANUAL, 1024 * 1024, &text, &len), 0);
	for (rest = text; (line = strsep(&rest, "\n"));)
		take_line(&m, line);
	assert_true(m.in_cases);
	end_part(&m);
	zone_free(m.zones);
	if (m.failed)
		fail_msg("%u of %u cases", m.failed, m.cases);
	assert_true(m.cases >= CASES_MIN);
}

/* The lines themselves. */

static void bad_cases(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "sudo alice root /bin/id", "a case is: SERVICE USER TARGET" },
		{ "sudo alice => deny", "a case is: SERVICE USER TARGET" },
		{ "=> deny", "a case is: SERVICE USER TARGET" },
		{ "sudo alice root /bin/id \"=>\" deny", "a case is: SERVICE USER TARGET" },
		{ "sudo alice root /bin/id =>", "behind => stands" },
		{ "sudo alice root /bin/id => perhaps", "behind => stands" },
		{ "sudo alice root /bin/id => deny a b", "'b' is not a count" },
		{ "sudo alice root /bin/id => approve a \"1 of x\" c", "behind => stands" },
		{ "sudo alice root fails=lod<8 /bin/id => deny", "'lod' is no check" },
		{ "sudo alice root id => deny", "'id' is neither a fact nor a command's path" },
		{ "sudo alice root group=x /bin/id => deny", "'group=x' is neither a fact" },
		{ "sudo alice root at=noon /bin/id => deny", "'noon' is no time" },
		{ "sudo alice root at=\"Mon 10:00 Mars/Olympus\" /bin/id => deny", "there is no time zone" },
		{ "sudo alice root \"/bin/id => deny", "a quote is not closed" },
		{ "sudo alice root /bin/\xff => deny", "a case is a line of UTF-8" },
		{ "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a"
		  " a a a a a a a a => deny", "more than 64 words" },
	};
	struct zone *zones = NULL;

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		CLEAN(policy_case_done) struct policy_case c;
		struct why w = { "" };

		if (policy_case_parse(cases[i].line, &zones, &c, &w) != -EINVAL || !strstr(w.text, cases[i].words))
			fail_msg("%s: %s", cases[i].line, w.text);
	}
	zone_free(zones);
}

static void good_case(void **state)
{
	CLEAN(policy_case_done) struct policy_case c;
	struct zone *zones = NULL;

	assert_int_equal(policy_case_parse("", &zones, &c, NULL), 0);
	assert_int_equal(policy_case_parse("  \t", &zones, &c, NULL), 0);
	assert_int_equal(policy_case_parse(" # x => y", &zones, &c, NULL), 0);
	assert_int_equal(policy_case_parse(" sudo\t\"alice\" 'ro'ot groups=a,b marked cwd=\"/a b\" /bin/x '=>' \"\" a\\ b \"c\\\"d\\e\" => deny",
		&zones, &c, NULL), 1);
	assert_string_equal(c.facts.service, "sudo");
	assert_string_equal(c.facts.user, "alice");
	assert_string_equal(c.facts.target, "root");
	assert_string_equal(c.facts.groups[1], "b");
	assert_null(c.facts.groups[2]);
	assert_true(c.facts.marked);
	assert_string_equal(c.facts.cwd, "/a b");
	assert_null(c.facts.tty);
	assert_string_equal(c.facts.binary, "/bin/x");
	assert_int_equal(c.facts.argc, 5);
	assert_string_equal(c.facts.argv[1], "=>");
	assert_string_equal(c.facts.argv[2], "");
	assert_string_equal(c.facts.argv[3], "a b");
	assert_string_equal(c.facts.argv[4], "c\"d\\e");
	assert_null(c.facts.argv[5]);
	assert_string_equal(c.decision, "deny");
	assert_null(c.rule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manual),
		cmocka_unit_test(bad_cases),
		cmocka_unit_test(good_case),
	};

	return cmocka_run_group_tests_name("policy-manual", tests, NULL, NULL);
}
