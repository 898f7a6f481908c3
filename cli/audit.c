/* jitctl audit [show]: the ledger, told in order. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cli/screen.h"
#include "cli/story.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/event.h"
#include "lib/json.h"
#include "lib/ledger.h"

int audit_open(const struct cli *c, int *ret_fd)
{
	const char *dir = c->value[OPT_DIR] ? c->value[OPT_DIR] : LEDGER_DIR;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return cli_fail(CLI_REFUSED, "cannot read %s: only root may read the ledger", dir);
	if (fd < 0)
		return cli_fail(errno == ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, "cannot open the ledger %s: %s", dir, strerror(errno));
	*ret_fd = fd;
	return CLI_DONE;
}

/* A moment: RFC 3339, local "YYYY-MM-DD[ HH:MM[:SS]]", "today", "yesterday", or a span back from now. */
static int moment(const char *text, uint64_t *ret_real)
{
	static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"};
	time_t now = time(NULL);
	struct tm tm;
	uint64_t span;

	if (time_rfc3339_parse(text, ret_real) == 0)
		return 0;
	for (size_t i = 0; i < ELEMENTS(forms); i++) {
		const char *end;

		memset(&tm, 0, sizeof(tm));
		tm.tm_isdst = -1;
		end = strptime(text, forms[i], &tm);
		if (end && !*end) {
			*ret_real = (uint64_t)mktime(&tm) * USEC_PER_SEC;
			return 0;
		}
	}
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		localtime_r(&now, &tm);
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_mday -= *text == 'y';
		tm.tm_isdst = -1;
		*ret_real = (uint64_t)mktime(&tm) * USEC_PER_SEC;
		return 0;
	}
	if (span_parse(text, &span, NULL) < 0)
		return -EINVAL;
	*ret_real = clock_real() - span;
	return 0;
}

int filter_read(const struct cli *c, struct filter *ret)
{
	struct filter f = {.c = c, .user = c->value[OPT_USER], .until = USEC_INFINITY};
	const char *event;
	size_t at = 0;

	if (c->argc)
		return cli_usage(c, "no words, only options");
	if (c->value[OPT_ID] && id_parse(c->value[OPT_ID], f.id) < 0)
		return cli_fail(CLI_MISUSED, "'%s' is no request id (such as K7QF-2M9X)", c->value[OPT_ID]);
	if (c->value[OPT_SINCE] && moment(c->value[OPT_SINCE], &f.since) < 0)
		return cli_fail(CLI_MISUSED, "--since: '%s' is no time", c->value[OPT_SINCE]);
	if (c->value[OPT_UNTIL] && moment(c->value[OPT_UNTIL], &f.until) < 0)
		return cli_fail(CLI_MISUSED, "--until: '%s' is no time", c->value[OPT_UNTIL]);
	while ((event = cli_next(c, OPT_EVENT, &at)))
		if (event_parse(event) < 0)
			return cli_fail(CLI_MISUSED, "--event: there is no event '%s'", event);
	*ret = f;
	return CLI_DONE;
}

bool filter_wants(const struct filter *f, const struct story *s, struct json_object *record)
{
	const char *id = json_str(record, "id"), *time = json_str(record, "time"), *event = json_str(record, "event"), *wanted;
	uint64_t t;
	size_t at = 0;

	if (*f->id && (!id || strcmp(id, f->id) != 0))
		return false;
	if (f->user) {
		const char *user = story_user(s, record);

		if (!user || strcmp(user, f->user) != 0)
			return false;
	}
	if ((f->since || f->until != USEC_INFINITY) && time && time_rfc3339_parse(time, &t) == 0 &&
		(t < f->since || t > f->until))
		return false;
	if (!f->c->value[OPT_EVENT])
		return true;
	while ((wanted = cli_next(f->c, OPT_EVENT, &at)))
		if (event && strcmp(event, wanted) == 0)
			return true;
	return false;
}

struct showing {
	struct cli *c;
	struct filter filter;
	struct story story;
	struct json_object *blocks; /* --story: id → records, in order of first appearance */
	size_t shown;
};

static void showing_done(struct showing *s)
{
	story_done(&s->story);
	json_put_p(&s->blocks);
}

static int on_record(struct json_object *line, const char *text, size_t len, void *userdata)
{
	struct showing *s = userdata;
	const char *id = json_str(line, "id");
	struct json_object *block;

	story_learn(&s->story, line);
	if (!filter_wants(&s->filter, &s->story, line))
		return 0;
	s->shown++;
	if (s->blocks) {
		if (!id)
			return 0;
		block = json_arr(s->blocks, id);
		if (!block) {
			block = json_object_new_array();
			if (!block || json_add(s->blocks, id, block) < 0)
				return -ENOMEM;
		}
		return json_object_array_add(block, json_object_get(story_public(line))) < 0 ? -ENOMEM : 0;
	}
	if (s->c->json)
		screen_json(stdout, story_public(line));
	else
		story_print(&s->story, line, true);
	return 0;
}

static void print_blocks(struct showing *s)
{
	bool first = true;

	json_object_object_foreach(s->blocks, id, records) {
		CLEAN(free_p) char *title = story_title(&s->story, id);

		if (s->c->json) {
			CLEAN(json_put_p) struct json_object *o = json_object_new_object();

			json_add_str(o, "id", id);
			json_add(o, "records", json_object_get(records));
			screen_json(stdout, o);
			continue;
		}
		printf("%s%s%s%s  %s\n", first ? "" : "\n", paint(BOLD), id_valid(id) ? id : "?", paint(PLAIN),
			title ? title : "");
		first = false;
		*s->story.day = 0;
		for (size_t i = 0; i < json_object_array_length(records); i++)
			story_print(&s->story, json_object_array_get_idx(records, i), false);
	}
}

int verb_audit(struct cli *c)
{
	struct showing s CLEAN(showing_done) = {.c = c};
	CLEAN(close_p) int dir = -1;
	struct ledger_head head;
	bool torn = false;
	struct why w;
	int r;

	r = filter_read(c, &s.filter);
	if (r == CLI_DONE)
		r = audit_open(c, &dir);
	if (r != CLI_DONE)
		return r;
	if (story_init(&s.story) < 0)
		return cli_oom();
	if (c->value[OPT_STORY] && !(s.blocks = json_object_new_object()))
		return cli_oom();
	r = ledger_read(dir, on_record, &s, &head, &torn, &w);
	if (s.blocks)
		print_blocks(&s);
	if (r == -EBADMSG)
		return cli_fail(CLI_INTEGRITY, "THE LEDGER IS BROKEN, what stands above is only its whole part: %s", w.text);
	if (r < 0)
		return cli_fail(CLI_REFUSED, "cannot read the ledger: %s", w.text);
	if (torn)
		cli_warn("the last line is torn (a crash while it was written)");
	if (s.shown == 0 && !c->json)
		printf("Nothing to tell.\n");
	return CLI_DONE;
}
