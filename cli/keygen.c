/* ssh-keygen -Y sign and verify, run as git runs them.  The terminal stays ssh-keygen's: it asks there for a passphrase, a PIN
 * or a touch. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/approver.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/sshsig.h"
#include "lib/text.h"

#define OUTPUT_MAX (64 * 1024)

/* A file in memory, open for reading at its begin; ssh-keygen gets it as /proc/self/fd/N. */
static int memory_file(const void *data, size_t len)
{
	int fd = memfd_create("jitctl", 0); /* inherited on purpose */

	if (fd < 0)
		return -errno;
	if (write_all(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		close_quietly(fd);
		return -EIO;
	}
	return fd;
}

struct child {
	int in, out; /* its stdin; its stdout and (when QUIET) stderr */
	bool quiet;
	pid_t pid;
};

static int start(struct child *c, char *const *argv, char *const *env)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t fresh;
	int pipe_fd[2], r;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	sigemptyset(&fresh);
	sigaddset(&fresh, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &fresh);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_adddup2(&actions, c->in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], STDOUT_FILENO);
	if (c->quiet)
		posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], STDERR_FILENO);
	r = posix_spawn(&c->pid, argv[0], &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close_quietly(pipe_fd[1]);
	c->out = pipe_fd[0];
	return -r;
}

/* Runs it to its end.  Its exit status (0..255), or -errno; *RET_OUTPUT is what it said, also when it failed. */
static int run(struct child *c, char *const *argv, char *const *env, char **ret_output)
{
	size_t len;
	int r, status;

	c->out = -1;
	fflush(stdout);
	r = start(c, argv, env);
	if (r == 0)
		r = file_read_all(c->out, OUTPUT_MAX, ret_output, &len);
	if (c->out >= 0)
		close_quietly(c->out);
	if (c->pid <= 0)
		return r;
	while (waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

static void fd_path(int fd, char buf[static 32])
{
	snprintf(buf, 32, "/proc/self/fd/%d", fd);
}

/* The first line of what ssh-keygen said, fit for the screen. */
static char *first_line(const char *output)
{
	return output ? text_escape(output, strcspn(output, "\r\n"), 300) : NULL;
}

int keygen_sign(const char *key, const char *ns, const void *data, size_t len, char **ret, struct why *w)
{
	CLEAN(close_p) int in = memory_file(data, len);
	CLEAN(free_p) char *output = NULL;
	struct child c = {.in = in, .pid = -1};
	char *const argv[] = {(char[]){SSH_KEYGEN}, (char[]){"-Y"}, (char[]){"sign"}, (char[]){"-q"}, (char[]){"-n"},
		strdupa(ns), (char[]){"-f"}, strdupa(key), NULL};
	struct sshsig sig CLEAN(sshsig_done) = {0};
	int r;

	if (in < 0)
		return why(w, in, "cannot make a file in memory: %s", strerror(-in));
	if (access(key, R_OK) < 0)
		return why(w, -errno, "cannot read the key %s: %s", key, strerror(errno));
	r = run(&c, argv, environ, &output);
	if (r < 0)
		return why(w, r, "%s could not be run: %s", SSH_KEYGEN, strerror(-r));
	if (r > 0)
		return why(w, -EACCES, "ssh-keygen did not sign with %s", key);
	/* What it printed must be a signature in this namespace: an agent is another program. */
	if (sshsig_parse(output, strlen(output), &sig, w) < 0)
		return -EACCES;
	if (strcmp(sig.namespace_, ns) != 0)
		return why(w, -EACCES, "the signature is for another namespace");
	*ret = STEAL_PTR(output);
	return 0;
}

/* TZ= of ours, or nothing. */
static char *zone(char buf[static 128])
{
	const char *tz = getenv("TZ");

	return tz && snprintf(buf, 128, "TZ=%s", tz) < 128 ? buf : NULL;
}

int keygen_verify(const char *signers, const char *principal, const char *ns, const char *time, const void *data, size_t len,
	const char *signature, struct why *w)
{
	CLEAN(close_p) int in = memory_file(data, len);
	CLEAN(close_p) int list = memory_file(signers, strlen(signers));
	CLEAN(close_p) int sig = memory_file(signature, strlen(signature));
	CLEAN(free_p) char *output = NULL, *said = NULL;
	char list_path[32], sig_path[32], option[64], zone_text[128];
	struct child c = {.in = in, .pid = -1, .quiet = true};
	int r;

	if (in < 0 || list < 0 || sig < 0)
		return why(w, -ENOMEM, "cannot make a file in memory");
	fd_path(list, list_path);
	fd_path(sig, sig_path);
	if (time)
		snprintf(option, sizeof(option), "-Overify-time=%sZ", time);
	char *const argv[] = {(char[]){SSH_KEYGEN}, (char[]){"-Y"}, (char[]){"verify"}, (char[]){"-f"}, list_path,
		(char[]){"-I"}, strdupa(principal), (char[]){"-n"}, strdupa(ns), (char[]){"-s"}, sig_path,
		time ? option : NULL, NULL};
	/* The zone stays: valid-after= of a signer's line is in the local one. */
	char *const env[] = {(char[]){"PATH=/usr/bin:/bin"}, (char[]){"LC_ALL=C"}, zone(zone_text), NULL};
	r = run(&c, argv, env, &output);
	if (r == 0)
		return 0;
	said = first_line(output);
	if (r < 0)
		return why(w, r, "%s could not be run: %s", SSH_KEYGEN, strerror(-r));
	return why(w, -EACCES, "%s", said && *said ? said : "ssh-keygen says no");
}
