/* Between jitd and jit-check, which looks at the host for the checks of one rule and ends.
 *
 * descriptor 0  {"within":usec,"facts":{"JIT_USER":bytes,…},"checks":["load<8",…]}
 * descriptor 1  {"results":[{"holds":bool,"text":"load is 9.1"},…]}   one for each check, in their order
 *
 * Both are memfds: it reads all, and jitd reads the answer when it has ended with status 0.  Anything else is the failure of
 * every check.  FACTS become the environment of exec: programs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/check.h"

#define CHECK_QUESTION_MAX (256 * 1024)
#define CHECK_ANSWER_MAX (64 * 1024)
#define CHECK_AFTER_USEC UINT64_C(1000000) /* what built-in checks have after the programs, whatever these took of WITHIN */
#define CHECK_LATE_USEC UINT64_C(2000000)  /* so long after WITHIN it has ended, or is ended */

/* check-read.c: what a built-in check finds.  It may take any time: it runs in a process of its own. */
struct check_found {
	struct check_reading reading;
	char error[256], text[512];
};
void check_read(const struct check *c, struct check_found *ret);

/* check-exec.c: the control group that holds what exec: programs start, so that nothing of it outlives the answer. */
struct check_group {
	int dirfd, procs; /* -1: there is none */
	char name[64];
	int parent;
};
/* Also ends and removes what a jit-check that was killed has left. */
int check_group_open(struct check_group *g); /* 0 or -errno, G is closed then */
void check_group_close(struct check_group *g); /* kills all in it, and removes it; accepts a closed one */
/* In a forked process: becomes the program, or returns -errno with words. */
int check_become(const struct check *c, const struct check_group *g, char *const *envp, unsigned cpu_seconds, struct why *w);

/* check-run.c: all programs at once, then all others at once, so that nothing is older than what a program took its time for. */
struct check_job {
	struct check check;
	bool holds;
	char text[512];
};
int check_run_all(struct check_job *jobs, size_t n, char *const *envp, uint64_t within_usec);
