#include "helper/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "helper/check-wire.h"
#include "helper/child.h"
#include "helper/dirs.h"
#include "lib/memfd.h"
#include "helper/spool.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

#define RUNNING_PER_UID 2
#define WAITING_MAX 256 /* in each lane */
#define WAITING_PER_UID 16
#define WAIT_MARGIN_USEC (15 * USEC_PER_SEC) /* beyond CheckWithin=; then it is not begun any more */
#define ANSWER_COLUMNS CHECK_WORDS_MAX

/* What a run may have to wait for.  Each lane has places of its own, so that a built-in check never stands behind programs of
 * the site that hang; and keeps some for users who have nothing running in it. */
enum lane { LANE_BUILT_IN, LANE_COURIER, LANE_EXEC };

static const struct {
	unsigned places, kept;
} lanes[] = {
	[LANE_BUILT_IN] = { 4, 2 },
	[LANE_COURIER] = { 4, 2 },
	[LANE_EXEC] = { 8, 4 },
};

/* One check of a run.  OPEN while its result is not known. */
struct item {
	struct check check;
	enum check_effect effect;
	char *need; /* of an escalation, as a sentence; NULL */
	bool open, holds;
	bool skipped; /* not looked at for this one who asks */
	char text[512];
	char id[QUESTION_ID_LEN + 1]; /* of the courier's; "" */
};

struct run {
	struct run *next;
	struct checks *c;
	int ticket;
	uid_t uid;
	enum lane lane;
	uint64_t within;
	char *host;
	struct json_object *facts;
	checks_done done; /* NULL: cancelled */
	void *userdata;
	struct item item[RULE_CHECKS_MAX];
	size_t n;
	int question, answer; /* memfds; -1 */
	pid_t pid;            /* 0: none runs */
	int pidfd;
	bool late;            /* its time is over, jit-check is let tell what it found */
	sd_event_source *end, *clock;
};

struct checks {
	sd_event *event;
	sd_event_source *wake;
	struct run *running, *waiting; /* waiting: oldest first */
	int ticket;
};

/* ---- a run's life ---- */

static void close_questions(struct run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->item[i].id[0] && r->item[i].open)
			outbox_question_done(r->item[i].id);
}

static void run_free(struct run *r)
{
	close_questions(r);
	sd_event_source_disable_unref(r->end);
	sd_event_source_disable_unref(r->clock);
	if (r->pid > 0)
		child_abandon(r->c->event, r->pid, r->pidfd);
	else if (r->pidfd >= 0)
		close_quietly(r->pidfd);
	if (r->question >= 0)
		close_quietly(r->question);
	if (r->answer >= 0)
		close_quietly(r->answer);
	for (size_t i = 0; i < r->n; i++) {
		check_done(&r->item[i].check);
		free(r->item[i].need);
	}
	json_object_put(r->facts);
	free(r->host);
	free(r);
}

static void run_free_p(struct run **r)
{
	if (*r)
		run_free(*r);
}

static void unlink_run(struct run **list, struct run *r)
{
	for (; *list; list = &(*list)->next)
		if (*list == r) {
			*list = r->next;
			return;
		}
}

static void wake(struct checks *c)
{
	int r = sd_event_source_set_enabled(c->wake, SD_EVENT_ONESHOT);

	if (r < 0)
		log_error("checks: cannot be scheduled: %s", strerror(-r));
}

static struct json_object *item_json(const struct item *i)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	int e = 0;

	e |= json_add_str(o, "check", i->check.text);
	e |= json_add_str(o, "effect", check_effect_string(i->effect));
	e |= json_add_str(o, "need", i->need);
	e |= json_add_str(o, "by", check_by_courier(&i->check) ? "courier" : "host");
	if (!i->skipped)
		e |= json_add_bool(o, "holds", i->holds);
	e |= json_add_str(o, "text", i->text);
	return e ? NULL : STEAL_PTR(o);
}

static struct json_object *results_json(const struct run *r)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < r->n; i++) {
		struct json_object *o = item_json(&r->item[i]);

		if (!o || json_object_array_add(list, o) < 0) {
			json_object_put(o);
			return NULL;
		}
	}
	return STEAL_PTR(list);
}

/* R is over, in whichever list it stands.  The callee may free all of the checks, so R goes first. */
static void run_over(struct run *r, const char *words)
{
	CLEAN(json_put_p) struct json_object *results = words ? NULL : results_json(r);
	checks_done done = r->done;
	void *userdata = r->userdata;

	unlink_run(&r->c->running, r);
	unlink_run(&r->c->waiting, r);
	if (r->c->waiting)
		wake(r->c);
	run_free(r);
	if (done)
		done(results, results ? NULL : words ? words : "out of memory", userdata);
}

static void run_over_if_known(struct run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->item[i].open)
			return;
	run_over(r, NULL);
}

__attribute__((format(printf, 2, 3))) static void item_fails(struct item *i, const char *fmt, ...)
{
	struct check_reading reading = { 0 };
	char words[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	reading.error = words;
	i->holds = check_judge(&i->check, &reading, i->text, sizeof(i->text));
	if (i->id[0])
		outbox_question_done(i->id);
	i->open = false;
}

static bool is_local(const struct item *i)
{
	return !check_by_courier(&i->check);
}

/* What jit-check was to find out is not known. */
static void local_fails(struct run *r, const char *words)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->item[i].open && is_local(&r->item[i]))
			item_fails(&r->item[i], "%s", words);
}

/* ---- on the host ---- */

static int take_answer(struct run *r, struct json_object *list)
{
	size_t at = 0, n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < r->n; i++) {
		struct item *item = &r->item[i];
		const struct json_object *o;
		const char *text;

		if (!item->open || !is_local(item))
			continue;
		o = at < n ? json_object_array_get_idx(list, at++) : NULL;
		text = o ? json_str(o, "text") : NULL;
		if (!text)
			return -EBADMSG;
		item->holds = json_true(o, "holds");
		text_line(item->text, sizeof(item->text), text, strlen(text));
		item->open = false;
	}
	return at == n ? 0 : -EBADMSG;
}

static int on_end(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *text = NULL;
	struct run *r = userdata;
	struct why w = { "it ended before it was done" };
	size_t len;
	int e = -EIO;

	r->pid = 0;
	if (si->si_code == CLD_EXITED && si->si_status == EXIT_SUCCESS)
		e = memfd_text(r->answer, CHECK_ANSWER_MAX, &text, &len);
	if (e >= 0)
		e = json_parse(text, len, &o, &w);
	if (e >= 0)
		e = take_answer(r, json_arr(o, "results"));
	if (e < 0) {
		log_error("jit-check: %s", w.text);
		/* Also what was taken of an answer that is none. */
		for (size_t i = 0; i < r->n; i++)
			r->item[i].open |= is_local(&r->item[i]);
		local_fails(r, "jit-check failed, see the log of jitd");
	}
	run_over_if_known(r);
	return 0;
}

static struct json_object *question_json(const struct run *r)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	int e = 0;

	for (size_t i = 0; list && i < r->n; i++)
		if (r->item[i].open && is_local(&r->item[i]))
			e |= json_object_array_add(list, json_object_new_string(r->item[i].check.text));
	e |= json_add_u64(o, "within", r->within);
	e |= json_add(o, "facts", json_object_get(r->facts));
	e |= json_add(o, "checks", STEAL_PTR(list));
	return e ? NULL : STEAL_PTR(o);
}

#define ARG(s) ((char *)(uintptr_t)(s))

static int start_local(struct run *r)
{
	CLEAN(json_put_p) struct json_object *o = question_json(r);
	const char *text = o ? json_text(o) : NULL;
	char *const argv[] = { ARG(dirs.check), NULL };
	char *const envp[] = { ARG("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), ARG("LC_ALL=C"), NULL };
	struct child_plan p = { .argv = argv, .envp = envp, .n_fds = 3, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	int e;

	if (!text)
		return -ENOMEM;
	if (strlen(text) > CHECK_QUESTION_MAX)
		return -E2BIG;
	r->question = memfd_with("jit-question", text, strlen(text));
	if (r->question < 0)
		return r->question;
	r->answer = memfd_with("jit-answer", "", 0);
	if (r->answer < 0)
		return r->answer;
	p.fds[0] = r->question;
	p.fds[1] = r->answer;
	p.fds[2] = STDERR_FILENO;
	e = child_start(&p, &r->pid, &r->pidfd);
	if (e < 0)
		return e;
	return sd_event_add_child(r->c->event, &r->end, r->pid, WEXITED, on_end, r);
}

/* ---- over the network ---- */

static int ask_courier(struct run *r, struct item *i)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	uint8_t random[QUESTION_ID_LEN / 2];
	int e = 0;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	hex_encode(random, sizeof(random), i->id);
	e |= json_add_u64(o, "v", 1);
	e |= json_add_str(o, "id", i->id);
	e |= json_add_str(o, "host", r->host);
	e |= json_add_str(o, "url", i->check.argument);
	e |= json_add_u64(o, "within", (r->within + USEC_PER_SEC - 1) / USEC_PER_SEC);
	return e ? -ENOMEM : outbox_question(i->id, json_text(o));
}

static struct item *find_question(struct checks *c, const char *id, struct run **ret)
{
	for (struct run *r = c->running; r; r = r->next)
		for (size_t i = 0; i < r->n; i++)
			if (r->item[i].open && r->item[i].id[0] && strcmp(r->item[i].id, id) == 0) {
				*ret = r;
				return &r->item[i];
			}
	return NULL;
}

int checks_answer(struct checks *c, const char *document, struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *line = NULL;
	struct check_reading reading = { 0 };
	const char *id, *text;
	uint64_t v, status;
	struct run *r = NULL;
	struct item *i;
	int e = json_parse(document, strlen(document), &o, w);

	if (e < 0)
		return e;
	id = json_str(o, "question");
	text = json_str(o, "text");
	if (json_u64(o, "v", &v) < 0 || v != 1 || !id || strlen(id) != QUESTION_ID_LEN || !text ||
	    json_u64(o, "status", &status) < 0 || status > 999)
		return why(w, -EINVAL, "the document lacks v, question, status or text");
	i = find_question(c, id, &r);
	if (!i)
		return why(w, -ENOENT, "no question of this id is open");
	line = text_escape(text, strcspn(text, "\r\n"), ANSWER_COLUMNS);
	if (status == 0) {
		item_fails(i, "%s", line && *line ? line : "no answer");
	} else {
		reading.number = status;
		reading.text = line;
		i->holds = check_judge(&i->check, &reading, i->text, sizeof(i->text));
		outbox_question_done(i->id);
		i->open = false;
	}
	run_over_if_known(r);
	return 0;
}

/* ---- clocks and turns ---- */

static int on_clock(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct run *r = userdata;
	char span[64];

	if (r->late) {
		log_error("jit-check did not end in time");
		local_fails(r, "jit-check did not end in time");
		run_over_if_known(r);
		return 0;
	}
	r->late = true;
	for (size_t i = 0; i < r->n; i++)
		if (r->item[i].open && !is_local(&r->item[i]))
			item_fails(&r->item[i], "no answer in %s (does jit-courier run?)",
				span_format(r->within, span, sizeof(span)));
	sd_event_source_set_time_relative(s, CHECK_LATE_USEC);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	run_over_if_known(r);
	return 0;
}

static int on_waited(sd_event_source *s, uint64_t usec, void *userdata)
{
	run_over(userdata, "too many others wait for theirs");
	return 0;
}

/* Each check is begun, or has failed. */
static void run_begin(struct run *r)
{
	bool local = false;
	int e;

	r->clock = sd_event_source_disable_unref(r->clock);
	e = sd_event_add_time_relative(r->c->event, &r->clock, CLOCK_MONOTONIC, r->within, 10000, on_clock, r);
	for (size_t i = 0; i < r->n && e >= 0; i++) {
		if (!r->item[i].open)
			continue;
		if (is_local(&r->item[i])) {
			local = true;
			continue;
		}
		e = ask_courier(r, &r->item[i]);
		if (e < 0)
			item_fails(&r->item[i], "the outbox cannot be written: %s", strerror(-e));
		e = 0;
	}
	if (e >= 0 && local)
		e = start_local(r);
	if (e < 0) {
		log_error("jit-check cannot be run: %s", strerror(-e));
		local_fails(r, "jit-check cannot be run, see the log of jitd");
		for (size_t i = 0; i < r->n; i++)
			if (r->item[i].open)
				item_fails(&r->item[i], "%s", strerror(-e));
	}
	run_over_if_known(r);
}

/* How many of LIST are in LANE; *MINE of them are UID's. */
static unsigned in_lane(const struct run *list, enum lane lane, uid_t uid, unsigned *mine)
{
	unsigned all = 0;

	*mine = 0;
	for (; list; list = list->next)
		if (list->lane == lane) {
			*mine += list->uid == uid;
			all++;
		}
	return all;
}

/* Whose turn it is: the oldest of those whose user has the least running, where its lane has a place for it. */
static struct run *next_run(struct checks *c)
{
	struct run *best = NULL;
	unsigned least = RUNNING_PER_UID;

	for (struct run *r = c->waiting; r; r = r->next) {
		unsigned mine, all = in_lane(c->running, r->lane, r->uid, &mine);
		unsigned places = lanes[r->lane].places - (mine ? lanes[r->lane].kept : 0);

		if (mine < least && all < places) {
			least = mine;
			best = r;
		}
	}
	return best;
}

static int on_wake(sd_event_source *s, void *userdata)
{
	struct checks *c = userdata;
	struct run *r = next_run(c);

	if (!r)
		return 0;
	unlink_run(&c->waiting, r);
	r->next = c->running;
	c->running = r;
	if (c->waiting)
		wake(c);
	run_begin(r);
	return 0;
}

/* ---- for the others ---- */

static int take_items(struct run *r, const struct rule *rule, bool local)
{
	char need[NEED_ALTERNATIVES * NEED_TERMS * 96];

	for (; r->n < rule->n_checks; r->n++) {
		const struct rule_check *c = &rule->checks[r->n];
		struct item *i = &r->item[r->n];
		bool run = !local || !(check_by_courier(&c->check) || c->check.kind == CHECK_EXEC);

		if (check_parse(c->check.text, &i->check, NULL) < 0)
			return -ENOMEM;
		i->effect = c->effect;
		i->open = true;
		if (c->effect == CHECK_ESCALATES) {
			i->need = strdup(need_format(&rule->escalation[c->escalation], need, sizeof(need)));
			if (!i->need)
				return -ENOMEM;
		}
		if (!run) {
			i->skipped = true;
			i->open = false;
			strcpy(i->text, "only looked at for root and the group jit-operators");
		}
	}
	return 0;
}

static enum lane lane_of(const struct run *r)
{
	enum lane lane = LANE_BUILT_IN;

	for (size_t i = 0; i < r->n; i++)
		if (r->item[i].open && r->item[i].check.kind == CHECK_EXEC)
			return LANE_EXEC;
		else if (r->item[i].open && !is_local(&r->item[i]))
			lane = LANE_COURIER;
	return lane;
}

static struct run *run_new(struct checks *c, const struct checks_question *q)
{
	CLEAN(run_free_p) struct run *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->c = c;
	r->pidfd = r->question = r->answer = -1;
	r->uid = q->uid;
	r->within = q->within;
	r->done = q->done;
	r->userdata = q->userdata;
	r->facts = json_object_get(q->facts);
	r->host = strdup(q->host);
	if (!r->host || !r->facts || take_items(r, q->rule, q->local) < 0)
		return NULL;
	r->lane = lane_of(r);
	/* Whoever runs now has ended by then. */
	if (sd_event_add_time_relative(c->event, &r->clock, CLOCK_MONOTONIC, r->within + WAIT_MARGIN_USEC, 10000, on_waited, r) < 0)
		return NULL;
	return STEAL_PTR(r);
}

int checks_start(struct checks *c, const struct checks_question *q)
{
	CLEAN(json_put_p) __attribute__((unused)) struct json_object *facts = q->facts; /* taken, whatever comes of it */
	struct run **last = &c->waiting;
	CLEAN(run_free_p) struct run *r = run_new(c, q);
	unsigned mine;
	int ticket;

	if (!r)
		return -ENOMEM;
	if (in_lane(c->waiting, r->lane, r->uid, &mine) >= WAITING_MAX || mine >= WAITING_PER_UID)
		return -EAGAIN;
	while (*last)
		last = &(*last)->next;
	c->ticket = c->ticket == INT_MAX ? 1 : c->ticket + 1;
	ticket = r->ticket = c->ticket;
	*last = STEAL_PTR(r);
	wake(c);
	return ticket;
}

void checks_cancel(struct checks *c, int ticket)
{
	for (struct run *r = c->waiting; r; r = r->next)
		if (r->ticket == ticket) {
			unlink_run(&c->waiting, r);
			run_free(r);
			return;
		}
	/* What runs is let end by itself, so that it tidies up behind itself. */
	for (struct run *r = c->running; r; r = r->next)
		if (r->ticket == ticket)
			r->done = NULL;
}

bool checks_holds(const struct rule *r, struct json_object *results, bool holds[static RULE_CHECKS_MAX])
{
	if (!results || json_object_array_length(results) != r->n_checks)
		return false;
	for (size_t i = 0; i < r->n_checks; i++) {
		const struct json_object *o = json_object_array_get_idx(results, i);
		const char *text = json_str(o, "check"), *effect = json_str(o, "effect");

		if (!text || !effect || strcmp(text, r->checks[i].check.text) != 0 ||
		    strcmp(effect, check_effect_string(r->checks[i].effect)) != 0)
			return false;
		holds[i] = json_true(o, "holds");
	}
	return true;
}

static void checks_free_p(struct checks **c)
{
	checks_free(*c);
}

int checks_new(sd_event *event, struct checks **ret)
{
	CLEAN(checks_free_p) struct checks *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->event = sd_event_ref(event);
	r = sd_event_add_defer(event, &c->wake, on_wake, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->wake, SD_EVENT_OFF);
	if (r < 0)
		return r;
	outbox_questions_sweep();
	*ret = STEAL_PTR(c);
	return 0;
}

static void runs_free(struct run *r)
{
	while (r) {
		struct run *next = r->next;

		run_free(r);
		r = next;
	}
}

struct checks *checks_free(struct checks *c)
{
	if (!c)
		return NULL;
	runs_free(c->running);
	runs_free(c->waiting);
	sd_event_source_disable_unref(c->wake);
	sd_event_unref(c->event);
	free(c);
	return NULL;
}
