/* The code of Match=yes. */
#include "tests/unit/unit.h"

#include "lib/code.h"

/* Every code comes up, and none much more often than another. */
static void made(void **state)
{
	static unsigned count[1000];
	jit_code code;

	for (unsigned i = 0; i < 100000; i++) {
		assert_int_equal(code_new(code), 0);
		assert_true(code_valid(code));
		count[strtoul(code, NULL, 10)]++;
	}
	/* 100 on average; 45 is more than five standard deviations away. */
	for (unsigned i = 0; i < 1000; i++)
		check_case(count[i] > 45 && count[i] < 180, "%03u came %u times", i, count[i]);
}

static void typed(void **state)
{
	static const struct {
		const char *text, *code;
	} cases[] = {
		{ "417", "417" }, { " 417", "417" }, { "417\n", "417" }, { "\t007 \r\n", "007" }, { "", NULL }, { "41", NULL },
		{ "4170", NULL }, { "4 17", NULL }, { "41a", NULL }, { "-17", NULL }, { "+17", NULL }, { "417 417", NULL },
		{ "\xd9\xa1" "17", NULL }, { "   ", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		jit_code code = "xyz";
		int r = code_parse(cases[i].text, code);

		check_case(r == (cases[i].code ? 0 : -EINVAL), "'%s' gives %d", cases[i].text, r);
		check_case(!strcmp(code, cases[i].code ? cases[i].code : "xyz"), "'%s' gives '%s'", cases[i].text, code);
	}
}

static void compared(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{ "417", "417", true }, { "000", "000", true }, { "417", "418", false }, { "417", "317", false }, { "417", "427", false },
		{ "417", "", false }, { "417", "4170", false }, { "417", "41", false }, { "417", NULL, false }, { NULL, NULL, false },
		{ "", "", false }, { "abc", "abc", false },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		check_case(code_equal(cases[i].a, cases[i].b) == cases[i].equal, "row %zu", i);
		check_case(code_equal(cases[i].b, cases[i].a) == cases[i].equal, "row %zu, turned round", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made),
		cmocka_unit_test(typed),
		cmocka_unit_test(compared),
	};

	return cmocka_run_group_tests_name("code", tests, NULL, NULL);
}
