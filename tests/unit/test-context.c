/* Gathering for jitd: within its second, whatever the program does. */
#include "tests/unit/hands.h"

#include <poll.h>
#include <sys/wait.h>

#include "helper/context.h"
#include "helper/dirs.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"

static struct contexts *all;
static bool writable;

/* Answers with the file named after its question; where there is none it ends without an answer, and it hangs when told to.
 * What is written to the socket in one go is one message. */
#define FAKE "#!/bin/sh\n" \
	"here=${0%/*}\n" \
	"echo \"$1|$2\" >\"$here/argv-$1\"\n" \
	"[ -e \"$here/hang-$1\" ] || [ -e \"$here/hang-$1-$2\" ] && exec sleep 60\n" \
	"[ ! -e \"$here/$1\" ] || exec cat \"$here/$1\" >&3\n"

static char program[300];

static int setup(void **state)
{
	if (hands_setup(state) < 0)
		return -1;
	snprintf(program, sizeof(program), "%s/fake-context", hands_dir);
	hands_write(program, FAKE, sizeof(FAKE) - 1, 0755);
	dirs.context = program;
	return contexts_new(hands_event, &all);
}

/* Those that were killed are waited for by the loop, which the next test does not have: it runs until there are none. */
static int teardown(void **state)
{
	siginfo_t si;

	for (int i = 0; i < 200 && waitid(P_ALL, 0, &si, WEXITED | WNOWAIT | WNOHANG) == 0; i++) {
		hands_idle();
		poll(NULL, 0, 10);
	}
	all = contexts_free(all);
	return hands_teardown(state);
}

static void say(const char *name, const char *text)
{
	hands_write(hands_path("%s", name), text, strlen(text), 0644);
}

static void on_done(void *userdata)
{
	bool *done = userdata;

	assert_false(*done);
	*done = true;
}

static struct json_object *gathered(const struct context *c, const char *sha256)
{
	struct json_object *o = json_object_new_object();

	assert_int_equal(context_add(c, sha256, o), 0);
	json_object_object_del(o, "load");
	json_object_object_del(o, "cpus");
	json_object_object_del(o, "memory_available_mib");
	json_object_object_del(o, "up");
	return o;
}

static void check_gathered(const char *sha256, const char *wanted)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	bool done = false;
	struct context *c = context_begin(all, "alice", -1, "/usr/bin/x y", on_done, &done);

	assert_non_null(c);
	assert_false(context_ready(c));
	hands_until(&done);
	assert_true(context_ready(c));
	o = gathered(c, sha256);
	assert_string_equal(json_text(o), wanted);
	assert_int_equal(context_writable(c), writable);
	context_free(c);
}

#define PACKAGE "\"package\":{\"state\":\"shipped\",\"name\":\"x\"}"

static void answers(void **state)
{
	CLEAN(free_p) char *argv = NULL;

	writable = true;

	say("package", "{" PACKAGE ",\"sha256\":\"aa\"}");
	say("writable", "{\"writable\":true}");
	say("users", "{\"users\":[],\"users_more\":2,\"load\":\"77\"}");
	say("units", "{\"failed_units\":{\"count\":0,\"names\":[]}}");
	check_gathered("aa", "{" PACKAGE ",\"users\":[],\"users_more\":2,\"failed_units\":{\"count\":0,\"names\":[]}}");
	say("writable", "{\"writable\":false}");
	writable = false;
	argv = hands_read(hands_path("argv-package"));
	assert_string_equal(argv, "package|/usr/bin/x y\n");
	/* Of other bytes than those that are signed for, nothing is told; without a digest there are none others. */
	check_gathered("bb", "{\"users\":[],\"users_more\":2,\"failed_units\":{\"count\":0,\"names\":[]},\"unknown\":[\"package\"]}");
	check_gathered("", "{" PACKAGE ",\"users\":[],\"users_more\":2,\"failed_units\":{\"count\":0,\"names\":[]}}");
}

static void none_and_garbage(void **state)
{
	char longer[5000];

	memset(longer, ' ', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer, "{}", 2);
	say("users", "{\"users\":\"alice\"}");
	say("units", longer);
	check_gathered("", "{\"unknown\":[\"package\",\"writable\",\"users\",\"units\"]}");
	say("package", "{\"package\":7,\"sha256\":\"aa\"}");
	say("users", "{\"users\":[");
	say("units", "[]");
	check_gathered("", "{\"unknown\":[\"package\",\"writable\",\"users\",\"units\"]}");
}

/* What hangs costs a second, and only itself. */
static void late(void **state)
{
	uint64_t begun = clock_mono();

	say("hang-package", "");
	say("writable", "{\"writable\":false}");
	say("users", "{\"users\":[]}");
	say("units", "{\"failed_units\":{}}");
	check_gathered("", "{\"users\":[],\"failed_units\":{},\"late\":[\"package\"]}");
	assert_true(clock_mono() - begun >= CONTEXT_USEC);
}

static void no_program(void **state)
{
	dirs.context = "/nonexistent/jit-context";
	check_gathered("", "{\"unknown\":[\"package\",\"writable\",\"users\",\"units\"]}");
}

/* More than may run at once: none waits for longer than its second, whether it was begun or not. */
static void many(void **state)
{
	struct context *c[12];
	bool done[ELEMENTS(c)] = { 0 };
	unsigned late_ones = 0;

	say("hang-package", "");
	say("hang-writable", "");
	say("hang-users", "");
	say("hang-units", "");
	for (size_t i = 0; i < ELEMENTS(c); i++)
		c[i] = context_begin(all, "alice", -1, i % 2 ? "/x" : NULL, on_done, &done[i]);
	/* One that is not waited for any more makes room, begun or not. */
	hands_idle();
	c[0] = context_free(c[0]);
	c[11] = context_free(c[11]);
	for (size_t i = 1; i < 11; i++) {
		CLEAN(json_put_p) struct json_object *o = NULL;

		hands_until(&done[i]);
		o = gathered(c[i], "");
		assert_string_equal(json_text(o), i % 2 ?
			"{\"late\":[\"package\",\"writable\",\"users\",\"units\"]}" : "{\"late\":[\"users\",\"units\"]}");
		late_ones++;
		context_free(c[i]);
	}
	assert_int_equal(late_ones, 10);
	assert_false(done[0] || done[11]);
}

/* One user's, however many and however slow, leave room for another's. */
static void fair(void **state)
{
	struct context *alices[20], *bobs;
	bool done[ELEMENTS(alices)] = { 0 }, bobs_done = false;
	CLEAN(json_put_p) struct json_object *o = NULL;

	say("hang-users-alice", "");
	for (size_t i = 0; i < ELEMENTS(alices); i++)
		alices[i] = context_begin(all, "alice", -1, NULL, on_done, &done[i]);
	say("users", "{\"users\":[]}");
	say("units", "{\"failed_units\":{}}");
	bobs = context_begin(all, "bob", -1, NULL, on_done, &bobs_done);
	hands_until(&bobs_done);
	o = gathered(bobs, "");
	assert_string_equal(json_text(o), "{\"users\":[],\"failed_units\":{}}");
	context_free(bobs);
	for (size_t i = 0; i < ELEMENTS(alices); i++)
		context_free(alices[i]);
}

static void of_proc(void **state)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	uint64_t n;

	assert_int_equal(context_add(NULL, "", o), 0);
	assert_non_null(json_str(o, "load"));
	assert_int_equal(json_u64(o, "cpus", &n) | json_u64(o, "memory_available_mib", &n) | json_u64(o, "up", &n), 0);
	assert_int_equal(json_object_object_length(o), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(none_and_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(late, setup, teardown),
		cmocka_unit_test_setup_teardown(no_program, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
		cmocka_unit_test_setup_teardown(fair, setup, teardown),
		cmocka_unit_test_setup_teardown(of_proc, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
