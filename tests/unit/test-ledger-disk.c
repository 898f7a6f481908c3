/* The ledger on a disk that fails, fills up or may not be written: a record is there whole or not at all, what opens
 * privilege is refused, what closes it has the reserve. */
#include "config.h"
#include "tests/unit/ledger-fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/clock.h"

/* ---- a disk that fails ---- */

static void test_write_fails(void **state)
{
	static const int errors[] = { ENOSPC, EIO, EROFS, EDQUOT, EFBIG };
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	unsigned n = 0;

	for (size_t i = 0; i < ELEMENTS(errors); i++) {
		for (int synced = 0; synced < 2; synced++) {
			struct ledger_head before = *ledger_head(l);

			fault.write = errors[i];
			assert_int_equal(append(l, synced ? EV_GRANTED : EV_USED, "x"), -errors[i]);
			fault.write = 0;
			assert_memory_equal(&before, ledger_head(l), sizeof before);
			whole("ledger", n, &before);
			assert_false(ledger_broken(l, NULL));
			assert_int_equal(append(l, synced ? EV_GRANTED : EV_USED, "x"), 0);
			whole("ledger", ++n, ledger_head(l));
		}
	}
}

static void test_short_write(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");

	assert_int_equal(append(l, EV_USED, "x"), 0);
	for (size_t part = 1; part < 200; part += 7) {
		fault.part = part;
		assert_int_equal(append(l, EV_GRANTED, "x"), -ENOSPC);
		whole("ledger", 1, ledger_head(l));
	}
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
	whole("ledger", 2, ledger_head(l));
}

static void test_cannot_cut(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	struct why w = { "" };

	assert_int_equal(append(l, EV_USED, "x"), 0);
	fault.part = 50;
	fault.ftruncate = EIO;
	assert_int_equal(append(l, EV_CLOSED, "x"), -ENOSPC);
	memset(&fault, 0, sizeof fault);
	assert_true(ledger_broken(l, &w));
	assert_non_null(strstr(w.text, "cut off"));
	assert_int_equal(append(l, EV_CLOSED, "x"), -EIO);
	assert_int_equal(append(l, EV_GRANTED, "x"), -EIO);
	assert_int_equal(ledger_head(l)->seq, 1);
	l = ledger_close(l);
	l = must_open("ledger");
	assert_false(ledger_broken(l, NULL));
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
	whole("ledger", 3, ledger_head(l)); /* used, repaired, granted */
}

static void test_sync_fails(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	struct why w = { "" };

	assert_int_equal(append(l, EV_USED, "x"), 0);
	fault.fdatasync = ENOSPC;
	assert_int_equal(append(l, EV_GRANTED, "x"), -ENOSPC);
	whole("ledger", 1, ledger_head(l));
	assert_int_equal(append(l, EV_USED, "x"), 0); /* is not synced */
	fault.fdatasync = 0;
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
	whole("ledger", 3, ledger_head(l));
	assert_false(ledger_broken(l, NULL));

	fault.fdatasync = EIO;
	assert_int_equal(append(l, EV_GRANTED, "x"), -EIO);
	fault.fdatasync = 0;
	whole("ledger", 3, ledger_head(l));
	assert_true(ledger_broken(l, &w));
	assert_int_equal(append(l, EV_CLOSED, "x"), -EIO);
	l = ledger_close(l);
	l = must_open("ledger");
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
	whole("ledger", 4, ledger_head(l));
}

static void test_rotation_fails(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");

	ledger_tune(l, 1, 0); /* a file for every line */
	assert_int_equal(append(l, EV_USED, "x"), 0);
	fault.fsync = EIO;
	assert_int_equal(append(l, EV_GRANTED, "x"), -EIO);
	fault.fsync = 0;
	whole("ledger", 1, ledger_head(l));
	assert_int_equal(access("ledger/0000000000000002.jsonl", F_OK), -1);
	fault.fdatasync = ENOSPC; /* of the file before */
	assert_int_equal(append(l, EV_USED, "x"), -ENOSPC);
	fault.fdatasync = 0;
	fault.write = ENOSPC; /* the first line of the new file */
	assert_int_equal(append(l, EV_GRANTED, "x"), -ENOSPC);
	fault.write = 0;
	whole("ledger", 1, ledger_head(l));
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
	whole("ledger", 3, ledger_head(l));
}

/* ---- the reserve ---- */

static off_t reserve_size(void)
{
	struct stat st;

	return stat("ledger/reserve", &st) < 0 ? -1 : st.st_size;
}

static void test_reserve(void **state)
{
	static const enum jit_event closing[] = { EV_EXPIRED, EV_REVOKED, EV_CLOSED, EV_REFUSED, EV_DENIED, EV_WITHDRAWN,
		EV_LEFTOVER, EV_REPAIRED };
	static const enum jit_event opening[] = { EV_GRANTED, EV_OPENED, EV_ALLOWED, EV_USED, EV_REQUESTED };
	static const enum jit_event others[] = { EV_CONFIG, EV_DECIDED, EV_WARNED };
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	unsigned n = 0;

	ledger_tune(l, LEDGER_FILE_MAX, 0);
	for (size_t i = 0; i < ELEMENTS(opening); i++) { /* new privilege does not eat the reserve */
		fault.write = ENOSPC;
		assert_int_equal(append(l, opening[i], "x"), -ENOSPC);
		assert_int_equal(reserve_size(), LEDGER_RESERVE);
	}
	for (size_t i = 0; i < ELEMENTS(others); i++) {
		assert_int_equal(append(l, others[i], "x"), -ENOSPC);
		assert_int_equal(reserve_size(), LEDGER_RESERVE);
	}
	for (size_t i = 0; i < ELEMENTS(closing); i++) { /* an end does, and is written */
		fault.write = ENOSPC;
		fault.fallocate = ENOSPC;
		fault.once = true;
		assert_int_equal(append(l, closing[i], "x"), 0);
		whole("ledger", ++n, ledger_head(l));
		assert_int_equal(reserve_size(), 0);

		fault.once = false;
		fault.fallocate = ENOSPC;
		for (size_t j = 0; j < ELEMENTS(opening); j++)
			assert_int_equal(append(l, opening[j], "x"), -ENOSPC);
		assert_int_equal(append(l, closing[i], "x"), 0);
		assert_int_equal(append(l, EV_WARNED, "x"), 0);
		assert_int_equal(reserve_size(), 0);
		fault.fallocate = 0; /* there is room again */
		assert_int_equal(append(l, i % 2 ? EV_GRANTED : EV_CLOSED, "x"), 0);
		assert_int_equal(reserve_size(), LEDGER_RESERVE);
		n += 3;
		whole("ledger", n, ledger_head(l));
	}
}

/* What stands where the reserve should be is not touched, and nothing is granted without one. */
static void test_reserve_is_no_file(void **state)
{
	CLEAN(close_ledger) struct ledger *l = NULL;
	size_t len;

	mkdir("ledger", 0700);
	spill("precious", "gold", 4);
	assert_int_equal(symlink("../precious", "ledger/reserve"), 0);
	l = must_open("ledger");
	ledger_tune(l, LEDGER_FILE_MAX, 0);
	assert_int_equal(append(l, EV_GRANTED, "x"), -ELOOP);
	assert_int_equal(append(l, EV_CLOSED, "x"), 0);
	free(slurp("precious", &len));
	assert_int_equal(len, 4);
	unlink("ledger/reserve");
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
}

static void test_reserve_is_tried_seldom(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");

	assert_int_equal(ledger_release_reserve(l), 0);
	assert_int_equal(ledger_release_reserve(l), -ENOENT);
	assert_int_equal(reserve_size(), 0);
	ledger_tune(l, LEDGER_FILE_MAX, 3600 * USEC_PER_SEC);
	assert_int_equal(append(l, EV_CLOSED, "x"), 0);
	assert_int_equal(reserve_size(), 0);
	assert_int_equal(append(l, EV_GRANTED, "x"), -ENOSPC);
	ledger_tune(l, LEDGER_FILE_MAX, 0);
	assert_int_equal(append(l, EV_CLOSED, "x"), 0);
	assert_int_equal(reserve_size(), LEDGER_RESERVE);
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
}

static void test_no_reserve_at_start(void **state)
{
	CLEAN(close_ledger) struct ledger *l = NULL;

	fault.fallocate = ENOSPC;
	l = must_open("ledger");
	ledger_tune(l, LEDGER_FILE_MAX, 0);
	assert_int_equal(append(l, EV_GRANTED, "x"), -ENOSPC);
	assert_int_equal(append(l, EV_REFUSED, "x"), 0);
	fault.fallocate = 0;
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
	whole("ledger", 2, ledger_head(l));
}

/* ---- real limits ---- */

/* A file that may not grow: the kernel itself writes a part of a line, then nothing. */
static void test_file_size_limit(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	struct rlimit old, limit;
	unsigned n = 0;
	int r = 0;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit = old;
	limit.rlim_cur = 1000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (n < 100 && (r = append(l, EV_CONFIG, "some text")) == 0)
		n++;
	assert_true(r == -ENOSPC || r == -EFBIG);
	assert_true(n >= 2 && n < 10);
	assert_true(append(l, EV_CONFIG, "some text") < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(ledger_broken(l, NULL));
	whole("ledger", n, ledger_head(l));
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
	whole("ledger", n + 1, ledger_head(l));
}

static bool map_id(const char *file, unsigned id)
{
	CLEAN(close_p) int fd = open(file, O_WRONLY | O_CLOEXEC);
	char map[64];

	snprintf(map, sizeof map, "0 %u 1", id);
	return fd >= 0 && write(fd, map, strlen(map)) > 0;
}

/* A mount namespace of one's own, also without root. */
static bool own_mounts(void)
{
	CLEAN(close_p) int fd = -1;
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)) < 0)
		return false;
	if (uid != 0) {
		fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "deny", 4) != 4 || !map_id("/proc/self/uid_map", uid) ||
		    !map_id("/proc/self/gid_map", gid))
			return false;
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* In a child: a small tmpfs that fills up.  77: not permitted here. */
static int full_disk(void)
{
	unsigned n = 0, closed = 0;
	struct ledger *l;
	char block[64] = "";
	int fd, r;

	mkdir("disk", 0700);
	if (!own_mounts() || mount("tmpfs", "disk", "tmpfs", 0, "size=6m,mode=0700") < 0)
		return 77;
	l = must_open("disk/ledger");
	ledger_tune(l, LEDGER_FILE_MAX, 0);
	fd = open("disk/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof block) > 0) /* somebody else fills the disk */
		;
	while ((r = append(l, EV_GRANTED, "some text")) == 0 && n < 100000)
		n++;
	if (r != -ENOSPC || n > 100)
		return 1;
	whole("disk/ledger", n, ledger_head(l));
	while (closed < 500 && append(l, EV_EXPIRED, "some text") == 0)
		closed++;
	if (closed != 500 || append(l, EV_GRANTED, "x") != -ENOSPC)
		return 2;
	whole("disk/ledger", n + closed, ledger_head(l));
	if (ftruncate(fd, 0) < 0 || append(l, EV_GRANTED, "x") != 0)
		return 3;
	whole("disk/ledger", n + closed + 1, ledger_head(l));
	ledger_close(l);
	close(fd);
	if (mount(NULL, "disk", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return 4;
	return ledger_open("disk/ledger", NULL, NULL, &l, NULL) == -EROFS ? 0 : 5;
}

static void test_full_disk(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(full_disk());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("no mount namespace is to be had here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_write_fails),
		T(test_short_write),
		T(test_cannot_cut),
		T(test_sync_fails),
		T(test_rotation_fails),
		T(test_reserve),
		T(test_reserve_is_no_file),
		T(test_reserve_is_tried_seldom),
		T(test_no_reserve_at_start),
		T(test_file_size_limit),
		T(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
