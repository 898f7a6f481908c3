/* text_escape, text_argv, text_line: whatever goes in, what comes out may be shown; and escaping is told from the text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* No control byte; nothing that a second escape would change but backslashes. */
static void check_shown(const char *shown, size_t max)
{
	CLEAN(free_p) char *twice = malloc(strlen(shown) + 1);

	must(twice != NULL && text_utf8(shown, strlen(shown)));
	for (const char *p = shown; *p; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
	must(text_columns(shown) <= max);
	must(!strcmp(text_line(twice, strlen(shown) + 1, shown, strlen(shown)), shown));
}

/* Undoes the escapes of an uncut text. */
static size_t unescape(const char *s, char *out)
{
	size_t n = 0;

	while (*s) {
		unsigned value;
		int used = 0;

		if (*s != '\\')
			out[n++] = *s++;
		else if (s[1] == 'n' || s[1] == 't' || s[1] == '\\') {
			out[n++] = (char)(s[1] == 'n' ? '\n' : s[1] == 't' ? '\t' : '\\');
			s += 2;
		} else if (sscanf(s, "\\x%2x%n", &value, &used) == 1 && used == 4) {
			out[n++] = (char)value;
			s += used;
		} else {
			must(sscanf(s, "\\u{%x}%n", &value, &used) == 1 && used > 0);
			if (value >= 0x10000) {
				out[n++] = (char)(0xf0 | value >> 18);
				out[n++] = (char)(0x80 | (value >> 12 & 0x3f));
			} else if (value >= 0x800)
				out[n++] = (char)(0xe0 | value >> 12);
			else
				out[n++] = (char)(0xc0 | value >> 6);
			if (value >= 0x800)
				out[n++] = (char)(0x80 | (value >> 6 & 0x3f));
			out[n++] = (char)(0x80 | (value & 0x3f));
			s += used;
		}
	}
	return n;
}

static void check_escape(const char *s, size_t len)
{
	CLEAN(free_p) char *whole = text_escape(s, len, 8 * len + 32), *part = text_escape(s, len, 40);
	CLEAN(free_p) char *back = malloc(4 * len + 1);

	must(whole && part && back);
	check_shown(whole, 8 * len + 32);
	check_shown(part, 40);
	must(unescape(whole, back) == len && !memcmp(back, s, len));
}

/* The bytes as an argv: cut at each 'a'. */
static void check_argv(const char *s, size_t len)
{
	CLEAN(free_p) char *copy = malloc(len + 1), *line = NULL, *cut = NULL;
	char *argv[16];
	size_t argc = 0;

	must(copy != NULL);
	memcpy(copy, s, len);
	copy[len] = '\0';
	for (char *p = copy; p && argc < 16; argc++) {
		argv[argc] = p;
		p = strchr(p, 'a');
		if (p)
			*p++ = '\0';
	}
	line = text_argv(argv, argc, SIZE_MAX);
	cut = text_argv(argv, argc, 50);
	must(line && cut);
	check_shown(line, SIZE_MAX);
	check_shown(cut, 50);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = size > 0 ? (const char *)data : "";
	char small[24];

	if (size > 64 * 1024)
		return 0;
	check_escape(s, size);
	check_argv(s, size);
	for (size_t n = 1; n <= sizeof small; n++) {
		must(text_line(small, n, s, size) == small && strlen(small) < n);
		check_shown(small, n);
	}
	return 0;
}
