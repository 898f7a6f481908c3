/* Programs all at once, then built-in checks all at once: what a program takes time for, nobody has seen change meanwhile.
 * Each is a process of its own, so that one that hangs holds up nothing but itself. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "helper/check-wire.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/text.h"

#define JOBS_MAX 64
#define OUTPUT_MAX 4096

/* One check that runs.  OUT is what it says: a built-in check "+" or "-" and its words, a program whatever it likes; ERR
 * why a program could not be run. */
struct running {
	struct check_job *job;
	pid_t pid;
	int pidfd, out, err; /* -1: closed */
	char text[OUTPUT_MAX + 1];
	size_t len;
};

static void tell_failure(struct check_job *j, const char *words)
{
	struct check_reading r = { .error = words };

	j->holds = check_judge(&j->check, &r, j->text, sizeof(j->text));
}

/* ---- within the process of a check ---- */

static void say_finding(const struct check *c, int out)
{
	struct check_found found;
	char text[512 + 1];

	check_read(c, &found);
	text[0] = check_judge(c, &found.reading, text + 1, sizeof(text) - 1) ? '+' : '-';
	_exit(write(out, text, strlen(text)) == (ssize_t)strlen(text) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void __attribute__((noreturn)) become(const struct check *c, const struct check_group *g, char *const *envp,
	unsigned seconds, int out, int err, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct why w = { "" };

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent || null < 0)
		_exit(EXIT_FAILURE);
	if (c->kind != CHECK_EXEC)
		say_finding(c, out);
	if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		why(&w, -errno, "%s", strerror(errno));
	else
		(void)check_become(c, g, envp, seconds, &w);
	_exit(write(err, w.text, strlen(w.text)) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int start(struct running *p, const struct check_group *g, char *const *envp, unsigned seconds)
{
	int out[2], err[2] = { -1, -1 }, r = 0;
	pid_t parent = getpid();

	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0)
		r = -errno;
	p->pid = r < 0 ? -1 : fork();
	if (p->pid < 0 && r == 0)
		r = -errno;
	if (p->pid == 0)
		become(&p->job->check, g, envp, seconds, out[1], err[1], parent);
	close_quietly(out[1]);
	if (err[1] >= 0)
		close_quietly(err[1]);
	p->out = out[0];
	p->err = err[0];
	if (r < 0)
		return r;
	p->pidfd = pidfd_open(p->pid, 0);
	return p->pidfd < 0 ? -errno : 0;
}

/* ---- watching ---- */

/* What lies in the pipe; beyond what is kept it is read and forgotten.  False: nothing more will come. */
static bool drain(int fd, char *text, size_t *len)
{
	char waste[4096];

	for (;;) {
		bool full = *len == OUTPUT_MAX;
		ssize_t n = full ? read(fd, waste, sizeof(waste)) : read(fd, text + *len, OUTPUT_MAX - *len);

		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		if (!full)
			*len += (size_t)n;
		else
			return true; /* whoever writes without end is come back to */
	}
}

static void judge_exec(struct running *p, const siginfo_t *si)
{
	CLEAN(free_p) char *line = NULL;
	struct check_reading r = { .number = (uint64_t)si->si_status };
	char words[512] = "", error[OUTPUT_MAX + 1];
	size_t len = 0, first = 0;

	(void)drain(p->err, error, &len);
	if (len > 0) {
		error[len] = '\0';
		tell_failure(p->job, error);
		return;
	}
	if (si->si_code != CLD_EXITED) {
		(void)snprintf(words, sizeof(words), "it ended by signal %d", si->si_status);
		tell_failure(p->job, words);
		return;
	}
	while (first < p->len && !strchr("\r\n", p->text[first] ? p->text[first] : ' '))
		first++;
	line = text_escape(p->text, first, CHECK_WORDS_MAX);
	while (first < p->len && strchr("\r\n", p->text[first] ? p->text[first] : ' '))
		first++;
	(void)snprintf(words, sizeof(words), "%s%s", line ? line : "", first < p->len ? " …" : "");
	r.text = words;
	p->job->holds = check_judge(&p->job->check, &r, p->job->text, sizeof(p->job->text));
}

static void judge_built_in(struct running *p, const siginfo_t *si)
{
	if (si->si_code != CLD_EXITED || si->si_status != EXIT_SUCCESS || (p->text[0] != '+' && p->text[0] != '-')) {
		tell_failure(p->job, "it ended before it was done");
		return;
	}
	p->job->holds = p->text[0] == '+';
	text_line(p->job->text, sizeof(p->job->text), p->text + 1, p->len - 1);
}

static void stop(struct running *p)
{
	if (p->pidfd >= 0)
		close_quietly(p->pidfd);
	if (p->out >= 0)
		close_quietly(p->out);
	if (p->err >= 0)
		close_quietly(p->err);
	p->pidfd = p->out = p->err = -1;
}

static void finish(struct running *p)
{
	siginfo_t si = { 0 };

	if (waitid(P_PIDFD, (id_t)p->pidfd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	(void)drain(p->out, p->text, &p->len);
	p->text[p->len] = '\0';
	if (p->job->check.kind == CHECK_EXEC)
		judge_exec(p, &si);
	else
		judge_built_in(p, &si);
	stop(p);
}

/* One wait for whatever comes first.  False: nothing is left to wait for. */
static bool look(struct running *all, size_t n, int ms)
{
	struct pollfd fds[2 * JOBS_MAX];
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		left += all[i].pidfd >= 0;
		fds[2 * i] = (struct pollfd){ .fd = all[i].pidfd, .events = POLLIN };
		fds[2 * i + 1] = (struct pollfd){ .fd = all[i].pidfd >= 0 ? all[i].out : -1, .events = POLLIN };
	}
	if (left == 0)
		return false;
	if (poll(fds, 2 * n, ms) <= 0)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (fds[2 * i + 1].revents && !drain(all[i].out, all[i].text, &all[i].len)) {
			close_quietly(all[i].out);
			all[i].out = -1;
		}
		if (fds[2 * i].revents)
			finish(&all[i]);
	}
	return true;
}

static void give_up(struct running *p, uint64_t within)
{
	char span[64], words[128];

	if (p->pidfd < 0)
		return;
	(void)snprintf(words, sizeof(words), "no result in %s", span_format(within, span, sizeof(span)));
	tell_failure(p->job, words);
	(void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
	stop(p);
}

/* Starts those that are programs, or those that are not.  HELD < 0: why G is closed, so that no program can be. */
static void start_all(struct running *all, size_t n, bool programs, const struct check_group *g, int held, char *const *envp,
	unsigned seconds)
{
	for (size_t i = 0; i < n; i++) {
		struct running *p = &all[i];
		char words[256];
		int r = programs ? held : 0;

		if ((p->job->check.kind == CHECK_EXEC) != programs)
			continue;
		if (r < 0)
			(void)snprintf(words, sizeof(words), "its processes cannot be held together: %s", strerror(-r));
		else if ((r = start(p, g, envp, seconds)) < 0)
			(void)snprintf(words, sizeof(words), "%s", strerror(-r));
		if (r < 0) {
			tell_failure(p->job, words);
			stop(p);
		}
	}
}

/* Until nothing runs any more, or END. */
static void watch(struct running *all, size_t n, uint64_t end, uint64_t within)
{
	uint64_t now;

	while ((now = clock_mono()) < end && look(all, n, (int)((end - now) / 1000) + 1))
		;
	for (size_t i = 0; i < n; i++)
		give_up(&all[i], within);
}

int check_run_all(struct check_job *jobs, size_t n, char *const *envp, uint64_t within)
{
	CLEAN(free_p) struct running *all = calloc(n ? n : 1, sizeof(*all));
	struct check_group g = { .dirfd = -1, .procs = -1, .parent = -1 };
	uint64_t end = clock_mono() + within, least;
	unsigned seconds = (unsigned)(within / USEC_PER_SEC) + 1;
	bool programs = false;

	if (!all || n > JOBS_MAX)
		return all ? -E2BIG : -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		all[i] = (struct running){ .job = &jobs[i], .pidfd = -1, .out = -1, .err = -1 };
		programs |= jobs[i].check.kind == CHECK_EXEC;
	}
	if (programs) {
		start_all(all, n, true, &g, check_group_open(&g), envp, seconds);
		watch(all, n, end, within);
	}
	/* A program that took all of the time leaves some for the others. */
	least = clock_mono() + (programs ? CHECK_AFTER_USEC : 0);
	start_all(all, n, false, &g, 0, envp, seconds);
	watch(all, n, least > end ? least : end, within);
	check_group_close(&g);
	return 0;
}
