#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/worker-jobs.h"
#include "helper/worker-wire.h"
#include "lib/cleanup.h"
#include "lib/json.h"

#define GROUPS_MAX 4096
#define NAMES_BUFFER (256 * 1024)
#define TTY_MAJOR 4
#define PTS_MAJOR_FIRST 136
#define PTS_MAJOR_LAST 143

int get_path(const struct json_object *q, const char *key, char **ret)
{
	CLEAN(free_p) char *s = NULL;
	struct json_object *o;
	size_t len;

	if (!json_object_object_get_ex(q, key, &o) || json_bytes_get(o, &s, &len) < 0)
		return -EINVAL;
	if (len == 0 || len >= PATH_MAX || strlen(s) != len)
		return -EINVAL;
	*ret = STEAL_PTR(s);
	return 0;
}

int job_account(const struct json_object *q, struct json_object *a)
{
	CLEAN(free_p) char *buf = malloc(NAMES_BUFFER), *name = NULL;
	struct passwd pw, *found = NULL;
	int r;

	if (!buf)
		return -ENOMEM;
	r = get_path(q, "name", &name);
	if (r < 0)
		return r;
	r = getpwnam_r(name, &pw, buf, NAMES_BUFFER, &found);
	if (r)
		return -r;
	return found ? json_add_u64(a, "uid", pw.pw_uid) : -ENOENT;
}

/* -ENODATA: there is no such group; other errors leave the whole list unknown. */
static int group_name(gid_t gid, char *buf, size_t size, const char **ret)
{
	struct group g, *found = NULL;
	int err = getgrgid_r(gid, &g, buf, size, &found);

	if (err)
		return -err;
	if (!found)
		return -ENODATA;
	*ret = g.gr_name;
	return 0;
}

static int group_names(const char *name, gid_t gid, struct json_object **ret)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();
	CLEAN(free_p) gid_t *gids = calloc(GROUPS_MAX, sizeof(*gids));
	CLEAN(free_p) char *buf = malloc(NAMES_BUFFER);
	int n = GROUPS_MAX;

	if (!list || !gids || !buf)
		return -ENOMEM;
	if (getgrouplist(name, gid, gids, &n) < 0)
		return -E2BIG;
	for (int i = 0; i < n; i++) {
		struct json_object *s;
		const char *group = NULL;
		int r = group_name(gids[i], buf, NAMES_BUFFER, &group);

		if (r == -ENODATA)
			continue;
		if (r < 0)
			return r;
		s = json_object_new_string(group);
		if (!s || json_object_array_add(list, s) < 0) {
			json_object_put(s);
			return -ENOMEM;
		}
	}
	*ret = STEAL_PTR(list);
	return 0;
}

int job_identity(const struct json_object *q, struct json_object *a)
{
	CLEAN(free_p) char *buf = malloc(NAMES_BUFFER);
	struct passwd pw, *found = NULL;
	struct json_object *groups;
	uint64_t uid;
	int r;

	if (!buf)
		return -ENOMEM;
	if (json_u64(q, "uid", &uid) < 0 || uid >= (uid_t)-1)
		return -EINVAL;
	r = getpwuid_r((uid_t)uid, &pw, buf, NAMES_BUFFER, &found);
	if (r)
		return -r;
	if (!found)
		return -ENOENT;
	r = json_add_str(a, "name", pw.pw_name);
	if (r < 0)
		return r;
	/* Without the list the groups are unknown, but the name is not. */
	if (group_names(pw.pw_name, pw.pw_gid, &groups) < 0)
		return 0;
	return json_add(a, "groups", groups);
}

/* "pts/3" and "tty1" (with or without /dev/): digits only, nothing else below /dev. */
static int terminal_path(const char *tty, char path[static 32])
{
	size_t head;

	if (strncmp(tty, "/dev/", 5) == 0)
		tty += 5;
	if (strncmp(tty, "pts/", 4) == 0)
		head = 4;
	else if (strncmp(tty, "tty", 3) == 0)
		head = 3;
	else
		return -EINVAL;
	if (!tty[head] || strlen(tty + head) > 10 || strspn(tty + head, "0123456789") != strlen(tty + head))
		return -EINVAL;
	snprintf(path, 32, "/dev/%s", tty);
	return 0;
}

static bool terminal_device(const struct stat *st)
{
	unsigned n = major(st->st_rdev);

	return S_ISCHR(st->st_mode) &&
		(n == TTY_MAJOR || (n >= PTS_MAJOR_FIRST && n <= PTS_MAJOR_LAST));
}

/* A terminal in raw mode does not make the carriage return itself.  One write, so that nothing comes in between. */
static int terminal_write(int fd, const char *text)
{
	CLEAN(free_p) char *out = malloc(2 * strlen(text) + 1);
	size_t n = 0;

	if (!out)
		return -ENOMEM;
	for (; *text; text++) {
		if (*text == '\n')
			out[n++] = '\r';
		out[n++] = *text;
	}
	return write(fd, out, n) < 0 ? -errno : 0;
}

int job_terminal(const struct json_object *q, struct json_object *a)
{
	CLEAN(close_p) int fd = -1;
	const char *tty = json_str(q, "tty"), *text = json_str(q, "text");
	char path[32];
	struct stat st;
	uint64_t uid;
	int r;

	if (!tty || !text || json_u64(q, "uid", &uid) < 0)
		return -EINVAL;
	r = terminal_path(tty, path);
	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!terminal_device(&st))
		return -ENOTTY;
	fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!terminal_device(&st))
		return -ENOTTY;
	/* It may be somebody else's by now. */
	if (st.st_uid != uid)
		return -EPERM;
	return terminal_write(fd, text);
}

int job_flush(const struct json_object *q, struct json_object *a)
{
	char *const argv[] = { (char *)(uintptr_t)"nscd", (char *)(uintptr_t)"-i", (char *)(uintptr_t)"group", NULL };
	char *const envp[] = { NULL };
	pid_t pid;
	int status, r;

	if (access("/run/nscd/socket", F_OK) < 0)
		return 0; /* none runs */
	r = posix_spawn(&pid, "/usr/sbin/nscd", NULL, NULL, argv, envp);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}
