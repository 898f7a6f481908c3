/* What a person sees: colours on a terminal only, columns, times as one says them; and what a program sees. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Learns whether stdout is a terminal, how wide it is, whether it takes colours (NO_COLOR, TERM=dumb) and UTF-8. */
void screen_setup(void);
/* Columns; 0: not a terminal, nothing is to be cut or wrapped. */
unsigned screen_width(void);
bool screen_terminal(void);

enum style { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };
/* The escape sequence, or "" where there are no colours.  PLAIN ends any style. */
const char *paint(enum style s);
const char *arrow(void); /* "→" or "->" */

/* Text of any origin as one line fit for a terminal: like text_escape(), but backslashes stand (the text is ours, only parts
 * of it may not be) and nothing is cut.  Caller frees; NULL when out of memory. */
char *screen_safe(const char *text);
/* ESCAPED, cut to WIDTH columns with "..." at the end.  Caller frees. */
char *screen_cut(const char *escaped, size_t width);

/* The next line of *ESCAPED that fits WIDTH columns, broken at a blank where there is one; *ESCAPED moves on.  Caller frees. */
char *screen_line(const char **escaped, size_t width);

/* "in 4 min", "2 min ago", "now".  DELTA in usec, positive is the future.  Returns BUF. */
const char *when_delta(int64_t delta, char *buf, size_t size);
/* The same from an RFC 3339 text and now; the text itself (escaped) when it is none. */
const char *when_text(const char *rfc3339, char *buf, size_t size);
/* "14:32 (2 min ago)" */
const char *when_clock(const char *rfc3339, char *buf, size_t size);

/* "  name      text", wrapped with a hanging indent on a terminal.  TEXT is escaped already; NULL or "" prints nothing. */
void field(const char *name, enum style s, const char *text);
void fieldf(const char *name, enum style s, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A table.  Columns get the width that their longest cell needs; where the terminal is too narrow, flexible ones are cut, and
 * then those of the highest rank are left out. */
#define TABLE_COLUMNS 10
struct column {
	const char *title;
	unsigned rank; /* 0: never left out */
	bool flexible;
};
struct cell {
	char *text; /* escaped; owned */
	enum style style;
};
struct table {
	const struct column *column;
	size_t columns;
	struct cell *cell; /* rows * columns */
	size_t rows, room;
	bool failed; /* out of memory */
};
void table_row(struct table *t); /* begins a row */
/* Sets the cell of the last row; TEXT is copied (NULL: ""). */
void table_set(struct table *t, size_t column, enum style s, const char *text);
void table_print(struct table *t);
void table_done(struct table *t);

/* One JSON document on a line of its own.  Every character that is not ASCII becomes \uXXXX, which means the same to a program
 * and does nothing to a terminal. */
void screen_json(FILE *f, struct json_object *o);
/* The exact bytes of a JSON text, the same way; returns how many characters had to be written as \uXXXX. */
size_t screen_json_text(FILE *f, const char *text);
