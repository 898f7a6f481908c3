/* Request ids. */
#include "tests/unit/unit.h"

#include "lib/id.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void test_parse(void **state)
{
	static const struct {
		const char *text, *id;
	} good[] = {
		{ "K7QF-2M9X", "K7QF-2M9X" }, { "k7qf-2m9x", "K7QF-2M9X" }, { "K7QF2M9X", "K7QF-2M9X" },
		{ "k7qF2m9X", "K7QF-2M9X" },  { "oOiI-lL00", "0011-1100" }, { "ZZZZZZZZ", "ZZZZ-ZZZZ" },
		{ "0000-0000", "0000-0000" },
	};
	static const char *const bad[] = {
		"", "-", "K7QF", "K7QF-", "K7QF-2M9", "K7QF2M9", "K7QF-2M9XX", "K7QF2M9XX", "K7QF--2M9X",
		"K7QF2-M9X",
		"K7Q-F2M9X", "-K7QF2M9X", "K7QF2M9X-", "K7QF-2M9X ", " K7QF-2M9X", "K7QF 2M9X", "K7QF_2M9X",
		"U7QF-2M9X",
		"K7QF-2M9u", "K7QF-2M9\n", "K7QF-2M9*", "K7QF/2M9X", "../../etc", "K7QF-2M9X\n", "K7Q\xc3\x96-2M9X",
		("\xef\xbc\xab" "7QF-2M9"),
	};

	for (size_t i = 0; i < ELEMENTS(good); i++) {
		jit_id id = "untouched";

		check_case(id_parse(good[i].text, id) == 0, "%s", good[i].text);
		assert_string_equal(id, good[i].id);
		check_case(id_valid(good[i].text) == !strcmp(good[i].text, good[i].id), "%s", good[i].text);
	}
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		jit_id id = "untouched";

		check_case(id_parse(bad[i], id) == -EINVAL, "'%s'", bad[i]);
		check_case(!strcmp(id, "untouched"), "'%s' changed its output", bad[i]);
		check_case(!id_valid(bad[i]), "'%s'", bad[i]);
	}
	{
		jit_id id = "untouched";

		assert_int_equal(id_parse(NULL, id), -EINVAL);
		assert_false(id_valid(NULL));
	}
}

/* Every byte at every place: only letters of the alphabet, their small forms and the look-alikes. */
static void test_every_byte(void **state)
{
	for (size_t place = 0; place < ID_LEN; place++) {
		for (int c = 1; c < 256; c++) {
			char text[] = "K7QF-2M9X";
			jit_id id;
			bool letter = strchr(alphabet, c >= 'a' && c <= 'z' ? c - 32 : c) || strchr("oOiIlL", c);

			text[place] = (char)c;
			check_case((id_parse(text, id) == 0) == (place == 4 ? c == '-' : letter), "byte %d at %zu", c, place);
		}
	}
}

static void test_new(void **state)
{
	unsigned seen[32] = { 0 };
	jit_id last = "";

	for (unsigned i = 0; i < 4000; i++) {
		jit_id id;
		char unit[ID_UNIT_LEN + 1];

		assert_int_equal(id_new(id), 0);
		assert_true(id_valid(id));
		assert_string_not_equal(id, last);
		memcpy(last, id, sizeof last);
		id_unit(id, unit);
		assert_int_equal(strlen(unit), ID_UNIT_LEN);
		assert_null(strchr(unit, '-'));
		assert_int_equal(id_parse(unit, id), 0);
		assert_string_equal(id, last);
		for (size_t k = 0; unit[k]; k++)
			seen[strchr(alphabet, unit[k]) - alphabet]++;
	}
	/* 1000 of each are expected; 600 is 13 standard deviations off. */
	for (size_t k = 0; k < ELEMENTS(seen); k++)
		check_case(seen[k] > 600 && seen[k] < 1400, "'%c' came %u times", alphabet[k], seen[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
