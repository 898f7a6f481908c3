#include "tests/unit/unit.h"
#include "tests/unit/hands.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>

#include "helper/child.h"
#include "helper/dirs.h"
#include "helper/worker.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

static struct worker *worker;

/* The last answer of any kind. */
static struct {
	bool came;
	unsigned n;
	int result;
	uid_t uid;
	char text[1024], digest[SHA256_HEX + 1];
	uint64_t ino, size;
	unsigned groups;
	bool groups_known, known, untold;
	int error;
} got;

static int setup(void **state)
{
	hands_setup(state);
	memset(&got, 0, sizeof(got));
	dirs.worker = BUILDDIR "/helper/jit-worker";
	return worker_new(hands_event, &worker);
}

static int teardown(void **state)
{
	worker = worker_free(worker);
	/* What was killed is reaped by the loop. */
	for (int i = 0; i < 100 && child_abandoned() > 0; i++)
		sd_event_run(hands_event, 100000);
	assert_int_equal(child_abandoned(), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
	return hands_teardown(state);
}

static void took(int result)
{
	got.came = true;
	got.n++;
	got.result = result;
}

static void on_account(int result, uid_t uid, void *userdata)
{
	took(result);
	got.uid = uid;
}

static void on_identity(int result, const struct worker_identity *id, void *userdata)
{
	took(result);
	assert_true((result == 0) == (id != NULL));
	if (!id)
		return;
	snprintf(got.text, sizeof(got.text), "%s", id->name);
	got.groups_known = id->groups != NULL;
	for (got.groups = 0; id->groups && id->groups[got.groups]; got.groups++)
		;
}

/* got.text: the files behind the first, with blanks between. */
static void on_file(int result, struct identity *id, void *userdata)
{
	took(result);
	assert_true((result == 0) == (id != NULL));
	got.text[0] = '\0';
	if (!id)
		return;
	memcpy(got.digest, id->file[0].sha256, sizeof(got.digest));
	got.error = id->file[0].error;
	got.known = id->file[0].known;
	got.untold = id->untold;
	got.ino = id->file[0].ino;
	got.size = id->file[0].size;
	for (unsigned i = 1; i < id->n; i++)
		snprintf(got.text + strlen(got.text), sizeof(got.text) - strlen(got.text), "%s%s", i > 1 ? " " : "",
			id->file[i].path);
}

static void on_path(int result, const char *path, void *userdata)
{
	took(result);
	snprintf(got.text, sizeof(got.text), "%s", path ? path : "");
}

static int answer(int ticket)
{
	assert_true(ticket > 0);
	assert_false(got.came);
	hands_until(&got.came);
	got.came = false;
	return got.result;
}

static void test_identity(void **state)
{
	struct passwd *pw = getpwuid(getuid());
	gid_t gids[256];
	int n = 256;

	assert_non_null(pw);
	assert_true(getgrouplist(pw->pw_name, pw->pw_gid, gids, &n) > 0);
	assert_int_equal(answer(worker_identity(worker, getuid(), on_identity, NULL)), 0);
	assert_string_equal(got.text, pw->pw_name);
	assert_true(got.groups_known);
	assert_int_equal(got.groups, n);
	assert_int_equal(answer(worker_identity(worker, 3999999999U, on_identity, NULL)), -ENOENT);
}

static void test_account(void **state)
{
	assert_int_equal(answer(worker_account(worker, "root", on_account, NULL)), 0);
	assert_int_equal(got.uid, 0);
	assert_int_equal(answer(worker_account(worker, "no such account", on_account, NULL)), -ENOENT);
	assert_int_equal(answer(worker_account(worker, "", on_account, NULL)), -EINVAL);
}

static int file(const char *path)
{
	const char *search[] = { "/nonexistent", "relative", hands_dir, NULL };

	return answer(worker_file(worker, getuid(), -1, path, search, on_file, NULL));
}

static void test_file(void **state)
{
	struct stat st;

	hands_write(hands_path("abc"), "abc\0", 4, 0644);
	assert_int_equal(symlink(hands_path("abc"), hands_path("link")), 0);
	assert_int_equal(file(hands_path("abc")), 0);
	assert_string_equal(got.digest, "dc1114cd074914bd872cc1f9a23ec910ea2203bc79779ab2e17da25782a624fc");
	assert_string_equal(got.text, "");
	assert_int_equal(stat(hands_path("abc"), &st), 0);
	assert_int_equal(got.ino, st.st_ino);
	assert_int_equal(got.size, 4);
	assert_int_equal(file(hands_path("link")), 0);
	assert_int_equal(got.ino, st.st_ino);
}

/* What runs a script, down to the program. */
static void test_interpreters(void **state)
{
	char line[600], text[900];
	static const struct {
		const char *name, *content, *text; /* @: the folder */
		bool untold;
	} rows[] = {
		{ "sh", "#! /bin/sh -e\nabc", "/bin/sh", false },
		{ "bare", "echo no line at all\n", "/bin/sh", false },
		{ "empty", "", "/bin/sh", false },
		{ "elf", "\177ELF\0", "", false },
		{ "twice", "#!@/sh\n", "@/sh /bin/sh", false },
		{ "itself", "#!@/itself\n", "", false },
		{ "env", "#!/usr/bin/env prog\n", "/usr/bin/env @/prog /bin/sh", false },
		{ "split", "#!/usr/bin/env -S prog -x\n", "/usr/bin/env @/prog /bin/sh", false },
		{ "odd", "#!/usr/bin/env -i prog\n", "/usr/bin/env", true },
		{ "lost", "#!/usr/bin/env nowhere\n", "/usr/bin/env", true },
		{ "relative", "#!bin/sh\n", "", true },
		{ "text", "#!@/bare\n", "@/bare", true },
		{ "gone", "#!@/nothing\n", "@/nothing", false },
	};

	hands_write(hands_path("prog"), "#!/bin/sh\n", 10, 0755);
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		const char *at = rows[i].content, *in = rows[i].text;
		size_t len = strcmp(rows[i].name, "elf") ? strlen(at) : 5, n = 0;

		for (size_t k = 0; k < len; k++)
			n += at[k] == '@' ? (size_t)sprintf(line + n, "%s", hands_dir) : (size_t)(line[n] = at[k], 1);
		hands_write(hands_path("%s", rows[i].name), line, n, 0755);
		for (n = 0; *in; in++)
			n += *in == '@' ? (size_t)sprintf(text + n, "%s", hands_dir) : (size_t)(text[n] = *in, 1);
		text[n] = '\0';
		check_case(file(hands_path("%s", rows[i].name)) == 0, "%s", rows[i].name);
		check_case(!strcmp(got.text, text), "%s: %s", rows[i].name, got.text);
		check_case(got.untold == rows[i].untold, "%s", rows[i].name);
	}
}

/* More interpreters than Linux follows: what is left over is not told. */
static void test_many_interpreters(void **state)
{
	char line[400], name[16], next[16];

	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(next, sizeof(next), "s%d", i + 1);
		snprintf(line, sizeof(line), "#!%s/%s\n", hands_dir, next);
		hands_write(hands_path("%s", name), line, strlen(line), 0755);
	}
	assert_int_equal(file(hands_path("s0")), 0);
	assert_true(got.untold);
}

/* Paths mean what they mean to the one who asks. */
static void test_file_in_a_root(void **state)
{
	static const char *const good[] = { "/bin/prog", "/link", "/bin/up", "/../bin/prog", "//sbin/./prog", "/sbin/../bin//prog",
		"/sbin/up" };
	int root;

	assert_int_equal(mkdir(hands_path("root"), 0755), 0);
	assert_int_equal(mkdir(hands_path("root/bin"), 0755), 0);
	hands_write(hands_path("root/bin/prog"), "\177ELF\0", 5, 0755);
	assert_int_equal(symlink("/bin/prog", hands_path("root/link")), 0);
	assert_int_equal(symlink("../../../../../../bin/prog", hands_path("root/bin/up")), 0);
	assert_int_equal(symlink("/loop", hands_path("root/loop")), 0);
	assert_int_equal(symlink("/bin", hands_path("root/sbin")), 0);
	root = open(hands_path("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	for (size_t i = 0; i < ELEMENTS(good); i++) {
		assert_int_equal(answer(worker_file(worker, getuid(), root, good[i], NULL, on_file, NULL)), 0);
		check_case(got.error == 0 && got.size == 5, "%s: %d", good[i], got.error);
	}
	assert_int_equal(answer(worker_file(worker, getuid(), root, "/bin/sh", NULL, on_file, NULL)), 0);
	assert_int_equal(got.error, -ENOENT);
	assert_int_equal(answer(worker_file(worker, getuid(), root, "/loop", NULL, on_file, NULL)), 0);
	assert_int_equal(got.error, -ELOOP);
	assert_int_equal(answer(worker_file(worker, getuid(), root, "/link/x", NULL, on_file, NULL)), 0);
	assert_int_equal(got.error, -ENOTDIR);
	assert_int_equal(answer(worker_lookup(worker, getuid(), root, "./prog", "/bin", NULL, on_path, NULL)), 0);
	assert_string_equal(got.text, "/bin/prog");
	close(root);
	/* What is read of /proc is the reader's. */
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(answer(worker_file(worker, getuid(), root, "/proc/self/exe", NULL, on_file, NULL)), 0);
	assert_int_equal(got.error, -ELOOP);
	close(root);
	/* The next question has none, and gets our own. */
	assert_int_equal(file("/bin/sh"), 0);
	assert_int_equal(got.error, 0);
}

static void test_file_refuses(void **state)
{
	static const struct {
		const char *path;
		int error;
		bool known;
	} rows[] = {
		{ "fifo", -EINVAL, false }, { "huge", -EFBIG, true }, { ".", -EISDIR, false }, { "none", -ENOENT, false },
		{ "huge/x", -ENOTDIR, false },
	};
	int fd;

	assert_int_equal(mkfifo(hands_path("fifo"), 0666), 0);
	fd = open(hands_path("huge"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, 256 * 1024 * 1024 + 1), 0);
	close(fd);
	assert_int_equal(worker_file(worker, getuid(), -1, "abc", NULL, on_file, NULL), -EINVAL);
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		check_case(file(hands_path("%s", rows[i].path)) == 0, "%s", rows[i].path);
		check_case(got.error == rows[i].error && got.known == rows[i].known && !got.digest[0], "%s: %d", rows[i].path, got.error);
	}
	assert_int_equal(file("/dev/zero"), 0);
	assert_int_equal(got.error, -EINVAL);
}

static int lookup(const char *name, const char *cwd)
{
	char first[300], second[300];
	const char *search[] = { first, "relative", second, NULL };

	snprintf(first, sizeof(first), "%s/one", hands_dir);
	snprintf(second, sizeof(second), "%s/two/", hands_dir);
	return answer(worker_lookup(worker, getuid(), -1, name, cwd, search, on_path, NULL));
}

static void test_lookup(void **state)
{
	assert_int_equal(mkdir(hands_path("one"), 0755), 0);
	assert_int_equal(mkdir(hands_path("two"), 0755), 0);
	assert_int_equal(mkdir(hands_path("one/dir"), 0755), 0);
	hands_write(hands_path("one/plain"), "x", 1, 0644);
	hands_write(hands_path("two/plain"), "x", 1, 0755);
	hands_write(hands_path("two/dir"), "x", 1, 0755);
	assert_int_equal(lookup("plain", NULL), 0);
	assert_string_equal(got.text, hands_path("two/plain"));
	assert_int_equal(lookup("dir", NULL), 0);
	assert_string_equal(got.text, hands_path("two/dir"));
	assert_int_equal(lookup("nothing", NULL), -ENOENT);
	assert_int_equal(lookup("./plain", hands_path("two")), 0);
	assert_string_equal(got.text, hands_path("two/plain"));
	assert_int_equal(lookup("two/plain", hands_dir), 0);
	assert_string_equal(got.text, hands_path("two/plain"));
	assert_int_equal(lookup("./plain", hands_path("one")), -EACCES);
	assert_int_equal(lookup("./plain", "one"), -EINVAL);
	assert_int_equal(lookup("./plain", NULL), -EINVAL);
	assert_int_equal(lookup(hands_path("two/plain"), NULL), 0);
	assert_string_equal(got.text, hands_path("two/plain"));
	assert_int_equal(lookup("", NULL), -EINVAL);
}

/* Names are bytes. */
static void test_lookup_bytes(void **state)
{
	assert_int_equal(mkdir(hands_path("one"), 0755), 0);
	hands_write(hands_path("one/\xff\xfe"), "x", 1, 0755);
	assert_int_equal(lookup("\xff\xfe", NULL), 0);
	assert_string_equal(got.text, hands_path("one/\xff\xfe"));
}

static void test_cancel(void **state)
{
	int first = worker_identity(worker, 0, on_identity, NULL);
	int second = worker_account(worker, "root", on_account, NULL);
	int third = worker_identity(worker, 0, on_identity, NULL);

	assert_true(first > 0 && second > 0 && third > 0 && first != second);
	worker_cancel(worker, first);
	worker_cancel(worker, third);
	worker_cancel(worker, 123456);
	hands_until(&got.came);
	assert_int_equal(got.uid, 0);
	got.came = false;
	assert_int_equal(answer(worker_account(worker, "root", on_account, NULL)), 0);
	assert_int_equal(got.n, 2);
}

static void test_queue(void **state)
{
	for (int i = 0; i < WORKER_QUEUE_EACH; i++)
		assert_true(worker_account(worker, "root", on_account, NULL) > 0);
	assert_int_equal(worker_account(worker, "root", on_account, NULL), -EAGAIN);
	assert_true(worker_identity(worker, getuid(), on_identity, NULL) > 0);
	while (got.n < WORKER_QUEUE_EACH + 1) {
		got.came = false;
		hands_until(&got.came);
		assert_int_equal(got.result, 0);
	}
}

/* Which of them are done by then is a matter of time. */
static void on_whatever(int result, struct identity *id, void *userdata)
{
}

static void test_queue_full(void **state)
{
	for (uid_t uid = 0; uid < WORKER_QUEUE; uid++)
		assert_true(worker_file(worker, uid, -1, "/nonexistent", NULL, on_whatever, NULL) > 0);
	assert_int_equal(worker_file(worker, WORKER_QUEUE, -1, "/nonexistent", NULL, on_whatever, NULL), -EAGAIN);
	assert_int_equal(answer(worker_account(worker, "root", on_account, NULL)), 0); /* another lane */
}

/* Whose jobs were answered, in order: each file job's userdata is who asked. */
static char order[512];

static void on_turn(int result, struct identity *f, void *userdata)
{
	size_t n = strlen(order);

	took(result);
	snprintf(order + n, sizeof(order) - n, "%s", (const char *)userdata);
}

static void ask_files(uid_t uid, unsigned n, const char *who)
{
	while (n--)
		assert_true(worker_file(worker, uid, -1, hands_path("abc"), NULL, on_turn, (void *)(uintptr_t)who) > 0);
}

/* Whoever comes while a hundred of another wait, waits for one of them. */
static void test_turns(void **state)
{
	order[0] = '\0';
	hands_write(hands_path("abc"), "abc", 3, 0644);
	ask_files(7, 100, "d");
	hands_until(&got.came);
	ask_files(8, 2, "a");
	ask_files(9, 1, "b");
	while (got.n < 103) {
		got.came = false;
		hands_until(&got.came);
	}
	assert_memory_equal(order, "d" "dab" "da" "ddd", 9);
	assert_int_equal(strlen(order), 103);
}

/* One that waits is gone when it is cancelled: nobody is in the way of others with what they do not want any more. */
static void test_turns_cancelled(void **state)
{
	int ticket[50];

	order[0] = '\0';
	hands_write(hands_path("abc"), "abc", 3, 0644);
	for (int i = 0; i < 50; i++)
		ticket[i] = worker_file(worker, 7, -1, hands_path("abc"), NULL, on_turn, (void *)(uintptr_t)"d");
	ask_files(8, 2, "a");
	for (int i = 49; i >= 1; i--)
		worker_cancel(worker, ticket[i]);
	ask_files(7, 1, "D");
	while (got.n < 4) {
		got.came = false;
		hands_until(&got.came);
	}
	assert_string_equal(order, "daDa");
}

static void fake_worker(const char *script)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/fake", hands_dir);
	hands_write(path, script, strlen(script), 0755);
	dirs.worker = path;
}

/* The late one is replaced; its job fails, the one behind it is done by the next. */
static void test_late(void **state)
{
	uint64_t begin = clock_mono();
	int second;

	fake_worker("#!/bin/sh\nexec sleep 1000\n");
	assert_true(worker_account(worker, "root", on_account, NULL) > 0);
	second = worker_account(worker, "root", on_account, NULL);
	assert_true(sd_event_run(hands_event, 0) >= 0);
	dirs.worker = BUILDDIR "/helper/jit-worker";
	hands_until(&got.came);
	assert_int_equal(got.result, -ETIMEDOUT);
	assert_true(clock_mono() - begin >= WORKER_TIMEOUT_USEC);
	got.came = false;
	assert_int_equal(answer(second), 0);
	assert_int_equal(got.n, 2);
}

static void test_dies(void **state)
{
	fake_worker("#!/bin/sh\nexit 0\n");
	assert_int_equal(answer(worker_account(worker, "root", on_account, NULL)), -EIO);
	assert_int_equal(got.uid, (uid_t)-1);
	dirs.worker = BUILDDIR "/helper/jit-worker";
	assert_int_equal(answer(worker_account(worker, "root", on_account, NULL)), 0);
}

static void test_not_there(void **state)
{
	dirs.worker = "/nonexistent/jit-worker";
	assert_int_equal(answer(worker_identity(worker, 0, on_identity, NULL)), -EIO);
}

static void test_nonsense(void **state)
{
	fake_worker("#!/bin/sh\necho nonsense >&3\nexec sleep 1000\n");
	assert_int_equal(answer(worker_file(worker, getuid(), -1, "/bin/sh", NULL, on_file, NULL)), -EIO);
	fake_worker("#!/bin/sh\necho '{\"n\":77,\"errno\":0}' >&3\nexec sleep 1000\n");
	assert_int_equal(answer(worker_file(worker, getuid(), -1, "/bin/sh", NULL, on_file, NULL)), -EIO);
}

/* An answer with nothing in it is no answer. */
static void test_empty_answers(void **state)
{
	fake_worker("#!/bin/sh\nif [ $1 = files ]; then\necho '{\"n\":1,\"errno\":0}' >&3\necho '{\"n\":2,\"errno\":0}' >&3\n"
		"else\necho '{\"n\":3,\"errno\":0,\"groups\":[1]}' >&3\necho '{\"n\":4,\"errno\":0,\"uid\":4294967295}' >&3\nfi\n"
		"exec sleep 1000\n");
	assert_true(worker_file(worker, 0, -1, "/bin/sh", NULL, on_file, NULL) == 1);
	assert_true(worker_lookup(worker, 0, -1, "sh", NULL, NULL, on_path, NULL) == 2);
	assert_true(worker_identity(worker, 0, on_identity, NULL) == 3);
	assert_true(worker_account(worker, "root", on_account, NULL) == 4);
	while (got.n < 4) {
		got.came = false;
		hands_until(&got.came);
		assert_int_equal(got.result, -EIO);
	}
}

static void on_failed(int result, struct identity *f, void *userdata)
{
	assert_true(result < 0 && !f);
	++*(unsigned *)userdata;
}

/* Started before there is work, the same process does it: nothing is there to start another from. */
static void test_warm(void **state)
{
	worker_warm(worker);
	dirs.worker = "/nonexistent/jit-worker";
	assert_int_equal(answer(worker_account(worker, "root", on_account, NULL)), 0);
}

/* Stuck, dying and missing in one lane: names are answered all the while, by the same process. */
static void test_lanes(void **state)
{
	static const char *const files[] = { "exec sleep 1000", "exit 1", "echo nonsense >&3; exec sleep 1000" };
	char script[400];
	uint64_t begin = clock_mono();
	unsigned failed;

	for (size_t i = 0; i < ELEMENTS(files); i++) {
		snprintf(script, sizeof(script), "#!/bin/sh\ntest $1 = files || exec " BUILDDIR "/helper/jit-worker $1\n%s\n", files[i]);
		fake_worker(script);
		failed = 0;
		for (uid_t uid = 1; uid <= 9; uid++)
			assert_true(worker_file(worker, uid, -1, "/bin/sh", NULL, on_failed, &failed) > 0);
		for (int n = 0; n < 20; n++) {
			assert_int_equal(answer(worker_identity(worker, getuid(), on_identity, NULL)), 0);
			assert_true(got.groups_known);
		}
		if (failed == 9)
			fail_msg("%s: the lane of files was through too early to show anything", files[i]);
		worker = worker_free(worker);
		assert_int_equal(worker_new(hands_event, &worker), 0);
	}
	assert_true(clock_mono() - begin < 10 * USEC_PER_SEC);
}

static void test_freed(void **state)
{
	fake_worker("#!/bin/sh\nexec sleep 1000\n");
	assert_true(worker_account(worker, "root", on_account, NULL) > 0);
	assert_true(sd_event_run(hands_event, 0) >= 0);
	worker = worker_free(worker);
	hands_idle();
	assert_int_equal(got.n, 0);
}

static void test_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	char name[64], text[256] = "";
	struct stat st;
	ssize_t n = 0;

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	assert_int_equal(stat(name, &st), 0);
	/* Somebody else's terminal by now: nothing is written. */
	assert_true(worker_terminal(worker, name, st.st_uid + 1, "not for you\n") > 0);
	assert_true(worker_terminal(worker, "../etc/passwd", st.st_uid, "x") > 0);
	assert_true(worker_terminal(worker, "pts/../ptmx", st.st_uid, "x") > 0);
	assert_true(worker_terminal(worker, "null", st.st_uid, "x") > 0);
	assert_true(worker_terminal(worker, name + strlen("/dev/"), st.st_uid, "ends soon\n") > 0);
	for (int i = 0; i < 100 && n <= 0; i++) {
		sd_event_run(hands_event, 100000);
		n = read(master, text, sizeof(text) - 1);
	}
	assert_true(n > 0);
	/* The line discipline makes \r\n of the \n once more. */
	assert_int_equal(strncmp(text, "ends soon\r", 10), 0);
	close(master);
}

static void test_flush(void **state)
{
	assert_true(worker_flush_caches(worker) > 0);
	assert_int_equal(answer(worker_account(worker, "root", on_account, NULL)), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_identity), T(test_account), T(test_file), T(test_interpreters), T(test_many_interpreters), T(test_file_in_a_root), T(test_file_refuses), T(test_lookup), T(test_lookup_bytes),
		T(test_cancel), T(test_queue), T(test_queue_full), T(test_turns), T(test_turns_cancelled), T(test_lanes), T(test_warm),
		T(test_late), T(test_dies), T(test_not_there), T(test_nonsense),
		T(test_empty_answers), T(test_freed), T(test_terminal), T(test_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
