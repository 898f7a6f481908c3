/* Judging: pure functions over rules and facts. */
#include "lib/policy.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/policy-keys.h"
#include "lib/sudoargs.h"

/* Commands. */

const char *command_word(const char **at, size_t *len)
{
	const char *word = *at + strspn(*at, " \t"), *end = word;

	if (!*word)
		return NULL;
	while (*end && *end != ' ' && *end != '\t')
		end += end[0] == '\\' && end[1] ? 2 : 1;
	*len = (size_t)(end - word);
	*at = end;
	return word;
}

/* One word of a pattern against one string.  A pattern that does not fit here was refused at load. */
static bool glob_match(const char *word, size_t len, const char *text)
{
	char pattern[CONF_LINE_MAX + 1];

	if (len >= sizeof(pattern))
		return false;
	memcpy(pattern, word, len);
	pattern[len] = '\0';
	return fnmatch(pattern, text, FNM_PATHNAME | FNM_PERIOD) == 0;
}

static bool at_end(const char *at)
{
	return !at[strspn(at, " \t")];
}

/* The path by which the same file goes where /usr is merged: "/bin/ls" for "/usr/bin/ls" and the other way round; NULL
 * when there is none.  BUF is at least strlen(path) + 5 long. */
static const char *other_spelling(const char *path, char *buf)
{
	static const char *const merged[] = { "/bin/", "/sbin/", "/lib/", "/lib64/" };

	for (size_t i = 0; i < ELEMENTS(merged); i++) {
		size_t len = strlen(merged[i]);

		if (strncmp(path, "/usr", 4) == 0 && strncmp(path + 4, merged[i], len) == 0)
			return path + 4;
		if (strncmp(path, merged[i], len) == 0) {
			memcpy(buf, "/usr", 4);
			strcpy(buf + 4, path);
			return buf;
		}
	}
	return NULL;
}

static bool binary_match(const char *word, size_t len, const char *binary)
{
	char buf[PATH_MAX + 5];
	const char *other;

	if (glob_match(word, len, binary))
		return true;
	other = strlen(binary) < PATH_MAX ? other_spelling(binary, buf) : NULL;
	return other && glob_match(word, len, other);
}

bool policy_command_match(const char *pattern, const char *binary, const char *const *argv, size_t argc)
{
	const char *word;
	size_t len = 0, i = 1;

	word = command_word(&pattern, &len);
	if (!word || !binary || !binary_match(word, len, binary))
		return false;
	while ((word = command_word(&pattern, &len))) {
		if (len == 1 && word[0] == '*' && at_end(pattern))
			return true;
		if (i >= argc || !glob_match(word, len, argv[i]))
			return false;
		i++;
	}
	return i >= argc;
}

/* Matchers.  Each says yes, no, or that a fact it needs is unknown; and for anything but yes, why.  None may say yes or
 * no where another value of an unknown fact would have it the other way. */

enum match { MATCH_NO, MATCH_UNKNOWN, MATCH_YES };

static bool known(const char *fact)
{
	return fact && *fact && strcmp(fact, "unknown") != 0;
}

static enum match not(enum match m)
{
	return m == MATCH_YES ? MATCH_NO : m == MATCH_NO ? MATCH_YES : MATCH_UNKNOWN;
}

static enum match both(enum match a, enum match b)
{
	return a < b ? a : b;
}

static enum match either(enum match a, enum match b)
{
	return a > b ? a : b;
}

typedef enum match (*entry_test)(const char *entry, const struct facts *f);

/* "a b !c": one of the plain entries (if there are any) and none of the negated. */
static enum match match_list(char *const *list, entry_test test, const struct facts *f)
{
	enum match plain = MATCH_NO, negated = MATCH_NO;
	bool any_plain = false;

	for (size_t i = 0; list && list[i]; i++) {
		if (list[i][0] == '!') {
			negated = either(negated, test(list[i] + 1, f));
		} else {
			plain = either(plain, test(list[i], f));
			any_plain = true;
		}
	}
	return both(any_plain ? plain : MATCH_YES, not(negated));
}

static enum match same_name(const char *entry, const char *fact)
{
	if (!known(fact))
		return MATCH_UNKNOWN;
	return strcmp(entry, fact) == 0 ? MATCH_YES : MATCH_NO;
}

static enum match is_service(const char *entry, const struct facts *f)
{
	return same_name(entry, f->service);
}

static enum match is_target(const char *entry, const struct facts *f)
{
	return same_name(entry, f->target);
}

static enum match is_user(const char *entry, const struct facts *f)
{
	if (entry[0] != '%')
		return same_name(entry, f->user);
	if (!f->groups)
		return MATCH_UNKNOWN;
	for (size_t i = 0; f->groups[i]; i++)
		if (strcmp(entry + 1, f->groups[i]) == 0)
			return MATCH_YES;
	return MATCH_NO;
}

/* Puts LIST as the file has it into BUF, cut when too long. */
static const char *join(char *const *list, const char *between, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; list && list[i] && len + 1 < size; i++) {
		int n = snprintf(buf + len, size - len, "%s%s", i ? between : "", list[i]);

		len += n < 0 ? 0 : (size_t)n;
	}
	return buf;
}

/* The words for a list of names that did not match. */
static enum match explain(enum match m, const char *what, const char *fact, char *const *list, struct why *w)
{
	char wanted[256];

	join(list, " ", wanted, sizeof(wanted));
	if (m == MATCH_NO)
		why(w, 0, "%s is %s, not %s", what, known(fact) ? fact : "unknown", wanted);
	else if (m == MATCH_UNKNOWN)
		why(w, 0, "%s cannot be compared with %s: %s unknown", what, wanted,
			known(fact) ? "the user's groups are" : "it is");
	return m;
}

static enum match match_Service(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain(match_list(r->service, is_service, f), "service", f->service, r->service, w);
}

static enum match match_User(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain(match_list(r->user, is_user, f), "user", f->user, r->user, w);
}

static enum match match_Target(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain(match_list(r->target, is_target, f), "target", f->target, r->target, w);
}

static bool is_sudo(const struct facts *f)
{
	return !known(f->service) || strcmp(f->service, "sudo") == 0 || strcmp(f->service, "sudo-i") == 0;
}

/* Absolute, without empty parts, "." and "..": else the same file would have other names that no pattern foresees. */
static bool is_resolved(const char *path)
{
	if (path[0] != '/')
		return false;
	while (*path) {
		size_t len = strcspn(++path, "/");

		if (len == 0 || (path[0] == '.' && (len == 1 || (len == 2 && path[1] == '.'))))
			return false;
		path += len;
	}
	return true;
}

static bool binary_known(const struct facts *f)
{
	return known(f->binary) && (is_resolved(f->binary) || strcmp(f->binary, "sudoedit") == 0);
}

/* su's argv is its own command line: without -c it asks for a login. */
static bool is_su_login(const struct facts *f)
{
	struct host_command c;

	if (!known(f->service) || (strcmp(f->service, "su") != 0 && strcmp(f->service, "su-l") != 0) || f->argc == 0)
		return false;
	su_args(f->argv + 1, f->argc - 1, &c);
	return c.recognised && c.words == 0;
}

/* A login has no command, and that is known.  sudo always has one, if only a shell; when none came with it, it is unknown. */
static bool is_login(const struct facts *f)
{
	return !f->binary && ((f->argc == 0 && !is_sudo(f)) || is_su_login(f));
}

static bool command_known(const struct facts *f)
{
	return binary_known(f) || is_login(f);
}

static enum match match_Command(const struct rule *r, const struct facts *f, struct why *w)
{
	char wanted[256];

	if (!r->command)
		return MATCH_YES;
	join(r->command, " | ", wanted, sizeof(wanted));
	if (!command_known(f)) {
		why(w, 0, "command cannot be compared with %s: %s", wanted,
			known(f->binary) ? "its path is not resolved" : "it is unknown");
		return MATCH_UNKNOWN;
	}
	for (size_t i = 0; f->binary && r->command[i]; i++)
		if (policy_command_match(r->command[i], f->binary, f->argv, f->argc))
			return MATCH_YES;
	if (f->binary)
		why(w, 0, "command %s with %zu argument%s is not %s", f->binary, f->argc ? f->argc - 1 : 0,
			f->argc == 2 ? "" : "s", wanted);
	else
		why(w, 0, "there is no command, so not %s", wanted);
	return MATCH_NO;
}

typedef enum match (*matcher)(const struct rule *r, const struct facts *f, struct why *w);

static const matcher matchers[] = {
#define MATCH(key, field, type, text) match_##key,
#include "lib/policy-keys.def"
};

/* All of a rule's keys.  A no is a no whatever else is unknown. */
static enum match match_rule(const struct rule *r, const struct facts *f, struct why *w)
{
	struct why unknown_why = { "" };
	enum match all = MATCH_YES;

	for (size_t i = 0; i < ELEMENTS(matchers); i++) {
		enum match m = matchers[i](r, f, w);

		if (m == MATCH_NO)
			return m;
		if (m == MATCH_UNKNOWN && all == MATCH_YES && w)
			unknown_why = *w;
		all = both(all, m);
	}
	if (all == MATCH_UNKNOWN && w)
		*w = unknown_why;
	return all;
}

/* May this call be allowed without anybody looking at it? */
static bool fit_for_allow(const struct facts *f, struct why *w)
{
	const char *missing = NULL;

	if (f->marked)
		why(w, 0, "the call is marked as odd (sudo's -R -D -g -E or VAR=value, a cut or contradicting command line)");
	else if (!known(f->service))
		missing = "service";
	else if (!known(f->user))
		missing = "user";
	else if (!known(f->target))
		missing = "target";
	else if (is_sudo(f) && !binary_known(f))
		missing = "command"; /* su's is words for a shell: only a rule with Command= needs to know it */
	if (missing)
		why(w, 0, "the %s is unknown", missing);
	return !f->marked && !missing;
}

enum fit { PASSED_OVER, IN_DOUBT, DECIDES };

static enum fit fit_rule(const struct rule *r, const struct facts *f, struct why *w)
{
	enum match m = match_rule(r, f, w);

	if (m == MATCH_NO)
		return PASSED_OVER;
	if (r->decision == DECISION_DENY)
		return DECIDES;
	if (m == MATCH_UNKNOWN)
		return IN_DOUBT;
	return r->decision == DECISION_ALLOW && !fit_for_allow(f, w) ? IN_DOUBT : DECIDES;
}

static struct verdict conclude(enum decision d, const struct rule *rule, const struct rule *doubt, bool fit)
{
	if ((doubt && d != DECISION_DENY) || (d == DECISION_ALLOW && !fit))
		return (struct verdict){ .decision = DECISION_DENY, .unknown = true, .doubt = doubt };
	return (struct verdict){ .decision = d, .rule = rule };
}

void policy_decide(const struct policy *p, const struct facts *f, struct verdict *ret)
{
	const struct rule *doubt = NULL;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = &p->rule[i];
		enum fit fit = fit_rule(r, f, NULL);

		/* An `allow` in doubt takes nothing away; any other rule might have refused, or asked more people than a
		 * later one does. */
		if (fit == IN_DOUBT && r->decision != DECISION_ALLOW && !doubt)
			doubt = r;
		if (fit == DECIDES) {
			*ret = conclude(r->decision, r, doubt, true);
			return;
		}
	}
	*ret = conclude(p->default_decision, p->default_decision == DECISION_APPROVE ? &p->fallback : NULL, doubt,
		fit_for_allow(f, NULL));
}

bool policy_mismatch(const struct policy *p, const struct rule *r, const struct facts *f, struct why *w)
{
	struct why words = { "" };

	if (r == &p->fallback || fit_rule(r, f, &words) == DECIDES)
		return false;
	if (w)
		*w = words;
	return true;
}

bool policy_unknown_words(const struct policy *p, const struct facts *f, const struct verdict *v, struct why *w)
{
	struct why words = { "" };

	if (!v->unknown)
		return false;
	if (v->doubt) {
		(void)policy_mismatch(p, v->doubt, f, &words);
		why(w, 0, "could not be judged by rule %s: %s", v->doubt->name, words.text);
	} else {
		(void)fit_for_allow(f, &words);
		why(w, 0, "could not be judged: %s", words.text);
	}
	return true;
}

/* The rest of a policy's life. */

const struct rule *policy_find_rule(const struct policy *p, const char *name)
{
	if (strcmp(name, POLICY_FALLBACK) == 0)
		return &p->fallback;
	for (size_t i = 0; i < p->n_rules; i++)
		if (strcmp(p->rule[i].name, name) == 0)
			return &p->rule[i];
	return NULL;
}

bool policy_needs_groups(const struct policy *p)
{
	for (size_t i = 0; i < p->n_rules; i++)
		for (char **u = p->rule[i].user; u && *u; u++)
			if ((*u)[(*u)[0] == '!'] == '%')
				return true;
	return false;
}

bool policy_reason_ok(const struct rule *r, const char *reason, struct why *w)
{
	bool given = reason && reason[strspn(reason, " \t\n")], ok;
	regex_t re;

	if (r->reason != REASON_REQUIRED)
		return true;
	if (!given) {
		why(w, 0, "a reason is required%s%s", r->reason_pattern ? ", of the form " : "",
			r->reason_pattern ? r->reason_pattern : "");
		return false;
	}
	if (!r->reason_pattern)
		return true;
	if (regcomp(&re, r->reason_pattern, REG_EXTENDED | REG_NOSUB) != 0) {
		why(w, 0, "the reason cannot be judged: out of memory");
		return false;
	}
	ok = regexec(&re, reason, 0, NULL, 0) == 0;
	regfree(&re);
	if (!ok)
		why(w, 0, "the reason must be of the form %s", r->reason_pattern);
	return ok;
}

void rule_done(struct rule *r)
{
	for (int i = 0; i < KEY_COUNT; i++) {
		const struct key_info *k = &policy_key_table[i];

		if ((k->sections & IN_RULE) && k->type->list) {
			char ***list = policy_key_field((enum policy_key)i, r);

			*list = conf_list_free(*list);
		}
	}
	free(r->name);
	free(r->file);
	free(r->message);
	free(r->reason_pattern);
	*r = (struct rule){ 0 };
}

struct policy *policy_free(struct policy *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->n_rules; i++)
		rule_done(&p->rule[i]);
	free(p->rule);
	rule_done(&p->fallback);
	people_done(&p->people);
	conf_list_free(p->origins);
	conf_list_free(p->sshd_exe);
	conf_list_free(p->secure_path);
	free(p->host);
	free(p->digest);
	free(p);
	return NULL;
}

/* Showing. */

static void show_key(FILE *out, enum policy_key key, const void *object)
{
	const struct key_info *k = &policy_key_table[key];
	CLEAN(free_p) char *value = NULL;
	CLEAN(fclose_p) FILE *aside = NULL;
	size_t len = 0;
	bool any;

	aside = open_memstream(&value, &len);
	if (!aside)
		return;
	any = k->type->show(aside, object, (const char *)object + k->offset);
	if (fflush(aside) == 0 && any)
		fprintf(out, "%s=%s\n", k->name, value);
}

static void show_section(FILE *out, unsigned section, const void *object)
{
	for (int i = 0; i < KEY_COUNT; i++)
		if (policy_key_table[i].sections & section)
			show_key(out, (enum policy_key)i, object);
}

/* The terms say something only where somebody is asked. */
static void show_rule(FILE *out, const struct rule *r)
{
	fprintf(out, "\n# %s:%u\n[Rule %s]\n", r->file, r->line, r->name);
	for (int i = 0; i < KEY_COUNT; i++) {
		unsigned sections = policy_key_table[i].sections;

		if ((sections & IN_RULE) && (!(sections & IN_DEFAULT) || r->decision == DECISION_APPROVE))
			show_key(out, (enum policy_key)i, r);
	}
}

static void show_people(FILE *out, const struct people *p)
{
	char words[CONF_LINE_MAX];

	for (size_t i = 0; i < p->n_persons; i++) {
		fprintf(out, "\n[Person %s]\n", p->person[i].name);
		if (p->person[i].principals)
			fprintf(out, "Principal=%s\n", join(p->person[i].principals, " ", words, sizeof(words)));
		if (p->person[i].users)
			fprintf(out, "User=%s\n", join(p->person[i].users, " ", words, sizeof(words)));
	}
	for (size_t i = 0; i < p->n_teams; i++)
		fprintf(out, "\n[Team %s]\nMember=%s\n", p->team[i].name,
			join(p->team[i].members, " ", words, sizeof(words)));
}

char *policy_show(const struct policy *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "# sha256 %s\n[Host]\n", p->digest);
	show_section(out, IN_HOST, p);
	if (p->default_decision == DECISION_APPROVE) {
		fprintf(out, "\n# %s:%u\n[Default]\n", p->fallback.file, p->fallback.line);
		show_section(out, IN_DEFAULT, &p->fallback);
	}
	for (size_t i = 0; i < p->n_rules; i++)
		show_rule(out, &p->rule[i]);
	show_people(out, &p->people);
	if (ferror(out) | fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
