/* Does a rule match a call?  One function for each of the keys that match. */
#include "lib/policy-match.h"

#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/cidr.h"
#include "lib/conf.h"
#include "lib/hours.h"
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

#define PATHS (FNM_PATHNAME | FNM_PERIOD)

/* One word of a pattern against one string.  A pattern that does not fit here was refused at load. */
static bool glob_match(const char *word, size_t len, const char *text, int flags)
{
	char pattern[CONF_LINE_MAX + 1];

	/* What stands before the first special character must be there to the letter: most rules of many end here. */
	for (size_t i = 0; i < len && word[i] != '*' && word[i] != '?' && word[i] != '[' && word[i] != '\\'; i++)
		if (word[i] != text[i])
			return false;
	if (len >= sizeof(pattern))
		return false;
	memcpy(pattern, word, len);
	pattern[len] = '\0';
	return fnmatch(pattern, text, flags) == 0;
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

	if (glob_match(word, len, binary, PATHS))
		return true;
	other = strlen(binary) < PATH_MAX ? other_spelling(binary, buf) : NULL;
	return other && glob_match(word, len, other, PATHS);
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
		if (i >= argc || !glob_match(word, len, argv[i], PATHS))
			return false;
		i++;
	}
	return i >= argc;
}

/* Matchers.  Each says yes, no, or that a fact it needs is unknown; and for anything but yes, why.  None may say yes or
 * no where another value of an unknown fact would have it the other way. */

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

/* ENTRY is the I-th of a list, behind its '!'. */
typedef enum match (*entry_test)(const struct rule *r, size_t i, const char *entry, const struct facts *f);

/* "a b !c": one of the plain entries (if there are any) and none of the negated. */
static enum match match_list(const struct rule *r, char *const *list, entry_test test, const struct facts *f)
{
	enum match plain = MATCH_NO, negated = MATCH_NO;
	bool any_plain = false;

	for (size_t i = 0; list && list[i]; i++) {
		if (list[i][0] == '!') {
			negated = either(negated, test(r, i, list[i] + 1, f));
		} else {
			plain = either(plain, test(r, i, list[i], f));
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

static enum match is_service(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	return same_name(entry, f->service);
}

static enum match is_target(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	return same_name(entry, f->target);
}

static enum match is_user(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	if (entry[0] != '%')
		return same_name(entry, f->user);
	if (!f->groups)
		return MATCH_UNKNOWN;
	for (const char *const *g = f->groups; *g; g++)
		if (strcmp(entry + 1, *g) == 0)
			return MATCH_YES;
	return MATCH_NO;
}

const char *list_words(char *const *list, const char *between, char *buf, size_t size)
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

	if (!w || m == MATCH_YES)
		return m;
	list_words(list, " ", wanted, sizeof(wanted));
	if (m == MATCH_NO)
		why(w, 0, "%s is %s, not %s", what, known(fact) ? fact : "unknown", wanted);
	else
		why(w, 0, "%s cannot be compared with %s: %s unknown", what, wanted,
			known(fact) ? "the user's groups are" : "it is");
	return m;
}

static enum match match_Service(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain(match_list(r, r->service, is_service, f), "service", f->service, r->service, w);
}

static enum match match_User(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain(match_list(r, r->user, is_user, f), "user", f->user, r->user, w);
}

static bool is_sudo(const struct facts *f)
{
	return !known(f->service) || strcmp(f->service, "sudo") == 0 || strcmp(f->service, "sudo-i") == 0;
}

/* What whoever typed the line can do about it. */
static const char *target_remedy(const struct facts *f)
{
	return is_sudo(f) && !known(f->target) ? " (write -u NAME, and each option of sudo in full and apart)" : "";
}

static enum match match_Target(const struct rule *r, const struct facts *f, struct why *w)
{
	enum match m = explain(match_list(r, r->target, is_target, f), "target", f->target, r->target, w);
	struct why plain;

	if (m == MATCH_UNKNOWN && w) {
		plain = *w;
		why(w, 0, "%s%s", plain.text, target_remedy(f));
	}
	return m;
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

static enum match compare_command(const struct rule *r, const struct facts *f)
{
	if (!r->command)
		return MATCH_YES;
	if (!command_known(f))
		return MATCH_UNKNOWN;
	for (size_t i = 0; f->binary && r->command[i]; i++)
		if (policy_command_match(r->command[i], f->binary, f->argv, f->argc))
			return MATCH_YES;
	return MATCH_NO;
}

static enum match match_Command(const struct rule *r, const struct facts *f, struct why *w)
{
	enum match m = compare_command(r, f);
	char wanted[256];

	if (!w || m == MATCH_YES)
		return m;
	list_words(r->command, " | ", wanted, sizeof(wanted));
	if (m == MATCH_UNKNOWN)
		why(w, 0, "command cannot be compared with %s: %s", wanted,
			known(f->binary) ? "its path is not resolved" : "it is unknown");
	else if (f->binary)
		why(w, 0, "command %s with %zu argument%s is not %s", f->binary, f->argc ? f->argc - 1 : 0,
			f->argc == 2 ? "" : "s", wanted);
	else
		why(w, 0, "there is no command, so not %s", wanted);
	return m;
}

/* Where the call comes from. */

static enum match yes_or_no(bool yes)
{
	return yes ? MATCH_YES : MATCH_NO;
}

/* The kernel's word for a folder that is no more; nothing can be said about where that was. */
static bool is_deleted(const char *path)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(path);

	return len >= sizeof(mark) - 1 && strcmp(path + len - (sizeof(mark) - 1), mark) == 0;
}

static bool cwd_known(const struct facts *f)
{
	return known(f->cwd) && (strcmp(f->cwd, "/") == 0 || is_resolved(f->cwd)) && !is_deleted(f->cwd);
}

static enum match is_cwd(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	return cwd_known(f) ? yes_or_no(glob_match(entry, strlen(entry), f->cwd, PATHS)) : MATCH_UNKNOWN;
}

/* As explain(), for a fact that is known but of no use: WANT says what it is not. */
static enum match explain_unfit(enum match m, const char *what, const char *fact, const char *want, char *const *list,
	struct why *w)
{
	char wanted[256];

	if (m != MATCH_UNKNOWN || !w || !known(fact))
		return explain(m, what, fact, list, w);
	why(w, 0, "%s cannot be compared with %s: %s is no %s", what, list_words(list, " ", wanted, sizeof(wanted)), fact, want);
	return m;
}

static enum match match_Cwd(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain_unfit(match_list(r, r->cwd, is_cwd, f), "folder", f->cwd, "resolved path", r->cwd, w);
}

/* No wildcard stands for having no terminal. */
static enum match is_tty(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	bool none = strcmp(entry, POLICY_NO_TTY) == 0;

	if (!known(f->tty))
		return MATCH_UNKNOWN;
	if (none || strcmp(f->tty, POLICY_NO_TTY) == 0)
		return yes_or_no(none && strcmp(f->tty, entry) == 0);
	return yes_or_no(glob_match(entry, strlen(entry), f->tty, 0));
}

static enum match match_Tty(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain(match_list(r, r->tty, is_tty, f), "terminal", f->tty, r->tty, w);
}

/* A name instead of an address may be anybody's word: as good as unknown. */
static enum match is_remote(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	uint8_t address[16];

	if (!known(f->remote) || cidr_address(f->remote, address) < 0)
		return MATCH_UNKNOWN;
	return yes_or_no(cidr_contains(&r->network[i], address));
}

static enum match match_Remote(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain_unfit(match_list(r, r->remote, is_remote, f), "remote address", f->remote, "address", r->remote, w);
}

static enum match is_host(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	return known(f->host) ? yes_or_no(glob_match(entry, strlen(entry), f->host, 0)) : MATCH_UNKNOWN;
}

static enum match match_Host(const struct rule *r, const struct facts *f, struct why *w)
{
	return explain(match_list(r, r->host, is_host, f), "host", f->host, r->host, w);
}

static enum match is_label(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	for (char *const *l = f->labels; l && *l; l++)
		if (strcmp(entry, *l) == 0)
			return MATCH_YES;
	return MATCH_NO;
}

static enum match match_Label(const struct rule *r, const struct facts *f, struct why *w)
{
	enum match m = match_list(r, r->label, is_label, f);
	char wanted[256], own[128];

	if (!w || m == MATCH_YES)
		return m;
	list_words(f->labels, " ", own, sizeof(own));
	why(w, 0, "the host is labelled %s, not %s", *own ? own : "nothing", list_words(r->label, " ", wanted, sizeof(wanted)));
	return m;
}

static enum match is_hour(const struct rule *r, size_t i, const char *entry, const struct facts *f)
{
	return f->real_usec ? yes_or_no(hours_match(&r->hour[i], f->real_usec)) : MATCH_UNKNOWN;
}

static enum match match_Hours(const struct rule *r, const struct facts *f, struct why *w)
{
	enum match m = match_list(r, r->hours, is_hour, f);
	char wanted[256], now[HOURS_NOW_LEN + 1];

	if (!w || m == MATCH_YES)
		return m;
	list_words(r->hours, " | ", wanted, sizeof(wanted));
	if (m == MATCH_UNKNOWN)
		why(w, 0, "time cannot be compared with %s: it is unknown", wanted);
	else
		why(w, 0, "it is %s in %s, not %s", hours_now(r->hour[0].zone, f->real_usec, now), zone_name(r->hour[0].zone),
			wanted);
	return m;
}

/* The two keys that are about the host alone. */
enum match match_host(const struct rule *r, const struct facts *f)
{
	return both(match_Host(r, f, NULL), match_Label(r, f, NULL));
}

typedef enum match (*matcher)(const struct rule *r, const struct facts *f, struct why *w);

static const matcher matchers[] = {
#define MATCH(key, field, type, text) match_##key,
#include "lib/policy-keys.def"
};

/* All of a rule's keys.  A no is a no whatever else is unknown. */
enum match match_rule(const struct rule *r, const struct facts *f, struct why *w)
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

bool fit_for_allow(const struct facts *f, struct why *w)
{
	const char *missing = NULL;

	if (f->marked && known(f->target)) /* else that is the mark, or one that goes with it */
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
		why(w, 0, "the %s is unknown%s", missing, strcmp(missing, "target") == 0 ? target_remedy(f) : "");
	return !f->marked && !missing;
}
