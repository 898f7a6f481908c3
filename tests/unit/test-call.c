/* What of a call goes to the rules, and into the ledger. */
#include "tests/unit/unit.h"

#include "helper/call.h"
#include "lib/json.h"

static char id[] = "/usr/bin/id", u[] = "-u", dba[] = "dba", ops[] = "ops", alice[] = "alice", sudo[] = "sudo", root[] = "root",
	tty[] = "pts/3", srv[] = "/srv", sshd[] = "sshd", bytes[] = "\xff";
static char *words[] = { id, u, NULL };
static char *groups[] = { dba, ops, NULL };

static struct call sample(void)
{
	return (struct call){ .user = alice, .groups = groups, .service = sudo, .target = root, .tty = tty,
		.cwd = srv, .binary = id, .argv = words, .argc = 2 };
}

static void as_judged(void **state)
{
	struct call c = sample();
	CLEAN(json_put_p) struct json_object *o = call_judged_json(&c);

	assert_string_equal(json_text(o), "{\"user\":\"alice\",\"groups\":[\"dba\",\"ops\"],\"service\":\"sudo\",\"target\":\"root\","
		"\"tty\":\"pts/3\",\"marked\":false,\"cwd\":\"/srv\",\"binary\":\"/usr/bin/id\",\"argv\":[\"/usr/bin/id\",\"-u\"]}");
}

/* What was unknown stays so; bytes stay bytes. */
static void unknown_and_bytes(void **state)
{
	struct call c = { .service = sshd, .target = alice, .remote = bytes, .marked = true };
	CLEAN(json_put_p) struct json_object *o = call_judged_json(&c);

	assert_string_equal(json_text(o), "{\"service\":\"sshd\",\"target\":\"alice\",\"marked\":true,"
		"\"remote\":{\"base64\":\"/w==\"},\"argv\":[]}");
}

/* A record has bounds: a long command line is left out, all of it. */
static void long_argv(void **state)
{
	static char text[4090], fits[] = "1234", beyond[] = "12345678";
	char *argv[] = { text, fits, NULL };
	struct call c = sample();

	memset(text, 'a', sizeof(text) - 1);
	c.argv = argv;
	for (unsigned extra = 0; extra < 2; extra++) {
		CLEAN(json_put_p) struct json_object *o = NULL;

		argv[1] = extra ? beyond : fits;
		o = call_judged_json(&c);
		assert_int_equal(json_arr(o, "argv") != NULL, !extra);
	}
}

static void facts_of_a_call(void **state)
{
	struct call c = sample();
	struct facts f;

	call_facts(&c, &f);
	assert_string_equal(f.tty, "pts/3");
	assert_string_equal(f.cwd, "/srv");
	assert_null(f.remote);
	assert_null(f.host);
	assert_int_equal(f.real_usec, 0);
	c.tty = NULL;
	call_facts(&c, &f);
	assert_string_equal(f.tty, POLICY_NO_TTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_judged),
		cmocka_unit_test(unknown_and_bytes),
		cmocka_unit_test(long_argv),
		cmocka_unit_test(facts_of_a_call),
	};

	return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
