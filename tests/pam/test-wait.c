/* The wait and what may go wrong in it: leaving, a jitd that dies, is silent, talks nonsense or is somebody else. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/gate.h"
#include "tests/pam/cases.h"

#define SUDO .service = "sudo", .user = "alice", .ruser = "alice", .own_handlers = true
#define SUDO_TTY SUDO, .tty = "/dev/pts/7"
#define ACCOUNT ACCEPT, EXPECT("type=account|user=alice")
#define WAITING SEND("type=progress|text=waiting for sre|id=" ID "|wait=15000000")
#define ALLOW SEND("type=verdict|result=allow|id=" ID), GONE

static void interrupt(void)
{
	harness_signal(SIGINT);
}

static void quit(void)
{
	harness_signal(SIGQUIT);
}

static void terminate(void)
{
	harness_signal(SIGTERM);
}

static void hup(void)
{
	harness_signal(SIGHUP);
}

static void window(void)
{
	harness_signal(SIGWINCH);
}

static void once_missed(void)
{
	harness_await_said(2); /* the progress, and that jitd went away */
}

static void short_wait(struct pam_jit_knobs *k)
{
	k->first_wait = USEC_PER_SEC / 20;
}

static void low_ceiling(struct pam_jit_knobs *k)
{
	k->ceiling = USEC_PER_SEC / 5;
}

static void short_retry(struct pam_jit_knobs *k)
{
	k->retry_for = USEC_PER_SEC / 5;
}

static void outage(void)
{
	usleep(60 * 1000); /* how long jitd is busy */
}

static void pause_it(void)
{
	pause();
}

#define LEAVES(cause) EXPECT("type=leave|cause=" cause), GONE
#define STAYS "E:pam-jit: the request " ID " stays; run the command again when it is approved, or withdraw it: jitctl cancel " ID

static const struct test_case cases[] = {
	/* ---- leaving ---- */
	{ "interrupt", { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, ACT(interrupt), LEAVES("interrupt")) }, PAM_PERM_DENIED,
		{ "E:pam-jit: not waiting any longer (interrupt)", STAYS } },
	{ "quit", { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, ACT(quit), LEAVES("interrupt")) }, PAM_PERM_DENIED, { STAYS } },
	{ "terminate", { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, ACT(terminate), LEAVES("terminated")) }, PAM_PERM_DENIED },
	{ "SIGHUP", { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, ACT(hup), LEAVES("hangup")) }, PAM_PERM_DENIED,
		.unsaid = "stays" },
	{ "before jitd has said a word", { SUDO_TTY, .steps = STEPS(ACCOUNT, ACT(interrupt), LEAVES("interrupt")) },
		PAM_PERM_DENIED, { "E:pam-jit: not waiting any longer" } },
	{ "leaving comes before an approval", { SUDO_TTY, .steps = STEPS(ACCOUNT, ACT(harness_stop), WAITING, ACT(interrupt),
		SEND("type=verdict|result=allow|id=" ID), ACT(harness_continue), LEAVES("interrupt")) },
		PAM_PERM_DENIED },
	{ "nohup", { SUDO, .ignore_hup = true, .steps = STEPS(ACCOUNT, WAITING, ACT(hup), ALLOW) }, PAM_SUCCESS },
	{ "another signal", { SUDO, .steps = STEPS(ACCOUNT, WAITING, ACT(window), ALLOW) }, PAM_SUCCESS },
	{ "hangup", { SUDO, .terminal = true, .tty = "/dev/tty", .steps = STEPS(ACCOUNT, WAITING, ACT(harness_hangup),
		LEAVES("hangup")) }, PAM_PERM_DENIED, .unsaid = "stays" },
	{ "hangup under nohup", { SUDO, .terminal = true, .ignore_hup = true, .tty = "/dev/tty", .steps = STEPS(ACCOUNT, WAITING,
		ACT(harness_hangup), LEAVES("hangup")) }, PAM_PERM_DENIED },
	{ "the readers of its output go", { SUDO, .stdio_pipes = true, .steps = STEPS(ACCOUNT, WAITING,
		ACT(harness_close_pipes), LEAVES("client-gone")) }, PAM_PERM_DENIED, .unsaid = "stays" },
	{ "one reader goes", { SUDO, .stdio_pipes = true, .steps = STEPS(ACCOUNT, WAITING, ACT(harness_close_pipe),
		ALLOW) }, PAM_SUCCESS },
	{ "sshd's client goes", { .service = "sshd", .user = "alice", .tcp = true, .steps = STEPS(ACCOUNT, WAITING,
		ACT(harness_close_tcp), LEAVES("client-gone")) }, PAM_PERM_DENIED, .unsaid = "stays" },
	{ "the parent goes", { SUDO, .orphan = true, .steps = STEPS(ACCOUNT, WAITING, ACT(harness_kill_parent),
		LEAVES("client-gone")) }, PAM_PERM_DENIED },

	/* ---- jitd away ---- */
	{ "no socket", { SUDO, .no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: jitd cannot be reached at gate.sock" } },
	{ "nobody listens", { SUDO, .dead_socket = true, .no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: jitd cannot" } },
	{ "another than root listens", { SUDO, .wrong_server = true, .steps = STEPS(ACCEPT, GONE) }, PAM_PERM_DENIED,
		{ "E:pam-jit: another than root answers" } },
	{ "its queue is full for a while", { SUDO, .full_queue = true, .steps = STEPS(ACT(outage), { FAKE_ACCEPT_LIVE },
		EXPECT("type=account"), ALLOW) },
		PAM_SUCCESS },
	{ "its queue stays full", { SUDO, .full_queue = true, .tune = short_wait, .lenient = true, .steps = STEPS(ACT(pause_it)) },
		PAM_PERM_DENIED, { "E:pam-jit: jitd cannot be reached at gate.sock (Resource temporarily unavailable)" } },
	{ "killed in mid-wait", { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, CLOSE, ACCOUNT, WAITING, ALLOW) }, PAM_SUCCESS,
		{ "I:pam-jit: waiting", "I:pam-jit: jitd went away; waiting for it to come back" } },
	{ "killed before its first word", { SUDO_TTY, .steps = STEPS(ACCOUNT, CLOSE, ACCOUNT, ALLOW) }, PAM_SUCCESS,
		{ "I:pam-jit: jitd went away" } },
	{ "killed, and the socket gone for a while", { SUDO_TTY, .cmdline = "sudo|-u|root|id|x", .steps = STEPS(ACCOUNT, WAITING,
		{ FAKE_UNLISTEN }, CLOSE, ACT(once_missed), { FAKE_LISTEN }, ACCEPT,
		EXPECT("type=account|user=alice|arg=-u|arg=root|arg=id|arg=x"), ALLOW) }, PAM_SUCCESS,
		{ "I:pam-jit: jitd went away" } },
	{ "interrupt while it is away", { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, { FAKE_UNLISTEN }, CLOSE, ACT(once_missed),
		ACT(interrupt)) }, PAM_PERM_DENIED, { STAYS } },
	{ "it does not come back", { SUDO_TTY, .tune = short_retry, .steps = STEPS(ACCOUNT, WAITING, { FAKE_UNLISTEN }, CLOSE) }, PAM_PERM_DENIED,
		{ "E:pam-jit: jitd did not come back", "E:pam-jit: the request " ID " stays; run the command again" } },
	{ "another comes back", { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, ACT(harness_impostor), CLOSE, ACCEPT, GONE) },
		PAM_PERM_DENIED, { "E:pam-jit: another than root answers" } },

	/* ---- jitd silent ---- */
	{ "no first word", { SUDO, .tune = short_wait, .steps = STEPS(ACCOUNT, GONE) }, PAM_PERM_DENIED,
		{ "E:pam-jit: jitd has stopped answering" } },
	{ "no next word", { SUDO_TTY, .steps = STEPS(ACCOUNT, SEND("type=progress|text=a|id=" ID "|wait=1000"), GONE) },
		PAM_PERM_DENIED, { "E:pam-jit: jitd has stopped answering", "E:pam-jit: the request " ID " stays" } },
	{ "the ceiling", { SUDO_TTY, .tune = low_ceiling, .steps = STEPS(ACCOUNT, WAITING, GONE) }, PAM_PERM_DENIED,
		{ "E:pam-jit: no verdict in time", "E:pam-jit: the request " ID " stays" } },
	{ "wait beyond all bounds", { SUDO_TTY, .tune = low_ceiling, .steps = STEPS(ACCOUNT,
		SEND("type=progress|text=a|wait=18446744073709551615"), GONE) }, PAM_PERM_DENIED, { "E:pam-jit: no verdict" } },

	/* ---- jitd talks nonsense ---- */
#define NONSENSE(name, message) \
	{ name, { SUDO, .steps = STEPS(ACCOUNT, message, GONE) }, PAM_PERM_DENIED, { "E:pam-jit: jitd's answer is not" } }
	NONSENSE("garbage", RAW("\x01\x02\xff")),
	NONSENSE("no last NUL", RAW("v=1|type=verdict|result=allow")),
	NONSENSE("another version", RAW("v=2|type=verdict|result=allow|")),
	NONSENSE("no version", RAW("type=verdict|result=allow|")),
	NONSENSE("no type", RAW("v=1|result=allow|type=verdict|")),
	NONSENSE("doubled result", RAW("v=1|type=verdict|result=denied|result=allow|")),
	NONSENSE("unknown type", SEND("type=allow|result=allow")),
	NONSENSE("a client's message", SEND("type=account|service=sudo|user=alice")),
	NONSENSE("verdict without result", SEND("type=verdict|text=go on")),
	NONSENSE("progress without wait", SEND("type=progress|text=x")),
	NONSENSE("progress without text", SEND("type=progress|wait=1000")),
	NONSENSE("progress with a bad wait", SEND("type=progress|text=x|wait=-1")),
	NONSENSE("progress with a bad id", SEND("type=progress|text=x|wait=1000|id=../../x")),
	NONSENSE("ask without what", SEND("type=ask|text=x|wait=1000")),
	NONSENSE("verdict with a bad id", SEND("type=verdict|result=allow|id=k7qf-2m9x")),
	NONSENSE("verdict with a deadline of no boot", SEND("type=verdict|result=allow|deadline=99999999999999")),
	NONSENSE("verdict with a boot alone", SEND("type=verdict|result=allow|boot=00000000000000000000000000000000")),
	NONSENSE("verdict with a bad boot", SEND("type=verdict|result=allow|deadline=99999999999999|boot=x")),
	NONSENSE("verdict with a bad deadline", SEND("type=verdict|result=allow|deadline=soon|boot="
		"00000000000000000000000000000000")),
	NONSENSE("verdict with deadline 0", SEND("type=verdict|result=allow|deadline=0|boot="
		"00000000000000000000000000000000")),
	NONSENSE("verdict with an empty target", SEND("type=verdict|result=allow|target=")),
	NONSENSE("verdict with session=maybe", SEND("type=verdict|result=allow|session=maybe")),
	{ "flood of progress", { SUDO_TTY, .steps = STEPS(ACCOUNT, { FAKE_FLOOD, "type=progress|text=x|wait=1000000" }) },
		PAM_PERM_DENIED, { "I:pam-jit: x", "E:pam-jit: jitd's answer is not understood (too much)" } },
	{ "flood of questions", { SUDO_TTY, .typed = "x", .steps = STEPS(ACCOUNT,
		{ FAKE_FLOOD, "type=ask|what=reason|text=Reason: |wait=1000000" }) }, PAM_PERM_DENIED,
		{ "E:pam-jit: jitd's answer is not understood (ask)" } },
	{ "unknown keys are skipped", { SUDO, .steps = STEPS(ACCOUNT,
		SEND("type=verdict|x-new=1|result=allow|other=allow"), GONE) }, PAM_SUCCESS },
};

/* ---- what needs more than a row ---- */

/* The host's own handler sees the signal once the mask is back, and only then. */
static void handler_sees_it(void **state)
{
	const struct run r = { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, ACT(interrupt), LEAVES("interrupt")) };

	assert_int_equal(harness_run(&r)->fake, 0);
	assert_int_equal(harness_handled(), 1);
	assert_true(outcome->usec < USEC_PER_SEC);
}

/* su has none: it dies of the signal, but not before the user was told. */
static void su_dies_of_it(void **state)
{
	const struct run r = { .service = "su", .user = "root", .steps = STEPS(ACCEPT, EXPECT("type=account"), WAITING,
		ACT(interrupt), LEAVES("interrupt")) };

	assert_int_equal(harness_run(&r)->fake, 0);
	assert_int_equal(outcome->signal, SIGINT);
	assert_true(harness_said_part("the request " ID " stays"));
}

static void told_once(void **state)
{
	const struct run r = { SUDO_TTY, .steps = STEPS(ACCOUNT, WAITING, CLOSE, ACCOUNT, WAITING, CLOSE, ACCOUNT, ALLOW) };
	unsigned told = 0;

	assert_int_equal(harness_run(&r)->fake, 0);
	assert_int_equal(outcome->code, PAM_SUCCESS);
	for (unsigned i = 0; i < outcome->n_said; i++)
		told += strstr(outcome->said[i], "went away") != NULL;
	assert_int_equal(told, 1);
}

static char *repeat(const char *head, const char *word, size_t times)
{
	size_t h = strlen(head), w = strlen(word);
	char *text = malloc(h + times * w + 1);

	memcpy(text, head, h);
	for (size_t i = 0; i < times; i++)
		memcpy(text + h + i * w, word, w);
	text[h + times * w] = '\0';
	return text;
}

/* A command line that cannot be told whole is marked, never shortened in silence. */
static void long_command_line(void **state)
{
	struct {
		const char *head, *word;
		size_t times;
		bool cut;
	} rows[] = {
		{ "sudo|echo|", "x", 100 * 1024, true },
		{ "sudo|echo", "|0123456789", 9000, true },
		{ "sudo|echo", "|x", 500, true },
		{ "sudo|echo", "|x", 200, false },
		{ "sudo|", "x", GATE_ARGS_MAX - 1, false },
		{ "sudo|", "x", GATE_ARGS_MAX, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *line = repeat(rows[i].head, rows[i].word, rows[i].times);
		struct run r = { SUDO_TTY, .cmdline = line };

		r.steps = rows[i].cut ? STEPS(ACCEPT, EXPECT("cut=yes|interactive=no"), SEND("type=verdict|result=refused"), GONE)
				      : STEPS(ACCEPT, EXPECT("!cut|interactive=yes"), SEND("type=verdict|result=allow"), GONE);
		assert_int_equal(harness_run(&r)->fake, 0);
		assert_int_equal(outcome->code, rows[i].cut ? PAM_PERM_DENIED : PAM_SUCCESS);
		free(line);
	}
}

/* What does not fit into a message is refused here. */
static void too_long_to_be_told(void **state)
{
	char *user = repeat("", "u", GATE_MAX);
	struct run r = { .service = "sudo", .user = user, .no_server = true };

	assert_int_equal(harness_run(&r)->code, PAM_PERM_DENIED);
	assert_true(harness_said_part("too long to be judged"));
	free(user);
}

static void too_long_a_message(void **state)
{
	char *flood = repeat("type=verdict|result=allow|text=", "x", GATE_MAX - 60);
	char *lines = repeat("type=verdict|result=denied|text=", "xxxxxxxxx", 7000);
	struct run r = { SUDO, .steps = STEPS(ACCOUNT, { FAKE_SEND, flood }, GONE) };

	assert_int_equal(harness_run(&r)->fake, 0);
	assert_int_equal(outcome->code, PAM_SUCCESS); /* long, but in bounds */
	r.steps = STEPS(ACCOUNT, { FAKE_SEND, lines }, GONE);
	assert_int_equal(harness_run(&r)->code, PAM_PERM_DENIED);
	assert_int_equal(outcome->n_said, 1);
	assert_true(strlen(outcome->said[0]) < 1040);
	free(flood);
	free(lines);
}

/* A deadline that is past, of another boot, or good; also when it passes while the process is stopped. */
static void deadlines(void **state)
{
	static char text[256];
	const struct {
		int64_t in;
		const char *boot;
		int code;
	} rows[] = {
		{ 60 * (int64_t)USEC_PER_SEC, harness_boot(), PAM_SUCCESS },
		{ -1, harness_boot(), PAM_PERM_DENIED },
		{ 60 * (int64_t)USEC_PER_SEC, "0123456789abcdef0123456789abcdef", PAM_PERM_DENIED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run r = { SUDO, .steps = STEPS(ACCOUNT, SEND(text), GONE) };

		snprintf(text, sizeof(text), "type=verdict|result=allow|id=" ID "|deadline=%llu|boot=%s",
			(unsigned long long)((int64_t)clock_boot() + rows[i].in), rows[i].boot);
		assert_int_equal(harness_run(&r)->fake, 0);
		assert_int_equal(outcome->code, rows[i].code);
		if (rows[i].code != PAM_SUCCESS)
			assert_true(harness_said("E:pam-jit: the time of grant " ID " is over"));
	}
}

static uint64_t stopped_until;

static void continue_late(void)
{
	while (clock_boot() <= stopped_until)
		usleep(1000);
	harness_continue();
}

static void stopped_over_the_deadline(void **state)
{
	static char text[256];
	struct run r = { SUDO_TTY, .steps = STEPS(ACCOUNT, ACT(harness_stop), SEND(text), ACT(continue_late), GONE) };

	stopped_until = clock_boot() + USEC_PER_SEC / 3;
	snprintf(text, sizeof(text), "type=verdict|result=allow|id=" ID "|deadline=%llu|boot=%s",
		(unsigned long long)stopped_until, harness_boot());
	assert_int_equal(harness_run(&r)->fake, 0);
	assert_int_equal(outcome->code, PAM_PERM_DENIED);
	assert_true(harness_said_part("is over"));
}

static void stop_for_long(void)
{
	harness_await_said(1);
	harness_stop();
	stopped_until = clock_boot() + 3 * USEC_PER_SEC / 2;
}

static void second_of_grace(struct pam_jit_knobs *k)
{
	k->grace = USEC_PER_SEC;
}

/* Stopped for longer than jitd's wait: what it said meanwhile is heard, not taken for silence. */
static void stopped_over_the_wait(void **state)
{
	struct run r = { SUDO_TTY, .tune = second_of_grace, .steps = STEPS(ACCOUNT,
		SEND("type=progress|text=x|wait=1000"), ACT(stop_for_long), SEND("type=verdict|result=allow"),
		ACT(continue_late), GONE) };

	assert_int_equal(harness_run(&r)->fake, 0);
	assert_int_equal(outcome->code, PAM_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest more[] = {
		cmocka_unit_test(handler_sees_it),
		cmocka_unit_test(su_dies_of_it),
		cmocka_unit_test(told_once),
		cmocka_unit_test(long_command_line),
		cmocka_unit_test(too_long_to_be_told),
		cmocka_unit_test(too_long_a_message),
		cmocka_unit_test(deadlines),
		cmocka_unit_test(stopped_over_the_deadline),
		cmocka_unit_test(stopped_over_the_wait),
	};
	int failed = cases_run("wait", cases, sizeof(cases) / sizeof(cases[0]));

	return failed + cmocka_run_group_tests_name("wait, more", more, harness_setup, harness_teardown);
}
