/* What every cmocka program includes, in the order that cmocka wants. */
#pragma once
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"

/* Fails with the case's own words: a table's row must be told from its neighbours. */
#define check_case(condition, ...)                                                        \
	do {                                                                              \
		if (!(condition)) {                                                       \
			print_error("%s:%d: %s: ", __FILE__, __LINE__, #condition);       \
			print_error(__VA_ARGS__);                                         \
			print_error("\n");                                                \
			fail();                                                           \
		}                                                                         \
	} while (0)

/* A repeatable stream of numbers (splitmix64): a failing mutation can be made again from its seed. */
static inline uint64_t unit_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
