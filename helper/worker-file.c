/* What jit-worker says of files that are to be run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/identity.h"
#include "helper/shebang.h"
#include "helper/worker.h"
#include "helper/worker-jobs.h"
#include "helper/worker-wire.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define DIGESTS_USEC (WORKER_TIMEOUT_USEC / 2) /* for all digests of one question; a file that is left over has none */
#define SUDO_SHELL "/bin/sh" /* runs what execve() calls no executable format */

/* Judged before it is opened for reading: the opening of a fifo or a device is an act of its own. */
static int open_regular(const char *path, struct stat *st, bool *ret_known)
{
	CLEAN(close_p) int place = root_open(path, st);
	char again[32];
	int fd;

	if (place < 0)
		return place;
	if (!S_ISREG(st->st_mode))
		return S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
	*ret_known = true;
	if (st->st_size > WORKER_FILE_MAX)
		return -EFBIG;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	fd = open(again, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static uint64_t nanoseconds(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

/* The head is read even where there is no digest: what runs a huge script is known all the same. */
static int read_file(struct identity_file *f, uint64_t until, struct shebang *ret)
{
	struct stat st;
	CLEAN(close_p) int fd = open_regular(f->path, &st, &f->known);
	char head[SHEBANG_HEAD];
	ssize_t n;

	if (f->known) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
		f->size = (uint64_t)st.st_size;
		f->mtime = nanoseconds(&st.st_mtim);
		f->ctime = nanoseconds(&st.st_ctim);
		f->mode = st.st_mode;
		f->uid = st.st_uid;
	}
	if (fd < 0)
		return fd;
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	shebang_parse(head, (size_t)n, ret);
	return sha256_fd_hex(fd, WORKER_FILE_MAX, until, f->sha256);
}

/* Each file once: a script that is its own interpreter is no riddle that must be solved here. */
static void add_file(struct identity *id, const char *path)
{
	for (unsigned i = 0; i < id->n; i++)
		if (!strcmp(id->file[i].path, path))
			return;
	if (id->n < IDENTITY_FILES)
		id->file[id->n].path = strdup(path);
	if (id->n == IDENTITY_FILES || !id->file[id->n].path)
		id->untold = true;
	else
		id->n++;
}

/* "#!/usr/bin/env python3": the program that env will find. */
static void add_env_program(struct identity *id, const char *argument, const struct json_object *q)
{
	CLEAN(free_p) char *path = NULL;
	char name[SHEBANG_HEAD];

	if (shebang_env(argument, name) && search_path(q, name, &path) >= 0)
		add_file(id, path);
	else
		id->untold = true;
}

static void add_interpreter(struct identity *id, const struct shebang *s, const struct json_object *q)
{
	const char *base = strrchr(s->interpreter, '/');

	if (s->interpreter[0] != '/') { /* from the directory where it is run */
		id->untold = true;
		return;
	}
	add_file(id, s->interpreter);
	if (!strcmp(base, "/env"))
		add_env_program(id, s->argument, q);
}

int job_file(const struct json_object *q, struct json_object *a)
{
	CLEAN(identity_done) struct identity id = { 0 };
	CLEAN(free_p) char *path = NULL;
	uint64_t until = clock_mono() + DIGESTS_USEC;
	int r = get_path(q, "path", &path);

	if (r < 0)
		return r;
	if (path[0] != '/')
		return -EINVAL;
	add_file(&id, path);
	for (unsigned i = 0; i < id.n; i++) {
		struct shebang s = { { 0 }, { 0 }, false };

		id.file[i].error = read_file(&id.file[i], until, &s);
		if (s.interpreter[0])
			add_interpreter(&id, &s, q);
		else if (s.shell && i == 0)
			add_file(&id, SUDO_SHELL);
		else if (s.shell)
			id.untold = true;
	}
	return json_add(a, "identity", identity_json(&id));
}

/* As sudo judges a command: a regular file that somebody may execute. */
static int executable(const char *path)
{
	struct stat st;
	CLEAN(close_p) int fd = root_open(path, &st);

	if (fd < 0)
		return fd;
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) ? 0 : -EACCES;
}

static int try_path(const char *dir, const char *name, char **ret)
{
	CLEAN(free_p) char *path = NULL;
	size_t len = strlen(dir);
	int r;

	if (asprintf(&path, "%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name) < 0)
		return -ENOMEM;
	r = executable(path);
	if (r >= 0)
		*ret = STEAL_PTR(path);
	return r;
}

int search_path(const struct json_object *q, const char *name, char **ret)
{
	struct json_object *list = json_arr(q, "search");
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		CLEAN(free_p) char *dir = NULL;
		size_t len;
		int r;

		if (json_bytes_get(json_object_array_get_idx(list, i), &dir, &len) < 0 || dir[0] != '/')
			continue;
		r = try_path(dir, name, ret);
		if (r >= 0 || r == -ENOMEM)
			return r;
	}
	return -ENOENT;
}

static int find_command(const struct json_object *q, char **ret)
{
	CLEAN(free_p) char *name = NULL, *cwd = NULL;
	const char *rest;
	int r = get_path(q, "name", &name);

	if (r < 0)
		return r;
	if (name[0] == '/') {
		r = executable(name);
		if (r >= 0)
			*ret = STEAL_PTR(name);
		return r;
	}
	if (!strchr(name, '/'))
		return search_path(q, name, ret);
	r = get_path(q, "cwd", &cwd);
	if (r < 0 || cwd[0] != '/')
		return -EINVAL;
	for (rest = name; rest[0] == '.' && rest[1] == '/';) {
		rest += 2;
		rest += strspn(rest, "/");
	}
	return try_path(cwd, rest, ret);
}

int job_lookup(const struct json_object *q, struct json_object *a)
{
	CLEAN(free_p) char *path = NULL;
	int r = find_command(q, &path);

	return r < 0 ? r : json_add(a, "path", json_bytes(path, strlen(path)));
}
