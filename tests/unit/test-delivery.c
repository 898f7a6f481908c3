/* What those who wait are told of the delivery of their request, by whatever stands in the courier's status file; and how long a
 * login is held that can be told nothing but the end. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helper/dirs.h"
#include "helper/jitd.h"

static char dir[] = "/tmp/test-delivery-XXXXXX", path[64];

static int begin(void **state)
{
	setenv("TZ", "UTC", 1);
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/status.json", dir);
	dirs.courier_status = path;
	return 0;
}

static int end(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void write_status(const char *text, size_t len)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

#define UNREADABLE "not delivered yet: what the courier says of itself cannot be read"
#define SINCE "\"since\":\"2026-11-01T15:15:00Z\","
#define MINE "\"pending\":2,\"undelivered\":[\"AAAA-AAAA\",\"K7QF-2M9X\"]}"
#define NOT_MINE "\"pending\":1,\"undelivered\":[\"AAAA-AAAA\"]}"
#define CUT "\"pending\":300,\"undelivered\":[\"AAAA-AAAA\"]}"

static void words(void **state)
{
	static const struct {
		const char *status; /* NULL: no file */
		bool delivered;     /* before */
		const char *words;
	} cases[] = {
		{ NULL, false, "not delivered yet: the courier is not running" },
		{ NULL, true, "delivered, but no answer can come now: the courier is not running" },
		{ "{\"state\":\"reachable\"," SINCE NOT_MINE, false, "" },
		{ "{\"state\":\"reachable\"," SINCE CUT, false, "" },
		{ "{\"state\":\"reachable\"," SINCE MINE, false, "not delivered yet: the hub has not taken it" },
		{ "{\"state\":\"reachable\",\"error\":\"too\\u001b[1mbig\"," MINE, false,
			"not delivered yet: the hub has not taken it: too\\x1b[1mbig" },
		{ "{\"state\":\"unreachable\"," SINCE MINE, false,
			"not delivered yet: the hub cannot be reached since 2026-11-01 15:15" },
		{ "{\"state\":\"unreachable\"," SINCE CUT, false,
			"not delivered yet: the hub cannot be reached since 2026-11-01 15:15" },
		{ "{\"state\":\"unreachable\"," SINCE NOT_MINE, false,
			"delivered, but no answer can come now: the hub cannot be reached since 2026-11-01 15:15" },
		{ "{\"state\":\"unreachable\",\"since\":\"\\u001b[2J\"," MINE, false, "not delivered yet: the hub cannot be reached" },
		{ "{\"state\":\"unreachable\",\"undelivered\":[7,null,{},[]],\"pending\":\"x\"}", false,
			"delivered, but no answer can come now: the hub cannot be reached" },
		{ "{\"state\":\"unreachable\",\"undelivered\":7}", false, "not delivered yet: the hub cannot be reached" },
		{ "{\"state\":\"refused\"," MINE, false, "not delivered yet: the hub refuses this host's courier" },
		{ "{\"state\":\"unconfigured\"," MINE, false, "not delivered yet: the courier is not enrolled at a hub" },
		{ "{\"state\":\"\\u001b[2Jyes\"," MINE, false, "not delivered yet: the hub cannot be reached" },
		{ "{\"state\":7}", false, UNREADABLE },
		{ "{}", false, UNREADABLE },
		{ "{", false, UNREADABLE },
		{ "", false, UNREADABLE },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct request r = { .id = "K7QF-2M9X", .delivered = cases[i].delivered };
		char got[DELIVERY_WORDS_MAX];
		enum delivery d;

		unlink(path);
		if (cases[i].status)
			write_status(cases[i].status, strlen(cases[i].status));
		d = delivery_trouble(&r, got);
		check_case(!strcmp(got, cases[i].words), "%s: %s", cases[i].status ? cases[i].status : "(none)", got);
		check_case((d == DELIVERY_FINE) == !*got, "%s: %d", cases[i].status ? cases[i].status : "(none)", d);
	}
}

/* What is no plain file of a fit size holds nobody up, and long words are cut. */
static void odd_files(void **state)
{
	static char big[70000];
	struct request r = { .id = "K7QF-2M9X" };
	char got[DELIVERY_WORDS_MAX];

	memset(big, ' ', sizeof(big));
	write_status(big, sizeof(big));
	delivery_trouble(&r, got);
	assert_string_equal(got, UNREADABLE);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	delivery_trouble(&r, got);
	assert_string_equal(got, UNREADABLE);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	delivery_trouble(&r, got);
	assert_string_equal(got, UNREADABLE);
	unlink(path);
	memset(big, 'x', 3000);
	memcpy(big, "{\"state\":\"reachable\"," MINE, sizeof("{\"state\":\"reachable\"," MINE) - 2);
	snprintf(big + sizeof("{\"state\":\"reachable\"," MINE) - 2, 3000, ",\"error\":\"%02000d\"}", 7);
	write_status(big, strlen(big));
	delivery_trouble(&r, got);
	assert_true(strlen(got) < 256);
	assert_non_null(strstr(got, "not taken it: 0000"));
	assert_null(strstr(got, "7"));
}

/* LoginGraceTime is 120 s unless somebody says otherwise. */
static void hold(void **state)
{
	static const struct {
		const char *service;
		bool looks;
		uint64_t hold, since_it_came, held; /* seconds */
	} cases[] = {
		{ "sshd", false, 120, 0, 100 },
		{ "sshd", false, 3600, 0, 100 },
		{ "sshd", false, 120, 30, 70 }, /* checks took their time */
		{ "sshd", false, 60, 30, 60 },
		{ "sshd", false, 60, 0, 60 },
		{ "sshd", true, 120, 0, 120 },
		{ "sudo", false, 120, 0, 120 },
		{ "su", false, 3600, 0, 3600 },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct policy p = { .hold_usec = cases[i].hold * USEC_PER_SEC };
		struct jitd j = { .policy = &p };
		char *service = strdup(cases[i].service);
		struct call call = { .service = service };
		struct request r = { .call = &call };
		uint64_t now = 1000 * USEC_PER_SEC;
		struct client c = { .jitd = &j, .request = &r, .looks = cases[i].looks,
			.began = now - cases[i].since_it_came * USEC_PER_SEC };
		uint64_t held = (account_hold_end(&c, now) - now) / USEC_PER_SEC;

		check_case(held == cases[i].held, "%s, row %zu: %u s", cases[i].service, i, (unsigned)held);
		free(service);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(words), cmocka_unit_test(odd_files), cmocka_unit_test(hold) };

	return cmocka_run_group_tests_name("delivery", tests, begin, end);
}
