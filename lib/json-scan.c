#include "lib/json-scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/text.h"

struct scan {
	const char *start, *p, *end;
	size_t members;
	const char *bad; /* what is wrong, once something is */
};

static bool fail(struct scan *s, const char *words)
{
	if (!s->bad)
		s->bad = words;
	return false;
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool next_is(struct scan *s, char c)
{
	if (s->p >= s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool hex4(struct scan *s, unsigned *ret)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++, s->p++) {
		char c = s->p < s->end ? *s->p : '\0';

		if (c >= '0' && c <= '9')
			value = value << 4 | (unsigned)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			value = value << 4 | (unsigned)((c | 0x20) - 'a' + 10);
		else
			return fail(s, "\\u without four hex digits");
	}
	*ret = value;
	return true;
}

/* Behind a backslash. */
static bool scan_escape(struct scan *s)
{
	unsigned unit, low;
	char c = s->p < s->end ? *s->p++ : '\0';

	if (c && strchr("\"\\/bfnrt", c))
		return true;
	if (c != 'u')
		return fail(s, "an unknown escape in a string");
	if (!hex4(s, &unit))
		return false;
	if (unit == 0)
		return fail(s, "a NUL in a string");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return fail(s, "half of a surrogate pair");
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (!next_is(s, '\\') || !next_is(s, 'u') || !hex4(s, &low) || low < 0xdc00 || low > 0xdfff)
		return fail(s, "half of a surrogate pair");
	return true;
}

static bool scan_string(struct scan *s)
{
	if (!next_is(s, '"'))
		return fail(s, "a string is missing");
	while (s->p < s->end) {
		char c = *s->p++;

		if (c == '"')
			return true;
		if ((unsigned char)c < 0x20)
			return fail(s, "a control byte in a string");
		if (c == '\\' && !scan_escape(s))
			return false;
	}
	return fail(s, "a string without end");
}

static bool scan_digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from || fail(s, "a number without digits");
}

/* Within int64 when negative, within uint64 otherwise: json-c would clamp it. */
static bool whole_in_range(const char *p, const char *end, bool negative)
{
	uint64_t value = 0;

	for (; p < end; p++)
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
			__builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return false;
	return !negative || value <= (uint64_t)INT64_MAX + 1;
}

static bool scan_number(struct scan *s)
{
	bool negative = next_is(s, '-'), whole = true;
	const char *from = s->p;

	if (!scan_digits(s))
		return false;
	if (*from == '0' && s->p - from > 1)
		return fail(s, "a number with a leading zero");
	if (next_is(s, '.')) {
		whole = false;
		if (!scan_digits(s))
			return false;
	}
	if (next_is(s, 'e') || next_is(s, 'E')) {
		whole = false;
		if (!next_is(s, '+'))
			(void)next_is(s, '-');
		if (!scan_digits(s))
			return false;
	}
	if (whole && !whole_in_range(from, s->p, negative))
		return fail(s, "a number beyond 64 bits");
	return true;
}

static bool scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return fail(s, "an unknown word");
	s->p += n;
	return true;
}

static bool scan_value(struct scan *s, unsigned depth);

static bool scan_member(struct scan *s, unsigned depth)
{
	if (!scan_string(s))
		return false;
	s->members++;
	skip_space(s);
	if (!next_is(s, ':'))
		return fail(s, "a ':' is missing");
	return scan_value(s, depth);
}

/* Behind '{' or '['. Recursion ends at JSON_DEPTH_MAX. */
static bool scan_inside(struct scan *s, char close, unsigned depth)
{
	if (depth > JSON_DEPTH_MAX)
		return fail(s, "nested too deeply");
	skip_space(s);
	if (next_is(s, close))
		return true;
	for (;;) {
		skip_space(s);
		if (!(close == '}' ? scan_member(s, depth) : scan_value(s, depth)))
			return false;
		skip_space(s);
		if (next_is(s, close))
			return true;
		if (!next_is(s, ','))
			return fail(s, close == '}' ? "a ',' or '}' is missing" : "a ',' or ']' is missing");
	}
}

static bool scan_value(struct scan *s, unsigned depth)
{
	skip_space(s);
	if (s->p >= s->end)
		return fail(s, "a value is missing");
	switch (*s->p) {
	case '{':
		s->p++;
		return scan_inside(s, '}', depth + 1);
	case '[':
		s->p++;
		return scan_inside(s, ']', depth + 1);
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		return scan_number(s);
	}
}

int json_scan(const char *text, size_t len, size_t *ret_members, struct why *w)
{
	struct scan s = { .start = text, .p = text, .end = text + len };

	if (!text_utf8(text, len))
		return why(w, -EINVAL, "not UTF-8 text");
	skip_space(&s);
	if (s.p >= s.end || *s.p != '{')
		return why(w, -EINVAL, "not a JSON object");
	if (scan_value(&s, 0)) {
		skip_space(&s);
		if (s.p < s.end)
			fail(&s, "something stands after the object");
	}
	if (s.bad)
		return why(w, -EINVAL, "not proper JSON: %s (byte %zu)", s.bad, (size_t)(s.p - s.start));
	*ret_members = s.members;
	return 0;
}
