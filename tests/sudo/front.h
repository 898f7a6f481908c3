/* A small front end of sudo: loads the plugin, calls open, check and close as sudo does, and remembers what they gave. */
#pragma once
#include "sudo_jit/abi.h"
#include "tests/pam/cases.h"

/* Vectors are words with '|' between; NULL is a NULL vector, "" one without words. */
struct front {
	const char *settings, *user_info, *argv, *command_info, *run, *options;
	int own;
	unsigned version;        /* 0: a usual one */
	bool real;               /* the plugin as installed */
	bool deaf;               /* sudo gives no conversation */
	const char *again_info, *again_run; /* a second open and check in the same process; outcome.code is of that */
};

/* struct run's INSTEAD, with a struct front as WHAT.  outcome.account: what open gave; code: what check gave, or FRONT_UNOPENED
 * when open said that sudo must end. */
int front_run(const struct run *r);
#define FRONT_UNOPENED (-77)
/* sudo goes on without a plugin whose open gave 0: that is a command that ran. */
#define FRONT_RAN_WITHOUT 77
