#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

#define READ_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

static int open_error(struct why *w, const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return why(w, -error, "%s: there is no such file", path);
	case ELOOP:
		return why(w, -error, "%s: is a symbolic link; put the file itself there", path);
	default:
		return why(w, -error, "%s: cannot be opened: %s", path, strerrordesc_np(error) ?: "unknown error");
	}
}

int file_open_trusted(int dirfd, const char *path, uid_t owner, struct why *w)
{
	CLEAN(close_p) int fd = openat(dirfd, path, READ_FLAGS);
	struct stat st;

	if (owner == (uid_t)-1)
		owner = 0;
	if (fd < 0)
		return open_error(w, path, errno);
	if (fstat(fd, &st) < 0)
		return open_error(w, path, errno);
	if (!S_ISREG(st.st_mode))
		return why(w, -EINVAL, "%s: is not a regular file", path);
	/* What root wrote is trusted by everybody: root could as well write the owner's own file. */
	if (st.st_uid != owner && st.st_uid != 0) {
		if (owner == 0)
			return why(w, -EPERM, "%s: belongs to user %u, not to root; if it is yours to trust: chown root %s",
				path, (unsigned)st.st_uid, path);
		return why(w, -EPERM, "%s: belongs to user %u; if it is yours to trust: chown %u %s", path,
			(unsigned)st.st_uid, (unsigned)owner, path);
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return why(w, -EPERM, "%s: others than its owner may write to it (mode %04o); chmod go-w %s", path,
			(unsigned)(st.st_mode & 07777), path);
	return steal_fd(&fd);
}

int file_read_all(int fd, size_t max, char **ret, size_t *ret_len)
{
	CLEAN(free_p) char *buf = NULL;
	size_t len = 0, size = 0;

	if (max > SSIZE_MAX / 2)
		max = SSIZE_MAX / 2;
	for (;;) {
		ssize_t n;

		/* One byte more than MAX shows that there is more, one holds the NUL. */
		if (size - len < 2) {
			size_t bigger = size < 4096 ? 4096 : 2 * size;
			char *grown;

			if (bigger > max + 2)
				bigger = max + 2;
			grown = realloc(buf, bigger);
			if (!grown)
				return -ENOMEM;
			buf = grown;
			size = bigger;
		}
		n = read(fd, buf + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	}
	buf[len] = '\0';
	*ret = STEAL_PTR(buf);
	*ret_len = len;
	return 0;
}

int file_read_untrusted(int dirfd, const char *name, size_t max, char **ret, size_t *ret_len)
{
	CLEAN(close_p) int fd = openat(dirfd, name, READ_FLAGS);
	struct stat st;

	if (fd < 0) /* a socket says ENXIO, a device without driver ENODEV */
		return errno == ENXIO || errno == ENODEV ? -EINVAL : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (uintmax_t)st.st_size > max)
		return -EFBIG;
	return file_read_all(fd, max, ret, ret_len);
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

#define TMP_NAME_SIZE 32

static int tmp_open(int dirfd, char name[static TMP_NAME_SIZE])
{
	for (int try = 0; try < 8; try++) {
		uint64_t random;
		int fd;

		if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
			return errno == EINTR ? -EAGAIN : -EIO;
		(void)snprintf(name, TMP_NAME_SIZE, ".tmp-%016llx", (unsigned long long)random);
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* Owner before mode: a chown takes set-id bits away. */
static int tmp_fill(int fd, const void *data, size_t len, mode_t mode, uid_t uid, gid_t gid)
{
	int r;

	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode, uid_t uid, gid_t gid)
{
	/* Opened again: DIRFD may be AT_FDCWD or O_PATH, which fsync(2) does not take. */
	CLEAN(close_p) int dir = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEAN(close_p) int fd = -1;
	char tmp[TMP_NAME_SIZE];
	int r;

	if (dir < 0)
		return -errno;
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	fd = tmp_open(dir, tmp);
	if (fd < 0)
		return fd;
	r = tmp_fill(fd, data, len, mode, uid, gid);
	/* A late write error shows at close(2) on some filesystems. */
	if (close(steal_fd(&fd)) < 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, tmp, 0);
		return r;
	}
	return fsync(dir) < 0 ? -errno : 0;
}

int number_parse(const char *text, unsigned long long max, unsigned long long *ret)
{
	unsigned long long value = 0;

	if (!text || !*text || text[strspn(text, "0123456789")] != '\0')
		return -EINVAL;
	for (; *text; text++)
		if (__builtin_mul_overflow(value, 10ULL, &value) ||
			__builtin_add_overflow(value, (unsigned long long)(*text - '0'), &value))
			return -ERANGE;
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}
