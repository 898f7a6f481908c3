/* Text that came from somebody else, made fit to be shown: no control bytes, no bidirectional or invisible
 * characters, no broken UTF-8, cut at a sane length with the cut marked.  No locale is asked: the same bytes look the same
 * in every process. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Escapes LEN bytes at S: visible UTF-8 stands as it is, a backslash is doubled, newline and tab are \n and \t, every
 * other ASCII control byte and every byte that is not valid UTF-8 is \xHH, every other character that is invisible,
 * moves others about or passes for a blank is \u{HHHH}: C1 controls, bidi controls, zero-width and other format characters,
 * fillers, variation selectors, tags, line separators, blanks but U+0020, private use, noncharacters, and a combining mark
 * that has no base or is the fifth on one.  At most MAX columns of output (a MAX below 32 counts as 32); a
 * longer one is cut at a whole character and ends in "...(+N bytes)", N counting the bytes of S not shown.  Returns a new
 * string, NULL when out of memory. */
char *text_escape(const char *s, size_t len, size_t max);
/* One shell-like line of an argv (elements quoted with '' where they hold more than A-Z a-z 0-9 and _@%+=:,./- or
 * nothing), escaped and cut as above; N counts bytes of the arguments. */
char *text_argv(char *const *argv, size_t argc, size_t max);
/* One line into BUF, always ended by a NUL, cut at a whole character with "..." when it does not fit.  Escapes as
 * above, but a backslash stands: for words that may hold text escaped before.  Returns BUF. */
char *text_line(char *buf, size_t size, const char *s, size_t len);
/* Valid UTF-8 without NUL? */
bool text_utf8(const char *s, size_t len);
/* Columns on a terminal: two for East Asian wide and emoji, none for combining marks, one for anything else. */
size_t text_columns(const char *s);
/* A name of a user, group, person, team, rule or service: 1..64 of [A-Za-z0-9._-], not beginning with '-' or '.'. */
bool name_valid(const char *s);
/* A principal: 1..128 printable ASCII without blank, quote, comma, '*', '?', '!', '#', '\\'; '@' is fine. */
bool principal_valid(const char *s);
