#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "hub/keygen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/memfd.h"

enum { FD_TEXT, FD_SIGNERS, FD_SIGNATURE, FDS };

struct job {
	struct keygen *keygen;
	struct job *next;
	int fd[FDS];
	char *principal, *ns;
	keygen_done done;
	void *userdata;
	pid_t pid; /* 0: waits */
	bool late;
	sd_event_source *child, *timer;
};

struct keygen {
	sd_event *event;
	struct job *jobs; /* in order of arrival */
	size_t running, waiting;
};

int keygen_new(sd_event *event, struct keygen **ret)
{
	struct keygen *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->event = sd_event_ref(event);
	*ret = k;
	return 0;
}

static struct job *job_free(struct job *j)
{
	if (!j)
		return NULL;
	for (size_t i = 0; i < FDS; i++)
		close_p(&j->fd[i]);
	sd_event_source_disable_unref(j->child);
	sd_event_source_disable_unref(j->timer);
	free(j->principal);
	free(j->ns);
	free(j);
	return NULL;
}

static void job_free_p(struct job **j)
{
	job_free(*j);
}

static void unlink_job(struct job *j)
{
	struct job **at = &j->keygen->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	if (j->pid)
		j->keygen->running--;
	else
		j->keygen->waiting--;
}

static void finish(struct job *j, int result)
{
	unlink_job(j);
	j->done(result, j->userdata);
	job_free(j);
}

struct keygen *keygen_free(struct keygen *k)
{
	if (!k)
		return NULL;
	while (k->jobs) {
		struct job *j = k->jobs;

		if (j->pid) {
			kill(j->pid, SIGKILL);
			waitpid(j->pid, NULL, 0);
		}
		finish(j, -ECANCELED);
	}
	sd_event_unref(k->event);
	free(k);
	return NULL;
}

static void limit(int resource, rlim_t value)
{
	struct rlimit r = { value, value };

	setrlimit(resource, &r);
}

/* In the child: between fork() and execve() only what is safe there. */
static void child_run(const struct job *j, char *const argv[])
{
	static char *const no_environment[] = { NULL };
	sigset_t none;
	int null, fd[FDS];

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	null = open("/dev/null", O_RDWR);
	/* First out of the way of the numbers that they are to have. */
	for (size_t i = 0; i < FDS; i++)
		fd[i] = fcntl(j->fd[i], F_DUPFD, 16);
	if (null < 0 || fd[FD_TEXT] < 0 || fd[FD_SIGNERS] < 0 || fd[FD_SIGNATURE] < 0 ||
	    dup2(fd[FD_TEXT], 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(fd[FD_SIGNERS], 3) < 0 ||
	    dup2(fd[FD_SIGNATURE], 4) < 0 || close_range(5, ~0U, 0) < 0)
		_exit(126);
	limit(RLIMIT_CPU, KEYGEN_TIMEOUT_SEC);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_CORE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execve(SSH_KEYGEN, argv, no_environment);
	_exit(127);
}

static void start_waiting(struct keygen *k);

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
	struct job *j = userdata;
	struct keygen *k = j->keygen;
	int result = -EACCES;

	if (j->late)
		result = -ETIMEDOUT;
	else if (si->si_code != CLD_EXITED || si->si_status == 126 || si->si_status == 127)
		result = -EIO;
	else if (si->si_status == 0)
		result = 0;
	finish(j, result);
	start_waiting(k);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct job *j = userdata;

	log_warning("ssh-keygen took longer than %d s and was killed", KEYGEN_TIMEOUT_SEC);
	j->late = true;
	kill(j->pid, SIGKILL); /* its end is reported by on_child */
	return 0;
}

static int start(struct job *j)
{
	char a0[] = "ssh-keygen", a1[] = "-Y", a2[] = "verify", a3[] = "-f", a4[] = "/proc/self/fd/3", a5[] = "-s",
	     a6[] = "/proc/self/fd/4", a7[] = "-I", a8[] = "-n";
	char *argv[] = { a0, a1, a2, a3, a4, a5, a6, a7, j->principal, a8, j->ns, NULL };
	struct keygen *k = j->keygen;
	int r;

	j->pid = fork();
	if (j->pid < 0) {
		j->pid = 0;
		return -errno;
	}
	if (j->pid == 0)
		child_run(j, argv);
	k->waiting--;
	k->running++;
	r = sd_event_add_child(k->event, &j->child, j->pid, WEXITED, on_child, j);
	if (r >= 0)
		r = sd_event_add_time_relative(k->event, &j->timer, CLOCK_MONOTONIC, KEYGEN_TIMEOUT_SEC * USEC_PER_SEC, 0,
			on_late, j);
	if (r < 0) {
		j->child = sd_event_source_disable_unref(j->child);
		kill(j->pid, SIGKILL);
		waitpid(j->pid, NULL, 0);
	}
	return r;
}

static void start_waiting(struct keygen *k)
{
	struct job *j = k->jobs;
	int r;

	while (j && k->running < KEYGEN_RUNNING) {
		struct job *next = j->next;

		if (!j->pid) {
			r = start(j);
			if (r < 0) {
				log_error("ssh-keygen cannot be run: %s", strerror(-r));
				finish(j, r);
				next = k->jobs; /* the callback may have done anything */
			}
		}
		j = next;
	}
}

static void append(struct keygen *k, struct job *j)
{
	struct job **at = &k->jobs;

	while (*at)
		at = &(*at)->next;
	*at = j;
	k->waiting++;
}

/* Start is left to the loop, so that the callback never comes before keygen_verify() returned. */
static int on_start(sd_event_source *source, void *userdata)
{
	start_waiting(userdata);
	return 0;
}

int keygen_verify(struct keygen *k, const char *signers, size_t signers_len, const char *principal, const char *ns,
	const char *text, size_t len, const char *signature, keygen_done done, void *userdata)
{
	CLEAN(job_free_p) struct job *j = NULL;
	int r;

	if (k->waiting >= KEYGEN_QUEUE)
		return -EAGAIN;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->keygen = k;
	j->fd[FD_TEXT] = memfd_with("jit-hub", text, len);
	j->fd[FD_SIGNERS] = memfd_with("jit-hub", signers, signers_len);
	j->fd[FD_SIGNATURE] = memfd_with("jit-hub", signature, strlen(signature));
	for (size_t i = 0; i < FDS; i++)
		if (j->fd[i] < 0)
			return j->fd[i];
	j->principal = strdup(principal);
	j->ns = strdup(ns);
	if (!j->principal || !j->ns)
		return -ENOMEM;
	j->done = done;
	j->userdata = userdata;
	r = sd_event_add_defer(k->event, NULL, on_start, k);
	if (r < 0)
		return r;
	append(k, STEAL_PTR(j));
	return 0;
}
