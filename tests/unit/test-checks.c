/* The checks of a rule as jitd has them looked at: by jit-check, by programs that pretend to be it, by a courier that answers
 * and one that does not; and whose turn it is. */
#include "tests/unit/unit.h"
#include "tests/unit/hands.h"

#include <dirent.h>
#include <sys/wait.h>

#include "helper/checks.h"
#include "helper/child.h"
#include "helper/dirs.h"
#include "lib/clock.h"
#include "lib/envelope.h"
#include "lib/json.h"
#include "lib/policy.h"

static struct checks *checks;
static uint64_t within; /* long, but where somebody hangs */

struct got {
	bool came;
	unsigned order; /* it was the N-th of all */
	char words[256], results[4096];
};
static unsigned answered;

static int setup(void **state)
{
	hands_setup(state);
	dirs.check = BUILDDIR "/helper/jit-check";
	answered = 0;
	within = 10 * USEC_PER_SEC;
	return checks_new(hands_event, &checks);
}

static int teardown(void **state)
{
	checks = checks_free(checks);
	for (int i = 0; i < 100 && child_abandoned() > 0; i++)
		sd_event_run(hands_event, 100000);
	assert_int_equal(child_abandoned(), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
	return hands_teardown(state);
}

/* A program in jit-check's place. */
static void pretend(const char *script)
{
	char text[1024];

	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	hands_write(hands_path("check"), text, strlen(text), 0755);
	dirs.check = hands_path("check");
}

static void on_done(struct json_object *results, const char *words, void *userdata)
{
	struct got *g = userdata;

	g->came = true;
	g->order = ++answered;
	snprintf(g->words, sizeof(g->words), "%s", words ? words : "");
	snprintf(g->results, sizeof(g->results), "%s", results ? json_text(results) : "");
}

/* A rule that looks at TEXTS; freed by the caller. */
static struct rule *a_rule(const char *const *texts)
{
	struct rule *r = calloc(1, sizeof(*r));

	r->name = strdup("r");
	r->checks = calloc(RULE_CHECKS_MAX, sizeof(*r->checks));
	for (; *texts; texts++)
		assert_int_equal(check_parse(*texts, &r->checks[r->n_checks++].check, NULL), 0);
	return r;
}

static void a_rule_free(struct rule *r)
{
	for (size_t i = 0; i < r->n_checks; i++)
		check_done(&r->checks[i].check);
	free(r->checks);
	free(r->name);
	free(r);
}

static int start(const char *const *texts, uid_t uid, struct got *g)
{
	struct rule *r = a_rule(texts);
	struct checks_question q = { .rule = r, .uid = uid, .within = within, .host = "web1", .done = on_done, .userdata = g };
	int ticket;

	memset(g, 0, sizeof(*g));
	q.facts = json_object_new_object();
	ticket = checks_start(checks, &q);
	a_rule_free(r); /* it is only read during the call */
	return ticket;
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void looked(const char *const *texts, struct got *g)
{
	assert_true(start(texts, 1000, g) > 0);
	assert_false(g->came);
	hands_until(&g->came);
}

static void the_real_one(void **state)
{
	struct got g;

	looked(LIST("up>1s", "file:/nowhere=present", "disk:/>1K", "exec:/nowhere/x"), &g);
	assert_non_null(strstr(g.results, "{\"check\":\"up>1s\",\"effect\":\"refuse\",\"by\":\"host\",\"holds\":true,\"text\":\"up for "));
	assert_non_null(strstr(g.results, "\"holds\":false,\"text\":\"/nowhere is not there\"}"));
	assert_non_null(strstr(g.results, "{\"check\":\"exec:/nowhere/x\",\"effect\":\"refuse\",\"by\":\"host\",\"holds\":false,"
		"\"text\":\"cannot be run: "));
}

/* Whatever comes instead of an answer is the failure of every check. */
static void pretenders(void **state)
{
	static const struct {
		const char *script, *words;
	} rows[] = {
		{ "exit 1", "jit-check failed" },
		{ "exit 0", "jit-check failed" },
		{ "kill -9 $$", "jit-check failed" },
		{ "echo junk", "jit-check failed" },
		{ "echo '{\"results\":[]}'", "jit-check failed" },
		{ "echo '{\"results\":[{\"holds\":true,\"text\":\"a\"}]}'", "jit-check failed" },
		{ "echo '{\"results\":[{\"holds\":true,\"text\":\"a\"},{\"holds\":true,\"text\":\"b\"},{\"holds\":true,\"text\":\"c\"}]}'",
			"jit-check failed" },
		{ "echo '{\"results\":[{\"holds\":true,\"text\":\"a\"},{\"holds\":true}]}'", "jit-check failed" },
		{ "head -c 200000 /dev/zero", "jit-check failed" },
		{ "exec sleep 60", "jit-check did not end in time" },
	};
	struct got g;

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		pretend(rows[i].script);
		within = strstr(rows[i].script, "sleep") ? USEC_PER_SEC / 5 : 10 * USEC_PER_SEC;
		looked(LIST("load<8", "up>1h"), &g);
		check_case(!strstr(g.results, "true"), "%s: %s", rows[i].script, g.results);
		check_case(strstr(g.results, rows[i].words) && strstr(strstr(g.results, rows[i].words) + 1, rows[i].words), "%s: %s",
			rows[i].script, g.results);
	}
	pretend("echo '{\"results\":[{\"holds\":true,\"text\":\"a\\u001b[2J\"},{\"holds\":\"yes\",\"text\":\"b\"}]}'");
	looked(LIST("load<8", "up>1h"), &g);
	assert_string_equal(g.results, "[{\"check\":\"load<8\",\"effect\":\"refuse\",\"by\":\"host\",\"holds\":true,\"text\":\"a\\\\x1b[2J\"},"
		"{\"check\":\"up>1h\",\"effect\":\"refuse\",\"by\":\"host\",\"holds\":false,\"text\":\"b\"}]");
	dirs.check = "/nowhere/jit-check";
	looked(LIST("load<8"), &g);
	assert_non_null(strstr(g.results, "jit-check failed"));
}

/* The id of the one question in the outbox; "" when there is none. */
static const char *question(char id[static 64])
{
	DIR *d = opendir(dirs.outbox);
	struct dirent *e;

	id[0] = '\0';
	while ((e = readdir(d)))
		if (strncmp(e->d_name, "question-", 9) == 0) {
			assert_int_equal(strlen(e->d_name), 9 + 32 + 5);
			snprintf(id, 64, "%.32s", e->d_name + 9);
		}
	closedir(d);
	return id;
}

static int say(const char *id, unsigned status, const char *text)
{
	char document[512];
	struct why w = { "" };
	int r;

	snprintf(document, sizeof(document), "{\"v\":1,\"question\":\"%s\",\"status\":%u,\"text\":\"%s\"}", id, status, text);
	r = checks_answer(checks, document, &w);
	assert_true(r >= 0 || w.text[0]);
	return r;
}

static void courier(void **state)
{
	static const struct {
		unsigned status;
		const char *text, *result;
	} rows[] = {
		{ 200, "open", "\"by\":\"courier\",\"holds\":true,\"text\":\"answer 200: open\"" },
		{ 503, "frozen\\nask carol", "\"holds\":false,\"text\":\"answer 503: frozen\"" },
		{ 0, "no route", "\"holds\":false,\"text\":\"cannot be asked: no route\"" },
		{ 204, "\\u001b]0;x", "\"holds\":true,\"text\":\"answer 204: \\\\x1b]0;x\"" },
	};
	char id[64], left[64];

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct got g;

		assert_true(start(LIST("https://gate/open"), 1000, &g) > 0);
		while (!*question(id))
			hands_idle();
		assert_int_equal(say("00000000000000000000000000000000", 200, "x"), -ENOENT);
		assert_int_equal(say("short", 200, "x"), -EINVAL);
		assert_int_equal(say(id, 1000, "x"), -EINVAL);
		assert_int_equal(checks_answer(checks, "{\"v\":2}", NULL), -EINVAL);
		assert_int_equal(checks_answer(checks, "[]", NULL), -EINVAL);
		assert_false(g.came);
		assert_int_equal(say(id, rows[i].status, rows[i].text), 0);
		assert_true(g.came);
		check_case(strstr(g.results, rows[i].result), "%zu: %s", i, g.results);
		assert_string_equal(question(left), "");
		assert_int_equal(say(id, 200, "again"), -ENOENT);
	}
}

/* What stands in the outbox is what the courier understands. */
static void the_question(void **state)
{
	CLEAN(envelope_done) struct envelope e = { 0 };
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *text = NULL;
	char id[64];
	struct got g;
	int ticket = start(LIST("https://gate/open?a=b"), 1000, &g);

	while (!*question(id))
		hands_idle();
	text = hands_read(hands_path("outbox/question-%s.json", id));
	assert_int_equal(envelope_parse(text, strlen(text), &e, NULL), 0);
	assert_string_equal(e.type, "question");
	assert_int_equal(json_parse(e.document, e.document_len, &o, NULL), 0);
	assert_string_equal(json_str(o, "id"), id);
	assert_string_equal(json_str(o, "url"), "https://gate/open?a=b");
	/* An answer to somebody who is gone is nobody's. */
	checks_cancel(checks, ticket);
	assert_int_equal(say(id, 200, "x"), 0);
	assert_false(g.came);
	assert_string_equal(question(id), "");
}

static void no_courier(void **state)
{
	char id[64];
	struct got g;

	within = USEC_PER_SEC;
	looked(LIST("up>1s", "https://gate/open"), &g);
	assert_non_null(strstr(g.results, "cannot be asked: no answer in 1 s (does jit-courier run?)"));
	assert_non_null(strstr(g.results, "\"holds\":true"));
	assert_string_equal(question(id), "");
}

static void of_an_earlier_life(void **state)
{
	hands_write(hands_path("outbox/question-00000000000000000000000000000000.json"), "{}", 2, 0640);
	checks = checks_free(checks);
	assert_int_equal(checks_new(hands_event, &checks), 0);
	assert_false(hands_exists(hands_path("outbox/question-00000000000000000000000000000000.json")));
}

/* Four hang of one user, two at a time; another's comes before the rest of them. */
static void turns(void **state)
{
	struct got hanging[4], other;

	within = USEC_PER_SEC / 5;
	pretend("if grep -q up /proc/self/fd/0; then echo '{\"results\":[{\"holds\":true,\"text\":\"a\"}]}'; else exec sleep 60; fi");
	for (size_t i = 0; i < ELEMENTS(hanging); i++)
		assert_true(start(LIST("load<8"), 1000, &hanging[i]) > 0);
	assert_true(start(LIST("up>1s"), 1001, &other) > 0);
	hands_until(&other.came);
	assert_int_equal(other.order, 1);
	for (size_t i = 0; i < ELEMENTS(hanging); i++)
		hands_until(&hanging[i].came);
	assert_true(hanging[0].order < hanging[3].order);
}

/* Programs of three users hang in all the places that they can have: whoever has none running finds one, and built-in checks
 * do not even see them. */
static void programs_that_hang(void **state)
{
	struct got hanging[6], built_in, program;

	within = 5 * USEC_PER_SEC;
	pretend("if grep -q hangs /proc/self/fd/0; then exec sleep 60; else echo '{\"results\":[{\"holds\":true,\"text\":\"a\"}]}'; fi");
	for (size_t i = 0; i < ELEMENTS(hanging); i++)
		assert_true(start(LIST("exec:/hangs"), 1000 + (uid_t)i / 2, &hanging[i]) > 0);
	hands_idle();
	assert_true(start(LIST("up>1s"), 1004, &built_in) > 0);
	hands_until(&built_in.came);
	assert_int_equal(built_in.order, 1);
	assert_true(start(LIST("exec:/quick"), 1004, &program) > 0);
	hands_until(&program.came);
	assert_int_equal(program.order, 2);
}

static void quotas_and_leaving(void **state)
{
	struct got g[17], other;
	int ticket[17];

	pretend("exec sleep 60");
	for (size_t i = 0; i < 16; i++)
		assert_true((ticket[i] = start(LIST("load<8"), 1000, &g[i])) > 0);
	assert_int_equal(start(LIST("load<8"), 1000, &g[16]), -EAGAIN);
	assert_true(start(LIST("load<8"), 1001, &other) > 0);
	hands_idle(); /* some run by now */
	for (size_t i = 0; i < 16; i++)
		checks_cancel(checks, ticket[i]);
	assert_true(start(LIST("load<8"), 1000, &g[16]) > 0);
	checks = checks_free(checks); /* nobody is called back */
	for (size_t i = 0; i < 17; i++)
		assert_false(g[i].came);
	assert_false(other.came);
	assert_int_equal(checks_new(hands_event, &checks), 0);
}

static void results_of_other_checks(void **state)
{
	bool holds[RULE_CHECKS_MAX] = { false };
	struct rule *one = a_rule(LIST("up>1s")), *two = a_rule(LIST("up>1s", "load<8")), *other = a_rule(LIST("up>2s"));
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct json_object *list;

	static const char text[] = "{\"l\":[{\"check\":\"up>1s\",\"effect\":\"refuse\",\"holds\":true}]}";

	assert_int_equal(json_parse(text, sizeof(text) - 1, &o, NULL), 0);
	list = json_arr(o, "l");
	assert_true(checks_holds(one, list, holds));
	assert_true(holds[0]);
	assert_false(checks_holds(two, list, holds));
	assert_false(checks_holds(other, list, holds));
	assert_false(checks_holds(one, NULL, holds));
	one->checks[0].effect = CHECK_INFORMS;
	assert_false(checks_holds(one, list, holds));
	a_rule_free(one);
	a_rule_free(two);
	a_rule_free(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_real_one), TEST(pretenders), TEST(courier), TEST(the_question), TEST(no_courier), TEST(of_an_earlier_life),
		TEST(turns), TEST(programs_that_hang), TEST(quotas_and_leaving), TEST(results_of_other_checks),
	};

	return cmocka_run_group_tests_name("checks", tests, NULL, NULL);
}
