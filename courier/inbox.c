#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "courier/inbox.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"

#define STAGED ".tmp-courier-"
#define NAME_SIZE 96

static const char *const types[] = { "decision", "revoke", "check" };

static void final_name(const struct inbox_item *i, char buf[static NAME_SIZE])
{
	snprintf(buf, NAME_SIZE, "%s-%" PRIu64 ".json", i->type, i->n);
}

static void staged_name(const struct inbox_item *i, char buf[static NAME_SIZE])
{
	snprintf(buf, NAME_SIZE, STAGED "%s-%" PRIu64 ".json", i->type, i->n);
}

static int write_staged(int dirfd, const char *name, const char *text)
{
	CLEAN(close_p) int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	if (r >= 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

int inbox_stage(int dirfd, const struct inbox_item *i, const char *text)
{
	char name[NAME_SIZE];
	int r;

	staged_name(i, name);
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	r = write_staged(dirfd, name, text);
	if (r < 0)
		inbox_drop(dirfd, i);
	return r;
}

int inbox_commit(int dirfd, const struct inbox_item *i)
{
	char staged[NAME_SIZE], name[NAME_SIZE];

	staged_name(i, staged);
	final_name(i, name);
	return renameat(dirfd, staged, dirfd, name) < 0 ? -errno : 0;
}

void inbox_drop(int dirfd, const struct inbox_item *i)
{
	char name[NAME_SIZE];

	staged_name(i, name);
	(void)unlinkat(dirfd, name, 0);
}

int inbox_put(int dirfd, const char *name, const char *text)
{
	char staged[NAME_SIZE];
	int r;

	if ((size_t)snprintf(staged, sizeof(staged), STAGED "%s", name) >= sizeof(staged))
		return -ENAMETOOLONG;
	r = write_staged(dirfd, staged, text);
	if (r >= 0 && renameat(dirfd, staged, dirfd, name) < 0)
		r = -errno;
	if (r < 0 && r != -EEXIST)
		(void)unlinkat(dirfd, staged, 0);
	return r;
}

static bool parse_staged(const char *name, struct inbox_item *ret)
{
	unsigned long long n;
	char digits[24];
	size_t len;

	if (strncmp(name, STAGED, strlen(STAGED)))
		return false;
	name += strlen(STAGED);
	for (size_t t = 0; t < ELEMENTS(types); t++) {
		len = strlen(types[t]);
		if (strncmp(name, types[t], len) || name[len] != '-')
			continue;
		len = strspn(name + len + 1, "0123456789");
		name += strlen(types[t]) + 1;
		if (len == 0 || len >= sizeof(digits) || strcmp(name + len, ".json"))
			return false;
		memcpy(digits, name, len);
		digits[len] = '\0';
		if (number_parse(digits, UINT64_MAX, &n) < 0)
			return false;
		*ret = (struct inbox_item){ types[t], n };
		return true;
	}
	return false;
}

int inbox_recover(int dirfd, uint64_t cursor)
{
	CLEAN(closedir_p) DIR *dir = NULL;
	CLEAN(close_p) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct inbox_item i;
	struct dirent *de;
	int r = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -errno;
	fd = -1; /* the directory stream's now */
	while ((errno = 0, de = readdir(dir))) {
		if (!parse_staged(de->d_name, &i))
			continue;
		if (i.n > cursor)
			inbox_drop(dirfd, &i);
		else if (inbox_commit(dirfd, &i) < 0)
			r = -EIO;
	}
	return errno ? -errno : r;
}
