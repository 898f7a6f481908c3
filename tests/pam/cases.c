#include "tests/pam/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_said(void)
{
	for (unsigned i = 0; i < outcome->n_said && i < SAID_MAX; i++)
		print_message("    %s\n", outcome->said[i]);
}

void case_run(void **state)
{
	const struct test_case *c = *state;
	const struct outcome *o = harness_run(&c->run);

	if (o->code != c->code || (o->fake != 0 && !c->run.lenient) || o->killed != c->killed)
		print_said();
	if (!c->run.lenient)
		assert_int_equal(o->fake, 0);
	assert_int_equal(o->killed, c->killed);
	assert_false(harness_said("!"));
	for (unsigned i = 0; i < CASE_SAID && c->said[i]; i++)
		if (!harness_said(c->said[i])) {
			print_said();
			fail_msg("not said: %s", c->said[i]);
		}
	if (c->unsaid && harness_said_part(c->unsaid)) {
		print_said();
		fail_msg("said, but should not be: %s", c->unsaid);
	}
	if (c->quiet)
		assert_int_equal(o->n_said, 0);
	if (c->killed)
		return;
	assert_int_equal(o->signal, 0);
	assert_int_equal(o->code, c->code);
	if (!o->left_alone)
		fail_msg("changed in the host: %s", o->changed);
}

int cases_run(const char *group, const struct test_case *cases, size_t n)
{
	struct CMUnitTest *tests = calloc(n, sizeof(*tests));
	int failed;

	for (size_t i = 0; i < n; i++) {
		union {
			const void *in;
			void *out;
		} c = { &cases[i] };

		tests[i] = (struct CMUnitTest){ cases[i].name, case_run, NULL, NULL, c.out };
	}
	failed = _cmocka_run_group_tests(group, tests, n, harness_setup, harness_teardown);
	free(tests);
	return failed;
}
