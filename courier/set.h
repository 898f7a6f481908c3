/* A sorted set of short names. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct set {
	char **name;
	size_t n;
};
void set_done(struct set *s);
bool set_has(const struct set *s, const char *name);
/* 1: added; 0: was there; -ENOMEM. */
int set_add(struct set *s, const char *name);
bool set_remove(struct set *s, const char *name);
/* Removes what is not in KEEP.  True when something went. */
bool set_intersect(struct set *s, const struct set *keep);
