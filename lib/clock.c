#include "lib/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define SPAN_MAX (366 * USEC_PER_DAY)

static uint64_t now(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_boot(void)
{
	return now(CLOCK_BOOTTIME);
}

uint64_t clock_real(void)
{
	return now(CLOCK_REALTIME);
}

uint64_t clock_mono(void)
{
	return now(CLOCK_MONOTONIC);
}

int clock_boot_id(char id[static BOOT_ID_LEN + 1])
{
	CLEAN(close_p) int fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char raw[64], hex[BOOT_ID_LEN + 1];
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	do
		got = read(fd, raw, sizeof raw);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;

	for (ssize_t i = 0; i < got && raw[i] != '\n'; i++) {
		char c = raw[i];

		if (c == '-')
			continue;
		if (n >= BOOT_ID_LEN || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return -EBADMSG;
		hex[n++] = c;
	}
	if (n != BOOT_ID_LEN)
		return -EBADMSG;
	hex[n] = '\0';
	memcpy(id, hex, sizeof hex);
	return 0;
}

static const struct unit {
	const char *name;
	uint64_t usec;
} units[] = {
	{ "w", 7 * USEC_PER_DAY }, { "d", USEC_PER_DAY },  { "day", USEC_PER_DAY }, { "h", USEC_PER_HOUR },
	{ "hr", USEC_PER_HOUR },   { "m", USEC_PER_MIN },  { "min", USEC_PER_MIN }, { "s", USEC_PER_SEC },
	{ "sec", USEC_PER_SEC },
};

static uint64_t unit_usec(const char *name, size_t len)
{
	for (size_t i = 0; i < ELEMENTS(units); i++)
		if (strlen(units[i].name) == len && !memcmp(units[i].name, name, len))
			return units[i].usec;
	return 0;
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* One "30min" at *PP.  The unit is left 0 for a bare number. */
static int span_term(const char **pp, uint64_t *ret_count, uint64_t *ret_unit)
{
	const char *p = *pp;
	uint64_t count = 0, unit = 0;
	size_t len = strspn(p, "0123456789");

	if (len == 0)
		return -EINVAL;
	for (; len > 0; len--, p++) {
		count = count * 10 + (uint64_t)(*p - '0');
		if (count > SPAN_MAX / USEC_PER_SEC)
			return -ERANGE;
	}
	p = skip_blanks(p);
	len = strspn(p, "abcdefghijklmnopqrstuvwxyz");
	if (len > 0) {
		unit = unit_usec(p, len);
		if (unit == 0)
			return -EINVAL;
	}
	*pp = skip_blanks(p + len);
	*ret_count = count;
	*ret_unit = unit;
	return 0;
}

int span_parse(const char *text, uint64_t *ret_usec, struct why *w)
{
	uint64_t sum = 0, last = USEC_INFINITY;
	const char *p = text ? skip_blanks(text) : "";
	bool first = true;

	do {
		uint64_t count, unit;
		int r = span_term(&p, &count, &unit);

		if (r == -ERANGE)
			return why(w, -EINVAL, "'%s' is longer than 366 days", text);
		if (r < 0 || (unit == 0 && (!first || *p)))
			return why(w, -EINVAL, "'%s' is not a span of time such as 90s, 30min or '1h 30min'",
				text ? text : "");
		if (unit == 0)
			unit = USEC_PER_SEC;
		if (unit >= last)
			return why(w, -EINVAL, "'%s': write each unit once, the larger first", text);
		/* Neither factor is beyond SPAN_MAX in seconds and 7 days: no overflow. */
		if (count > SPAN_MAX / unit || (sum += count * unit) > SPAN_MAX)
			return why(w, -EINVAL, "'%s' is longer than 366 days", text);
		last = unit;
		first = false;
	} while (*p);
	*ret_usec = sum;
	return 0;
}

const char *span_format(uint64_t usec, char *buf, size_t size)
{
	static const struct unit shown[] = {
		{ "d", USEC_PER_DAY }, { "h", USEC_PER_HOUR }, { "min", USEC_PER_MIN }, { "s", USEC_PER_SEC },
	};
	size_t len = 0;

	if (size == 0)
		return buf;
	buf[0] = '\0';
	if (usec == USEC_INFINITY) {
		(void)snprintf(buf, size, "unlimited");
		return buf;
	}
	usec = usec / USEC_PER_SEC + (usec % USEC_PER_SEC >= USEC_PER_SEC / 2);
	for (size_t i = 0; i < ELEMENTS(shown) && len < size; i++) {
		uint64_t unit = shown[i].usec / USEC_PER_SEC, count = usec / unit;

		usec %= unit;
		/* "0 s" only where nothing else stands. */
		if (count == 0 && !(unit == 1 && len == 0))
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%llu %s", len > 0 ? " " : "",
			(unsigned long long)count, shown[i].name);
	}
	return buf;
}

/* Days since 1970-01-01 and back, proleptic Gregorian (Howard Hinnant, "chrono-compatible low-level date algorithms").
 * gmtime(3) would read the time zone file of the host process that the module is a guest of. */
static int64_t days_from_date(int64_t y, unsigned m, unsigned d)
{
	int64_t era;
	unsigned yoe, doy, doe;

	y -= m <= 2;
	era = y / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

static void date_from_days(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
	int64_t era;
	unsigned doe, yoe, doy, mp;

	days += 719468;
	era = days / 146097;
	doe = (unsigned)(days - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (int64_t)yoe + era * 400 + (*m <= 2);
}

#define SECONDS_MAX UINT64_C(253402300799) /* 9999-12-31T23:59:59Z: four digits hold the year */

/* WIDTH digits at P. */
static void put_digits(char *p, unsigned width, uint64_t value)
{
	while (width-- > 0) {
		p[width] = (char)('0' + value % 10);
		value /= 10;
	}
}

const char *time_rfc3339(uint64_t real_usec, char buf[static TIME_RFC3339_LEN + 1])
{
	uint64_t s = real_usec / USEC_PER_SEC, of_day;
	int64_t year;
	unsigned month, day;

	if (s > SECONDS_MAX)
		s = SECONDS_MAX;
	of_day = s % 86400;
	date_from_days((int64_t)(s / 86400), &year, &month, &day);
	memcpy(buf, "0000-00-00T00:00:00Z", TIME_RFC3339_LEN + 1);
	put_digits(buf, 4, (uint64_t)year);
	put_digits(buf + 5, 2, month);
	put_digits(buf + 8, 2, day);
	put_digits(buf + 11, 2, of_day / 3600);
	put_digits(buf + 14, 2, of_day / 60 % 60);
	put_digits(buf + 17, 2, of_day % 60);
	return buf;
}

static unsigned get_digits(const char *p, unsigned width)
{
	unsigned value = 0;

	while (width-- > 0)
		value = value * 10 + (unsigned)(*p++ - '0');
	return value;
}

int time_rfc3339_parse(const char *text, uint64_t *ret_real_usec)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	unsigned year, month, day, h, min, s;
	int64_t back_year, days;
	unsigned back_month, back_day;

	if (!text || strnlen(text, sizeof form) != TIME_RFC3339_LEN)
		return -EINVAL;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return -EINVAL;
	year = get_digits(text, 4);
	month = get_digits(text + 5, 2);
	day = get_digits(text + 8, 2);
	h = get_digits(text + 11, 2);
	min = get_digits(text + 14, 2);
	s = get_digits(text + 17, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || h > 23 || min > 59 || s > 59)
		return -EINVAL;
	/* 31 April comes back as 1 May. */
	days = days_from_date(year, month, day);
	date_from_days(days, &back_year, &back_month, &back_day);
	if (back_year != year || back_month != month || back_day != day)
		return -EINVAL;
	*ret_real_usec = ((uint64_t)days * 86400 + h * 3600 + min * 60 + s) * USEC_PER_SEC;
	return 0;
}

const char *time_short(uint64_t real_usec, char *buf, size_t size)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	uint64_t real_now = clock_real(), away;
	time_t t = (time_t)(real_usec / USEC_PER_SEC), n = (time_t)(real_now / USEC_PER_SEC);
	struct tm tm, today;

	if (size == 0)
		return buf;
	if (!localtime_r(&t, &tm) || !localtime_r(&n, &today)) {
		char utc[TIME_RFC3339_LEN + 1];

		(void)snprintf(buf, size, "%s", time_rfc3339(real_usec, utc));
		return buf;
	}
	away = real_usec > real_now ? real_usec - real_now : real_now - real_usec;
	if (tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday)
		(void)snprintf(buf, size, "%02d:%02d", tm.tm_hour, tm.tm_min);
	else if (away < 6 * USEC_PER_DAY)
		(void)snprintf(buf, size, "%s %02d:%02d", days[(unsigned)tm.tm_wday % 7], tm.tm_hour, tm.tm_min);
	else
		(void)snprintf(buf, size, "%04d-%02d-%02d %02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			tm.tm_hour, tm.tm_min);
	return buf;
}
