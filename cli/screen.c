/* The terminal: see screen.h. */
#include "config.h"
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/text.h"

static struct {
	bool terminal, colours, utf8;
	unsigned width;
} screen;

void screen_setup(void)
{
	const char *columns = getenv("COLUMNS"), *no = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size = {0};
	unsigned long long n;

	screen.terminal = isatty(STDOUT_FILENO);
	screen.colours = screen.terminal && !(no && *no) && term && strcmp(term, "dumb") != 0;
	screen.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	/* The escaper asks the C library which characters print: it must know them even where the terminal does not. */
	if (!screen.utf8)
		setlocale(LC_CTYPE, "C.UTF-8");
	if (screen.terminal)
		screen.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
	if (columns && number_parse(columns, 10000, &n) == 0 && n > 0)
		screen.width = (unsigned)n;
	if (screen.width > 0 && screen.width < 24)
		screen.width = 24;
}

unsigned screen_width(void)
{
	return screen.width;
}

bool screen_terminal(void)
{
	return screen.terminal;
}

const char *paint(enum style s)
{
	static const char *const code[] = {
		[PLAIN] = "\033[0m", [BOLD] = "\033[1m", [DIM] = "\033[2m",
		[RED] = "\033[1;31m", [GREEN] = "\033[32m", [YELLOW] = "\033[33m",
	};

	return screen.colours ? code[s] : "";
}

const char *arrow(void)
{
	return screen.utf8 ? "\xe2\x86\x92" : "->";
}

char *screen_safe(const char *text)
{
	size_t len = strlen(text), n = 0;
	/* Undo the doubling of backslashes only: all else of the escape stays. */
	char *escaped = text_escape(text, len, len * 10 + 16);

	for (size_t i = 0; escaped && escaped[i]; i++) {
		if (escaped[i] == '\\' && escaped[i + 1] == '\\')
			i++;
		escaped[n++] = escaped[i];
	}
	if (escaped)
		escaped[n] = 0;
	return escaped;
}

/* Bytes of the character at S; the text was made by text_escape() and so is UTF-8. */
static size_t char_len(const char *s)
{
	size_t n = 1;

	while (((unsigned char)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static size_t char_columns(const char *s, size_t n)
{
	char one[8] = {0};

	memcpy(one, s, n < sizeof(one) ? n : sizeof(one) - 1);
	return text_columns(one);
}

/* Bytes of S that fit into WIDTH columns. */
static size_t fitting(const char *s, size_t width)
{
	size_t at = 0, used = 0;

	while (s[at]) {
		size_t n = char_len(s + at), w = char_columns(s + at, n);

		if (used + w > width)
			break;
		used += w;
		at += n;
	}
	return at;
}

char *screen_cut(const char *escaped, size_t width)
{
	size_t n;
	char *cut;

	if (text_columns(escaped) <= width)
		return strdup(escaped);
	n = fitting(escaped, width > 3 ? width - 3 : 0);
	cut = malloc(n + 4);
	if (!cut)
		return NULL;
	memcpy(cut, escaped, n);
	memcpy(cut + n, "...", 4);
	if (width < 3)
		cut[width] = 0;
	return cut;
}

static void span_words(uint64_t usec, char *buf, size_t size)
{
	uint64_t s = (usec + USEC_PER_SEC / 2) / USEC_PER_SEC, min = (s + 30) / 60, h = min / 60;

	if (s < 100)
		snprintf(buf, size, "%u s", (unsigned)s);
	else if (min < 60)
		snprintf(buf, size, "%u min", (unsigned)min);
	else if (h < 10 && min % 60 != 0)
		snprintf(buf, size, "%u h %u min", (unsigned)h, (unsigned)(min % 60));
	else if (h < 48)
		snprintf(buf, size, "%u h", (unsigned)((min + 30) / 60));
	else
		snprintf(buf, size, "%llu d", (unsigned long long)((h + 12) / 24));
}

const char *when_delta(int64_t delta, char *buf, size_t size)
{
	char span[32];

	span_words(delta < 0 ? (uint64_t)-delta : (uint64_t)delta, span, sizeof(span));
	if (strcmp(span, "0 s") == 0)
		snprintf(buf, size, "now");
	else
		snprintf(buf, size, delta < 0 ? "%s ago" : "in %s", span);
	return buf;
}

const char *when_text(const char *rfc3339, char *buf, size_t size)
{
	uint64_t t;

	if (!rfc3339 || time_rfc3339_parse(rfc3339, &t) < 0) {
		CLEAN(free_p) char *shown = rfc3339 ? text_escape(rfc3339, strlen(rfc3339), 40) : NULL;

		snprintf(buf, size, "%s", shown ? shown : "");
		return buf;
	}
	return when_delta((int64_t)(t - clock_real()), buf, size);
}

const char *when_clock(const char *rfc3339, char *buf, size_t size)
{
	char at[32], relative[64];
	uint64_t t;

	if (!rfc3339 || time_rfc3339_parse(rfc3339, &t) < 0)
		return when_text(rfc3339, buf, size);
	snprintf(buf, size, "%s (%s)", time_short(t, at, sizeof(at)), when_text(rfc3339, relative, sizeof(relative)));
	return buf;
}

#define FIELD_INDENT 13

/* How much of S stands on one line of WIDTH columns: up to a blank where there is one. */
static size_t line_of(const char *s, size_t width)
{
	size_t n = fitting(s, width), back;

	if (!s[n])
		return n;
	for (back = n; back > 0 && s[back] != ' '; back--)
		;
	if (back > n / 3)
		return back;
	return n > 0 ? n : char_len(s);
}

char *screen_line(const char **escaped, size_t width)
{
	size_t n = line_of(*escaped, width);
	char *line = strndup(*escaped, n);

	*escaped += n;
	while (**escaped == ' ')
		(*escaped)++;
	return line;
}

void field(const char *name, enum style s, const char *text)
{
	size_t width = screen.width > FIELD_INDENT + 10 ? screen.width - FIELD_INDENT : 0;
	const char *left = name;

	if (!text || !*text)
		return;
	do {
		size_t n = width ? line_of(text, width) : strlen(text);

		printf("  %s%-*s%s%s%.*s%s\n", paint(DIM), FIELD_INDENT - 2, left, paint(PLAIN), paint(s), (int)n, text,
			s == PLAIN ? "" : paint(PLAIN));
		text += n;
		while (*text == ' ')
			text++;
		left = "";
	} while (*text);
}

void fieldf(const char *name, enum style s, const char *fmt, ...)
{
	CLEAN(free_p) char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	else
		field(name, s, text);
}

static void unicode(FILE *f, unsigned c)
{
	if (c >= 0x10000) {
		c -= 0x10000;
		fprintf(f, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
	} else {
		fprintf(f, "\\u%04x", c);
	}
}

size_t screen_json_text(FILE *f, const char *text)
{
	size_t changed = 0;

	while (*text) {
		unsigned char b = (unsigned char)*text;
		size_t n = char_len(text);
		unsigned c;

		if (b >= 0x20 && b < 0x7f) {
			fputc(b, f);
			text++;
			continue;
		}
		c = b < 0x80 ? b : b < 0xe0 ? b & 0x1fu : b < 0xf0 ? b & 0x0fu : b & 0x07u;
		for (size_t i = 1; i < n && i < 4; i++)
			c = c << 6 | ((unsigned char)text[i] & 0x3fu);
		unicode(f, c);
		changed++;
		text += n;
	}
	return changed;
}

void screen_json(FILE *f, struct json_object *o)
{
	const char *text = o ? json_text(o) : NULL;

	screen_json_text(f, text ? text : "null");
	fputc('\n', f);
	fflush(f);
}
