/* Text that came from somebody else, made fit to be shown: no control bytes, no bidirectional or invisible
 * characters, no broken UTF-8, cut at a sane length with the cut marked. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Escapes LEN bytes at S: printable UTF-8 stands as it is, a backslash is doubled, newline and tab are \n and \t,
 * every other control byte, invalid byte, bidi control, zero-width or unassigned formatting character is \xHH (each
 * byte) or \u{HHHH}.  At most MAX columns of output; a longer one is cut at a whole character and ends in
 * "...(+N bytes)".  Returns a new string, NULL when out of memory. */
char *text_escape(const char *s, size_t len, size_t max);
/* One shell-like line of an argv (elements quoted with '' where they hold blanks or specials), escaped and cut. */
char *text_argv(char *const *argv, size_t argc, size_t max);
/* Valid UTF-8 without NUL? */
bool text_utf8(const char *s, size_t len);
/* Columns on a terminal of an escaped string (wcwidth, unknown counts 1). */
size_t text_columns(const char *s);
/* A name of a user, group, person, team, rule or service: 1..64 of [A-Za-z0-9._-], not beginning with '-' or '.'. */
bool name_valid(const char *s);
/* A principal: 1..128 printable ASCII without blank, quote, comma, '*', '?', '!', '#', '\\'; '@' is fine. */
bool principal_valid(const char *s);
