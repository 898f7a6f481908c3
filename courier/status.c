#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include "courier/status.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"

static const char *const state_names[] = {
	[STATUS_UNCONFIGURED] = "unconfigured",
	[STATUS_UNREACHABLE] = "unreachable",
	[STATUS_REFUSED] = "refused",
	[STATUS_REACHABLE] = "reachable",
};

void status_done(struct status *s)
{
	free(s->hub);
	free(s->written);
	set_done(&s->undelivered);
	*s = (struct status){ 0 };
}

void status_set(struct status *s, enum status_state state, const char *error)
{
	if (!s->since || s->state != state) {
		s->state = state;
		s->since = clock_real();
		log_notice("hub %s: %s%s%s", s->hub ? s->hub : "(none)", state_names[state], error ? ": " : "",
			error ? error : "");
	}
	s->error.text[0] = '\0';
	if (error)
		why(&s->error, 0, "%s", error);
	status_write(s);
}

static int add_time(struct json_object *o, const char *key, uint64_t usec)
{
	char text[TIME_RFC3339_LEN + 1];

	return usec ? json_add_str(o, key, time_rfc3339(usec, text)) : 0;
}

static int add_undelivered(struct json_object *o, const struct set *ids)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < ids->n && i < STATUS_LISTED; i++)
		json_object_array_add(list, json_object_new_string(ids->name[i]));
	return json_add(o, "undelivered", list);
}

static char *format(const struct status *s)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	const char *text;

	if (!o || json_add_str(o, "hub", s->hub ? s->hub : "") < 0 || json_add_str(o, "state", state_names[s->state]) < 0 ||
	    add_time(o, "since", s->since) < 0 || json_add_str(o, "error", s->error.text[0] ? s->error.text : NULL) < 0 ||
	    add_time(o, "last_delivery", s->last_delivery) < 0 || add_time(o, "last_collection", s->last_collection) < 0 ||
	    json_add_u64(o, "pending", s->undelivered.n) < 0 || add_undelivered(o, &s->undelivered) < 0)
		return NULL;
	text = json_text(o);
	return text ? strdup(text) : NULL;
}

static int replace(const char *path, const char *text)
{
	CLEAN(free_p) char *a = strdup(path), *b = strdup(path);
	CLEAN(close_p) int fd = -1;

	if (!a || !b)
		return -ENOMEM;
	fd = open(dirname(a), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return file_write_atomic(fd, basename(b), text, strlen(text), 0644, (uid_t)-1, (gid_t)-1);
}

void status_write(struct status *s)
{
	CLEAN(free_p) char *text = format(s);
	int r = text ? 0 : -ENOMEM;

	if (r >= 0 && s->written && !strcmp(s->written, text))
		return;
	if (r >= 0)
		r = replace(s->path, text);
	if (r < 0) {
		log_warning("%s: %s", s->path, strerror(-r));
		return;
	}
	free(s->written);
	s->written = STEAL_PTR(text);
}
