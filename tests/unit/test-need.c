/* Who must agree: the grammar, and counting people. */
#include "tests/unit/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/need.h"

/* What is written, and how it reads when printed again. */
static const struct {
	const char *text, *canonical;
} good[] = {
	{ "1 of sre", "1 of sre" },
	{ "  2   of\tsre  ", "2 of sre" },
	{ "2 of sre,1 of security", "2 of sre, 1 of security" },
	{ "2 of sre , 1 of security", "2 of sre, 1 of security" },
	{ "1 of sre or 1 of ciso", "1 of sre or 1 of ciso" },
	{ "2 of sre, 1 of security or 1 of ciso with hw-key", "2 of sre, 1 of security or 1 of ciso with hw-key" },
	{ "1 of a with key,1 of b with browser", "1 of a with key, 1 of b" },
	{ "16 of a", "16 of a" },
	{ "1 of a, 1 of a with key", "1 of a, 1 of a with key" },
	{ "1 of or or 1 of with with key", "1 of or or 1 of with with key" }, /* odd names, but clear */
	{ "16 of a, 16 of b, 16 of c, 16 of d", "16 of a, 16 of b, 16 of c, 16 of d" },
};

static const struct {
	const char *text, *words;
} bad[] = {
	{ "", "nobody is named: write it like \"1 of sre\"" },
	{ "   ", "nobody is named" },
	{ "0 of sre", "the count is 0: it must be 1 to 16" },
	{ "00 of sre", "the count is 00" },
	{ "01 of sre", "the count is 01" },
	{ "17 of sre", "the count is 17" },
	{ "99 of sre", "the count is 99" },
	{ "100 of sre", "'100' is not a count" },
	{ "-1 of sre", "'-1' is not a count" },
	{ "+1 of sre", "'+1' is not a count" },
	{ "1", "after the count stands \"of\" and a team: \"1 of sre\"" },
	{ "sre", "'sre' is not a count" },
	{ "1 sre", "after the count stands \"of\"" },
	{ "1 of", "'' is not the name of a team" },
	{ "1 of ,", "',' is not the name of a team" },
	{ "1 of -x", "'-x' is not the name of a team" },
	{ "1 of a/b", "'a/b' is not the name of a team" },
	{ "1 of sre 1 of dba", "'1' is not understood: between terms stands \",\" or \"or\"" },
	{ "1 of sre and 1 of dba", "'and' is not understood" },
	{ "1 of sre,", "a count is missing" },
	{ ",1 of sre", "',' is not a count" },
	{ "1 of sre,,1 of dba", "',' is not a count" },
	{ "1 of sre or", "a count is missing" },
	{ "or 1 of sre", "'or' is not a count" },
	{ "1 of sre or or 1 of dba", "'or' is not a count" },
	{ "1 of sre with", "'' is not a strength" },
	{ "1 of sre with touch", "'touch' is not a strength: after \"with\" stands browser, key or hw-key" },
	{ "1 of sre with key with key", "'with' is not understood" },
	{ "1 OF sre", "after the count stands" },
	{ "16 of a, 16 of b, 16 of c, 16 of d, 1 of e", "more than 64 people in one alternative" },
	{ "1 of a or 1 of a or 1 of a or 1 of a or 1 of a", "more than 4 alternatives" },
	{ "1 of a,1 of a,1 of a,1 of a,1 of a,1 of a,1 of a,1 of a,1 of a", "more than 8 terms in one alternative" },
	{ "1 of aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a word is longer than 64 characters" },
};

static void reads(void **state)
{
	for (size_t i = 0; i < ELEMENTS(good); i++) {
		struct need need, again;
		struct why w = { "" };
		char buf[1024], twice[1024];

		if (need_parse(good[i].text, &need, &w) != 0)
			fail_msg("'%s': %s", good[i].text, w.text);
		assert_string_equal(need_format(&need, buf, sizeof(buf)), good[i].canonical);
		assert_int_equal(need_parse(buf, &again, &w), 0);
		assert_string_equal(need_format(&again, twice, sizeof(twice)), buf);
	}
}

static void refuses(void **state)
{
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		struct need need, before;
		struct why w = { "" };

		memset(&need, 0x5a, sizeof(need));
		before = need;
		if (need_parse(bad[i].text, &need, &w) != -EINVAL)
			fail_msg("'%s' was taken", bad[i].text);
		if (!strstr(w.text, bad[i].words))
			fail_msg("'%s': wanted '%s', got '%s'", bad[i].text, bad[i].words, w.text);
		assert_memory_equal(&need, &before, sizeof(need));
	}
}

static void format_cuts(void **state)
{
	struct need need;
	char buf[40];

	assert_int_equal(need_parse("1 of sre with key, 2 of security or 1 of ciso", &need, NULL), 0);
	for (size_t size = 1; size < sizeof(buf); size++) {
		memset(buf, 'x', sizeof(buf));
		need_format(&need, buf, size);
		assert_int_equal(strlen(buf), size - 1);
		assert_memory_equal(buf, "1 of sre with key, 2 of security or 1 of ciso", size - 1);
		assert_int_equal(buf[size], 'x');
	}
}

/* "a:sre,dba b:sre" says who is in which team. */
static bool in_words(const char *person, const char *team, void *teams)
{
	char wanted[128];
	const char *at, *end;

	snprintf(wanted, sizeof(wanted), "%s:", person);
	at = strstr(teams, wanted);
	if (!at)
		return false;
	at += strlen(wanted);
	end = at + strcspn(at, " ");
	while (at < end) {
		size_t len = strcspn(at, ", ");

		if (strlen(team) == len && strncmp(at, team, len) == 0)
			return true;
		at += len + 1;
	}
	return false;
}

static const struct {
	const char *need, *teams, *votes; /* votes: "bob carol+key dora+hw" */
	bool met;
} counting[] = {
	{ "1 of sre", "bob:sre", "", false },
	{ "1 of sre", "bob:sre", "bob", true },
	{ "1 of sre", "bob:dba", "bob", false },
	{ "2 of sre", "bob:sre carol:sre", "bob", false },
	{ "2 of sre", "bob:sre carol:sre", "bob bob", false },
	{ "2 of sre", "bob:sre carol:sre", "bob carol", true },
	/* In two teams, a person still is one person. */
	{ "1 of sre, 1 of dba", "bob:sre,dba", "bob", false },
	{ "1 of sre, 1 of dba", "bob:sre,dba carol:sre", "bob carol", true },
	{ "1 of sre, 1 of dba", "bob:sre,dba carol:dba", "bob carol", true },
	{ "1 of sre, 1 of dba", "bob:sre carol:sre", "bob carol", false },
	/* The first choice has to make room. */
	{ "1 of a, 1 of b, 1 of c", "x:a,b y:a z:b,c", "x y z", true },
	{ "1 of a, 1 of b, 1 of c", "x:a,b,c y:a z:a", "x y z", false },
	{ "2 of a, 1 of b", "x:a,b y:a z:a", "x y z", true },
	{ "1 of a, 1 of a with key", "x:a y:a", "x+key y", true },
	{ "1 of a, 1 of a with key", "x:a y:a", "x y", false },
	{ "1 of a, 1 of a with key", "x:a", "x+key", false },
	/* A higher strength serves for a lower. */
	{ "1 of a with key", "x:a", "x", false },
	{ "1 of a with key", "x:a", "x+key", true },
	{ "1 of a with key", "x:a", "x+hw", true },
	{ "1 of a with hw-key", "x:a", "x+key", false },
	/* One alternative is met or it is not: halves of two do not add up. */
	{ "2 of a or 2 of b", "x:a y:b", "x y", false },
	{ "2 of a or 1 of b", "x:a y:b", "x y", true },
	{ "2 of a or 1 of b", "x:a", "x", false },
	{ "1 of a or 1 of nobody", "x:a", "x", true },
};

static size_t read_votes(const char *text, char names[8][16], struct need_vote *votes)
{
	size_t n = 0;

	while (*text) {
		size_t len = strcspn(text, " "), name = strcspn(text, " +");

		snprintf(names[n], 16, "%.*s", (int)name, text);
		votes[n].person = names[n];
		votes[n++].strength = name == len ? STRENGTH_BROWSER : text[name + 1] == 'k' ? STRENGTH_KEY : STRENGTH_HW_KEY;
		text += len + (text[len] == ' ');
	}
	return n;
}

static void counts(void **state)
{
	for (size_t i = 0; i < ELEMENTS(counting); i++) {
		struct need_vote votes[8];
		char names[8][16], teams[128];
		struct need need;
		size_t n = read_votes(counting[i].votes, names, votes);

		snprintf(teams, sizeof(teams), "%s", counting[i].teams);
		assert_int_equal(need_parse(counting[i].need, &need, NULL), 0);
		if (need_met(&need, votes, n, in_words, teams) != counting[i].met)
			fail_msg("%s, teams %s, votes '%s': should be %s", counting[i].need, counting[i].teams,
				counting[i].votes, counting[i].met ? "met" : "not met");
	}
}

static void nobody_needed_is_never_met(void **state)
{
	struct need none = { .n = 0 }, empty = { .n = 1 };
	struct need_vote vote = { "x", STRENGTH_HW_KEY };
	char teams[] = "x:a";

	assert_false(need_met(&none, &vote, 1, in_words, teams));
	assert_false(need_met(&empty, &vote, 1, in_words, teams));
}

/* Random worlds against trying everything. */

#define TEAMS 4
#define PEOPLE 7

struct world {
	bool member[PEOPLE][TEAMS];
	struct need need;
	struct need_vote vote[PEOPLE];
	size_t n;
};
static const char *const people[PEOPLE] = { "p0", "p1", "p2", "p3", "p4", "p5", "p6" };
static const char *const teams[TEAMS] = { "t0", "t1", "t2", "t3" };

static bool in_world(const char *person, const char *team, void *userdata)
{
	const struct world *w = userdata;

	return w->member[person[1] - '0'][team[1] - '0'];
}

/* Fills the seats from term T on, HERE of them already on it, by trying everybody who is not yet TAKEN. */
static bool try_all(const struct world *w, const struct need_alternative *a, size_t t, unsigned have, unsigned taken)
{
	if (t == a->n)
		return true;
	if (have == a->term[t].count)
		return try_all(w, a, t + 1, 0, taken);
	for (size_t i = 0; i < w->n; i++) {
		const struct need_vote *v = &w->vote[i];

		if (!(taken & 1U << i) && v->strength >= a->term[t].strength &&
		    w->member[v->person[1] - '0'][a->term[t].team[1] - '0'] && try_all(w, a, t, have + 1, taken | 1U << i))
			return true;
	}
	return false;
}

static bool brute_force(const struct world *w)
{
	for (size_t i = 0; i < w->need.n; i++)
		if (try_all(w, &w->need.alternative[i], 0, 0, 0))
			return true;
	return false;
}

static void random_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	for (size_t p = 0; p < PEOPLE; p++)
		for (size_t t = 0; t < TEAMS; t++)
			w->member[p][t] = test_below(2);
	w->need.n = 1 + test_below(2);
	for (size_t a = 0; a < w->need.n; a++) {
		w->need.alternative[a].n = 1 + test_below(3);
		for (size_t t = 0; t < w->need.alternative[a].n; t++) {
			struct need_term *term = &w->need.alternative[a].term[t];

			term->count = 1 + test_below(3);
			strcpy(term->team, teams[test_below(TEAMS)]);
			term->strength = (enum strength)test_below(3);
		}
	}
	for (size_t p = 0; p < PEOPLE; p++)
		if (test_below(4) > 0)
			w->vote[w->n++] = (struct need_vote){ people[p], (enum strength)test_below(3) };
}

static void against_brute_force(void **state)
{
	unsigned met = 0, not_met = 0;

	for (unsigned i = 0; i < 50000; i++) {
		struct world w;
		bool wanted;

		random_world(&w);
		wanted = brute_force(&w);
		if (need_met(&w.need, w.vote, w.n, in_world, &w) != wanted) {
			char buf[1024];

			fail_msg("world %u: %s with %zu votes should be %s", i, need_format(&w.need, buf, sizeof(buf)), w.n,
				wanted ? "met" : "not met");
		}
		*(wanted ? &met : &not_met) += 1;
		/* One more yes never takes anything away; the order of votes does not matter; a vote twice is one. */
		if (w.n > 1) {
			struct need_vote first = w.vote[0], twice[2 * PEOPLE];

			if (need_met(&w.need, w.vote + 1, w.n - 1, in_world, &w))
				assert_true(wanted);
			memcpy(twice, w.vote, sizeof(w.vote));
			memcpy(twice + w.n, w.vote, w.n * sizeof(*twice));
			assert_int_equal(need_met(&w.need, twice, 2 * w.n, in_world, &w), wanted);
			memmove(w.vote, w.vote + 1, (w.n - 1) * sizeof(first));
			w.vote[w.n - 1] = first;
			assert_int_equal(need_met(&w.need, w.vote, w.n, in_world, &w), wanted);
		}
	}
	/* The worlds are worth looking at. */
	assert_true(met > 5000);
	assert_true(not_met > 5000);
}

static bool everybody(const char *person, const char *team, void *userdata)
{
	return true;
}

/* The largest need and more votes than are looked at. */
static void large(void **state)
{
	static struct need_vote votes[NEED_PEOPLE + 100];
	static char names[NEED_PEOPLE + 100][8];
	struct need need;

	for (size_t i = 0; i < ELEMENTS(votes); i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		votes[i] = (struct need_vote){ names[i], STRENGTH_KEY };
	}
	assert_int_equal(need_parse("16 of a, 16 of b, 16 of c, 16 of d", &need, NULL), 0);
	assert_false(need_met(&need, votes, 63, everybody, NULL));
	assert_true(need_met(&need, votes, 64, everybody, NULL));
	assert_true(need_met(&need, votes, ELEMENTS(votes), everybody, NULL));
}

/* Both of two needs, as a sentence. */
static const struct {
	const char *a, *b, *both; /* NULL: no room */
} sums[] = {
	{ "1 of sre", "1 of sre", "1 of sre" },
	{ "1 of sre", "2 of sre", "2 of sre" },
	{ "3 of sre", "2 of sre", "3 of sre" },
	{ "1 of sre", "1 of security", "1 of sre, 1 of security" },
	{ "1 of sre", "2 of sre with key", "2 of sre with key" },
	{ "1 of sre with key", "2 of sre", "1 of sre with key, 1 of sre" },
	{ "3 of sre", "1 of sre with hw-key", "1 of sre with hw-key, 2 of sre" },
	{ "1 of sre, 1 of sre with key", "2 of sre", "1 of sre, 1 of sre with key" },
	{ "1 of sre or 1 of ciso", "1 of sre", "1 of sre" },
	{ "1 of sre or 1 of ciso", "1 of sre or 1 of ciso", "1 of sre or 1 of ciso" },
	{ "1 of sre or 2 of ciso", "1 of ciso", "1 of sre, 1 of ciso or 2 of ciso" },
	{ "1 of a, 2 of b", "1 of b, 1 of c", "2 of b, 1 of a, 1 of c" },
	{ "1 of a, 1 of b, 1 of c, 1 of d", "1 of e, 1 of f, 1 of g, 1 of h",
		"1 of a, 1 of b, 1 of c, 1 of d, 1 of e, 1 of f, 1 of g, 1 of h" },
	{ "1 of a, 1 of b, 1 of c, 1 of d", "1 of e, 1 of f, 1 of g, 1 of h, 1 of i", NULL },
	{ "1 of a or 1 of b or 1 of c", "1 of d or 1 of e", NULL },
	{ "16 of a, 16 of b, 16 of c", "16 of d, 1 of e", NULL },
};

static void both(void **state)
{
	const struct need nobody = { .n = 0 };

	for (size_t i = 0; i < ELEMENTS(sums); i++) {
		struct need a, b, sum = { .n = 0 };
		char buf[512];
		int r;

		assert_int_equal(need_parse(sums[i].a, &a, NULL), 0);
		assert_int_equal(need_parse(sums[i].b, &b, NULL), 0);
		r = need_and(&a, &b, &sum);
		if (r != (sums[i].both ? 0 : -E2BIG) || (r == 0 && strcmp(need_format(&sum, buf, sizeof(buf)), sums[i].both) != 0))
			fail_msg("%s and %s: %d, %s", sums[i].a, sums[i].b, r, r == 0 ? buf : "");
		assert_int_equal(need_and(&a, &nobody, &sum), 0);
		assert_string_equal(need_format(&sum, buf, sizeof(buf)), sums[i].a);
		assert_int_equal(need_and(&nobody, &a, &a), 0);
		assert_string_equal(need_format(&a, buf, sizeof(buf)), sums[i].a);
	}
}

/* Whoever meets the sum meets each of the two. */
static void both_is_never_less(void **state)
{
	unsigned met = 0;

	for (unsigned i = 0; i < 50000; i++) {
		struct world w, other;
		struct need sum;

		random_world(&w);
		random_world(&other);
		if (need_and(&w.need, &other.need, &sum) < 0 || !need_met(&sum, w.vote, w.n, in_world, &w))
			continue;
		met++;
		if (!need_met(&w.need, w.vote, w.n, in_world, &w) || !need_met(&other.need, w.vote, w.n, in_world, &w)) {
			char a[1024], b[1024], c[1024];

			fail_msg("world %u: %s and %s is more than %s", i, need_format(&w.need, a, sizeof(a)),
				need_format(&other.need, b, sizeof(b)), need_format(&sum, c, sizeof(c)));
		}
	}
	assert_true(met > 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(format_cuts),
		cmocka_unit_test(counts),
		cmocka_unit_test(nobody_needed_is_never_met),
		cmocka_unit_test(against_brute_force),
		cmocka_unit_test(large),
		cmocka_unit_test(both),
		cmocka_unit_test(both_is_never_less),
	};

	return cmocka_run_group_tests_name("need", tests, NULL, NULL);
}
