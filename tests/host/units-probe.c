/* Runs helper/units against the systemd of the host that it is started on, as root: a test host, since it starts and
 * stops units named jit-*.  Every step prints a line; the first that is wrong ends it with status 1. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/units.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"

#define ID "K7QF-2M9X"
#define UNIT "K7QF2M9X"

static sd_event *event;
static struct units *units;
static struct answer {
	bool came;
	int result;
	char words[WHY_MAX];
} last;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("wrong: ", stdout);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit(1);
}

static void on_done(int result, const char *words, void *userdata)
{
	if (last.came)
		die("a second answer: %s", words);
	last.came = true;
	last.result = result;
	snprintf(last.words, sizeof(last.words), "%s", words);
}

/* Lets the loop run until the answer is there, and prints it with the time that it took. */
static int answer(const char *what)
{
	uint64_t begin = clock_mono();

	if (last.came)
		die("%s: an answer from inside the call", what);
	while (!last.came)
		if (sd_event_run(event, UNITS_TIMEOUT_USEC * 2) <= 0)
			die("%s: no answer", what);
	last.came = false;
	printf("%s: %d %s (%.1f ms)\n", what, last.result, last.words, (double)(clock_mono() - begin) / 1000);
	return last.result;
}

static void run_for(uint64_t usec)
{
	uint64_t end = clock_mono() + usec;

	for (uint64_t now = clock_mono(); now < end; now = clock_mono())
		sd_event_run(event, end - now);
}

static void expect(const char *what, int result)
{
	int got = answer(what);

	if (got != result)
		die("%s: %d (%s), not %d", what, got, last.words, result);
}

static pid_t sleeper(int *pidfd, bool stubborn)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (stubborn) {
			signal(SIGTERM, SIG_IGN);
			signal(SIGHUP, SIG_IGN);
		}
		for (;;)
			pause();
	}
	*pidfd = pidfd_open(pid, 0);
	return pid;
}

static bool dead(int pidfd, int msec)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, msec) == 1;
}

static void shell(const char *command)
{
	sigset_t chld;
	int r;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	fflush(stdout);
	r = system(command);
	if (r != 0)
		die("'%s' ended with %d", command, r);
}

static unsigned timers(char *first, size_t size)
{
	FILE *f = popen("systemctl list-units --all --plain --no-legend 'jit-expire@" UNIT "*.timer' | cut -d' ' -f1", "r");
	char line[128];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (n++ == 0 && first)
			snprintf(first, size, "%s", line);
	}
	if (f)
		pclose(f);
	return n;
}

static uint64_t deadline_in(unsigned seconds)
{
	return clock_boot() + seconds * USEC_PER_SEC;
}

static void try_attach(void)
{
	int fd1, fd2, fd3, fd4;
	pid_t p1 = sleeper(&fd1, false), p2 = sleeper(&fd2, true), p3 = sleeper(&fd3, false), p4 = sleeper(&fd4, false);

	units_attach(units, ID, p1, fd1, deadline_in(60), USEC_PER_SEC, on_done, NULL);
	expect("attach, a new scope", 0);
	units_attach(units, ID, p2, fd2, deadline_in(60), USEC_PER_SEC, on_done, NULL);
	expect("attach, the live scope", 0);
	if (!units_contains(ID, p1) || !units_contains(ID, p2) || units_contains(ID, p3))
		die("the wrong processes are in the slice");
	if (units_population(ID) != 2)
		die("population %d", units_population(ID));
	kill(p3, SIGKILL);
	waitpid(p3, NULL, 0);
	units_attach(units, ID, p3, fd3, deadline_in(60), USEC_PER_SEC, on_done, NULL);
	expect("attach, dead before", -ESRCH);
	units_attach(units, ID, p4, fd4, deadline_in(60), USEC_PER_SEC, on_done, NULL);
	sd_event_run(event, 0);
	kill(p4, SIGKILL);
	waitpid(p4, NULL, 0);
	expect("attach, dead meanwhile", -ESRCH);
	shell("systemctl show -p Slice,Delegate,SendSIGHUP,TimeoutStopUSec,RuntimeMaxUSec,CollectMode,ControlGroup 'jit-" UNIT "-*.scope'");
	units_stop(units, ID, on_done, NULL);
	expect("stop", 0);
	if (!dead(fd1, 0) || !dead(fd2, 0))
		die("stopped, but alive");
	waitpid(p1, NULL, 0);
	waitpid(p2, NULL, 0);
	if (units_population(ID) != 0 || timers(NULL, 0) != 0)
		die("something is left");
	units_stop(units, ID, on_done, NULL);
	expect("stop, nothing there", 0);
	units_kill(units, ID, on_done, NULL);
	expect("kill, nothing there", 0);
}

static void try_timer(void)
{
	char name[128];

	units_arm(units, ID, deadline_in(30), on_done, NULL);
	expect("arm", 0);
	shell("systemctl show -p Unit,TimersMonotonic,TimersCalendar,AccuracyUSec,RemainAfterElapse,Conflicts,ActiveState jit-expire@" UNIT ".timer");
	units_rearm(units, ID, deadline_in(40), on_done, NULL);
	expect("rearm", 0);
	if (timers(name, sizeof(name)) != 1 || strcmp(name, "jit-expire@" UNIT "-1.timer") != 0)
		die("timers after rearm: %u, %s", timers(NULL, 0), name);
	units_rearm(units, ID, deadline_in(50), on_done, NULL);
	expect("rearm again", 0);
	if (timers(name, sizeof(name)) != 1 || strcmp(name, "jit-expire@" UNIT "-2.timer") != 0)
		die("timers after the second rearm: %u, %s", timers(NULL, 0), name);
	units_arm(units, ID, deadline_in(30), on_done, NULL);
	expect("arm over what is there", 0);
	units_disarm(units, ID, on_done, NULL);
	expect("disarm", 0);
	if (timers(NULL, 0) != 0)
		die("a timer is left");
	shell("! systemctl is-active -q jit-" UNIT ".slice");
}

/* The timer of a grant fires at its deadline, though systemd reads its units again in between. */
static void try_deadline(const char *mark)
{
	uint64_t deadline = clock_boot() + 3 * USEC_PER_SEC, fired;
	char text[64] = "";
	FILE *f;

	unlink(mark);
	units_arm(units, ID, deadline, on_done, NULL);
	expect("arm for 3 s", 0);
	run_for(1500000);
	shell("systemctl daemon-reload");
	run_for(4000000);
	f = fopen(mark, "r");
	if (!f || !fgets(text, sizeof(text), f))
		die("the timer did not fire");
	fclose(f);
	fired = strtoull(text, NULL, 10);
	printf("fired %.1f ms after the deadline\n", ((double)fired - (double)deadline) / 1000);
	if (fired < deadline || fired > deadline + USEC_PER_SEC)
		die("not at the deadline");
	units_stop(units, ID, on_done, NULL);
	expect("stop after the deadline", 0);
}

static void try_bus(void)
{
	int fd;
	pid_t pid = sleeper(&fd, false);

	shell("systemctl kill -s KILL dbus.service");
	units_arm(units, ID, deadline_in(30), on_done, NULL);
	if (answer("arm while the bus dies") == 0)
		puts("(it was quick enough)");
	run_for(100000);
	for (int i = 0; i < 100 && strcmp(units_state(units), "connected") != 0; i++)
		run_for(100000);
	printf("after the bus was lost: %s\n", units_state(units));
	units_arm(units, ID, deadline_in(30), on_done, NULL);
	expect("arm on the new bus", 0);
	units_attach(units, ID, pid, fd, USEC_INFINITY, USEC_PER_SEC, on_done, NULL);
	expect("attach on the new bus", 0);
	shell("systemctl show -p RuntimeMaxUSec --value 'jit-" UNIT "-*.scope' | grep -qx infinity");
	shell("systemctl daemon-reexec");
	units_rearm(units, ID, deadline_in(40), on_done, NULL);
	expect("rearm after a reexec", 0);
	units_kill(units, ID, on_done, NULL);
	expect("kill", 0);
	if (!dead(fd, 2000))
		die("killed, but alive");
	waitpid(pid, NULL, 0);
	units_stop(units, ID, on_done, NULL);
	expect("stop on the new bus", 0);
}

static void try_long_stop(void)
{
	int fd;
	pid_t pid = sleeper(&fd, true);

	units_arm(units, ID, deadline_in(60), on_done, NULL);
	expect("arm", 0);
	units_attach(units, ID, pid, fd, deadline_in(60), 20 * USEC_PER_SEC, on_done, NULL);
	expect("attach with a long grace", 0);
	units_stop(units, ID, on_done, NULL);
	expect("stop with a long grace", -EINPROGRESS);
	units_kill(units, ID, on_done, NULL);
	expect("kill", 0);
	if (!dead(fd, 2000))
		die("killed, but alive");
	waitpid(pid, NULL, 0);
	units_session_terminate(units, "nosuch", on_done, NULL);
	expect("terminate a session that is not there", 0);
	units_session_kill(units, "nosuch", on_done, NULL);
	expect("kill a session that is not there", 0);
}

int main(int argc, char **argv)
{
	sigset_t chld;

	if (argc != 2) {
		fprintf(stderr, "usage: units-probe FILE\nFILE is where jit-expire@.service of this host adds a line with the boot clock (usec).\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_setup("units-probe", true);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	if (sd_event_default(&event) < 0 || units_new(event, &units) < 0)
		die("no loop");
	try_timer();
	units_arm(units, ID, deadline_in(60), on_done, NULL);
	expect("arm", 0);
	try_attach();
	try_long_stop();
	try_deadline(argv[1]);
	try_bus();
	units = units_free(units);
	sd_event_unref(event);
	puts("all right");
	return 0;
}
