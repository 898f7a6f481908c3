/* The file of a live grant, JIT_GRANTS/ID: written by jitd before the grant takes effect, read by jit-expire at its
 * end.
 *
 *	{"v":1,"id","boot":boot id,"deadline":boot usec,"grace":usec,"at_end":"terminate|drain","uid":whose,
 *	 "pids":[{"pid","start"}],"sessions":["12"]}
 *
 * Without uid (a file of an earlier version) the requester is unknown.
 *
 * A grant that jit-expire let drain is renamed to ID.drained, so that a second timer of the same grant kills nothing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/clock.h"
#include "lib/id.h"
#include "lib/why.h"

#define GRANTFILE_MAX (64 * 1024)
#define GRANTFILE_PIDS 1024
#define GRANTFILE_SESSIONS 64
#define SESSION_MAX 32

struct grantfile_pid {
	pid_t pid;
	uint64_t start; /* field 22 of /proc/PID/stat, clock ticks since boot */
};
struct grantfile {
	jit_id id;
	char boot[BOOT_ID_LEN + 1];
	uint64_t deadline; /* CLOCK_BOOTTIME usec */
	uint64_t grace;    /* usec between asking processes to end and killing them */
	bool drain;        /* at_end: let what runs finish */
	uid_t uid;         /* of the requester; (uid_t)-1: unknown */
	struct grantfile_pid *pids;
	size_t n_pids;
	char **sessions; /* logind's names */
	size_t n_sessions;
};
void grantfile_done(struct grantfile *g); /* frees pids and sessions, for what grantfile_read() filled */

/* Replaces the file whole, mode 0600.  0 or -errno. */
int grantfile_write(const struct grantfile *g);
/* -ENOENT: no such file; -EALREADY: it was drained; else -errno with words. */
int grantfile_read(const jit_id id, struct grantfile *ret, struct why *w);
/* ID becomes ID.drained. */
int grantfile_drained(const jit_id id);
/* Removes both; fine if there is none. */
int grantfile_remove(const jit_id id);

/* The start time of a live process, as /proc has it; 0 or -errno (-ESRCH, -ENOENT: gone). */
int process_start(pid_t pid, uint64_t *ret);
