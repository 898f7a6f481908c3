/* Verdicts, services, messages, arguments: what the account phase answers when nothing goes wrong on the way. */
#include <string.h>
#include <unistd.h>
#include "tests/pam/cases.h"

#define SUDO .service = "sudo", .user = "alice", .ruser = "alice"
#define SUDO_TTY SUDO, .tty = "/dev/pts/7"
#define ALLOW SEND("type=verdict|result=allow"), GONE
#define ANSWER(result) STEPS(ACCEPT, EXPECT("type=account"), SEND("type=verdict|result=" result), GONE)
#define NOTHING STEPS({ FAKE_END })

/* In the wait the module holds descriptors, but none of those that the host has closed. */
static void no_stdio_taken(void)
{
	harness_await_said(1); /* by now it waits, or is about to: all of them are open */
	for (int fd = 0; fd < 3; fd++)
		if (harness_has_fd(fd))
			_exit(1);
}

static void busy(void)
{
	usleep(60 * 1000); /* less than the grace */
}

static const struct test_case cases[] = {
	/* ---- every result of GATE_RESULTS, and words that are none ---- */
	{ "allow", { SUDO, .steps = ANSWER("allow") }, PAM_SUCCESS, .quiet = true },
	{ "denied", { SUDO, .steps = ANSWER("denied") }, PAM_PERM_DENIED, { "E:pam-jit: denied" } },
	{ "pending", { SUDO, .steps = ANSWER("pending") }, PAM_PERM_DENIED, { "E:pam-jit: requested" } },
	{ "timed out", { SUDO, .steps = ANSWER("timed-out") }, PAM_PERM_DENIED, { "E:pam-jit: nobody answered" } },
	{ "cancelled", { SUDO, .steps = ANSWER("cancelled") }, PAM_PERM_DENIED, { "E:pam-jit: the request was withdrawn" } },
	{ "unreachable", { SUDO, .steps = ANSWER("unreachable") }, PAM_PERM_DENIED, { "E:pam-jit: jitd cannot" } },
	{ "misconfigured", { SUDO, .steps = ANSWER("misconfigured") }, PAM_PERM_DENIED, { "E:pam-jit: no rules" } },
	{ "busy", { SUDO, .steps = ANSWER("busy") }, PAM_PERM_DENIED, { "E:pam-jit: too many" } },
	{ "refused", { SUDO, .steps = ANSWER("refused") }, PAM_PERM_DENIED, { "E:pam-jit: this call cannot" } },
	{ "result ALLOW", { SUDO, .steps = ANSWER("ALLOW") }, PAM_PERM_DENIED, { "E:pam-jit: jitd cannot" } },
	{ "result allowed", { SUDO, .steps = ANSWER("allowed") }, PAM_PERM_DENIED, { "E:pam-jit: " } },
	{ "result empty", { SUDO, .steps = ANSWER("") }, PAM_PERM_DENIED, { "E:pam-jit: " } },
	{ "result 0", { SUDO, .steps = ANSWER("0") }, PAM_PERM_DENIED, { "E:pam-jit: " } },
	{ "result value", { SUDO, .steps = ANSWER("1513920225") }, PAM_PERM_DENIED, { "E:pam-jit: " } },
	/* PAM_IGNORE would pass here. */
	{ "denied is not ignored", { SUDO, .permit = true, .steps = ANSWER("denied") }, PAM_PERM_DENIED },

	/* ---- who is asked about ---- */
	{ "sudo", { SUDO_TTY, .sudo_command = "/usr/bin/id -u", .cmdline = "sudo|id|-u", .steps = STEPS(ACCEPT,
		EXPECT("type=account|service=sudo|user=alice|ruser=alice|tty=/dev/pts/7|command=/usr/bin/id -u|arg=id|arg=-u|"
			"interactive=yes|!cut|!reason|!conn|!rhost"), ALLOW) }, PAM_SUCCESS },
	{ "sudo-i", { .service = "sudo-i", .user = "alice", .cmdline = "sudo|-i", .steps = STEPS(ACCEPT,
		EXPECT("type=account|service=sudo-i|arg=-i|interactive=no|!tty|!command"), ALLOW) }, PAM_SUCCESS },
	{ "su", { .service = "su", .user = "root", .ruser = "alice", .cmdline = "su|-c|id", .sudo_command = "/bin/id",
		.steps = STEPS(ACCEPT, EXPECT("service=su|user=root|ruser=alice|arg=-c|arg=id|!command"), ALLOW) }, PAM_SUCCESS },
	{ "su-l", { .service = "su-l", .user = "root", .cmdline = "su|-", .steps = STEPS(ACCEPT,
		EXPECT("service=su-l|arg=-"), ALLOW) }, PAM_SUCCESS },
	{ "sshd", { .service = "sshd", .user = "alice", .tty = "ssh", .rhost = "192.0.2.9", .tcp = true, .steps = STEPS(ACCEPT,
		EXPECT("service=sshd|user=alice|tty=ssh|rhost=192.0.2.9|conn|interactive=try|!arg|!cut"), ALLOW) }, PAM_SUCCESS },
	{ "sshd asks root as well", { .service = "sshd", .user = "root", .root = true, .steps = ANSWER("denied") },
		PAM_PERM_DENIED },
	{ "root's sudo wakes nobody", { SUDO, .root = true, .no_server = true }, PAM_SUCCESS, .quiet = true },
	{ "root's su wakes nobody", { .service = "su-l", .user = "postgres", .root = true, .no_server = true }, PAM_SUCCESS,
		.quiet = true },
	{ "sudo -l wakes nobody", { SUDO, .sudo_command = "list", .no_server = true }, PAM_SUCCESS, .quiet = true },
	{ "sudo -v wakes nobody", { SUDO, .sudo_command = "validate", .no_server = true }, PAM_SUCCESS, .quiet = true },
	{ "sudo -l COMMAND ARG wakes nobody", { SUDO, .sudo_command = "list -u", .no_server = true }, PAM_SUCCESS, .quiet = true },
	{ "a program called list is asked about", { SUDO, .sudo_command = "/usr/bin/list -u", .steps = STEPS(ACCEPT,
		EXPECT("command=/usr/bin/list -u"), ALLOW) }, PAM_SUCCESS },
	{ "a program called list, here", { SUDO, .sudo_command = "./list", .steps = STEPS(ACCEPT, EXPECT("command=./list"), ALLOW) },
		PAM_SUCCESS },
	{ "a program whose name begins so", { SUDO, .sudo_command = "lister x", .steps = STEPS(ACCEPT, EXPECT("command=lister x"),
		ALLOW) }, PAM_SUCCESS },
	{ "sudo -v has no arguments", { SUDO, .sudo_command = "validate x", .steps = STEPS(ACCEPT, EXPECT("command=validate x"),
		ALLOW) }, PAM_SUCCESS },
	{ "a list of the requester's own", { SUDO, .environment = { "SUDO_COMMAND=list" }, .steps = STEPS(ACCEPT,
		EXPECT("type=account|!command"), SEND("type=verdict|result=denied")) }, PAM_PERM_DENIED },
	{ "su's SUDO_COMMAND is nobody's word", { .service = "su", .user = "root", .sudo_command = "list",
		.steps = ANSWER("denied") }, PAM_PERM_DENIED },
	{ "another service is none of ours", { .service = "cron", .user = "alice", .permit = true, .no_server = true },
		PAM_SUCCESS, .quiet = true },
	{ "another service, alone", { .service = "cron", .user = "alice", .no_server = true }, PAM_PERM_DENIED,
		.quiet = true },
	{ "login is none of ours", { .service = "login", .user = "alice", .permit = true, .no_server = true }, PAM_SUCCESS,
		.quiet = true },
	{ "a named service", { .service = "doas", .user = "alice", .args = "service=x service=doas", .permit = true,
		.steps = ANSWER("denied") }, PAM_PERM_DENIED },
	{ "a named service asks root too", { .service = "doas", .user = "alice", .args = "service=doas", .root = true,
		.steps = ANSWER("allow") }, PAM_SUCCESS },

	/* ---- arguments ---- */
	{ "debug", { SUDO, .args = "debug", .steps = ANSWER("allow") }, PAM_SUCCESS },
	{ "unknown argument", { SUDO, .args = "dbeug", .permit = true, .no_server = true }, PAM_PERM_DENIED,
		{ "E:pam-jit: wrong argument 'dbeug'" } },
	{ "unknown argument, elsewhere", { .service = "cron", .user = "alice", .args = "nonsense", .permit = true,
		.no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "unknown argument, root", { SUDO, .root = true, .args = "x", .no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "argument escaped", { SUDO, .args = "a\033[2Jb", .no_server = true }, PAM_PERM_DENIED,
		{ "E:pam-jit: wrong argument 'a\\x1b[2Jb'" } },
	{ "service= empty", { SUDO, .args = "service=", .no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "service= malformed", { SUDO, .args = "service=../x", .no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "phase= in account", { SUDO, .args = "phase=attach", .no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "service=systemd-user", { .service = "systemd-user", .user = "alice", .args = "service=systemd-user", .permit = true,
		.no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "service=polkit-1", { .service = "polkit-1", .user = "root", .args = "service=polkit-1", .permit = true,
		.no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "service=login", { .service = "login", .user = "alice", .args = "service=login", .permit = true, .no_server = true },
		PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "service=login, in sudo's file", { SUDO, .args = "service=login", .no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "service=login, an account that exists", { .service = "login", .user = "nobody", .args = "service=login",
		.permit = true, .no_server = true }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } },
	{ "the first wrong argument is named", { SUDO, .args = "debug one two", .no_server = true }, PAM_PERM_DENIED,
		{ "E:pam-jit: wrong argument 'one'" } },
	{ "root keeps the console", { .service = "login", .user = "root", .args = "service=login", .permit = true,
		.no_server = true }, PAM_SUCCESS, .quiet = true },

	/* ---- auth ---- */
#define AFTER_KEY .service = "sshd", .user = "alice", .root = true, .auth_args = "after=publickey", .no_server = true, .permit = true
#define KEY "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA"
#define TITLE .cmdline = "sshd: alice [pam]"
	{ "a key is proved", { AFTER_KEY, TITLE, .auth_info = KEY }, PAM_SUCCESS, .quiet = true },
	{ "sshd-session's title", { AFTER_KEY, .cmdline = "sshd-session: alice [pam]", .auth_info = KEY "\n" }, PAM_SUCCESS, .quiet = true },
	{ "a key and more", { AFTER_KEY, TITLE, .auth_info = "hostbased ssh-rsa AAAA\n" KEY "\n" }, PAM_SUCCESS, .quiet = true },
	{ "no key", { AFTER_KEY, TITLE }, PAM_PERM_DENIED, .quiet = true },
	{ "nothing yet", { AFTER_KEY, TITLE, .auth_info = "" }, PAM_PERM_DENIED, .quiet = true },
	{ "a password is no key", { AFTER_KEY, TITLE, .auth_info = "password\nkeyboard-interactive/pam\n" }, PAM_PERM_DENIED },
	{ "a host's key is not the user's", { AFTER_KEY, TITLE, .auth_info = "hostbased ssh-ed25519 AAAA publickey ssh-ed25519 AAAA" },
		PAM_PERM_DENIED },
	{ "half a word", { AFTER_KEY, TITLE, .auth_info = "publickeys x\npublickey\nxpublickey y" }, PAM_PERM_DENIED },
	{ "the monitor, where a password may be checked", { AFTER_KEY, .cmdline = "sshd: alice [priv]", .auth_info = KEY },
		PAM_PERM_DENIED },
	{ "a title within", { AFTER_KEY, .cmdline = "sshd: alice [pam]|x", .auth_info = KEY }, PAM_SUCCESS },
	{ "a title that goes on", { AFTER_KEY, .cmdline = "sshd: alice [pam] x", .auth_info = KEY }, PAM_PERM_DENIED },
	{ "no title", { AFTER_KEY, .cmdline = "", .auth_info = KEY }, PAM_PERM_DENIED },
	{ "no title, as short as can be", { AFTER_KEY, .cmdline = " [pam]", .auth_info = KEY }, PAM_PERM_DENIED },
	{ "not root's process", { .service = "sshd", .user = "alice", .auth_args = "after=publickey", .no_server = true,
		.permit = true, TITLE, .auth_info = KEY }, PAM_PERM_DENIED },
	{ "auth without after= has no opinion", { .service = "sshd", .user = "alice", .root = true, .auth_args = "debug", .no_server = true,
		.permit = true, TITLE, .auth_info = KEY }, PAM_SUCCESS, .quiet = true },
	{ "and does not authenticate alone", { .service = "sshd", .user = "alice", .root = true, .auth_args = "debug", .no_server = true,
		TITLE, .auth_info = KEY }, PAM_PERM_DENIED },
#define WRONG_AUTH(name, of, words) \
	{ name, { .service = of, .user = "alice", .root = true, .auth_args = words, .no_server = true, .permit = true, TITLE, \
		.auth_info = KEY }, PAM_PERM_DENIED, { "E:pam-jit: wrong argument" } }
	WRONG_AUTH("after=publickey is sshd's", "sudo", "after=publickey"),
	WRONG_AUTH("after=publickey is sshd's, not another's", "doas", "service=doas after=publickey"),
	WRONG_AUTH("after=password", "sshd", "after=password"),
	WRONG_AUTH("after= empty", "sshd", "after="),
	WRONG_AUTH("after= twice", "sshd", "after=publickey after=publickey"),
	WRONG_AUTH("a slip in auth", "sshd", "afterpublickey"),
	WRONG_AUTH("phase= in auth", "sshd", "phase=before"),
	{ "after= in account", { .service = "sshd", .user = "alice", .args = "after=publickey", .no_server = true, .permit = true },
		PAM_PERM_DENIED, { "E:pam-jit: wrong argument 'after=publickey'" } },

	/* ---- the command line ---- */
	{ "odd bytes pass as they are", { SUDO, .cmdline = "sudo|a\nb|\xff\033[1m||c=d", .steps = STEPS(ACCEPT,
		EXPECT("arg=a\nb|arg=\xff\033[1m|arg=|arg=c=d|!cut"), ALLOW) }, PAM_SUCCESS },
	{ "no command line", { SUDO_TTY, .cmdline = "", .steps = STEPS(ACCEPT, EXPECT("cut=yes|!arg|interactive=no"), ALLOW) },
		PAM_SUCCESS },
	{ "reason", { SUDO, .environment = { "JIT_REASON=INC-1 disk full" }, .steps = STEPS(ACCEPT,
		EXPECT("reason=INC-1 disk full"), ALLOW) }, PAM_SUCCESS },
	{ "an empty reason is none", { SUDO, .environment = { "JIT_REASON=" }, .steps = STEPS(ACCEPT, EXPECT("!reason"), ALLOW) },
		PAM_SUCCESS },
	{ "sshd's own reason is nobody's", { .service = "sshd", .user = "alice", .environment = { "JIT_REASON=x" },
		.steps = STEPS(ACCEPT, EXPECT("!reason"), ALLOW) }, PAM_SUCCESS },

	/* ---- messages ---- */
	{ "progress on a terminal", { SUDO_TTY, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=progress|text=waiting for 1 of sre|id=" ID "|wait=1000000"),
		SEND("type=progress|text=waiting for 1 of sre|id=" ID "|wait=1000000"),
		SEND("type=progress|text=bob has seen it|wait=1000000"),
		SEND("type=verdict|result=allow|text=approved by bob, 30 min|id=" ID), GONE) }, PAM_SUCCESS,
		{ "I:pam-jit: waiting for 1 of sre", "I:pam-jit: bob has seen it", "I:pam-jit: approved by bob, 30 min" }, .unsaid = "E:pam-jit: " },
	{ "one line at each end without", { SUDO, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=progress|text=waiting\nfor sre|id=" ID "|wait=1000000"),
		SEND("type=progress|text=bob has seen it|wait=1000000"),
		SEND("type=verdict|result=allow|text=approved by bob"), GONE) }, PAM_SUCCESS,
		{ "E:pam-jit: waiting; for sre", "E:pam-jit: approved by bob" }, .unsaid = "seen" },
	{ "what is about no request is for a terminal", { SUDO, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=progress|text=looking|wait=1000000"), SEND("type=progress|text=waiting for sre|id=" ID "|wait=1000000"),
		SEND("type=verdict|result=allow|text=approved by bob"), GONE) }, PAM_SUCCESS,
		{ "E:pam-jit: waiting for sre", "E:pam-jit: approved by bob" }, .unsaid = "looking" },
	{ "nothing at all when allowed at once", { SUDO, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=verdict|result=allow|text=allowed by rule x"), GONE) }, PAM_SUCCESS, .quiet = true },
	{ "a refusal has its lines", { SUDO_TTY, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=verdict|result=denied|text=denied by bob\nnot today"), GONE) }, PAM_PERM_DENIED,
		{ "E:pam-jit: denied by bob", "E:pam-jit: not today" } },
	{ "and one without a terminal", { SUDO, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=verdict|result=denied|text=denied by bob\nnot today"), GONE) }, PAM_PERM_DENIED,
		{ "E:pam-jit: denied by bob; not today" } },
	{ "sshd: only the end is said", { .service = "sshd", .user = "alice", .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=progress|text=waiting|wait=1000000"), SEND("type=verdict|result=pending|text=ask bob"), GONE) },
		PAM_PERM_DENIED, { "E:pam-jit: ask bob" }, .unsaid = "waiting" },
	{ "text is filtered", { SUDO_TTY, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=progress|text=a\033]0;x\007b\\n\r\xff|wait=1000000"), SEND("type=verdict|result=allow"), GONE) },
		PAM_SUCCESS, { "I:pam-jit: a\\x1b]0;x\\x07b\\n\\x0d\\xff" } },
	{ "eight lines", { SUDO_TTY, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=verdict|result=denied|text=1\n2\n3\n4\n5\n6\n7\n8\n9\n10"), GONE) }, PAM_PERM_DENIED,
		{ "E:pam-jit: 1", "E:pam-jit: 8" }, .unsaid = "9" },

	/* ---- prompts ---- */
	{ "a reason is asked for", { SUDO_TTY, .typed = "INC-7", .steps = STEPS(ACCEPT, EXPECT("interactive=yes"),
		SEND("type=ask|what=reason|text=Reason:|wait=1000000"), EXPECT("type=answer|text=INC-7"), ALLOW) }, PAM_SUCCESS,
		{ "P:Reason: " } },
	{ "an answer that takes its time", { SUDO_TTY, .typed = "INC-7", .slow_prompt = 300 * 1000, .steps = STEPS(ACCEPT,
		EXPECT("interactive=yes"), SEND("type=ask|what=reason|text=Reason:|wait=1000"), EXPECT("type=answer|text=INC-7"),
		ACT(busy), ALLOW) }, PAM_SUCCESS },
	{ "an empty answer is an answer", { SUDO_TTY, .typed = "", .steps = STEPS(ACCEPT, EXPECT("interactive=yes"),
		SEND("type=ask|what=reason|text=Reason: |wait=1000000"), EXPECT("type=answer|text="), ALLOW) }, PAM_SUCCESS,
		{ "P:Reason: " } },
	{ "a broken prompt leaves", { SUDO_TTY, .steps = STEPS(ACCEPT, EXPECT("interactive=yes"),
		SEND("type=ask|what=reason|text=Reason: |wait=1000000"), EXPECT("type=leave|cause=interrupt"), GONE) },
		PAM_PERM_DENIED, { "P:Reason: ", "E:pam-jit: not waiting any longer" } },
	{ "another question is not put", { SUDO_TTY, .typed = "secret", .steps = STEPS(ACCEPT, EXPECT("interactive=yes"),
		SEND("type=ask|what=password|text=Password: |wait=1000000"), EXPECT("type=answer|!text"), ALLOW) }, PAM_SUCCESS,
		.unsaid = "P:" },
#define NO_PROMPT(name, line) \
	{ name, { SUDO_TTY, .typed = "pw", .cmdline = line, .steps = STEPS(ACCEPT, EXPECT("interactive=no"), \
		SEND("type=ask|what=reason|text=Reason: |wait=1000000"), EXPECT("type=answer|!text"), ALLOW) }, PAM_SUCCESS, \
		.unsaid = "P:" }
	NO_PROMPT("no prompt under -S", "sudo|-S|id"),
	NO_PROMPT("no prompt under -A", "sudo|-A|id"),
	NO_PROMPT("no prompt under -n", "sudo|-n|id"),
	NO_PROMPT("no prompt under -bS", "sudo|-bS|id"),
	NO_PROMPT("no prompt under --stdin", "sudo|--stdin|id"),
	NO_PROMPT("no prompt under --askpass", "sudo|--askpass|id"),
	NO_PROMPT("no prompt under --non-interactive", "sudo|--non-interactive|id"),
	NO_PROMPT("no prompt under --std", "sudo|--std|id"),
	NO_PROMPT("no prompt under -nu root", "sudo|-nu|root|id"),
	NO_PROMPT("no prompt under -p -S", "sudo|-p|-S|id"),
	NO_PROMPT("no prompt under what is unknown", "sudo|-Z|id"),
	{ "the command's own -n does not matter", { SUDO_TTY, .cmdline = "sudo|-u|root|grep|-nS|x", .steps = STEPS(ACCEPT,
		EXPECT("interactive=yes"), ALLOW) }, PAM_SUCCESS },
	{ "no prompt without a terminal", { SUDO, .typed = "x", .steps = STEPS(ACCEPT, EXPECT("interactive=no"),
		SEND("type=ask|what=reason|text=Reason: |wait=1000000"), EXPECT("type=answer|!text"), ALLOW) }, PAM_SUCCESS,
		.unsaid = "P:" },
	{ "su prompts on its terminal", { .service = "su", .user = "root", .tty = "pts/3", .terminal = true, .typed = "INC-7",
		.own_handlers = true, .steps = STEPS(ACCEPT, EXPECT("interactive=yes"),
		SEND("type=ask|what=reason|text=Reason: |wait=1000000"), EXPECT("type=answer|text=INC-7"), ALLOW) }, PAM_SUCCESS },
	{ "su with its output in a pipe", { .service = "su", .user = "root", .tty = "pts/3", .stdio_pipes = true, .typed = "x",
		.steps = STEPS(ACCEPT, EXPECT("interactive=no"),
		SEND("type=progress|text=waiting|id=" ID "|wait=1000000"), ALLOW) },
		PAM_SUCCESS, { "E:pam-jit: waiting" }, .unsaid = "I:pam-jit: " },

	/* ---- sshd's client: asked and shown by keyboard-interactive, where that works ---- */
#define SSHD .service = "sshd", .user = "alice", .tty = "ssh", .tcp = true
#define TRY ACCEPT, EXPECT("type=account|interactive=try")
#define LOOK SEND("type=ask|what=look|text=Press Enter: |wait=1000000")
	{ "sshd: a reason", { SSHD, .typed = "INC-7", .steps = STEPS(TRY, SEND("type=ask|what=reason|text=Reason: |wait=1000000"),
		EXPECT("type=answer|text=INC-7"), ALLOW) }, PAM_SUCCESS, { "P:Reason: " } },
	{ "sshd: progress comes with the question", { SSHD, .typed = "", .steps = STEPS(TRY,
		SEND("type=progress|text=asking sre\nby 14:32|id=" ID "|wait=1000000"), LOOK, EXPECT("type=answer|text="),
		SEND("type=progress|text=asking sre\nby 14:32|id=" ID "|wait=1000000"), LOOK, EXPECT("type=answer|text="), LOOK,
		EXPECT("type=answer|text="), SEND("type=verdict|result=allow|text=approved by bob|id=" ID), GONE) }, PAM_SUCCESS,
		{ "P:pam-jit: asking sre\npam-jit: by 14:32\nPress Enter: ", "P:Press Enter: ", "I:pam-jit: approved by bob" } },
	{ "sshd: as often as she likes", { SSHD, .typed = "x", .steps = STEPS(TRY,
#define TWICE LOOK, EXPECT("type=answer|text="), LOOK, EXPECT("type=answer|text=")
		TWICE, TWICE, TWICE, TWICE, TWICE, ALLOW) }, PAM_SUCCESS },
	{ "sshd: refused while the question stands", { SSHD, .typed = "", .slow_prompt = 100 * 1000, .steps = STEPS(TRY, LOOK,
		SEND("type=verdict|result=denied|text=denied by bob|id=" ID), GONE) }, PAM_PERM_DENIED, { "E:pam-jit: denied by bob" } },
	{ "sshd: news while the question stands", { SSHD, .typed = "", .slow_prompt = 100 * 1000, .steps = STEPS(TRY, LOOK,
		SEND("type=progress|text=bob agreed|id=" ID "|wait=1000000"), EXPECT("type=answer|text="), LOOK,
		EXPECT("type=answer|text="), ALLOW) }, PAM_SUCCESS, { "P:pam-jit: bob agreed\nPress Enter: " } },
	{ "sshd: jitd goes while the question stands", { SSHD, .typed = "", .slow_prompt = 100 * 1000, .steps = STEPS(TRY,
		SEND("type=progress|text=asking|id=" ID "|wait=1000000"), LOOK, CLOSE, ACCEPT,
		EXPECT("type=account|interactive=try|id=" ID), ALLOW) }, PAM_SUCCESS },
	{ "sshd: questions reach nobody", { SSHD, .steps = STEPS(TRY, SEND("type=progress|text=asking|id=" ID "|wait=1000000"), LOOK,
		EXPECT("type=answer|!text"), SEND("type=ask|what=reason|text=Reason: |wait=1000000"), EXPECT("type=answer|!text"),
		SEND("type=progress|text=waiting|id=" ID "|wait=1000000"), SEND("type=verdict|result=pending|text=ask bob"), GONE) },
		PAM_PERM_DENIED, { "E:pam-jit: ask bob" }, .unsaid = "P:Reason" },
	{ "sshd: the client goes from the question", { SSHD, .typed = "", .answers = 1, .steps = STEPS(TRY, LOOK,
		EXPECT("type=answer|text="), LOOK, EXPECT("type=leave|cause=client-gone"), GONE) }, PAM_PERM_DENIED },
	{ "sshd: the client goes from the first question", { SSHD, .slow_prompt = 100 * 1000, .steps = STEPS(TRY, LOOK,
		ACT(harness_close_tcp), EXPECT("type=leave|cause=client-gone"), GONE) }, PAM_PERM_DENIED },
	{ "sshd: more than can be kept", { SSHD, .typed = "", .steps = STEPS(TRY,
#define LONG "123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
#define LONGER LONG LONG LONG LONG LONG LONG LONG LONG LONG
		SEND("type=progress|text=1 " LONGER "|id=" ID "|wait=1000000"), SEND("type=progress|text=2 " LONGER "|id=" ID "|wait=1000000"),
		SEND("type=progress|text=3 " LONGER "|id=" ID "|wait=1000000"), SEND("type=progress|text=4 " LONGER "|id=" ID "|wait=1000000"),
		SEND("type=progress|text=5 " LONGER "|id=" ID "|wait=1000000"), LOOK, EXPECT("type=answer"), ALLOW) }, PAM_SUCCESS,
		{ "P:pam-jit: ...\npam-jit: 5 " } },

	/* ---- the module as it is installed ---- */
	{ "installed: another service", { .service = "cron", .user = "alice", .real = true, .args = "service=x debug",
		.permit = true, .no_server = true }, PAM_SUCCESS, .quiet = true },
	{ "installed: wrong argument", { SUDO, .real = true, .args = "socket=/tmp/x", .permit = true, .no_server = true },
		PAM_PERM_DENIED, { "E:pam-jit: wrong argument 'socket=/tmp/x'" } },
	{ "stdio closed", { SUDO, .no_stdio = true, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=progress|text=x|id=" ID "|wait=1000000"), ACT(no_stdio_taken), SEND("type=verdict|result=allow"), GONE) },
		PAM_SUCCESS },
};

int main(void)
{
	return cases_run("account", cases, sizeof(cases) / sizeof(cases[0]));
}
