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
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/json.h"

#define GROUPS_MAX 4096
#define NAMES_BUFFER (256 * 1024)
#define SCRIPT_LINE 256 /* as much as the kernel reads of a script (BINPRM_BUF_SIZE) */
#define TTY_MAJOR 4
#define PTS_MAJOR_FIRST 136
#define PTS_MAJOR_LAST 143

/* A string of bytes without NUL, of a path's length at most. */
static int get_path(const struct json_object *q, const char *key, char **ret)
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

/* Judged before it is opened for reading: the opening of a fifo or a device is an act of its own. */
static int open_regular(const char *path, struct stat *st)
{
	CLEAN(close_p) int place = open(path, O_PATH | O_CLOEXEC);
	char again[32];
	int fd;

	if (place < 0 || fstat(place, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
	if (st->st_size > WORKER_FILE_MAX)
		return -EFBIG;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	fd = open(again, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Of "#! /bin/sh -e" the path; NULL when it is no script. */
static char *interpreter(int fd)
{
	char line[SCRIPT_LINE + 1], *p, *end;
	ssize_t n = pread(fd, line, SCRIPT_LINE, 0);

	if (n < 2 || line[0] != '#' || line[1] != '!')
		return NULL;
	line[n] = '\0';
	p = line + 2 + strspn(line + 2, " \t");
	end = p + strcspn(p, " \t\n");
	*end = '\0';
	return end > p ? strdup(p) : NULL;
}

static int add_bytes(struct json_object *o, const char *key, const char *s)
{
	struct json_object *b = json_bytes(s, strlen(s));

	return b ? json_add(o, key, b) : -ENOMEM;
}

int job_file(const struct json_object *q, struct json_object *a)
{
	CLEAN(free_p) char *path = NULL, *script = NULL;
	CLEAN(close_p) int fd = -1;
	char digest[SHA256_HEX + 1];
	struct stat st;
	int r = get_path(q, "path", &path);

	if (r < 0)
		return r;
	if (path[0] != '/')
		return -EINVAL;
	fd = open_regular(path, &st);
	if (fd < 0)
		return fd;
	r = sha256_fd_hex(fd, WORKER_FILE_MAX, digest);
	if (r < 0)
		return r;
	script = interpreter(fd);
	r = json_add_str(a, "sha256", digest);
	if (r >= 0)
		r = json_add_u64(a, "dev", st.st_dev);
	if (r >= 0)
		r = json_add_u64(a, "ino", st.st_ino);
	if (r >= 0)
		r = json_add_u64(a, "size", (uint64_t)st.st_size);
	if (r >= 0 && script)
		r = add_bytes(a, "interpreter", script);
	return r;
}

/* As sudo judges a command: a regular file that somebody may execute. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) ? 0 : -EACCES;
}

static int try_path(const char *dir, const char *name, struct json_object *a)
{
	CLEAN(free_p) char *path = NULL;
	size_t len = strlen(dir);
	int r;

	if (asprintf(&path, "%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name) < 0)
		return -ENOMEM;
	r = executable(path);
	return r < 0 ? r : add_bytes(a, "path", path);
}

static int search_path(const struct json_object *q, const char *name, struct json_object *a)
{
	struct json_object *list = json_arr(q, "search");
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		CLEAN(free_p) char *dir = NULL;
		size_t len;
		int r;

		if (json_bytes_get(json_object_array_get_idx(list, i), &dir, &len) < 0 || dir[0] != '/')
			continue;
		r = try_path(dir, name, a);
		if (r >= 0 || r == -ENOMEM)
			return r;
	}
	return -ENOENT;
}

int job_lookup(const struct json_object *q, struct json_object *a)
{
	CLEAN(free_p) char *name = NULL, *cwd = NULL;
	const char *rest;
	int r = get_path(q, "name", &name);

	if (r < 0)
		return r;
	if (name[0] == '/') {
		r = executable(name);
		return r < 0 ? r : add_bytes(a, "path", name);
	}
	if (!strchr(name, '/'))
		return search_path(q, name, a);
	r = get_path(q, "cwd", &cwd);
	if (r < 0 || cwd[0] != '/')
		return -EINVAL;
	for (rest = name; rest[0] == '.' && rest[1] == '/';) {
		rest += 2;
		rest += strspn(rest, "/");
	}
	return try_path(cwd, rest, a);
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
