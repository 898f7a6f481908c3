#include "helper/writable.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"

#define LINKS_MAX 40 /* as many as Linux follows */

struct walk {
	int root;            /* where absolute paths begin; the caller's */
	int dir;             /* where it stands */
	bool sticky;         /* entries of DIR can be replaced by their owners */
	char rest[PATH_MAX]; /* what is left of the path */
	unsigned links;
};

static bool others(const struct stat *st)
{
	return st->st_uid != 0 || (st->st_mode & S_IWGRP && st->st_gid != 0) || st->st_mode & S_IWOTH;
}

/* Into the folder FD (taken).  1, 0 or -errno. */
static int enter(struct walk *w, int fd)
{
	struct stat st;

	close_p(&w->dir);
	w->dir = fd;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	w->sticky = st.st_mode & S_ISVTX && st.st_uid == 0;
	return others(&st) && !w->sticky;
}

static int begin(struct walk *w)
{
	return enter(w, fcntl(w->root, F_DUPFD_CLOEXEC, 3));
}

/* The link's text comes before what is left. */
static int follow(struct walk *w, const char *name)
{
	char text[PATH_MAX], whole[2 * PATH_MAX + 2];
	ssize_t n = readlinkat(w->dir, name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	if (++w->links > LINKS_MAX || (size_t)n == sizeof(text) - 1)
		return -ELOOP;
	text[n] = '\0';
	strcpy(whole, text);
	strcat(whole, "/");
	strcat(whole, w->rest);
	if (strlen(whole) >= sizeof(w->rest))
		return -ENAMETOOLONG;
	strcpy(w->rest, whole);
	return text[0] == '/' ? begin(w) : 0;
}

/* The next name of the path into NAME; false at the end. */
static bool next_name(struct walk *w, char name[static NAME_MAX + 2])
{
	char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	if (n == 0)
		return false;
	if (n > NAME_MAX)
		n = NAME_MAX + 1; /* there is no such name, and the kernel says so */
	memcpy(name, p, n);
	name[n] = '\0';
	memmove(w->rest, p + n, strlen(p + n) + 1);
	return true;
}

/* One name further. */
static int step(struct walk *w, const char *name)
{
	struct stat st;

	if (fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (w->sticky && st.st_uid != 0)
		return 1;
	if (S_ISLNK(st.st_mode))
		return follow(w, name);
	if (S_ISDIR(st.st_mode))
		return enter(w, openat(w->dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (w->rest[strspn(w->rest, "/")])
		return -ENOTDIR;
	return others(&st);
}

int writable_by_others(int root, const char *path)
{
	struct walk w = { .root = root, .dir = -1 };
	char name[NAME_MAX + 2];
	int r;

	if (path[0] != '/' || strlen(path) >= sizeof(w.rest))
		return path[0] == '/' ? -ENAMETOOLONG : -EINVAL;
	strcpy(w.rest, path);
	r = begin(&w);
	while (r == 0 && next_name(&w, name))
		r = step(&w, name);
	close_p(&w.dir);
	return r;
}
