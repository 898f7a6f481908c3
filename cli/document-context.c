/* Context and checks of a request: see document-context.h. */
#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cli/document-context.h"
#include "cli/document.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/text.h"

#define NAME_SHOWN 80
#define LIST_SHOWN 16 /* of any list; jitd writes shorter ones */

static struct json_object *member(struct json_object *doc, const char *key, enum json_type type)
{
	struct json_object *context = json_obj(doc, "context"), *o;

	return context && json_object_object_get_ex(context, key, &o) && json_object_is_type(o, type) ? o : NULL;
}

/* Text that jitd has made and escaped already. */
static char *made_text(struct json_object *o, const char *key)
{
	const char *s = json_str(o, key);
	CLEAN(free_p) char *safe = s ? screen_safe(s) : NULL;

	return safe ? screen_cut(safe, SHOWN_LINE) : NULL;
}

static const char *ago(struct json_object *o, const char *key, char *buf, size_t size)
{
	uint64_t sec;

	if (json_u64(o, key, &sec) < 0 || sec > INT64_MAX / USEC_PER_SEC)
		return "at some time";
	return when_delta(-(int64_t)(sec * USEC_PER_SEC), buf, size);
}

void document_view_ticket(struct json_object *doc)
{
	CLEAN(free_p) char *ticket = document_text(json_obj(doc, "context"), "ticket", NAME_SHOWN);

	field("ticket", BOLD, ticket);
}

void document_view_package(struct json_object *doc)
{
	static const struct {
		const char *state;
		enum style style;
		const char *before, *behind;
	} known[] = {
		{"shipped", PLAIN, "", ": the file is as it was shipped"},
		{"changed", RED, "", ": THE FILE HAS CHANGED since it was installed"},
		{"unlisted", YELLOW, "", ": it keeps no digest of the file, so nothing is known of changes"},
		{"none", YELLOW, "none: the file is of no package", ""},
	};
	struct json_object *p = member(doc, "package", json_type_object);
	CLEAN(free_p) char *state = p ? document_text(p, "state", NAME_SHOWN) : NULL;
	CLEAN(free_p) char *name = p ? document_text(p, "name", NAME_SHOWN) : NULL;
	CLEAN(free_p) char *version = p ? document_text(p, "version", NAME_SHOWN) : NULL;

	if (!state)
		return;
	for (size_t i = 0; i < ELEMENTS(known); i++)
		if (strcmp(state, known[i].state) == 0) {
			fieldf("package", known[i].style, "%s%s%s%s%s", known[i].before, name ? name : "", version ? " " : "",
				version ? version : "", known[i].behind);
			return;
		}
	fieldf("package", YELLOW, "%s%s%s", name ? name : "", name ? ": " : "", state);
}

/* ---- checks ---- */

/* What follows, or would follow, from EFFECT; a word that this jitctl does not know stands as it is. */
static void effect_words(const char *effect, const char *need, bool known, bool holds, char *buf, size_t size)
{
	if (strcmp(effect, "refuse") == 0)
		snprintf(buf, size, known && !holds ? "so it is refused" : "must hold");
	else if (strcmp(effect, "escalate") == 0)
		snprintf(buf, size, known && holds ? "else %s as well" : known ? "so %s as well" : "else %s as well", need ? need : "more");
	else if (strcmp(effect, "inform") == 0)
		snprintf(buf, size, "only to be known");
	else
		snprintf(buf, size, "%s", effect);
}

static void view_check(const char *left, struct json_object *check)
{
	CLEAN(free_p) char *name = document_text(check, "check", SHOWN_LINE), *effect = document_text(check, "effect", 16),
		*by = document_text(check, "by", 32), *text = made_text(check, "text"), *need = document_text(check, "need", NAME_SHOWN);
	bool known = json_object_object_get_ex(check, "holds", NULL), holds = json_true(check, "holds");
	bool other = by && strcmp(by, "host") != 0;
	char follows[160] = "", tail[256] = "";

	if (effect)
		effect_words(effect, need, known, holds, follows, sizeof(follows));
	if (*follows || other)
		snprintf(tail, sizeof(tail), " (%s%s%s%s)", follows, *follows && other ? ", " : "",
			other ? "looked at by the " : "", other ? by : "");
	fieldf(left, !known ? PLAIN : holds ? GREEN : RED, "%s%s%s%s%s", !known ? "" : holds ? "holds " : "FAILS ",
		name ? name : "?", text ? ": " : "", text ? text : "", tail);
}

void document_view_checks(struct json_object *doc)
{
	struct json_object *list = json_arr(doc, "checks");
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n && i < LIST_SHOWN; i++)
		view_check(i ? "" : "checks", json_object_array_get_idx(list, i));
	if (n > LIST_SHOWN)
		fieldf("", PLAIN, "and %zu more", n - LIST_SHOWN);
}

/* ---- the past ---- */

static void view_last(struct json_object *doc)
{
	struct json_object *list = member(doc, "last", json_type_array);
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n && i < LIST_SHOWN; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		CLEAN(free_p) char *command = made_text(o, "command"), *target = document_text(o, "target", 64),
			*outcome = made_text(o, "outcome");
		char when[64];

		fieldf(i ? "" : "before", PLAIN, "%s: %s as %s: %s", ago(o, "age", when, sizeof(when)),
			command ? command : "?", target ? target : "?", outcome ? outcome : "?");
	}
	if (list && n == 0)
		field("before", YELLOW, "no request of this user in the last day");
}

static void view_similar(struct json_object *doc)
{
	static const struct {
		const char *key, *words;
	} known[] = {
		{"approved", "approved"}, {"denied", "denied"}, {"unanswered", "not answered"}, {"pending", "pending"},
	};
	struct json_object *o = member(doc, "similar", json_type_object), *last = o ? json_obj(o, "last") : NULL;
	CLEAN(free_p) char *by = last ? document_text(last, "by", 64) : NULL;
	CLEAN(free_p) char *verdict = last ? document_text(last, "verdict", 16) : NULL;
	uint64_t total = 0, n;
	char counts[160] = "", when[64], whom[200] = "";
	size_t used = 0;

	if (!o || json_u64(o, "total", &total) < 0)
		return;
	for (size_t i = 0; i < ELEMENTS(known); i++)
		if (json_u64(o, known[i].key, &n) == 0 && n > 0)
			used += (size_t)snprintf(counts + used, sizeof(counts) - used, "%s%" PRIu64 " %s", used ? ", " : "", n,
				known[i].words);
	if (by && verdict)
		snprintf(whom, sizeof(whom), "; last %s by %s, %s", verdict, by, ago(last, "age", when, sizeof(when)));
	if (total == 0)
		field("similar", YELLOW, "no such request of anybody in the last day");
	else
		fieldf("similar", PLAIN, "%" PRIu64 " in the last day%s%s%s", total, used ? ": " : "", counts, whom);
}

/* ---- the host ---- */

static void view_users(struct json_object *doc)
{
	struct json_object *list = member(doc, "users", json_type_array), *more = member(doc, "users_more", json_type_int);
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n && i < LIST_SHOWN; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		CLEAN(free_p) char *name = document_text(o, "name", 64), *tty = document_text(o, "tty", 32),
			*from = document_text(o, "from", 64);
		uint64_t sessions = 1;
		char when[64] = "", times[32] = "";
		struct json_object *age;

		if (json_u64(o, "sessions", &sessions) == 0 && sessions > 1)
			snprintf(times, sizeof(times), ", %" PRIu64 " sessions", sessions);
		if (json_object_object_get_ex(o, "age", &age))
			ago(o, "age", when, sizeof(when));
		fieldf(i ? "" : "logged on", PLAIN, "%s%s%s%s%s%s%s%s%s", name ? name : "?",
			json_true(o, "requester") ? " (who asks)" : "", tty ? " on " : "", tty ? tty : "",
			from ? " from " : "", from ? from : "", times, *when ? ", came " : "", when);
	}
	if (more)
		fieldf("", PLAIN, "and %" PRId64 " more", json_object_get_int64(more));
	if (list && n == 0)
		field("logged on", PLAIN, "nobody");
}

static char *join(struct json_object *list)
{
	CLEAN(free_p) char *all = NULL;
	size_t size;
	FILE *f = open_memstream(&all, &size);

	for (size_t i = 0; f && list && i < json_object_array_length(list) && i < LIST_SHOWN; i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(list, i));

		fprintf(f, "%s%s", i ? ", " : "", s ? s : "?");
	}
	if (!f || fclose(f) != 0)
		return NULL;
	return text_escape(all, size, SHOWN_LINE);
}

static void view_units(struct json_object *doc)
{
	struct json_object *o = member(doc, "failed_units", json_type_object), *list = o ? json_arr(o, "names") : NULL;
	CLEAN(free_p) char *names = list ? join(list) : NULL;
	uint64_t n, shown = list ? json_object_array_length(list) : 0;

	if (!o || json_u64(o, "count", &n) < 0)
		return;
	if (n == 0)
		field("units", PLAIN, "none failed");
	else
		fieldf("units", RED, "%" PRIu64 " FAILED%s%s%s", n, names && *names ? ": " : "", names ? names : "",
			n > shown && shown ? ", ..." : "");
}

static void view_host(struct json_object *doc)
{
	struct json_object *c = json_obj(doc, "context");
	CLEAN(free_p) char *load = document_text(c, "load", NAME_SHOWN);
	uint64_t up, free_mib, cpus;
	char line[256] = "", span[32];
	size_t n = 0;

	if (load)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "load %s", load);
	if (load && json_u64(c, "cpus", &cpus) == 0)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " on %" PRIu64 " cpu%s", cpus, cpus == 1 ? "" : "s");
	if (json_u64(c, "memory_available_mib", &free_mib) == 0)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%" PRIu64 " %s free", n ? ", " : "",
			free_mib < 10240 ? free_mib : free_mib / 1024, free_mib < 10240 ? "MiB" : "GiB");
	if (json_u64(c, "up", &up) == 0 && up <= INT64_MAX / USEC_PER_SEC)
		snprintf(line + n, sizeof(line) - n, "%sup %s", n ? ", " : "",
			span_format(up >= 172800 ? up / 86400 * 86400 * USEC_PER_SEC : up / 60 * 60 * USEC_PER_SEC, span, sizeof(span)));
	field("host", PLAIN, line);
}

static void view_unknown(struct json_object *doc, const char *key, const char *words)
{
	struct json_object *list = member(doc, key, json_type_array);
	CLEAN(free_p) char *names = list ? join(list) : NULL;

	if (names && *names)
		fieldf("not known", YELLOW, "%s: %s", names, words);
}

/* What a later jitd may add. */
static void view_others(struct json_object *context)
{
	static const char *const known[] = {"ticket", "package", "last", "similar", "users", "users_more", "failed_units", "load",
		"cpus", "memory_available_mib", "up", "late", "unknown"};
	const char *left = "context";

	json_object_object_foreach(context, key, value) {
		CLEAN(free_p) char *name = NULL, *shown = NULL;
		const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value)
										  : json_text(value);
		size_t i = 0;

		while (i < ELEMENTS(known) && strcmp(key, known[i]) != 0)
			i++;
		if (i < ELEMENTS(known))
			continue;
		name = text_escape(key, strlen(key), 40);
		shown = text ? text_escape(text, strlen(text), SHOWN_LINE) : NULL;
		fieldf(left, PLAIN, "%s: %s", name ? name : "?", shown ? shown : "?");
		left = "";
	}
}

void document_view_context(struct json_object *doc)
{
	struct json_object *context = json_obj(doc, "context");

	if (!context)
		return;
	view_last(doc);
	view_similar(doc);
	view_users(doc);
	view_units(doc);
	view_host(doc);
	view_others(context);
	view_unknown(doc, "late", "could not be learnt in time");
	view_unknown(doc, "unknown", "cannot be told on this host");
}
