#include "lib/policy-case.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/hours.h"
#include "lib/text.h"

#define LINE_MAX_BYTES 8192

struct words {
	char *word[POLICY_CASE_WORDS];
	bool quoted[POLICY_CASE_WORDS];
	size_t n, arrow; /* where "=>" stands; N when nowhere */
};

void policy_case_done(struct policy_case *c)
{
	free(c->text);
	c->text = NULL;
}

/* One word from *AT, taken out of its quotes to *OUT; both move.  False: a quote is not closed. */
static bool take_word(const char **at, char **out, bool *quoted)
{
	char quote = 0;

	for (; **at && (quote || !strchr(" \t", **at)); (*at)++) {
		char c = **at;

		if (quote == c || (!quote && (c == '"' || c == '\''))) {
			quote = quote ? 0 : c;
			*quoted = true;
			continue;
		}
		if (c == '\\' && quote != '\'' && (*at)[1] && (!quote || strchr("\"\\", (*at)[1]))) {
			c = *++*at;
			*quoted = true;
		}
		*(*out)++ = c;
	}
	*(*out)++ = '\0';
	return !quote;
}

static int split(const char *line, char *out, struct words *l, struct why *w)
{
	const char *at = line + strspn(line, " \t");

	l->n = 0;
	l->arrow = SIZE_MAX;
	while (*at) {
		if (l->n == POLICY_CASE_WORDS)
			return why(w, -EINVAL, "more than %d words", POLICY_CASE_WORDS);
		l->word[l->n] = out;
		l->quoted[l->n] = false;
		if (!take_word(&at, &out, &l->quoted[l->n]))
			return why(w, -EINVAL, "a quote is not closed");
		if (!l->quoted[l->n] && strcmp(l->word[l->n], "=>") == 0 && l->arrow == SIZE_MAX)
			l->arrow = l->n;
		l->n++;
		at += strspn(at, " \t");
	}
	return 0;
}

static const char *unless_dash(const struct words *l, size_t i)
{
	return !l->quoted[i] && strcmp(l->word[i], "-") == 0 ? NULL : l->word[i];
}

/* "a,b" cut up in place. */
static void cut_list(char *text, char *list[POLICY_CASE_WORDS + 1])
{
	char *save = NULL;
	size_t n = 0;

	for (char *s = strtok_r(text, ",", &save); s && n < POLICY_CASE_WORDS; s = strtok_r(NULL, ",", &save))
		list[n++] = s;
	list[n] = NULL;
}

static void take_groups(char *text, struct policy_case *c)
{
	char *list[POLICY_CASE_WORDS + 1];
	size_t n = 0;

	if (strcmp(text, "-") == 0) {
		c->facts.groups = NULL;
		return;
	}
	cut_list(text, list);
	for (; list[n]; n++)
		c->groups[n] = list[n];
	c->groups[n] = NULL;
}

static int take_failure(const char *text, struct policy_case *c, struct why *w)
{
	struct check check = { 0 };
	size_t n = 0;
	int r = check_parse(text, &check, w);

	check_done(&check);
	while (c->fails[n])
		n++;
	if (r >= 0 && n == RULE_CHECKS_MAX)
		r = why(w, -EINVAL, "more than %d checks that fail", RULE_CHECKS_MAX);
	if (r < 0)
		return r;
	c->fails[n] = text;
	return 1;
}

/* 1: it was a fact; 0: it is not one. */
static int take_fact(char *word, struct zone **zones, struct policy_case *c, struct why *w)
{
	struct {
		const char *key;
		const char **fact;
	} plain[] = { { "cwd=", &c->facts.cwd }, { "tty=", &c->facts.tty }, { "remote=", &c->facts.remote },
		{ "host=", &c->facts.host } };
	int r;

	if (strcmp(word, "marked") == 0) {
		c->facts.marked = true;
		return 1;
	}
	for (size_t i = 0; i < ELEMENTS(plain); i++)
		if (strncmp(word, plain[i].key, strlen(plain[i].key)) == 0) {
			*plain[i].fact = word + strlen(plain[i].key);
			return 1;
		}
	if (strncmp(word, "groups=", 7) == 0) {
		take_groups(word + 7, c);
		return 1;
	}
	if (strncmp(word, "labels=", 7) == 0) {
		cut_list(word + 7, c->labels);
		c->facts.labels = c->labels;
		return 1;
	}
	if (strncmp(word, "fails=", 6) == 0)
		return take_failure(word + 6, c, w);
	if (strncmp(word, "at=", 3) != 0)
		return 0;
	r = hours_moment(word + 3, zones, &c->facts.real_usec, w);
	return r < 0 ? r : 1;
}

static bool is_su(const char *service)
{
	return service && (strcmp(service, "su") == 0 || strcmp(service, "su-l") == 0);
}

static int take_command(const struct words *l, size_t i, struct policy_case *c, struct why *w)
{
	struct facts *f = &c->facts;

	if (is_su(f->service)) {
		c->argv[f->argc++] = "su";
	} else if (i < l->arrow) {
		f->binary = unless_dash(l, i);
		if (f->binary && f->binary[0] != '/' && strcmp(f->binary, "sudoedit") != 0)
			return why(w, -EINVAL, "'%s' is neither a fact nor a command's path: facts are groups= cwd= tty= remote= host= "
				"labels= at= fails= marked; '-' is a command that is not known", f->binary);
		if (!f->binary)
			i++;
		if (!f->binary && i == l->arrow)
			return 0;
	}
	for (; i < l->arrow; i++)
		c->argv[f->argc++] = l->word[i];
	c->argv[f->argc] = NULL;
	return 0;
}

static int take_expectation(const struct words *l, struct policy_case *c, struct why *w)
{
	static const char *const decisions[] = { "allow", "deny", "approve", "unknown" };
	size_t i = l->arrow + 1, n = l->n - i;
	struct need need;

	c->decision = n > 0 ? l->word[i] : NULL;
	c->rule = n > 1 ? l->word[i + 1] : NULL;
	c->need = n > 2 ? l->word[i + 2] : NULL;
	if (c->need && n == 3 && need_parse(c->need, &need, w) < 0)
		return -EINVAL;
	for (size_t k = 0; c->decision && n <= 3 && k < ELEMENTS(decisions); k++)
		if (strcmp(c->decision, decisions[k]) == 0)
			return 0;
	return why(w, -EINVAL, "behind => stands allow, deny, approve or unknown, and perhaps the name of a rule and, in quotes, a "
		"need");
}

static int take_all(const struct words *l, struct zone **zones, struct policy_case *c, struct why *w)
{
	size_t i = 3;
	int r;

	if (l->arrow == SIZE_MAX || l->arrow < 3)
		return why(w, -EINVAL, "a case is: SERVICE USER TARGET [FACT]... [COMMAND [ARGUMENT]...] => DECISION [RULE [NEED]]");
	c->facts.groups = c->groups;
	c->facts.argv = c->argv;
	c->facts.service = unless_dash(l, 0);
	c->facts.user = unless_dash(l, 1);
	c->facts.target = unless_dash(l, 2);
	for (; i < l->arrow; i++) {
		r = take_fact(l->word[i], zones, c, w);
		if (r < 0)
			return r;
		if (r == 0)
			break;
	}
	r = take_command(l, i, c, w);
	return r < 0 ? r : take_expectation(l, c, w);
}

int policy_case_parse(const char *line, struct zone **zones, struct policy_case *c, struct why *w)
{
	size_t len = strlen(line);
	struct words l;
	int r;

	memset(c, 0, sizeof(*c));
	if (!line[strspn(line, " \t")] || line[strspn(line, " \t")] == '#')
		return 0;
	if (len > LINE_MAX_BYTES || !text_utf8(line, len))
		return why(w, -EINVAL, "a case is a line of UTF-8 of at most %d bytes", LINE_MAX_BYTES);
	c->text = malloc(len + POLICY_CASE_WORDS + 1);
	if (!c->text)
		return why(w, -ENOMEM, "out of memory");
	r = split(line, c->text, &l, w);
	if (r == 0)
		r = take_all(&l, zones, c, w);
	if (r == 0)
		return 1;
	policy_case_done(c);
	return r;
}

const char *policy_verdict_words(const struct verdict *v, char *buf, size_t size)
{
	if (v->unknown)
		(void)snprintf(buf, size, "unknown%s%s", v->doubt ? " " : "", v->doubt ? v->doubt->name : "");
	else
		(void)snprintf(buf, size, "%s %s", decision_string(v->decision), v->rule ? v->rule->name : POLICY_FALLBACK);
	return buf;
}

/* Which of RULE's checks hold, by C. */
static int set_holds(const struct rule *rule, const struct policy_case *c, bool *holds, struct why *w)
{
	for (size_t i = 0; i < rule->n_checks; i++)
		holds[i] = true;
	for (size_t f = 0; c->fails[f]; f++) {
		struct check check = { 0 };
		bool found = false;
		int r = check_parse(c->fails[f], &check, w);

		for (size_t i = 0; r == 0 && i < rule->n_checks; i++)
			if (strcmp(rule->checks[i].check.text, check.text) == 0) {
				holds[i] = false;
				found = true;
			}
		check_done(&check);
		if (!found)
			return r < 0 ? r : why(w, -EINVAL, "%s, which decides, has no check %s", rule->name, c->fails[f]);
	}
	return 0;
}

int policy_case_decide(const struct policy *p, const struct policy_case *c, struct verdict *v, struct need *need, struct why *w)
{
	bool holds[RULE_CHECKS_MAX];
	struct checked checked;
	int r;

	need->n = 0;
	policy_decide(p, &c->facts, v);
	if (!v->rule || v->decision == DECISION_DENY)
		return c->fails[0] ? why(w, -EINVAL, "no rule decides that has checks, so none fails") : 0;
	r = set_holds(v->rule, c, holds, w);
	if (r < 0)
		return r;
	policy_checked(v->rule, holds, &checked);
	v->decision = checked.decision;
	if (checked.decision == DECISION_APPROVE)
		*need = checked.need;
	return 0;
}

/* The same sentence, however it is written. */
static bool same_need(const char *text, const struct need *need)
{
	char a[NEED_ALTERNATIVES * NEED_TERMS * 96], b[NEED_ALTERNATIVES * NEED_TERMS * 96];
	struct need wanted;

	return need_parse(text, &wanted, NULL) == 0 &&
		strcmp(need_format(&wanted, a, sizeof(a)), need_format(need, b, sizeof(b))) == 0;
}

static bool met(const struct policy_case *c, const struct verdict *v, const struct need *need)
{
	const char *name = v->rule ? v->rule->name : POLICY_FALLBACK;

	if (v->unknown && strcmp(c->decision, "unknown") == 0)
		return !c->rule || (v->doubt && strcmp(c->rule, v->doubt->name) == 0);
	if (strcmp(c->decision, decision_string(v->decision)) != 0)
		return false;
	if (c->need && !same_need(c->need, need))
		return false;
	return !c->rule || (!v->unknown && strcmp(c->rule, name) == 0);
}

bool policy_case_met(const struct policy *p, const struct policy_case *c, const struct verdict *v, const struct need *need,
	struct why *w)
{
	char sentence[512];
	const struct rule *wanted = c->rule && strcmp(c->rule, POLICY_FALLBACK) != 0 ? policy_find_rule(p, c->rule) : NULL;
	struct why words;

	if (met(c, v, need))
		return true;
	if (policy_unknown_words(p, &c->facts, v, &words))
		why(w, 0, "the call %s", words.text);
	else if (c->rule && !wanted && strcmp(c->rule, POLICY_FALLBACK) != 0)
		why(w, 0, "there is no rule %s", c->rule);
	else if (wanted && policy_mismatch(p, wanted, &c->facts, &words))
		why(w, 0, "%s does not match: %s", wanted->name, words.text);
	else if (wanted && v->rule && wanted != v->rule)
		why(w, 0, "%s stands before %s (%s:%u) and matches", v->rule->name, wanted->name, v->rule->file, v->rule->line);
	else if (v->rule && v->decision == DECISION_DENY && v->rule->decision != DECISION_DENY)
		why(w, 0, "a check of %s fails, so it refuses (%s:%u)", v->rule->name, v->rule->file, v->rule->line);
	else if (v->rule && c->need && v->decision == DECISION_APPROVE && strcmp(c->decision, "approve") == 0)
		why(w, 0, "%s then asks %s", v->rule->name, need_format(need, sentence, sizeof(sentence)));
	else if (v->rule && v->rule != &p->fallback)
		why(w, 0, "%s matches (%s:%u)", v->rule->name, v->rule->file, v->rule->line);
	else
		why(w, 0, "no rule matches, so Default= decides");
	return false;
}
