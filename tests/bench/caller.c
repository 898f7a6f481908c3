/* Stands in for sudo before pam_jit.so: a process of a user with the effective uid 0, with sudo's command line and sudo's
 * getenv(), so that the decision can be timed alone.  Its orders come by the environment, its command line being sudo's:
 *
 *	BENCH=pairs UID=… CONF=DIR SOCKET=PATH ROUNDS=N SERVICES="permit least …" MODE=cold|warm|hot [PIN="PID …"]
 *		asks the services in turn, ROUNDS times, with the bare round trip first; a line of nanoseconds for each round
 *		cold: a fresh process that loads everything; warm: a fresh process, modules loaded; hot: one process
 *	BENCH=spawn ROUNDS=N UIDS="…"      runs `sudo -n true` as each of the users in turn; lines as above
 *	BENCH=crowd CONF=DIR UIDS="…" EACH=N    holds N calls of each user, all different, until its stdin ends
 *	BENCH=once UID=… CONF=DIR          one call
 *	BENCH=move ROUNDS=N                moves a process between two cgroups, 30 ms apart; a line of nanoseconds for each
 *	BENCH=serve SOCKET=PATH            the other end of the bare round trip
 *
 * By other names it is a command: `deliver FROM TO` renames and prints when, `stay` prints when and stays, in four processes. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "trip.h"

#define ARMS_MAX 8
#define PIDS_MAX 4

static char command[64] = "/usr/bin/true";

/* As sudo's own: before libc's, with the words that it has made for the command. */
char *getenv(const char *name)
{
	size_t len = strlen(name);

	if (!strcmp(name, "SUDO_COMMAND"))
		return command;
	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, name, len) && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

static const char *order(const char *name)
{
	const char *value = getenv(name);

	if (!value)
		errx(2, "%s= is missing", name);
	return value;
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void become(uid_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, 0, 0) < 0 || setresuid(uid, 0, 0) < 0)
		err(1, "cannot become like sudo of %u", (unsigned)uid);
}

/* ---- asking ---- */

static int silent(int n, const struct pam_message **m, struct pam_response **ret, void *data)
{
	(void)m;
	(void)data;
	*ret = calloc((size_t)n, sizeof(**ret));
	return *ret ? PAM_SUCCESS : PAM_BUF_ERR;
}

static pam_handle_t *begin(const char *service)
{
	static const struct pam_conv conv = { silent, NULL };
	pam_handle_t *h = NULL;

	if (pam_start_confdir(service, "root", &conv, order("CONF"), &h) != PAM_SUCCESS)
		errx(1, "%s: pam_start", service);
	return h;
}

static int ask(const char *service)
{
	pam_handle_t *h = begin(service);
	int code = pam_acct_mgmt(h, PAM_SILENT);

	pam_end(h, code);
	return code;
}

/* The answer's time in nanoseconds; 0: it was not a yes. */
static uint64_t timed(const char *service)
{
	uint64_t start = now(CLOCK_MONOTONIC);
	int r = *service == '/' ? trip_once(service) : ask(service);

	return r == 0 ? now(CLOCK_MONOTONIC) - start : 0;
}

static uint64_t timed_in_child(uid_t uid, const char *service, uint64_t *shared)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		become(uid);
		*shared = timed(service);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return *shared;
}

static size_t split(char *text, const char **words, size_t max)
{
	size_t n = 0;

	for (char *save = NULL, *w = strtok_r(text, " ", &save); w && n < max; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	return n;
}

/* Everybody on one CPU: the ratio is then of work, not of where the scheduler puts the daemons. */
static void pin(bool on)
{
	static cpu_set_t was;
	cpu_set_t one;
	char *text = getenv("PIN"), *copy = text ? strdup(text) : NULL;
	const char *pids[PIDS_MAX];
	size_t n = copy ? split(copy, pids, PIDS_MAX) : 0;

	if (!text)
		return;
	if (on)
		sched_getaffinity(0, sizeof(was), &was);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &was)) {
			CPU_SET(i, &one);
			break;
		}
	sched_setaffinity(0, sizeof(one), on ? &one : &was);
	for (size_t i = 0; i < n; i++)
		sched_setaffinity(atoi(pids[i]), sizeof(one), on ? &one : &was);
	free(copy);
}

static int pairs(void)
{
	char *services = strdup(order("SERVICES"));
	const char *arms[ARMS_MAX] = { order("SOCKET") }, *mode = order("MODE");
	size_t n = split(services, arms + 1, ARMS_MAX - 1) + 1;
	uint64_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uid_t uid = (uid_t)atoi(order("UID"));
	bool hot = !strcmp(mode, "hot"), cold = !strcmp(mode, "cold");
	int kept = trip_dial(arms[0]), rounds = atoi(order("ROUNDS")), warmup = 3;

	if (kept < 0 || shared == MAP_FAILED)
		err(1, "%s", arms[0]);
	for (size_t i = 1; i < n && !cold; i++)
		pam_acct_mgmt(begin(arms[i]), PAM_SILENT); /* the handle stays, and its modules with it */
	if (hot)
		become(uid);
	for (int i = -warmup; i < rounds; i++) {
		uint64_t start, bare;

		usleep(1000); /* what a daemon does after its answer falls into nobody's time */
		trip_over(kept);
		start = now(CLOCK_MONOTONIC);
		trip_over(kept);
		bare = now(CLOCK_MONOTONIC) - start;
		if (i >= 0)
			printf("%llu", (unsigned long long)bare);
		for (size_t k = 0; k < n; k++) {
			uint64_t t = hot ? timed(arms[k]) : timed_in_child(uid, arms[k], shared);

			if (i >= 0)
				printf(" %llu", (unsigned long long)t);
		}
		if (i >= 0)
			putchar('\n');
	}
	return 0;
}

/* ---- the other orders ---- */

static int spawn(void)
{
	static char *const argv[] = { "sudo", "-n", "true", NULL }, *const env[] = { "PATH=/usr/bin:/bin", NULL };
	char *list = strdup(order("UIDS"));
	const char *uids[ARMS_MAX];
	size_t n = split(list, uids, ARMS_MAX);
	int rounds = atoi(order("ROUNDS"));

	for (int i = -2; i < rounds; i++)
		for (size_t k = 0; k < n; k++) {
			uid_t uid = (uid_t)atoi(uids[k]);
			uint64_t start = now(CLOCK_MONOTONIC);
			pid_t pid = vfork();
			int status;

			if (pid == 0) {
				if (setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0)
					execve("/usr/bin/sudo", argv, env);
				_exit(127);
			}
			if (pid < 0 || waitpid(pid, &status, 0) < 0)
				err(1, "sudo");
			if (i >= 0)
				printf("%llu%c", status ? 0 : (unsigned long long)(now(CLOCK_MONOTONIC) - start),
					k + 1 < n ? ' ' : '\n');
		}
	return 0;
}

/* Every call has its number in the command line that the kernel shows. */
static int crowd(char *last)
{
	char *list = strdup(order("UIDS")), c;
	const char *uids[64];
	size_t n = split(list, uids, 64);
	int each = atoi(order("EACH"));

	setsid(); /* the group that is killed in the end */
	for (int i = 0; i < each; i++)
		for (size_t k = 0; k < n; k++) {
			pid_t pid = fork();

			if (pid < 0)
				err(1, "fork");
			if (pid == 0) {
				become((uid_t)atoi(uids[k]));
				prctl(PR_SET_PDEATHSIG, SIGKILL); /* after it: a change of uids forgets this */
				snprintf(last, strlen(last) + 1, "%0*d", (int)strlen(last), i);
				snprintf(command, sizeof(command), "/usr/bin/true %s", last);
				_exit(ask("sudo"));
			}
			usleep(4000);
		}
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	kill(0, SIGKILL);
	return 0;
}

/* What the kernel takes to move a process that stands under a grant, before anybody else has done anything. */
static int move(void)
{
	static const char *const cgroups[] = { "/sys/fs/cgroup/bench-a", "/sys/fs/cgroup/bench-b" };
	int rounds = atoi(order("ROUNDS"));
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	mkdir(cgroups[0], 0755);
	mkdir(cgroups[1], 0755);
	for (int i = 0; i < rounds; i++) {
		char path[64];
		uint64_t start;
		FILE *f;

		usleep(30000);
		snprintf(path, sizeof(path), "%s/cgroup.procs", cgroups[i % 2]);
		start = now(CLOCK_MONOTONIC);
		f = fopen(path, "w");
		if (!f || fprintf(f, "%d", (int)pid) < 0 || fclose(f) != 0)
			err(1, "%s", path);
		printf("%llu\n", (unsigned long long)(now(CLOCK_MONOTONIC) - start));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 2; i++)
		while (rmdir(cgroups[i]) < 0 && errno == EBUSY)
			usleep(1000);
	return 0;
}

static int serve(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct epoll_event e = { .events = EPOLLIN }, got[8];
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), ep = epoll_create1(EPOLL_CLOEXEC);
	char buf[TRIP];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", order("SOCKET"));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 128) < 0)
		err(1, "%s", a.sun_path);
	e.data.fd = listener;
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(ep, got, 8, -1);

		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;
			ssize_t len;

			if (fd == listener) {
				struct ucred cred;
				socklen_t size = sizeof(cred);

				e.data.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
				getsockopt(e.data.fd, SOL_SOCKET, SO_PEERCRED, &cred, &size);
				epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
				continue;
			}
			len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
			if (len <= 0 || send(fd, buf, (size_t)len, MSG_NOSIGNAL) != len)
				close(fd);
		}
	}
}

static int deliver(const char *from, const char *to)
{
	printf("%llu\n", (unsigned long long)now(CLOCK_BOOTTIME));
	fflush(stdout);
	return rename(from, to) < 0 ? 1 : 0;
}

static void stay(void)
{
	printf("%llu\n", (unsigned long long)now(CLOCK_BOOTTIME));
	fflush(stdout);
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			break;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0], *what;
	int r = 2;

	if (!strcmp(name, "deliver") && argc == 3)
		return deliver(argv[1], argv[2]);
	if (!strcmp(name, "stay"))
		stay();
	what = order("BENCH");
	if (!strcmp(what, "serve"))
		return serve();
	if (!strcmp(what, "move"))
		return move();
	if (!strcmp(what, "crowd"))
		return crowd(argv[argc - 1]);
	if (!strcmp(what, "spawn"))
		return spawn();
	if (!strcmp(what, "once")) {
		become((uid_t)atoi(order("UID")));
		return ask("sudo");
	}
	if (!strcmp(what, "pairs")) {
		pin(true);
		r = pairs();
		pin(false);
	}
	return r;
}
