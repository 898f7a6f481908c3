/* The end of a grant where no systemd answers: by hand.  With a systemd: tests/host. */
#include "tests/unit/hands.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "helper/dirs.h"
#include "helper/expire.h"
#include "helper/grantfile.h"
#include "helper/units-cgroup.h"
#include "helper/units.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"

#define ID "K7QF-2M9X"
#define UNIT "K7QF2M9X"

static struct grantfile grant;
static struct grantfile_pid pids[4];
static pid_t children[4];
static unsigned n_children;

static int setup(void **state)
{
	memset(&grant, 0, sizeof(grant));
	strcpy(grant.id, ID);
	assert_int_equal(clock_boot_id(grant.boot), 0);
	grant.grace = 100000;
	grant.pids = pids;
	n_children = 0;
	return hands_setup(state);
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < n_children; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	return hands_teardown(state);
}

/* A process that lives until it is killed; STUBBORN: by SIGKILL only; REAL: with this real uid beside its effective one. */
static pid_t child_of(bool stubborn, uid_t real)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sigset_t none;

		signal(SIGTERM, stubborn ? SIG_IGN : SIG_DFL);
		signal(SIGHUP, stubborn ? SIG_IGN : SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (real != (uid_t)-1 && setresuid(real, (uid_t)-1, (uid_t)-1) < 0)
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	children[n_children++] = pid;
	return pid;
}

static pid_t child(bool stubborn)
{
	return child_of(stubborn, (uid_t)-1);
}

static void recorded(pid_t pid)
{
	struct grantfile_pid *p = &pids[grant.n_pids++];

	p->pid = pid;
	assert_int_equal(process_start(pid, &p->start), 0);
}

/* The signal that ended a child; 0: it lives. */
static int ended_by(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return 0;
	assert_true(WIFSIGNALED(status));
	return WTERMSIG(status);
}

/* The tree as the kernel would show it, of plain files. */
static void fake_cgroup(const char *procs)
{
	assert_int_equal(mkdir(hands_path("cgroup/jit.slice"), 0755), 0);
	assert_int_equal(mkdir(hands_path("cgroup/jit.slice/jit-" UNIT ".slice"), 0755), 0);
	assert_int_equal(mkdir(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/jit-" UNIT "-1.scope"), 0755), 0);
	hands_write(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/cgroup.procs"), "", 0, 0644);
	hands_write(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/cgroup.kill"), "", 0, 0644);
	hands_write(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/cgroup.events"), "populated 1\n", 12, 0644);
	hands_write(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/jit-" UNIT "-1.scope/cgroup.procs"), procs, strlen(procs),
		0644);
	hands_write(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/jit-" UNIT "-1.scope/cgroup.events"), "populated 1\n", 12,
		0644);
}

static struct json_object *note(void)
{
	CLEAN(free_p) char *text = hands_read(hands_path("notes/" ID));
	struct json_object *o = NULL;
	struct why w = { { 0 } };

	if (!text)
		fail_msg("no note was left");
	if (json_parse(text, strlen(text), &o, &w) < 0)
		fail_msg("%s", w.text);
	assert_string_equal(json_str(o, "id"), ID);
	assert_string_equal(json_str(o, "boot"), grant.boot);
	return o;
}

static void publish(uint64_t deadline)
{
	grant.deadline = deadline;
	assert_int_equal(grantfile_write(&grant), 0);
}

static void test_too_early(void **state)
{
	pid_t pid = child(false);

	recorded(pid);
	publish(clock_boot() + 60 * USEC_PER_SEC);
	assert_int_equal(expire(ID, false), 0);
	assert_int_equal(ended_by(pid), 0);
	assert_true(hands_exists(hands_path("grants/" ID)));
	assert_false(hands_exists(hands_path("notes/" ID)));
}

static void test_force(void **state)
{
	pid_t pid = child(false);

	recorded(pid);
	publish(clock_boot() + 60 * USEC_PER_SEC);
	assert_int_equal(expire(ID, true), 0);
	assert_int_equal(ended_by(pid), SIGTERM);
	assert_false(hands_exists(hands_path("grants/" ID)));
	assert_true(hands_exists(hands_path("notes/" ID)));
}

/* A timer that comes a little early must not leave the grant to nobody. */
static void test_nearly(void **state)
{
	uint64_t deadline = clock_boot() + 300000;
	pid_t pid = child(false);

	recorded(pid);
	publish(deadline);
	assert_int_equal(expire(ID, false), 0);
	assert_true(clock_boot() >= deadline);
	assert_int_equal(ended_by(pid), SIGTERM);
}

static void test_terminate(void **state)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	pid_t soft = child(false), hard = child(true), other = child(false);
	uint64_t v;

	recorded(soft);
	recorded(hard);
	recorded(other);
	pids[2].start++; /* the number of an earlier process */
	publish(clock_boot() - 1);
	assert_int_equal(expire(ID, false), 0);
	assert_int_equal(ended_by(soft), SIGTERM);
	assert_int_equal(ended_by(hard), SIGKILL);
	assert_int_equal(ended_by(other), 0);
	o = note();
	assert_string_equal(json_str(o, "action"), "terminate");
	assert_string_equal(json_str(o, "grant"), "read");
	assert_string_equal(json_str(o, "via"), "hand");
	assert_int_equal(json_object_array_length(json_arr(o, "signalled")), 2);
	assert_int_equal(json_u64(o, "killed", &v), 0);
	assert_int_equal(v, 1);
	assert_int_equal(json_object_array_length(json_arr(o, "left")), 0);
	assert_true(json_object_array_length(json_arr(o, "errors")) > 0);
	assert_false(hands_exists(hands_path("grants/" ID)));
}

/* A stopped process hears SIGTERM only when it is continued. */
static void test_stopped(void **state)
{
	pid_t pid = child(false);
	siginfo_t si;

	recorded(pid);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WSTOPPED), 0);
	grant.grace = 5000000;
	publish(clock_boot() - 1);
	assert_int_equal(expire(ID, false), 0);
	assert_int_equal(ended_by(pid), SIGHUP); /* of both that wait the lower number comes first */
}

/* A boot that is over: its deadlines are. */
static void test_other_boot(void **state)
{
	grant.boot[0] = grant.boot[0] == '0' ? '1' : '0';
	publish(clock_boot() + USEC_PER_DAY);
	assert_int_equal(expire(ID, false), 0);
	assert_false(hands_exists(hands_path("grants/" ID)));
}

static void test_drain(void **state)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	pid_t pid = child(false);

	recorded(pid);
	grant.drain = true;
	publish(clock_boot() - 1);
	assert_int_equal(expire(ID, false), 0);
	assert_int_equal(ended_by(pid), 0);
	o = note();
	assert_string_equal(json_str(o, "action"), "drain");
	assert_false(hands_exists(hands_path("grants/" ID)));
	/* The second timer of the same grant finds no file, and yet kills nothing. */
	assert_int_equal(unlink(hands_path("notes/" ID)), 0);
	assert_int_equal(expire(ID, false), 0);
	assert_int_equal(ended_by(pid), 0);
	assert_false(hands_exists(hands_path("notes/" ID)));
}

static void test_missing(void **state)
{
	assert_int_equal(expire(ID, false), 0);
	assert_false(hands_exists(hands_path("notes/" ID)));
}

/* No systemd, no file: what stands in the slice is ended by hand, and what does not end is told of. */
static void test_missing_but_running(void **state)
{
	CLEAN(json_put_p) struct json_object *o = NULL, *first = NULL;
	CLEAN(free_p) char *killed = NULL;
	pid_t pid = child(false);
	char text[16];
	uint64_t v;

	snprintf(text, sizeof(text), "%d\n", (int)pid);
	fake_cgroup(text);
	publish(clock_boot() - 1);
	assert_int_equal(unlink(hands_path("grants/" ID)), 0);
	hands_write(hands_path("grants/" ID), "{", 1, 0600); /* unreadable */
	/* The fake tree never empties. */
	assert_int_equal(expire(ID, false), -EBUSY);
	assert_int_equal(ended_by(pid), SIGTERM);
	o = note();
	assert_string_equal(json_str(o, "grant"), "unreadable");
	assert_int_equal(json_object_array_length(json_arr(o, "left")), 1);
	first = json_object_get(json_object_array_get_idx(json_arr(o, "left"), 0));
	assert_int_equal(json_u64(first, "pid", &v), 0);
	assert_int_equal(v, pid);
	killed = hands_read(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/cgroup.kill"));
	assert_string_equal(killed, "1");
}

static void test_no_notes(void **state)
{
	publish(clock_boot() - 1);
	assert_int_equal(rmdir(dirs.notes), 0);
	assert_int_equal(expire(ID, false), -ENOENT);
	/* The file stays for the next who comes. */
	assert_true(hands_exists(hands_path("grants/" ID)));
	assert_int_equal(mkdir(dirs.notes, 0755), 0);
}

/* A sudo that was stopped before it began its command must not be continued by the end of its grant: SIGKILL comes
 * before SIGCONT.  Whatever else stands in the slice has its grace.  That one whose command has begun has it too needs
 * control groups: tests/host. */
static void test_unbegun(void **state)
{
	pid_t sudo, of_another, command;
	struct pollfd fd = { .events = POLLIN };
	siginfo_t si;
	char text[64];

	if (geteuid() != 0)
		skip();
	sudo = child_of(false, 1000);
	of_another = child_of(false, 1001);
	command = child(false);
	snprintf(text, sizeof(text), "%d\n%d\n%d\n", (int)sudo, (int)of_another, (int)command);
	fake_cgroup(text);
	assert_int_equal(kill(sudo, SIGSTOP), 0);
	assert_int_equal(waitid(P_PID, (id_t)sudo, &si, WSTOPPED), 0);
	grant.uid = 1000;
	grant.drain = true;
	publish(clock_boot() - 1);
	assert_int_equal(expire(ID, false), 0);
	fd.fd = pidfd_open(sudo, 0);
	assert_int_equal(poll(&fd, 1, 5000), 1);
	close(fd.fd);
	assert_int_equal(ended_by(sudo), SIGKILL);
	assert_int_equal(ended_by(of_another), 0);
	assert_int_equal(ended_by(command), 0);
}

/* The file of a jitd that did not name the requester yet is as good as it was. */
static void test_unknown_requester(void **state)
{
	pid_t pid = child(false);

	recorded(pid);
	grant.uid = (uid_t)-1;
	publish(clock_boot() - 1);
	assert_int_equal(expire(ID, false), 0);
	assert_int_equal(ended_by(pid), SIGTERM);
}

/* The control groups as units reads them */

static void test_population(void **state)
{
	char name[UNIT_NAME_SIZE];

	assert_int_equal(units_population(ID), 0);
	fake_cgroup("10\n11\n12\n");
	assert_int_equal(units_population(ID), 3);
	assert_int_equal(mkdir(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/jit-" UNIT "-1.scope/sub"), 0755), 0);
	hands_write(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/jit-" UNIT "-1.scope/sub/cgroup.procs"), "13\n", 3, 0644);
	assert_int_equal(units_population(ID), 4);
	assert_int_equal(cgroup_live_scope(UNIT, name, sizeof(name)), 0);
	assert_string_equal(name, "jit-" UNIT "-1.scope");
	hands_write(hands_path("cgroup/jit.slice/jit-" UNIT ".slice/jit-" UNIT "-1.scope/cgroup.events"), "populated 0\n", 12,
		0644);
	assert_int_equal(cgroup_live_scope(UNIT, name, sizeof(name)), -ENOENT);
	assert_false(units_contains(ID, getpid()));
	assert_false(units_contains(ID, INT32_MAX));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_too_early), T(test_force), T(test_nearly), T(test_terminate), T(test_stopped), T(test_other_boot),
		T(test_drain), T(test_missing), T(test_missing_but_running), T(test_no_notes), T(test_unbegun),
		T(test_unknown_requester), T(test_population),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
