/* Escaping: what an approver reads must be what was asked. */
#include "tests/unit/unit.h"

#include <locale.h>
#include <wchar.h>

#include "lib/text.h"

#define WHOLE 100000

struct text_case {
	const char *in, *out;
};

static void check_escapes(const struct text_case *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEAN(free_p) char *got = text_escape(table[i].in, strlen(table[i].in), WHOLE);

		assert_non_null(got);
		check_case(!strcmp(got, table[i].out), "row %zu: got '%s', not '%s'", i, got, table[i].out);
	}
}

static void test_escape(void **state)
{
	static const struct text_case table[] = {
		{ "", "" },
		{ "systemctl restart nginx", "systemctl restart nginx" },
		{ "a\\b\\n", "a\\\\b\\\\n" },
		{ "a\nb\tc\rd\b\a\v\f", "a\\nb\\tc\\x0dd\\x08\\x07\\x0b\\x0c" },
		{ "\033[2J\033]0;title\007", "\\x1b[2J\\x1b]0;title\\x07" },
		{ "\x01\x1f\x7f", "\\x01\\x1f\\x7f" },
		{ "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80" },
		/* C1 as characters: 0x9b is CSI to some terminals. */
		{ "\xc2\x80\xc2\x9b\xc2\x9f", "\\u{0080}\\u{009B}\\u{009F}" },
		/* C1 as bytes are not UTF-8. */
		{ "\x9b[2J", "\\x9b[2J" },
	};

	check_escapes(table, ELEMENTS(table));
}

static void test_invalid_utf8(void **state)
{
	static const struct text_case table[] = {
		{ "\x80", "\\x80" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "a\xc3", "a\\xc3" },
		{ "\xc3(", "\\xc3(" },
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xe2\x82x", "\\xe2\\x82x" },
		{ "\xe2(\xa1", "\\xe2(\\xa1" },
		{ "\xf0\x9f\x98", "\\xf0\\x9f\\x98" },
		/* overlong '/', NUL, ESC, U+07FF, U+FFFF */
		{ "\xc0\xaf", "\\xc0\\xaf" },
		{ "\xc1\x9b", "\\xc1\\x9b" },
		{ "\xc0\x80", "\\xc0\\x80" },
		{ "\xe0\x80\x9b", "\\xe0\\x80\\x9b" },
		{ "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
		{ "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
		/* surrogates, and a pair of them (CESU-8) */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xed\xbf\xbf", "\\xed\\xbf\\xbf" },
		{ "\xed\xa0\xbd\xed\xb8\x80", "\\xed\\xa0\\xbd\\xed\\xb8\\x80" },
		/* beyond U+10FFFF, five and six bytes */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" },
		{ "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80" },
		{ "\xfc\x84\x80\x80\x80\x80", "\\xfc\\x84\\x80\\x80\\x80\\x80" },
		/* the edges that are valid: U+07FF, U+0800, U+D7FF, U+10000 */
		{ "\xdf\xbf", "\xdf\xbf" },
		{ "\xe0\xa0\x80", "\xe0\xa0\x80" },
		{ "\xed\x9f\xbf", "\xed\x9f\xbf" },
		{ "\xf0\x90\x80\x80", "\xf0\x90\x80\x80" },
	};

	check_escapes(table, ELEMENTS(table));
}

static size_t encode(uint32_t cp, char out[static 5])
{
	size_t n;

	if (cp < 0x80) {
		out[0] = (char)cp;
		n = 1;
	} else if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		n = 2;
	} else if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		n = 3;
	} else {
		out[0] = (char)(0xf0 | cp >> 18);
		n = 4;
	}
	for (size_t i = 1; i < n; i++)
		out[i] = (char)(0x80 | (cp >> 6 * (n - 1 - i) & 0x3f));
	out[n] = '\0';
	return n;
}

/* Is CP, behind an 'a', shown as \u{…}? */
static bool hidden(uint32_t cp)
{
	char in[8] = "a", expected[16];
	size_t n = 1 + encode(cp, in + 1);
	CLEAN(free_p) char *got = text_escape(in, n, WHOLE);

	assert_non_null(got);
	(void)snprintf(expected, sizeof expected, "a\\u{%04X}", (unsigned)cp);
	if (!strcmp(got, expected))
		return true;
	check_case(!strcmp(got, in), "U+%04X: '%s'", (unsigned)cp, got);
	return false;
}

static void test_hidden(void **state)
{
	static const struct {
		uint32_t first, last;
		const char *what;
	} all[] = {
		{ 0x80, 0x9f, "C1" },
		{ 0xa0, 0xa0, "no-break space" },
		{ 0xad, 0xad, "soft hyphen" },
		{ 0x34f, 0x34f, "grapheme joiner" },
		{ 0x61c, 0x61c, "Arabic letter mark" },
		{ 0x115f, 0x1160, "Hangul fillers" },
		{ 0x17b4, 0x17b5, "Khmer vowels" },
		{ 0x180b, 0x180f, "Mongolian selectors" },
		{ 0x2000, 0x200a, "spaces" },
		{ 0x200b, 0x200f, "zero width, marks" },
		{ 0x2028, 0x2029, "line and paragraph separator" },
		{ 0x202a, 0x202e, "bidi embeddings and overrides" },
		{ 0x2060, 0x2069, "word joiner, operators, isolates" },
		{ 0x206a, 0x206f, "deprecated format characters" },
		{ 0x2800, 0x2800, "Braille blank" },
		{ 0x3000, 0x3000, "ideographic space" },
		{ 0x3164, 0x3164, "Hangul filler" },
		{ 0xe000, 0xf8ff, "private use" },
		{ 0xfe00, 0xfe0f, "variation selectors" },
		{ 0xfeff, 0xfeff, "byte order mark" },
		{ 0xffa0, 0xffa0, "halfwidth filler" },
		{ 0xfff9, 0xfffb, "interlinear annotation" },
		{ 0xfffe, 0xffff, "noncharacters" },
		{ 0x1d173, 0x1d17a, "musical format" },
		{ 0xe0000, 0xe0fff, "tags, selectors and what is reserved with them" },
		{ 0xf0000, 0xfffff, "private use" },
		{ 0x10fff0, 0x10ffff, "private use, noncharacters" },
	};
	/* Not everything that is far from ASCII. */
	static const uint32_t shown[] = {
		'a', '~', 0xa1, 0xac, 0xae, 0xe9, 0x3b1, 0x416, 0x5d0, 0x627, 0x61b, 0x905, 0x115e, 0x1161, 0x2010, 0x2027,
		0x2030, 0x20ac, 0x2190, 0x2603, 0x27ff, 0x2801, 0x3001, 0x3042, 0x3163, 0x3165, 0x4e00, 0xac00, 0xfb01,
		0xfe10, 0xff21, 0xff9f, 0xffa1, 0xfffd, 0x10400, 0x1d172, 0x1d17b, 0x1f600, 0x20000, 0x3fffd,
	};

	for (size_t i = 0; i < ELEMENTS(all); i++)
		for (uint32_t cp = all[i].first; cp <= all[i].last; cp++)
			check_case(hidden(cp), "U+%04X (%s) is shown", (unsigned)cp, all[i].what);
	for (size_t i = 0; i < ELEMENTS(shown); i++)
		check_case(!hidden(shown[i]), "U+%04X is hidden", (unsigned)shown[i]);
}

static void test_marks(void **state)
{
	static const struct text_case table[] = {
		{ "e\xcc\x81", "e\xcc\x81" },
		/* four may stand on one, the fifth would paint over other lines */
		{ "e\xcc\x81\xcc\x82\xcc\x83\xcc\x84", "e\xcc\x81\xcc\x82\xcc\x83\xcc\x84" },
		{ "e\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85x\xcc\x81", "e\xcc\x81\xcc\x82\xcc\x83\xcc\x84\\u{0305}x\xcc\x81" },
		/* none without something to stand on: it would fall on our own words */
		{ "\xcc\x81x", "\\u{0301}x" },
		{ " \xcc\x81", " \\u{0301}" },
		{ "\n\xcc\x81", "\\n\\u{0301}" },
		{ "\xe2\x80\x8b\xcc\x81", "\\u{200B}\\u{0301}" },
	};

	check_escapes(table, ELEMENTS(table));
}

static void test_nul_and_length(void **state)
{
	CLEAN(free_p) char *a = text_escape("a\0b\0", 4, WHOLE), *b = text_escape("abc", 2, WHOLE);
	/* A character cut off by LEN is not completed from what lies behind. */
	CLEAN(free_p) char *c = text_escape("\xe2\x82\xac", 2, WHOLE);

	assert_string_equal(a, "a\\x00b\\x00");
	assert_string_equal(b, "ab");
	assert_string_equal(c, "\\xe2\\x82");
}

static void test_cut(void **state)
{
	CLEAN(free_p) char *fits = text_escape("0123456789012345678901234567890123456789", 40, 40);
	CLEAN(free_p) char *cut = text_escape("01234567890123456789012345678901234567890", 41, 40);
	/* A MAX that holds no mark is taken as 32. */
	CLEAN(free_p) char *tiny = text_escape("0123456789012345678901234567890123456789", 40, 0);

	assert_string_equal(fits, "0123456789012345678901234567890123456789");
	assert_string_equal(cut, "01234567890123456789012345...(+15 bytes)");
	assert_string_equal(tiny, "012345678901234567...(+22 bytes)");
}

/* At every length: never more columns than allowed, cut at a whole character or escape, the count true. */
static void test_cut_everywhere(void **state)
{
	static const char unit[] = "\xe6\x97\xa5" "e\xcc\x81\xcc\x82\033\xe2\x80\xae\xff\\ ";
	char in[40 * sizeof unit];
	size_t len = 0;

	for (int i = 0; i < 40; i++) {
		memcpy(in + len, unit, sizeof unit - 1);
		len += sizeof unit - 1;
	}
	for (size_t max = 32; max < 1200; max++) {
		CLEAN(free_p) char *got = text_escape(in, len, max);
		CLEAN(free_p) char *prefix = NULL;
		size_t shown, mark;
		unsigned long more;
		char *dots;

		assert_non_null(got);
		assert_true(text_utf8(got, strlen(got)));
		check_case(text_columns(got) <= max, "%zu: '%s'", max, got);
		dots = strstr(got, "...(+");
		if (!dots)
			continue;
		assert_int_equal(sscanf(dots, "...(+%lu bytes)", &more), 1);
		assert_true(more > 0 && more <= len);
		shown = len - more;
		prefix = text_escape(in, shown, WHOLE);
		mark = (size_t)(dots - got);
		check_case(strlen(prefix) == mark && !memcmp(prefix, got, mark), "%zu: '%s'", max, got);
		/* Not cut much earlier than needed: a unit here has at most 8 columns, a mark's number two digits to spare. */
		check_case(text_columns(got) + 10 >= max, "%zu: '%s'", max, got);
	}
}

/* A paint of marks is no way around the limit. */
static void test_cut_bytes(void **state)
{
	char in[30000];
	CLEAN(free_p) char *got = NULL;

	in[0] = 'a';
	for (size_t i = 1; i + 1 < sizeof in; i += 2)
		memcpy(in + i, "\xcc\x81", 2);
	got = text_escape(in, sizeof in - 1, 64);
	assert_non_null(got);
	assert_true(strlen(got) < 200);
}

static void test_every_byte_pair(void **state)
{
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			char in[2] = { (char)a, (char)b };
			CLEAN(free_p) char *got = text_escape(in, 2, WHOLE);

			assert_non_null(got);
			assert_true(text_utf8(got, strlen(got)));
			for (char *p = got; *p; p++)
				check_case((unsigned char)*p >= 0x20 && *p != 0x7f, "%02x %02x", a, b);
		}
	}
}

static void test_argv(void **state)
{
	static const struct {
		const char *argv[5], *out;
	} table[] = {
		{ { NULL }, "" },
		{ { "ls" }, "ls" },
		{ { "systemctl", "restart", "nginx" }, "systemctl restart nginx" },
		{ { "sh", "-c", "echo hi; id" }, "sh -c 'echo hi; id'" },
		/* one argument with a blank is not two */
		{ { "rm", "a b" }, "rm 'a b'" },
		{ { "rm", "a", "b" }, "rm a b" },
		{ { "", "x", "" }, "'' x ''" },
		{ { "it's" }, "'it'\\''s'" },
		{ { "'" }, "''\\'''" },
		{ { "a\\b" }, "'a\\\\b'" },
		{ { "a\nb", "\033[0m" }, "'a\\nb' '\\x1b[0m'" },
		{ { "--x=/etc/passwd", "a@b,c:d%e+f_-." }, "--x=/etc/passwd a@b,c:d%e+f_-." },
		{ { "$(reboot)", "`x`", "*", "~" }, "'$(reboot)' '`x`' '*' '~'" },
		{ { "\xff\xfe" }, "'\\xff\\xfe'" },
		{ { "\xe6\x97\xa5" }, "'\xe6\x97\xa5'" },
		{ { "a\xc2\xa0" "b" }, "'a\\u{00A0}b'" },
		{ { "\xcc\x81", "'\xcc\x81" }, "'\\u{0301}' ''\\''\\u{0301}'" },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		char *argv[5];
		size_t argc = 0;
		CLEAN(free_p) char *got = NULL;

		for (; argc < 5 && table[i].argv[argc]; argc++)
			argv[argc] = strdup(table[i].argv[argc]);
		got = text_argv(argv, argc, WHOLE);
		assert_non_null(got);
		check_case(!strcmp(got, table[i].out), "row %zu: got '%s', not '%s'", i, got, table[i].out);
		while (argc > 0)
			free(argv[--argc]);
	}
}

static void test_argv_cut(void **state)
{
	char quotes[2000], *argv[] = { (char[]){ "rm" }, quotes, (char[]){ "last" } };

	memset(quotes, '\'', sizeof quotes - 1);
	quotes[sizeof quotes - 1] = '\0';
	for (size_t max = 32; max < 9000; max += 7) {
		CLEAN(free_p) char *got = text_argv(argv, 3, max);
		char *dots;

		assert_non_null(got);
		assert_true(strlen(got) <= max);
		dots = strstr(got, "...(+");
		if (dots) {
			unsigned long more, shown = 0;

			assert_int_equal(sscanf(dots, "...(+%lu bytes)", &more), 1);
			if (dots - got >= 4) /* "rm '" and then four columns for each */
				shown = 2 + (unsigned long)(dots - got - 4) / 4;
			else if (dots - got >= 2)
				shown = 2;
			assert_int_equal(more, 2 + 1999 + 4 - shown);
		} else
			assert_string_equal(got + strlen(got) - 6, "' last");
	}
}

static void test_line(void **state)
{
	static const char in[] = "a\\b\n\xe2\x82\xac\xe2\x82\xac";
	char buf[64];

	assert_string_equal(text_line(buf, sizeof buf, in, strlen(in)), "a\\b\\n\xe2\x82\xac\xe2\x82\xac");
	for (size_t size = 1; size <= 11; size++) {
		char *small = malloc(size);

		assert_non_null(small);
		text_line(small, size, in, strlen(in));
		assert_true(strlen(small) < size);
		assert_true(text_utf8(small, strlen(small)));
		if (size >= 4)
			assert_string_equal(small + strlen(small) - 3, "...");
		free(small);
	}
	assert_string_equal(text_line(buf, 9, in, strlen(in)), "a\\b\\n...");
	assert_string_equal(text_line(buf, 12, in, strlen(in)), "a\\b\\n\xe2\x82\xac\xe2\x82\xac");
	buf[0] = 'x';
	assert_ptr_equal(text_line(buf, 0, in, strlen(in)), buf);
	assert_int_equal(buf[0], 'x');
}

static void test_utf8(void **state)
{
	assert_true(text_utf8("", 0));
	assert_true(text_utf8("abc\n\033", 5));
	assert_true(text_utf8("\xf4\x8f\xbf\xbf", 4));
	assert_true(text_utf8("\xe2\x80\xae", 3));
	assert_false(text_utf8("a\0b", 3));
	assert_false(text_utf8("\xe2\x82\xac", 2));
	assert_false(text_utf8("\xc0\x80", 2));
	assert_false(text_utf8("\xed\xa0\x80", 3));
	assert_false(text_utf8("\xf4\x90\x80\x80", 4));
	/* Every code point, and no surrogate. */
	for (uint32_t cp = 1; cp <= 0x10ffff; cp++) {
		char s[5];
		size_t n = encode(cp, s);

		check_case(text_utf8(s, n) == (cp < 0xd800 || cp > 0xdfff), "U+%04X", (unsigned)cp);
	}
}

static void test_columns(void **state)
{
	assert_int_equal(text_columns(""), 0);
	assert_int_equal(text_columns("abc"), 3);
	assert_int_equal(text_columns("caf\xc3\xa9"), 4);
	assert_int_equal(text_columns("cafe\xcc\x81"), 4);
	assert_int_equal(text_columns("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_int_equal(text_columns("\xf0\x9f\x98\x80"), 2);
	assert_int_equal(text_columns("\xea\xb0\x80\xef\xbc\xa1"), 4);
	assert_int_equal(text_columns("a\xff" "b"), 3);
}

/* The C library's tables are the witness, but for what one of both Unicode versions does not know. */
static void test_columns_against_libc(void **state)
{
	unsigned seen = 0, odd = 0;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	for (uint32_t cp = 0xa1; cp < 0x40000; cp++) {
		char s[5];
		int theirs = wcwidth((wchar_t)cp), ours;

		if ((cp >= 0xd800 && cp <= 0xdfff) || theirs < 0)
			continue;
		s[encode(cp, s)] = '\0';
		ours = (int)text_columns(s);
		seen++;
		if (ours != theirs && !hidden(cp))
			odd++;
	}
	check_case(seen > 100000 && odd < 512, "%u of %u differ", odd, seen);
}

static void test_names(void **state)
{
	static const struct {
		const char *s;
		bool name, principal;
	} table[] = {
		{ "", false, false },
		{ "bob", true, true },
		{ "Bob_2.x-y", true, true },
		{ "_apt", true, true },
		{ "9to5", true, true },
		{ "-rf", false, true },
		{ ".hidden", false, true },
		{ "..", false, true },
		{ "a/b", false, true },
		{ "bob@example.com", false, true },
		{ "a b", false, false },
		{ "a\tb", false, false },
		{ "a\n", false, false },
		{ "a,b", false, false },
		{ "a*", false, false },
		{ "a?", false, false },
		{ "!a", false, false },
		{ "#a", false, false },
		{ "a\"b", false, false },
		{ "a'b", false, false },
		{ "a\\b", false, false },
		{ "caf\xc3\xa9", false, false },
		{ "a\x7f", false, false },
		{ "a\xff", false, false },
		{ "a$", false, true },
		{ "a:b", false, true },
		{ "%wheel", false, true },
	};
	char longer[140];

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		check_case(name_valid(table[i].s) == table[i].name, "name '%s'", table[i].s);
		check_case(principal_valid(table[i].s) == table[i].principal, "principal '%s'", table[i].s);
	}
	assert_false(name_valid(NULL));
	assert_false(principal_valid(NULL));
	memset(longer, 'a', sizeof longer);
	longer[129] = '\0';
	assert_false(principal_valid(longer));
	longer[128] = '\0';
	assert_true(principal_valid(longer));
	longer[65] = '\0';
	assert_false(name_valid(longer));
	longer[64] = '\0';
	assert_true(name_valid(longer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),         cmocka_unit_test(test_invalid_utf8),
		cmocka_unit_test(test_hidden),         cmocka_unit_test(test_marks),
		cmocka_unit_test(test_nul_and_length), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_everywhere), cmocka_unit_test(test_cut_bytes),
		cmocka_unit_test(test_every_byte_pair), cmocka_unit_test(test_argv),
		cmocka_unit_test(test_argv_cut),       cmocka_unit_test(test_line),
		cmocka_unit_test(test_utf8),           cmocka_unit_test(test_columns),
		cmocka_unit_test(test_columns_against_libc),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
