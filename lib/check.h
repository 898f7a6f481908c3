/* A condition on the state of a host, as rules have it in Check=, Inform= and Escalate=; pure: what it says, and whether a
 * reading meets it.  Reading is jit-check's (helper/check-read.c), and of http: jit-courier's.
 *
 *	load<8  load-per-core<1.5  memory>500M  disk:/var>10%  failed-units=0  unit:nginx.service=active
 *	file:/etc/freeze=absent  file:/run/backup.ok<1h  users<5  user:bob=absent  up>10min  incident=no
 *	exec:/usr/local/lib/site/may-restart --strict      https://status.example.com/open
 *
 *	check = KIND [":" ARGUMENT] OP VALUE;  OP is one of < <= > >= = != where it makes sense for the VALUE
 *
 * A backslash takes the next character as it is, so "\ " is a blank within a word.  What stands behind exec: is the
 * program and its arguments, to the end of the value, or to a lone '|' in Escalate=. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/why.h"

#define CHECK_TEXT_MAX 400  /* bytes of one check */
#define CHECK_ARGS_MAX 32   /* words of exec: */
#define CHECK_WORDS_MAX 200 /* columns of what a check says */

/* constant, word, argument, values, how its failure to be read is told */
#define CHECK_KINDS(X)                                                    \
	X(LOAD, "load", NONE, DECIMAL, "read")                            \
	X(LOAD_PER_CORE, "load-per-core", NONE, DECIMAL, "read")          \
	X(MEMORY, "memory", NONE, SIZE, "read")                           \
	X(DISK, "disk", PATH, SIZE, "read")                               \
	X(FAILED_UNITS, "failed-units", NONE, COUNT, "counted")           \
	X(UNIT, "unit", UNIT, UNIT_STATE, "read")                         \
	X(FILE, "file", PATH, PRESENCE_OR_AGE, "read")                    \
	X(USERS, "users", NONE, COUNT, "counted")                         \
	X(USER, "user", NAME, PRESENCE, "read")                           \
	X(UP, "up", NONE, SPAN, "read")                                   \
	X(INCIDENT, "incident", NONE, YES_NO, "read")                     \
	X(EXEC, "exec", PROGRAM, NOTHING, "run")                          \
	X(HTTP, "http", URL, NOTHING, "asked")                            \
	X(HTTPS, "https", URL, NOTHING, "asked")

#define X(constant, word, argument, value, verb) CHECK_##constant,
enum check_kind { CHECK_KINDS(X) CHECK_KIND_COUNT };
#undef X
enum check_op { CHECK_LESS, CHECK_LESS_EQUAL, CHECK_MORE, CHECK_MORE_EQUAL, CHECK_EQUAL, CHECK_NOT_EQUAL };

struct check {
	enum check_kind kind;
	enum check_op op;
	char *text;      /* the whole of it, in the one way to write it */
	char *argument;  /* path, unit, name, URL; NULL */
	char **argv;     /* of exec:, NULL-terminated; else NULL */
	bool word;       /* the value is a word */
	bool percent;    /* of the total */
	uint64_t number; /* thousandths, bytes, usec, a count; of a word its place among those that may stand there */
	const char *value;
};
void check_done(struct check *c); /* accepts a zeroed one */
/* One check and nothing else.  -EINVAL, -ENOMEM with words; RET untouched then. */
int check_parse(const char *text, struct check *ret, struct why *w);
/* The text of the next check at *AT, which moves behind it; NULL at the end. */
const char *check_next(const char **at, size_t *len);
/* Is it asked over the network, by the courier?  Then its word can refuse and raise, never allow. */
bool check_by_courier(const struct check *c);

/* What was found.  By kind NUMBER is the load in thousandths, bytes free or available, failed units, users, the age or the
 * time since boot in usec, an exit status, an HTTP status; TOTAL the cores or all of the bytes. */
struct check_reading {
	const char *error; /* words: it could not be found out; NULL */
	uint64_t number, total;
	bool present;      /* file:, user:, incident */
	const char *word;  /* the unit's state */
	const char *text;  /* names of failed units, the first line of an incident, of a program's or a server's answer; NULL */
};
/* Does it hold?  In any case TEXT says what was found ("load is 9.1"), one line fit for a screen. */
bool check_judge(const struct check *c, const struct check_reading *r, char *text, size_t size);
