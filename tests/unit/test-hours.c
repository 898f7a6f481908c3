/* Hours of the week in time zones, and the reader of zones; networks of addresses. */
#include "tests/unit/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/cidr.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/hours.h"

static uint64_t at(const char *rfc3339)
{
	uint64_t usec;

	assert_int_equal(time_rfc3339_parse(rfc3339, &usec), 0);
	return usec;
}

/* 2026: 1 June is a Monday.  Berlin changes on 29 March at 01:00 UTC (02:00 → 03:00) and on 25 October at 01:00 UTC
 * (03:00 → 02:00). */
static const struct {
	const char *hours, *time;
	bool within;
} hours[] = {
	{ "Mon..Fri 08:00-20:00 UTC", "2026-06-01T08:00:00Z", true },
	{ "Mon..Fri 08:00-20:00 UTC", "2026-06-01T07:59:59Z", false },
	{ "Mon..Fri 08:00-20:00 UTC", "2026-06-01T19:59:59Z", true },
	{ "Mon..Fri 08:00-20:00 UTC", "2026-06-01T20:00:00Z", false },
	{ "Mon..Fri 08:00-20:00 UTC", "2026-06-05T12:00:00Z", true },
	{ "Mon..Fri 08:00-20:00 UTC", "2026-06-06T12:00:00Z", false },
	{ "Mon..Fri 08:00-20:00 UTC", "2026-05-31T12:00:00Z", false },
	{ "08:00-20:00 UTC", "2026-05-31T12:00:00Z", true },
	{ "00:00-24:00 UTC", "2026-05-31T00:00:00Z", true },
	{ "12:00-24:00 UTC", "2026-05-31T23:59:59Z", true },
	{ "12:00-24:00 UTC", "2026-06-01T00:00:00Z", false },
	{ "Sat,Sun UTC", "2026-06-06T00:00:00Z", true },
	{ "Sat,Sun UTC", "2026-06-08T00:00:00Z", false },
	{ "Mon,Wed..Thu UTC", "2026-06-02T12:00:00Z", false },
	{ "Mon,Wed..Thu UTC", "2026-06-04T12:00:00Z", true },
	/* Round the end of the week. */
	{ "Sat..Mon UTC", "2026-06-01T12:00:00Z", true },
	{ "Sat..Mon UTC", "2026-06-02T12:00:00Z", false },
	{ "Sat..Mon UTC", "2026-06-06T12:00:00Z", true },
	/* Over midnight: the day is that of the evening. */
	{ "Fri 22:00-06:00 UTC", "2026-06-05T21:59:59Z", false },
	{ "Fri 22:00-06:00 UTC", "2026-06-05T22:00:00Z", true },
	{ "Fri 22:00-06:00 UTC", "2026-06-06T05:59:59Z", true },
	{ "Fri 22:00-06:00 UTC", "2026-06-06T06:00:00Z", false },
	{ "Fri 22:00-06:00 UTC", "2026-06-06T22:00:00Z", false },
	{ "Fri 22:00-06:00 UTC", "2026-06-05T05:00:00Z", false },
	{ "Sun 22:00-06:00 UTC", "2026-06-01T05:00:00Z", true },
	/* The clock of the zone, in winter and in summer. */
	{ "Mon 08:00-09:00 Europe/Berlin", "2026-06-01T06:00:00Z", true },
	{ "Mon 08:00-09:00 Europe/Berlin", "2026-06-01T07:00:00Z", false },
	{ "Mon 08:00-09:00 Europe/Berlin", "2026-01-05T06:59:59Z", false },
	{ "Mon 08:00-09:00 Europe/Berlin", "2026-01-05T07:00:00Z", true },
	{ "Mon 08:00-09:00 Asia/Kolkata", "2026-06-01T02:30:00Z", true },
	{ "Mon 00:00-01:00 Pacific/Auckland", "2026-05-31T12:00:00Z", true },
	{ "Sun 12:00-13:00 America/Los_Angeles", "2026-05-31T19:59:59Z", true },
	/* What the clocks leave out never comes: 01:59:59 is followed by 03:00. */
	{ "02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z", false },
	{ "02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", false },
	{ "01:00-02:00 Europe/Berlin", "2026-03-29T00:59:59Z", true },
	{ "03:00-04:00 Europe/Berlin", "2026-03-29T01:00:00Z", true },
	/* What they repeat comes twice. */
	{ "02:00-03:00 Europe/Berlin", "2026-10-24T23:59:59Z", false },
	{ "02:00-03:00 Europe/Berlin", "2026-10-25T00:00:00Z", true },
	{ "02:00-03:00 Europe/Berlin", "2026-10-25T01:59:59Z", true },
	{ "02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00Z", false },
	/* Beyond the years that files list, by the rule in their last line. */
	{ "12:00-13:00 Europe/Berlin", "2077-07-01T10:00:00Z", true },
	{ "12:00-13:00 Europe/Berlin", "2077-01-01T10:00:00Z", false },
	{ "12:00-13:00 Europe/Berlin", "2077-01-01T11:00:00Z", true },
	/* In the first hours of 1970, west of Greenwich. */
	{ "Wed 16:00-17:00 America/Los_Angeles", "1970-01-01T00:00:01Z", true },
};

static void hours_table(void **state)
{
	struct zone *zones = NULL;

	for (size_t i = 0; i < ELEMENTS(hours); i++) {
		struct hours h;
		struct why w = { "" };

		if (hours_parse(hours[i].hours, &zones, &h, &w) < 0)
			fail_msg("%s: %s", hours[i].hours, w.text);
		if (hours_match(&h, at(hours[i].time)) != hours[i].within)
			fail_msg("%s should %sbe within %s", hours[i].time, hours[i].within ? "" : "not ", hours[i].hours);
	}
	assert_null(zone_free(zones));
}

static void hours_mistakes(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "UTC", "days and times are those of a time zone" },
		{ "", "days and times are those of a time zone" },
		{ "Mon..Fri", "days and times are those of a time zone" },
		{ "Mon..Fri 08:00-20:00", "'08:00-20:00' is not a time zone" },
		{ "Mon..Fri 8:00-20:00 UTC", "'8:00-20:00' is no time of day" },
		{ "08:00-20:60 UTC", "is no time of day" },
		{ "08:00-24:01 UTC", "is no time of day" },
		{ "24:00-08:00 UTC", "is no time of day" },
		{ "08:00-08:00 UTC", "is no time at all" },
		{ "Monday UTC", "'Monday' is no days" },
		{ "mon UTC", "'mon' is no days" },
		{ "Mon.. UTC", "'Mon..' is no days" },
		{ "Mon, UTC", "'Mon,' is no days" },
		{ "Mon..Tue..Wed UTC", "is no days" },
		{ "Mon 08:00-09:00 UTC 3", "'3' is too much" },
		{ "Mon Mars/Olympus", "there is no time zone 'Mars/Olympus'" },
		{ "Mon Europe", "there is no time zone 'Europe'" },
		{ "Mon ../../etc/passwd", "'../../etc/passwd' is not a time zone" },
		{ "Mon /etc/localtime", "'/etc/localtime' is not a time zone" },
		{ "Mon tzdata.zi", "'tzdata.zi' is not a time zone" },
	};
	struct zone *zones = NULL;

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct hours h;
		struct why w = { "" };

		if (hours_parse(cases[i].text, &zones, &h, &w) != -EINVAL || !strstr(w.text, cases[i].words))
			fail_msg("'%s': %s", cases[i].text, w.text);
	}
	zone_free(zones);
}

/* A file of version 2 with nothing but its last line. */
static int parse_rule(const char *rule, struct zone **ret)
{
	unsigned char file[512] = "TZif2", *p = file + 44;
	size_t len;

	file[39] = 1; /* one type, one byte of names; and so again in the second block */
	file[43] = 1;
	memset(p, 0, 7);
	p += 7;
	memcpy(p, file, 44);
	p += 44;
	memset(p, 0, 7);
	p += 7;
	len = (size_t)snprintf((char *)p, 256, "\n%s\n", rule);
	return zone_parse("Test", file, (size_t)(p - file) + len, ret, NULL);
}

static const struct {
	const char *rule, *time; /* time NULL: the rule is a mistake */
	int offset;
} tails[] = {
	{ "", "2026-01-01T00:00:00Z", 0 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", 7200 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600 },
	{ "<+0330>-3:30", "2026-10-25T01:00:00Z", 12600 },
	{ "EST5EDT,M3.2.0,M11.1.0", "2026-07-01T00:00:00Z", -14400 },
	{ "EST5EDT,M3.2.0,M11.1.0", "2026-12-31T23:00:00Z", -18000 },
	{ "NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-01-01T00:00:00Z", 46800 },   /* summer over New Year */
	{ "NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-06-01T00:00:00Z", 43200 },
	{ "LHST-10:30LHDT-11,M10.1.0,M4.1.0", "2026-01-01T00:00:00Z", 39600 }, /* half an hour of summer */
	{ "XXX3EDT4,0/0,J365/23", "2026-01-01T00:00:00Z", -14400 },         /* summer all year */
	{ "XXX3EDT4,0/0,J365/23", "2026-12-31T23:30:00Z", -14400 },
	{ "XXX0YYY,J60,J300", "2024-02-29T12:00:00Z", 0 },                  /* J60 is 1 March in every year */
	{ "XXX0YYY,J60,J300", "2024-03-01T02:00:00Z", 3600 },
	{ "XXX0YYY,59,300", "2024-02-29T02:00:00Z", 3600 },                 /* day 59 is 29 February in a leap year */
	{ "XXX0YYY,59,300", "2025-03-01T01:59:59Z", 0 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z", 7200 }, /* 50 hours after Thursday's midnight */
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", 10800 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600 },
	{ "CE-1", NULL, 0 },
	{ "CET", NULL, 0 },
	{ "CET-25", NULL, 0 },
	{ "CET-1CEST", NULL, 0 },
	{ "CET-1CEST,M3.5.0", NULL, 0 },
	{ "CET-1CEST,M13.5.0,M10.5.0", NULL, 0 },
	{ "CET-1CEST,M3.0.0,M10.5.0", NULL, 0 },
	{ "CET-1CEST,M3.5.7,M10.5.0", NULL, 0 },
	{ "CET-1CEST,J0,J5", NULL, 0 },
	{ "CET-1CEST,366,5", NULL, 0 },
	{ "CET-1CEST,M3.5.0/168,M10.5.0", NULL, 0 },
	{ "CET-1CEST,M3.5.0,M10.5.0x", NULL, 0 },
	{ "<CET-1", NULL, 0 },
	{ "<>-1", NULL, 0 },
	{ "CET-1:60", NULL, 0 },
};

static void posix_rules(void **state)
{
	for (size_t i = 0; i < ELEMENTS(tails); i++) {
		struct zone *z = NULL;
		int r = parse_rule(tails[i].rule, &z);

		if (!tails[i].time) {
			if (r != -EINVAL || z)
				fail_msg("'%s' was taken", tails[i].rule);
			continue;
		}
		if (r < 0)
			fail_msg("'%s' was not taken", tails[i].rule);
		if (zone_offset(z, (int64_t)(at(tails[i].time) / USEC_PER_SEC)) != tails[i].offset)
			fail_msg("%s at %s: %d, not %d", tails[i].rule, tails[i].time,
				(int)zone_offset(z, (int64_t)(at(tails[i].time) / USEC_PER_SEC)), tails[i].offset);
		zone_free(z);
	}
}

/* The C library reads the same files in its own way. */
static void as_the_c_library(void **state)
{
	static const char *const names[] = { "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
		"Africa/Casablanca", "Europe/Dublin", "America/Nuuk", "Pacific/Apia", "Asia/Gaza", "America/Sao_Paulo",
		"Antarctica/Troll", "Pacific/Kiritimati", "Etc/GMT+5", "EST5EDT", "Asia/Tehran" };

	for (size_t i = 0; i < ELEMENTS(names); i++) {
		struct zone *z = NULL;
		struct why w = { "" };

		if (zone_load(names[i], &z, &w) < 0)
			fail_msg("%s", w.text);
		setenv("TZ", names[i], 1);
		tzset();
		for (unsigned n = 0; n < 20000; n++) {
			/* From 1970 to 2150, and about hours. */
			time_t t = (time_t)(test_random() % UINT64_C(5680000000)) / (n % 2 ? 1 : 3600) * (n % 2 ? 1 : 3600);
			struct tm tm;

			localtime_r(&t, &tm);
			if (zone_offset(z, t) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, not %ld", names[i], (long long)t, (int)zone_offset(z, t), tm.tm_gmtoff);
		}
		zone_free(z);
	}
	unsetenv("TZ");
	tzset();
}

/* A file that was cut or changed is refused, or read within its bounds (the sanitizers look). */
static void broken_files(void **state)
{
	CLEAN(free_p) char *bytes = NULL;
	size_t len;
	int fd = open(ZONE_DIR "/Europe/Berlin", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_read_all(fd, 65536, &bytes, &len), 0);
	close(fd);
	for (size_t n = 0; n < len; n++) {
		CLEAN(free_p) char *cut = malloc(n ? n : 1);
		struct zone *z = NULL;

		memcpy(cut, bytes, n);
		assert_int_equal(zone_parse("Cut", cut, n, &z, NULL), -EINVAL);
	}
	for (unsigned n = 0; n < 20000; n++) {
		CLEAN(free_p) char *changed = malloc(len);
		struct zone *z = NULL;

		memcpy(changed, bytes, len);
		for (unsigned k = 0; k < 3; k++)
			changed[test_below(k ? (unsigned)len : 60)] = (char)test_below(256);
		if (zone_parse("Changed", changed, len, &z, NULL) == 0)
			for (int64_t t = -5000000000; t < 10000000000; t += 1000000000)
				(void)zone_offset(z, t);
		zone_free(z);
	}
}

static void moments(void **state)
{
	static const struct {
		const char *text, *utc; /* NULL: no time */
	} cases[] = {
		{ "2026-06-01 10:00 Europe/Berlin", "2026-06-01T08:00:00Z" },
		{ "2026-01-01 10:00 Europe/Berlin", "2026-01-01T09:00:00Z" },
		{ "2026-06-01 10:00", "2026-06-01T10:00:00Z" },
		{ "Mon 10:00", "2026-06-01T10:00:00Z" },
		{ "Sun 23:59 UTC", "2026-06-07T23:59:00Z" },
		{ "Mon 00:00 Pacific/Auckland", "2026-05-31T12:00:00Z" },
		{ "2026-06-01T10:00:07Z", "2026-06-01T10:00:07Z" },
		{ "2026-03-29 01:59 Europe/Berlin", "2026-03-29T00:59:00Z" },
		{ "2026-03-29 03:00 Europe/Berlin", "2026-03-29T01:00:00Z" },
		{ "2026-10-25 02:30 Europe/Berlin", "2026-10-25T00:30:00Z" },
		{ "2026-03-29 02:30 Europe/Berlin", NULL },
		{ "2026-02-30 10:00", NULL },
		{ "10:00", NULL },
		{ "Mon 24:00", NULL },
		{ "Mon 10:00:00", NULL },
		{ "Mon 10:00 UTC x", NULL },
		{ "Monday 10:00", NULL },
		{ "Mon 10:00 Mars/Olympus", NULL },
		{ "", NULL },
	};
	struct zone *zones = NULL;

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		uint64_t usec = 0;
		struct why w = { "" };
		int r = hours_moment(cases[i].text, &zones, &usec, &w);

		if ((r == 0) != (cases[i].utc != NULL) || (r == 0 && usec != at(cases[i].utc)) || (r < 0 && !w.text[0]))
			fail_msg("'%s': %d %llu %s", cases[i].text, r, (unsigned long long)usec, w.text);
	}
	zone_free(zones);
}

static void networks(void **state)
{
	static const struct {
		const char *network, *address;
		int within; /* -1: no network */
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", 1 },
		{ "10.0.0.0/8", "11.0.0.1", 0 },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", 1 }, /* sshd on a socket of both kinds */
		{ "10.0.0.0/8", "a00::1", 0 },
		{ "192.168.1.128/25", "192.168.1.127", 0 },
		{ "192.168.1.128/25", "192.168.1.128", 1 },
		{ "192.168.1.7", "192.168.1.7", 1 },
		{ "192.168.1.7", "192.168.1.8", 0 },
		{ "0.0.0.0/0", "1.2.3.4", 1 },
		{ "0.0.0.0/0", "2001:db8::1", 0 },
		{ "::/0", "2001:db8::1", 1 },
		{ "::/0", "1.2.3.4", 0 },
		{ "2001:db8::/32", "2001:db8:ffff::1", 1 },
		{ "2001:db8::/32", "2001:db9::1", 0 },
		{ "2001:db8::/33", "2001:db8:8000::1", 0 },
		{ "::1", "::1", 1 },
		{ "fe80::/10", "fe80::1%eth0", 1 },
		{ "::ffff:10.0.0.0/104", "10.9.9.9", 1 },
		{ "10.0.0.0/33", NULL, -1 },
		{ "10.0.0.0/", NULL, -1 },
		{ "10.0.0.0/-1", NULL, -1 },
		{ "10.0.0.1/8", NULL, -1 },
		{ "2001:db8::1/32", NULL, -1 },
		{ "2001:db8::/129", NULL, -1 },
		{ "10.0.0", NULL, -1 },
		{ "10.0.0.0/8/8", NULL, -1 },
		{ "host.example.com", NULL, -1 },
		{ "", NULL, -1 },
		{ "/8", NULL, -1 },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		uint8_t address[16];
		struct cidr c;
		struct why w = { "" };
		int r = cidr_parse(cases[i].network, &c, &w);

		if ((cases[i].within < 0) != (r == -EINVAL) || (r < 0 && !w.text[0]))
			fail_msg("'%s': %d %s", cases[i].network, r, w.text);
		if (r < 0)
			continue;
		assert_int_equal(cidr_address(cases[i].address, address), 0);
		if (cidr_contains(&c, address) != cases[i].within)
			fail_msg("%s in %s should be %d", cases[i].address, cases[i].network, cases[i].within);
	}
}

static void no_addresses(void **state)
{
	static const char *const cases[] = { "", "localhost", "10.0.0", "10.0.0.1.", "%eth0", "1:2", "10.0.0.0/8",
		"2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000" };
	uint8_t address[16];

	for (size_t i = 0; i < ELEMENTS(cases); i++)
		assert_int_equal(cidr_address(cases[i], address), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hours_table),
		cmocka_unit_test(hours_mistakes),
		cmocka_unit_test(posix_rules),
		cmocka_unit_test(as_the_c_library),
		cmocka_unit_test(broken_files),
		cmocka_unit_test(moments),
		cmocka_unit_test(networks),
		cmocka_unit_test(no_addresses),
	};

	return cmocka_run_group_tests_name("hours", tests, NULL, NULL);
}
