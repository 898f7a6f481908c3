#include "lib/people.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/envelope.h"
#include "lib/text.h"

#define PEOPLE_MAX 4096

void people_done(struct people *p)
{
	for (size_t i = 0; i < p->n_persons; i++) {
		free(p->person[i].name);
		conf_list_free(p->person[i].principals);
		conf_list_free(p->person[i].users);
	}
	for (size_t i = 0; i < p->n_teams; i++) {
		free(p->team[i].name);
		conf_list_free(p->team[i].members);
	}
	free(p->person);
	free(p->team);
	signers_done(&p->approvers);
	*p = (struct people){ 0 };
}

/* Finding. */

const struct person *people_find(const struct people *p, const char *person)
{
	for (size_t i = 0; i < p->n_persons; i++)
		if (strcmp(p->person[i].name, person) == 0)
			return &p->person[i];
	return NULL;
}

const struct person *people_by_principal(const struct people *p, const char *principal)
{
	for (size_t i = 0; i < p->n_persons; i++)
		if (conf_list_has(p->person[i].principals, principal))
			return &p->person[i];
	return NULL;
}

const struct person *people_by_user(const struct people *p, const char *user)
{
	for (size_t i = 0; i < p->n_persons; i++)
		if (conf_list_has(p->person[i].users, user))
			return &p->person[i];
	return NULL;
}

const struct team *people_team(const struct people *p, const char *team)
{
	for (size_t i = 0; i < p->n_teams; i++)
		if (strcmp(p->team[i].name, team) == 0)
			return &p->team[i];
	return NULL;
}

bool people_member(const struct people *p, const char *person, const char *team)
{
	const struct team *t = people_team(p, team);

	return t && conf_list_has(t->members, person);
}

/* Whether the need can be met. */

int people_strength(const struct people *p, const char *person)
{
	const struct person *who = people_find(p, person);

	return who ? who->strength : -ENOENT;
}

/* CROWD has room for NEED_VOTES, or is NULL, to count only.  It takes NEED_VOTES people of a team at most, as no alternative asks
 * for more, so that many of one team are as good as all of it. */
static size_t gather(const struct people *p, const struct need_term *term, char *const *without, struct need_vote *crowd)
{
	const struct team *team = people_team(p, term->team);
	size_t able = 0;

	for (char **m = team ? team->members : NULL; m && *m && able < NEED_VOTES; m++) {
		int strength = people_strength(p, *m);

		if (strength < (int)term->strength || conf_list_has(without, *m))
			continue;
		if (crowd)
			crowd[able] = (struct need_vote){ .person = *m, .strength = (enum strength)strength };
		able++;
	}
	return able;
}

size_t people_able(const struct people *p, const struct need_term *term, char *const *without)
{
	return gather(p, term, without, NULL);
}

static bool is_member(const char *person, const char *team, void *people)
{
	return people_member(people, person, team);
}

bool people_could_meet(const struct people *p, const struct need_alternative *alternative, char *const *without)
{
	struct need_vote crowd[NEED_PEOPLE];
	size_t n = 0;

	for (size_t i = 0; i < alternative->n; i++)
		n += gather(p, &alternative->term[i], without, crowd + n);
	return need_alternative_met(alternative, crowd, n, is_member, (void *)(uintptr_t)p);
}

/* Loading. */

enum kind { KIND_NONE, KIND_PERSON, KIND_TEAM };

struct place {
	char *file;
	unsigned line;
};

struct loading {
	struct people people;
	struct place *person_at, *team_at; /* parallel to people's lists: the header's place */
	size_t n_person_at, n_team_at;
	enum kind kind; /* of the section being read; its entry is the last of its list */
};

static void free_places(struct place *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].file);
	free(list);
}

static void loading_done(struct loading *l)
{
	free_places(l->person_at, l->n_person_at);
	free_places(l->team_at, l->n_team_at);
	people_done(&l->people);
}

/* Makes room for one more and gives it back zeroed; the count is the caller's to raise. */
static void *grow(void *list_p, size_t n, size_t size)
{
	void **list = list_p;
	char *grown = n < PEOPLE_MAX ? reallocarray(*list, n + 1, size) : NULL;

	if (!grown)
		return NULL;
	*list = grown;
	return memset(grown + n * size, 0, size);
}

static bool add_place(struct place **list, size_t *n, const struct conf_line *c)
{
	struct place *at = grow(list, *n, sizeof(*at));

	if (!at || !(at->file = strdup(c->file)))
		return false;
	at->line = c->line;
	(*n)++;
	return true;
}

/* The place comes first: where it is missing the entry is, too. */
static bool begin_person(struct loading *l, const struct conf_line *c)
{
	struct person *p = grow(&l->people.person, l->people.n_persons, sizeof(*p));

	if (!p || !add_place(&l->person_at, &l->n_person_at, c) || !(p->name = strdup(c->name)))
		return false;
	p->strength = -ENOENT;
	l->people.n_persons++;
	l->kind = KIND_PERSON;
	return true;
}

static bool begin_team(struct loading *l, const struct conf_line *c)
{
	struct team *t = grow(&l->people.team, l->people.n_teams, sizeof(*t));

	if (!t || !add_place(&l->team_at, &l->n_team_at, c) || !(t->name = strdup(c->name)))
		return false;
	l->people.n_teams++;
	l->kind = KIND_TEAM;
	return true;
}

static void begin_section(struct loading *l, const struct conf_line *c, struct conf_errors *e)
{
	bool person = strcmp(c->section, "Person") == 0, team = strcmp(c->section, "Team") == 0;

	l->kind = KIND_NONE;
	if (!person && !team) {
		conf_error(e, c->file, c->line, "unknown section [%s]: here stand [Person NAME] and [Team NAME]",
			c->section);
		return;
	}
	if (!c->name || !name_valid(c->name)) {
		conf_error(e, c->file, c->line, "[%s%s%s] needs a name of letters, digits, '.', '_', '-'", c->section,
			c->name ? " " : "", c->name ? c->name : "");
		return;
	}
	if (person ? people_find(&l->people, c->name) != NULL : people_team(&l->people, c->name) != NULL) {
		conf_error(e, c->file, c->line, "[%s %s] stands here for the second time: join the two", c->section,
			c->name);
		return;
	}
	if (!(person ? begin_person(l, c) : begin_team(l, c)))
		e->out_of_memory = true;
}

/* Adds the words of a line to LIST, each judged by VALID; an empty line clears it. */
static void add_words(const struct conf_line *c, char ***list, bool (*valid)(const char *), const char *what,
	struct conf_errors *e)
{
	size_t before = conf_list_len(*list);
	int r;

	if (!*c->value) {
		*list = conf_list_free(*list);
		return;
	}
	r = conf_list_split(list, c->value);
	if (r == -E2BIG)
		conf_error(e, c->file, c->line, "%s= has more than %d words", c->key, CONF_WORDS_MAX);
	else if (r < 0)
		e->out_of_memory = true;
	for (size_t i = before; *list && (*list)[i]; i++) {
		if (!valid((*list)[i]))
			conf_error(e, c->file, c->line, "%s=: '%s' is not the name of %s", c->key, (*list)[i], what);
		for (size_t k = 0; k < i; k++)
			if (strcmp((*list)[k], (*list)[i]) == 0)
				conf_error(e, c->file, c->line, "%s=: '%s' stands there twice", c->key, (*list)[i]);
	}
}

static void take_line(const struct conf_line *c, struct conf_errors *e, void *userdata)
{
	struct loading *l = userdata;
	struct person *person = l->people.n_persons ? &l->people.person[l->people.n_persons - 1] : NULL;
	struct team *team = l->people.n_teams ? &l->people.team[l->people.n_teams - 1] : NULL;

	if (!c->key)
		begin_section(l, c, e);
	else if (l->kind == KIND_PERSON && strcmp(c->key, "Principal") == 0)
		add_words(c, &person->principals, principal_valid, "a principal", e);
	else if (l->kind == KIND_PERSON && strcmp(c->key, "User") == 0)
		add_words(c, &person->users, name_valid, "a user", e);
	else if (l->kind == KIND_TEAM && strcmp(c->key, "Member") == 0)
		add_words(c, &team->members, name_valid, "a person", e);
	else if (l->kind != KIND_NONE)
		conf_error(e, c->file, c->line, "unknown key '%s' in [%s %s]; known: %s", c->key, c->section, c->name,
			l->kind == KIND_PERSON ? "Principal User" : "Member");
}

/* Checks of the whole. */

static void check_words_unique(const struct loading *l, size_t i, bool users, struct conf_errors *e)
{
	const struct person *p = &l->people.person[i];
	char **words = users ? p->users : p->principals;

	for (; words && *words; words++)
		for (size_t k = 0; k < i; k++)
			if (conf_list_has(users ? l->people.person[k].users : l->people.person[k].principals, *words))
				conf_error(e, l->person_at[i].file, l->person_at[i].line,
					"%s '%s' of [Person %s] belongs to [Person %s] already (%s:%u)",
					users ? "user" : "principal", *words, p->name, l->people.person[k].name,
					l->person_at[k].file, l->person_at[k].line);
}

static void check_persons(const struct loading *l, struct conf_errors *e)
{
	for (size_t i = 0; i < l->people.n_persons; i++) {
		const struct person *p = &l->people.person[i];

		if (!p->principals && !p->users)
			conf_error(e, l->person_at[i].file, l->person_at[i].line,
				"[Person %s] has neither Principal= nor User=", p->name);
		check_words_unique(l, i, false, e);
		check_words_unique(l, i, true, e);
	}
}

static void check_teams(const struct loading *l, struct conf_errors *e)
{
	for (size_t i = 0; i < l->people.n_teams; i++) {
		const struct team *t = &l->people.team[i];

		if (!t->members)
			conf_error(e, l->team_at[i].file, l->team_at[i].line, "[Team %s] has no Member=", t->name);
		for (char **m = t->members; m && *m; m++)
			if (!people_find(&l->people, *m))
				conf_error(e, l->team_at[i].file, l->team_at[i].line,
					"[Team %s]: there is no [Person %s]", t->name, *m);
	}
}

/* Every principal of one line must be one person's: the line's key is that person's. */
static void check_signer(const struct people *p, const struct signer *s, const char *path, struct conf_errors *e)
{
	const struct person *first = NULL;

	for (char **name = s->principals; name && *name; name++) {
		const struct person *who = people_by_principal(p, *name);

		if (!who)
			conf_error(e, path, s->line, "principal '%s' belongs to no [Person]: add it to one's Principal=",
				*name);
		else if (first && who != first)
			conf_error(e, path, s->line, "one key for two people, %s and %s: a key belongs to one person",
				first->name, who->name);
		if (!first)
			first = who;
	}
}

/* Its principals are one person's. */
static void take_signer(struct people *p, const struct signer *s)
{
	int strength = s->cert_authority || sshkey_is_sk(&s->key) ? STRENGTH_HW_KEY : STRENGTH_KEY;

	for (size_t i = 0; i < p->n_persons; i++)
		if (conf_list_has(p->person[i].principals, s->principals[0]) && p->person[i].strength < strength)
			p->person[i].strength = strength;
}

static void load_approvers(struct loading *l, const char *confdir, const struct conf_reading *r,
	struct conf_errors *e)
{
	CLEAN(free_p) char *path = NULL, *bytes = NULL;
	struct why w = { "" };
	size_t len = 0;
	int err;

	if (asprintf(&path, "%s/approvers", confdir) < 0) {
		path = NULL;
		e->out_of_memory = true;
		return;
	}
	err = conf_load_bytes(path, r->owner, &bytes, &len, &w);
	if (err == -ENOENT)
		return; /* nobody can approve anything; a rule that needs somebody says so */
	if (err < 0) {
		conf_error(e, NULL, 0, "%s", w.text);
		return;
	}
	if (r->witness)
		r->witness(path, bytes, len, r->witness_data);
	if (signers_parse(bytes, len, path, NS_DECISION, &l->people.approvers, &w) < 0) {
		conf_error(e, NULL, 0, "%s", w.text);
		return;
	}
	for (size_t i = 0; i < l->people.approvers.n; i++) {
		check_signer(&l->people, &l->people.approvers.list[i], path, e);
		take_signer(&l->people, &l->people.approvers.list[i]);
	}
}

int people_load_witnessed(const char *confdir, uid_t owner, conf_witness witness, void *witness_data,
	struct people *ret, struct conf_errors *e)
{
	CLEAN(loading_done) struct loading l = { .kind = KIND_NONE };
	struct conf_reading r = {
		.handler = take_line, .userdata = &l, .witness = witness, .witness_data = witness_data, .owner = owner,
	};
	CLEAN(free_p) char *dir = NULL;
	size_t before = e->n;

	if (asprintf(&dir, "%s/people.d", confdir) < 0) {
		dir = NULL;
		e->out_of_memory = true;
		return -ENOMEM;
	}
	conf_read_dir(&r, dir, e);
	if (e->out_of_memory)
		return -ENOMEM;
	check_persons(&l, e);
	check_teams(&l, e);
	load_approvers(&l, confdir, &r, e);
	if (e->out_of_memory)
		return -ENOMEM;
	if (e->n > before || before >= CONF_ERRORS_MAX)
		return -EINVAL;
	*ret = l.people;
	l.people = (struct people){ 0 };
	return 0;
}

int people_load(const char *confdir, uid_t owner, struct people *ret, struct conf_errors *e)
{
	return people_load_witnessed(confdir, owner, NULL, NULL, ret, e);
}
