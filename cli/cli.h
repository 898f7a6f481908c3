/* jitctl: what its verbs share.  A verb takes its options and words from struct cli and returns an exit code. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/id.h"
#include "lib/why.h"

/* The exit codes, as jitctl(1) lists them: (constant, number, word in JSON errors, words). */
#define CLI_EXITS(X)                                                                \
	X(CLI_DONE, 0, "done", "done")                                               \
	X(CLI_REFUSED, 1, "refused", "denied, refused, or failed")                   \
	X(CLI_MISUSED, 2, "misused", "misused: usage, a bad id, a bad value")        \
	X(CLI_EXPIRED, 3, "expired", "timed out or expired")                         \
	X(CLI_UNREACHABLE, 4, "unreachable", "jitd or the hub cannot be reached")    \
	X(CLI_NOT_FOUND, 5, "not-found", "no such request")                          \
	X(CLI_MISCONFIGURED, 6, "misconfigured", "misconfigured")                    \
	X(CLI_PENDING, 7, "pending", "still pending when the wait was over")         \
	X(CLI_INTEGRITY, 8, "integrity", "the ledger or a signature does not verify")

#define X(constant, number, word, words) constant = number,
enum cli_exit { CLI_EXITS(X) };
#undef X

#define OPTION(constant, name, letter, argument, words) OPT_##constant,
enum cli_option {
#include "cli/options.def"
	OPT_COUNT
};
#undef OPTION

struct option_row {
	const char *name;
	char letter; /* 0: none */
	const char *argument, *words;
};
extern const struct option_row cli_options[OPT_COUNT];

enum verb_group { GROUP_ASK, GROUP_ANSWER, GROUP_HOST, GROUP_SELF, GROUP_COUNT };

struct cli;
struct verb {
	enum verb_group group;
	const char *name, *second; /* "audit", "verify" */
	int (*run)(struct cli *c);
	const char *arguments;
	uint64_t options;
	const char *words;
};
extern const struct verb cli_verbs[];
extern const size_t cli_verb_count;

#define CLI_REPEATS 64

struct cli {
	const struct verb *verb;
	size_t argc; /* words behind the options */
	char **argv;
	const char *value[OPT_COUNT]; /* NULL: not given; a flag: "" */
	struct {
		enum cli_option option;
		const char *value;
	} given[CLI_REPEATS]; /* every option that has an argument, in order */
	size_t n_given;
	bool json;
};

/* The next value of a repeatable option; *AT begins at 0.  NULL: no more. */
const char *cli_next(const struct cli *c, enum cli_option option, size_t *at);

/* Prints "jitctl: words" (with --json an error object) to stderr and returns EXIT.  The words are escaped. */
int cli_fail(int exit, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same without an exit: a remark that does not end the verb. */
void cli_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_oom(void);
/* Says how the verb is used, on stderr; CLI_MISUSED. */
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The verb's only word, an id.  CLI_DONE or CLI_MISUSED. */
int cli_id(const struct cli *c, jit_id id);
/* --OPTION as a span of time; *RET stays when it was not given. */
int cli_span(const struct cli *c, enum cli_option option, uint64_t *ret_usec);

/* usage.c */
void usage_verb(FILE *f, const struct verb *v);
/* The hidden verb of the shell's completion: jitctl complete WORD... */
int verb_complete(int argc, char **argv);

#define VERB(group, name, second, function, arguments, options, words) int function(struct cli *c);
#include "cli/verbs.def"
#undef VERB
