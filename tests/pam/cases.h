/* A table of runs, each a cmocka test of its own name. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/pam/harness.h"

#define CASE_SAID 6

struct test_case {
	const char *name;
	struct run run;
	int code;                     /* of the last phase */
	const char *said[CASE_SAID];  /* messages that begin so */
	const char *unsaid;           /* no message holds this */
	bool quiet;                   /* no message at all */
	bool killed;
};

void case_run(void **state);
/* Runs a NULL-named-terminated table; the number of failures. */
int cases_run(const char *group, const struct test_case *cases, size_t n);

#define STEPS(...) ((const struct fake_step[]){ __VA_ARGS__, { FAKE_END } })
#define ACCEPT { FAKE_ACCEPT }
#define EXPECT(t) { FAKE_EXPECT, t }
#define SEND(t) { FAKE_SEND, t }
#define RAW(t) { FAKE_RAW, t }
#define ACT(f) { FAKE_ACT, NULL, f }
#define GONE { FAKE_GONE }
#define CLOSE { FAKE_CLOSE }
#define ID "K7QF-2M9X"
