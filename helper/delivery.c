/* How it stands with bringing a request to people, by the courier's own word: who waits is told when nobody can have been
 * reached.  That word comes from the network's side of the host, so nothing but words follows from it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "helper/dirs.h"
#include "helper/jitd.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

#define STATUS_MAX (64 * 1024)
#define PATIENCE_USEC (5 * USEC_PER_SEC) /* of a wait: in good times it is delivered by then */
#define LOOK_USEC (2 * USEC_PER_SEC)
#define CHANGES_MAX 16 /* told to one client: a courier that says this and that fills no screen */
#define CAUSE_COLUMNS 160
#define CAUSE_MAX 256

/* 0 and the status; -errno. */
static int read_status(struct json_object **ret)
{
	CLEAN(free_p) char *text = NULL;
	size_t len;
	int r = file_read_untrusted(AT_FDCWD, dirs.courier_status, STATUS_MAX, &text, &len);

	return r < 0 ? r : json_parse(text, len, ret, NULL);
}

/* The courier lists so many of them, in "undelivered"; when it has more, any may be among them. */
static bool listed(const struct json_object *status, const char *id, bool otherwise)
{
	struct json_object *list = json_arr(status, "undelivered");
	size_t n = list ? json_object_array_length(list) : 0;
	uint64_t all = n;

	if (!list)
		return otherwise;
	for (size_t i = 0; i < n; i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(list, i));

		if (s && !strcmp(s, id))
			return true;
	}
	return json_u64(status, "pending", &all) == 0 && all > n && otherwise;
}

static void since_words(const struct json_object *status, char *buf, size_t size)
{
	const char *since = json_str(status, "since");
	uint64_t at;
	char when[32];

	*buf = '\0';
	if (since && time_rfc3339_parse(since, &at) >= 0)
		snprintf(buf, size, " since %s", time_short(at, when, sizeof(when)));
}

/* Why R is not with the hub, or why nothing comes back from it. */
static enum delivery judge(struct request *r, int result, const struct json_object *status, char cause[static CAUSE_MAX])
{
	const char *state = result < 0 ? NULL : json_str(status, "state"), *error = result < 0 ? NULL : json_str(status, "error");
	CLEAN(free_p) char *shown = error ? text_escape(error, strlen(error), CAUSE_COLUMNS) : NULL;
	bool reachable = state && !strcmp(state, "reachable");
	char since[48];

	if (result == -ENOENT) {
		snprintf(cause, CAUSE_MAX, "the courier is not running");
		return DELIVERY_NO_COURIER;
	}
	if (!state) {
		snprintf(cause, CAUSE_MAX, "what the courier says of itself cannot be read");
		return DELIVERY_UNREADABLE;
	}
	since_words(status, since, sizeof(since));
	if (!listed(status, r->id, !reachable && !r->delivered)) {
		r->delivered = true;
		*cause = '\0';
		if (reachable)
			return DELIVERY_FINE;
	}
	if (reachable) {
		snprintf(cause, CAUSE_MAX, "the hub has not taken it%s%s", shown ? ": " : "", shown ? shown : "");
		return shown ? DELIVERY_NOT_TAKEN_WHY : DELIVERY_NOT_TAKEN;
	}
	if (!strcmp(state, "unconfigured")) {
		snprintf(cause, CAUSE_MAX, "the courier is not enrolled at a hub");
		return DELIVERY_UNCONFIGURED;
	}
	if (!strcmp(state, "refused")) {
		snprintf(cause, CAUSE_MAX, "the hub refuses this host's courier%s", since);
		return DELIVERY_REFUSED;
	}
	snprintf(cause, CAUSE_MAX, "the hub cannot be reached%s", since);
	return DELIVERY_UNREACHABLE;
}

static enum delivery trouble(struct request *r, int result, const struct json_object *status, char buf[static DELIVERY_WORDS_MAX])
{
	char cause[CAUSE_MAX];
	enum delivery d = judge(r, result, status, cause);

	*buf = '\0';
	if (d != DELIVERY_FINE)
		snprintf(buf, DELIVERY_WORDS_MAX, "%s%s", r->delivered ? "delivered, but no answer can come now: " : "not delivered yet: ",
			cause);
	return d;
}

enum delivery delivery_trouble(struct request *r, char buf[static DELIVERY_WORDS_MAX])
{
	CLEAN(json_put_p) struct json_object *status = NULL;
	int result = read_status(&status);

	return trouble(r, result, status, buf);
}

static void tell(struct client *c, enum delivery d, const char *words)
{
	struct request *r = c->request;
	uint64_t now = clock_boot(), left = c->hold_until > now ? c->hold_until - now : 0;
	CLEAN(free_p) char *whom = request_whom(r);

	c->delivery = d;
	if (c->delivery_changes++ >= CHANGES_MAX)
		return;
	if (d == DELIVERY_FINE)
		client_progress(c, r->id, left, "%s: delivered now; still waiting for %s", r->id, whom ? whom : "");
	else
		client_progress(c, r->id, left, "%s: %s", r->id, words);
}

static int on_look(sd_event_source *s, uint64_t usec, void *userdata)
{
	CLEAN(json_put_p) struct json_object *status = NULL;
	struct jitd *j = userdata;
	int result = read_status(&status);
	uint64_t now = clock_boot();
	bool any = false;

	for (struct request *r = j->requests; r; r = r->next)
		for (struct client *c = r->state == STATE_PENDING ? r->waiting : NULL; c; c = c->next_waiting) {
			char words[DELIVERY_WORDS_MAX];
			enum delivery d;

			any = true;
			if (now < c->waits_since + PATIENCE_USEC)
				continue;
			d = trouble(r, result, status, words);
			/* The hub is back, and does not have it just yet: that is no news. */
			if (d == DELIVERY_NOT_TAKEN && c->delivery != DELIVERY_FINE)
				continue;
			if (d != c->delivery)
				tell(c, d, words);
		}
	j->delivery = sd_event_source_disable_unref(j->delivery);
	if (any)
		delivery_watch(j);
	return 0;
}

void delivery_watch(struct jitd *j)
{
	if (!j->delivery && sd_event_add_time_relative(j->event, &j->delivery, CLOCK_BOOTTIME, LOOK_USEC, 0, on_look, j) < 0)
		log_warning("no clock to look after deliveries");
}
