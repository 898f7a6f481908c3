#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/child.h"
#include "helper/sanitized.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define FD_ABOVE 64 /* where descriptors wait until 0, 1, 2, … are free */

static unsigned abandoned;

static void limit(int resource, rlim_t value)
{
	struct rlimit l = { .rlim_cur = value, .rlim_max = value };

	setrlimit(resource, &l);
}

static void reset_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *place_fds(const struct child_plan *p)
{
	int held[CHILD_FDS];

	for (unsigned i = 0; i < p->n_fds; i++) {
		held[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, FD_ABOVE);
		if (held[i] < 0)
			return "descriptors";
	}
	for (unsigned i = 0; i < p->n_fds; i++)
		if (dup2(held[i], (int)i) < 0)
			return "descriptors";
	return close_range(p->n_fds, ~0U, 0) < 0 ? "close_range" : NULL;
}

static const char *confine(const struct child_plan *p)
{
	/* Best effort: without it the limits and the user still hold. */
	if (unshare(CLONE_NEWNET) < 0)
		errno = 0;
	limit(RLIMIT_CPU, p->cpu_seconds);
	if (!SANITIZED)
		limit(RLIMIT_AS, p->memory);
	limit(RLIMIT_FSIZE, p->file_size);
	limit(RLIMIT_NOFILE, 16);
	limit(RLIMIT_CORE, 0);
	if (p->uid != (uid_t)-1) {
		if (setgroups(0, NULL) < 0 || setresgid(p->gid, p->gid, p->gid) < 0 ||
		    setresuid(p->uid, p->uid, p->uid) < 0)
			return "change of user";
		limit(RLIMIT_NPROC, 0);
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? "no_new_privs" : NULL;
}

static void run(const struct child_plan *p, pid_t parent) __attribute__((noreturn));
static void run(const struct child_plan *p, pid_t parent)
{
	const char *what;

	reset_signals();
	what = place_fds(p);
	if (!what && chdir("/") < 0)
		what = "chdir";
	if (!what && p->confined)
		what = confine(p);
	/* After the change of user, which clears it. */
	if (!what && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		what = "death signal";
	if (!what && getppid() != parent)
		_exit(CHILD_FAILED);
	if (!what) {
		execve(p->argv[0], p->argv, p->envp);
		what = p->argv[0];
	}
	dprintf(2, "%s: %s\n", what, strerror(errno));
	_exit(CHILD_FAILED);
}

int child_start(const struct child_plan *p, pid_t *ret_pid, int *ret_pidfd)
{
	pid_t parent = getpid(), pid = fork();
	int fd;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(p, parent);
	/* It cannot be reaped by anybody else, so the number is still its own. */
	fd = pidfd_open(pid, 0);
	if (fd < 0) {
		int err = errno;

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -err;
	}
	*ret_pid = pid;
	*ret_pidfd = fd;
	return 0;
}

static int on_dead(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	--*(unsigned *)userdata;
	sd_event_source_set_floating(s, false); /* the loop's reference was the last */
	return 0;
}

void child_abandon(sd_event *event, pid_t pid, int pidfd)
{
	child_abandon_to(event, pid, pidfd, &abandoned);
}

void child_abandon_to(sd_event *event, pid_t pid, int pidfd, unsigned *count)
{
	int r;

	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	close_quietly(pidfd);
	r = sd_event_add_child(event, NULL, pid, WEXITED, on_dead, count);
	if (r < 0) {
		log_error("process %d is not waited for: %s", (int)pid, strerror(-r));
		return;
	}
	++*count;
}

unsigned child_abandoned(void)
{
	return abandoned;
}
