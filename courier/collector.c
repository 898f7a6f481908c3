/* Hub to inbox: a long-poll while something is pending, a short one each minute otherwise (grants may be revoked). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "courier/answers.h"
#include "courier/courier.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"

/* From poll to poll when there are answers; after one that came back empty before its time. */
#define PACE_USEC (USEC_PER_SEC / 10)
#define EARLY_USEC USEC_PER_SEC

struct collector {
	struct courier *c;
	sd_event_source *timer, *work;
	struct transfer *transfer;
	struct backoff backoff;
	uint64_t begun;    /* monotonic */
	unsigned asked;    /* seconds of the poll that runs */
	uint64_t resting;  /* until then only a pending request starts a poll */
	char run[RUN_MAX + 1]; /* of the hub, as its last answer had it */
	bool recovered;    /* what a former run staged is dealt with */
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	collector_kick(userdata);
	return 0;
}

static void again_at(struct collector *k, uint64_t usec)
{
	int r = timer_arm(k->c->event, &k->timer, usec, on_timer, k);

	if (r < 0)
		log_error("a timer cannot be armed: %s", strerror(-r));
}

static int open_inbox(struct collector *k)
{
	int fd = open(k->c->paths.inbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	if (!k->recovered) {
		r = inbox_recover(fd, k->c->state.cursor);
		if (r < 0) {
			close_quietly(fd);
			return r;
		}
		k->recovered = true;
	}
	return fd;
}

/* As many as there is room for. */
static size_t stage(int dirfd, const struct answers *a, int *ret_error)
{
	size_t n = 0;

	for (*ret_error = 0; n < a->n; n++) {
		if (!a->list[n].text)
			continue;
		*ret_error = inbox_stage(dirfd, &a->list[n].item, a->list[n].text);
		if (*ret_error < 0)
			break;
	}
	return n;
}

static void commit(struct collector *k, int dirfd, const struct answers *a, size_t n)
{
	int r;

	for (size_t i = 0; i < n; i++) {
		if (!a->list[i].text)
			continue;
		r = inbox_commit(dirfd, &a->list[i].item);
		if (r < 0) {
			log_error("%s: %s", k->c->paths.inbox, strerror(-r));
			k->recovered = false; /* finished before the next poll */
		} else
			log_info("%s %" PRIu64 " is in the inbox", a->list[i].item.type, a->list[i].item.n);
	}
	k->c->status.last_collection = clock_real();
}

/* All or the first of them; 0 when all.  The cursor stands behind what is safe in the inbox, never further. */
static int keep(struct collector *k, const struct answers *a)
{
	CLEAN(close_p) int dirfd = open_inbox(k);
	uint64_t before = k->c->state.cursor;
	size_t n;
	int error, r;

	if (dirfd < 0)
		return dirfd;
	n = stage(dirfd, a, &error);
	if (n > 0) {
		k->c->state.cursor = a->list[n - 1].item.n;
		r = state_save(k->c->paths.statedir, &k->c->state);
		if (r < 0) {
			k->c->state.cursor = before;
			for (size_t i = 0; i < n; i++)
				if (a->list[i].text)
					inbox_drop(dirfd, &a->list[i].item);
			return r;
		}
		commit(k, dirfd, a, n);
	}
	return error;
}

static void failed(struct collector *k, unsigned seconds)
{
	backoff_failure(&k->backoff, seconds);
	again_at(k, k->backoff.not_before);
}

/* Another run of the hub, perhaps with an older store: what is pending is handed over again, which does no harm. */
static void see_run(struct collector *k, const char *run)
{
	if (!strcmp(run, k->run))
		return;
	snprintf(k->run, sizeof(k->run), "%s", run);
	sender_reconnect(k->c->sender);
	sender_kick(k->c->sender);
}

static void rest(struct collector *k, const struct answers *a)
{
	uint64_t now = clock_mono();

	backoff_success(&k->backoff);
	if (a->n)
		k->backoff.not_before = k->begun + PACE_USEC;
	else if (k->asked && now - k->begun < k->asked * USEC_PER_SEC / 2)
		k->backoff.not_before = now + EARLY_USEC;
	else if (!k->asked)
		k->resting = now + COURIER_POLL * USEC_PER_SEC;
	collector_kick(k);
}

static void on_done(const struct web_answer *answer, void *userdata)
{
	struct collector *k = userdata;
	CLEAN(answers_done) struct answers a = { 0 };
	struct why w;
	int r;

	k->transfer = NULL;
	if (!courier_judge(k->c, answer)) {
		failed(k, answer->retry_after);
		return;
	}
	if (answer->status != 200)
		r = why(&w, -EINVAL, "status %ld%s%s", answer->status, answer->words ? ": " : "",
			answer->words ? answer->words : "");
	else
		r = answers_parse(answer->body, answer->len, k->c->state.cursor, &a, &w);
	if (r < 0) {
		log_error("the hub's answer is refused: %s", w.text);
		status_set(&k->c->status, STATUS_REACHABLE, "its answer is refused, see the log");
		failed(k, 0);
		return;
	}
	see_run(k, a.run);
	r = keep(k, &a);
	if (r < 0) {
		log_error("%s: %s; nothing is lost, it is tried again", k->c->paths.inbox, strerror(-r));
		status_set(&k->c->status, STATUS_REACHABLE, r == -ENOSPC ? "the inbox is full" : "the inbox cannot be written");
		failed(k, 0);
		return;
	}
	status_write(&k->c->status);
	rest(k, &a);
}

static void poll_hub(struct collector *k)
{
	unsigned wait = sender_pending(k->c->sender) ? COURIER_LONG_POLL : 0;
	char path[256];
	struct web_call call = {
		.conf = &k->c->conf, .method = "GET", .path = path, .secret = k->c->secret,
		.seconds = wait + 20, .done = on_done, .userdata = k,
	};
	int r;

	snprintf(path, sizeof(path), "/v1/host/inbox?after=%" PRIu64 "&wait=%u%s%s", k->c->state.cursor, wait,
		k->run[0] ? "&run=" : "", k->run);
	k->asked = wait;
	k->begun = clock_mono();
	r = web_start(k->c->web, &call, &k->transfer);
	if (r < 0) {
		log_error("no transfer can begin: %s", strerror(-r));
		failed(k, 0);
	}
}

static int on_work(sd_event_source *source, void *userdata)
{
	struct collector *k = userdata;
	uint64_t now = clock_mono();

	if (k->transfer)
		return 0;
	if (!courier_ready(k->c))
		again_at(k, now + COURIER_LOOK_AGAIN * USEC_PER_SEC);
	else if (now < k->backoff.not_before)
		again_at(k, k->backoff.not_before);
	else if (now < k->resting && !sender_pending(k->c->sender))
		again_at(k, k->resting);
	else
		poll_hub(k);
	return 0;
}

void collector_kick(struct collector *k)
{
	sd_event_source_set_enabled(k->work, SD_EVENT_ONESHOT);
}

void collector_again(struct collector *k)
{
	backoff_success(&k->backoff);
	k->resting = 0;
	collector_kick(k);
}

int collector_new(struct courier *c, struct collector **ret)
{
	struct collector *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->c = c;
	r = sd_event_add_defer(c->event, &k->work, on_work, k);
	if (r < 0) {
		free(k);
		return r;
	}
	*ret = k;
	return 0;
}

struct collector *collector_free(struct collector *k)
{
	if (!k)
		return NULL;
	web_cancel(k->transfer);
	sd_event_source_disable_unref(k->timer);
	sd_event_source_disable_unref(k->work);
	free(k);
	return NULL;
}
