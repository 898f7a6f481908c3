/* Checks as a rule has them: the types of Check=, Inform= and Escalate=, and what follows from what holds. */
#include "lib/policy-keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/conf.h"

#define BLANKS " \t"
#define UNLESS "unless"

const char *check_effect_string(enum check_effect e)
{
	static const char *const names[] = { "refuse", "inform", "escalate" };

	return names[e];
}

/* ---- reading ---- */

/* What is called for each check of a text; the check is the callee's. */
typedef int (*each_check)(struct check *c, void *userdata, struct why *w);

static int for_each(const char *text, each_check f, void *userdata, struct why *w)
{
	const char *at = text, *begin;
	size_t len;
	int r = 0;

	while (r == 0 && (begin = check_next(&at, &len))) {
		CLEAN(free_p) char *copy = strndup(begin, len);
		struct check c = { 0 };

		if (!copy)
			return why(w, -ENOMEM, "out of memory");
		r = check_parse(copy, &c, w);
		if (r == 0)
			r = f(&c, userdata, w);
	}
	return r;
}

static int add_text(struct check *c, void *userdata, struct why *w)
{
	int r = conf_list_add(userdata, c->text, strlen(c->text));

	check_done(c);
	return r < 0 ? why(w, r, "out of memory") : 0;
}

/* Puts what FRESH holds behind LIST; FRESH is freed in any case. */
static int append(char ***list, char **fresh, int r, size_t max, const char *what, struct why *w)
{
	if (r == 0 && conf_list_len(*list) + conf_list_len(fresh) > max)
		r = why(w, -EINVAL, "more than %zu %s", max, what);
	for (size_t i = 0; r == 0 && fresh && fresh[i]; i++)
		r = conf_list_add(list, fresh[i], strlen(fresh[i]));
	conf_list_free(fresh);
	return r;
}

static int parse_checks(const char *value, void *object, void *field, struct why *w)
{
	char **fresh = NULL;
	int r = for_each(value, add_text, &fresh, w);

	return append(field, fresh, r, RULE_CHECKS_MAX, "checks", w);
}

/* "NEED unless CHECK…" at its seam: where the checks begin, NULL after saying that there is none. */
static const char *find_checks(const char *clause, size_t *need_len, struct why *w)
{
	for (const char *at = clause; (at = strstr(at, UNLESS)); at++) {
		const char *behind = at + strlen(UNLESS);

		if (at == clause || !strchr(BLANKS, at[-1]) || (*behind && !strchr(BLANKS, *behind)))
			continue;
		if (!behind[strspn(behind, BLANKS)])
			break;
		*need_len = (size_t)(at - clause);
		return behind;
	}
	why(w, -EINVAL, "'%s' is not understood: write it like \"2 of sre unless load<8\"", clause);
	return NULL;
}

static int read_clause(const char *clause, struct need *need, each_check f, void *userdata, struct why *w)
{
	CLEAN(free_p) char *sentence = NULL;
	size_t len;
	const char *checks = find_checks(clause, &len, w);
	int r;

	if (!checks)
		return -EINVAL;
	sentence = strndup(clause, len);
	if (!sentence)
		return why(w, -ENOMEM, "out of memory");
	r = need_parse(sentence, need, w);
	return r < 0 ? r : for_each(checks, f, userdata, w);
}

/* One of the clauses between lone '|', in one way of writing it. */
static int take_clause(char ***list, const char *text, size_t len, struct why *w)
{
	CLEAN(free_p) char *clause = strndup(text, len), *whole = NULL;
	char need_words[NEED_ALTERNATIVES * NEED_TERMS * 96], **checks = NULL;
	struct need need;
	size_t size = 0;
	FILE *f;
	int r;

	if (!clause)
		return -ENOMEM;
	if (!clause[strspn(clause, BLANKS)])
		return why(w, -EINVAL, "there is nothing on one side of a '|'");
	r = read_clause(clause, &need, add_text, &checks, w);
	f = r == 0 ? open_memstream(&whole, &size) : NULL;
	if (r == 0 && !f)
		r = -ENOMEM;
	if (f) {
		fprintf(f, "%s " UNLESS " ", need_format(&need, need_words, sizeof(need_words)));
		show_list(f, " ", checks);
		r = ferror(f) | fclose(f) ? -ENOMEM : conf_list_add(list, whole, strlen(whole));
	}
	conf_list_free(checks);
	return r;
}

/* The first lone '|' in TEXT, or its end. */
static size_t clause_len(const char *text)
{
	const char *at = text, *word;
	size_t len;

	while ((word = command_word(&at, &len)))
		if (len == 1 && *word == '|')
			return (size_t)(word - text);
	return strlen(text);
}

static int parse_escalations(const char *value, void *object, void *field, struct why *w)
{
	char **fresh = NULL;
	int r = 0;

	for (;;) {
		size_t len = clause_len(value);

		r = take_clause(&fresh, value, len, w);
		if (r < 0 || !value[len])
			return append(field, fresh, r, RULE_ESCALATIONS_MAX, "escalations", w);
		value += len + 1;
	}
}

/* exec: takes the rest of its line, so whatever follows it stands in another one. */
static bool show_checks(FILE *out, const void *object, const void *field)
{
	char *const *list = *(char *const *const *)field;

	for (size_t i = 0; list && list[i]; i++)
		fprintf(out, "%s%s", i == 0 ? "" : strncmp(list[i - 1], "exec:", 5) == 0 ? "\n" : " ", list[i]);
	return list && list[0];
}

static bool show_escalations(FILE *out, const void *object, const void *field)
{
	return show_list(out, " | ", *(char *const *const *)field);
}

const struct value_type type_checks = { .list = true, .parse = parse_checks, .show = show_checks };
const struct value_type type_escalations = { .list = true, .parse = parse_escalations, .show = show_escalations };

/* ---- compiling ---- */

struct compiling {
	struct rule *rule;
	enum check_effect effect;
	size_t escalation;
};

static int add_check(struct check *c, void *userdata, struct why *w)
{
	struct compiling *p = userdata;
	struct rule *r = p->rule;
	struct rule_check *grown;

	if (r->n_checks == RULE_CHECKS_MAX) {
		check_done(c);
		return why(w, -EINVAL, "more than %d checks in one rule", RULE_CHECKS_MAX);
	}
	grown = reallocarray(r->checks, r->n_checks + 1, sizeof(*grown));
	if (!grown) {
		check_done(c);
		return why(w, -ENOMEM, "out of memory");
	}
	r->checks = grown;
	r->checks[r->n_checks++] = (struct rule_check){ *c, p->effect, p->escalation };
	return 0;
}

void rule_checks_done(struct rule *r)
{
	for (size_t i = 0; i < r->n_checks; i++)
		check_done(&r->checks[i].check);
	free(r->checks);
	free(r->escalation);
	r->checks = NULL;
	r->escalation = NULL;
	r->n_checks = r->n_escalations = 0;
}

static int compile_texts(struct rule *r, char *const *list, enum check_effect effect, struct why *w)
{
	struct compiling p = { .rule = r, .effect = effect };
	int e = 0;

	for (size_t i = 0; e == 0 && list && list[i]; i++)
		e = for_each(list[i], add_check, &p, w);
	return e;
}

/* Every set of escalations must come to a need that can be said: what cannot would be a refusal on a bad day. */
static int judge_sums(const struct rule *r, struct why *w)
{
	for (unsigned set = 1; set < 1U << r->n_escalations; set++) {
		struct need sum = r->need;

		for (size_t i = 0; i < r->n_escalations; i++)
			if ((set >> i & 1) && need_and(&sum, &r->escalation[i], &sum) < 0)
				return why(w, -EINVAL, "together with Need= it asks for more people or alternatives than a need "
					"can have (%d alternatives of %d terms)", NEED_ALTERNATIVES, NEED_TERMS);
	}
	return 0;
}

static int compile_escalations(struct rule *r, struct why *w)
{
	size_t n = conf_list_len(r->escalate);
	int e = 0;

	if (n == 0)
		return 0;
	r->escalation = calloc(n, sizeof(*r->escalation));
	if (!r->escalation)
		return why(w, -ENOMEM, "out of memory");
	for (; e == 0 && r->n_escalations < n; r->n_escalations++) {
		struct compiling p = { .rule = r, .effect = CHECK_ESCALATES, .escalation = r->n_escalations };

		e = read_clause(r->escalate[r->n_escalations], &r->escalation[r->n_escalations], add_check, &p, w);
	}
	return e < 0 ? e : judge_sums(r, w);
}

int rule_compile_checks(struct rule *r, enum policy_key *bad_key, struct why *w)
{
	int e;

	rule_checks_done(r);
	*bad_key = KEY_Check;
	e = compile_texts(r, r->check, CHECK_REFUSES, w);
	if (e == 0) {
		*bad_key = KEY_Inform;
		e = compile_texts(r, r->inform, CHECK_INFORMS, w);
	}
	if (e == 0) {
		*bad_key = KEY_Escalate;
		e = compile_escalations(r, w);
	}
	return e;
}

/* ---- judging ---- */

void policy_checked(const struct rule *r, const bool *holds, struct checked *ret)
{
	struct checked c = { .decision = r->decision, .need = r->need, .refusing = r->n_checks };
	bool raised[RULE_ESCALATIONS_MAX] = { false };

	ret->decision = DECISION_DENY;
	ret->refusing = r->n_checks;
	ret->need = (struct need){ .n = 0 };
	for (size_t i = 0; i < r->n_checks; i++) {
		if (holds[i])
			continue;
		if (r->checks[i].effect == CHECK_REFUSES) {
			ret->refusing = i;
			return;
		}
		if (r->checks[i].effect == CHECK_ESCALATES)
			raised[r->checks[i].escalation] = true;
	}
	for (size_t i = 0; i < r->n_escalations; i++) {
		if (!raised[i])
			continue;
		if (need_and(&c.need, &r->escalation[i], &c.need) < 0)
			return;
		c.decision = DECISION_APPROVE;
	}
	*ret = c;
}
