/* Records in plain words: see story.h. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cli/document.h"
#include "cli/screen.h"
#include "cli/story.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/event.h"
#include "lib/json.h"
#include "lib/text.h"

#define WORDS_MAX 2000

int story_init(struct story *s)
{
	*s = (struct story){.requests = json_object_new_object()};
	return s->requests ? 0 : -ENOMEM;
}

void story_done(struct story *s)
{
	json_put_p(&s->requests);
}

/* Text of a record, which jitd has escaped already where it came from somebody else: made safe, not escaped twice, cut. */
static char *words_of(struct json_object *record, const char *key, size_t max)
{
	const char *text = json_str(record, key);
	CLEAN(free_p) char *safe = text && *text ? screen_safe(text) : NULL;

	return safe ? screen_cut(safe, max) : NULL;
}

void story_learn(struct story *s, struct json_object *record)
{
	const char *event = json_str(record, "event"), *id = json_str(record, "id"), *document = json_str(record, "document");
	CLEAN(json_put_p) struct json_object *doc = NULL;
	CLEAN(free_p) char *who = NULL, *command = NULL;
	struct json_object *o;

	if (!event || !id || !document || strcmp(event, "requested") != 0 ||
		json_parse(document, strlen(document), &doc, NULL) < 0)
		return;
	who = document_who(doc);
	command = document_command(doc, SHOWN_LINE);
	o = json_object_new_object();
	if (!o)
		return;
	json_add_str(o, "user", json_str(doc, "user"));
	json_add_str(o, "host", json_str(doc, "host"));
	json_add_str(o, "who", who);
	json_add_str(o, "command", command);
	json_add(s->requests, id, o);
}

struct json_object *story_public(struct json_object *record)
{
	struct json_object *terms = json_obj(record, "terms");

	if (terms)
		json_object_object_del(terms, "code");
	return record;
}

const char *story_user(const struct story *s, struct json_object *record)
{
	const char *id = json_str(record, "id"), *user = json_str(record, "user");
	struct json_object *known = id ? json_obj(s->requests, id) : NULL;

	return user ? user : known ? json_str(known, "user") : NULL;
}

char *story_title(const struct story *s, const char *id)
{
	struct json_object *known = json_obj(s->requests, id);
	const char *who = known ? json_str(known, "who") : NULL, *command = known ? json_str(known, "command") : NULL;
	char *title;

	if (asprintf(&title, "%s: %s", who ? who : "?", command ? command : "(its beginning is not in what was read)") < 0)
		return NULL;
	return title;
}

/* "bob", "bob and carol" of an array of names, or the one name. */
static void people(struct json_object *record, const char *key, char *buf, size_t size)
{
	struct json_object *list = json_arr(record, key);
	size_t n = list ? json_object_array_length(list) : 0, used = 0;
	const char *one = json_str(record, key);

	*buf = 0;
	for (size_t i = 0; i < (n ? n : one ? 1 : 0) && used < size; i++) {
		const char *name = n ? json_object_get_string(json_object_array_get_idx(list, i)) : one;
		CLEAN(free_p) char *shown = name ? text_escape(name, strlen(name), 64) : NULL;

		used += (size_t)snprintf(buf + used, size - used, "%s%s", i == 0 ? "" : i + 1 == n ? " and " : ", ",
			shown ? shown : "?");
	}
}

static const char *span_of(struct json_object *record, const char *key, char *buf, size_t size)
{
	uint64_t usec;

	*buf = 0;
	/* Spans in records are microseconds; rounded, a person has no use for less than a second. */
	if (json_u64(record, key, &usec) == 0 && usec > 0 && usec < 400 * USEC_PER_DAY)
		span_format((usec + USEC_PER_SEC / 2) / USEC_PER_SEC * USEC_PER_SEC, buf, size);
	return buf;
}

static uint64_t number(struct json_object *record, const char *key)
{
	uint64_t n = 0;

	json_u64(record, key, &n);
	return n;
}

static void say_requested(FILE *f, const struct story *s, struct json_object *r)
{
	const char *document = json_str(r, "document");
	CLEAN(json_put_p) struct json_object *doc = NULL;
	CLEAN(free_p) char *user = words_of(r, "user", 64), *command = NULL, *target = NULL, *reason = NULL, *need = NULL,
		*service = NULL, *rule = words_of(r, "rule", 64);

	if (document)
		(void)json_parse(document, strlen(document), &doc, NULL);
	if (doc) {
		command = document_command(doc, SHOWN_LINE);
		target = document_text(doc, "target", 64);
		reason = document_text(doc, "reason", SHOWN_LINE);
		need = document_text(doc, "need", SHOWN_LINE);
		service = document_text(doc, "service", 64);
	}
	fprintf(f, "%s asks to run as %s, by %s: %s", user ? user : "?", target ? target : "?", service ? service : "?",
		command ? command : "?");
	if (reason && *reason)
		fprintf(f, "; because: %s", reason);
	fprintf(f, " [rule %s%s%s]", rule ? rule : "?", need ? ", needs " : "", need ? need : "");
}

static void say_allowed(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *user = words_of(r, "user", 64), *command = words_of(r, "command", SHOWN_LINE),
		*target = words_of(r, "target", 64), *service = words_of(r, "service", 64), *rule = words_of(r, "rule", 64);

	fprintf(f, "%s runs as %s, by %s, without asking: %s [rule %s]", user ? user : "?", target ? target : "?",
		service ? service : "?", command ? command : "?", rule ? rule : "?");
}

static void say_denied(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *user = words_of(r, "user", 64), *command = words_of(r, "command", SHOWN_LINE),
		*text = words_of(r, "text", WORDS_MAX), *rule = words_of(r, "rule", 64), *person = words_of(r, "person", 64);
	uint64_t count = number(r, "count"); /* of a minute's further ones, whose calls are not recorded */
	const char *by = json_str(r, "by");

	if (by && strcmp(by, "check") == 0) {
		fprintf(f, "%s is refused by %s (rule %s)%s%s", user ? user : "?", text ? text : "a check", rule ? rule : "?",
			command ? ": " : "", command ? command : "");
		return;
	}
	if (person)
		fprintf(f, "denied by %s", person);
	else
		fprintf(f, "%s is denied by rule %s%s%s", user ? user : count ? "somebody" : "?", rule ? rule : "?", command ? ": " : "",
			command ? command : "");
	if (count)
		fprintf(f, ", %" PRIu64 " times more", count);
	if (text)
		fprintf(f, ": %s", text);
}

static void say_decided(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *person = words_of(r, "person", 64), *principal = words_of(r, "principal", 128),
		*strength = words_of(r, "strength", 16), *note = words_of(r, "note", SHOWN_LINE),
		*scope = words_of(r, "scope", 16);
	const char *verdict = json_str(r, "verdict");
	char span[64];

	fprintf(f, "%s", person ? person : "?");
	if (person && principal && strcmp(person, principal) != 0)
		fprintf(f, " (%s)", principal);
	fprintf(f, " says %s, signed with %s", verdict && strcmp(verdict, "approve") == 0 ? "yes" : "no", strength ? strength : "?");
	if (*span_of(r, "for", span, sizeof(span)))
		fprintf(f, ", for %s", span);
	if (scope)
		fprintf(f, ", scope %s", scope);
	if (note)
		fprintf(f, ": %s", note);
}

static void say_granted(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *scope = words_of(r, "scope", 16);
	const char *user = story_user(s, r);
	CLEAN(free_p) char *shown = user ? text_escape(user, strlen(user), 64) : NULL;
	char names[512], span[64];

	people(r, "by", names, sizeof(names));
	fprintf(f, "granted to %s by %s", shown ? shown : "?", *names ? names : "?");
	if (*span_of(r, "for", span, sizeof(span)))
		fprintf(f, ", %s from first use", span);
	if (scope)
		fprintf(f, ", scope %s", scope);
}

static void say_opened(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *tty = words_of(r, "tty", 64), *target = words_of(r, "target", 64), *text = words_of(r, "text", WORDS_MAX),
		*command = words_of(r, "command", WORDS_MAX), *marks = words_of(r, "marks", WORDS_MAX);
	const char *event = json_str(r, "event");

	fprintf(f, "%s: process %" PRIu64, strcmp(event, "opened") == 0 ? "in use, the time runs" : "used again", number(r, "pid"));
	if (target)
		fprintf(f, " as %s", target);
	if (tty)
		fprintf(f, " on %s", tty);
	if (command || text)
		fprintf(f, ": %s", command ? command : text);
	if (marks)
		fprintf(f, " [%s]", marks);
}

static void say_closed(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *text = words_of(r, "text", WORDS_MAX);

	fprintf(f, "process %" PRIu64 " is done%s%s", number(r, "pid"), text ? ": " : "", text ? text : "");
}

static void say_warned(FILE *f, const struct story *s, struct json_object *r)
{
	char span[64];

	fprintf(f, "warned, %s left", span_of(r, "left", span, sizeof(span)));
}

static void say_revoked(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *text = words_of(r, "text", WORDS_MAX), *strength = words_of(r, "strength", 16);
	char names[256];

	people(r, "by", names, sizeof(names));
	fprintf(f, "revoked by %s%s%s%s%s", *names ? names : "?", strength ? ", signed with " : "", strength ? strength : "",
		text ? ": " : "", text ? text : "");
}

static void say_expired(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *cause = words_of(r, "cause", WORDS_MAX);

	fprintf(f, "over: %s", cause ? cause : "its time is up");
}

static void say_withdrawn(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *text = words_of(r, "text", WORDS_MAX);
	char names[256];

	people(r, "by", names, sizeof(names));
	fprintf(f, "withdrawn by %s%s%s", *names ? names : "?", text ? ": " : "", text ? text : "");
}

static void say_refused(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *where = words_of(r, "where", 64), *text = words_of(r, "text", WORDS_MAX),
		*reason = words_of(r, "reason", WORDS_MAX), *name = words_of(r, "name", 100);
	uint64_t count = number(r, "count");

	fprintf(f, "refused at the %s: %s", where ? where : "?", text ? text : reason ? reason : "?");
	if (name)
		fprintf(f, " (%s)", name);
	if (count > 1)
		fprintf(f, ", %" PRIu64 " times", count);
}

static void say_config(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *text = words_of(r, "text", WORDS_MAX), *digest = words_of(r, "digest", 64);
	struct json_object *errors = json_arr(r, "errors");

	fprintf(f, "configuration read%s%s%s%.12s", text ? ": " : "", text ? text : "", digest ? ", digest " : "",
		digest ? digest : "");
	for (size_t i = 0; errors && i < json_object_array_length(errors); i++) {
		const char *e = json_object_get_string(json_object_array_get_idx(errors, i));
		CLEAN(free_p) char *shown = e ? screen_safe(e) : NULL;

		fprintf(f, "; %s", shown ? shown : "?");
	}
}

static void say_repaired(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *text = words_of(r, "text", WORDS_MAX), *file = words_of(r, "file", 64);

	fprintf(f, "the ledger was repaired%s%s: %s", file ? ", " : "", file ? file : "",
		text ? text : "a last line cut short by a crash was removed");
}

static void say_leftover(FILE *f, const struct story *s, struct json_object *r)
{
	CLEAN(free_p) char *what = words_of(r, "what", WORDS_MAX), *text = words_of(r, "text", WORDS_MAX);

	fprintf(f, "left over after the end: %s", what ? what : text ? text : "?");
}

static const struct {
	const char *event;
	void (*say)(FILE *f, const struct story *s, struct json_object *r);
	enum style style;
} sayings[] = {
	{"config", say_config, DIM},        {"requested", say_requested, PLAIN}, {"allowed", say_allowed, PLAIN},
	{"denied", say_denied, RED},        {"decided", say_decided, PLAIN},     {"granted", say_granted, GREEN},
	{"opened", say_opened, PLAIN},      {"used", say_opened, PLAIN},         {"closed", say_closed, PLAIN},
	{"warned", say_warned, YELLOW},     {"revoked", say_revoked, YELLOW},    {"expired", say_expired, PLAIN},
	{"withdrawn", say_withdrawn, PLAIN}, {"refused", say_refused, RED},      {"repaired", say_repaired, YELLOW},
	{"leftover", say_leftover, RED},
};

char *story_words(const struct story *s, struct json_object *record)
{
	const char *event = json_str(record, "event");
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; event && i < ELEMENTS(sayings); i++)
		if (strcmp(event, sayings[i].event) == 0) {
			sayings[i].say(f, s, record);
			event = NULL;
		}
	if (event) {
		CLEAN(free_p) char *shown = text_escape(event, strlen(event), 64);

		fprintf(f, "%s", shown ? shown : "?");
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static enum style style_of(struct json_object *record)
{
	const char *event = json_str(record, "event");

	for (size_t i = 0; event && i < ELEMENTS(sayings); i++)
		if (strcmp(event, sayings[i].event) == 0)
			return sayings[i].style;
	return PLAIN;
}

/* TEXT behind what stands on the line already (COLUMN), wrapped there on a terminal. */
static void print_wrapped(const char *text, size_t column, enum style style)
{
	size_t width = screen_width();

	if (width < column + 20) {
		printf("%s%s%s\n", paint(style), text, paint(PLAIN));
		return;
	}
	for (;;) {
		CLEAN(free_p) char *line = screen_line(&text, width - column);

		printf("%s%s%s\n", style == PLAIN ? "" : paint(style), line ? line : "", style == PLAIN ? "" : paint(PLAIN));
		if (!line || !*text)
			return;
		printf("%*s", (int)column, "");
	}
}

void story_print(struct story *s, struct json_object *record, bool with_id)
{
	CLEAN(free_p) char *words = story_words(s, record);
	const char *time = json_str(record, "time"), *id = json_str(record, "id");
	char day[32] = "", at[32] = "";
	uint64_t usec;
	time_t t;
	struct tm tm;

	if (time && time_rfc3339_parse(time, &usec) == 0) {
		t = (time_t)(usec / USEC_PER_SEC);
		localtime_r(&t, &tm);
		strftime(day, sizeof(day), screen_terminal() ? "%a %Y-%m-%d" : "%Y-%m-%d", &tm);
		strftime(at, sizeof(at), "%H:%M:%S", &tm);
	}
	if (!screen_terminal()) {
		printf("%s %s  ", day, at);
	} else {
		if (strcmp(day, s->day) != 0)
			printf("%s%s%s\n", paint(BOLD), day, paint(PLAIN));
		snprintf(s->day, sizeof(s->day), "%s", day);
		printf("%s%s%s  ", paint(DIM), at, paint(PLAIN));
	}
	if (with_id)
		printf("%-9s  ", id && id_valid(id) ? id : "");
	print_wrapped(words ? words : "out of memory", (screen_terminal() ? 10 : 21) + (with_id ? 11 : 0), style_of(record));
}
