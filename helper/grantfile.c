#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper/dirs.h"
#include "helper/grantfile.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"

static int grants_open(void)
{
	int fd = open(dirs.grants, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void grantfile_done(struct grantfile *g)
{
	for (size_t i = 0; i < g->n_sessions; i++)
		free(g->sessions[i]);
	free(g->sessions);
	free(g->pids);
	memset(g, 0, sizeof(*g));
}

static int pids_format(const struct grantfile *g, struct json_object *o)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_pids; i++) {
		CLEAN(json_put_p) struct json_object *p = json_object_new_object();

		if (!p || json_add_u64(p, "pid", (uint64_t)g->pids[i].pid) < 0 ||
		    json_add_u64(p, "start", g->pids[i].start) < 0 || json_object_array_add(list, p) < 0)
			return -ENOMEM;
		p = NULL;
	}
	return json_add(o, "pids", STEAL_PTR(list));
}

static int sessions_format(const struct grantfile *g, struct json_object *o)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_sessions; i++) {
		CLEAN(json_put_p) struct json_object *s = json_object_new_string(g->sessions[i]);

		if (!s || json_object_array_add(list, s) < 0)
			return -ENOMEM;
		s = NULL;
	}
	return json_add(o, "sessions", STEAL_PTR(list));
}

int grantfile_write(const struct grantfile *g)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	CLEAN(close_p) int dir = -1;
	const char *text;

	if (!id_valid(g->id) || g->n_pids > GRANTFILE_PIDS || g->n_sessions > GRANTFILE_SESSIONS)
		return -EINVAL;
	if (!o || json_add_u64(o, "v", 1) < 0 || json_add_str(o, "id", g->id) < 0 ||
	    json_add_str(o, "boot", g->boot) < 0 || json_add_u64(o, "deadline", g->deadline) < 0 ||
	    json_add_u64(o, "grace", g->grace) < 0 ||
	    json_add_str(o, "at_end", g->drain ? "drain" : "terminate") < 0 ||
	    (g->uid != (uid_t)-1 && json_add_u64(o, "uid", g->uid) < 0) || pids_format(g, o) < 0 || sessions_format(g, o) < 0)
		return -ENOMEM;
	text = json_text(o);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > GRANTFILE_MAX)
		return -EFBIG;
	dir = grants_open();
	if (dir < 0)
		return dir;
	return file_write_atomic(dir, g->id, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1);
}

static int pids_parse(struct json_object *list, struct grantfile *g, struct why *w)
{
	size_t n = list ? json_object_array_length(list) : 0;

	if (n > GRANTFILE_PIDS)
		return why(w, -EINVAL, "too many processes");
	if (n == 0)
		return 0;
	g->pids = calloc(n, sizeof(*g->pids));
	if (!g->pids)
		return why(w, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		struct json_object *p = json_object_array_get_idx(list, i);
		uint64_t pid, start;

		if (json_u64(p, "pid", &pid) < 0 || json_u64(p, "start", &start) < 0 || pid < 2 || pid > INT32_MAX)
			return why(w, -EINVAL, "pids: not a process");
		g->pids[g->n_pids++] = (struct grantfile_pid){ .pid = (pid_t)pid, .start = start };
	}
	return 0;
}

/* logind names sessions with letters and digits; anything else never reaches it. */
static bool session_valid(const char *s)
{
	return s && *s && strlen(s) <= SESSION_MAX &&
		strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == strlen(s);
}

static int sessions_parse(struct json_object *list, struct grantfile *g, struct why *w)
{
	size_t n = list ? json_object_array_length(list) : 0;

	if (n > GRANTFILE_SESSIONS)
		return why(w, -EINVAL, "too many sessions");
	if (n == 0)
		return 0;
	g->sessions = calloc(n, sizeof(*g->sessions));
	if (!g->sessions)
		return why(w, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *s = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;

		if (!session_valid(s))
			return why(w, -EINVAL, "sessions: not a session");
		g->sessions[g->n_sessions] = strdup(s);
		if (!g->sessions[g->n_sessions])
			return why(w, -ENOMEM, "out of memory");
		g->n_sessions++;
	}
	return 0;
}

static int grantfile_parse(const char *text, size_t len, const jit_id id, struct grantfile *g, struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	const char *s;
	uint64_t v;
	int r = json_parse(text, len, &o, w);

	if (r < 0)
		return r;
	if (json_u64(o, "v", &v) < 0 || v != 1)
		return why(w, -EINVAL, "unknown version");
	s = json_str(o, "id");
	if (!s || strcmp(s, id) != 0)
		return why(w, -EINVAL, "the file of another grant");
	memcpy(g->id, id, sizeof(g->id));
	s = json_str(o, "boot");
	if (!s || strlen(s) != BOOT_ID_LEN)
		return why(w, -EINVAL, "no boot id");
	memcpy(g->boot, s, sizeof(g->boot));
	if (json_u64(o, "deadline", &g->deadline) < 0 || json_u64(o, "grace", &g->grace) < 0)
		return why(w, -EINVAL, "no deadline or grace");
	s = json_str(o, "at_end");
	if (!s || (strcmp(s, "terminate") != 0 && strcmp(s, "drain") != 0))
		return why(w, -EINVAL, "no at_end");
	g->drain = strcmp(s, "drain") == 0;
	r = json_u64(o, "uid", &v);
	if ((r < 0 && r != -ENOENT) || (r >= 0 && v >= (uid_t)-1))
		return why(w, -EINVAL, "uid: not a user");
	g->uid = r < 0 ? (uid_t)-1 : (uid_t)v;
	r = pids_parse(json_arr(o, "pids"), g, w);
	return r < 0 ? r : sessions_parse(json_arr(o, "sessions"), g, w);
}

static void drained_name(const jit_id id, char name[static ID_LEN + 16])
{
	snprintf(name, ID_LEN + 16, "%s.drained", id);
}

int grantfile_read(const jit_id id, struct grantfile *ret, struct why *w)
{
	CLEAN(grantfile_done) struct grantfile g = { 0 };
	CLEAN(free_p) char *text = NULL;
	CLEAN(close_p) int dir = grants_open(), fd = -1;
	char name[ID_LEN + 16];
	size_t len;
	int r;

	if (dir < 0)
		return why(w, dir, "%s: %s", dirs.grants, strerror(-dir));
	fd = file_open_trusted(dir, id, geteuid(), w);
	if (fd == -ENOENT) {
		drained_name(id, name);
		return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ?
			why(w, -EALREADY, "%s was let drain before", id) : -ENOENT;
	}
	if (fd < 0)
		return fd;
	r = file_read_all(fd, GRANTFILE_MAX, &text, &len);
	if (r < 0)
		return why(w, r, "%s/%s: %s", dirs.grants, id, strerror(-r));
	r = grantfile_parse(text, len, id, &g, w);
	if (r < 0)
		return r;
	*ret = g;
	memset(&g, 0, sizeof(g));
	return 0;
}

int grantfile_drained(const jit_id id)
{
	CLEAN(close_p) int dir = grants_open();
	char name[ID_LEN + 16];

	if (dir < 0)
		return dir;
	drained_name(id, name);
	return renameat(dir, id, dir, name) < 0 ? -errno : 0;
}

int grantfile_remove(const jit_id id)
{
	CLEAN(close_p) int dir = grants_open();
	char name[ID_LEN + 16];
	int r = 0;

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return dir;
	drained_name(id, name);
	if (unlinkat(dir, id, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int process_start(pid_t pid, uint64_t *ret)
{
	CLEAN(close_p) int fd = -1;
	char path[32], text[1024], *p;
	unsigned long long start;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* The name may hold anything, a ')' too: the last one ends it.  Then field 3 (state) and on to 22. */
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1,
		" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &start) != 1)
		return -EIO;
	*ret = start;
	return 0;
}
