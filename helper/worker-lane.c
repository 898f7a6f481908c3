#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper/child.h"
#include "helper/dirs.h"
#include "helper/worker-lane.h"
#include "helper/worker-wire.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"

#define RESTART_USEC USEC_PER_SEC /* when it could not be started, or died without an answer */

/* abandoned_max: processes killed and not dead yet (child_abandoned(), all lanes together) with which another is still
 * started.  Files may sit on a filesystem that holds its callers for good; names must have room left after them. */
static const struct plan {
	const char *name;
	uint64_t wait_usec; /* a job that waited this long for others is not begun any more */
	unsigned abandoned_max;
} plans[LANES] = {
	[LANE_NAMES] = { "names", 10 * USEC_PER_SEC, 16 },
	[LANE_FILES] = { "files", 60 * USEC_PER_SEC, 4 },
	[LANE_ERRANDS] = { "errands", 10 * USEC_PER_SEC, 8 },
};

/* The jobs of one. */
struct turn {
	struct turn *next;
	uint64_t whose;
	struct job *first, **last;
	unsigned n;
};

struct lane {
	const struct plan *plan;
	sd_event *event;
	sd_event_source *wake, *answer, *silence, *pause;
	pid_t pid;
	int pidfd, fd;        /* -1: none runs */
	bool answered;        /* this one has answered at least once */
	struct turn *turns, **last; /* in the order in which they come */
	struct turn *serving; /* whose job is being done: it goes to the end after it */
	struct job *job;      /* the one that is being done; NULL: none */
	unsigned n;           /* jobs that wait */
};

struct job *job_free(struct job *j)
{
	if (!j)
		return NULL;
	json_object_put(j->question);
	if (j->root >= 0)
		close_quietly(j->root);
	free(j);
	return NULL;
}

/* ---- who is next ---- */

static void wake(struct lane *l)
{
	int r = sd_event_source_set_enabled(l->wake, SD_EVENT_ONESHOT);

	if (r < 0)
		log_error("worker: cannot be scheduled: %s", strerror(-r));
}

static void turn_append(struct lane *l, struct turn *t)
{
	t->next = NULL;
	*l->last = t;
	l->last = &t->next;
}

static struct turn *turn_of(struct lane *l, uint64_t whose)
{
	if (l->serving && l->serving->whose == whose)
		return l->serving;
	for (struct turn *t = l->turns; t; t = t->next)
		if (t->whose == whose)
			return t;
	return NULL;
}

static struct turn *turn_new(struct lane *l, uint64_t whose)
{
	struct turn *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->whose = whose;
	t->last = &t->first;
	turn_append(l, t);
	return t;
}

/* AT is the place of a job among those of T. */
static struct job *job_unlink(struct lane *l, struct turn *t, struct job **at)
{
	struct job *j = *at;

	*at = j->next;
	if (t->last == &j->next)
		t->last = at;
	j->next = NULL;
	t->n--;
	l->n--;
	return j;
}

/* AT is the place of a turn in the row. */
static struct turn *turn_unlink(struct lane *l, struct turn **at)
{
	struct turn *t = *at;

	*at = t->next;
	if (l->last == &t->next)
		l->last = at;
	t->next = NULL;
	return t;
}

/* Those with nothing left to do are not kept in the row. */
static void turn_tidy(struct lane *l)
{
	for (struct turn **p = &l->turns; *p;)
		if ((*p)->first)
			p = &(*p)->next;
		else
			free(turn_unlink(l, p));
}

static void job_begin(struct lane *l)
{
	l->serving = turn_unlink(l, &l->turns);
	l->job = job_unlink(l, l->serving, &l->serving->first);
}

/* The job is over: whoever it was for stands at the end of the row. */
static struct job *job_over(struct lane *l)
{
	struct job *j = l->job;

	l->job = NULL;
	if (l->serving && l->serving->first)
		turn_append(l, l->serving);
	else
		free(l->serving);
	l->serving = NULL;
	if (l->turns)
		wake(l);
	return j;
}

/* The callee may free the lane: J is ours, and nothing else is touched afterwards. */
static void job_answer(struct job *j, int result, const struct json_object *a)
{
	if (j->answer)
		j->answer(j, result, result < 0 ? NULL : a);
	job_free(j);
}

/* One that has waited too long; each one's jobs stand in the order in which they came. */
static struct job *take_stale(struct lane *l)
{
	uint64_t now = clock_mono();
	struct job *j = NULL;

	if (l->serving && l->serving->first && now - l->serving->first->queued > l->plan->wait_usec)
		return job_unlink(l, l->serving, &l->serving->first);
	for (struct turn *t = l->turns; t && !j; t = t->next)
		if (now - t->first->queued > l->plan->wait_usec)
			j = job_unlink(l, t, &t->first);
	turn_tidy(l);
	return j;
}

/* ---- the process ---- */

static void process_stop(struct lane *l)
{
	l->answer = sd_event_source_disable_unref(l->answer);
	l->silence = sd_event_source_disable_unref(l->silence);
	/* Before its socket is closed: it is to die of the signal, not in the middle of an orderly end. */
	if (l->pid > 0)
		child_abandon(l->event, l->pid, l->pidfd);
	l->pid = 0;
	l->pidfd = -1;
	if (l->fd >= 0)
		close_quietly(l->fd);
	l->fd = -1;
}

/* The one that runs is late or broken: it goes, and the job that it had fails.  The others wait for the next. */
static void give_up(struct lane *l, int err)
{
	bool pause = !l->answered && err != -ETIMEDOUT;
	struct job *j;

	process_stop(l);
	if (pause)
		sd_event_source_set_time_relative(l->pause, RESTART_USEC);
	if (pause)
		sd_event_source_set_enabled(l->pause, SD_EVENT_ONESHOT);
	j = job_over(l);
	if (j)
		job_answer(j, err, NULL);
}

static int on_silence(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct lane *l = userdata;

	log_warning("worker of %s: no answer in %llu ms to '%s'", l->plan->name,
		(unsigned long long)l->job->limit_usec / 1000, json_str(l->job->question, "do"));
	give_up(l, -ETIMEDOUT);
	return 0;
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct lane *l = userdata;
	CLEAN(json_put_p) struct json_object *a = NULL;
	CLEAN(free_p) char *text = malloc(WORKER_MESSAGE_MAX);
	struct why why_ = { { 0 } };
	uint64_t ticket, err;
	ssize_t n;

	if (!text) {
		give_up(l, -ENOMEM);
		return 0;
	}
	n = recv(fd, text, WORKER_MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		log_warning("worker of %s: it ended", l->plan->name);
		give_up(l, -EIO);
		return 0;
	}
	if (n > WORKER_MESSAGE_MAX || !l->job || json_parse(text, (size_t)n, &a, &why_) < 0 ||
	    json_u64(a, "n", &ticket) < 0 || ticket != (uint64_t)l->job->ticket || json_u64(a, "errno", &err) < 0 ||
	    err > 4095) {
		log_warning("worker of %s: an answer that is none: %s", l->plan->name, why_.text);
		give_up(l, -EIO);
		return 0;
	}
	l->answered = true;
	l->silence = sd_event_source_disable_unref(l->silence);
	job_answer(job_over(l), -(int)err, a);
	return 0;
}

static int process_start(struct lane *l)
{
	char *const argv[] = { (char *)(uintptr_t)dirs.worker, (char *)(uintptr_t)l->plan->name, NULL };
	char *const envp[] = { (char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)(uintptr_t)"LC_ALL=C", NULL };
	struct child_plan p = { .argv = argv, .envp = envp };
	CLEAN(close_p) int null = -1, ours = -1, theirs = -1;
	int pair[2], r;

	if (child_abandoned() >= l->plan->abandoned_max)
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
	r = child_start(&p, &l->pid, &l->pidfd);
	if (r < 0)
		return r;
	l->answered = false;
	l->fd = steal_fd(&ours);
	return sd_event_add_io(l->event, &l->answer, l->fd, EPOLLIN, on_answer, l);
}

static int process_send(struct lane *l)
{
	const char *text = json_text(l->job->question);
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { .iov_base = (char *)(uintptr_t)text, .iov_len = text ? strlen(text) : 0 };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1 };
	int r;

	if (!text)
		return -ENOMEM;
	if (l->job->root >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &l->job->root, sizeof(int));
	}
	if (sendmsg(l->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EPIPE || errno == ECONNRESET ? -EIO : -errno; /* it ended already */
	r = sd_event_add_time_relative(l->event, &l->silence, CLOCK_MONOTONIC, l->job->limit_usec, 10000, on_silence, l);
	return r < 0 ? r : 0;
}

/* From the loop: gives the next job to the process, starting one if none runs. */
static int on_wake(sd_event_source *s, void *userdata)
{
	struct lane *l = userdata;
	struct job *stale = take_stale(l);
	int pausing = SD_EVENT_OFF, r = 0;

	if (stale) {
		wake(l);
		job_answer(stale, -ETIMEDOUT, NULL);
		return 0;
	}
	sd_event_source_get_enabled(l->pause, &pausing);
	if (!l->turns || l->job || pausing != SD_EVENT_OFF)
		return 0;
	job_begin(l);
	if (l->fd < 0)
		r = process_start(l);
	if (r >= 0)
		r = process_send(l);
	if (r < 0) {
		log_error("worker of %s: %s: %s", l->plan->name, dirs.worker, strerror(-r));
		give_up(l, r);
	}
	return 0;
}

static int on_pause(sd_event_source *s, uint64_t usec, void *userdata)
{
	wake(userdata);
	return 0;
}

/* ---- the lane ---- */

static void lane_free_p(struct lane **l)
{
	lane_free(*l);
}

int lane_new(sd_event *event, enum lane_kind kind, struct lane **ret)
{
	CLEAN(lane_free_p) struct lane *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->plan = &plans[kind];
	l->event = sd_event_ref(event);
	l->fd = l->pidfd = -1;
	l->last = &l->turns;
	r = sd_event_add_defer(event, &l->wake, on_wake, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->wake, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &l->pause, CLOCK_MONOTONIC, 0, 10000, on_pause, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->pause, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret = STEAL_PTR(l);
	return 0;
}

static void turn_free(struct lane *l, struct turn *t)
{
	while (t && t->first)
		job_free(job_unlink(l, t, &t->first));
	free(t);
}

struct lane *lane_free(struct lane *l)
{
	if (!l)
		return NULL;
	process_stop(l);
	job_free(l->job);
	turn_free(l, l->serving);
	while (l->turns)
		turn_free(l, turn_unlink(l, &l->turns));
	sd_event_source_disable_unref(l->wake);
	sd_event_source_disable_unref(l->pause);
	sd_event_unref(l->event);
	free(l);
	return NULL;
}

void lane_warm(struct lane *l)
{
	if (l->fd < 0 && process_start(l) < 0)
		process_stop(l); /* it is tried again when there is work */
}

int lane_queue(struct lane *l, struct job *j)
{
	struct turn *t = turn_of(l, j->whose);
	const char *text = json_text(j->question);
	int r = 0;

	if (!text)
		r = -ENOMEM;
	else if (strlen(text) > WORKER_MESSAGE_MAX)
		r = -E2BIG;
	else if (l->n >= WORKER_QUEUE || (t && t->n >= WORKER_QUEUE_EACH))
		r = -EAGAIN;
	else if (!t && !(t = turn_new(l, j->whose)))
		r = -ENOMEM;
	if (r < 0) {
		job_free(j);
		return r;
	}
	j->queued = clock_mono();
	*t->last = j;
	t->last = &j->next;
	t->n++;
	l->n++;
	wake(l);
	return 0;
}

static bool turn_cancel(struct lane *l, struct turn *t, int ticket)
{
	for (struct job **p = &t->first; *p; p = &(*p)->next)
		if ((*p)->ticket == ticket) {
			job_free(job_unlink(l, t, p));
			return true;
		}
	return false;
}

bool lane_cancel(struct lane *l, int ticket)
{
	bool found = false;

	if (l->job && l->job->ticket == ticket) {
		l->job->answer = NULL;
		return true;
	}
	if (l->serving)
		found = turn_cancel(l, l->serving, ticket);
	for (struct turn *t = l->turns; t && !found; t = t->next)
		found = turn_cancel(l, t, ticket);
	turn_tidy(l);
	return found;
}
