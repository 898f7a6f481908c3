#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "helper/dirs.h"
#include "helper/units-cgroup.h"
#include "helper/units.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#define DEPTH_MAX 16

const char *cgroup_root(void)
{
	static const char mounted[] = "/sys/fs/cgroup";
	struct statfs fs;

	if (dirs.cgroup)
		return dirs.cgroup;
	return statfs(mounted, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC ? mounted : NULL;
}

static int slice_open(const char *unit)
{
	const char *root = cgroup_root();
	char path[256];
	int fd;

	if (!root)
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "%s/jit.slice/jit-%s.slice", root, unit);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A small file of the hierarchy, read whole. */
static ssize_t read_small(int dirfd, const char *name, char *buf, size_t size)
{
	CLEAN(close_p) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

bool units_contains(const jit_id id, pid_t pid)
{
	char unit[ID_UNIT_LEN + 1], path[32], text[8192], below[64], *line, *save = NULL;

	id_unit(id, unit);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (read_small(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	/* Anchored at the root: a user may make a cgroup of any name below the user's own. */
	snprintf(below, sizeof(below), "/jit.slice/jit-%s.slice/", unit);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *cgroup = strncmp(line, "0::", 3) == 0 ? line + 3 : strstr(line, ":name=systemd:");

		if (!cgroup)
			continue;
		if (*cgroup == ':')
			cgroup += strlen(":name=systemd:");
		if (strncmp(cgroup, below, strlen(below)) == 0)
			return true;
	}
	return false;
}

static int procs_each(int dirfd, cgroup_seen seen, void *userdata)
{
	CLEAN(fclose_p) FILE *f = NULL;
	int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC), n = 0;
	char line[32];

	if (fd < 0)
		return 0; /* gone, or threaded: then the processes stand above */
	f = fdopen(fd, "r");
	if (!f) {
		close_quietly(fd);
		return -ENOMEM;
	}
	while (fgets(line, sizeof(line), f)) {
		n++;
		if (seen)
			seen((pid_t)atoi(line), userdata);
	}
	return n;
}

/* The processes of DIRFD and of everything below it. */
static int walk(int dirfd, unsigned depth, cgroup_seen seen, void *userdata)
{
	CLEAN(closedir_p) DIR *d = NULL;
	struct dirent *e;
	int fd, n = procs_each(dirfd, seen, userdata);

	if (n < 0 || depth >= DEPTH_MAX)
		return n;
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close_quietly(fd);
		return n;
	}
	while ((e = readdir(d))) {
		CLEAN(close_p) int sub = -1;
		int more;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		more = sub < 0 ? 0 : walk(sub, depth + 1, seen, userdata);
		if (more < 0)
			return more;
		n += more;
	}
	return n;
}

int cgroup_each(const char *unit, cgroup_seen seen, void *userdata)
{
	CLEAN(close_p) int fd = slice_open(unit);

	if (fd == -ENOENT)
		return 0;
	return fd < 0 ? fd : walk(fd, 0, seen, userdata);
}

int cgroup_events(const char *unit, char *path, size_t size)
{
	const char *root = cgroup_root();

	if (!root)
		return -EOPNOTSUPP;
	return (size_t)snprintf(path, size, "%s/jit.slice/jit-%s.slice/cgroup.events", root, unit) < size ? 0 : -ENAMETOOLONG;
}

int units_population(const jit_id id)
{
	char unit[ID_UNIT_LEN + 1];

	id_unit(id, unit);
	return cgroup_each(unit, NULL, NULL);
}

struct unbegun {
	const char *id;
	uid_t uid;
	unsigned killed;
};

/* Has a child of it been born in the slice?  One from before (askpass) stands elsewhere.  A kernel that does not list
 * children leaves the question whether it is stopped. */
static bool has_begun(const struct unbegun *u, pid_t pid, const char *status)
{
	char path[64], text[4096], *word, *save = NULL;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	if (read_small(AT_FDCWD, path, text, sizeof(text)) < 0)
		return !strstr(status, "\nState:\tT");
	for (word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
		if (units_contains(u->id, (pid_t)atoi(word)))
			return true;
	return false;
}

/* sudo and su are the requester's processes by their real uid and root's by the effective one; what they start is the
 * target's by both. */
static void kill_unbegun(pid_t pid, void *userdata)
{
	struct unbegun *u = userdata;
	CLEAN(close_p) int fd = pidfd_open(pid, 0);
	char path[32], text[4096], *uids;
	uid_t real, effective;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (fd < 0 || read_small(AT_FDCWD, path, text, sizeof(text)) < 0)
		return;
	uids = strstr(text, "\nUid:\t");
	if (!uids || sscanf(uids + strlen("\nUid:\t"), "%u %u", &real, &effective) != 2 || real != u->uid ||
	    effective == real || has_begun(u, pid, text))
		return;
	if (pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0)
		u->killed++;
}

unsigned units_kill_unbegun(const jit_id id, uid_t uid)
{
	struct unbegun u = { .id = id, .uid = uid };
	char unit[ID_UNIT_LEN + 1];

	id_unit(id, unit);
	cgroup_each(unit, kill_unbegun, &u);
	return u.killed;
}

int cgroup_live_scope(const char *unit, char *name, size_t size)
{
	CLEAN(close_p) int fd = slice_open(unit);
	CLEAN(closedir_p) DIR *d = NULL;
	char events[128], path[NAME_MAX + 32];
	struct dirent *e;
	int own;

	if (fd < 0)
		return fd;
	own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = own < 0 ? NULL : fdopendir(own);
	if (!d) {
		if (own >= 0)
			close_quietly(own);
		return -ENOENT;
	}
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len >= size || len < 6 || strncmp(e->d_name, "jit-", 4) != 0 || strcmp(e->d_name + len - 6, ".scope") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/cgroup.events", e->d_name);
		if (read_small(fd, path, events, sizeof(events)) < 0 || !strstr(events, "populated 1"))
			continue;
		snprintf(name, size, "%s", e->d_name);
		return 0;
	}
	return -ENOENT;
}

static int write_small(int dirfd, const char *name, const char *text)
{
	CLEAN(close_p) int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int cgroup_join(const char *unit, const char *name, pid_t pid)
{
	CLEAN(close_p) int fd = slice_open(unit);
	char path[UNIT_NAME_SIZE + 32], text[16];

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	snprintf(text, sizeof(text), "%d\n", (int)pid);
	return write_small(fd, path, text);
}

int cgroup_kill(const char *unit)
{
	CLEAN(close_p) int fd = slice_open(unit);

	return fd < 0 ? fd : write_small(fd, "cgroup.kill", "1");
}
