/* sudo's plugin: what it tells jitd of a call, and that nothing but jitd's yes is one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/gate.h"
#include "tests/pam/fault.h"
#include "tests/sudo/front.h"

#define ACCEPTED 1
#define REJECTED 0
#define USER .user_info = "user=alice|uid=1000|cwd=/home/alice|tty=/dev/pts/7"
#define NO_TTY .user_info = "user=alice|uid=1000|cwd=/home/alice"
#define PLAIN(n) .settings = "progname=sudo|update_ticket=true|network_addrs=192.0.2.10/255.255.255.0", .own = n
#define TOUCH PLAIN(1), USER, .argv = "sudo|touch|/run/x", .run = "touch|/run/x", \
	.command_info = "command=/usr/bin/touch|runas_user=root|runas_uid=0|umask=022"
#define BY .service = "sudo", .instead = front_run, .what = &(const struct front)
#define ALLOW SEND("type=verdict|result=allow"), GONE
#define ANSWER(verdict) STEPS(ACCEPT, EXPECT("type=approval"), SEND("type=verdict|" verdict), GONE)
#define SAYS(fields) STEPS(ACCEPT, EXPECT("type=approval|" fields), ALLOW)
#define ANSWERED(name, result, words) \
	{ name, { BY{ TOUCH }, .steps = ANSWER("result=" result) }, REJECTED, { "E:pam-jit: " words } }
#define REASON "type=ask|what=reason|text=Reason: |wait=5000000"

static char words_at_bound[GATE_ARGS_MAX + 64], words_beyond[GATE_ARGS_MAX + 64], many[2000];
static char timely[128], late[128], foreign[128];

static void interrupt(void)
{
	harness_await_said(1);
	harness_signal(SIGINT);
}

static char late_soon[128];

static void grant_until(char buf[128], uint64_t deadline, const char *boot)
{
	snprintf(buf, 128, "type=verdict|result=allow|id=" ID "|deadline=%llu|boot=%s", (unsigned long long)deadline, boot);
}

static void stop(void)
{
	harness_stop();
	grant_until(late_soon, clock_boot() + 50 * 1000, harness_boot());
}

static void goes_on(void)
{
	usleep(60 * 1000);
	harness_continue();
}

static const struct test_case cases[] = {
	/* ---- what jitd is told ---- */
	{ "a command", { BY{ TOUCH },
		.steps = SAYS("service=sudo|user=alice|tty=/dev/pts/7|arg=touch|arg=/run/x|own=0|kind=command|"
		"command=/usr/bin/touch|target=root|interactive=yes|!run|!odd|!cut|!inner|!cwd|!reason|!ruser|!conn") }, ACCEPTED,
		.quiet = true },
	{ "options", { BY{ PLAIN(5), USER, .argv = "sudo|-u#1001|--pro=x|-p|-urvalice|id|-u", .run = "id|-u",
		.command_info = "command=/usr/bin/id|runas_user=bob|runas_uid=1001" },
		.steps = SAYS("arg=-u#1001|arg=-urvalice|arg=id|"
		"own=4|kind=command|command=/usr/bin/id|target=bob|!run|!odd|interactive=no") }, ACCEPTED },
	{ "blanks and newlines", { BY{ PLAIN(1), USER, .argv = "sudo|sh|-c|a  b\nc\t'|", .run = "sh|-c|a  b\nc\t'|",
		.command_info = "command=/usr/bin/sh|runas_user=root" }, .steps = SAYS("arg=a  b\nc\t'|arg=|!run") },
		ACCEPTED },
	{ "relative", { BY{ PLAIN(1), USER, .argv = "sudo|./x", .run = "./x", .command_info = "command=./x|runas_user=root" },
		.steps = SAYS("arg=./x|command=./x|kind=command") }, ACCEPTED },
	{ "another argv[0]", { BY{ PLAIN(1), USER, .argv = "sudo|x", .run = "y",
		.command_info = "command=/usr/bin/x|runas_user=root" },
		.steps = SAYS("arg=x|run=y") }, ACCEPTED },
	{ "login", { BY{ .settings = "login_shell=true", .own = 2, USER, .argv = "sudo|-i|id|-u",
		.run = "-bash|--login|-c|id -u",
		.command_info = "command=/bin/bash|cwd=/root|cwd_optional=true|runas_user=root" },
		.steps = SAYS("service=sudo-i|arg=-i|"
		"own=1|kind=login|command=/bin/bash|run=-bash|run=--login|run=id -u|cwd=/root|!odd") }, ACCEPTED },
	{ "a shell without words", { BY{ .settings = "implied_shell=true|run_shell=true", .own = 2, USER, .argv = "sudo|-s",
		.run = "/bin/bash", .command_info = "command=/bin/bash|runas_user=root" },
		.steps = SAYS("service=sudo|own=1|kind=shell|"
		"run=/bin/bash") }, ACCEPTED },
	{ "sudoedit", { BY{ .settings = "sudoedit=true|progname=sudoedit", .own = 1, USER, .argv = "sudoedit|/etc/hosts|b c",
		.run = "/bin/vi|--|/etc/hosts|b c", .command_info = "command=/bin/vi|sudoedit=true|runas_user=root" },
		.steps = SAYS("service=sudo|arg=/etc/hosts|arg=b c|own=0|kind=edit|command=/bin/vi|!run|interactive=yes") }, ACCEPTED },
	{ "no terminal", { BY{ PLAIN(1), NO_TTY, .argv = "sudo|id", .run = "id",
		.command_info = "command=/usr/bin/id|runas_user=root" },
		.steps = SAYS("!tty|interactive=no") }, ACCEPTED },
	{ "no target", { BY{ PLAIN(1), USER, .argv = "sudo|id", .run = "id",
		.command_info = "command=/usr/bin/id|runas_uid=0" },
		.steps = SAYS("!target") }, ACCEPTED },
	{ "a reason", { BY{ TOUCH }, .environment = { "JIT_REASON=INC-1" }, .steps = SAYS("reason=INC-1") }, ACCEPTED },

	/* ---- what never matches an allow ---- */
	{ "a variable", { BY{ PLAIN(2), USER, .argv = "sudo|A=b|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root" },
		.steps = SAYS("odd=environment") }, ACCEPTED },
	{ "a variable of the command", { BY{ PLAIN(1), USER, .argv = "sudo|env|A=b", .run = "env|A=b",
		.command_info = "command=/bin/env|runas_user=root" }, .steps = SAYS("!odd") }, ACCEPTED },
	{ "-E", { BY{ .settings = "preserve_environment=true", .own = 2, USER, .argv = "sudo|-E|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root" }, .steps = SAYS("odd=environment") }, ACCEPTED },
	{ "--preserve-env=", { BY{ PLAIN(2), USER, .argv = "sudo|--preserve-e=A|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root" }, .steps = SAYS("odd=environment") }, ACCEPTED },
	{ "-g -R -D", { BY{ .settings = "runas_group=adm|cmnd_chroot=/srv|cmnd_cwd=/tmp", .own = 2, USER,
		.argv = "sudo|-x|id",
		.run = "id", .command_info = "command=/bin/id|cwd=/tmp|chroot=/srv|runas_group=adm|runas_user=root" },
		.steps = SAYS("odd=group chroot directory|cwd=/tmp") }, ACCEPTED },
	{ "a chroot by sudoers", { BY{ PLAIN(1), USER, .argv = "sudo|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root|chroot=/srv" }, .steps = SAYS("odd=chroot") }, ACCEPTED },
	{ "-T", { BY{ .settings = "timeout=5", .own = 2, USER, .argv = "sudo|-T5|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root" }, .steps = SAYS("odd=options") }, ACCEPTED },
	{ "an option of tomorrow", { BY{ .settings = "teleport=mars", .own = 2, USER,
		.argv = "sudo|--teleport=mars|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root" }, .steps = SAYS("odd=options") }, ACCEPTED },

	/* ---- bounds ---- */
	{ "as long as may be", { BY{ PLAIN(1), USER, .argv = words_at_bound, .run = words_at_bound + 5,
		.command_info = "command=/bin/echo|runas_user=root" }, .steps = SAYS("!cut|!run") }, ACCEPTED },
	{ "one byte longer", { BY{ PLAIN(1), USER, .argv = words_beyond, .run = words_beyond + 5,
		.command_info = "command=/bin/echo|runas_user=root" }, .steps = SAYS("cut=yes") }, ACCEPTED },
	{ "many words", { BY{ PLAIN(1), USER, .argv = many, .run = many + 5,
		.command_info = "command=/bin/echo|runas_user=root" },
		.steps = SAYS("cut=yes|own=0|kind=command|target=root") }, ACCEPTED },

	/* ---- what jitd answers ---- */
	ANSWERED("denied", "denied", "denied"), ANSWERED("pending", "pending", "requested"),
	ANSWERED("timed out", "timed-out", "nobody"), ANSWERED("cancelled", "cancelled", "the request"),
	ANSWERED("unreachable", "unreachable", "jitd cannot"), ANSWERED("misconfigured", "misconfigured", "no rules"),
	ANSWERED("busy", "busy", "too many"), ANSWERED("refused", "refused", "this call cannot"),
	ANSWERED("a result that is none", "Allow", "jitd cannot"), ANSWERED("an empty result", "", "jitd cannot"),
	{ "words", { BY{ TOUCH }, .steps = ANSWER("result=denied|text=by bob: no\n\033[2Jsecond") }, REJECTED,
		{ "E:pam-jit: by bob: no", "E:pam-jit: " }, .unsaid = "\033" },
	{ "no verdict", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval"), SEND("type=verdict"), GONE) },
		REJECTED,
		{ "E:pam-jit: jitd's answer is not understood" } },
	{ "nonsense", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval"), RAW("result=allow"), GONE) }, REJECTED,
		{ "E:pam-jit: jitd's answer" } },
	{ "for this account", { BY{ TOUCH }, .steps = ANSWER("result=allow|target=root") }, ACCEPTED, .quiet = true },
	{ "for another account", { BY{ TOUCH }, .steps = ANSWER("result=allow|target=postgres") }, REJECTED,
		{ "E:pam-jit: it was approved for another account" } },
	{ "for an account, but sudo names none", { BY{ PLAIN(1), USER, .argv = "sudo|id", .run = "id",
		.command_info = "command=/bin/id" },
		.steps = ANSWER("result=allow|target=root") }, REJECTED, { "E:" } },
	{ "in time", { BY{ TOUCH }, .steps = ANSWER("result=allow") }, ACCEPTED },
	{ "under a grant", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval"), SEND(timely), GONE) }, ACCEPTED },
	{ "too late", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval"), SEND(late), GONE) }, REJECTED,
		{ "E:pam-jit: the time of grant " ID " is over" } },
	{ "of another boot", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval"), SEND(foreign), GONE) }, REJECTED,
		{ "E:pam-jit: the time of grant" } },
	{ "stopped past the deadline", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval"), ACT(stop),
		SEND(late_soon), ACT(goes_on), GONE) }, REJECTED, { "E:pam-jit: the time of grant" } },

	/* ---- the wait ---- */
	{ "progress on a terminal", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval"),
		SEND("type=progress|text=asking bob|id=" ID "|wait=5000000"),
		SEND("type=progress|text=answer by 12:00|id=" ID "|wait=5000000"),
		SEND("type=verdict|result=allow|text=approved by bob"), GONE) }, ACCEPTED,
		{ "I:pam-jit: asking bob", "I:pam-jit: answer by", "I:pam-jit: approved by bob" } },
	{ "progress without one", { BY{ PLAIN(1), NO_TTY, .argv = "sudo|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root" },
		.steps = STEPS(ACCEPT, EXPECT("type=approval"), SEND("type=progress|text=asking bob|id=" ID "|wait=5000000"),
			SEND("type=progress|text=more|id=" ID "|wait=5000000"),
			SEND("type=verdict|result=denied|text=no"), GONE) }, REJECTED,
		{ "E:pam-jit: asking bob", "E:pam-jit: no" }, .unsaid = "more" },
	{ "a reason is typed", { BY{ TOUCH }, .typed = "INC-2", .steps = STEPS(ACCEPT,
		EXPECT("type=approval|interactive=yes"),
		SEND(REASON), EXPECT("type=answer|text=INC-2"), ALLOW) }, ACCEPTED, { "P:Reason: " } },
	{ "a prompt is broken off", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval"), SEND(REASON),
		EXPECT("type=leave|cause=interrupt"), GONE) }, REJECTED, { "E:pam-jit: not waiting" } },
	{ "no prompt under -n", { BY{ .settings = "noninteractive=true", .own = 2, USER, .argv = "sudo|-n|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root" }, .typed = "x", .steps = STEPS(ACCEPT,
		EXPECT("type=approval|interactive=no"), SEND(REASON), EXPECT("type=answer|!text"), ALLOW) }, ACCEPTED,
		.quiet = true },
	{ "no prompt under -S", { BY{ PLAIN(2), USER, .argv = "sudo|-S|id", .run = "id",
		.command_info = "command=/bin/id|runas_user=root" }, .steps = SAYS("interactive=no") }, ACCEPTED },
	{ "Ctrl-C", { BY{ TOUCH }, .own_handlers = true, .steps = STEPS(ACCEPT, EXPECT("type=approval"),
		SEND("type=progress|text=asking bob|id=" ID "|wait=5000000"), ACT(interrupt),
		EXPECT("type=leave|cause=interrupt"), GONE) },
		REJECTED, { "I:pam-jit: asking bob", "E:pam-jit: not waiting any longer",
		"E:pam-jit: the request " ID " stays" } },
	{ "jitd is restarted", { BY{ TOUCH }, .steps = STEPS(ACCEPT, EXPECT("type=approval|!id"),
		SEND("type=progress|text=asking bob|id=" ID "|wait=5000000"), { FAKE_CLOSE }, ACCEPT,
		EXPECT("type=approval|id=" ID "|arg=touch|command=/usr/bin/touch"), ALLOW) }, ACCEPTED,
		{ "I:pam-jit: jitd went away" } },
	{ "nobody listens", { BY{ TOUCH }, .no_server = true }, REJECTED, { "E:pam-jit: jitd cannot be reached" } },
	{ "not root listens", { BY{ TOUCH }, .wrong_server = true, .steps = STEPS(ACCEPT, GONE) }, REJECTED,
		{ "E:pam-jit: another than root answers" } },

	/* ---- what sudo must tell ---- */
	{ "root", { BY{ TOUCH }, .root = true, .no_server = true }, ACCEPTED, .quiet = true },
	{ "no user", { BY{ PLAIN(1), .user_info = "uid=1000", .argv = "sudo|id", .run = "id",
		.command_info = "command=/bin/id" } }, REJECTED,
		{ "E:pam-jit: sudo has not told who calls" } },
	{ "no user_info", { BY{ PLAIN(1), .argv = "sudo|id", .run = "id", .command_info = "command=/bin/id" } }, REJECTED,
		{ "E:pam-jit: sudo has not told who calls" } },
	{ "no command", { BY{ PLAIN(1), USER, .argv = "sudo|id", .run = "id", .command_info = "runas_user=root" } }, REJECTED,
		{ "E:pam-jit: sudo has not told what it will run" } },
	{ "an empty command", { BY{ PLAIN(1), USER, .argv = "sudo|id", .run = "id",
		.command_info = "command=|runas_user=root" } }, REJECTED,
		{ "E:pam-jit: sudo has not told what" } },
	{ "no command_info", { BY{ PLAIN(1), USER, .argv = "sudo|id", .run = "id" } }, REJECTED,
		{ "E:pam-jit: sudo has not told what" } },
	{ "no run_argv", { BY{ PLAIN(1), USER, .argv = "sudo|id", .command_info = "command=/bin/id" } }, REJECTED,
		{ "E:pam-jit: sudo has not told what" } },
	{ "an empty run_argv", { BY{ PLAIN(1), USER, .argv = "sudo|id", .run = "",
		.command_info = "command=/bin/id" } }, REJECTED,
		{ "E:pam-jit: sudo has not told what" } },
	{ "no argv", { BY{ PLAIN(1), USER, .run = "id", .command_info = "command=/bin/id" } }, REJECTED,
		{ "E:pam-jit: sudo has not told how" } },
	{ "an empty argv", { BY{ PLAIN(1), USER, .argv = "", .run = "id", .command_info = "command=/bin/id" } },
		REJECTED, { "E:pam-jit: sudo has" } },
	{ "optind 0", { BY{ .own = 0, USER, .argv = "sudo|id", .run = "id", .command_info = "command=/bin/id" } },
		REJECTED, { "E:" } },
	{ "optind beyond", { BY{ .own = 3, USER, .argv = "sudo|id", .run = "id",
		.command_info = "command=/bin/id" } }, REJECTED, { "E:" } },
	{ "optind negative", { BY{ .own = -1, USER, .argv = "sudo|id", .run = "id",
		.command_info = "command=/bin/id" } }, REJECTED, { "E:" } },
	{ "an option in sudo.conf", { BY{ TOUCH, .options = "debug\033" } }, REJECTED,
		{ "E:pam-jit: sudo_jit.so takes no options, and /etc/sudo.conf gives it 'debug\\x1b'" } },
	{ "another major version", { BY{ TOUCH, .version = 2U << 16 } }, FRONT_UNOPENED, .quiet = true },
	{ "version 0.99", { BY{ TOUCH, .version = 99 } }, FRONT_UNOPENED, .quiet = true },
	{ "the first version with approval", { BY{ TOUCH, .version = 1U << 16 | 15 }, .steps = SAYS("kind=command") },
		ACCEPTED },
	{ "no conversation", { BY{ TOUCH, .deaf = true } }, FRONT_UNOPENED, .quiet = true },

	/* ---- intercepted: sudo opens and checks anew for what the command starts ---- */
	{ "intercepted", { BY{ PLAIN(1), USER, .argv = "sudo|sh|-c|id", .run = "sh|-c|id",
		.command_info = "command=/usr/bin/sh|runas_user=root|intercept=true",
		.again_info = "command=/usr/bin/id|runas_user=root|intercept=true",
		.again_run = "/usr/bin/id" }, .steps = STEPS(ACCEPT, EXPECT("type=approval|!inner|kind=command"),
		SEND("type=verdict|result=allow"),
		ACCEPT, EXPECT("type=approval|inner=yes|command=/usr/bin/id|run=/usr/bin/id|kind=command|interactive=no"),
		SEND("type=verdict|result=denied"), GONE) }, REJECTED, { "E:pam-jit: denied" } },
	{ "not intercepted", { BY{ TOUCH, .again_info = "command=/usr/bin/id|runas_user=root", .again_run = "id" },
		.steps = STEPS(ACCEPT,
		EXPECT("type=approval|!inner"), SEND("type=verdict|result=allow"), ACCEPT, EXPECT("type=approval|!inner"),
		SEND("type=verdict|result=denied"), GONE) }, REJECTED },
};

/* ---- open ---- */

/* Whatever sudo calls it with: 1, and check tells; or -1, and sudo ends.  0 would be a command that runs unasked. */
static void never_not_needed(void **state)
{
	static const char *const vectors[] = { NULL, "", "=", "x", "user=alice", "login_shell=true|sudoedit=true" };
	static const unsigned versions[] = { 1U << 16 | 15, 1U << 16 | 21, 1U << 16, 0, 1, 2U << 16, 0xffffffffU };
	static const int owns[] = { -1, 0, 1, 1000000 };

	for (size_t i = 0; i < 6 * 6 * 6 * 7 * 4; i++) {
		struct front f = { .settings = vectors[i % 6], .user_info = vectors[i / 6 % 6], .argv = vectors[i / 36 % 6],
			.options = vectors[i / 6 % 6], .version = versions[i / 216 % 7], .own = owns[i / 1512 % 4],
			.deaf = i % 5 == 0 };
		struct run r = { BY{ .own = 0 } };
		int code;

		f.version = f.version ? f.version : 1U << 16; /* 0 stands for a usual one */
		r.what = &f;
		outcome->n_said = 0;
		code = front_run(&r);
		assert_true(outcome->account == 1 || outcome->account == -1);
		assert_true(code == REJECTED || code == FRONT_UNOPENED);
		assert_false(harness_said("!"));
	}
}

/* As installed: its own bounds, and the real uid. */
static void as_installed(void **state)
{
	struct run r = { BY{ .real = true, PLAIN(1), .argv = "sudo|id", .run = "id",
		.command_info = "command=/bin/id" }, .no_server = true };

	harness_run(&r);
	assert_int_equal(outcome->account, 1);
	assert_int_equal(outcome->code, getuid() == 0 ? ACCEPTED : REJECTED);
	assert_true(outcome->left_alone);
}

/* ---- each call to the outside fails once ---- */

static void impatient(struct pam_jit_knobs *k)
{
	k->retry_for = k->first_wait = USEC_PER_SEC / 10;
}

static void every_fault(const struct fake_step *steps, bool may_accept)
{
	struct run r = { BY{ TOUCH }, .steps = steps, .typed = "x", .tune = impatient, .lenient = true };
	unsigned n;

	fault->at = fault->calls = 0;
	harness_run(&r);
	n = fault->calls;
	assert_true(n > 5);
	for (unsigned at = 1; at <= n; at++) {
		fault->at = at;
		fault->calls = 0;
		harness_run(&r);
		if (outcome->signal || outcome->killed || !outcome->left_alone)
			fail_msg("signal %d, changed %s, with call %u (%s) failing", outcome->signal,
				outcome->changed, at, fault->name);
		if (outcome->account != 1 || (outcome->code == ACCEPTED && !may_accept))
			fail_msg("open %d, check %d, with call %u (%s) failing", outcome->account, outcome->code, at,
				fault->name);
	}
	fault->at = 0;
}

static void faults(void **state)
{
	every_fault(STEPS(ACCEPT, EXPECT("type=approval"), SEND("type=verdict|result=denied"), ACCEPT,
		EXPECT("type=approval"),
		SEND("type=verdict|result=denied")), false);
	every_fault(STEPS(ACCEPT, EXPECT("type=approval"), SEND(late), ACCEPT, EXPECT("type=approval"), SEND(late)), false);
	every_fault(STEPS(ACCEPT, EXPECT("type=approval"), SEND(REASON), EXPECT("type=answer"),
		SEND("type=verdict|result=denied"),
		ACCEPT, EXPECT("type=approval"), SEND("type=verdict|result=denied")), false);
	every_fault(STEPS(ACCEPT, EXPECT("type=approval"), SEND("type=verdict|result=allow"), ACCEPT, EXPECT("type=approval"),
		SEND("type=verdict|result=allow")), true);
}

static int setup(void **state)
{
	fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return fault == MAP_FAILED ? -1 : harness_setup(state);
}

/* "sudo|echo|aaa…": the words behind sudo take BYTES bytes, with a NUL each. */
static void long_words(char *buf, size_t bytes)
{
	size_t n = (size_t)sprintf(buf, "sudo|echo|");

	memset(buf + n, 'a', bytes - 6);
	buf[n + bytes - 6] = '\0';
}

static void make_texts(void)
{
	long_words(words_at_bound, GATE_ARGS_MAX);
	long_words(words_beyond, GATE_ARGS_MAX + 1);
	strcpy(many, "sudo");
	for (unsigned i = 0; i < 300; i++)
		strcat(many, "|w");
	grant_until(timely, clock_boot() + 600 * USEC_PER_SEC, harness_boot());
	grant_until(late, clock_boot(), harness_boot());
	grant_until(foreign, clock_boot() + 600 * USEC_PER_SEC, "0123456789abcdef0123456789abcdef");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(never_not_needed), cmocka_unit_test(as_installed),
		cmocka_unit_test(faults) };
	int failed;

	make_texts();
	failed = cases_run("plugin", cases, sizeof(cases) / sizeof(cases[0]));
	return failed + cmocka_run_group_tests_name("open and faults", tests, setup, harness_teardown);
}
