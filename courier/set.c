#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "courier/set.h"

void set_done(struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->name[i]);
	free(s->name);
	*s = (struct set){ 0 };
}

/* Where NAME stands or would stand. */
static size_t place(const struct set *s, const char *name, bool *found)
{
	size_t low = 0, high = s->n;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = strcmp(s->name[middle], name);

		if (c == 0) {
			*found = true;
			return middle;
		}
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool set_has(const struct set *s, const char *name)
{
	bool found;

	place(s, name, &found);
	return found;
}

int set_add(struct set *s, const char *name)
{
	char **grown, *copy;
	bool found;
	size_t at = place(s, name, &found);

	if (found)
		return 0;
	copy = strdup(name);
	grown = copy ? reallocarray(s->name, s->n + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		return -ENOMEM;
	}
	memmove(grown + at + 1, grown + at, (s->n - at) * sizeof(*grown));
	grown[at] = copy;
	s->name = grown;
	s->n++;
	return 1;
}

bool set_remove(struct set *s, const char *name)
{
	bool found;
	size_t at = place(s, name, &found);

	if (!found)
		return false;
	free(s->name[at]);
	s->n--;
	memmove(s->name + at, s->name + at + 1, (s->n - at) * sizeof(*s->name));
	return true;
}

bool set_intersect(struct set *s, const struct set *keep)
{
	size_t kept = 0, before = s->n;

	for (size_t i = 0; i < before; i++)
		if (set_has(keep, s->name[i]))
			s->name[kept++] = s->name[i];
		else
			free(s->name[i]);
	s->n = kept;
	return kept != before;
}
