#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "helper/worker-lane.h"
#include "lib/cleanup.h"
#include "lib/json.h"

#define WHOSE_NAME (UINT64_C(1) << 32) /* above every uid: whose name it is that has none yet */

struct worker {
	struct lane *lane[LANES];
	int ticket;
};

/* ---- answers ---- */

static void account_answer(struct job *j, int result, const struct json_object *a)
{
	uint64_t uid;

	if (result >= 0 && (json_u64(a, "uid", &uid) < 0 || uid >= (uid_t)-1))
		result = -EIO;
	j->done.account(result, result < 0 ? (uid_t)-1 : (uid_t)uid, j->userdata);
}

static int strings_get(const struct json_object *list, char ***ret)
{
	size_t n = json_object_array_length(list);
	char **s = calloc(n + 1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		s[i] = json_object_is_type(o, json_type_string) ? strdup(json_object_get_string(o)) : NULL;
		if (!s[i]) {
			while (i > 0)
				free(s[--i]);
			free(s);
			return -EIO;
		}
	}
	*ret = s;
	return 0;
}

static void strings_free(char **s)
{
	for (size_t i = 0; s && s[i]; i++)
		free(s[i]);
	free(s);
}

static void identity_answer(struct job *j, int result, const struct json_object *a)
{
	CLEAN(free_p) char *name = NULL;
	struct worker_identity id = { 0 };
	const char *s = a ? json_str(a, "name") : NULL;
	const struct json_object *groups = a ? json_arr(a, "groups") : NULL;

	id.name = name = s ? strdup(s) : NULL;
	if (result >= 0 && !name)
		result = -EIO;
	else if (result >= 0 && groups)
		result = strings_get(groups, &id.groups);
	j->done.identity(result, result < 0 ? NULL : &id, j->userdata);
	strings_free(id.groups);
}

static char *bytes_member(const struct json_object *a, const char *key)
{
	struct json_object *o;
	char *s = NULL;
	size_t len;

	if (!json_object_object_get_ex(a, key, &o) || json_bytes_get(o, &s, &len) < 0)
		return NULL;
	if (strlen(s) != len) {
		free(s);
		return NULL;
	}
	return s;
}

static void file_answer(struct job *j, int result, const struct json_object *a)
{
	CLEAN(identity_done) struct identity id = { 0 };
	struct json_object *o = a ? json_obj(a, "identity") : NULL;

	if (result >= 0 && (!o || identity_parse(o, &id) < 0 || id.n == 0))
		result = -EIO;
	j->done.file(result, result < 0 ? NULL : &id, j->userdata);
}

static void path_answer(struct job *j, int result, const struct json_object *a)
{
	CLEAN(free_p) char *path = a ? bytes_member(a, "path") : NULL;

	if (result >= 0 && !path)
		result = -EIO;
	j->done.path(result, result < 0 ? NULL : path, j->userdata);
}

/* ---- the worker ---- */

static void worker_free_p(struct worker **w)
{
	worker_free(*w);
}

int worker_new(sd_event *event, struct worker **ret)
{
	CLEAN(worker_free_p) struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	for (enum lane_kind k = 0; k < LANES; k++) {
		int r = lane_new(event, k, &w->lane[k]);

		if (r < 0)
			return r;
	}
	*ret = STEAL_PTR(w);
	return 0;
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	for (enum lane_kind k = 0; k < LANES; k++)
		lane_free(w->lane[k]);
	free(w);
	return NULL;
}

void worker_warm(struct worker *w)
{
	for (enum lane_kind k = 0; k < LANES; k++)
		lane_warm(w->lane[k]);
}

void worker_cancel(struct worker *w, int ticket)
{
	for (enum lane_kind k = 0; k < LANES; k++)
		if (lane_cancel(w->lane[k], ticket))
			return;
}

/* ---- questions ---- */

static void job_free_p(struct job **j)
{
	job_free(*j);
}

static struct job *job_new(struct worker *w, const char *verb, uint64_t whose, void *userdata)
{
	CLEAN(job_free_p) struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	w->ticket = w->ticket == INT_MAX ? 1 : w->ticket + 1;
	j->ticket = w->ticket;
	j->root = -1;
	j->whose = whose;
	j->limit_usec = WORKER_TIMEOUT_USEC;
	j->userdata = userdata;
	j->question = json_object_new_object();
	if (!j->question || json_add_u64(j->question, "n", (uint64_t)j->ticket) < 0 ||
	    json_add_str(j->question, "do", verb) < 0)
		return NULL;
	return STEAL_PTR(j);
}

/* R is what filling J came to; J is taken.  The ticket, or -errno. */
static int job_queue(struct worker *w, enum lane_kind lane, struct job *j, int r)
{
	int ticket = j->ticket;

	if (r < 0)
		job_free(j);
	else
		r = lane_queue(w->lane[lane], j);
	return r < 0 ? r : ticket;
}

static int add_bytes(struct json_object *o, const char *key, const char *s)
{
	struct json_object *b = json_bytes(s, strlen(s));

	return b ? json_add(o, key, b) : -ENOMEM;
}

/* Of an account whose uid is what is asked for. */
static uint64_t whose_name(const char *name)
{
	uint32_t hash = 2166136261U; /* FNV-1a: two names that share a turn are only slower */

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619U;
	return WHOSE_NAME | hash;
}

static int account_job(struct worker *w, uint64_t whose, const char *name, worker_account_done done, void *userdata)
{
	struct job *j = job_new(w, "account", whose, userdata);

	if (!j)
		return -ENOMEM;
	j->answer = account_answer;
	j->done.account = done;
	return job_queue(w, LANE_NAMES, j, add_bytes(j->question, "name", name));
}

int worker_account(struct worker *w, const char *name, worker_account_done done, void *userdata)
{
	return account_job(w, whose_name(name), name, done, userdata);
}

int worker_target(struct worker *w, uid_t uid, const char *name, worker_account_done done, void *userdata)
{
	return account_job(w, uid, name, done, userdata);
}

int worker_identity(struct worker *w, uid_t uid, worker_identity_done done, void *userdata)
{
	struct job *j = job_new(w, "identity", uid, userdata);

	if (!j)
		return -ENOMEM;
	j->answer = identity_answer;
	j->done.identity = done;
	return job_queue(w, LANE_NAMES, j, json_add_u64(j->question, "uid", uid));
}

static int add_search(struct json_object *o, const char *const *search)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();

	if (!list)
		return -ENOMEM;
	for (; search && *search; search++) {
		struct json_object *b = json_bytes(*search, strlen(*search));

		if (!b || json_object_array_add(list, b) < 0) {
			json_object_put(b);
			return -ENOMEM;
		}
	}
	return json_add(o, "search", STEAL_PTR(list));
}

static int add_root(struct job *j, int root)
{
	j->root = root < 0 ? -1 : fcntl(root, F_DUPFD_CLOEXEC, 3);
	return root >= 0 && j->root < 0 ? -errno : 0;
}

int worker_file(struct worker *w, uid_t uid, int root, const char *path, const char *const *search, worker_file_done done,
	void *userdata)
{
	struct job *j;
	int r;

	if (path[0] != '/')
		return -EINVAL;
	j = job_new(w, "file", uid, userdata);
	if (!j)
		return -ENOMEM;
	j->answer = file_answer;
	j->done.file = done;
	r = add_bytes(j->question, "path", path);
	if (r >= 0)
		r = add_search(j->question, search);
	if (r >= 0)
		r = add_root(j, root);
	return job_queue(w, LANE_FILES, j, r);
}

int worker_lookup(struct worker *w, uid_t uid, int root, const char *name, const char *cwd, const char *const *search,
	worker_path_done done, void *userdata)
{
	struct job *j = job_new(w, "lookup", uid, userdata);
	int r;

	if (!j)
		return -ENOMEM;
	j->answer = path_answer;
	j->done.path = done;
	r = add_bytes(j->question, "name", name);
	if (r >= 0 && cwd)
		r = add_bytes(j->question, "cwd", cwd);
	if (r >= 0)
		r = add_search(j->question, search);
	if (r >= 0)
		r = add_root(j, root);
	return job_queue(w, LANE_FILES, j, r);
}

int worker_terminal(struct worker *w, const char *tty, uid_t uid, const char *text)
{
	struct job *j = job_new(w, "terminal", uid, NULL);
	int r;

	if (!j)
		return -ENOMEM;
	r = json_add_str(j->question, "tty", tty);
	if (r >= 0)
		r = json_add_u64(j->question, "uid", uid);
	if (r >= 0)
		r = json_add_str(j->question, "text", text);
	return job_queue(w, LANE_ERRANDS, j, r);
}

int worker_flush_caches(struct worker *w)
{
	struct job *j = job_new(w, "flush", 0, NULL);

	return j ? job_queue(w, LANE_ERRANDS, j, 0) : -ENOMEM;
}
