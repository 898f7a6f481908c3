/* Buckets: how many pass, when others do again, and that a full table refuses nobody. */
#include "tests/unit/unit.h"

#include "hub/limit.h"
#include "lib/clock.h"

static void test_bucket(void **state)
{
	struct limits *l = NULL;
	uint64_t now = 1000 * USEC_PER_SEC;
	unsigned wait;

	assert_int_equal(limits_new(&l), 0);
	for (int i = 0; i < 60; i++)
		assert_int_equal(limit_take(l, 'h', "web1", 60, now), 0);
	wait = limit_take(l, 'h', "web1", 60, now);
	assert_in_range(wait, 1, 2);
	assert_int_equal(limit_take(l, 'h', "web2", 60, now), 0);
	assert_int_equal(limit_take(l, 'p', "web1", 60, now), 0);
	/* asking in vain costs nothing: one more after each second */
	for (int i = 1; i < 10; i++) {
		now += USEC_PER_SEC;
		assert_int_equal(limit_take(l, 'h', "web1", 60, now), 0);
		assert_int_not_equal(limit_take(l, 'h', "web1", 60, now), 0);
	}
	/* and the bucket is never fuller than full */
	now += 1000 * USEC_PER_MIN;
	for (int i = 0; i < 60; i++)
		assert_int_equal(limit_take(l, 'h', "web1", 60, now), 0);
	assert_int_not_equal(limit_take(l, 'h', "web1", 60, now), 0);
	limits_free(l);
}

static void test_flood_of_keys(void **state)
{
	struct limits *l = NULL;
	char key[32];

	assert_int_equal(limits_new(&l), 0);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
		check_case(limit_take(l, 'a', key, 120, USEC_PER_SEC + i) == 0, "key %u", i);
	}
	limits_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_flood_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
