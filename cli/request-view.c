/* Request objects on the screen: see request-view.h. */
#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cli/document.h"
#include "cli/request-view.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/text.h"

enum style state_style(const char *state)
{
	static const struct {
		const char *state;
		enum style style;
	} known[] = {
		{"pending", YELLOW}, {"granted", GREEN}, {"running", GREEN}, {"denied", RED}, {"expired", DIM},
		{"withdrawn", DIM},  {"ended", DIM},
	};

	for (size_t i = 0; state && i < ELEMENTS(known); i++)
		if (strcmp(state, known[i].state) == 0)
			return known[i].style;
	return PLAIN;
}

const char *request_people(struct json_object *request, const char *verdict, char *buf, size_t size)
{
	struct json_object *list = json_arr(request, "decisions");
	size_t n = list ? json_object_array_length(list) : 0, used = 0, said = 0, total = 0;

	*buf = 0;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			struct json_object *d = json_object_array_get_idx(list, i);
			const char *v = json_str(d, "verdict"), *p = json_str(d, "person");
			CLEAN(free_p) char *person = NULL;

			if (!v || strcmp(v, verdict) != 0)
				continue;
			if (pass == 0) {
				total++;
				continue;
			}
			person = p ? text_escape(p, strlen(p), 64) : NULL;
			used += (size_t)snprintf(buf + used, size - used, "%s%s",
				said == 0 ? "" : said + 1 == total ? " and " : ", ", person ? person : "?");
			if (used >= size)
				return buf;
			said++;
		}
	return buf;
}

static bool left_of(struct json_object *request, const char *key, char *buf, size_t size)
{
	uint64_t left;

	if (json_u64(request, key, &left) < 0 || left > INT64_MAX)
		return false;
	when_delta((int64_t)left, buf, size);
	return true;
}

const char *request_now(struct json_object *request, char *buf, size_t size)
{
	const char *state = json_str(request, "state");
	CLEAN(free_p) char *missing = document_text(request, "missing", 100), *outcome = document_text(request, "outcome", 200);
	char when[64], people[256];

	*buf = 0;
	if (!state)
		return buf;
	if (strcmp(state, "pending") == 0) {
		bool timed = left_of(request, "answer_left", when, sizeof(when));

		if (!timed && json_str(request, "answer_by"))
			timed = *when_text(json_str(request, "answer_by"), when, sizeof(when)) != 0;
		snprintf(buf, size, "%s%s%s%s", missing ? missing : "", missing ? " to answer" : "answer",
			timed ? " " : "", timed ? when : "");
	} else if (strcmp(state, "granted") == 0) {
		snprintf(buf, size, "use it %s", left_of(request, "claim_left", when, sizeof(when)) ? when : "now");
	} else if (strcmp(state, "running") == 0) {
		snprintf(buf, size, "ends %s", left_of(request, "left", when, sizeof(when)) ? when : "soon");
	} else if (strcmp(state, "denied") == 0 && *request_people(request, "deny", people, sizeof(people))) {
		snprintf(buf, size, "%s%s", outcome ? "" : "by ",
			outcome ? outcome + (strncmp(outcome, "denied ", 7) == 0 ? 7 : 0) : people);
	} else if (outcome) {
		snprintf(buf, size, "%s", outcome);
	}
	return buf;
}

static void view_decisions(struct json_object *request)
{
	struct json_object *list = json_arr(request, "decisions");
	const char *left = "answers";

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *d = json_object_array_get_idx(list, i);
		CLEAN(free_p) char *person = document_text(d, "person", 64), *principal = document_text(d, "principal", 128),
			*strength = document_text(d, "strength", 16), *note = document_text(d, "note", 400);
		const char *verdict = json_str(d, "verdict");
		bool no = verdict && strcmp(verdict, "deny") == 0;
		bool other = person && principal && strcmp(person, principal) != 0;
		char when[64];

		fieldf(left, no ? RED : GREEN, "%s%s%s%s %s %s%s%s%s%s%s", person ? person : "?", other ? " (" : "",
			other ? principal : "", other ? ")" : "", no ? "denied" : "approved",
			when_text(json_str(d, "time"), when, sizeof(when)), strength ? ", with " : "",
			strength ? strength : "", note ? ": \"" : "", note ? note : "", note ? "\"" : "");
		left = "";
	}
}

static void view_uses(struct json_object *request)
{
	struct json_object *list = json_arr(request, "uses");
	const char *left = "uses";

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *u = json_object_array_get_idx(list, i), *open;
		CLEAN(free_p) char *tty = document_text(u, "tty", 64);
		uint64_t pid = 0;
		char when[64];

		json_u64(u, "pid", &pid);
		fieldf(left, PLAIN, "process %" PRIu64 "%s%s%s%s%s", pid, tty ? " on " : "", tty ? tty : "",
			json_str(u, "opened") ? ", since " : "", when_clock(json_str(u, "opened"), when, sizeof(when)),
			json_object_object_get_ex(u, "open", &open) && !json_true(u, "open") ? ", done" : "");
		left = "";
	}
}

void request_view(struct json_object *request)
{
	const char *state = json_str(request, "state");
	struct json_object *doc = json_obj(request, "document");
	CLEAN(free_p) char *id = document_text(request, "id", 16), *shown = document_text(request, "state", 16),
		*digest = document_text(request, "digest", 64), *missing = document_text(request, "missing", 200),
		*code = document_text(request, "code", 16);
	char now[512], when[64];

	request_now(request, now, sizeof(now));
	printf("%s%s%s is %s%s%s%s%s\n", paint(BOLD), id ? id : "?", paint(PLAIN), paint(state_style(state)),
		shown ? shown : "?", paint(PLAIN), *now ? ": " : "", now);
	document_view(doc ? doc : request);
	view_decisions(request);
	field("missing", YELLOW, missing);
	if (code)
		fieldf("code", BOLD, "%s: tell it whoever approves", code);
	if (json_str(request, "answer_by") && state && strcmp(state, "pending") == 0)
		field("answer by", PLAIN, when_clock(json_str(request, "answer_by"), when, sizeof(when)));
	if (json_str(request, "real_deadline"))
		field("deadline", PLAIN, when_clock(json_str(request, "real_deadline"), when, sizeof(when)));
	view_uses(request);
	field("digest", DIM, digest);
}
