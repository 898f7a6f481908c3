/* What a person sees: relative times, cutting and wrapping, JSON that does nothing to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/text.h"

static void test_when(void **state)
{
	static const struct {
		int64_t sec;
		const char *words;
	} cases[] = {
		{0, "now"}, {45, "in 45 s"}, {-45, "45 s ago"}, {99, "in 99 s"}, {240, "in 4 min"}, {-120, "2 min ago"},
		{3600, "in 1 h"}, {5400, "in 1 h 30 min"}, {-36000, "10 h ago"}, {3 * 86400, "in 3 d"},
	};
	char buf[64];

	for (size_t i = 0; i < ELEMENTS(cases); i++)
		assert_string_equal(when_delta(cases[i].sec * (int64_t)USEC_PER_SEC, buf, sizeof(buf)), cases[i].words);
	/* What is no time is shown as it is, without its tricks. */
	assert_string_equal(when_text("soon\033[2J", buf, sizeof(buf)), "soon\\x1b[2J");
	assert_string_equal(when_text(NULL, buf, sizeof(buf)), "");
}

static void test_cut(void **state)
{
	CLEAN(free_p) char *same = screen_cut("abc", 3), *cut = screen_cut("abcdefgh", 6), *wide = screen_cut("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5),
		*tiny = screen_cut("abcdef", 2);

	assert_string_equal(same, "abc");
	assert_string_equal(cut, "abc...");
	/* Two columns each: one fits beside the dots, not one and a half. */
	assert_string_equal(wide, "\xe6\x97\xa5...");
	assert_true(text_columns(tiny) <= 2);
}

static void test_lines(void **state)
{
	const char *text = "one two three aaaaaaaaaaaaaaaaaaaaaaaa";
	static const char *const expected[] = {"one two", "three", "aaaaaaaaaa", "aaaaaaaaaa", "aaaa"};

	for (size_t i = 0; i < ELEMENTS(expected); i++) {
		CLEAN(free_p) char *line = screen_line(&text, 10);

		assert_string_equal(line, expected[i]);
	}
	assert_string_equal(text, "");
}

static void test_safe(void **state)
{
	CLEAN(free_p) char *s = screen_safe("a\\b \033]0;x\007 \xe2\x80\xae \xff \\x1b");

	assert_string_equal(s, "a\\b \\x1b]0;x\\x07 \\u{202E} \\xff \\x1b");
}

static void test_json(void **state)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *back = NULL;
	CLEAN(free_p) char *text = NULL;
	const char *wild = "\033[2J \x7f \xc2\x9b \xe2\x80\xae \xf0\x9f\x98\x80 \"\\ \xc3\xa4";
	size_t len;
	FILE *f = open_memstream(&text, &len);

	json_add_str(o, "k", wild);
	screen_json(f, o);
	fclose(f);
	for (const char *p = text; *p; p++)
		assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');
	/* And it means the same. */
	assert_int_equal(json_parse(text, strlen(text) - 1, &back, NULL), 0);
	assert_string_equal(json_str(back, "k"), wild);
}

static void test_table(void **state)
{
	static const struct column column[] = {{"ID", 0, false}, {"COMMAND", 0, true}, {"ASKED", 2, false}, {"EMPTY", 1, false}};
	struct table t CLEAN(table_done) = {.column = column, .columns = ELEMENTS(column)};
	CLEAN(free_p) char *text = NULL;
	size_t len;
	FILE *old = stdout;

	for (int i = 0; i < 40; i++) {
		table_row(&t);
		table_set(&t, 0, BOLD, "K7QF-2M9X");
		table_set(&t, 1, PLAIN, i ? "ls" : "a command that is much longer than the terminal is wide, by far");
		table_set(&t, 2, DIM, "2 min ago");
	}
	assert_false(t.failed);
	setenv("COLUMNS", "40", 1);
	screen_setup();
	stdout = open_memstream(&text, &len);
	table_print(&t);
	fclose(stdout);
	stdout = old;
	assert_non_null(strstr(text, "ID         COMMAND             ASKED\n"));
	assert_null(strstr(text, "EMPTY"));
	assert_non_null(strstr(text, "K7QF-2M9X  a command that ...  2 min ago\n"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(text_columns(line) <= 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when), cmocka_unit_test(test_cut),  cmocka_unit_test(test_lines),
		cmocka_unit_test(test_safe), cmocka_unit_test(test_json), cmocka_unit_test(test_table),
	};

	setlocale(LC_ALL, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
