#include "lib/need.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/text.h"

static const char *const strength_names[] = {
	[STRENGTH_BROWSER] = "browser",
	[STRENGTH_KEY] = "key",
	[STRENGTH_HW_KEY] = "hw-key",
};

const char *strength_string(enum strength s)
{
	return strength_names[s];
}

/* Parsing. */

#define TOKEN_MAX 64

struct scanner {
	const char *at;
	char token[TOKEN_MAX + 1]; /* a word, or ","; empty at the end */
};

static int next_token(struct scanner *s, struct why *w)
{
	size_t len;

	s->at += strspn(s->at, " \t");
	len = *s->at == ',' ? 1 : strcspn(s->at, " \t,");
	if (len > TOKEN_MAX)
		return why(w, -EINVAL, "a word is longer than %d characters", TOKEN_MAX);
	memcpy(s->token, s->at, len);
	s->token[len] = '\0';
	s->at += len;
	return 0;
}

static bool is_token(const struct scanner *s, const char *token)
{
	return strcmp(s->token, token) == 0;
}

static int parse_count(const char *token, unsigned *ret, struct why *w)
{
	unsigned n = 0;

	for (const char *c = token; *c; c++) {
		if (*c < '0' || *c > '9' || c - token >= 2)
			return why(w, -EINVAL, "'%s' is not a count: write it like \"2 of sre, 1 of security\"", token);
		n = n * 10 + (unsigned)(*c - '0');
	}
	if (!*token)
		return why(w, -EINVAL, "a count is missing: write it like \"2 of sre, 1 of security\"");
	if (n < 1 || n > NEED_COUNT_MAX || token[0] == '0')
		return why(w, -EINVAL, "the count is %s: it must be 1 to %d", token, NEED_COUNT_MAX);
	*ret = n;
	return 0;
}

static int parse_strength(const char *token, enum strength *ret, struct why *w)
{
	for (size_t i = 0; i < ELEMENTS(strength_names); i++) {
		if (strcmp(token, strength_names[i]) == 0) {
			*ret = (enum strength)i;
			return 0;
		}
	}
	return why(w, -EINVAL, "'%s' is not a strength: after \"with\" stands browser, key or hw-key", token);
}

/* COUNT "of" TEAM ["with" STRENGTH]; stops at the token behind it. */
static int parse_term(struct scanner *s, struct need_term *ret, struct why *w)
{
	int r = parse_count(s->token, &ret->count, w);

	if (r < 0 || (r = next_token(s, w)) < 0)
		return r;
	if (!is_token(s, "of"))
		return why(w, -EINVAL, "after the count stands \"of\" and a team: \"%u of sre\"", ret->count);
	if ((r = next_token(s, w)) < 0)
		return r;
	if (!name_valid(s->token))
		return why(w, -EINVAL, "'%s' is not the name of a team", s->token);
	strcpy(ret->team, s->token);
	ret->strength = STRENGTH_BROWSER;
	if ((r = next_token(s, w)) < 0)
		return r;
	if (!is_token(s, "with"))
		return 0;
	if ((r = next_token(s, w)) < 0 || (r = parse_strength(s->token, &ret->strength, w)) < 0)
		return r;
	return next_token(s, w);
}

static int parse_alternative(struct scanner *s, struct need_alternative *ret, struct why *w)
{
	unsigned people = 0;
	int r;

	for (;;) {
		if (ret->n == NEED_TERMS)
			return why(w, -EINVAL, "more than %d terms in one alternative", NEED_TERMS);
		r = parse_term(s, &ret->term[ret->n], w);
		if (r < 0)
			return r;
		people += ret->term[ret->n++].count;
		if (people > NEED_VOTES)
			return why(w, -EINVAL, "more than %d people in one alternative", NEED_VOTES);
		if (!is_token(s, ","))
			return 0;
		if ((r = next_token(s, w)) < 0)
			return r;
	}
}

int need_parse(const char *text, struct need *ret, struct why *w)
{
	struct scanner s = { .at = text };
	struct need need = { .n = 0 };
	int r = next_token(&s, w);

	if (r < 0)
		return r;
	if (!s.token[0])
		return why(w, -EINVAL, "nobody is named: write it like \"1 of sre\"");
	for (;;) {
		if (need.n == NEED_ALTERNATIVES)
			return why(w, -EINVAL, "more than %d alternatives", NEED_ALTERNATIVES);
		r = parse_alternative(&s, &need.alternative[need.n++], w);
		if (r < 0)
			return r;
		if (!s.token[0])
			break;
		if (!is_token(&s, "or"))
			return why(w, -EINVAL, "'%s' is not understood: between terms stands \",\" or \"or\"", s.token);
		if ((r = next_token(&s, w)) < 0)
			return r;
	}
	*ret = need;
	return 0;
}

/* Printing. */

const char *need_format(const struct need *need, char *buf, size_t size)
{
	size_t len = 0;

	if (size > 0)
		buf[0] = '\0';
	for (size_t a = 0; a < need->n; a++) {
		for (size_t i = 0; i < need->alternative[a].n && len < size; i++) {
			const struct need_term *t = &need->alternative[a].term[i];
			bool plain = t->strength == STRENGTH_BROWSER;
			int n = snprintf(buf + len, size - len, "%s%u of %s%s%s", i ? ", " : a ? " or " : "", t->count,
				t->team, plain ? "" : " with ", plain ? "" : strength_string(t->strength));

			len += n < 0 ? 0 : (size_t)n;
		}
	}
	return buf;
}

/* Both of two. */

static int add_term(struct need_alternative *a, const char *team, enum strength strength, unsigned count)
{
	if (count == 0)
		return 0;
	for (size_t i = 0; i < a->n; i++)
		if (a->term[i].strength == strength && strcmp(a->term[i].team, team) == 0) {
			a->term[i].count += count;
			return a->term[i].count > NEED_COUNT_MAX ? -E2BIG : 0;
		}
	if (a->n == NEED_TERMS)
		return -E2BIG;
	a->term[a->n] = (struct need_term){ .count = count, .strength = strength };
	strcpy(a->term[a->n++].team, team);
	return 0;
}

/* Who sits on a seat of A may sit on one of B for the same team as well, with the stronger of the two strengths; so
 * both are filled by whoever fills the sum. */
static int add_shared(struct need_alternative *sum, struct need_alternative *a, struct need_alternative *b)
{
	int r = 0;

	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n && r == 0; k++) {
			struct need_term *x = &a->term[i], *y = &b->term[k];
			unsigned both = x->count < y->count ? x->count : y->count;

			if (strcmp(x->team, y->team) != 0)
				continue;
			x->count -= both;
			y->count -= both;
			r = add_term(sum, x->team, x->strength > y->strength ? x->strength : y->strength, both);
		}
	return r;
}

static int add_alternatives(const struct need_alternative *a, const struct need_alternative *b, struct need_alternative *ret)
{
	struct need_alternative x = *a, y = *b, sum = { .n = 0 };
	unsigned people = 0;
	int r = add_shared(&sum, &x, &y);

	for (size_t i = 0; i < x.n && r == 0; i++)
		r = add_term(&sum, x.term[i].team, x.term[i].strength, x.term[i].count);
	for (size_t i = 0; i < y.n && r == 0; i++)
		r = add_term(&sum, y.term[i].team, y.term[i].strength, y.term[i].count);
	for (size_t i = 0; i < sum.n; i++)
		people += sum.term[i].count;
	if (r == 0 && people > NEED_VOTES)
		r = -E2BIG;
	if (r == 0)
		*ret = sum;
	return r;
}

/* Does A ask for all that B asks for?  Then beside B it is one way too many. */
static bool asks_all(const struct need_alternative *a, const struct need_alternative *b)
{
	for (size_t k = 0; k < b->n; k++) {
		bool found = false;

		for (size_t i = 0; i < a->n && !found; i++)
			found = a->term[i].count >= b->term[k].count && a->term[i].strength == b->term[k].strength &&
				strcmp(a->term[i].team, b->term[k].team) == 0;
		if (!found)
			return false;
	}
	return true;
}

static int add_alternative(struct need *sum, const struct need_alternative *fresh)
{
	size_t kept = 0;

	for (size_t i = 0; i < sum->n; i++)
		if (asks_all(fresh, &sum->alternative[i]))
			return 0;
	for (size_t i = 0; i < sum->n; i++)
		if (!asks_all(&sum->alternative[i], fresh))
			sum->alternative[kept++] = sum->alternative[i];
	sum->n = kept;
	if (sum->n == NEED_ALTERNATIVES)
		return -E2BIG;
	sum->alternative[sum->n++] = *fresh;
	return 0;
}

int need_and(const struct need *a, const struct need *b, struct need *ret)
{
	struct need sum = { .n = 0 };

	if (a->n == 0 || b->n == 0) {
		*ret = a->n == 0 ? *b : *a;
		return 0;
	}
	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++) {
			struct need_alternative both = { .n = 0 };

			if (add_alternatives(&a->alternative[i], &b->alternative[k], &both) < 0 || add_alternative(&sum, &both) < 0)
				return -E2BIG;
		}
	*ret = sum;
	return 0;
}

/* Counting.  One alternative is a list of seats ("2 of sre" is two of them); each seat takes one person, each person
 * one seat.  Seats are filled one by one; a seat whose candidates are all taken asks the takers to move (augmenting
 * paths), so a filling is found whenever there is one. */

struct seating {
	size_t people;
	struct { uint64_t word[NEED_PEOPLE / 64]; } fit[NEED_TERMS]; /* who may sit on a term's seats */
	uint8_t term_of[NEED_VOTES];  /* of a seat */
	int16_t seat_of[NEED_PEOPLE]; /* of a person; -1 */
	bool asked[NEED_PEOPLE];      /* in this round */
};

static bool fits(const struct seating *s, size_t term, size_t person)
{
	return s->fit[term].word[person / 64] >> (person % 64) & 1;
}

/* Recursion: each level asks another person, who has another seat, so at most NEED_VOTES deep. */
static bool seat(struct seating *s, size_t seat_no)
{
	size_t term = s->term_of[seat_no];

	for (size_t i = 0; i < s->people; i++) {
		if (s->asked[i] || !fits(s, term, i))
			continue;
		s->asked[i] = true;
		if (s->seat_of[i] < 0 || seat(s, (size_t)s->seat_of[i])) {
			s->seat_of[i] = (int16_t)seat_no;
			return true;
		}
	}
	return false;
}

static bool voted_before(const struct need_vote *votes, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(votes[k].person, votes[i].person) == 0)
			return true;
	return false;
}

static void find_fitting(struct seating *s, const struct need_alternative *a, const struct need_vote *votes,
	need_member member, void *userdata)
{
	for (size_t i = 0; i < s->people; i++) {
		if (voted_before(votes, i))
			continue;
		for (size_t t = 0; t < a->n; t++)
			if (votes[i].strength >= a->term[t].strength &&
			    member(votes[i].person, a->term[t].team, userdata))
				s->fit[t].word[i / 64] |= UINT64_C(1) << (i % 64);
	}
}

bool need_alternative_met(const struct need_alternative *a, const struct need_vote *votes, size_t n,
	need_member member, void *userdata)
{
	struct seating s = { .people = n < NEED_PEOPLE ? n : NEED_PEOPLE };
	size_t seats = 0;

	for (size_t t = 0; t < a->n; t++) {
		if (a->term[t].count > NEED_VOTES - seats)
			return false;
		for (unsigned k = 0; k < a->term[t].count; k++)
			s.term_of[seats++] = (uint8_t)t;
	}
	if (seats == 0 || seats > s.people)
		return false;
	find_fitting(&s, a, votes, member, userdata);
	memset(s.seat_of, -1, sizeof(s.seat_of));
	for (size_t i = 0; i < seats; i++) {
		memset(s.asked, 0, sizeof(s.asked));
		if (!seat(&s, i))
			return false;
	}
	return true;
}

bool need_met(const struct need *need, const struct need_vote *votes, size_t n, need_member member, void *userdata)
{
	for (size_t i = 0; i < need->n; i++)
		if (need_alternative_met(&need->alternative[i], votes, n, member, userdata))
			return true;
	return false;
}
