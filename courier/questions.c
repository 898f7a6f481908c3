/* Questions of jitd's checks: what a URL says.  Each stands in the outbox as question-ID.json for as long as its answer is
 * waited for; the answer goes into the inbox.  None of it needs the hub. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include "courier/courier.h"
#include "courier/inbox.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/envelope.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

#define ID_DIGITS 32 /* as jitd names them */
#define OPEN_MAX 64  /* more are not begun: jitd asks fewer at once */
#define SECONDS_MAX 60
#define LINE_COLUMNS 200
#define WATCHED (IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct question {
	struct question *next;
	struct questions *all;
	char id[ID_DIGITS + 1];
	struct transfer *transfer;
};

struct questions {
	struct courier *c;
	sd_event_source *watch, *again;
	struct question *open;
};

static bool question_name(const char *file, char id[static ID_DIGITS + 1])
{
	static const char begin[] = "question-", end[] = ".json";
	size_t b = sizeof(begin) - 1;

	if (strlen(file) != b + ID_DIGITS + sizeof(end) - 1 || strncmp(file, begin, b) != 0 ||
	    strspn(file + b, "0123456789abcdef") != ID_DIGITS || strcmp(file + b + ID_DIGITS, end) != 0)
		return false;
	memcpy(id, file + b, ID_DIGITS);
	id[ID_DIGITS] = '\0';
	return true;
}

static struct question *find(const struct questions *all, const char *id, unsigned *n)
{
	*n = 0;
	for (struct question *q = all->open; q; q = q->next, ++*n)
		if (!strcmp(q->id, id))
			return q;
	return NULL;
}

static void forget(struct question *q)
{
	for (struct question **p = &q->all->open; *p; p = &(*p)->next)
		if (*p == q) {
			*p = q->next;
			break;
		}
	web_cancel(q->transfer);
	free(q);
}

/* ---- the answer ---- */

static char *answer_text(const char *id, long status, const char *line)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *text = text_escape(line, strcspn(line, "\r\n"), LINE_COLUMNS);
	int e = o && text ? 0 : -ENOMEM;

	if (e == 0) {
		e |= json_add_u64(o, "v", 1);
		e |= json_add_str(o, "question", id);
		e |= json_add_u64(o, "status", (uint64_t)status);
		e |= json_add_str(o, "text", text);
	}
	return e ? NULL : envelope_format("check", json_text(o), NULL);
}

static void answer(const struct questions *all, const char *id, long status, const char *line)
{
	CLEAN(free_p) char *text = answer_text(id, status, line);
	CLEAN(close_p) int dir = open(all->c->paths.inbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char name[64];
	int r = -ENOMEM;

	snprintf(name, sizeof(name), "check-%s.json", id);
	if (text)
		r = dir < 0 ? -errno : inbox_put(dir, name, text);
	if (r < 0)
		log_error("%s: the answer to a check cannot be written: %s", all->c->paths.inbox, strerror(-r));
}

static void on_done(const struct web_answer *a, void *userdata)
{
	struct question *q = userdata;

	q->transfer = NULL;
	answer(q->all, q->id, a->error || a->status < 0 ? 0 : a->status, a->error ? a->words : a->body);
	forget(q);
}

/* ---- the question ---- */

static int read_question(const struct questions *all, const char *file, struct json_object **ret, struct why *w)
{
	CLEAN(close_p) int dir = open(all->c->paths.outbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEAN(envelope_done) struct envelope e = { 0 };
	CLEAN(free_p) char *text = NULL;
	size_t len;
	int r = dir < 0 ? -errno : file_read_untrusted(dir, file, ENVELOPE_MAX, &text, &len);

	if (r < 0)
		return why(w, r, "%s", strerror(-r));
	r = envelope_parse(text, len, &e, w);
	if (r < 0)
		return r;
	if (strcmp(e.type, "question") != 0)
		return why(w, -EINVAL, "it is a %s", e.type);
	return json_parse(e.document, e.document_len, ret, w);
}

static int ask(struct question *q, const struct json_object *o, struct why *w)
{
	const char *id = json_str(o, "id"), *url = json_str(o, "url");
	struct web_call call = { .method = "GET", .url = url, .done = on_done, .userdata = q };
	uint64_t within;
	int r;

	if (!id || strcmp(id, q->id) != 0 || !url || json_u64(o, "within", &within) < 0 || within < 1)
		return why(w, -EINVAL, "it lacks id, url or within");
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return why(w, -EINVAL, "its URL is neither http nor https");
	call.seconds = within < SECONDS_MAX ? (unsigned)within : SECONDS_MAX;
	r = web_start(q->all->c->web, &call, &q->transfer);
	return r < 0 ? why(w, r, "%s", strerror(-r)) : 0;
}

static void begin(struct questions *all, const char *file)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	char id[ID_DIGITS + 1];
	struct question *q;
	struct why w;
	unsigned n;
	int r;

	if (!question_name(file, id) || find(all, id, &n) || n >= OPEN_MAX)
		return;
	r = read_question(all, file, &o, &w);
	if (r == -ENOENT)
		return; /* its time is over already */
	q = r < 0 ? NULL : calloc(1, sizeof(*q));
	if (q) {
		q->all = all;
		strcpy(q->id, id);
		q->next = all->open;
		all->open = q;
		r = ask(q, o, &w);
	} else if (r >= 0)
		r = why(&w, -ENOMEM, "out of memory");
	if (r >= 0)
		return;
	log_warning("%s is no question: %s", file, w.text);
	answer(all, id, 0, w.text);
	if (q)
		forget(q);
}

/* ---- the outbox ---- */

static void sweep(struct questions *all)
{
	CLEAN(closedir_p) DIR *dir = opendir(all->c->paths.outbox);
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		begin(all, de->d_name);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata);

static int on_outbox(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct questions *all = userdata;
	char id[ID_DIGITS + 1];
	struct question *q;
	unsigned n;

	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) {
		all->watch = sd_event_source_disable_unref(all->watch);
		return timer_arm(all->c->event, &all->again, clock_mono() + USEC_PER_SEC, on_again, all);
	}
	if (event->mask & IN_Q_OVERFLOW)
		sweep(all);
	else if (event->len && (event->mask & IN_DELETE)) {
		/* Nobody waits for it any more. */
		q = question_name(event->name, id) ? find(all, id, &n) : NULL;
		if (q)
			forget(q);
	} else if (event->len)
		begin(all, event->name);
	return 0;
}

/* There may be no outbox yet. */
static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct questions *all = userdata;

	if (sd_event_add_inotify(all->c->event, &all->watch, all->c->paths.outbox, WATCHED, on_outbox, all) < 0)
		return timer_arm(all->c->event, &all->again, clock_mono() + COURIER_LOOK_AGAIN * USEC_PER_SEC, on_again, all);
	sweep(all);
	return 0;
}

int questions_new(struct courier *c, struct questions **ret)
{
	struct questions *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	all->c = c;
	r = timer_arm(c->event, &all->again, clock_mono(), on_again, all);
	if (r < 0) {
		free(all);
		return r;
	}
	*ret = all;
	return 0;
}

struct questions *questions_free(struct questions *all)
{
	if (!all)
		return NULL;
	while (all->open)
		forget(all->open);
	sd_event_source_disable_unref(all->watch);
	sd_event_source_disable_unref(all->again);
	free(all);
	return NULL;
}
