/* Spans, RFC 3339 and the boot id. */
#include "tests/unit/unit.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/text.h"

static void test_span_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} good[] = {
		{ "0", 0 },
		{ "90", 90 * USEC_PER_SEC },
		{ "90s", 90 * USEC_PER_SEC },
		{ "90sec", 90 * USEC_PER_SEC },
		{ "5m", 5 * USEC_PER_MIN },
		{ "30min", 30 * USEC_PER_MIN },
		{ "30 min", 30 * USEC_PER_MIN },
		{ "4h", 4 * USEC_PER_HOUR },
		{ "4hr", 4 * USEC_PER_HOUR },
		{ "1h 30min", 90 * USEC_PER_MIN },
		{ "1h30min", 90 * USEC_PER_MIN },
		{ "1 h 30 min", 90 * USEC_PER_MIN },
		{ "2d", 2 * USEC_PER_DAY },
		{ "1day", USEC_PER_DAY },
		{ "1w", 7 * USEC_PER_DAY },
		{ "1w 1d 1h 1min 1s", 8 * USEC_PER_DAY + USEC_PER_HOUR + USEC_PER_MIN + USEC_PER_SEC },
		{ " \t5s ", 5 * USEC_PER_SEC },
		{ "0001s", USEC_PER_SEC },
		{ "366d", 366 * USEC_PER_DAY },
		{ "31622400", 366 * USEC_PER_DAY },
	};
	static const char *const bad[] = {
		"", " ", "s", "min", "-1", "+1", "-0", "1.5h", "1,5h", "0x10", "1e3", "5 parsecs", "5S", "5Min", "5mins",
		"1h 30", "30 1h", "30min 1h", "1h 1h", "1h 1hr", "1s 1sec", "1h,30min", "1h-30min", "5s\n", "5s;",
		"infinity", "367d", "366d 1s", "31622401", "53w", "8785h", "99999999999999999999999", "18446744073709551616",
		"4294967297w", "9223372036854775808s", "1d 99999999h", "\xd9\xa5s", "5\xc2\xa0s",
	};

	for (size_t i = 0; i < ELEMENTS(good); i++) {
		uint64_t usec = 1;
		struct why w = { "" };

		check_case(span_parse(good[i].text, &usec, &w) == 0, "'%s': %s", good[i].text, w.text);
		check_case(usec == good[i].usec, "'%s': %llu", good[i].text, (unsigned long long)usec);
		assert_string_equal(w.text, "");
	}
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		uint64_t usec = 12345;
		struct why w = { "" };

		check_case(span_parse(bad[i], &usec, &w) == -EINVAL, "'%s'", bad[i]);
		check_case(usec == 12345, "'%s' changed its output", bad[i]);
		check_case(w.text[0] && !strchr(w.text, '\n'), "'%s' has no words", bad[i]);
		assert_int_equal(span_parse(bad[i], &usec, NULL), -EINVAL);
	}
	{
		uint64_t usec = 12345;

		assert_int_equal(span_parse(NULL, &usec, NULL), -EINVAL);
	}
}

static void test_span_format(void **state)
{
	static const struct {
		uint64_t usec;
		const char *text;
	} table[] = {
		{ 0, "0 s" },
		{ 1, "0 s" },
		{ USEC_PER_SEC / 2, "1 s" },
		{ 45 * USEC_PER_SEC, "45 s" },
		{ 30 * USEC_PER_MIN, "30 min" },
		{ 30 * USEC_PER_MIN - 400, "30 min" },
		{ 90 * USEC_PER_MIN, "1 h 30 min" },
		{ USEC_PER_HOUR + USEC_PER_SEC, "1 h 1 s" },
		{ USEC_PER_DAY, "1 d" },
		{ 2 * USEC_PER_DAY + 3 * USEC_PER_HOUR + 4 * USEC_PER_MIN + 5 * USEC_PER_SEC, "2 d 3 h 4 min 5 s" },
		{ USEC_INFINITY, "unlimited" },
		{ USEC_INFINITY - 1, "213503982 d 8 h 1 min 50 s" },
	};
	char buf[64];

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		assert_string_equal(span_format(table[i].usec, buf, sizeof buf), table[i].text);
		/* A short buffer cuts and is never overrun. */
		for (size_t size = 1; size < sizeof buf; size++) {
			char *small = malloc(size);

			assert_non_null(small);
			span_format(table[i].usec, small, size);
			assert_true(strlen(small) < size);
			assert_int_equal(strncmp(small, table[i].text, strlen(small)), 0);
			free(small);
		}
	}
	for (uint64_t s = 0; s <= 366 * 86400; s += 86413 / 7) {
		uint64_t back = 0;

		check_case(span_parse(span_format(s * USEC_PER_SEC, buf, sizeof buf), &back, NULL) == 0, "%s", buf);
		check_case(back == s * USEC_PER_SEC, "%s", buf);
	}
}

/* The C library's calendar is the witness. */
static void test_rfc3339_against_libc(void **state)
{
	uint64_t seed = 7, s = 0;

	for (unsigned i = 0; i < 200000; i++) {
		char ours[TIME_RFC3339_LEN + 1], theirs[64];
		time_t t = (time_t)s;
		struct tm tm;
		uint64_t back = 0;

		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		time_rfc3339(s * USEC_PER_SEC + 999999, ours);
		assert_string_equal(ours, theirs);
		assert_int_equal(time_rfc3339_parse(ours, &back), 0);
		assert_true(back == s * USEC_PER_SEC);
		s = unit_random(&seed) % UINT64_C(253402300800);
	}
}

static void test_rfc3339_days(void **state)
{
	/* Every day to 2400 once: leap years of all three kinds. */
	for (uint64_t day = 0; day < 157054; day++) {
		char ours[TIME_RFC3339_LEN + 1], theirs[64];
		time_t t = (time_t)(day * 86400 + 86399);
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		(void)strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_string_equal(time_rfc3339((uint64_t)t * USEC_PER_SEC, ours), theirs);
	}
}

static void test_rfc3339_edges(void **state)
{
	static const char *const bad[] = {
		"", "2026-11-21", "2026-11-21T14:32:05", "2026-11-21 14:32:05Z", "2026-11-21t14:32:05z",
		"2026-11-21T14:32:05z", "2026-11-21T14:32:05+00:00", "2026-11-21T14:32:05.0Z", "2026-11-21T14:32:05Z ",
		" 2026-11-21T14:32:05Z", "2026-11-21T14:32:05Zx", "2026-11-21T24:00:00Z", "2026-11-21T14:60:05Z",
		"2026-11-21T14:32:60Z", "2026-00-21T14:32:05Z", "2026-13-21T14:32:05Z", "2026-11-00T14:32:05Z",
		"2026-11-31T14:32:05Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-01-32T00:00:00Z",
		"1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "-026-11-21T14:32:05Z", "2026-1-021T14:32:05Z",
		"2026-11-21T14:3a:05Z", "2026-11-21T14-32-05Z", "+2026-1-21T14:32:05Z",
	};
	char buf[TIME_RFC3339_LEN + 1];
	uint64_t usec;

	assert_string_equal(time_rfc3339(0, buf), "1970-01-01T00:00:00Z");
	assert_string_equal(time_rfc3339(UINT64_C(1795271525) * USEC_PER_SEC, buf), "2026-11-21T14:32:05Z");
	assert_string_equal(time_rfc3339(UINT64_MAX, buf), "9999-12-31T23:59:59Z");
	assert_string_equal(time_rfc3339(UINT64_C(253402300800) * USEC_PER_SEC, buf), "9999-12-31T23:59:59Z");
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		usec = 12345;
		check_case(time_rfc3339_parse(bad[i], &usec) == -EINVAL, "'%s'", bad[i]);
		check_case(usec == 12345, "'%s' changed its output", bad[i]);
	}
	assert_int_equal(time_rfc3339_parse(NULL, &usec), -EINVAL);
	assert_int_equal(time_rfc3339_parse("2024-02-29T23:59:59Z", &usec), 0);
	assert_int_equal(time_rfc3339_parse("2000-02-29T00:00:00Z", &usec), 0);
}

static void test_boot_id(void **state)
{
	char one[BOOT_ID_LEN + 1], two[BOOT_ID_LEN + 1];

	memset(one, 'x', sizeof one);
	assert_int_equal(clock_boot_id(one), 0);
	assert_int_equal(clock_boot_id(two), 0);
	assert_int_equal(strlen(one), BOOT_ID_LEN);
	assert_int_equal(strspn(one, "0123456789abcdef"), BOOT_ID_LEN);
	assert_string_equal(one, two);
}

static void test_clocks(void **state)
{
	uint64_t boot = clock_boot(), mono = clock_mono(), real = clock_real();

	assert_true(boot > 0 && mono > 0);
	assert_true(clock_boot() >= boot && clock_mono() >= mono);
	/* Boot time goes on in suspend, monotonic time does not. */
	assert_true(clock_boot() >= mono);
	assert_true(real / USEC_PER_SEC >= (uint64_t)time(NULL) - 5 && real / USEC_PER_SEC <= (uint64_t)time(NULL) + 5);
}

static void test_short(void **state)
{
	char buf[64], expected[64];
	uint64_t now = clock_real();
	time_t t = (time_t)(now / USEC_PER_SEC);
	struct tm tm;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	assert_non_null(gmtime_r(&t, &tm));
	(void)strftime(expected, sizeof expected, "%H:%M", &tm);
	assert_string_equal(time_short(now, buf, sizeof buf), expected);

	t += 2 * 86400;
	assert_non_null(gmtime_r(&t, &tm));
	(void)strftime(expected, sizeof expected, "%a %H:%M", &tm);
	assert_string_equal(time_short(now + 2 * USEC_PER_DAY, buf, sizeof buf), expected);

	t += 98 * 86400;
	assert_non_null(gmtime_r(&t, &tm));
	(void)strftime(expected, sizeof expected, "%Y-%m-%d %H:%M", &tm);
	assert_string_equal(time_short(now + 100 * USEC_PER_DAY, buf, sizeof buf), expected);
	/* What no calendar holds, and what no buffer holds. */
	assert_true(strlen(time_short(UINT64_MAX, buf, sizeof buf)) > 0);
	assert_true(strlen(time_short(now, buf, 3)) < 3);
}

static void test_why(void **state)
{
	struct why w = { "" };
	char mono[3 * WHY_MAX];

	errno = EXDEV;
	assert_int_equal(why(&w, -EPERM, "%s:%d: bad", "a\nb\033[1m", 7), -EPERM);
	assert_string_equal(w.text, "a\\nb\\x1b[1m:7: bad");
	assert_int_equal(errno, EXDEV);
	/* Its own words may be an argument, and an escape is not escaped again. */
	assert_int_equal(why(&w, -EIO, "outer: %s", w.text), -EIO);
	assert_string_equal(w.text, "outer: a\\nb\\x1b[1m:7: bad");
	assert_int_equal(why(NULL, -EBUSY, "%s", "x"), -EBUSY);

	for (size_t lead = 0; lead < 4; lead++) {
		memset(mono, 'x', lead);
		for (size_t i = lead; i + 3 < sizeof mono; i += 3)
			memcpy(mono + i, "\xe2\x82\xac", 4);
		(void)why(&w, -EIO, "%s", mono);
		assert_true(strlen(w.text) < WHY_MAX && strlen(w.text) > WHY_MAX - 10);
		assert_string_equal(w.text + strlen(w.text) - 3, "...");
		assert_true(text_utf8(w.text, strlen(w.text)));
	}
	memset(mono, 'x', sizeof mono);
	mono[WHY_MAX - 1] = '\0';
	(void)why(&w, -EIO, "%s", mono);
	assert_string_equal(w.text, mono);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_parse),  cmocka_unit_test(test_span_format),
		cmocka_unit_test(test_rfc3339_days), cmocka_unit_test(test_rfc3339_against_libc),
		cmocka_unit_test(test_rfc3339_edges), cmocka_unit_test(test_boot_id),
		cmocka_unit_test(test_clocks),      cmocka_unit_test(test_short),
		cmocka_unit_test(test_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
