/* Request documents: see document.h. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cli/document.h"
#include "cli/document-context.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/need.h"
#include "lib/policy.h"
#include "lib/text.h"

#define ALARMS_MAX 8
#define FOR_MAX_SEC (UINT64_C(366) * 86400)

static bool is_bytes(struct json_object *o)
{
	CLEAN(free_p) char *text = NULL;
	size_t len;

	return o && json_bytes_get(o, &text, &len) == 0;
}

static int check_strings(struct json_object *doc, struct why *w)
{
	static const char *const required[] = {"nonce", "machine", "boot", "user", "target", "service", "rule", "host"};
	static const char *const optional[] = {"tty", "remote", "session", "binary_sha256", "reason"};
	static const char *const bytes[] = {"command", "binary", "cwd"};
	struct json_object *o;

	for (size_t i = 0; i < ELEMENTS(required); i++) {
		const char *s = json_str(doc, required[i]);

		if (!s || !*s)
			return why(w, -EINVAL, "\"%s\" is missing", required[i]);
	}
	if (!name_valid(json_str(doc, "host")) || !name_valid(json_str(doc, "service")))
		return why(w, -EINVAL, "\"host\" or \"service\" is no name");
	for (size_t i = 0; i < ELEMENTS(optional); i++)
		if (json_object_object_get_ex(doc, optional[i], &o) && !json_str(doc, optional[i]))
			return why(w, -EINVAL, "\"%s\" is no text", optional[i]);
	for (size_t i = 0; i < ELEMENTS(bytes); i++)
		if (json_object_object_get_ex(doc, bytes[i], &o) && !is_bytes(o))
			return why(w, -EINVAL, "\"%s\" cannot be read", bytes[i]);
	return 0;
}

static int check_interpreters(struct json_object *doc, struct why *w)
{
	struct json_object *list = json_arr(doc, "interpreters"), *o;

	if (!list && json_object_object_get_ex(doc, "interpreters", &o))
		return why(w, -EINVAL, "\"interpreters\" is no list");
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *f = json_object_array_get_idx(list, i), *path, *sha;

		if (!json_object_is_type(f, json_type_object) || !json_object_object_get_ex(f, "path", &path) || !is_bytes(path) ||
			(json_object_object_get_ex(f, "sha256", &sha) && !json_str(f, "sha256")))
			return why(w, -EINVAL, "an interpreter cannot be read");
	}
	return 0;
}

static int check_covers(struct json_object *doc, struct why *w)
{
	struct json_object *list = json_arr(doc, "covers"), *o;

	if (!list && json_object_object_get_ex(doc, "covers", &o))
		return why(w, -EINVAL, "\"covers\" is no list");
	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
			return why(w, -EINVAL, "what it covers cannot be read");
	return 0;
}

static int check_lists(struct json_object *doc, struct why *w)
{
	struct json_object *argv = json_arr(doc, "argv"), *marks = json_arr(doc, "marks");
	struct json_object *teams = json_obj(doc, "teams");

	if (!argv || !marks || !teams)
		return why(w, -EINVAL, "\"argv\", \"marks\" or \"teams\" is missing");
	for (size_t i = 0; i < json_object_array_length(argv); i++)
		if (!is_bytes(json_object_array_get_idx(argv, i)))
			return why(w, -EINVAL, "an argument cannot be read");
	for (size_t i = 0; i < json_object_array_length(marks); i++)
		if (!json_object_is_type(json_object_array_get_idx(marks, i), json_type_string))
			return why(w, -EINVAL, "a mark is no text");
	json_object_object_foreach(teams, name, members) {
		if (!name_valid(name) || !json_object_is_type(members, json_type_array))
			return why(w, -EINVAL, "a team cannot be read");
		for (size_t i = 0; i < json_object_array_length(members); i++) {
			struct json_object *m = json_object_array_get_idx(members, i);

			if (!json_object_is_type(m, json_type_string) || !principal_valid(json_object_get_string(m)))
				return why(w, -EINVAL, "a member of a team is no principal");
		}
	}
	return 0;
}

static int check_terms(struct json_object *doc, struct why *w)
{
	struct json_object *match;
	struct need need;
	struct why inner;
	enum scope scope;
	uint64_t n;
	const char *text = json_str(doc, "need");

	if (!text)
		return why(w, -EINVAL, "\"need\" is missing");
	if (need_parse(text, &need, &inner) < 0)
		return why(w, -EINVAL, "\"need\": %s", inner.text);
	text = json_str(doc, "scope");
	if (!text || scope_parse(text, &scope) < 0)
		return why(w, -EINVAL, "\"scope\" is none");
	/* What it asks of the approver must not be missed because it is said in an odd way. */
	if (json_object_object_get_ex(doc, "match", &match) && !json_object_is_type(match, json_type_boolean))
		return why(w, -EINVAL, "\"match\" is neither true nor false");
	if (json_u64(doc, "for", &n) < 0 || n == 0 || n > FOR_MAX_SEC)
		return why(w, -EINVAL, "\"for\" is no sane number of seconds");
	if (json_u64(doc, "uid", &n) < 0 || n > UINT32_MAX)
		return why(w, -EINVAL, "\"uid\" is none");
	text = json_str(doc, "created");
	if (!text || time_rfc3339_parse(text, &n) < 0)
		return why(w, -EINVAL, "\"created\" is no time");
	text = json_str(doc, "answer_by");
	if (!text || time_rfc3339_parse(text, &n) < 0)
		return why(w, -EINVAL, "\"answer_by\" is no time");
	return 0;
}

int document_parse(const char *bytes, size_t len, struct json_object **ret, struct why *w)
{
	CLEAN(json_put_p) struct json_object *doc = NULL;
	const char *id;
	uint64_t v;
	int r;

	r = json_parse(bytes, len, &doc, w);
	if (r < 0)
		return r;
	if (json_u64(doc, "v", &v) < 0 || v != 1)
		return why(w, -EINVAL, "its version is not 1");
	id = json_str(doc, "id");
	if (!id || !id_valid(id))
		return why(w, -EINVAL, "\"id\" is none");
	r = check_strings(doc, w);
	if (r == 0)
		r = check_interpreters(doc, w);
	if (r == 0)
		r = check_covers(doc, w);
	if (r == 0)
		r = check_lists(doc, w);
	if (r == 0)
		r = check_terms(doc, w);
	if (r == 0)
		*ret = STEAL_PTR(doc);
	return r;
}

char *document_text(struct json_object *doc, const char *key, size_t max)
{
	CLEAN(free_p) char *raw = NULL;
	struct json_object *o;
	size_t len;

	if (!doc || !json_object_object_get_ex(doc, key, &o) || json_bytes_get(o, &raw, &len) < 0)
		return NULL;
	return text_escape(raw, len, max);
}

static void free_argv(char ***argv)
{
	for (char **a = *argv; a && *a; a++)
		free(*a);
	free(*argv);
}

char *document_command(struct json_object *doc, size_t max)
{
	CLEAN(free_argv) char **argv = NULL;
	struct json_object *list = doc ? json_arr(doc, "argv") : NULL;
	size_t n = list ? json_object_array_length(list) : 0, len;
	char *other;

	if (n == 0) {
		const char *service = doc ? json_str(doc, "service") : NULL;

		other = document_text(doc, "command", max);
		if (other)
			return other;
		return strdup(service && strcmp(service, "sshd") == 0 ? "(login)" : "(a shell)");
	}
	argv = calloc(n + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (json_bytes_get(json_object_array_get_idx(list, i), &argv[i], &len) < 0)
			return strdup("(unreadable)");
	return text_argv(argv, n, max);
}

char *document_who(struct json_object *doc)
{
	CLEAN(free_p) char *user = document_text(doc, "user", 64), *target = document_text(doc, "target", 64);
	char *both;

	if (asprintf(&both, "%s %s %s", user ? user : "?", arrow(), target ? target : "?") < 0)
		return NULL;
	return both;
}

static void view_who(struct json_object *doc)
{
	CLEAN(free_p) char *user = document_text(doc, "user", 64), *tty = document_text(doc, "tty", 64),
		*remote = document_text(doc, "remote", 128), *session = document_text(doc, "session", 32);
	char uid[32] = "";
	uint64_t n;

	if (json_u64(doc, "uid", &n) == 0)
		snprintf(uid, sizeof(uid), " (uid %" PRIu64 ")", n);
	fieldf("who", BOLD, "%s%s%s%s%s%s%s%s", user ? user : "?", uid, tty ? " on " : "", tty ? tty : "",
		remote && *remote ? " from " : "", remote && *remote ? remote : "", session ? ", session " : "",
		session ? session : "");
}

/* O has a path and perhaps its digest. */
static void view_file(const char *left, struct json_object *o, const char *path_key, const char *sha_key)
{
	CLEAN(free_p) char *path = document_text(o, path_key, SHOWN_LINE), *sha = document_text(o, sha_key, 64);

	if (path)
		fieldf(left, PLAIN, "%s%s%s", path, sha ? "  sha256 " : *path == '/' ? "  (no digest)" : "", sha ? sha : "");
}

static void view_what(struct json_object *doc)
{
	struct json_object *interpreters = json_arr(doc, "interpreters");
	CLEAN(free_p) char *what = document_command(doc, SHOWN_LONG), *command = document_text(doc, "command", SHOWN_LONG),
		*target = document_text(doc, "target", 64), *service = document_text(doc, "service", 64);

	field("what", BOLD, what);
	if (command && what && strcmp(command, what) != 0)
		field("sudo says", PLAIN, command);
	view_file("file", doc, "binary", "binary_sha256");
	document_view_package(doc);
	for (size_t i = 0; interpreters && i < json_object_array_length(interpreters); i++)
		view_file(i == 0 ? "run by" : "and by", json_object_array_get_idx(interpreters, i), "path", "sha256");
	fieldf("as", BOLD, "%s, by %s", target ? target : "?", service ? service : "?");
}

/* A wide scope over a rule without commands. */
static bool covers_anything(struct json_object *doc)
{
	const char *scope = json_str(doc, "scope");
	struct json_object *list = json_arr(doc, "covers");

	return scope && strcmp(scope, "service") == 0 && list && json_object_array_length(list) == 0;
}

static void view_covers(struct json_object *doc)
{
	struct json_object *list = json_arr(doc, "covers");
	size_t n = list ? json_object_array_length(list) : 0;
	uint64_t more;

	if (covers_anything(doc))
		field("covers", RED, "ANY COMMAND, not only this one: the rule names none");
	for (size_t i = 0; i < n; i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(list, i));
		CLEAN(free_p) char *shown = s ? text_escape(s, strlen(s), SHOWN_LINE) : NULL;

		field(i ? "" : "covers", YELLOW, shown);
	}
	if (n && json_u64(doc, "covers_more", &more) == 0)
		fieldf("", YELLOW, "and %" PRIu64 " more", more);
}

static void view_terms(struct json_object *doc)
{
	static const char *const meaning[] = {
		[SCOPE_COMMAND] = "this command, in this directory, once",
		[SCOPE_SESSION] = "everything in one session",
		[SCOPE_SERVICE] = "all that this rule covers, for this service and account, until the end",
	};
	CLEAN(free_p) char *rule = document_text(doc, "rule", 64);
	const char *text = json_str(doc, "scope");
	enum scope scope;
	char span[64];
	uint64_t n;

	if (json_u64(doc, "for", &n) == 0 && n <= FOR_MAX_SEC)
		field("for", PLAIN, span_format(n * USEC_PER_SEC, span, sizeof(span)));
	if (text && scope_parse(text, &scope) == 0)
		fieldf("scope", PLAIN, "%s: %s", text, meaning[scope]);
	view_covers(doc);
	field("rule", PLAIN, rule);
}

static void view_team(const char *name, struct json_object *members)
{
	CLEAN(free_p) char *team = text_escape(name, strlen(name), 64), *all = NULL, *shown = NULL;
	size_t size;
	FILE *f = open_memstream(&all, &size);

	for (size_t i = 0; f && i < json_object_array_length(members); i++) {
		const char *principal = json_object_get_string(json_object_array_get_idx(members, i));

		fprintf(f, "%s%s", i ? ", " : "", principal ? principal : "?");
	}
	if (!f || fclose(f) != 0)
		return;
	shown = text_escape(all, size, SHOWN_LINE);
	fieldf("", DIM, "%s: %s", team ? team : "?", shown ? shown : "?");
}

void document_view_teams(struct json_object *doc)
{
	struct json_object *teams = json_obj(doc, "teams");

	if (!teams)
		return;
	json_object_object_foreach(teams, name, members)
		if (json_object_is_type(members, json_type_array))
			view_team(name, members);
}

static void view_need(struct json_object *doc)
{
	CLEAN(free_p) char *need = document_text(doc, "need", SHOWN_LINE);

	field("need", PLAIN, need);
	document_view_teams(doc);
	if (json_true(doc, "match"))
		field("", YELLOW, "and the three digits that stand on the requester's terminal");
}

static void view_marks(struct json_object *doc)
{
	static const struct {
		const char *mark, *words;
	} known[] = {
		{"target-unknown", "TARGET UNKNOWN: which account it will run as cannot be told before it runs"},
		{"disagreement", "DISAGREEMENT: sudo's own word for the command and its command line differ"},
		{"environment", "ENVIRONMENT: odd options or variables may change what the command does"},
		{"script", "SCRIPT: it and what runs it are looked at again before the use; what it loads and calls is not"},
		{"interpreter-unknown", "INTERPRETER UNKNOWN: which program will run the script cannot be told"},
		{"no-digest", "NO DIGEST: what a file holds could not be read; only its place, size and times are looked at again"},
		{"group", "GROUP: it will run with a group that was chosen by option"},
		{"chroot", "CHROOT: it will run below another root directory, where its path means another file"},
		{"directory", "DIRECTORY: it will run in a directory that was chosen by option"},
		{"options", "OPTIONS: sudo was given options that are not known here"},
		{"cut", "CUT: the command line is longer than what is shown here"},
		{"writable", "WRITABLE: somebody other than root can change the file that will run"},
	};
	struct json_object *marks = json_arr(doc, "marks");

	for (size_t i = 0; marks && i < json_object_array_length(marks); i++) {
		const char *mark = json_object_get_string(json_object_array_get_idx(marks, i)), *words = NULL;
		CLEAN(free_p) char *shown = mark ? text_escape(mark, strlen(mark), 64) : NULL;

		for (size_t j = 0; mark && j < ELEMENTS(known); j++)
			if (strcmp(mark, known[j].mark) == 0)
				words = known[j].words;
		if (words)
			field("mark", RED, words);
		else
			fieldf("mark", RED, "marked \"%s\"", shown ? shown : "?");
	}
}

/* jitd's word, for a table; what the command says by itself has none, and anything else is not repeated. */
static const char *alarm_word(const char *mark)
{
	static const char *const plain[] = {"script", "edit", "shell", "login-shell"};

	if (!mark || !*mark || strlen(mark) > 20 || strspn(mark, "abcdefghijklmnopqrstuvwxyz-") != strlen(mark))
		return "marked";
	for (size_t i = 0; i < ELEMENTS(plain); i++)
		if (strcmp(mark, plain[i]) == 0)
			return NULL;
	return mark;
}

char *document_alarms(struct json_object *doc)
{
	struct json_object *marks = json_arr(doc, "marks"), *checks = json_arr(doc, "checks"),
		*context = json_obj(doc, "context"), *package = context ? json_obj(context, "package") : NULL;
	const char *state = package ? json_str(package, "state") : NULL, *comma = "";
	size_t fail = 0, size;
	char *all = NULL;
	FILE *f = open_memstream(&all, &size);

	for (size_t i = 0; f && marks && i < json_object_array_length(marks) && i < ALARMS_MAX; i++) {
		const char *word = alarm_word(json_object_get_string(json_object_array_get_idx(marks, i)));

		if (!word)
			continue;
		fprintf(f, "%s%s", comma, word);
		comma = ", ";
	}
	if (f && covers_anything(doc)) {
		fprintf(f, "%sany command", comma);
		comma = ", ";
	}
	if (f && state && strcmp(state, "changed") == 0) {
		fprintf(f, "%sfile changed", comma);
		comma = ", ";
	}
	for (size_t i = 0; checks && i < json_object_array_length(checks); i++)
		fail += !json_true(json_object_array_get_idx(checks, i), "holds");
	if (f && fail > 0)
		fprintf(f, "%s%zu check%s", comma, fail, fail == 1 ? " fails" : "s fail");
	return f && fclose(f) == 0 ? all : NULL;
}

void document_view(struct json_object *doc)
{
	CLEAN(free_p) char *cwd = document_text(doc, "cwd", SHOWN_LINE), *reason = document_text(doc, "reason", SHOWN_LONG),
		*host = document_text(doc, "host", 64);
	char when[64];

	view_who(doc);
	view_what(doc);
	fieldf("where", PLAIN, "%s%s%s", host ? host : "?", cwd ? ", in " : "", cwd ? cwd : "");
	field("why", reason && *reason ? PLAIN : YELLOW, reason && *reason ? reason : "(no reason given)");
	document_view_ticket(doc);
	view_marks(doc);
	view_terms(doc);
	view_need(doc);
	document_view_checks(doc);
	document_view_context(doc);
	if (json_str(doc, "created"))
		field("asked", PLAIN, when_clock(json_str(doc, "created"), when, sizeof(when)));
}
