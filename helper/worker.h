/* Everything that may block is done by worker processes (jit-worker, started by jitd over a socketpair, replaced when one
 * dies or is late).  There is one for each lane, and lanes do not wait for each other:
 *
 *	names     the name service                                     begun within 10 s or not at all
 *	files     digests of files, the search for a command           60 s
 *	errands   terminals, caches, and what else no call waits for   10 s
 *
 * A job may take 2 s unless it says otherwise.  Within a lane those for whom jobs are done (by uid) take turns, one job
 * each, so nobody waits for more than one job of each other.  Failure is "unknown".  SIGCHLD must be blocked (child.h).
 *
 * A new job: its question and answer in worker-wire.h, the work in worker-jobs.c and its verb in worker-main.c, a
 * function here; job_new() takes for whom it is, job_queue() the lane.  What a user can make slow is not for `names`. */
#pragma once
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include "helper/identity.h"

#define WORKER_TIMEOUT_USEC UINT64_C(2000000)
#define WORKER_QUEUE 1024     /* jobs that wait in a lane, */
#define WORKER_QUEUE_EACH 128 /* and of one uid: more than the calls that the gate and the bus take of it */

struct worker;
int worker_new(sd_event *event, struct worker **ret);
struct worker *worker_free(struct worker *w);
/* Starts the processes before there is work: who is told on a terminal that the grant is revoked is to read it before the end. */
void worker_warm(struct worker *w);

struct worker_identity {
	char *name;    /* account name of the uid */
	char **groups; /* names, NULL-terminated; NULL: unknown */
};
/* RESULT 0 or -errno; the struct is the callee's to read during the call only, NULL on failure. */
typedef void (*worker_identity_done)(int result, const struct worker_identity *id, void *userdata);
/* FILE may be taken: copied, and cleared. */
typedef void (*worker_file_done)(int result, struct identity *file, void *userdata);
typedef void (*worker_path_done)(int result, const char *path, void *userdata);

typedef void (*worker_account_done)(int result, uid_t uid, void *userdata);

/* Each returns a ticket > 0 (cancel with it: the callback is then not called), or -errno (-EAGAIN: as many wait
 * as may).  The callback is never called from inside the call.  UID: for whom it is done. */
/* The uid of an account's name (for sshd, where the name is the kernel's only witness). */
int worker_account(struct worker *w, const char *name, worker_account_done done, void *userdata);
/* The same of an account that UID names. */
int worker_target(struct worker *w, uid_t uid, const char *name, worker_account_done done, void *userdata);
int worker_identity(struct worker *w, uid_t uid, worker_identity_done done, void *userdata);
/* What PATH (absolute) is, and what runs it: links are followed as execve would, judged by the descriptor, digests up to 256 MiB.
 * Each file bears its own error, RESULT is of the whole.  ROOT: the root directory of who is going to run it (process_root();
 * copied); -1: jitd's own.  SEARCH: where env(1) will look (may be NULL). */
int worker_file(struct worker *w, uid_t uid, int root, const char *path, const char *const *search, worker_file_done done,
	void *userdata);
/* Looks NAME up along SEARCH (as sudo's secure_path), absolute or with a slash relative to CWD, below ROOT as above; gives
 * the path as sudo would show it. */
int worker_lookup(struct worker *w, uid_t uid, int root, const char *name, const char *cwd, const char *const *search,
	worker_path_done done, void *userdata);
/* Writes TEXT to the terminal TTY ("pts/3", "/dev/pts/3" or "tty1", nothing else; its owner must be UID).  No answer. */
int worker_terminal(struct worker *w, const char *tty, uid_t uid, const char *text);
/* Flushes name-service caches (nscd -i group) if nscd runs. */
int worker_flush_caches(struct worker *w);
void worker_cancel(struct worker *w, int ticket);
