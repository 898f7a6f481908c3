/* Who must agree: "2 of sre, 1 of security", alternatives with "or", a strength with "with key|hw-key|browser" at the
 * end of a term.  A person counts once in one alternative, even when in two teams.
 *
 *	need = alternative ("or" alternative)*;  alternative = term ("," term)*
 *	term = COUNT "of" TEAM ["with" STRENGTH];  COUNT 1..16
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "lib/why.h"

enum strength { STRENGTH_BROWSER, STRENGTH_KEY, STRENGTH_HW_KEY }; /* a higher one serves for a lower */

#define NEED_COUNT_MAX 16 /* of one team */
#define NEED_TERMS 8
#define NEED_ALTERNATIVES 4
#define NEED_VOTES 64 /* no alternative may ask for more people than this */
#define NEED_PEOPLE (NEED_TERMS * NEED_VOTES)

struct need_term {
	unsigned count;
	char team[65];
	enum strength strength;
};
struct need_alternative {
	struct need_term term[NEED_TERMS];
	size_t n;
};
struct need {
	struct need_alternative alternative[NEED_ALTERNATIVES];
	size_t n; /* 0: nobody (never valid for Decision=approve) */
};

const char *strength_string(enum strength s);

/* -EINVAL with words; RET is untouched then. */
int need_parse(const char *text, struct need *ret, struct why *w);
/* The sentence again, canonical. Returns BUF, cut when too small. */
const char *need_format(const struct need *need, char *buf, size_t size);

/* RET is met by whoever meets A and B both: each alternative of one with each of the other, where a person asked for by both
 * counts for both.  A need that is nobody (N 0) adds nothing.  -E2BIG when there is no room, RET untouched; RET may be A or
 * B. */
int need_and(const struct need *a, const struct need *b, struct need *ret);

/* One person's yes.  `person` ids compare by strcmp; each person stands at most once (the caller's promise). */
struct need_vote {
	const char *person;
	enum strength strength;
};
typedef bool (*need_member)(const char *person, const char *team, void *userdata);

/* True exactly when some alternative can be filled by giving each person to at most one term (a matching exists).
 * At most NEED_PEOPLE votes are looked at; a person's second vote counts for nothing, even if the promise is broken. */
bool need_met(const struct need *need, const struct need_vote *votes, size_t n, need_member member, void *userdata);
bool need_alternative_met(const struct need_alternative *alternative, const struct need_vote *votes, size_t n,
	need_member member, void *userdata);
