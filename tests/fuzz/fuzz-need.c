/* need_parse: what is taken prints as something that is taken and prints the same; all the people of all its teams meet
 * it or are too few, and with one more they are not worse off. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Person N stands in the teams whose names hash to N. */
static bool member(const char *person, const char *team, void *userdata)
{
	unsigned sum = 0;

	for (; *team; team++)
		sum += (unsigned char)*team;
	return (sum + (unsigned)(person[0] - 'a')) % 3 != 0;
}

static void count_votes(const struct need *need)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	struct need_vote votes[ELEMENTS(names)];
	bool met = false;

	for (size_t i = 0; i < ELEMENTS(names); i++) {
		bool now;

		votes[i] = (struct need_vote){ names[i], (enum strength)(i % 3) };
		now = need_met(need, votes, i + 1, member, NULL);
		must(now || !met);
		met = now;
	}
	must(!need_met(need, votes, 0, member, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *text = malloc(size + 1);
	char first[8192], second[8192];
	struct need need, again;
	struct why w = { "" };

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (need_parse(text, &need, &w) < 0) {
		must(w.text[0]);
		return 0;
	}
	must(need.n >= 1 && need.n <= NEED_ALTERNATIVES);
	need_format(&need, first, sizeof(first));
	must(need_parse(first, &again, &w) == 0);
	need_format(&again, second, sizeof(second));
	must(strcmp(first, second) == 0);
	count_votes(&need);
	return 0;
}
