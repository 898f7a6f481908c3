#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "helper/watch.h"
#include "lib/cleanup.h"
#include "lib/log.h"

struct watch {
	char *path;
	watch_turn turn;
	void *userdata;
	sd_event *event;
	sd_event_source *notify; /* NULL while the directory cannot be watched */
	sd_event_source *belt;
	sd_event_source *soon;
	bool ticked;
	bool missing_said;
};

static void watch_wake(struct watch *w)
{
	int r = sd_event_source_set_enabled(w->soon, SD_EVENT_ONESHOT);

	if (r < 0)
		log_error("%s: cannot be scheduled: %s", w->path, strerror(-r));
}

static int on_notify(sd_event_source *s, const struct inotify_event *e, void *userdata)
{
	struct watch *w = userdata;

	if (e->mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF))
		w->notify = sd_event_source_disable_unref(w->notify);
	watch_wake(w);
	return 0;
}

static void watch_begin(struct watch *w)
{
	int r;

	if (w->notify)
		return;
	r = sd_event_add_inotify(w->event, &w->notify, w->path,
		IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR, on_notify, w);
	if (r < 0) {
		w->notify = NULL;
		if (!w->missing_said)
			log_warning("%s cannot be watched (%s): looking every 5 s", w->path, strerror(-r));
	}
	w->missing_said = r < 0;
}

static int on_soon(sd_event_source *s, void *userdata)
{
	struct watch *w = userdata;
	CLEAN(close_p) int fd = open(w->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool tick = w->ticked;

	w->ticked = false;
	/* The turn may free W: nothing of it is touched after a "no more". */
	if (fd >= 0 && w->turn(fd, tick, w->userdata))
		watch_wake(w);
	return 0;
}

static int on_belt(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct watch *w = userdata;
	int r;

	watch_begin(w);
	w->ticked = true;
	watch_wake(w);
	r = sd_event_source_set_time_relative(s, WATCH_PERIOD_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error("%s: the timer stopped: %s", w->path, strerror(-r));
	return 0;
}

static void watch_free_p(struct watch **w)
{
	watch_free(*w);
}

int watch_new(sd_event *event, const char *path, watch_turn turn, void *userdata, struct watch **ret)
{
	CLEAN(watch_free_p) struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->event = sd_event_ref(event);
	w->turn = turn;
	w->userdata = userdata;
	w->path = strdup(path);
	if (!w->path)
		return -ENOMEM;
	r = sd_event_add_defer(event, &w->soon, on_soon, w);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(event, &w->belt, CLOCK_MONOTONIC, WATCH_PERIOD_USEC, 100000, on_belt, w);
	if (r < 0)
		return r;
	watch_begin(w);
	*ret = STEAL_PTR(w);
	return 0;
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	sd_event_source_disable_unref(w->notify);
	sd_event_source_disable_unref(w->belt);
	sd_event_source_disable_unref(w->soon);
	sd_event_unref(w->event);
	free(w->path);
	free(w);
	return NULL;
}
