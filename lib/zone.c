/* TZif files and the POSIX rule in their last line. */
#include "lib/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "lib/cleanup.h"
#include "lib/file.h"

#define FILE_MAX (64 * 1024)
#define OFFSET_MAX (26 * 3600) /* more than any zone was ever away from UTC */
#define RULE_HOURS_MAX 167     /* of the time of day of a change in a POSIX rule */
#define DAY INT64_C(86400)

/* A day of the year on which the clocks change. */
struct change {
	char form; /* 'M': month, week, day; 'J': day 1…365, 29 February never counts; '0': day 0…365 */
	int month, week, day;
	int32_t time; /* seconds after midnight, by the clock before the change */
};

/* What holds after the last transition. */
struct tail {
	bool known, summer;
	int32_t std, dst; /* seconds east of UTC */
	struct change start, end;
};

struct zone {
	struct zone *next;
	char name[ZONE_NAME_MAX + 1];
	size_t n;      /* transitions */
	int64_t *at;   /* when, ascending */
	int32_t *then; /* seconds east of UTC from then on */
	int32_t first; /* before the first */
	struct tail tail;
};

bool zone_name_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
	size_t len = strlen(name);

	return len > 0 && len <= ZONE_NAME_MAX && !name[strspn(name, letters)] && name[0] != '/' && name[len - 1] != '/' &&
		!strstr(name, "//");
}

struct zone *zone_free(struct zone *z)
{
	while (z) {
		struct zone *next = z->next;

		free(z->at);
		free(z->then);
		free(z);
		z = next;
	}
	return NULL;
}

static void zone_free_p(struct zone **z)
{
	*z = zone_free(*z);
}

const char *zone_name(const struct zone *z)
{
	return z->name;
}

/* Days since 1970-01-01 of the first of MONTH (1…12) in YEAR; proleptic Gregorian. */
static int64_t days_to_month(int64_t year, int month)
{
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t year_of(int64_t day)
{
	int64_t year = 1970 + floor_div(day * 400, 146097);

	while (days_to_month(year, 1) > day)
		year--;
	while (days_to_month(year + 1, 1) <= day)
		year++;
	return year;
}

/* Seconds since 1970 by the clock on the wall. */
static int64_t change_at(const struct change *c, int64_t year)
{
	int64_t day = days_to_month(year, 1);

	if (c->form == 'J') {
		day += c->day - 1 + (leap(year) && c->day >= 60);
	} else if (c->form == '0') {
		day += c->day;
	} else {
		int64_t next = c->month == 12 ? days_to_month(year + 1, 1) : days_to_month(year, c->month + 1);
		int64_t first = days_to_month(year, c->month), weekday = ((first + 4) % 7 + 7) % 7; /* 0: Sunday */

		day = first + (c->day - weekday + 7) % 7 + (c->week - 1) * 7;
		while (day >= next)
			day -= 7;
	}
	return day * DAY + c->time;
}

static int32_t tail_offset(const struct tail *t, int64_t now)
{
	int64_t year = year_of(floor_div(now + t->std, DAY)), latest = INT64_MIN;
	int32_t offset = t->std;

	if (!t->summer)
		return t->std;
	/* A change may lie days outside of its year.  Two at one moment: summer that lasts all year. */
	for (int64_t y = year - 1; y <= year + 1; y++) {
		int64_t start = change_at(&t->start, y) - t->std, end = change_at(&t->end, y) - t->dst;

		if (end <= now && end > latest) {
			latest = end;
			offset = t->std;
		}
		if (start <= now && start >= latest) {
			latest = start;
			offset = t->dst;
		}
	}
	return offset;
}

int32_t zone_offset(const struct zone *z, int64_t t)
{
	size_t low = 0, high = z->n;

	if (z->tail.known && (z->n == 0 || t >= z->at[z->n - 1]))
		return tail_offset(&z->tail, t);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (z->at[mid] <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return low == 0 ? z->first : z->then[low - 1];
}

/* The POSIX rule: "CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30".  Each of these moves *AT behind what it took. */

static bool take_name(const char **at)
{
	const char *c = *at;
	size_t len;

	if (*c == '<') {
		len = strspn(c + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-");
		*at = c + 1 + len + 1;
		return len > 0 && c[1 + len] == '>';
	}
	len = strspn(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	*at = c + len;
	return len >= 3;
}

static bool take_number(const char **at, int max, int *ret)
{
	int n = 0;

	if (**at < '0' || **at > '9')
		return false;
	while (**at >= '0' && **at <= '9' && n <= max)
		n = n * 10 + *(*at)++ - '0';
	*ret = n;
	return n <= max;
}

/* [+-]HH[:MM[:SS]] */
static bool take_time(const char **at, int hours_max, int32_t *ret)
{
	int sign = **at == '-' ? -1 : 1, h, m = 0, s = 0;

	*at += **at == '-' || **at == '+';
	if (!take_number(at, hours_max, &h))
		return false;
	if (**at == ':' && (++*at, !take_number(at, 59, &m)))
		return false;
	if (**at == ':' && (++*at, !take_number(at, 59, &s)))
		return false;
	*ret = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool take_month_week_day(const char **at, struct change *c)
{
	(*at)++;
	if (!take_number(at, 12, &c->month) || *(*at)++ != '.' || !take_number(at, 5, &c->week) || *(*at)++ != '.')
		return false;
	return take_number(at, 6, &c->day) && c->month >= 1 && c->week >= 1;
}

static bool take_change(const char **at, struct change *c)
{
	bool good;

	if (*(*at)++ != ',')
		return false;
	c->form = **at == 'M' || **at == 'J' ? **at : '0';
	c->time = 2 * 3600;
	if (c->form == 'M') {
		good = take_month_week_day(at, c);
	} else {
		*at += c->form == 'J';
		good = take_number(at, 365, &c->day) && (c->form == '0' || c->day >= 1);
	}
	if (good && **at == '/') {
		(*at)++;
		good = take_time(at, RULE_HOURS_MAX, &c->time);
	}
	return good;
}

static bool tail_parse(const char *at, struct tail *t)
{
	if (!take_name(&at) || !take_time(&at, 24, &t->std))
		return false;
	t->std = -t->std;
	t->known = true;
	if (!*at)
		return true;
	if (!take_name(&at))
		return false;
	t->summer = true;
	t->dst = t->std + 3600;
	if (*at != ',') {
		if (!take_time(&at, 24, &t->dst))
			return false;
		t->dst = -t->dst;
	}
	return take_change(&at, &t->start) && take_change(&at, &t->end) && !*at;
}

/* The file. */

struct header {
	unsigned version;
	uint32_t utc, std, leap, times, types, chars;
};

static uint64_t big_endian(const unsigned char *p, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | p[i];
	return n;
}

#define HEADER 44

static bool take_header(const unsigned char *p, size_t len, struct header *h)
{
	uint32_t *const counts[] = { &h->utc, &h->std, &h->leap, &h->times, &h->types, &h->chars };

	if (len < HEADER || memcmp(p, "TZif", 4) != 0)
		return false;
	h->version = p[4];
	for (size_t i = 0; i < ELEMENTS(counts); i++) {
		*counts[i] = (uint32_t)big_endian(p + 20 + 4 * i, 4);
		if (*counts[i] > FILE_MAX)
			return false;
	}
	return true;
}

static size_t block_size(const struct header *h, size_t width)
{
	return h->times * (width + 1) + h->types * 6 + h->chars + h->leap * (width + 4) + h->std + h->utc;
}

/* Transitions of WIDTH bytes and the types they change to; P is as long as block_size() says. */
static int take_block(struct zone *z, const unsigned char *p, const struct header *h, size_t width)
{
	const unsigned char *index = p + h->times * width, *type = index + h->times;

	if (h->types == 0 || h->types > 256 || h->leap > 0)
		return -EINVAL;
	z->at = calloc(h->times + 1, sizeof(*z->at));
	z->then = calloc(h->times + 1, sizeof(*z->then));
	if (!z->at || !z->then)
		return -ENOMEM;
	for (size_t i = 0; i < h->types; i++) {
		int32_t offset = (int32_t)(uint32_t)big_endian(type + 6 * i, 4);

		if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
			return -EINVAL;
		z->first = i == 0 ? offset : z->first;
	}
	for (; z->n < h->times; z->n++) {
		uint64_t raw = big_endian(p + z->n * width, width);

		if (index[z->n] >= h->types)
			return -EINVAL;
		z->at[z->n] = width == 8 ? (int64_t)raw : (int32_t)(uint32_t)raw;
		z->then[z->n] = (int32_t)(uint32_t)big_endian(type + 6 * index[z->n], 4);
		if (z->n > 0 && z->at[z->n] <= z->at[z->n - 1])
			return -EINVAL;
	}
	return 0;
}

/* "\nRULE\n"; an empty rule says nothing about what comes after the last transition. */
static int take_footer(struct zone *z, const unsigned char *p, size_t len)
{
	char rule[128];
	const unsigned char *end = len > 0 && p[0] == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
	size_t n = end ? (size_t)(end - p - 1) : 0;

	if (!end || n >= sizeof(rule) || memchr(p + 1, '\0', n))
		return -EINVAL;
	memcpy(rule, p + 1, n);
	rule[n] = '\0';
	return n == 0 || tail_parse(rule, &z->tail) ? 0 : -EINVAL;
}

static int take_file(struct zone *z, const unsigned char *p, size_t len)
{
	struct header h;
	size_t size;
	int r;

	if (!take_header(p, len, &h) || block_size(&h, 4) > len - HEADER)
		return -EINVAL;
	if (h.version == 0)
		return take_block(z, p + HEADER, &h, 4);
	size = HEADER + block_size(&h, 4);
	p += size;
	len -= size;
	if (!take_header(p, len, &h) || block_size(&h, 8) > len - HEADER)
		return -EINVAL;
	r = take_block(z, p + HEADER, &h, 8);
	size = HEADER + block_size(&h, 8);
	return r < 0 ? r : take_footer(z, p + size, len - size);
}

int zone_parse(const char *name, const void *bytes, size_t len, struct zone **ret, struct why *w)
{
	CLEAN(zone_free_p) struct zone *z = calloc(1, sizeof(*z));
	int r;

	if (!z)
		return why(w, -ENOMEM, "out of memory");
	if (!zone_name_valid(name))
		return why(w, -EINVAL, "'%s' is not a time zone, such as Europe/Berlin or UTC", name);
	strcpy(z->name, name);
	r = len > FILE_MAX ? -EFBIG : take_file(z, bytes, len);
	if (r == -ENOMEM)
		return why(w, r, "out of memory");
	if (r < 0)
		return why(w, -EINVAL, "the file of the time zone '%s' is not understood", name);
	*ret = STEAL_PTR(z);
	return 0;
}

/* The files are root's, and some of them links to others. */
static int read_file(const char *name, char **ret, size_t *ret_len)
{
	CLEAN(close_p) int fd = -1;
	char path[sizeof(ZONE_DIR) + ZONE_NAME_MAX + 1];
	struct stat st;

	strcpy(path, ZONE_DIR "/");
	strcat(path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? file_read_all(fd, FILE_MAX, ret, ret_len) : -ENOENT;
}

int zone_load(const char *name, struct zone **ret, struct why *w)
{
	CLEAN(free_p) char *bytes = NULL;
	struct zone *z;
	size_t len;
	int r;

	if (!zone_name_valid(name))
		return why(w, -EINVAL, "'%s' is not a time zone, such as Europe/Berlin or UTC", name);
	if (strcmp(name, "UTC") == 0) {
		z = calloc(1, sizeof(*z));
		if (!z)
			return why(w, -ENOMEM, "out of memory");
		strcpy(z->name, name);
		*ret = z;
		return 0;
	}
	r = read_file(name, &bytes, &len);
	if (r == -ENOMEM)
		return why(w, r, "out of memory");
	if (r < 0)
		return why(w, -EINVAL, "there is no time zone '%s' in " ZONE_DIR " (%s; package tzdata): write it like "
			"Europe/Berlin or UTC", name, strerror(-r));
	return zone_parse(name, bytes, len, ret, w);
}

int zone_get(struct zone **list, const char *name, const struct zone **ret, struct why *w)
{
	struct zone *z = *list;
	int r;

	while (z && strcmp(z->name, name) != 0)
		z = z->next;
	if (!z) {
		r = zone_load(name, &z, w);
		if (r < 0)
			return r;
		z->next = *list;
		*list = z;
	}
	*ret = z;
	return 0;
}
