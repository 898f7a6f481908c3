#include "lib/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/text-tables.h"

#define MARKS_MAX 4 /* combining marks on one character: more paint over the lines around */
#define UNIT_MAX 24 /* bytes that one character becomes at the most, with room */

/* Decodes one character of LEN > 0 bytes at S: its length, or 0 when the first byte begins none (overlong forms, surrogates
 * and what lies beyond U+10FFFF begin none).  RFC 3629. */
static size_t utf8_decode(const char *s, size_t len, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t cp;
	size_t n;

	if (p[0] < 0x80) {
		*ret = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		n = 2;
		cp = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3;
		cp = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		cp = p[0] & 0x07;
	} else
		return 0;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && (cp < 0x800 || (cp >= 0xd800 && cp <= 0xdfff))) || (n == 4 && (cp < 0x10000 || cp > 0x10ffff)))
		return 0;
	*ret = cp;
	return n;
}

/* R ascends without overlap. */
static bool in_ranges(uint32_t cp, const struct range *r, size_t n)
{
	size_t from = 0;

	while (from < n) {
		size_t middle = from + (n - from) / 2;

		if (cp < r[middle].first)
			n = middle;
		else if (cp > r[middle].last)
			from = middle + 1;
		else
			return true;
	}
	return false;
}

/* Never shown as themselves.  Unicode's Default_Ignorable_Code_Point, the format characters that have no shape (Cf), C1,
 * blanks other than U+0020, line separators, private use, noncharacters and the empty planes. */
static const struct range hidden[] = {
	{ 0x0080, 0x00a0 },   /* C1, no-break space */
	{ 0x00ad, 0x00ad },   /* soft hyphen */
	{ 0x034f, 0x034f },   /* combining grapheme joiner */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x070f, 0x070f },   /* Syriac abbreviation mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x1680, 0x1680 },   /* Ogham space */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180b, 0x180f },   /* Mongolian selectors, vowel separator */
	{ 0x2000, 0x200f },   /* spaces, zero-width characters, LRM, RLM */
	{ 0x2028, 0x202f },   /* separators, bidi embeddings and overrides, narrow no-break space */
	{ 0x205f, 0x206f },   /* mathematical space, word joiner, invisible operators, bidi isolates */
	{ 0x2800, 0x2800 },   /* blank Braille pattern */
	{ 0x3000, 0x3000 },   /* ideographic space */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xe000, 0xf8ff },   /* private use */
	{ 0xfdd0, 0xfdef },   /* noncharacters */
	{ 0xfe00, 0xfe0f },   /* variation selectors */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
	{ 0xfff0, 0xfffb },   /* unassigned ignorables, interlinear annotation */
	{ 0xfffe, 0xffff },   /* noncharacters */
	{ 0x13430, 0x1343f }, /* Egyptian format controls */
	{ 0x1bca0, 0x1bca3 }, /* shorthand format controls */
	{ 0x1d173, 0x1d17a }, /* musical format controls */
	{ 0x1fffe, 0x1ffff }, /* noncharacters */
	{ 0x2fffe, 0x2ffff },
	{ 0x3fffe, 0x10ffff }, /* empty planes, tags, variation selectors, private use */
};

static bool is_combining(uint32_t cp)
{
	return in_ranges(cp, combining, ELEMENTS(combining));
}

static size_t width(uint32_t cp)
{
	if (is_combining(cp))
		return 0;
	return in_ranges(cp, wide, ELEMENTS(wide)) ? 2 : 1;
}

/* Output under construction.  Two limits, bytes and columns; `cut` is the last place where the mark of a cut still fits. */
struct sink {
	char *buf;
	size_t size, len;       /* SIZE leaves room for the NUL */
	size_t max, columns;
	size_t reserve;         /* bytes and columns of the mark */
	size_t source;          /* source bytes shown */
	size_t cut, cut_source;
	unsigned marks;         /* combining marks since the last base; MARKS_MAX: none may follow */
	bool raw_backslash, full;
};

/* Puts N bytes of COLUMNS columns that show SOURCE bytes, all or nothing. */
static void put(struct sink *o, const char *s, size_t n, size_t columns, size_t source)
{
	if (o->full || n >= o->size - o->len || columns > o->max - o->columns) {
		o->full = true;
		return;
	}
	memcpy(o->buf + o->len, s, n);
	o->len += n;
	o->columns += columns;
	o->source += source;
	if (o->reserve <= o->max - o->columns && o->reserve < o->size - o->len) {
		o->cut = o->len;
		o->cut_source = o->source;
	}
}

/* One character (or one bad byte) as it is shown: its bytes in UNIT, their number, its columns. */
static size_t escape_one(struct sink *o, const char *s, size_t len, char unit[static UNIT_MAX], size_t *ret_columns,
	size_t *ret_source)
{
	uint32_t cp;
	size_t n = utf8_decode(s, len, &cp);
	bool shown = false;

	*ret_source = n > 0 ? n : 1;
	if (n == 0 || ((cp < 0x20 || cp == 0x7f) && cp != '\n' && cp != '\t'))
		(void)snprintf(unit, UNIT_MAX, "\\x%02x", (unsigned)(unsigned char)*s);
	else if (cp == '\n' || cp == '\t')
		(void)snprintf(unit, UNIT_MAX, "\\%c", cp == '\n' ? 'n' : 't');
	else if (cp == '\\' && !o->raw_backslash)
		(void)snprintf(unit, UNIT_MAX, "\\\\");
	else if (in_ranges(cp, hidden, ELEMENTS(hidden)) || (is_combining(cp) && o->marks >= MARKS_MAX))
		(void)snprintf(unit, UNIT_MAX, "\\u{%04X}", (unsigned)cp);
	else {
		memcpy(unit, s, n);
		unit[n] = '\0';
		shown = true;
	}

	if (!shown || cp == ' ')
		o->marks = MARKS_MAX; /* nothing may lean on an escape or a blank */
	else
		o->marks = is_combining(cp) ? o->marks + 1 : 0;
	*ret_columns = shown ? width(cp) : strlen(unit);
	return strlen(unit);
}

static void escape(struct sink *o, const char *s, size_t len)
{
	char unit[UNIT_MAX];

	while (len > 0 && !o->full) {
		size_t columns, source, n = escape_one(o, s, len, unit, &columns, &source);

		put(o, unit, n, columns, source);
		s += source;
		len -= source;
	}
}

/* Allocates for at most MAX columns of LEN bytes: 4 bytes a source byte, or 4 and MARKS_MAX marks of 4 a column. */
static bool sink_begin(struct sink *o, size_t len, size_t max)
{
	const size_t per_column = 4 * (1 + MARKS_MAX);
	size_t size;

	if (max < 32)
		max = 32;
	if (__builtin_mul_overflow(len, (size_t)4, &size))
		return false;
	if (max < size / per_column)
		size = max * per_column;
	*o = (struct sink){ .max = max, .marks = MARKS_MAX };
	if (__builtin_add_overflow(size, (size_t)64, &o->size))
		return false;
	o->reserve = (size_t)snprintf(NULL, 0, "...(+%zu bytes)", len);
	o->buf = malloc(o->size);
	return o->buf != NULL;
}

static char *sink_end(struct sink *o, size_t total)
{
	if (o->full)
		(void)snprintf(o->buf + o->cut, o->size - o->cut, "...(+%zu bytes)", total - o->cut_source);
	else
		o->buf[o->len] = '\0';
	return o->buf;
}

char *text_escape(const char *s, size_t len, size_t max)
{
	struct sink o;

	if (!sink_begin(&o, len, max))
		return NULL;
	escape(&o, s, len);
	return sink_end(&o, len);
}

char *text_line(char *buf, size_t size, const char *s, size_t len)
{
	struct sink o = {
		.buf = buf, .size = size, .max = SIZE_MAX, .reserve = 3, .marks = MARKS_MAX, .raw_backslash = true,
	};

	if (size == 0)
		return buf;
	escape(&o, s, len);
	if (o.full)
		(void)snprintf(buf + o.cut, size - o.cut, "...");
	else
		buf[o.len] = '\0';
	return buf;
}

static bool plain_argument(const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";

	return *s && s[strspn(s, plain)] == '\0';
}

/* One argument, in quotes; a quote within closes them, stands escaped and opens them again, as in sh. */
static void put_quoted(struct sink *o, const char *s)
{
	put(o, "'", 1, 1, 0);
	o->marks = MARKS_MAX;
	while (*s && !o->full) {
		size_t run = strcspn(s, "'");

		escape(o, s, run);
		s += run;
		if (*s) {
			put(o, "'\\''", 4, 4, 1);
			o->marks = MARKS_MAX;
			s++;
		}
	}
	put(o, "'", 1, 1, 0);
}

char *text_argv(char *const *argv, size_t argc, size_t max)
{
	struct sink o;
	size_t total = 0, room;

	for (size_t i = 0; i < argc; i++)
		total += strlen(argv[i]);
	/* Besides its bytes an argument has two quotes and a blank. */
	if (__builtin_add_overflow(total, argc, &room) || !sink_begin(&o, room, max))
		return NULL;
	for (size_t i = 0; i < argc && !o.full; i++) {
		if (i > 0)
			put(&o, " ", 1, 1, 0);
		if (plain_argument(argv[i]))
			escape(&o, argv[i], strlen(argv[i]));
		else
			put_quoted(&o, argv[i]);
	}
	return sink_end(&o, total);
}

bool text_utf8(const char *s, size_t len)
{
	while (len > 0) {
		uint32_t cp;
		size_t n = utf8_decode(s, len, &cp);

		if (n == 0 || cp == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

size_t text_columns(const char *s)
{
	size_t len = strlen(s), columns = 0;

	while (len > 0) {
		uint32_t cp;
		size_t n = utf8_decode(s, len, &cp);

		columns += n > 0 ? width(cp) : 1;
		n = n > 0 ? n : 1;
		s += n;
		len -= n;
	}
	return columns;
}

bool name_valid(const char *s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n;

	if (!s || *s == '-' || *s == '.')
		return false;
	n = strspn(s, letters);
	return n >= 1 && n <= 64 && s[n] == '\0';
}

bool principal_valid(const char *s)
{
	size_t n = 0;

	if (!s)
		return false;
	for (; s[n]; n++)
		if (n >= 128 || s[n] <= ' ' || s[n] > '~' || strchr("\"',*?!#\\", s[n]))
			return false;
	return n > 0;
}
