#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "hub/limit.h"
#include "lib/clock.h"

#define SETS 1024
#define WAYS 8

struct bucket {
	uint64_t key;  /* 0: free */
	uint64_t debt; /* usec until the bucket is full again, counted from `at` */
	uint64_t at;
};

struct limits {
	uint64_t seed;
	struct bucket bucket[SETS][WAYS];
};

int limits_new(struct limits **ret)
{
	struct limits *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	if (getrandom(&l->seed, sizeof(l->seed), 0) != sizeof(l->seed)) {
		free(l);
		return -EIO;
	}
	*ret = l;
	return 0;
}

struct limits *limits_free(struct limits *l)
{
	free(l);
	return NULL;
}

/* FNV-1a from a secret start, then mixed: a collision costs two keys a shared bucket and nothing else. */
static uint64_t hash(const struct limits *l, char kind, const char *key)
{
	uint64_t h = l->seed ^ UINT64_C(14695981039346656037);

	h = (h ^ (uint8_t)kind) * UINT64_C(1099511628211);
	for (; *key; key++)
		h = (h ^ (uint8_t)*key) * UINT64_C(1099511628211);
	h ^= h >> 31;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 29;
	return h ? h : 1;
}

static struct bucket *find(struct limits *l, uint64_t key, uint64_t now)
{
	struct bucket *set = l->bucket[key % SETS], *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (!set[i].key || (oldest->key && set[i].at < oldest->at))
			oldest = &set[i];
	}
	*oldest = (struct bucket){ .key = key, .at = now };
	return oldest;
}

unsigned limit_take(struct limits *l, char kind, const char *key, unsigned per_minute, uint64_t now)
{
	struct bucket *b = find(l, hash(l, kind, key), now);
	uint64_t cost = USEC_PER_MIN / per_minute, passed = now - b->at;

	b->debt = b->debt > passed ? b->debt - passed : 0;
	b->at = now;
	if (b->debt + cost > USEC_PER_MIN)
		return (unsigned)((b->debt + cost - USEC_PER_MIN) / USEC_PER_SEC) + 1;
	b->debt += cost;
	return 0;
}
