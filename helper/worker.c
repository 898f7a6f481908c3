#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper/child.h"
#include "helper/dirs.h"
#include "helper/worker-wire.h"
#include "helper/worker.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"

#define RESTART_USEC USEC_PER_SEC /* when it could not be started, or died without an answer */
#define ABANDONED_MAX 8
#define WAIT_USEC (10 * USEC_PER_SEC) /* a job that waited this long for others is not begun any more */

enum kind { KIND_ACCOUNT, KIND_IDENTITY, KIND_FILE, KIND_PATH, KIND_MUTE };

struct job {
	struct job *next;
	int ticket;
	uint64_t queued;
	enum kind kind;
	union {
		worker_account_done account;
		worker_identity_done identity;
		worker_file_done file;
		worker_path_done path;
	} done; /* all NULL: cancelled, or nobody asked */
	void *userdata;
	struct json_object *question;
};

struct worker {
	sd_event *event;
	sd_event_source *wake, *answer, *silence, *pause;
	pid_t pid;
	int pidfd, fd;   /* -1: none runs */
	bool answered;   /* this one has answered at least once */
	struct job *first, **last;
	unsigned n;
	bool busy;       /* the first was sent */
	int ticket;
};

static void job_free(struct job *j)
{
	json_object_put(j->question);
	free(j);
}

static void wake(struct worker *w)
{
	int r = sd_event_source_set_enabled(w->wake, SD_EVENT_ONESHOT);

	if (r < 0)
		log_error("worker: cannot be scheduled: %s", strerror(-r));
}

static struct job *take_first(struct worker *w)
{
	struct job *j = w->first;

	w->first = j->next;
	if (!w->first)
		w->last = &w->first;
	w->n--;
	w->busy = false;
	return j;
}

/* The callee may free the worker: J is ours, and nothing else is touched afterwards. */
static void job_fail(struct job *j, int err)
{
	if (j->kind == KIND_ACCOUNT && j->done.account)
		j->done.account(err, (uid_t)-1, j->userdata);
	else if (j->kind == KIND_IDENTITY && j->done.identity)
		j->done.identity(err, NULL, j->userdata);
	else if (j->kind == KIND_FILE && j->done.file)
		j->done.file(err, NULL, j->userdata);
	else if (j->kind == KIND_PATH && j->done.path)
		j->done.path(err, NULL, j->userdata);
	job_free(j);
}

static void worker_stop(struct worker *w)
{
	w->answer = sd_event_source_disable_unref(w->answer);
	w->silence = sd_event_source_disable_unref(w->silence);
	/* Before its socket is closed: it is to die of the signal, not in the middle of an orderly end. */
	if (w->pid > 0)
		child_abandon(w->event, w->pid, w->pidfd);
	w->pid = 0;
	w->pidfd = -1;
	if (w->fd >= 0)
		close_quietly(w->fd);
	w->fd = -1;
}

/* The one that runs is late or broken: it goes, and the job that it had fails.  The others wait for the next. */
static void give_up(struct worker *w, int err)
{
	struct job *j = w->busy ? take_first(w) : NULL;
	bool pause = !w->answered && err != -ETIMEDOUT;

	worker_stop(w);
	if (pause)
		sd_event_source_set_time_relative(w->pause, RESTART_USEC);
	if (pause)
		sd_event_source_set_enabled(w->pause, SD_EVENT_ONESHOT);
	else if (w->first)
		wake(w);
	if (j)
		job_fail(j, err);
}

static int on_silence(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct worker *w = userdata;

	log_warning("worker: no answer in 2 s to '%s'", json_str(w->first->question, "do"));
	give_up(w, -ETIMEDOUT);
	return 0;
}

static void account_answer(struct job *j, const struct json_object *a)
{
	uint64_t uid;
	bool good = json_u64(a, "uid", &uid) == 0 && uid < (uid_t)-1;

	if (j->done.account)
		j->done.account(good ? 0 : -EIO, good ? (uid_t)uid : (uid_t)-1, j->userdata);
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

static void identity_answer(struct job *j, const struct json_object *a)
{
	CLEAN(free_p) char *name = NULL;
	struct worker_identity id = { 0 };
	const char *s = json_str(a, "name");
	const struct json_object *groups = json_arr(a, "groups");
	int r = 0;

	if (!j->done.identity)
		return;
	name = s ? strdup(s) : NULL;
	if (!name)
		r = -EIO;
	else if (groups)
		r = strings_get(groups, &id.groups);
	id.name = name;
	j->done.identity(r, r < 0 ? NULL : &id, j->userdata);
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

static void file_answer(struct job *j, const struct json_object *a)
{
	CLEAN(free_p) char *interpreter = bytes_member(a, "interpreter");
	struct worker_file f = { .interpreter = interpreter };
	const char *digest = json_str(a, "sha256");
	bool good = digest && strlen(digest) == SHA256_HEX && json_u64(a, "dev", &f.dev) == 0 &&
		json_u64(a, "ino", &f.ino) == 0 && json_u64(a, "size", &f.size) == 0;

	if (!j->done.file)
		return;
	if (good)
		memcpy(f.sha256, digest, sizeof(f.sha256));
	j->done.file(good ? 0 : -EIO, good ? &f : NULL, j->userdata);
}

static void path_answer(struct job *j, const struct json_object *a)
{
	CLEAN(free_p) char *path = bytes_member(a, "path");

	if (j->done.path)
		j->done.path(path ? 0 : -EIO, path, j->userdata);
}

/* ERR is what the worker said; A is NULL when that cannot be read. */
static void job_answer(struct job *j, int err, const struct json_object *a)
{
	if (err < 0) {
		job_fail(j, err);
		return;
	}
	if (j->kind == KIND_ACCOUNT)
		account_answer(j, a);
	else if (j->kind == KIND_IDENTITY)
		identity_answer(j, a);
	else if (j->kind == KIND_FILE)
		file_answer(j, a);
	else if (j->kind == KIND_PATH)
		path_answer(j, a);
	job_free(j);
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct worker *w = userdata;
	CLEAN(json_put_p) struct json_object *a = NULL;
	CLEAN(free_p) char *text = malloc(WORKER_MESSAGE_MAX);
	struct why why_ = { { 0 } };
	uint64_t ticket, err;
	struct job *j;
	ssize_t n;

	if (!text) {
		give_up(w, -ENOMEM);
		return 0;
	}
	n = recv(fd, text, WORKER_MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		log_warning("worker: it ended");
		give_up(w, -EIO);
		return 0;
	}
	if (n > WORKER_MESSAGE_MAX || !w->busy || json_parse(text, (size_t)n, &a, &why_) < 0 ||
	    json_u64(a, "n", &ticket) < 0 || ticket != (uint64_t)w->first->ticket || json_u64(a, "errno", &err) < 0 ||
	    err > 4095) {
		log_warning("worker: an answer that is none: %s", why_.text);
		give_up(w, -EIO);
		return 0;
	}
	w->answered = true;
	w->silence = sd_event_source_disable_unref(w->silence);
	j = take_first(w);
	if (w->first)
		wake(w);
	job_answer(j, -(int)err, a);
	return 0;
}

static int worker_start(struct worker *w)
{
	char *const argv[] = { (char *)(uintptr_t)dirs.worker, NULL };
	char *const envp[] = { (char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)(uintptr_t)"LC_ALL=C", NULL };
	struct child_plan p = { .argv = argv, .envp = envp };
	CLEAN(close_p) int null = -1, ours = -1, theirs = -1;
	int pair[2], r;

	if (child_abandoned() >= ABANDONED_MAX)
		return -EAGAIN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	p.fds[0] = null;
	p.fds[1] = p.fds[2] = 2;
	p.fds[WORKER_FD] = theirs;
	p.n_fds = 4;
	r = child_start(&p, &w->pid, &w->pidfd);
	if (r < 0)
		return r;
	w->answered = false;
	w->fd = steal_fd(&ours);
	return sd_event_add_io(w->event, &w->answer, w->fd, EPOLLIN, on_answer, w);
}

static int worker_send(struct worker *w)
{
	const char *text = json_text(w->first->question);
	int r;

	if (!text)
		return -ENOMEM;
	if (send(w->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EPIPE || errno == ECONNRESET ? -EIO : -errno; /* it ended already */
	w->busy = true;
	r = sd_event_add_time_relative(w->event, &w->silence, CLOCK_MONOTONIC, WORKER_TIMEOUT_USEC, 10000, on_silence, w);
	return r < 0 ? r : 0;
}

/* From the loop: gives the first job to the worker, starting one if none runs. */
static int on_wake(sd_event_source *s, void *userdata)
{
	struct worker *w = userdata;
	int pausing = SD_EVENT_OFF, r = 0;

	if (w->first && !w->busy && clock_mono() - w->first->queued > WAIT_USEC) {
		struct job *j = take_first(w);

		wake(w);
		job_fail(j, -ETIMEDOUT);
		return 0;
	}
	sd_event_source_get_enabled(w->pause, &pausing);
	if (!w->first || w->busy || pausing != SD_EVENT_OFF)
		return 0;
	if (w->fd < 0)
		r = worker_start(w);
	if (r >= 0)
		r = worker_send(w);
	if (r < 0) {
		log_error("worker: %s: %s", dirs.worker, strerror(-r));
		w->busy = true; /* the job fails with it */
		give_up(w, r);
	}
	return 0;
}

static int on_pause(sd_event_source *s, uint64_t usec, void *userdata)
{
	wake(userdata);
	return 0;
}

static void worker_free_p(struct worker **w)
{
	worker_free(*w);
}

int worker_new(sd_event *event, struct worker **ret)
{
	CLEAN(worker_free_p) struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->event = sd_event_ref(event);
	w->fd = w->pidfd = -1;
	w->last = &w->first;
	r = sd_event_add_defer(event, &w->wake, on_wake, w);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->wake, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &w->pause, CLOCK_MONOTONIC, 0, 10000, on_pause, w);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->pause, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret = STEAL_PTR(w);
	return 0;
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	worker_stop(w);
	while (w->first)
		job_free(take_first(w));
	sd_event_source_disable_unref(w->wake);
	sd_event_source_disable_unref(w->pause);
	sd_event_unref(w->event);
	free(w);
	return NULL;
}

static void job_free_p(struct job **j)
{
	if (*j)
		job_free(*j);
}

static struct job *job_new(struct worker *w, enum kind kind, const char *verb, void *userdata)
{
	CLEAN(job_free_p) struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	w->ticket = w->ticket == INT_MAX ? 1 : w->ticket + 1;
	j->ticket = w->ticket;
	j->kind = kind;
	j->userdata = userdata;
	j->question = json_object_new_object();
	if (!j->question || json_add_u64(j->question, "n", (uint64_t)j->ticket) < 0 ||
	    json_add_str(j->question, "do", verb) < 0)
		return NULL;
	return STEAL_PTR(j);
}

/* R is what filling J came to; J is taken. */
static int job_queue(struct worker *w, struct job *j, int r)
{
	const char *text = r < 0 ? NULL : json_text(j->question);

	if (r >= 0 && !text)
		r = -ENOMEM;
	else if (r >= 0 && strlen(text) > WORKER_MESSAGE_MAX)
		r = -E2BIG;
	else if (r >= 0 && w->n >= WORKER_QUEUE)
		r = -EAGAIN;
	if (r < 0) {
		job_free(j);
		return r;
	}
	j->queued = clock_mono();
	*w->last = j;
	w->last = &j->next;
	w->n++;
	wake(w);
	return j->ticket;
}

static int add_bytes(struct json_object *o, const char *key, const char *s)
{
	struct json_object *b = json_bytes(s, strlen(s));

	return b ? json_add(o, key, b) : -ENOMEM;
}

int worker_account(struct worker *w, const char *name, worker_account_done done, void *userdata)
{
	struct job *j = job_new(w, KIND_ACCOUNT, "account", userdata);

	if (!j)
		return -ENOMEM;
	j->done.account = done;
	return job_queue(w, j, add_bytes(j->question, "name", name));
}

int worker_identity(struct worker *w, uid_t uid, worker_identity_done done, void *userdata)
{
	struct job *j = job_new(w, KIND_IDENTITY, "identity", userdata);

	if (!j)
		return -ENOMEM;
	j->done.identity = done;
	return job_queue(w, j, json_add_u64(j->question, "uid", uid));
}

int worker_file(struct worker *w, const char *path, worker_file_done done, void *userdata)
{
	struct job *j;

	if (path[0] != '/')
		return -EINVAL;
	j = job_new(w, KIND_FILE, "file", userdata);
	if (!j)
		return -ENOMEM;
	j->done.file = done;
	return job_queue(w, j, add_bytes(j->question, "path", path));
}

int worker_lookup(struct worker *w, const char *name, const char *cwd, const char *const *search,
	worker_path_done done, void *userdata)
{
	struct job *j = job_new(w, KIND_PATH, "lookup", userdata);
	struct json_object *list;
	int r;

	if (!j)
		return -ENOMEM;
	j->done.path = done;
	r = add_bytes(j->question, "name", name);
	if (r >= 0 && cwd)
		r = add_bytes(j->question, "cwd", cwd);
	list = json_object_new_array();
	for (size_t i = 0; r >= 0 && list && search && search[i]; i++) {
		struct json_object *b = json_bytes(search[i], strlen(search[i]));

		if (!b || json_object_array_add(list, b) < 0) {
			json_object_put(b);
			r = -ENOMEM;
		}
	}
	if (!list)
		r = -ENOMEM;
	else if (r < 0)
		json_object_put(list);
	else
		r = json_add(j->question, "search", list);
	return job_queue(w, j, r);
}

int worker_terminal(struct worker *w, const char *tty, uid_t uid, const char *text)
{
	struct job *j = job_new(w, KIND_MUTE, "terminal", NULL);
	int r;

	if (!j)
		return -ENOMEM;
	r = json_add_str(j->question, "tty", tty);
	if (r >= 0)
		r = json_add_u64(j->question, "uid", uid);
	if (r >= 0)
		r = json_add_str(j->question, "text", text);
	return job_queue(w, j, r);
}

int worker_flush_caches(struct worker *w)
{
	struct job *j = job_new(w, KIND_MUTE, "flush", NULL);

	return j ? job_queue(w, j, 0) : -ENOMEM;
}

void worker_cancel(struct worker *w, int ticket)
{
	for (struct job *j = w->first; j; j = j->next)
		if (j->ticket == ticket) {
			memset(&j->done, 0, sizeof(j->done));
			return;
		}
}
