/* What sudo tells its plugins of a call, as fields of the gate's `approval`. */
#pragma once
#include <stdbool.h>
#include "gate_client/jit.h"

struct exact {
	char *const *settings, *const *user_info, *const *argv; /* of open: argv is what was typed, argv[0] first */
	int own;                                                /* argv[own] is the command */
	char *const *command_info, *const *run;                 /* of check */
	bool inner; /* sudo intercepts what a command starts that was let go */
};

/* The value of NAME in a vector of "name=value"; NULL. */
const char *exact_get(char *const *vector, const char *name);
/* Does it say "true"? */
bool exact_true(char *const *vector, const char *name);
/* 0, or -EINVAL with words when sudo has not told what must be known. */
int exact_check(const struct exact *e, const char **words);
/* The fields of `approval` but for service, user, tty; sets *RET_PROMPT: a question may be asked on the terminal. */
void exact_put(const struct exact *e, struct gate_out *o, bool *ret_prompt);
