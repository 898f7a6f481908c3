/* Files: what is refused, what is left behind, what a failing disk does. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/file.h"

/* One call of each kind can be made to fail or fall short. */
static struct {
	int write_error, fsync_error, rename_error; /* errno; 0: as always */
	unsigned fsync_skip;                        /* so many succeed before */
	bool interrupt, dribble;                    /* EINTR first, then one byte at a time */
	bool interrupted;
} disk;

ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __wrap_read(int fd, void *buf, size_t n);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int olddir, const char *from, int newdir, const char *to);
int __wrap_renameat(int olddir, const char *from, int newdir, const char *to);

static bool interrupted_now(void)
{
	if (!disk.interrupt)
		return false;
	disk.interrupted = !disk.interrupted;
	errno = EINTR;
	return disk.interrupted;
}

ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
	if (fd <= 2)
		return __real_write(fd, buf, n);
	if (interrupted_now())
		return -1;
	if (disk.write_error) {
		errno = disk.write_error;
		return -1;
	}
	return __real_write(fd, buf, disk.dribble && n > 1 ? 1 : n);
}

ssize_t __wrap_read(int fd, void *buf, size_t n)
{
	if (interrupted_now())
		return -1;
	return __real_read(fd, buf, disk.dribble && n > 1 ? 1 : n);
}

int __wrap_fsync(int fd)
{
	if (disk.fsync_error && disk.fsync_skip-- == 0) {
		errno = disk.fsync_error;
		return -1;
	}
	return __real_fsync(fd);
}

int __wrap_renameat(int olddir, const char *from, int newdir, const char *to)
{
	if (disk.rename_error) {
		errno = disk.rename_error;
		return -1;
	}
	return __real_renameat(olddir, from, newdir, to);
}

struct place {
	char path[64];
	int fd;
};

static int enter(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	const char *base = getenv("TMPDIR");

	memset(&disk, 0, sizeof disk);
	if (!p || snprintf(p->path, sizeof p->path, "%s/jit-file.XXXXXX", base && strlen(base) < 40 ? base : "/tmp") < 0 ||
		!mkdtemp(p->path))
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

/* What the directory holds; also used to empty it. */
static unsigned entries(int dirfd, bool unlink_them)
{
	CLEAN(closedir_p) DIR *dir = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	unsigned n = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		n++;
		if (unlink_them && unlinkat(dirfd, e->d_name, 0) < 0)
			(void)unlinkat(dirfd, e->d_name, AT_REMOVEDIR);
	}
	return n;
}

static int leave(void **state)
{
	struct place *p = *state;

	(void)entries(p->fd, true);
	close(p->fd);
	(void)rmdir(p->path);
	free(p);
	return 0;
}

static void put(int dirfd, const char *name, const char *text, mode_t mode)
{
	CLEAN(close_p) int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(__real_write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static void expect(int dirfd, const char *name, const char *text)
{
	CLEAN(free_p) char *got = NULL;
	size_t len;

	assert_int_equal(file_read_untrusted(dirfd, name, 4096, &got, &len), 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal(got, text);
}

/* A socket's name: bind(2) wants a path. */
static void put_socket(const struct place *p, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	CLEAN(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", p->path, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
}

static void test_number(void **state)
{
	static const struct {
		const char *text;
		unsigned long long max, value;
		int r;
	} table[] = {
		{ "0", 10, 0, 0 },
		{ "10", 10, 10, 0 },
		{ "007", 10, 7, 0 },
		{ "11", 10, 0, -ERANGE },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX, 0 },
		{ "18446744073709551616", UINT64_MAX, 0, -ERANGE },
		{ "18446744073709551620", UINT64_MAX, 0, -ERANGE },
		{ "99999999999999999999999999", UINT64_MAX, 0, -ERANGE },
		{ "4294967296", UINT32_MAX, 0, -ERANGE },
		{ "", 10, 0, -EINVAL },
		{ " 1", 10, 0, -EINVAL },
		{ "1 ", 10, 0, -EINVAL },
		{ "+1", 10, 0, -EINVAL },
		{ "-1", 10, 0, -EINVAL },
		{ "-0", 10, 0, -EINVAL },
		{ "0x1", 10, 0, -EINVAL },
		{ "1e1", 10, 0, -EINVAL },
		{ "1.0", 10, 0, -EINVAL },
		{ "1\n", 10, 0, -EINVAL },
		{ "\xd9\xa1", 10, 0, -EINVAL },
		{ NULL, 10, 0, -EINVAL },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		unsigned long long value = 12345;

		check_case(number_parse(table[i].text, table[i].max, &value) == table[i].r, "'%s'", table[i].text);
		check_case(value == (table[i].r ? 12345 : table[i].value), "'%s': %llu", table[i].text, value);
	}
}

static void test_trusted(void **state)
{
	struct place *p = *state;
	uid_t me = geteuid();
	static const struct {
		mode_t mode;
		int r;
	} modes[] = { { 0600, 0 }, { 0644, 0 }, { 0444, 0 }, { 0620, -EPERM }, { 0602, -EPERM }, { 0666, -EPERM }, { 0777, -EPERM } };

	put(p->fd, "f", "x", 0600);
	for (size_t i = 0; i < ELEMENTS(modes); i++) {
		struct why w = { "" };
		int fd;

		assert_int_equal(fchmodat(p->fd, "f", modes[i].mode, 0), 0);
		fd = file_open_trusted(p->fd, "f", me, &w);
		check_case(modes[i].r ? fd == modes[i].r : fd >= 0, "mode %o: %s", (unsigned)modes[i].mode, w.text);
		check_case(modes[i].r ? strstr(w.text, "f: ") && strstr(w.text, "chmod go-w f") : !w.text[0], "'%s'", w.text);
		if (fd >= 0) {
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
			close(fd);
		}
	}
}

static void test_trusted_owner(void **state)
{
	struct place *p = *state;
	struct why w = { "" };
	int fd;

	put(p->fd, "f", "x", 0600);
	fd = file_open_trusted(p->fd, "f", (uid_t)-1, &w);
	if (geteuid() == 0) {
		assert_true(fd >= 0);
		close(fd);
		/* root's file is trusted whoever else might own it */
		fd = file_open_trusted(p->fd, "f", 12345, &w);
		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(fchownat(p->fd, "f", 12345, -1, 0), 0);
		assert_int_equal(file_open_trusted(p->fd, "f", 12346, &w), -EPERM);
		assert_non_null(strstr(w.text, "chown 12346 f"));
		assert_int_equal(file_open_trusted(p->fd, "f", (uid_t)-1, &w), -EPERM);
		assert_non_null(strstr(w.text, "user 12345"));
		assert_non_null(strstr(w.text, "chown root f"));
	} else {
		assert_int_equal(fd, -EPERM);
		assert_int_equal(file_open_trusted(p->fd, "f", geteuid() + 1, &w), -EPERM);
		assert_non_null(strstr(w.text, "chown"));
	}
}

/* What is no plain file is refused at once: a FIFO must not hold its reader. */
static void test_odd_files(void **state)
{
	struct place *p = *state;
	static const struct {
		const char *name;
		int trusted, untrusted;
	} table[] = {
		{ "missing", -ENOENT, -ENOENT }, { "link", -ELOOP, -ELOOP },    { "dangling", -ELOOP, -ELOOP },
		{ "fifo", -EINVAL, -EINVAL },    { "folder", -EINVAL, -EINVAL }, { "socket", -ENXIO, -EINVAL },
		{ "f/x", -ENOTDIR, -ENOTDIR },
	};

	put(p->fd, "f", "x", 0600);
	assert_int_equal(symlinkat("f", p->fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", p->fd, "dangling"), 0);
	assert_int_equal(mkfifoat(p->fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(p->fd, "folder", 0700), 0);
	put_socket(p, "socket");
	for (size_t i = 0; i < ELEMENTS(table); i++) {
		struct why w = { "" };
		char *got = (char *)p;
		size_t len = 77;

		check_case(file_open_trusted(p->fd, table[i].name, geteuid(), &w) == table[i].trusted, "%s: %s",
			table[i].name, w.text);
		check_case(strstr(w.text, table[i].name), "'%s'", w.text);
		check_case(file_read_untrusted(p->fd, table[i].name, 100, &got, &len) == table[i].untrusted, "%s",
			table[i].name);
		assert_true(got == (char *)p && len == 77);
	}
}

static void test_bounds(void **state)
{
	struct place *p = *state;
	static const size_t sizes[] = { 0, 1, 4094, 4095, 4096, 4097, 8191, 65536, 100000 };
	CLEAN(free_p) char *bytes = malloc(100001);

	assert_non_null(bytes);
	for (size_t i = 0; i < 100000; i++)
		bytes[i] = (char)(i * 7);
	for (size_t i = 0; i < ELEMENTS(sizes); i++) {
		CLEAN(free_p) char *got = NULL, *no = NULL;
		size_t len = 0;

		assert_int_equal(file_write_atomic(p->fd, "b", bytes, sizes[i], 0600, -1, -1), 0);
		assert_int_equal(file_read_untrusted(p->fd, "b", sizes[i], &got, &len), 0);
		assert_true(len == sizes[i] && !memcmp(got, bytes, len) && got[len] == '\0');
		if (sizes[i] == 0)
			continue;
		assert_int_equal(file_read_untrusted(p->fd, "b", sizes[i] - 1, &no, &len), -EFBIG);
		assert_null(no);
	}
}

/* A pipe tells no size: the bound holds while reading. */
static void test_read_pipe(void **state)
{
	static const char text[] = "0123456789";
	CLEAN(free_p) char *got = NULL;
	size_t len = 0;

	for (size_t max = 9; max <= 11; max++) {
		int fd[2];

		assert_int_equal(pipe(fd), 0);
		assert_int_equal(__real_write(fd[1], text, 10), 10);
		close(fd[1]);
		disk.interrupt = disk.dribble = true;
		assert_int_equal(file_read_all(fd[0], max, &got, &len), max < 10 ? -EFBIG : 0);
		disk.interrupt = disk.dribble = false;
		if (max >= 10) {
			assert_true(len == 10 && !strcmp(got, text));
			free(STEAL_PTR(got));
		} else
			assert_null(got);
		close(fd[0]);
	}
	assert_int_equal(file_read_all(-1, 10, &got, &len), -EBADF);
}

static void test_write(void **state)
{
	struct place *p = *state;
	CLEAN(close_p) int path_only = open(p->path, O_PATH | O_CLOEXEC);
	struct stat st;
	mode_t mask = umask(077);

	assert_int_equal(file_write_atomic(p->fd, "f", "one", 3, 0640, -1, -1), 0);
	(void)umask(mask);
	assert_int_equal(fstatat(p->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	disk.interrupt = disk.dribble = true;
	assert_int_equal(file_write_atomic(path_only, "f", "second", 6, 0600, -1, -1), 0);
	disk.interrupt = disk.dribble = false;
	expect(p->fd, "f", "second");
	if (geteuid() == 0) {
		assert_int_equal(file_write_atomic(p->fd, "f", "x", 1, 0400, 123, 456), 0);
		assert_int_equal(fstatat(p->fd, "f", &st, 0), 0);
		assert_true(st.st_uid == 123 && st.st_gid == 456 && (st.st_mode & 07777) == 0400);
	}
	/* A link in the way is replaced, not followed. */
	assert_int_equal(symlinkat("f", p->fd, "link"), 0);
	assert_int_equal(file_write_atomic(p->fd, "link", "new", 3, 0600, -1, -1), 0);
	expect(p->fd, "link", "new");
	assert_int_equal(entries(p->fd, false), 2);
}

static void test_write_refused(void **state)
{
	struct place *p = *state;
	static const char *const bad[] = { "", ".", "..", "a/b", "/etc/x", "../x" };

	for (size_t i = 0; i < ELEMENTS(bad); i++)
		check_case(file_write_atomic(p->fd, bad[i], "x", 1, 0600, -1, -1) == -EINVAL, "'%s'", bad[i]);
	assert_int_equal(file_write_atomic(-1, "x", "x", 1, 0600, -1, -1), -EBADF);
	assert_int_equal(entries(p->fd, false), 0);
}

/* The old file stands and nothing else is there, whatever failed. */
static void test_write_fails(void **state)
{
	struct place *p = *state;

	put(p->fd, "f", "old", 0600);
	disk.write_error = ENOSPC;
	assert_int_equal(file_write_atomic(p->fd, "f", "new", 3, 0600, -1, -1), -ENOSPC);
	disk.write_error = 0;
	disk.fsync_error = EIO;
	assert_int_equal(file_write_atomic(p->fd, "f", "new", 3, 0600, -1, -1), -EIO);
	disk.fsync_error = 0;
	disk.rename_error = EROFS;
	assert_int_equal(file_write_atomic(p->fd, "f", "new", 3, 0600, -1, -1), -EROFS);
	disk.rename_error = 0;
	expect(p->fd, "f", "old");
	assert_int_equal(mkdirat(p->fd, "folder", 0700), 0);
	assert_int_equal(file_write_atomic(p->fd, "folder", "new", 3, 0600, -1, -1), -EISDIR);
	assert_int_equal(entries(p->fd, false), 2);

	/* The second fsync is the directory's: the name is new, and the error is told. */
	disk.fsync_error = EIO;
	disk.fsync_skip = 1;
	assert_int_equal(file_write_atomic(p->fd, "f", "new", 3, 0600, -1, -1), -EIO);
	disk.fsync_error = 0;
	expect(p->fd, "f", "new");
	assert_int_equal(entries(p->fd, false), 2);
}

static void test_close_quietly(void **state)
{
	errno = EXDEV;
	close_quietly(-1);
	assert_int_equal(errno, EXDEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_close_quietly),
		cmocka_unit_test_setup_teardown(test_trusted, enter, leave),
		cmocka_unit_test_setup_teardown(test_trusted_owner, enter, leave),
		cmocka_unit_test_setup_teardown(test_odd_files, enter, leave),
		cmocka_unit_test_setup_teardown(test_bounds, enter, leave),
		cmocka_unit_test_setup_teardown(test_read_pipe, enter, leave),
		cmocka_unit_test_setup_teardown(test_write, enter, leave),
		cmocka_unit_test_setup_teardown(test_write_refused, enter, leave),
		cmocka_unit_test_setup_teardown(test_write_fails, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
