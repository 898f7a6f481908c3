/* What of a call goes to the rules, and into the ledger. */
#include "tests/unit/unit.h"

#include "helper/call.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/text.h"

static char id[] = "/usr/bin/id", u[] = "-u", dba[] = "dba", ops[] = "ops", alice[] = "alice", sudo[] = "sudo",
	root[] = "root",
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

	assert_string_equal(json_text(o),
		"{\"user\":\"alice\",\"groups\":[\"dba\",\"ops\"],\"service\":\"sudo\",\"target\":\"root\","
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

/* What a pattern sees is what the approver reads: text, of a bounded length. */
static void reasons(void **state)
{
	static char long_ascii[700], long_utf8[1000], long_bytes[700];
	struct {
		const char *given, *kept;
	} cases[] = {
		{ NULL, NULL }, { "", NULL }, { " \t\r\n", NULL }, { "INC-1", "INC-1" }, { "  INC-1\n", "INC-1" },
		{ "a\nb \x1b[2J", "a\nb \x1b[2J" }, { "f\xc3\xbcr", "f\xc3\xbcr" }, { "f\xfcr \\", "f\\xfcr \\\\" },
		{ long_ascii, NULL }, { long_utf8, NULL }, { long_bytes, NULL },
	};
	CLEAN(call_free_p) struct call *c = calloc(1, sizeof(*c));

	memset(long_ascii, 'a', sizeof(long_ascii) - 1);
	memset(long_bytes, '\xff', sizeof(long_bytes) - 1);
	long_utf8[0] = 'x';
	for (size_t i = 1; i + 2 < sizeof(long_utf8); i += 2)
		memcpy(long_utf8 + i, "\xc3\xbc", 2);
	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		assert_int_equal(call_set_reason(c, "before"), 0);
		assert_int_equal(call_set_reason(c, cases[i].given), 0);
		if (cases[i].given && strlen(cases[i].given) > REASON_MAX) {
			size_t n = strspn(c->reason, "ax\\f\xc3\xbc");

			check_case(n > REASON_MAX / 2 && n <= REASON_MAX, "%zu: %s", i, c->reason);
			check_case(!strncmp(c->reason + n, "...(cut)", 9), "%zu: %s", i, c->reason + n);
			check_case(text_utf8(c->reason, strlen(c->reason)), "%zu", i);
		} else if (!cases[i].kept)
			check_case(!c->reason, "%zu: %s", i, c->reason);
		else
			check_case(c->reason && !strcmp(c->reason, cases[i].kept), "%zu: %s", i, c->reason);
	}
	assert_int_equal(call_set_reason(c, long_ascii), 0);
	assert_string_equal(c->reason + REASON_MAX, "...(cut)");
	/* Not within a character, and no character is taken for bytes because the text was cut in it. */
	assert_int_equal(call_set_reason(c, long_utf8), 0);
	assert_string_equal(c->reason + REASON_MAX - 1, "...(cut)");
	assert_null(strchr(c->reason, '\\'));
}

/* A login has no session: its place is the address, whatever port it comes from. */
static void same_place(void **state)
{
	static char here[] = "192.0.2.7", there[] = "192.0.2.8", conn1[] = "192.0.2.1:22 192.0.2.7:1000",
		conn2[] = "192.0.2.1:22 192.0.2.7:1001", su[] = "su", other[] = "pts/4", s1[] = "1", s2[] = "2";
	static const struct {
		char *service, *remote[2], *session[2], *tty[2];
		bool same;
	} cases[] = {
		{ sshd, { here, here }, { conn1, conn1 }, { NULL }, true },
		{ sshd, { here, here }, { conn1, conn2 }, { NULL }, true },
		{ sshd, { here, there }, { conn1, conn1 }, { NULL }, false },
		{ sshd, { NULL, NULL }, { conn1, conn1 }, { NULL }, true },
		{ sshd, { NULL, NULL }, { conn1, conn2 }, { NULL }, false },
		{ sshd, { here, NULL }, { conn1, conn2 }, { NULL }, false },
		{ su, { here, here }, { s1, s2 }, { tty, tty }, false },
		{ su, { here, there }, { s1, s1 }, { tty, other }, true },
		{ su, { NULL, NULL }, { NULL, NULL }, { tty, other }, false },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct call a = sample(), b = sample();

		a.service = b.service = cases[i].service;
		a.remote = cases[i].remote[0];
		b.remote = cases[i].remote[1];
		a.session = cases[i].session[0];
		b.session = cases[i].session[1];
		a.tty = cases[i].tty[0];
		b.tty = cases[i].tty[1];
		assert_int_equal(call_same(&a, &b, SCOPE_SERVICE, false), cases[i].same);
		assert_int_equal(call_same(&b, &a, SCOPE_SERVICE, false), cases[i].same);
		assert_true(call_same(&a, &b, SCOPE_SERVICE, true));
		/* What is marked is covered by no wide scope, but by its own words. */
		b.marked = true;
		assert_true(call_same(&a, &b, SCOPE_SERVICE, true));
		b.line_len = 2;
		b.line = (char[]){ "x" };
		assert_false(call_same(&a, &b, SCOPE_SERVICE, true));
		b.marked = false;
		assert_true(call_same(&a, &b, SCOPE_SERVICE, true));
		b.line = a.line;
		b.line_len = a.line_len;
		b.user = root;
		assert_false(call_same(&a, &b, SCOPE_SERVICE, false));
	}
}

/* ---- sudo's plugin ---- */

/* A call from "key=value|…" as an `approval` of a process that stands in /home/alice; NULL: refused. */
static struct call *approval(const char *fields)
{
	char cwd[] = "/home/alice", tty_name[] = "pts/3", *copy = strdup(fields), *list = copy, *field;
	struct process p = { .pid = 42, .ppid = 1, .pidfd = -1, .start = 7, .uid = 1000, .loginuid = UID_NONE,
		.session_uid = UID_NONE,
		.tty = tty_name, .cwd = cwd };
	static char buf[GATE_MAX];
	struct call *c = NULL;
	struct gate_out o;
	struct gate_in in;
	struct why w;

	gate_begin(&o, buf, sizeof(buf), "approval");
	gate_put(&o, "user", "alice");
	while ((field = strsep(&list, "|"))) {
		char *equals = strchr(field, '=');

		*equals = '\0';
		gate_put(&o, field, equals + 1);
	}
	assert_true(gate_finish(&o) > 0);
	assert_int_equal(gate_parse(buf, o.len, &in), 0);
	free(copy);
	if (call_from_message(&in, &p, &c, &w) < 0)
		assert_true(*w.text);
	return c;
}

/* argv with '|' between. */
static const char *joined(char *const *argv)
{
	static char buf[512];

	*buf = '\0';
	for (; *argv; argv++)
		snprintf(buf + strlen(buf), sizeof(buf) - strlen(buf), "%s%s", *buf ? "|" : "", *argv);
	return buf;
}

static void as_sudo_will_run_it(void **state)
{
	static const struct {
		const char *fields, *target, *binary, *argv, *command, *cwd, *marks;
		bool marked;
	} table[] = {
		{ "service=sudo|arg=touch|arg=a  b\n|own=0|kind=command|command=/usr/bin/touch|target=root", "root",
			"/usr/bin/touch",
			"touch|a  b\n", "/usr/bin/touch a  b\n", "/home/alice", "", false },
		/* Options that account cannot read are none to it. */
		{ "service=sudo|arg=-p|arg=-urvalice|arg=--us=bob|arg=id|own=3|kind=command|command=/usr/bin/id|target=bob", "bob",
			"/usr/bin/id", "id", "/usr/bin/id", "/home/alice", "", false },
		{ "service=sudo|arg=./x|arg=y|own=0|kind=command|command=./x|target=root", "root", "/home/alice/x",
			"./x|y", "./x y",
			"/home/alice", "", false },
		{ "service=sudo|arg=../x|own=0|kind=command|command=../x|target=root", "root", "/home/alice/../x",
			"../x", "../x",
			"/home/alice", "", false },
		{ "service=sudo|arg=x|run=y|own=0|kind=command|command=/bin/x|target=root", "root", "/bin/x", "y",
			"/bin/x", "/home/alice",
			"", false },
		{ "service=sudo-i|arg=-i|arg=id|arg=-u|own=1|kind=login|command=/bin/bash|run=-bash|run=--login|run=-c|run=id -u|"
			"cwd=/root|target=root", "root", "/bin/bash", "/bin/bash|-c|id -u", "/bin/bash -c id -u",
			"/home/alice",
			"login-shell", false },
		{ "service=sudo-i|arg=-i|own=1|kind=login|command=/bin/bash|run=-bash|target=root", "root",
			"/bin/bash", "/bin/bash",
			"/bin/bash", "/home/alice", "login-shell", false },
		{ "service=sudo|arg=-s|arg=id|own=1|kind=shell|command=/bin/sh|run=/bin/sh|run=-c|run=id|target=root",
			"root", "/bin/sh",
			"/bin/sh|-c|id", "/bin/sh -c id", "/home/alice", "shell", false },
		{ "service=sudo|arg=-e|arg=/etc/hosts|own=1|kind=edit|command=/bin/vi|target=root", "root", "sudoedit",
			"sudoedit|/etc/hosts", "sudoedit /etc/hosts", "/home/alice", "edit", false },
		/* Odd in a way that no rule may have foreseen. */
		{ "service=sudo|arg=id|own=0|kind=command|command=/bin/id", NULL, "/bin/id", "id", "/bin/id", "/home/alice",
			"target-unknown", true },
		{ "service=sudo|arg=id|own=0|kind=command|command=/bin/id|target=r\xf6\xf6t", NULL, "/bin/id", "id",
			"/bin/id", "/home/alice",
			"target-unknown", true },
		{ "service=sudo|arg=id|own=0|kind=command|command=/bin/id|target=root|odd=environment", "root",
			"/bin/id", "id", "/bin/id",
			"/home/alice", "environment", true },
		{ "service=sudo|arg=id|own=0|kind=command|command=/bin/id|target=root|odd=chroot later newer group",
			"root", "/bin/id", "id",
			"/bin/id", "/home/alice", "chroot options group", true },
		{ "service=sudo|arg=id|own=0|kind=command|command=/bin/id|target=root|odd=directory|cwd=/tmp", "root",
			"/bin/id", "id",
			"/bin/id", "/tmp", "directory", true },
		{ "service=sudo|arg=./x|own=0|kind=command|command=./x|target=root|cwd=/tmp", "root", NULL, "./x",
			NULL, "/tmp",
			"disagreement", true },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		CLEAN(call_free_p) struct call *c = approval(table[i].fields);

		check_case(c != NULL, "%s", table[i].fields);
		check_case(c->exact && !c->inner && c->target_certain == (table[i].target != NULL), "%s", table[i].fields);
		check_case(table[i].target ? c->target && !strcmp(c->target, table[i].target) : !c->target, "%s",
			table[i].fields);
		check_case(table[i].binary ? c->binary && !strcmp(c->binary, table[i].binary) : !c->binary, "%s",
			table[i].fields);
		check_case(table[i].command ? c->command && !strcmp(c->command, table[i].command) : !c->command, "%s",
			table[i].fields);
		check_case(!strcmp(joined(c->argv), table[i].argv), "%s", table[i].fields);
		check_case(!strcmp(c->cwd, table[i].cwd), "%s", table[i].fields);
		check_case(!strcmp(c->marks, table[i].marks) && c->marked == table[i].marked, "%s", table[i].fields);
	}
}

static void not_all_of_it(void **state)
{
	static const char *const table[] = {
		"service=sudo|arg=id|own=0|kind=command|target=root",                           /* no command */
		"service=sudo|arg=id|own=0|kind=command|command=|target=root",
		"service=sudo|arg=id|own=0|command=/bin/id|target=root",                        /* no kind */
		"service=sudo|arg=id|own=0|kind=dance|command=/bin/id|target=root",
		"service=sudo|arg=id|kind=command|command=/bin/id|target=root",                 /* no own */
		"service=sudo|arg=id|own=2|kind=command|command=/bin/id|target=root",           /* beyond */
		"service=sudo|arg=id|own=-1|kind=command|command=/bin/id|target=root",
		"service=sudo|arg=id|own=1|kind=command|command=/bin/id|target=root",           /* nothing runs */
		"service=sudo|arg=id|own=0|kind=command|command=/bin/id|target=root|cut=yes",
		"service=su|arg=id|own=0|kind=command|command=/bin/id|target=root",             /* not sudo's to say */
		"service=sshd|arg=id|own=0|kind=command|command=/bin/id|target=root",
		"arg=id|own=0|kind=command|command=/bin/id|target=root",
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		CLEAN(call_free_p) struct call *c = approval(table[i]);

		check_case(c == NULL, "%s", table[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_judged),
		cmocka_unit_test(unknown_and_bytes),
		cmocka_unit_test(long_argv),
		cmocka_unit_test(facts_of_a_call),
		cmocka_unit_test(same_place),
		cmocka_unit_test(reasons),
		cmocka_unit_test(as_sudo_will_run_it),
		cmocka_unit_test(not_all_of_it),
	};

	return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
