/* From the files to a struct policy: sections, keys, defaults, and the checks of what they say together. */
#include "lib/policy.h"

#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/digest.h"
#include "lib/policy-keys.h"
#include "lib/text.h"

#define RULES_MAX 16384

struct place {
	const char *file; /* one of the loader's files */
	unsigned line;
};

/* What a section says so far: of a rule, or of all [Host] or [Default] sections together (the later wins). */
struct draft {
	unsigned section; /* enum policy_section; 0: none */
	void *object;
	struct place at;         /* the (last) header */
	uint64_t said;           /* keys that were assigned */
	uint64_t said_here;      /* … since the last header */
	uint64_t bad;            /* … whose value was refused: nothing follows from them */
	struct place where[KEY_COUNT];
};

struct loader {
	const char *confdir;
	struct policy *policy;
	struct conf_errors *errors;
	char **files;       /* names of what was read: places point here */
	unsigned conf_files; /* how many of them configure (jitd.conf, its drop-ins, rules) */
	FILE *manifest;
	bool people_good, in_rules;
	void *names;        /* of the rules so far: a tree of struct named */
	struct draft host, fallback, one; /* one: the rule being read */
	struct draft *current;            /* NULL: what stands here belongs nowhere */
	struct rule rule;
};

static uint64_t bit(enum policy_key key)
{
	return UINT64_C(1) << key;
}

static void out_of_memory(struct loader *l)
{
	l->errors->out_of_memory = true;
}

static struct place place_of(const struct draft *d, enum policy_key key)
{
	return d->said & bit(key) ? d->where[key] : d->at;
}

#define MISTAKE(l, at_, ...) \
	do { \
		struct place place_ = (at_); \
		conf_error((l)->errors, place_.file, place_.line, __VA_ARGS__); \
	} while (0)

/* Files. */

static void witness(const char *path, const char *bytes, size_t len, void *userdata)
{
	struct loader *l = userdata;
	const char *name = path + strlen(l->confdir);
	char hex[SHA256_HEX + 1];

	name += strspn(name, "/");
	if (sha256_hex(bytes, len, hex) < 0 || conf_list_add(&l->files, path, strlen(path)) < 0) {
		out_of_memory(l);
		return;
	}
	fprintf(l->manifest, "%s  %s\n", hex, name);
	if (strncmp(name, "jitd.conf", 9) == 0 || strncmp(name, "rules.d/", 8) == 0)
		l->conf_files++;
}

/* The file being read is the last one witnessed. */
static struct place here(const struct loader *l, const struct conf_line *c)
{
	size_t n = conf_list_len(l->files);

	return (struct place){ .file = n ? l->files[n - 1] : NULL, .line = c->line };
}

/* Checks of a rule or of [Default] when it is complete. */

static bool check_teams_known(struct loader *l, const char *key, const struct need_alternative *a, struct place at)
{
	bool good = true;

	for (size_t i = 0; i < a->n; i++) {
		if (people_team(&l->policy->people, a->term[i].team))
			continue;
		good = false;
		MISTAKE(l, at, "%s= names the team '%s', and there is no [Team %s] in people.d", key, a->term[i].team,
			a->term[i].team);
	}
	return good;
}

/* A need that nobody could meet would let people wait for nothing. */
static void check_alternative(struct loader *l, const char *key, const struct need_alternative *a, struct place at)
{
	const struct people *people = &l->policy->people;
	bool small = false;

	if (!check_teams_known(l, key, a, at))
		return;
	for (size_t i = 0; i < a->n; i++) {
		const struct need_term *t = &a->term[i];
		bool strong = t->strength != STRENGTH_BROWSER; /* any will do */
		size_t able = people_able(people, t, NULL);

		if (able >= t->count)
			continue;
		small = true;
		MISTAKE(l, at, "%s= wants %u of team '%s'%s%s, of whom only %zu have %s key in the approvers file", key, t->count,
			t->team, strong ? " with " : "", strong ? strength_string(t->strength) : "", able, strong ? "such a" : "a");
	}
	if (!small && !people_could_meet(people, a, NULL))
		MISTAKE(l, at, "%s= can never be met: nobody counts twice, and its teams have too few different people"
			" with a key for it in the approvers file", key);
}

static void check_need(struct loader *l, const struct draft *d, enum policy_key key, const struct need *need)
{
	if (!l->people_good || (d->bad & bit(key)))
		return;
	for (size_t i = 0; i < need->n; i++)
		check_alternative(l, policy_key_table[key].name, &need->alternative[i], place_of(d, key));
}

/* On the word of the courier nothing is allowed. */
static void check_no_courier(struct loader *l, const struct draft *d, const struct rule *r)
{
	for (size_t i = 0; i < r->n_checks; i++) {
		const struct rule_check *c = &r->checks[i];
		enum policy_key key = c->effect == CHECK_REFUSES ? KEY_Check : KEY_Escalate;

		if (check_by_courier(&c->check) && c->effect != CHECK_INFORMS)
			MISTAKE(l, place_of(d, key), "%s=: %s is asked by the courier, whose word lets nobody through without an "
				"approver: a rule whose Decision= is allow cannot depend on it", policy_key_table[key].name,
				c->check.text);
	}
}

static void check_all_raised(struct loader *l, const struct draft *d, const struct rule *r)
{
	struct need sum = r->need;

	if (d->bad & (bit(KEY_Need) | bit(KEY_Escalate)))
		return;
	for (size_t i = 0; i < r->n_escalations; i++)
		if (need_and(&sum, &r->escalation[i], &sum) < 0)
			return; /* it was told of */
	if (r->n_escalations)
		check_need(l, d, KEY_Escalate, &sum);
}

/* The checks of a rule or of [Default], whose decision is known. */
static void check_checks(struct loader *l, const struct draft *d, struct rule *r, enum decision decision)
{
	static const enum policy_key keys[] = { KEY_Check, KEY_Inform, KEY_Escalate };
	enum policy_key bad = KEY_Check;
	struct why w = { "" };
	int e = rule_compile_checks(r, &bad, &w);

	if (e == -ENOMEM)
		out_of_memory(l);
	else if (e < 0)
		MISTAKE(l, place_of(d, bad), "%s=: %s", policy_key_table[bad].name, w.text);
	if (e < 0)
		return;
	for (size_t i = 0; i < ELEMENTS(keys) && decision == DECISION_DENY; i++)
		if (d->said & bit(keys[i]))
			MISTAKE(l, place_of(d, keys[i]), "%s= in a rule whose Decision= is deny: it denies whatever holds; remove one "
				"of them", policy_key_table[keys[i]].name);
	if (decision == DECISION_ALLOW && !r->n_escalations && r->inform)
		MISTAKE(l, place_of(d, KEY_Inform), "Inform= in a rule that asks nobody: there is nobody to see it");
	if (r->recheck && !r->check && !r->escalate && !(d->bad & (bit(KEY_Check) | bit(KEY_Escalate))))
		MISTAKE(l, place_of(d, KEY_Recheck), "Recheck=yes without Check= or Escalate=: there is nothing to look at again");
	if (decision == DECISION_ALLOW)
		check_no_courier(l, d, r);
	check_all_raised(l, d, r);
}

static void check_spans(struct loader *l, const struct draft *d, const struct rule *r)
{
	bool by_default = !(d->said & bit(KEY_AtMost));
	enum policy_key key = d->said & bit(KEY_For) ? KEY_For : KEY_AtMost;

	if ((d->bad & (bit(KEY_For) | bit(KEY_AtMost))) || r->work_usec <= r->at_most_usec)
		return;
	MISTAKE(l, place_of(d, key), "For= is longer than AtMost=%s: lower it, or raise AtMost=",
		by_default ? " (4h, when not said)" : "");
}

/* An emptied list would match everything, which nobody means who wrote it down. */
static void check_lists(struct loader *l, const struct draft *d)
{
	for (int i = 0; i < KEY_COUNT; i++) {
		const struct key_info *k = &policy_key_table[i];
		char ***list = k->matcher ? policy_key_field((enum policy_key)i, d->object) : NULL;

		if (list && !*list && (d->said & bit((enum policy_key)i)) && !(d->bad & bit((enum policy_key)i)))
			MISTAKE(l, d->where[i], "%s= is empty: leave it out to match everything", k->name);
	}
}

/* Words that nobody would ever see are a slip. */
static void check_hint(struct loader *l, const struct draft *d, const struct rule *r)
{
	if (r->reason_hint && r->reason != REASON_REQUIRED && !(d->bad & bit(KEY_Reason)))
		MISTAKE(l, place_of(d, KEY_ReasonHint), "ReasonHint= explains a reason that nobody has to give: add Reason=required, or"
			" leave it out");
}

static bool may_ask(const struct draft *d, const struct rule *r)
{
	return r->decision == DECISION_APPROVE || (r->decision == DECISION_ALLOW && (d->said & bit(KEY_Escalate)));
}

/* What is said and would have no effect is a slip: who wrote it believes in it. */
static void check_effects(struct loader *l, const struct draft *d, const struct rule *r)
{
	for (int i = 0; i < KEY_COUNT; i++) {
		enum policy_key key = (enum policy_key)i;

		/* An escalation brings a need of its own. */
		if ((d->said & bit(key)) && (policy_key_table[key].sections & TERMS)
		    && (!may_ask(d, r) || (key == KEY_Need && r->decision != DECISION_APPROVE)))
			MISTAKE(l, d->where[key], "%s= in a rule whose Decision= is %s: nobody is asked; remove one of them",
				policy_key_table[key].name, decision_string(r->decision));
	}
	if (r->decision != DECISION_DENY && (d->said & bit(KEY_Message)))
		MISTAKE(l, d->where[KEY_Message], "Message= in a rule whose Decision= is %s: nobody is told; remove one of them",
			decision_string(r->decision));
}

static void check_rule(struct loader *l, const struct draft *d, struct rule *r)
{
	struct why w = { "" };
	bool decided = d->said & bit(KEY_Decision);

	check_lists(l, d);
	if (rule_compile(r, &l->policy->zones, &w) < 0)
		out_of_memory(l); /* each value was judged when it was read */
	check_need(l, d, KEY_Need, &r->need);
	check_spans(l, d, r);
	if (!decided || may_ask(d, r))
		check_hint(l, d, r);
	if (decided && !(d->bad & bit(KEY_Decision)))
		check_checks(l, d, r, r->decision);
	if (!decided)
		MISTAKE(l, d->at, "[Rule %s] has no Decision=: allow, deny or approve", r->name);
	if (!decided || (d->bad & bit(KEY_Decision)))
		return;
	if (r->decision == DECISION_APPROVE && !(d->said & bit(KEY_Need)))
		MISTAKE(l, d->at, "[Rule %s] has no Need=: say who approves, like Need=1 of sre", r->name);
	check_effects(l, d, r);
}

static void check_fallback(struct loader *l)
{
	const struct draft *d = &l->fallback;
	const struct rule *r = &l->policy->fallback;

	check_need(l, d, KEY_Need, &r->need);
	check_spans(l, d, r);
	check_hint(l, d, r);
	check_checks(l, d, &l->policy->fallback, DECISION_APPROVE);
	if ((l->host.bad & bit(HOST_Default)) || l->policy->default_decision != DECISION_APPROVE)
		return;
	if (!(d->said & bit(KEY_Need)))
		MISTAKE(l, d->at.file ? d->at : place_of(&l->host, HOST_Default),
			"Default=approve asks whom? add Need= to [Default] in jitd.conf, like Need=1 of sre, or say Default=deny in"
			" [Host]");
}

/* Sections. */

/* Every key that was not assigned gets its default, through the same parser. */
static void apply_defaults(struct loader *l, const struct draft *d)
{
	for (int i = 0; i < KEY_COUNT; i++) {
		const struct key_info *k = &policy_key_table[i];
		struct why w;

		if (!(k->sections & d->section) || !k->fallback || (d->said & bit((enum policy_key)i)))
			continue;
		if (k->type->parse(k->fallback, d->object, policy_key_field((enum policy_key)i, d->object), &w) < 0)
			out_of_memory(l);
	}
}

static void finish_rule(struct loader *l)
{
	struct policy *p = l->policy;
	struct rule *grown;

	l->current = NULL;
	if (!l->one.section)
		return;
	apply_defaults(l, &l->one);
	check_rule(l, &l->one, &l->rule);
	l->one.section = 0;
	/* Room for twice as many whenever they are a power of two. */
	grown = p->n_rules & (p->n_rules - 1) ? p->rule : reallocarray(p->rule, p->n_rules ? 2 * p->n_rules : 1, sizeof(*grown));
	if (!grown) {
		out_of_memory(l);
		return;
	}
	p->rule = grown;
	p->rule[p->n_rules++] = l->rule;
	l->rule = (struct rule){ 0 };
}

/* Where a name stood first. */
struct named {
	char *name;
	struct place at;
};

static int compare_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static void free_named(void *n)
{
	free(((struct named *)n)->name);
	free(n);
}

/* The first of that name, which may be this one; NULL: out of memory. */
static const struct named *first_named(struct loader *l, const char *name, struct place at)
{
	struct named *n = malloc(sizeof(*n)), **found;

	if (!n)
		return NULL;
	*n = (struct named){ .name = strdup(name), .at = at };
	found = n->name ? tsearch(n, &l->names, compare_named) : NULL;
	if (!found || *found != n)
		free_named(n);
	return found ? *found : NULL;
}

/* Says what is wrong with a rule's name; false when there is no rule to go on with.  One that goes on under a name that it cannot
 * have is judged for its other mistakes: the whole is refused anyway. */
static bool judge_rule_name(struct loader *l, const char *name, struct place at)
{
	const struct named *first;

	if (!name || !name_valid(name)) {
		MISTAKE(l, at, "[Rule%s%s] needs a name of letters, digits, '.', '_', '-'", name ? " " : "", name ? name : "");
		return false;
	}
	if (strcmp(name, POLICY_FALLBACK) == 0) {
		MISTAKE(l, at, "no rule may be named %s: that is what stands for no rule", name);
		return true;
	}
	first = first_named(l, name, at);
	if (!first) {
		out_of_memory(l);
		return false;
	}
	if (first->at.file != at.file || first->at.line != at.line)
		MISTAKE(l, at, "there is a [Rule %s] already (%s:%u): rename one", name, first->at.file, first->at.line);
	if (l->policy->n_rules >= RULES_MAX)
		MISTAKE(l, at, "more than %d rules", RULES_MAX);
	return l->policy->n_rules < RULES_MAX;
}

static void begin_rule(struct loader *l, const struct conf_line *c)
{
	struct place at = here(l, c);

	if (!judge_rule_name(l, c->name, at))
		return;
	rule_done(&l->rule);
	l->rule.name = strdup(c->name);
	l->rule.file = strdup(at.file);
	l->rule.line = at.line;
	if (!l->rule.name || !l->rule.file) {
		out_of_memory(l);
		return;
	}
	l->one = (struct draft){ .section = IN_RULE, .object = &l->rule, .at = at };
	l->current = &l->one;
}

static void begin_section(struct loader *l, const struct conf_line *c)
{
	bool rule = strcmp(c->section, "Rule") == 0, host = strcmp(c->section, "Host") == 0;
	struct place at = here(l, c);

	finish_rule(l);
	if (!rule && !host && strcmp(c->section, "Default") != 0) {
		MISTAKE(l, at, "unknown section [%s]: jitd.conf has [Host] and [Default], rules.d has [Rule NAME]", c->section);
	} else if (rule != l->in_rules) {
		MISTAKE(l, at, "[%s] belongs into %s", c->section, rule ? "a file in rules.d" : "jitd.conf");
	} else if (rule) {
		begin_rule(l, c);
	} else if (c->name) {
		MISTAKE(l, at, "[%s %s]: there is only one, write [%s]", c->section, c->name, c->section);
	} else {
		l->current = host ? &l->host : &l->fallback;
		l->current->at = at;
		l->current->said_here = 0;
	}
}

/* Keys. */

static void unknown_key(struct loader *l, const struct conf_line *c)
{
	char known[512] = "";
	size_t len = 0;

	for (int i = 0; i < KEY_COUNT; i++) {
		const struct key_info *k = &policy_key_table[i];

		if ((k->sections & l->current->section) && len < sizeof(known))
			len += (size_t)snprintf(known + len, sizeof(known) - len, " %s", k->name);
	}
	MISTAKE(l, here(l, c), "unknown key '%s' in [%s]; known:%s", c->key, c->section, known);
}

/* False after saying what is wrong with the assignment itself. */
static bool assignment_good(struct loader *l, const struct conf_line *c, enum policy_key key)
{
	const struct draft *d = l->current;

	if (policy_key_table[key].type->list)
		return true;
	if (d->said_here & bit(key)) {
		MISTAKE(l, here(l, c), "%s= stands in this section for the second time (first in line %u): remove one", c->key,
			d->where[key].line);
		return false;
	}
	if (!*c->value) {
		MISTAKE(l, here(l, c), "%s= has no value: leave the line out to have the default", c->key);
		return false;
	}
	return true;
}

static void assign(struct loader *l, const struct conf_line *c, enum policy_key key)
{
	const struct value_type *type = policy_key_table[key].type;
	struct draft *d = l->current;
	void *field = policy_key_field(key, d->object);
	bool good = assignment_good(l, c, key);
	struct why w = { "" };
	int r = 0;

	d->said |= bit(key);
	d->said_here |= bit(key);
	d->where[key] = here(l, c);
	if (good && !*c->value)
		*(char ***)field = conf_list_free(*(char ***)field);
	else if (good)
		r = type->parse(c->value, d->object, field, &w);
	if (r == -ENOMEM)
		out_of_memory(l);
	else if (r < 0)
		MISTAKE(l, here(l, c), "%s=: %s", c->key, w.text);
	if (!good || r < 0)
		d->bad |= bit(key);
}

static void take_line(const struct conf_line *c, struct conf_errors *e, void *userdata)
{
	struct loader *l = userdata;
	int key;

	if (!c->key) {
		begin_section(l, c);
		return;
	}
	if (!l->current)
		return;
	key = policy_key_find(c->key, l->current->section);
	if (key < 0)
		unknown_key(l, c);
	else
		assign(l, c, (enum policy_key)key);
}

/* The whole. */

static void read_all(struct loader *l, uid_t owner)
{
	struct conf_reading r = {
		.handler = take_line, .userdata = l, .witness = witness, .witness_data = l, .owner = owner,
	};
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/jitd.conf", l->confdir);
	conf_read_file(&r, path, false, l->errors);
	(void)snprintf(path, sizeof(path), "%s/jitd.conf.d", l->confdir);
	conf_read_dir(&r, path, l->errors);
	l->in_rules = true;
	l->current = NULL;
	(void)snprintf(path, sizeof(path), "%s/rules.d", l->confdir);
	conf_read_dir(&r, path, l->errors);
	finish_rule(l);
}

static void fill_in_host(struct loader *l)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (l->host.said & bit(HOST_Host))
		return;
	if (gethostname(name, sizeof(name) - 1) < 0 || !name_valid(name))
		MISTAKE(l, l->host.at, "the kernel's host name '%s' cannot be used: say Host= in [Host] of jitd.conf", name);
	else if (!(l->policy->host = strdup(name)))
		out_of_memory(l);
}

static void name_fallback(struct loader *l)
{
	struct rule *r = &l->policy->fallback;
	struct place at = l->fallback.at.file ? l->fallback.at : l->host.at;

	r->name = strdup(POLICY_FALLBACK);
	r->file = strdup(at.file ? at.file : l->confdir);
	r->line = at.line;
	r->decision = DECISION_APPROVE;
	if (!r->name || !r->file)
		out_of_memory(l);
}

static void finish_host(struct loader *l)
{
	const struct policy *p = l->policy;

	apply_defaults(l, &l->host);
	apply_defaults(l, &l->fallback);
	fill_in_host(l);
	name_fallback(l);
	policy_settle(l->policy);
	check_fallback(l);
	if (!(l->host.bad & (bit(HOST_MaxPending) | bit(HOST_MaxPendingPerUser))) && p->max_pending_user > p->max_pending)
		MISTAKE(l, place_of(&l->host, HOST_MaxPendingPerUser), "MaxPendingPerUser= is more than MaxPending=");
}

static int take_digest(struct loader *l, const char *text, size_t len)
{
	char hex[SHA256_HEX + 1];

	if (sha256_hex(text, len, hex) < 0 || !(l->policy->digest = strdup(hex)))
		return -ENOMEM;
	return 0;
}

static void load(struct loader *l, uid_t owner)
{
	int r = people_load_witnessed(l->confdir, owner, witness, l, &l->policy->people, l->errors);

	l->people_good = r == 0;
	read_all(l, owner);
	if (l->conf_files > 0)
		finish_host(l);
	else if (l->errors->n == 0)
		conf_error(l->errors, l->confdir, 0, "there is no configuration, so nothing can be decided: write jitd.conf and a"
			" rule in rules.d (jitd.conf(5) has examples), then jitctl config check");
}

static void policy_free_p(struct policy **p)
{
	policy_free(*p);
}

static void loader_done(struct loader *l)
{
	tdestroy(l->names, free_named);
	conf_list_free(l->files);
	rule_done(&l->rule);
	if (l->manifest)
		fclose(l->manifest);
}

int policy_load(const char *confdir, uid_t owner, struct policy **ret, struct conf_errors *e)
{
	CLEAN(policy_free_p) struct policy *p = calloc(1, sizeof(*p));
	CLEAN(free_p) char *manifest = NULL;
	CLEAN(loader_done) struct loader l = { .confdir = confdir, .policy = p, .errors = e };
	size_t before = e->n, len = 0;

	l.manifest = open_memstream(&manifest, &len);
	if (!p || !l.manifest)
		return -ENOMEM;
	l.host = (struct draft){ .section = IN_HOST, .object = p };
	l.fallback = (struct draft){ .section = IN_DEFAULT, .object = &p->fallback };
	load(&l, owner);
	if (fflush(l.manifest) != 0 || e->out_of_memory)
		return -ENOMEM;
	if (e->n > before || before >= CONF_ERRORS_MAX)
		return -EINVAL;
	if (take_digest(&l, manifest, len) < 0)
		return -ENOMEM;
	*ret = STEAL_PTR(p);
	return 0;
}
