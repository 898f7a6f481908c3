/* Paths as the process that asks would find them: its root directory came along with the question, for its /tmp may be another
 * than jitd's.  The walk is that of openat2(2) with RESOLVE_IN_ROOT, which RestrictSUIDSGID= of jitd.service takes away. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "helper/worker-jobs.h"
#include "lib/cleanup.h"

#define LINKS_MAX 40 /* as the kernel follows */

int job_root = -1;

struct walk {
	int at;              /* the folder that was come to; owned */
	char done[PATH_MAX]; /* its path below the root, "" or "/x/y", without a link in it */
	char rest[PATH_MAX]; /* what is to be walked from there */
	unsigned links;
};

static void walk_done(struct walk *w)
{
	close_p(&w->at);
}

static void step_to(struct walk *w, int fd)
{
	close_p(&w->at);
	w->at = fd;
}

/* The folder of w->done. */
static int go_back(struct walk *w)
{
	int fd = w->done[0] ? openat(job_root, w->done + 1, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC) :
		fcntl(job_root, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	step_to(w, fd);
	return 0;
}

static int go_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (slash)
		*slash = '\0';
	return go_back(w);
}

/* LINK is put in front of what is left to walk. */
static int follow(struct walk *w, int link)
{
	char target[PATH_MAX];
	struct statfs fs;
	ssize_t n;

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	/* Those of /proc lead elsewhere than they read, and mean the reader: us. */
	if (fstatfs(link, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
		return -ELOOP;
	n = readlinkat(link, "", target, sizeof(target) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	if ((size_t)n + 1 + strlen(w->rest) >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + n + 1, w->rest, strlen(w->rest) + 1);
	memcpy(w->rest, target, (size_t)n);
	w->rest[n] = '/';
	if (target[0] != '/')
		return 0;
	w->done[0] = '\0';
	return go_back(w);
}

static int go_to(struct walk *w, const char *name)
{
	struct stat st;
	CLEAN(close_p) int fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return follow(w, fd);
	if (strlen(w->done) + 1 + strlen(name) >= sizeof(w->done))
		return -ENAMETOOLONG;
	strcat(strcat(w->done, "/"), name);
	step_to(w, steal_fd(&fd));
	return 0;
}

/* The next name of w->rest is cut off into NAME; "": there is none. */
static int next_name(struct walk *w, char name[static NAME_MAX + 1])
{
	char *at = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(at, "/");

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, at, len);
	name[len] = '\0';
	memmove(w->rest, at + len, strlen(at + len) + 1);
	return 0;
}

static int walk(struct walk *w, const char *path)
{
	char name[NAME_MAX + 1];
	int r = 0;

	if (strlen(path) >= sizeof(w->rest))
		return -ENAMETOOLONG;
	strcpy(w->rest, path);
	r = go_back(w);
	while (r >= 0) {
		r = next_name(w, name);
		if (r < 0 || !name[0])
			break;
		if (!strcmp(name, ".."))
			r = go_up(w);
		else if (strcmp(name, ".") != 0)
			r = go_to(w, name);
	}
	return r;
}

int root_open(const char *path, struct stat *st)
{
	CLEAN(walk_done) struct walk w = { .at = -1 };
	int r = 0;

	if (job_root >= 0)
		r = walk(&w, path);
	else
		w.at = open(path, O_PATH | O_CLOEXEC);
	if (r < 0)
		return r;
	if (w.at < 0 || fstat(w.at, st) < 0)
		return -errno;
	return steal_fd(&w.at);
}
