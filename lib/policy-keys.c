/* The types of values, and the table that gives each key its type. */
#include "lib/policy-keys.h"

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/conf.h"
#include "lib/file.h"
#include "lib/text.h"

#define BLANKS " \t"
#define MESSAGE_MAX 400
#define REASON_PATTERN_MAX 256
#define INTERVAL_MAX 10000
#define GRACE_MAX (5 * USEC_PER_MIN)
#define COUNT_MAX 100000
#define CHECK_WITHIN_MAX USEC_PER_MIN
#define COMMAND_WORDS_MAX 64

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* VALUE as one of WORDS (NULL-terminated, in the order of an enum); -EINVAL when it is none. */
static int pick(const char *value, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (same(value, words[i]))
			return i;
	return -EINVAL;
}

static int replace_string(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

/* Lists.  Words are judged before any is added. */

int add_checked(char ***field, const char *value, word_check check, struct why *w)
{
	char **words = NULL;
	int r = conf_list_split(&words, value);

	for (size_t i = 0; r == 0 && words && words[i]; i++)
		r = check(words[i], w);
	conf_list_free(words);
	if (r == 0)
		r = conf_list_split(field, value);
	if (r == -E2BIG)
		return why(w, -EINVAL, "more than %d words", CONF_WORDS_MAX);
	return r;
}

bool show_list(FILE *out, const char *between, char *const *list)
{
	for (size_t i = 0; list && list[i]; i++)
		fprintf(out, "%s%s", i ? between : "", list[i]);
	return list && list[0];
}

bool show_words(FILE *out, const void *object, const void *field)
{
	return show_list(out, " ", *(char *const *const *)field);
}

static int check_name(const char *word, struct why *w)
{
	if (!name_valid(word + (word[0] == '!')))
		return why(w, -EINVAL, "'%s' is not a name (a '!' in front negates it)", word);
	return 0;
}

static int check_user(const char *word, struct why *w)
{
	const char *name = word + (word[0] == '!');

	if (!name_valid(name + (name[0] == '%')))
		return why(w, -EINVAL, "'%s' is neither a user nor a %%group (a '!' in front negates it)", word);
	return 0;
}

/* As a browser writes it into clientDataJSON: scheme, host, port where it is not the scheme's own; nothing behind. */
static int check_origin(const char *word, struct why *w)
{
	const char *host = strncmp(word, "https://", 8) == 0 ? word + 8 : NULL;

	if (strncmp(word, "http://localhost", 16) == 0 && (!word[16] || word[16] == ':'))
		host = word + 7;
	if (!host || !*host || host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]")])
		return why(w, -EINVAL, "'%s' is not an origin: https://HOST[:PORT] in small letters, with no slash at the end",
			word);
	return 0;
}

static int check_path(const char *word, struct why *w)
{
	if (word[0] != '/')
		return why(w, -EINVAL, "'%s' is not an absolute path", word);
	return 0;
}

static int parse_names(const char *value, void *object, void *field, struct why *w)
{
	return add_checked(field, value, check_name, w);
}

static int parse_users(const char *value, void *object, void *field, struct why *w)
{
	return add_checked(field, value, check_user, w);
}

static int parse_origins(const char *value, void *object, void *field, struct why *w)
{
	return add_checked(field, value, check_origin, w);
}

static int parse_paths(const char *value, void *object, void *field, struct why *w)
{
	return add_checked(field, value, check_path, w);
}

static int parse_search_path(const char *value, void *object, void *field, struct why *w)
{
	CLEAN(free_p) char *blanks = strdup(value);

	if (!blanks)
		return -ENOMEM;
	for (char *c = blanks; (c = strchr(c, ':'));)
		*c = ' ';
	return add_checked(field, blanks, check_path, w);
}

static bool show_search_path(FILE *out, const void *object, const void *field)
{
	return show_list(out, ":", *(char *const *const *)field);
}

static int check_command(const char *pattern, size_t words, struct why *w)
{
	const char *at = pattern;
	size_t len;
	const char *first = command_word(&at, &len);

	if (words > COMMAND_WORDS_MAX)
		return why(w, -EINVAL, "a command of more than %d words", COMMAND_WORDS_MAX);
	if (first[0] != '/' && !(len == 8 && strncmp(first, "sudoedit", 8) == 0))
		return why(w, -EINVAL, "'%.*s' is not an absolute path: a command is matched by its resolved path"
			" (leave Command= out to match every command)", (int)len, first);
	if (memmem(first, len, "//", 2) || memmem(first, len, "/./", 3) || memmem(first, len, "/../", 4))
		return why(w, -EINVAL, "'%.*s' is never a resolved path: write it without '//', '.' and '..'", (int)len,
			first);
	return 0;
}

/* One alternative, from *AT to a lone "|" or the end; *LAST when it was the end. */
static int take_alternative(char ***list, const char **at, bool *last, struct why *w)
{
	const char *begin = NULL, *end = NULL, *word;
	CLEAN(free_p) char *pattern = NULL;
	size_t len, words = 0;
	int r;

	while ((word = command_word(at, &len)) && !(len == 1 && word[0] == '|')) {
		begin = begin ? begin : word;
		end = word + len;
		words++;
	}
	*last = !word;
	if (!begin)
		return why(w, -EINVAL, "there is no command on one side of a '|' (write \\| for the sign itself)");
	pattern = strndup(begin, (size_t)(end - begin));
	if (!pattern)
		return -ENOMEM;
	r = check_command(pattern, words, w);
	return r < 0 ? r : conf_list_add(list, pattern, strlen(pattern));
}

static int parse_commands(const char *value, void *object, void *field, struct why *w)
{
	char ***list = field, **fresh = NULL;
	bool last = false;
	int r = 0;

	while (r == 0 && !last)
		r = take_alternative(&fresh, &value, &last, w);
	if (r == 0 && conf_list_len(*list) + conf_list_len(fresh) > CONF_WORDS_MAX)
		r = why(w, -EINVAL, "more than %d commands", CONF_WORDS_MAX);
	for (size_t i = 0; r == 0 && fresh[i]; i++)
		r = conf_list_add(list, fresh[i], strlen(fresh[i]));
	conf_list_free(fresh);
	return r;
}

static bool show_commands(FILE *out, const void *object, const void *field)
{
	return show_list(out, " | ", *(char *const *const *)field);
}

/* Words out of a few. */

static const char *const decision_words[] = { "deny", "allow", "approve", NULL };
static const char *const scope_words[] = { "command", "session", "service", NULL };
static const char *const reason_words[] = { "optional", "required", "none", NULL };
static const char *const yesno_words[] = { "no", "yes", NULL };
static const char *const join_words[] = { "session", "user", NULL };

const char *decision_string(enum decision d)
{
	return decision_words[d];
}

const char *scope_string(enum scope s)
{
	return scope_words[s];
}

int scope_parse(const char *text, enum scope *ret)
{
	int n = pick(text, scope_words);

	if (n < 0)
		return n;
	*ret = (enum scope)n;
	return 0;
}

static int parse_decision(const char *value, void *object, void *field, struct why *w)
{
	int n = pick(value, decision_words);

	if (n < 0)
		return why(w, n, "'%s' is none of allow, deny, approve", value);
	*(enum decision *)field = (enum decision)n;
	return 0;
}

static bool show_decision(FILE *out, const void *object, const void *field)
{
	fputs(decision_string(*(const enum decision *)field), out);
	return true;
}

static int parse_scope(const char *value, void *object, void *field, struct why *w)
{
	if (scope_parse(value, field) < 0)
		return why(w, -EINVAL, "'%s' is none of command, session, service", value);
	return 0;
}

static bool show_scope(FILE *out, const void *object, const void *field)
{
	fputs(scope_string(*(const enum scope *)field), out);
	return true;
}

static int parse_yesno(const char *value, void *object, void *field, struct why *w)
{
	int n = pick(value, yesno_words);

	if (n < 0)
		return why(w, n, "'%s' is neither yes nor no", value);
	*(bool *)field = n;
	return 0;
}

static bool show_yesno(FILE *out, const void *object, const void *field)
{
	fputs(yesno_words[*(const bool *)field], out);
	return true;
}

static int parse_join(const char *value, void *object, void *field, struct why *w)
{
	int n = pick(value, join_words);

	if (n < 0)
		return why(w, n, "'%s' is neither session nor user", value);
	*(bool *)field = n;
	return 0;
}

static bool show_join(FILE *out, const void *object, const void *field)
{
	fputs(join_words[*(const bool *)field], out);
	return true;
}

/* Numbers, spans and text. */

static int parse_count(const char *value, void *object, void *field, struct why *w)
{
	unsigned long long n;

	if (number_parse(value, COUNT_MAX, &n) < 0 || n == 0)
		return why(w, -EINVAL, "'%s' is not a number from 1 to %d", value, COUNT_MAX);
	*(unsigned *)field = (unsigned)n;
	return 0;
}

static bool show_count(FILE *out, const void *object, const void *field)
{
	fprintf(out, "%u", *(const unsigned *)field);
	return true;
}

static int parse_span(const char *value, void *object, void *field, struct why *w)
{
	uint64_t usec;
	int r = span_parse(value, &usec, w);

	if (r < 0)
		return r;
	if (usec == 0)
		return why(w, -EINVAL, "nothing can be done in no time: write a span such as 10min");
	*(uint64_t *)field = usec;
	return 0;
}

static int parse_hold(const char *value, void *object, void *field, struct why *w)
{
	uint64_t usec = 0;
	int r = parse_span(value, object, &usec, w);

	if (r < 0)
		return r;
	if (usec > USEC_PER_HOUR)
		return why(w, -EINVAL, "a call is held for an hour at most: its terminal and sudo's lock are held with it");
	*(uint64_t *)field = usec;
	return 0;
}

static int parse_check_within(const char *value, void *object, void *field, struct why *w)
{
	uint64_t usec = 0;
	int r = parse_span(value, object, &usec, w);

	if (r < 0)
		return r;
	if (usec > CHECK_WITHIN_MAX)
		return why(w, -EINVAL, "checks are waited for a minute at most: somebody stands at the terminal");
	*(uint64_t *)field = usec;
	return 0;
}

static bool show_span(FILE *out, const void *object, const void *field)
{
	char buf[64];

	fputs(span_format(*(const uint64_t *)field, buf, sizeof(buf)), out);
	return true;
}

static int parse_text(const char *value, void *object, void *field, struct why *w)
{
	if (strlen(value) > MESSAGE_MAX)
		return why(w, -EINVAL, "longer than %d bytes", MESSAGE_MAX);
	return replace_string(field, value);
}

static bool show_text(FILE *out, const void *object, const void *field)
{
	const char *text = *(const char *const *)field;

	if (text)
		fputs(text, out);
	return text;
}

static int parse_host_name(const char *value, void *object, void *field, struct why *w)
{
	if (!name_valid(value))
		return why(w, -EINVAL, "'%s' is not a host's name: at most 64 letters, digits, '.', '-'", value);
	return replace_string(field, value);
}

static int parse_need(const char *value, void *object, void *field, struct why *w)
{
	return need_parse(value, field, w);
}

static bool show_need(FILE *out, const void *object, const void *field)
{
	const struct need *need = field;
	char buf[NEED_ALTERNATIVES * NEED_TERMS * 96];

	fputs(need_format(need, buf, sizeof(buf)), out);
	return need->n > 0;
}

/* Reason=. */

/* "{N", "{N,M": the larger of the two; 1 for a '{' that counts nothing. */
static unsigned interval_max(const char *c)
{
	unsigned n = 0, m = 0;

	for (c++; *c >= '0' && *c <= '9' && n < INTERVAL_MAX; c++)
		n = n * 10 + (unsigned)(*c - '0');
	if (*c == ',')
		for (c++; *c >= '0' && *c <= '9' && m < INTERVAL_MAX; c++)
			m = m * 10 + (unsigned)(*c - '0');
	n = n > m ? n : m;
	return n ? n : 1;
}

/* What regcomp(3) would unfold without bound (intervals in intervals), and what regexec(3) would try without bound (the
 * requester chooses the text), is not taken. */
static int check_pattern_cost(const char *pattern, struct why *w)
{
	unsigned unfolded = 1;

	if (strlen(pattern) > REASON_PATTERN_MAX)
		return why(w, -EINVAL, "the pattern is longer than %d bytes", REASON_PATTERN_MAX);
	for (const char *c = pattern; *c; c++) {
		if (*c == '{')
			unfolded *= interval_max(c);
		if (unfolded >= INTERVAL_MAX)
			return why(w, -EINVAL, "the pattern's {…} multiply to %d or more: use + or *", INTERVAL_MAX);
		if (*c == '\\' && c[1] >= '1' && c[1] <= '9')
			return why(w, -EINVAL, "the pattern refers back with \\%c: that is not taken", c[1]);
		if (*c == '\\' && c[1])
			c++;
	}
	return 0;
}

static int check_pattern(const char *pattern, struct why *w)
{
	char words[128];
	regex_t re;
	int r = check_pattern_cost(pattern, w);

	if (r < 0)
		return r;
	r = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		regerror(r, &re, words, sizeof(words));
		return why(w, -EINVAL, "the pattern '%s' is no extended regular expression: %s", pattern, words);
	}
	regfree(&re);
	return 0;
}

static int parse_reason(const char *value, void *object, void *field, struct why *w)
{
	struct rule *rule = object;
	size_t len = strcspn(value, BLANKS);
	const char *pattern = value + len + strspn(value + len, BLANKS);
	CLEAN(free_p) char *word = strndup(value, len), *copy = NULL;
	int n;

	if (!word)
		return -ENOMEM;
	n = pick(word, reason_words);
	if (n < 0)
		return why(w, n, "'%s' is none of optional, none, required, required PATTERN", word);
	if (*pattern && n != REASON_REQUIRED)
		return why(w, -EINVAL, "a pattern stands only after required");
	if (*pattern) {
		int r = check_pattern(pattern, w);

		if (r < 0)
			return r;
		copy = strdup(pattern);
		if (!copy)
			return -ENOMEM;
	}
	rule->reason = (enum reason_policy)n;
	free(rule->reason_pattern);
	rule->reason_pattern = STEAL_PTR(copy);
	return 0;
}

static bool show_reason(FILE *out, const void *object, const void *field)
{
	const struct rule *r = object;

	fprintf(out, "%s%s%s", reason_words[r->reason], r->reason_pattern ? " " : "",
		r->reason_pattern ? r->reason_pattern : "");
	return true;
}

/* AtEnd=: "warn SPAN|no, terminate [SPAN [grace]]|drain"; what is not said stays as it is by default. */

#define AT_END_WARN (5 * USEC_PER_MIN)
#define AT_END_GRACE (5 * USEC_PER_SEC)

struct at_end_terms {
	enum at_end at_end;
	uint64_t warn_usec, grace_usec;
};

/* The rest of S behind WORD, when S begins with it as a whole word; else NULL. */
static const char *behind(const char *s, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(s, word, len) != 0 || (s[len] && !strchr(BLANKS, s[len])))
		return NULL;
	return s + len + strspn(s + len, BLANKS);
}

static int parse_warn(const char *span, struct at_end_terms *t, struct why *w)
{
	if (same(span, "no")) {
		t->warn_usec = 0;
		return 0;
	}
	if (!*span)
		return why(w, -EINVAL, "warn what? write \"warn 5min\" or \"warn no\"");
	return parse_span(span, NULL, &t->warn_usec, w);
}

static int parse_end(char *what, struct at_end_terms *t, struct why *w)
{
	const char *rest;
	size_t len;
	int r;

	if (same(what, "drain")) {
		t->at_end = AT_END_DRAIN;
		return 0;
	}
	rest = behind(what, "terminate");
	if (!rest)
		return why(w, -EINVAL, "'%s' is not understood: write it like \"warn 5min, terminate 5s\" or \"warn no, drain\"",
			what);
	t->at_end = AT_END_TERMINATE;
	if (!*rest)
		return 0;
	len = strlen(what);
	if (len > 6 && same(what + len - 6, " grace"))
		what[len - 6] = '\0';
	r = parse_span(rest, NULL, &t->grace_usec, w);
	if (r < 0)
		return r;
	if (t->grace_usec > GRACE_MAX)
		return why(w, -EINVAL, "the grace after the end is 5 min at most");
	return 0;
}

static char *trimmed(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	len = strlen(s);
	while (len > 0 && strchr(BLANKS, s[len - 1]))
		s[--len] = '\0';
	return s;
}

static int parse_at_end(const char *value, void *object, void *field, struct why *w)
{
	struct at_end_terms t = { AT_END_TERMINATE, AT_END_WARN, AT_END_GRACE };
	CLEAN(free_p) char *copy = strdup(value);
	struct rule *rule = object;
	char *comma, *end = copy;
	const char *span;
	int r;

	if (!copy)
		return -ENOMEM;
	comma = strchr(copy, ',');
	if (comma) {
		*comma = '\0';
		end = comma + 1;
		span = behind(trimmed(copy), "warn");
		if (!span)
			return why(w, -EINVAL, "'%s' is not understood: before the ',' stands \"warn SPAN\" or \"warn no\"", copy);
		r = parse_warn(span, &t, w);
		if (r < 0)
			return r;
	} else if (behind(copy, "warn")) {
		return why(w, -EINVAL, "after the warning stands what happens: \"%s, terminate\" or \"%s, drain\"", value, value);
	}
	r = parse_end(trimmed(end), &t, w);
	if (r < 0)
		return r;
	rule->at_end = t.at_end;
	rule->warn_usec = t.warn_usec;
	rule->grace_usec = t.grace_usec;
	return 0;
}

static bool show_at_end(FILE *out, const void *object, const void *field)
{
	const struct rule *r = object;
	char warn[64], grace[64];

	span_format(r->warn_usec, warn, sizeof(warn));
	span_format(r->grace_usec, grace, sizeof(grace));
	fprintf(out, "warn %s, ", r->warn_usec ? warn : "no");
	if (r->at_end == AT_END_DRAIN)
		fputs("drain", out);
	else
		fprintf(out, "terminate %s", grace);
	return true;
}

/* The table. */

#define TYPE(name, is_list, show_name) \
	static const struct value_type type_##name = { .list = is_list, .parse = parse_##name, .show = show_name }
TYPE(names, true, show_words);
TYPE(users, true, show_words);
TYPE(origins, true, show_words);
TYPE(paths, true, show_words);
TYPE(search_path, true, show_search_path);
TYPE(commands, true, show_commands);
TYPE(decision, false, show_decision);
TYPE(scope, false, show_scope);
TYPE(yesno, false, show_yesno);
TYPE(join, false, show_join);
TYPE(count, false, show_count);
TYPE(span, false, show_span);
TYPE(hold, false, show_span);
TYPE(check_within, false, show_span);
TYPE(text, false, show_text);
TYPE(host_name, false, show_text);
TYPE(need, false, show_need);
TYPE(reason, false, show_reason);
TYPE(at_end, false, show_at_end);

const struct key_info policy_key_table[KEY_COUNT] = {
#define HOST(key, field, type, fallback, text) \
	{ #key, IN_HOST, false, offsetof(struct policy, field), &type_##type, fallback, text },
#define MATCH(key, field, type, text) \
	{ #key, IN_RULE, true, offsetof(struct rule, field), &type_##type, NULL, text },
#define RULE(key, field, type, fallback, text) \
	{ #key, IN_RULE, false, offsetof(struct rule, field), &type_##type, fallback, text },
#define CHECK(key, field, type, fallback, text) \
	{ #key, IN_RULE | IN_DEFAULT, false, offsetof(struct rule, field), &type_##type, fallback, text },
#define TERM(key, field, type, fallback, text) \
	{ #key, IN_RULE | IN_DEFAULT | TERMS, false, offsetof(struct rule, field), &type_##type, fallback, text },
#include "lib/policy-keys.def"
};

int policy_key_find(const char *name, unsigned section)
{
	for (int i = 0; i < KEY_COUNT; i++)
		if ((policy_key_table[i].sections & section) && same(policy_key_table[i].name, name))
			return i;
	return -ENOENT;
}

void *policy_key_field(enum policy_key key, void *object)
{
	return (char *)object + policy_key_table[key].offset;
}

bool policy_key_doc(size_t i, struct policy_key_doc *ret)
{
	const struct key_info *k;

	if (i >= KEY_COUNT)
		return false;
	k = &policy_key_table[i];
	*ret = (struct policy_key_doc){
		.key = k->name,
		.sections = k->sections & IN_HOST ? "Host" : k->sections & IN_DEFAULT ? "Rule Default" : "Rule",
		.fallback = k->fallback,
		.text = k->text,
		.list = k->type->list,
	};
	return true;
}
