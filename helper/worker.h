/* Everything that may block is done by a worker process (jit-worker, started by jitd over a socketpair, restarted when
 * it dies or is late): name service, digests of files, terminal writes.  At most 2 s a job, after at most 10 s behind
 * others; failure is "unknown".  SIGCHLD must be blocked (child.h). */
#pragma once
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include "lib/digest.h"

#define WORKER_TIMEOUT_USEC UINT64_C(2000000)
#define WORKER_QUEUE 256

struct worker;
int worker_new(sd_event *event, struct worker **ret);
struct worker *worker_free(struct worker *w);

struct worker_identity {
	char *name;    /* account name of the uid */
	char **groups; /* names, NULL-terminated; NULL: unknown */
};
struct worker_file {
	char sha256[SHA256_HEX + 1];
	uint64_t dev, ino, size;
	char *interpreter; /* of a script: the path behind #!; else NULL */
};
/* RESULT 0 or -errno; the struct is the callee's to read during the call only, NULL on failure. */
typedef void (*worker_identity_done)(int result, const struct worker_identity *id, void *userdata);
typedef void (*worker_file_done)(int result, const struct worker_file *file, void *userdata);
typedef void (*worker_path_done)(int result, const char *path, void *userdata);

typedef void (*worker_account_done)(int result, uid_t uid, void *userdata);

/* Each returns a ticket > 0 (cancel with it: the callback is then not called), or -errno (-EAGAIN: queue full).  The
 * callback is never called from inside the call. */
/* The uid of an account's name (for sshd, where the name is the kernel's only witness). */
int worker_account(struct worker *w, const char *name, worker_account_done done, void *userdata);
int worker_identity(struct worker *w, uid_t uid, worker_identity_done done, void *userdata);
/* PATH absolute, regular file, at most 256 MiB; links are followed as execve would, judged by the descriptor. */
int worker_file(struct worker *w, const char *path, worker_file_done done, void *userdata);
/* Looks NAME up along SEARCH (as sudo's secure_path), absolute or with a slash relative to CWD; gives the path as sudo
 * would show it. */
int worker_lookup(struct worker *w, const char *name, const char *cwd, const char *const *search,
	worker_path_done done, void *userdata);
/* Writes TEXT to the terminal TTY ("pts/3", "/dev/pts/3" or "tty1", nothing else; its owner must be UID).  No answer. */
int worker_terminal(struct worker *w, const char *tty, uid_t uid, const char *text);
/* Flushes name-service caches (nscd -i group) if nscd runs. */
int worker_flush_caches(struct worker *w);
void worker_cancel(struct worker *w, int ticket);
