/* The courier's parts: sets, state, addresses, the hub's answers, files of the inbox. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "courier/answers.h"
#include "courier/conf.h"
#include "courier/courier.h"
#include "courier/inbox.h"
#include "courier/set.h"
#include "courier/state.h"
#include "lib/clock.h"
#include "lib/file.h"

#define DECISION "{\"v\":1,\"type\":\"decision\",\"document\":\"{}\",\"signature\":\"-----BEGIN SSH SIGNATURE-----\\nx\\n" \
	"-----END SSH SIGNATURE-----\\n\"}"

struct site {
	char dir[64];
	int fd;
};

static int set_up(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	strcpy(s->dir, "/tmp/test-courier-XXXXXX");
	if (!mkdtemp(s->dir))
		return -1;
	s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = s;
	return s->fd < 0;
}

static int tear_down(void **state)
{
	struct site *s = *state;
	DIR *dir = fdopendir(s->fd);
	struct dirent *de;

	while ((de = readdir(dir)))
		(void)unlinkat(dirfd(dir), de->d_name, 0);
	closedir(dir);
	rmdir(s->dir);
	free(s);
	return 0;
}

static void test_set(void **state)
{
	struct set s = { 0 }, keep = { 0 };
	char name[16];
	uint64_t seed = 1;

	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "%03d", (int)(unit_random(&seed) % 300));
		check_case(set_add(&s, name) == !set_has(&keep, name), "%s", name);
		assert_true(set_add(&keep, name) >= 0);
		check_case(set_has(&s, name), "%s", name);
	}
	for (size_t i = 1; i < s.n; i++)
		assert_true(strcmp(s.name[i - 1], s.name[i]) < 0);
	assert_false(set_intersect(&s, &keep));
	assert_false(set_remove(&keep, "999"));
	strcpy(name, keep.name[keep.n / 2]);
	assert_true(set_remove(&keep, name));
	assert_true(set_intersect(&s, &keep));
	assert_false(set_has(&s, name));
	assert_int_equal(s.n, keep.n);
	set_done(&keep);
	assert_true(set_intersect(&s, &keep));
	assert_int_equal(s.n, 0);
	set_done(&s);
	set_done(&keep);
}

static void test_state(void **state)
{
	struct site *site = *state;
	struct state s = { 0 }, again = { 0 };
	struct why w;

	assert_int_equal(state_load(site->dir, &s, &w), 0);
	assert_int_equal(s.cursor, 0);
	assert_int_equal(state_bind(&s, "secret"), 0);
	s.cursor = (UINT64_C(1) << 53) - 1;
	assert_int_equal(set_add(&s.requests, "AAAA-AAAA"), 1);
	assert_int_equal(set_add(&s.receipts, "receipt-AAAA-AAAA-001"), 1);
	assert_int_equal(state_save(site->dir, &s), 0);
	assert_int_equal(state_load(site->dir, &again, &w), 0);
	assert_true(again.cursor == s.cursor);
	assert_true(set_has(&again.requests, "AAAA-AAAA") && set_has(&again.receipts, "receipt-AAAA-AAAA-001"));
	/* the same secret: the same enrollment; another one: nothing of this counts */
	assert_int_equal(state_bind(&again, "secret"), 0);
	assert_int_equal(again.requests.n, 1);
	assert_int_equal(state_bind(&again, "other"), 0);
	assert_int_equal(again.cursor, 0);
	assert_int_equal(again.requests.n + again.receipts.n, 0);
	state_done(&s);
	state_done(&again);
	assert_int_equal(state_save("/nonexistent", &s), -ENOENT);
	assert_true(state_load("/nonexistent", &s, &w) < 0);
}

static void test_damaged_state(void **state)
{
	static const char *const damage[] = {
		"", "{", "[]", "{\"v\":1}", "{\"v\":1,\"enrollment\":\"x\",\"cursor\":0,\"requests\":[],\"receipts\":[]}",
	};
	struct site *site = *state;

	for (size_t i = 0; i < ELEMENTS(damage); i++) {
		struct state s = { 0 };
		struct why w = { "" };

		assert_int_equal(file_write_atomic(site->fd, "state.json", damage[i], strlen(damage[i]), 0600, (uid_t)-1,
			(gid_t)-1), 0);
		check_case(state_load(site->dir, &s, &w) < 0 && w.text[0] && !s.cursor, "%s", damage[i]);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		const char *hub;
		bool insecure;
		int result;
	} cases[] = {
		{ "https://hub.example:8443", false, 0 },
		{ "https://hub.example/base", false, 0 },
		{ "HTTPS://hub", false, 0 },
		{ "https://[2001:db8::1]:8443", false, 0 },
		{ "http://127.0.0.1:8080", false, 0 },
		{ "http://127.9.9.9", false, 0 },
		{ "http://localhost", false, 0 },
		{ "http://[::1]:80", false, 0 },
		{ "http://hub.example", false, -EPERM },
		{ "http://hub.example", true, 0 },
		{ "http://127.0.0.1.example", false, -EPERM },
		{ "http://localhost.example", false, -EPERM },
		{ "http://128.0.0.1", false, -EPERM },
		{ "http://[::2]", false, -EPERM },
		{ "http://127.0.0.1@hub.example", false, -EINVAL },
		{ "https://user@hub", false, -EINVAL },
		{ "https://hub?x", false, -EINVAL },
		{ "https://hub#x", false, -EINVAL },
		{ "ftp://127.0.0.1", true, -EINVAL },
		{ "file:///etc/passwd", true, -EINVAL },
		{ "hub.example", false, -EINVAL },
		{ "https://", false, -EINVAL },
		{ "https://a b", false, -EINVAL },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct courier_conf c = { .insecure = cases[i].insecure };
		struct why w;

		assert_int_equal(courier_conf_set(&c, "Hub", cases[i].hub, &w), 0);
		check_case(courier_conf_check(&c, &w) == cases[i].result, "%s gave %d", cases[i].hub, courier_conf_check(&c, &w));
		courier_conf_done(&c);
	}
}

static void test_keys(void **state)
{
	struct courier_conf c = { 0 };
	struct why w;

	assert_int_equal(courier_conf_set(&c, "Insecure", "yes", &w), 0);
	assert_true(c.insecure);
	assert_int_equal(courier_conf_set(&c, "Insecure", "no", &w), 0);
	assert_false(c.insecure);
	assert_int_equal(courier_conf_set(&c, "Insecure", "yes # laboratory", &w), 0);
	assert_true(c.insecure);
	assert_int_equal(courier_conf_set(&c, "Insecure", "yes please", &w), -EINVAL);
	assert_int_equal(courier_conf_set(&c, "Insecure", "yesno", &w), -EINVAL);
	assert_int_equal(courier_conf_set(&c, "Pin", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &w), 0);
	assert_int_equal(courier_conf_set(&c, "Pin", "sha256//AAAA", &w), -EINVAL);
	assert_int_equal(courier_conf_set(&c, "CA", "x", &w), -EINVAL);
	assert_int_equal(courier_conf_set(&c, "Ca", "/x", &w), -EINVAL);
	assert_int_equal(courier_conf_set(&c, "Hub", "https://h///", &w), 0);
	assert_string_equal(c.hub, "https://h");
	courier_conf_done(&c);
}

static void test_answers(void **state)
{
	static const struct {
		const char *text;
		int result;
		size_t n, good;
	} cases[] = {
		{ "{\"items\":[],\"next\":5}", 0, 0, 0 },
		{ "{\"items\":[{\"n\":6,\"envelope\":" DECISION "}],\"next\":6}", 0, 1, 1 },
		{ "{\"items\":[{\"n\":60,\"envelope\":" DECISION "},{\"n\":61,\"envelope\":{}}],\"next\":61}", 0, 2, 1 },
		{ "{\"items\":[{\"n\":6,\"envelope\":{\"v\":1,\"type\":\"check\",\"document\":\"{}\"}}],\"next\":6}", 0, 1, 1 },
		{ "{\"items\":[{\"n\":6,\"envelope\":{\"v\":1,\"type\":\"request\",\"document\":\"{}\"}}],\"next\":6}", 0, 1, 0 },
		{ "{\"items\":[],\"next\":6}", -EINVAL, 0, 0 },
		{ "{\"items\":[],\"next\":4}", -EINVAL, 0, 0 },
		{ "{\"items\":[{\"n\":5,\"envelope\":" DECISION "}],\"next\":5}", -EINVAL, 0, 0 },
		{ "{\"items\":[{\"n\":6,\"envelope\":" DECISION "}],\"next\":7}", -EINVAL, 0, 0 },
		{ "{\"items\":[{\"n\":7,\"envelope\":" DECISION "},{\"n\":6,\"envelope\":" DECISION "}],\"next\":6}", -EINVAL, 0, 0 },
		{ "{\"items\":[{\"n\":9007199254740992,\"envelope\":" DECISION "}],\"next\":9007199254740992}", -EINVAL, 0, 0 },
		{ "{\"items\":[null],\"next\":6}", -EINVAL, 0, 0 },
		{ "{}", -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct answers a = { 0 };
		struct why w = { "" };
		size_t good = 0;
		int r = answers_parse(cases[i].text, strlen(cases[i].text), 5, &a, &w);

		for (size_t k = 0; k < a.n; k++)
			good += a.list[k].text != NULL;
		check_case(r == cases[i].result && a.n == cases[i].n && good == cases[i].good, "%s: %d", cases[i].text, r);
		check_case(r == 0 || w.text[0], "%s", cases[i].text);
		answers_done(&a);
	}
}

static bool there(struct site *s, const char *name)
{
	struct stat st;

	return fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static void test_inbox(void **state)
{
	struct site *s = *state;
	struct inbox_item one = { "decision", 1 }, two = { "revoke", 2 }, three = { "check", UINT64_C(9007199254740991) };
	CLEAN(free_p) char *text = NULL;
	size_t len;

	assert_int_equal(inbox_stage(s->fd, &one, "one"), 0);
	assert_false(there(s, "decision-1.json"));
	assert_int_equal(inbox_stage(s->fd, &one, "again"), 0);
	assert_int_equal(inbox_commit(s->fd, &one), 0);
	assert_int_equal(file_read_untrusted(s->fd, "decision-1.json", 100, &text, &len), 0);
	assert_string_equal(text, "again");
	assert_int_equal(inbox_commit(s->fd, &one), -ENOENT);
	assert_int_equal(inbox_stage(s->fd, &two, "two"), 0);
	inbox_drop(s->fd, &two);
	assert_int_equal(inbox_commit(s->fd, &two), -ENOENT);

	/* of a former run: up to the cursor they are finished, others go, foreign names stay */
	assert_int_equal(inbox_stage(s->fd, &two, "two"), 0);
	assert_int_equal(inbox_stage(s->fd, &three, "three"), 0);
	assert_int_equal(write_all(openat(s->fd, ".tmp-courier-decision-x.json", O_CREAT | O_WRONLY, 0600), "x", 1), 0);
	assert_int_equal(inbox_recover(s->fd, 2), 0);
	assert_true(there(s, "revoke-2.json"));
	assert_false(there(s, "check-9007199254740991.json"));
	assert_false(there(s, ".tmp-courier-check-9007199254740991.json"));
	assert_true(there(s, ".tmp-courier-decision-x.json"));
}

static void test_staging_follows_no_link(void **state)
{
	struct site *s = *state;
	struct inbox_item one = { "decision", 1 };

	assert_int_equal(symlinkat("victim", s->fd, ".tmp-courier-decision-1.json"), 0);
	assert_int_equal(inbox_stage(s->fd, &one, "one"), 0);
	assert_false(there(s, "victim"));
	assert_true(there(s, ".tmp-courier-decision-1.json"));
}

static void test_backoff(void **state)
{
	struct backoff b = { 0 };
	uint64_t longest = 0, wait;

	for (int i = 0; i < 40; i++) {
		uint64_t now = clock_mono(), base = (i < 6 ? 1U << i : 60) * USEC_PER_SEC;

		backoff_failure(&b, 0);
		wait = b.not_before - now;
		check_case(wait >= base / 2 && wait <= base + USEC_PER_SEC, "failure %d: %llu", i, (unsigned long long)wait);
		longest = wait > longest ? wait : longest;
	}
	assert_true(longest <= 61 * USEC_PER_SEC);
	backoff_failure(&b, 100);
	assert_true(b.not_before >= clock_mono() + 99 * USEC_PER_SEC);
	backoff_hurry(&b);
	assert_true(b.not_before <= clock_mono() + USEC_PER_SEC);
	backoff_success(&b);
	assert_true(b.not_before == 0 && b.failures == 0);
	backoff_hurry(&b);
	assert_true(b.not_before == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test_setup_teardown(test_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_state, set_up, tear_down),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_answers),
		cmocka_unit_test_setup_teardown(test_inbox, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_staging_follows_no_link, set_up, tear_down),
		cmocka_unit_test(test_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
