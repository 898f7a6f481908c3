/* Judging: pure functions over rules and facts. */
#include "lib/policy.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/policy-keys.h"
#include "lib/policy-match.h"
#include "lib/zone.h"

/* What a call does not say of its host, the configuration says. */
static struct facts at_home(const struct policy *p, const struct facts *f)
{
	struct facts all = *f;

	if (!all.host)
		all.host = p->host;
	if (!all.labels)
		all.labels = p->labels;
	return all;
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
	struct facts all = at_home(p, f);
	bool home = !f->host && !f->labels;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = &p->rule[i];
		enum fit fit = home && r->elsewhere ? PASSED_OVER : fit_rule(r, &all, NULL);

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
		fit_for_allow(&all, NULL));
}

void policy_settle(struct policy *p)
{
	const struct facts nothing = { 0 };
	struct facts own = at_home(p, &nothing);

	for (size_t i = 0; i < p->n_rules; i++)
		p->rule[i].elsewhere = match_host(&p->rule[i], &own) == MATCH_NO;
}

bool policy_mismatch(const struct policy *p, const struct rule *r, const struct facts *f, struct why *w)
{
	struct why words = { "" };
	struct facts all = at_home(p, f);

	if (r == &p->fallback || fit_rule(r, &all, w ? &words : NULL) == DECIDES)
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
		why(w, 0, "a reason is required%s%s", r->reason_hint ? ": " : r->reason_pattern ? ", of the form " : "",
			r->reason_hint ? r->reason_hint : r->reason_pattern ? r->reason_pattern : "");
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
		why(w, 0, "the reason %s %s", r->reason_hint ? "does not fit; wanted is:" : "must be of the form",
			r->reason_hint ? r->reason_hint : r->reason_pattern);
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
	rule_checks_done(r);
	free(r->network);
	free(r->hour);
	free(r->name);
	free(r->file);
	free(r->message);
	free(r->reason_pattern);
	free(r->reason_hint);
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
	zone_free(p->zones);
	conf_list_free(p->labels);
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
	char *rest, *line;
	bool any;

	aside = open_memstream(&value, &len);
	if (!aside)
		return;
	any = k->type->show(aside, object, (const char *)object + k->offset);
	if (fflush(aside) != 0 || !any)
		return;
	for (rest = value; (line = strsep(&rest, "\n"));)
		fprintf(out, "%s=%s\n", k->name, line);
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
	bool asks = r->decision == DECISION_APPROVE || r->n_escalations > 0;

	fprintf(out, "\n# %s:%u\n[Rule %s]\n", r->file, r->line, r->name);
	for (int i = 0; i < KEY_COUNT; i++) {
		unsigned sections = policy_key_table[i].sections;

		if ((sections & IN_RULE) && (!(sections & TERMS) || asks))
			show_key(out, (enum policy_key)i, r);
	}
}

static void show_people(FILE *out, const struct people *p)
{
	char words[CONF_LINE_MAX];

	for (size_t i = 0; i < p->n_persons; i++) {
		fprintf(out, "\n[Person %s]\n", p->person[i].name);
		if (p->person[i].principals)
			fprintf(out, "Principal=%s\n", list_words(p->person[i].principals, " ", words, sizeof(words)));
		if (p->person[i].users)
			fprintf(out, "User=%s\n", list_words(p->person[i].users, " ", words, sizeof(words)));
	}
	for (size_t i = 0; i < p->n_teams; i++)
		fprintf(out, "\n[Team %s]\nMember=%s\n", p->team[i].name,
			list_words(p->team[i].members, " ", words, sizeof(words)));
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
