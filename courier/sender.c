/* Outbox to hub, one transfer at a time: what is settled first (it makes room there), then requests, then receipts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include "courier/courier.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/envelope.h"
#include "lib/file.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/text.h"

#define FILES_MAX 8192
#define SECONDS 30 /* of one transfer */
#define WATCHED (IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

enum job { JOB_NONE, JOB_SETTLE, JOB_REQUEST, JOB_RECEIPT };

struct sender {
	struct courier *c;
	int dirfd; /* -1: there is no outbox */
	sd_event_source *watch, *work, *timer;
	struct set requests, receipts; /* what the outbox holds: ids; names without ".json" */
	struct set confirmed;          /* requests that the hub has for sure */
	struct set turned_away;        /* requests that it will not take */
	struct set taken;              /* requests that it has taken, for the status: perhaps it has them no more */
	struct why complaint;          /* about the last of them */
	struct backoff backoff;
	struct transfer *transfer;
	enum job job;
	char name[80]; /* of what is being sent */
	bool stale;    /* the outbox changed since it was read */
	bool missed;   /* that there is no outbox was said */
};

/* "request-ID.json" or "receipt-….json" */
static int sort_in(const char *file, struct set *requests, struct set *receipts)
{
	static const char request[] = "request-", receipt[] = "receipt-";
	size_t len = strlen(file);
	char stem[80];

	if (len < 6 || len - 5 >= sizeof(stem) || strcmp(file + len - 5, ".json"))
		return 0;
	memcpy(stem, file, len - 5);
	stem[len - 5] = '\0';
	if (!strncmp(stem, request, sizeof(request) - 1) && id_valid(stem + sizeof(request) - 1))
		return requests->n < FILES_MAX ? set_add(requests, stem + sizeof(request) - 1) : -E2BIG;
	if (!strncmp(stem, receipt, sizeof(receipt) - 1) && name_valid(stem))
		return receipts->n < FILES_MAX ? set_add(receipts, stem) : -E2BIG;
	return 0;
}

static int list_outbox(struct sender *s, struct set *requests, struct set *receipts)
{
	CLEAN(closedir_p) DIR *dir = NULL;
	CLEAN(close_p) int fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	int r;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -errno;
	fd = -1; /* the directory stream's now */
	while ((errno = 0, de = readdir(dir))) {
		r = sort_in(de->d_name, requests, receipts);
		if (r < 0)
			return r;
	}
	return -errno;
}

/* For the status: what the hub has not taken.  A name that finds no memory is missing there. */
static void count(struct sender *s)
{
	set_done(&s->c->status.undelivered);
	for (size_t i = 0; i < s->requests.n; i++)
		if (!set_has(&s->taken, s->requests.name[i]))
			set_add(&s->c->status.undelivered, s->requests.name[i]);
}

/* Reads the outbox.  When that fails nothing is known to be gone. */
static int look(struct sender *s)
{
	CLEAN(set_done) struct set requests = { 0 }, receipts = { 0 };
	struct set swap;
	int r = list_outbox(s, &requests, &receipts);

	if (r < 0) {
		log_warning("%s: %s", s->c->paths.outbox, strerror(-r));
		return r;
	}
	swap = s->requests, s->requests = requests, requests = swap;
	swap = s->receipts, s->receipts = receipts, receipts = swap;
	set_intersect(&s->confirmed, &s->requests);
	set_intersect(&s->turned_away, &s->requests);
	set_intersect(&s->taken, &s->requests);
	set_intersect(&s->c->state.receipts, &s->receipts); /* saved with the next change */
	s->stale = false;
	count(s);
	status_write(&s->c->status);
	collector_kick(s->c->collector);
	return 0;
}

static int save(struct sender *s)
{
	int r = state_save(s->c->paths.statedir, &s->c->state);

	if (r < 0)
		log_error("%s: the state cannot be kept: %s", s->c->paths.statedir, strerror(-r));
	return r;
}

static void on_done(const struct web_answer *a, void *userdata);

static int start(struct sender *s, enum job job, const char *name, const char *method, const char *path, const char *body,
	size_t len)
{
	struct web_call call = {
		.conf = &s->c->conf, .method = method, .path = path, .secret = s->c->secret, .body = body, .len = len,
		.seconds = SECONDS, .done = on_done, .userdata = s,
	};
	int r;

	s->job = job;
	snprintf(s->name, sizeof(s->name), "%s", name);
	r = web_start(s->c->web, &call, &s->transfer);
	if (r < 0)
		log_error("no transfer can begin: %s", strerror(-r));
	return r < 0 ? r : 1;
}

static int settle(struct sender *s, const char *id)
{
	char path[128];

	snprintf(path, sizeof(path), "/v1/host/requests/%s", id);
	return start(s, JOB_SETTLE, id, "DELETE", path, NULL, 0);
}

/* An unreadable file is the same as none: jitd is asked nothing here. */
static int read_file(struct sender *s, const char *stem, char **ret, size_t *ret_len)
{
	char file[96];
	int r;

	snprintf(file, sizeof(file), "%s.json", stem);
	r = file_read_untrusted(s->dirfd, file, ENVELOPE_MAX, ret, ret_len);
	if (r == -ENOENT)
		s->stale = true;
	else if (r < 0)
		log_error("%s/%s: %s", s->c->paths.outbox, file, strerror(-r));
	return r;
}

/* 1: begun; 0: nothing to send, go on; -errno. */
static int send_request(struct sender *s, const char *id)
{
	CLEAN(free_p) char *body = NULL;
	char stem[80], path[128];
	size_t len;
	int r;

	snprintf(stem, sizeof(stem), "request-%s", id);
	r = read_file(s, stem, &body, &len);
	if (r < 0)
		return set_add(&s->turned_away, id) < 0 ? -ENOMEM : 0;
	/* Kept before it is offered: whatever happens then, its end will be told. */
	r = set_add(&s->c->state.requests, id);
	if (r > 0)
		r = save(s);
	if (r < 0) {
		set_remove(&s->c->state.requests, id);
		return r;
	}
	snprintf(path, sizeof(path), "/v1/host/requests/%s", id);
	return start(s, JOB_REQUEST, id, "PUT", path, body, len);
}

static int send_receipt(struct sender *s, const char *name)
{
	CLEAN(free_p) char *body = NULL;
	char path[128];
	size_t len;
	int r = read_file(s, name, &body, &len);

	if (r < 0)
		return set_add(&s->c->state.receipts, name) < 0 ? -ENOMEM : 0;
	snprintf(path, sizeof(path), "/v1/host/receipts/%s", name);
	return start(s, JOB_RECEIPT, name, "PUT", path, body, len);
}

static int start_next(struct sender *s)
{
	const struct state *state = &s->c->state;
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->requests.n; i++)
		if (!set_has(&s->requests, state->requests.name[i]))
			r = settle(s, state->requests.name[i]);
	for (size_t i = 0; r == 0 && i < s->requests.n; i++)
		if (!set_has(&s->confirmed, s->requests.name[i]) && !set_has(&s->turned_away, s->requests.name[i]))
			r = send_request(s, s->requests.name[i]);
	for (size_t i = 0; r == 0 && i < s->receipts.n; i++)
		if (!set_has(&state->receipts, s->receipts.name[i]))
			r = send_receipt(s, s->receipts.name[i]);
	return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct sender *s = userdata;

	s->stale = true;
	sender_kick(s);
	return 0;
}

static void again_at(struct sender *s, uint64_t usec)
{
	int r = timer_arm(s->c->event, &s->timer, usec, on_timer, s);

	if (r < 0)
		log_error("a timer cannot be armed: %s", strerror(-r));
}

static void done_request(struct sender *s, const struct web_answer *a)
{
	if (a->status < 300) {
		log_info("request %s is delivered", s->name);
		s->c->status.last_delivery = clock_real();
		set_add(&s->confirmed, s->name);
		set_add(&s->taken, s->name);
		set_remove(&s->c->status.undelivered, s->name);
		return;
	}
	why(&s->complaint, 0, "the hub does not take request %s: %s", s->name, a->words ? a->words : "no reason given");
	log_error("%s", s->complaint.text);
	set_add(&s->turned_away, s->name);
	status_set(&s->c->status, STATUS_REACHABLE, s->complaint.text);
}

static void done_receipt(struct sender *s, const struct web_answer *a)
{
	if (a->status < 300)
		s->c->status.last_delivery = clock_real();
	else
		log_warning("the hub does not take %s: %ld %s", s->name, a->status, a->words ? a->words : "");
	if (set_add(&s->c->state.receipts, s->name) >= 0)
		(void)save(s); /* else it is sent once more after a restart, which does no harm */
}

static void on_done(const struct web_answer *a, void *userdata)
{
	struct sender *s = userdata;
	enum job job = s->job;

	s->transfer = NULL;
	s->job = JOB_NONE;
	if (!courier_judge(s->c, a)) {
		backoff_failure(&s->backoff, a->retry_after);
		again_at(s, s->backoff.not_before);
		return;
	}
	backoff_success(&s->backoff);
	if (job == JOB_REQUEST)
		done_request(s, a);
	else if (job == JOB_RECEIPT)
		done_receipt(s, a);
	else if (set_remove(&s->c->state.requests, s->name))
		(void)save(s);
	status_write(&s->c->status);
	sender_kick(s);
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct sender *s = userdata;

	s->stale = true;
	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) {
		s->watch = sd_event_source_disable_unref(s->watch);
		close_p(&s->dirfd);
		s->dirfd = -1;
	} else if (event->mask & (IN_MOVED_TO | IN_CLOSE_WRITE))
		backoff_hurry(&s->backoff);
	sender_kick(s);
	return 0;
}

/* Watch first, read then: nothing falls between. */
static int open_outbox(struct sender *s)
{
	int r;

	if (s->dirfd >= 0)
		return 0;
	r = sd_event_add_inotify(s->c->event, &s->watch, s->c->paths.outbox, WATCHED, on_change, s);
	if (r >= 0) {
		s->dirfd = open(s->c->paths.outbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = s->dirfd < 0 ? -errno : 0;
	}
	if (r < 0) {
		if (!s->missed)
			log_warning("%s: %s", s->c->paths.outbox, strerror(-r));
		s->watch = sd_event_source_disable_unref(s->watch);
	}
	s->missed = r < 0;
	s->stale = true;
	return r;
}

static int on_work(sd_event_source *source, void *userdata)
{
	struct sender *s = userdata;
	uint64_t now = clock_mono();
	int r = 0;

	if (open_outbox(s) < 0 || (s->stale && look(s) < 0) || !courier_ready(s->c)) {
		again_at(s, now + COURIER_LOOK_AGAIN * USEC_PER_SEC);
		return 0;
	}
	if (s->transfer)
		return 0;
	if (now < s->backoff.not_before) {
		again_at(s, s->backoff.not_before);
		return 0;
	}
	r = start_next(s);
	if (r < 0) {
		backoff_failure(&s->backoff, 0);
		again_at(s, s->backoff.not_before);
	} else if (r == 0)
		again_at(s, now + COURIER_POLL * USEC_PER_SEC);
	return 0;
}

void sender_kick(struct sender *s)
{
	sd_event_source_set_enabled(s->work, SD_EVENT_ONESHOT);
}

void sender_again(struct sender *s)
{
	backoff_success(&s->backoff);
	sender_kick(s);
}

void sender_reconnect(struct sender *s)
{
	set_done(&s->confirmed);
}

const char *sender_complaint(const struct sender *s)
{
	return s->turned_away.n && s->complaint.text[0] ? s->complaint.text : NULL;
}

size_t sender_pending(const struct sender *s)
{
	return s->requests.n;
}

int sender_new(struct courier *c, struct sender **ret)
{
	struct sender *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->c = c;
	s->dirfd = -1;
	r = sd_event_add_defer(c->event, &s->work, on_work, s);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct sender *sender_free(struct sender *s)
{
	if (!s)
		return NULL;
	web_cancel(s->transfer);
	sd_event_source_disable_unref(s->watch);
	sd_event_source_disable_unref(s->work);
	sd_event_source_disable_unref(s->timer);
	close_p(&s->dirfd);
	set_done(&s->requests);
	set_done(&s->receipts);
	set_done(&s->confirmed);
	set_done(&s->turned_away);
	set_done(&s->taken);
	free(s);
	return NULL;
}
