/* jitctl inbox: what waits for this approver at the hub. */
#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cli/approver.h"
#include "cli/document.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/text.h"

#define POLL_SEC 20
#define REQUESTS_MAX 10000

/* Hosts whose key was looked up already in this run. */
#define KEYS_MAX 64
struct keys {
	struct hub *hub;
	const struct settings *s;
	struct {
		char *host;
		struct host_key key;
	} list[KEYS_MAX];
	size_t n;
};

static void keys_done(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++) {
		free(k->list[i].host);
		host_key_done(&k->list[i].key);
	}
}

static const struct host_key *keys_find(struct keys *k, const char *host)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->list[i].host, host) == 0)
			return &k->list[i].key;
	if (k->n == KEYS_MAX || host_key_find(k->hub, k->s, host, &k->list[k->n].key) != CLI_DONE)
		return NULL;
	k->list[k->n].host = strdup(host);
	if (!k->list[k->n].host) {
		host_key_done(&k->list[k->n].key);
		return NULL;
	}
	return &k->list[k->n++].key;
}

/* The last thing that the host said about it, if its receipt verifies. */
static void last_receipt(struct keys *keys, const struct fetched *f, char *buf, size_t size)
{
	struct json_object *list = json_arr(f->outer, "receipts");
	size_t n = list ? json_object_array_length(list) : 0;
	const struct host_key *key = n ? keys_find(keys, f->host) : NULL;
	struct receipt r CLEAN(receipt_done) = {0};
	CLEAN(free_p) char *event = NULL;

	snprintf(buf, size, n ? "unverified" : "");
	if (!key || receipt_read(json_object_array_get_idx(list, n - 1), key, &r, NULL) < 0)
		return;
	if (strcmp(r.host, f->host) != 0 || strcmp(r.request, f->id) != 0)
		return;
	event = text_escape(r.event, strlen(r.event), 32);
	snprintf(buf, size, "%s%s", r.verified ? "" : "unverified: ", event ? event : "?");
}

static void answers(struct json_object *outer, char *buf, size_t size)
{
	struct json_object *list = json_arr(outer, "decisions");
	size_t n = list ? json_object_array_length(list) : 0, used = 0;

	*buf = 0;
	for (size_t i = 0; i < n && used < size; i++) {
		struct json_object *d = json_object_array_get_idx(list, i);
		CLEAN(free_p) char *who = document_text(d, "approver", 40), *verdict = document_text(d, "verdict", 10);

		used += (size_t)snprintf(buf + used, size - used, "%s%s: %s", used ? ", " : "", who ? who : "?",
			verdict ? verdict : "?");
	}
}

static void request_row(struct table *t, struct keys *keys, const struct fetched *f, bool all)
{
	CLEAN(free_p) char *who = document_who(f->document), *command = document_command(f->document, SHOWN_LINE),
		*reason = document_text(f->document, "reason", SHOWN_LINE), *state = document_text(f->outer, "state", 16),
		*alarms = document_alarms(f->document);
	char when[64], said[256], left[64];

	table_row(t);
	table_set(t, 0, BOLD, f->id);
	table_set(t, 1, PLAIN, f->host);
	table_set(t, 2, PLAIN, who);
	table_set(t, 3, PLAIN, command);
	table_set(t, 4, RED, alarms);
	table_set(t, 5, PLAIN, reason);
	table_set(t, 6, DIM, when_text(json_str(f->document, "created"), when, sizeof(when)));
	if (!all || (state && strcmp(state, "pending") == 0)) {
		table_set(t, 7, YELLOW, when_text(json_str(f->document, "answer_by"), left, sizeof(left)));
	} else {
		last_receipt(keys, f, said, sizeof(said));
		table_set(t, 7, PLAIN, *said ? said : state);
	}
	answers(f->outer, said, sizeof(said));
	table_set(t, 8, PLAIN, said);
}

static void bad_row(struct table *t, struct json_object *outer, const char *words)
{
	CLEAN(free_p) char *id = document_text(outer, "id", 16), *host = document_text(outer, "host", 64), *text = NULL;

	if (asprintf(&text, "unreadable: %s", words) < 0)
		text = NULL;
	table_row(t);
	table_set(t, 0, RED, id ? id : "?");
	table_set(t, 1, PLAIN, host);
	table_set(t, 3, RED, text);
}

static struct json_object *row_json(const struct fetched *f)
{
	struct json_object *o = json_object_new_object();
	const char *copy[] = {"decisions", "receipts"};

	json_add_str(o, "id", f->id);
	json_add_str(o, "host", f->host);
	json_add_str(o, "state", json_str(f->outer, "state"));
	json_add_str(o, "received", json_str(f->outer, "received"));
	json_add_str(o, "digest", f->digest);
	json_add(o, "document", json_object_get(f->document));
	for (size_t i = 0; i < ELEMENTS(copy); i++)
		if (json_arr(f->outer, copy[i]))
			json_add(o, copy[i], json_object_get(json_arr(f->outer, copy[i])));
	return o;
}

static struct json_object *bad_json(struct json_object *outer, const char *words)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "id", json_str(outer, "id"));
	json_add_str(o, "host", json_str(outer, "host"));
	json_add_str(o, "unreadable", words);
	return o;
}

/* One page after *AFTER onto LIST.  An exit code; *RET_MORE: there is another page. */
static int fetch_page(struct cli *c, struct hub *h, uint64_t *after, unsigned wait, struct json_object *list, bool *ret_more)
{
	CLEAN(json_put_p) struct json_object *answer = NULL;
	struct json_object *page;
	uint64_t next = *after;
	char path[128];
	int r;

	snprintf(path, sizeof(path), "/v1/requests?state=%s&after=%" PRIu64 "&wait=%u",
		c->value[OPT_ALL] ? "all" : "pending", *after, wait);
	r = hub_call(h, "GET", path, NULL, wait, &answer);
	if (r != CLI_DONE)
		return r;
	page = json_arr(answer, "requests");
	if (!page)
		return cli_fail(CLI_UNREACHABLE, "the hub's list of requests cannot be read");
	for (size_t i = 0; i < json_object_array_length(page); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(page, i)));
	json_u64(answer, "next", &next);
	/* A hub that does not count on would send the same page for ever. */
	*ret_more = json_true(answer, "more") && next > *after;
	*after = next;
	return CLI_DONE;
}

/* All pages, and with --wait again until there is something. */
static int fetch(struct cli *c, struct hub *h, uint64_t deadline, struct json_object *list)
{
	uint64_t after = 0;
	unsigned wait = 0;

	for (;;) {
		uint64_t before = clock_boot(), left;
		bool more = false;
		int r = fetch_page(c, h, &after, wait, list, &more);

		if (r != CLI_DONE)
			return r;
		if (more && json_object_array_length(list) < REQUESTS_MAX) {
			wait = 0;
			continue;
		}
		if (json_object_array_length(list) > 0 || !c->value[OPT_WAIT])
			return CLI_DONE;
		if (before >= deadline)
			return cli_fail(CLI_PENDING, "nothing came");
		/* The hub waits for us; one that does not is not asked more often than this. */
		if (wait && clock_boot() - before < USEC_PER_SEC)
			sleep(1);
		left = (deadline - before) / USEC_PER_SEC + 1;
		wait = left < POLL_SEC ? (unsigned)left : POLL_SEC;
	}
}

static int show(struct cli *c, struct hub *h, const struct settings *s, struct json_object *list)
{
	static const struct column column[] = {
		{"ID", 0, false}, {"HOST", 1, false}, {"WHO", 0, true}, {"COMMAND", 0, true}, {"LOOK AT", 1, true},
		{"REASON", 3, true}, {"ASKED", 4, false}, {"ANSWER BY", 2, false}, {"ANSWERS", 5, true},
	};
	static const struct column column_all[] = {
		{"ID", 0, false}, {"HOST", 1, false}, {"WHO", 0, true}, {"COMMAND", 0, true}, {"LOOK AT", 1, true},
		{"REASON", 3, true}, {"ASKED", 4, false}, {"NOW", 2, false}, {"ANSWERS", 5, true},
	};
	bool all = c->value[OPT_ALL];
	struct table t CLEAN(table_done) = {.column = all ? column_all : column, .columns = ELEMENTS(column)};
	struct keys keys CLEAN(keys_done) = {.hub = h, .s = s};
	CLEAN(json_put_p) struct json_object *out = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct fetched f CLEAN(fetched_done) = {0};
		struct json_object *outer = json_object_array_get_idx(list, i);
		struct why w;
		bool good = fetched_read(outer, &f, &w) == 0;

		if (c->json)
			json_object_array_add(out, good ? row_json(&f) : bad_json(outer, w.text));
		else if (good)
			request_row(&t, &keys, &f, all);
		else
			bad_row(&t, outer, w.text);
	}
	if (c->json) {
		screen_json(stdout, out);
		return CLI_DONE;
	}
	if (t.failed)
		return cli_oom();
	if (t.rows == 0)
		printf("Nothing waits for %s.\n", s->principal);
	table_print(&t);
	return CLI_DONE;
}

int verb_inbox(struct cli *c)
{
	struct settings s CLEAN(settings_done) = {0};
	CLEAN(hub_p) struct hub *h = NULL;
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();
	uint64_t timeout = 366 * USEC_PER_DAY;
	int r;

	if (c->argc)
		return cli_usage(c, "inbox takes no words");
	r = cli_span(c, OPT_TIMEOUT, &timeout);
	if (r == CLI_DONE)
		r = settings_load(c, &s);
	if (r == CLI_DONE)
		r = hub_open(&s, &h);
	if (r == CLI_DONE)
		r = fetch(c, h, clock_boot() + timeout, list);
	return r == CLI_DONE ? show(c, h, &s, list) : r;
}
