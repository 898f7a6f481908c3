/* Running a tool of the host for what it prints. */
#pragma once
#include <stddef.h>

/* Runs ARGV (argv[0] the absolute path) with no input, in the C locale, and gives what it writes to its output, at most MAX
 * bytes (-EFBIG beyond; it is killed then).  It dies with this process.  Its exit status, 128 + the signal that ended it, or
 * -errno; 126 may be its own or say that it could not be run.  Caller frees *RET. */
int look_run(char *const *argv, size_t max, char **ret);
