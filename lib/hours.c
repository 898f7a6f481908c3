#include "lib/hours.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "lib/cleanup.h"
#include "lib/clock.h"

#define MINUTES 1440

static const char days[][4] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

static int take_day(const char **at)
{
	for (int i = 0; i < (int)ELEMENTS(days); i++)
		if (strncmp(*at, days[i], 3) == 0) {
			*at += 3;
			return i;
		}
	return -EINVAL;
}

/* "Mon..Fri,Sun"; from Sat..Mon the week goes round. */
static bool parse_days(const char *word, uint8_t *ret)
{
	uint8_t set = 0;

	for (;; word++) {
		int first = take_day(&word), last = first;

		if (first >= 0 && strncmp(word, "..", 2) == 0) {
			word += 2;
			last = take_day(&word);
		}
		if (first < 0 || last < 0 || (*word && *word != ','))
			return false;
		for (int d = first; ; d = (d + 1) % 7) {
			set |= (uint8_t)(1 << d);
			if (d == last)
				break;
		}
		if (!*word)
			break;
	}
	*ret = set;
	return true;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly HH:MM, to 24:00. */
static bool take_minute(const char *c, unsigned *ret)
{
	unsigned h, m;

	if (!digit(c[0]) || !digit(c[1]) || c[2] != ':' || !digit(c[3]) || !digit(c[4]))
		return false;
	h = (unsigned)(c[0] - '0') * 10 + (unsigned)(c[1] - '0');
	m = (unsigned)(c[3] - '0') * 10 + (unsigned)(c[4] - '0');
	*ret = h * 60 + m;
	return m < 60 && *ret <= MINUTES;
}

static int parse_time(const char *word, struct hours *h, struct why *w)
{
	if (strlen(word) != 11 || word[5] != '-' || !take_minute(word, &h->from) || !take_minute(word + 6, &h->to) ||
	    h->from == MINUTES)
		return why(w, -EINVAL, "'%s' is no time of day: write it like 08:00-20:00", word);
	if (h->from == h->to)
		return why(w, -EINVAL, "'%s' is no time at all: leave it out to have the whole day", word);
	return 0;
}

static int parse_words(char *const word[3], size_t n, struct hours *h, struct why *w)
{
	bool dayless = n == 2 && digit(word[0][0]);
	int r = 0;

	if (n < 2)
		return why(w, -EINVAL, "days and times are those of a time zone: write them like "
			"\"Mon..Fri 08:00-20:00 Europe/Berlin\" or \"Sat..Sun UTC\"");
	if (!dayless && !parse_days(word[0], &h->days))
		return why(w, -EINVAL, "'%s' is no days: write them like Mon..Fri or Sat,Sun", word[0]);
	if (n == 3 || dayless)
		r = parse_time(word[n - 2], h, w);
	return r;
}

int hours_parse(const char *text, struct zone **zones, struct hours *ret, struct why *w)
{
	struct hours h = { .days = 0x7f, .from = 0, .to = MINUTES };
	char buf[192], *word[3], *save = NULL;
	size_t n = 0;
	int r;

	if (strlen(text) >= sizeof(buf))
		return why(w, -EINVAL, "too long for hours");
	strcpy(buf, text);
	for (char *s = strtok_r(buf, " \t", &save); s; s = strtok_r(NULL, " \t", &save)) {
		if (n == ELEMENTS(word))
			return why(w, -EINVAL, "'%s' is too much: hours are days, a time and a zone; '|' stands between several", s);
		word[n++] = s;
	}
	r = parse_words(word, n, &h, w);
	if (r == 0)
		r = zone_get(zones, word[n - 1], &h.zone, w);
	if (r == 0)
		*ret = h;
	return r;
}

/* The day of the week (0: Monday) and the minute of the day. */
static unsigned local(const struct zone *z, uint64_t real_usec, unsigned *minute)
{
	int64_t t = (int64_t)(real_usec / USEC_PER_SEC);
	int64_t now = t + zone_offset(z, t) + 7 * INT64_C(86400); /* an offset cannot make it negative */

	*minute = (unsigned)(now / 60 % MINUTES);
	return (unsigned)((now / 86400 + 3) % 7);
}

bool hours_match(const struct hours *h, uint64_t real_usec)
{
	unsigned minute, day = local(h->zone, real_usec, &minute);
	bool today = h->days & 1 << day, yesterday = h->days & 1 << (day + 6) % 7;

	if (h->from < h->to)
		return today && h->from <= minute && minute < h->to;
	return (today && h->from <= minute) || (yesterday && minute < h->to);
}

const char *hours_now(const struct zone *z, uint64_t real_usec, char buf[HOURS_NOW_LEN + 1])
{
	unsigned minute, day = local(z, real_usec, &minute);

	(void)snprintf(buf, HOURS_NOW_LEN + 1, "%s %02u:%02u", days[day], minute / 60 % 24, minute % 60);
	return buf;
}

#define MONDAY INT64_C(1780272000) /* 2026-06-01 00:00 UTC */

/* Midnight of the day, as if in UTC; negative: WORD is no day. */
static int64_t parse_date(const char *word)
{
	struct tm tm = { 0 };
	const char *end;
	int64_t t;
	int day = take_day(&word);

	if (day >= 0)
		return *word ? -1 : MONDAY + day * INT64_C(86400);
	end = strptime(word, "%Y-%m-%d", &tm);
	if (!end || *end || strlen(word) != 10)
		return -1;
	t = timegm(&tm);
	/* strptime(3) knows 31 February. */
	return gmtime_r(&(time_t){ t }, &tm) && tm.tm_mday == (word[8] - '0') * 10 + word[9] - '0' ? t : -1;
}

/* What T by the clock on the wall is in UTC; negative: it is left out. */
static int64_t from_local(const struct zone *z, int64_t t)
{
	int32_t before = zone_offset(z, t - 86400), after = zone_offset(z, t + 86400);

	if (zone_offset(z, t - before) == before)
		return t - before;
	return zone_offset(z, t - after) == after ? t - after : -1;
}

int hours_moment(const char *text, struct zone **zones, uint64_t *ret_real_usec, struct why *w)
{
	char date[16], clock[8], name[ZONE_NAME_MAX + 1] = "UTC";
	const struct zone *z;
	unsigned minute;
	int64_t day, t;
	int end = 0, r;

	if (time_rfc3339_parse(text, ret_real_usec) == 0)
		return 0;
	if ((sscanf(text, "%15s %7s %n%64s %n", date, clock, &end, name, &end) < 2) || text[end] || strlen(clock) != 5 ||
	    !take_minute(clock, &minute) || minute == MINUTES || (day = parse_date(date)) < 0)
		return why(w, -EINVAL, "'%s' is no time: write it like \"2026-06-01 10:00 Europe/Berlin\" or \"Mon 10:00 UTC\"", text);
	r = zone_get(zones, name, &z, w);
	if (r < 0)
		return r;
	t = from_local(z, day + minute * INT64_C(60));
	if (t < 0)
		return why(w, -EINVAL, "'%s' never comes: the clocks leave it out", text);
	*ret_real_usec = (uint64_t)t * USEC_PER_SEC;
	return 0;
}
