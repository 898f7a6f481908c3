/* What is recorded of what happens again and again: the first as they are, the others as a number. */
#include "tests/unit/unit.h"

#include "helper/jitd.h"
#include "lib/json.h"

static struct jitd jitd;
static uint64_t now;
static struct {
	unsigned lines, count, with_user;
	char last[2048];
	bool full; /* the disk */
} seen;

uint64_t __wrap_clock_boot(void);
int __wrap_ledger_append(struct ledger *l, enum jit_event event, struct json_object *fields, bool sync, struct why *w);

/* The journal of the machine that tests hears nothing. */
int __wrap_sd_journal_send(const char *format, ...) __attribute__((format(printf, 1, 0)));
int __wrap_sd_journal_send(const char *format, ...)
{
	return 0;
}

uint64_t __wrap_clock_boot(void)
{
	return now;
}

int __wrap_ledger_append(struct ledger *l, enum jit_event event, struct json_object *fields, bool sync, struct why *w)
{
	uint64_t count = 0;

	if (seen.full) {
		json_object_put(fields);
		return why(w, -ENOSPC, "write: %s", strerror(ENOSPC));
	}
	seen.lines++;
	json_u64(fields, "count", &count);
	seen.count += (unsigned)count;
	seen.with_user += json_str(fields, "user") != NULL;
	snprintf(seen.last, sizeof(seen.last), "%s %s", event_name(event), json_text(fields));
	json_object_put(fields);
	return 0;
}

static int setup(void **state)
{
	memset(&seen, 0, sizeof(seen));
	memset(&jitd, 0, sizeof(jitd));
	jitd.ledger = (struct ledger *)&jitd; /* nothing looks inside */
	now = 1000 * USEC_PER_SEC;
	return sd_event_new(&jitd.event);
}

static int teardown(void **state)
{
	record_flush(&jitd, true);
	record_tell(&jitd);
	jitd.event = sd_event_unref(jitd.event);
	return 0;
}

static unsigned deny(uid_t uid, const char *user, const char *rule, unsigned times)
{
	unsigned whole = 0;

	while (times--)
		whole += record_denial_whole(&jitd, uid, user, rule);
	return whole;
}

static void denials(void **state)
{
	assert_int_equal(deny(7, "eve", "never", 300), 5);
	assert_int_equal(deny(8, "bob", "never", 2), 2); /* another's are his own */
	assert_int_equal(deny(7, "eve", "other", 6), 5);
	assert_int_equal(seen.lines, 0);
	now += 61 * USEC_PER_SEC;
	record_flush(&jitd, false);
	assert_int_equal(seen.lines, 2);
	assert_int_equal(seen.count, 295 + 1);
	assert_int_equal(deny(7, "eve", "never", 6), 5); /* a new minute */
	record_flush(&jitd, false);
	assert_int_equal(seen.lines, 2);
	record_flush(&jitd, true);
	assert_int_equal(seen.lines, 3);
	assert_string_equal(seen.last, "denied {\"uid\":7,\"user\":\"eve\",\"rule\":\"never\",\"count\":1,\"by\":\"rule\"}");
}

/* The minute is over, and jitd has not looked yet: the number comes with the next denial. */
static void denials_late(void **state)
{
	deny(7, "eve", "never", 10);
	now += 61 * USEC_PER_SEC;
	assert_int_equal(deny(7, "eve", "never", 1), 1);
	assert_int_equal(seen.lines, 1);
	assert_int_equal(seen.count, 5);
}

static void too_many_denials(void **state)
{
	char rule[32];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(rule, sizeof(rule), "rule-%u", i);
		deny(7, "eve", rule, 6);
	}
	record_flush(&jitd, true);
	assert_int_equal(seen.lines, 257);
	assert_int_equal(seen.count, 256 + 44 * 6);
	assert_string_equal(seen.last, "denied {\"rule\":\"several\",\"count\":264,\"by\":\"rule\"}");
}

static void refusals(void **state)
{
	for (unsigned i = 0; i < 300; i++)
		record_refusal(&jitd, "inbox", NULL, NULL, "reason %u", i);
	for (unsigned i = 0; i < 50; i++)
		assert_false(record_refusal(&jitd, "inbox", NULL, NULL, "reason 1"));
	assert_int_equal(seen.lines, 128);
	/* What is said against a request has the other half. */
	for (unsigned i = 0; i < 150; i++)
		assert_int_equal(record_refusal(&jitd, "inbox", "K7QF-2M9X", NULL, "forged %u", i), i < 128);
	assert_int_equal(seen.lines, 256);
	record_flush(&jitd, true);
	assert_int_equal(seen.lines, 258); /* the number of one, and that of those that are not told apart */
	assert_int_equal(seen.count, 256 + 50 + 172 + 22);
}

/* For the status: until one can be written again. */
static void full(void **state)
{
	seen.full = true;
	assert_int_equal(record(&jitd, EV_ALLOWED, NULL, json_object_new_object(), NULL), -ENOSPC);
	assert_string_equal(jitd.not_recorded.text, "write: No space left on device");
	seen.full = false;
	assert_int_equal(record(&jitd, EV_ALLOWED, NULL, json_object_new_object(), NULL), 0);
	assert_string_equal(jitd.not_recorded.text, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(denials), T(denials_late), T(too_many_denials), T(refusals), T(full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
