/* sudo_jit.so: sudo's approval plugin.  It asks jitd about what sudo is about to run, after sudoers has accepted it, and obeys.
 *
 * open never returns 0: sudo would take that for "not needed" and run the command.  Whatever is wrong is kept for check,
 * which refuses it with words, or is -1, upon which sudo ends.  check begins as a refusal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include "config.h"
#include "lib/cleanup.h"
#include "lib/text.h"
#include "sudo_jit/abi.h"
#include "sudo_jit/exact.h"

#define ACCEPT 1
#define REJECT 0
#define FAIL (-1)

/* sudo gives its plugins no handle: what open is told must be kept for check.  The only state there is, sudo's own memory, valid
 * until close. */
static struct {
	sudo_conv_t conversation;
	sudo_printf_t print;
	struct exact e;
	const char *bad_option;
	bool let_go; /* stays over close: sudo opens and closes anew for each command that it intercepts */
} call;

/* ---- how sudo speaks ---- */

static void converse(int type, const char *line)
{
	struct sudo_conv_message m = { .msg_type = type | SUDO_CONV_PREFER_TTY };
	struct sudo_conv_reply none = { NULL };
	char text[JIT_LINE_MAX + 64];

	(void)snprintf(text, sizeof(text), "%s\n", line);
	m.msg = text;
	if (call.conversation)
		call.conversation(1, &m, &none, NULL);
	free(none.reply);
}

static void show(struct jit *j, enum jit_style style, const char *line)
{
	converse(style == SHOW_INFO ? SUDO_CONV_INFO_MSG : SUDO_CONV_ERROR_MSG, line);
}

static int ask(struct jit *j, const char *prompt, char **ret)
{
	struct sudo_conv_message m = { .msg_type = SUDO_CONV_PROMPT_ECHO_ON | SUDO_CONV_PREFER_TTY, .msg = prompt };
	struct sudo_conv_reply reply = { NULL };

	if (call.conversation(1, &m, &reply, NULL) != 0) {
		free(reply.reply);
		return -EINTR;
	}
	*ret = reply.reply;
	return 0;
}

/* sudo has opened the log under its own name and facility already, or will; openlog() is the host's to call. */
static void log_line(struct jit *j, int priority, const char *line)
{
	syslog(LOG_AUTHPRIV | priority, "sudo_jit: %s", line);
}

static const struct jit_host host_sudo = { .show = show, .ask = ask, .log = log_line };

/* ---- asking ---- */

static void put(struct jit *j, struct gate_out *o)
{
	bool prompt;

	facts_put_who(j, o);
	gate_put(o, "tty", j->tty);
	exact_put(j->side, o, &prompt);
	j->prompt = j->terminal && prompt;
}

/* What must hold at the very end: a sudo that was stopped anywhere before, and continued, gets here late. */
static int settle(struct jit *j, const struct exact *e, const struct jit_verdict *v)
{
	const char *target = exact_get(e->command_info, "runas_user");

	if (v->result != GATE_ALLOW) {
		say_log(j, LOG_NOTICE, "refused: %s%s%s", gate_result_string(v->result), *v->id ? ", request " : "", v->id);
		return REJECT;
	}
	if (*v->target && (!target || strcmp(v->target, target) != 0)) {
		say_error(j, "it was approved for another account than the one that sudo takes; refused");
		return REJECT;
	}
	if (v->deadline && !verdict_timely(v->deadline, v->boot)) {
		say_log(j, LOG_NOTICE, "refused: the time of grant %s is over", v->id);
		say_error(j, "the time of grant %s is over; refused", v->id);
		return REJECT;
	}
	return ACCEPT;
}

static int judge(struct jit *j, const struct exact *e)
{
	CLEAN(free_p) struct jit_verdict *v = NULL;
	const char *words = NULL;

	if (call.bad_option) {
		CLEAN(free_p) char *shown = text_escape(call.bad_option, strlen(call.bad_option), 64);

		say_error(j, "sudo_jit.so takes no options, and /etc/sudo.conf gives it '%s'; refused", shown ? shown : "?");
		return REJECT;
	}
	if (!j->user || exact_check(e, &words) < 0) {
		say_log(j, LOG_ERR, "refused: %s", words ? words : "sudo has not told who calls");
		say_error(j, "%s; refused", words ? words : "sudo has not told who calls");
		return REJECT;
	}
	v = malloc(sizeof(*v));
	if (!v) {
		say_error(j, "out of memory; refused");
		return FAIL;
	}
	talk_account(j, "approval", put, v);
	return settle(j, e, v);
}

/* ---- what sudo calls ---- */

static void forget(void)
{
	bool let_go = call.let_go;

	memset(&call, 0, sizeof(call));
	call.let_go = let_go;
}

static int plugin_open(unsigned version, sudo_conv_t conversation, sudo_printf_t print, char *const settings[],
	char *const user_info[], int own, char *const argv[], char *const envp[], char *const options[], const char **errstr)
{
	forget();
	/* Another major version has other parameters: none of them is to be looked at. */
	if (version >> 16 != SUDO_ABI_MAJOR || !conversation)
		return FAIL;
	call.conversation = conversation;
	call.print = print;
	call.e = (struct exact){ .settings = settings, .user_info = user_info, .argv = argv, .own = own };
	call.bad_option = options ? options[0] : NULL;
	return ACCEPT;
}

static void plugin_close(void)
{
	forget();
}

static int plugin_check(char *const command_info[], char *const run_argv[], char *const run_envp[], const char **errstr)
{
	struct exact e = call.e;
	struct jit j = { .host = &host_sudo, .side = &e, .kind = KIND_SUDO };
	int saved = errno, answer;

	if (!call.conversation)
		return FAIL; /* never opened */
	if (JIT_REAL_UID() == 0)
		return ACCEPT; /* root needs nobody's leave */
	e.command_info = command_info;
	e.run = run_argv;
	e.inner = call.let_go && exact_true(command_info, "intercept");
	j.service = exact_true(e.settings, "login_shell") ? "sudo-i" : "sudo";
	j.user = exact_get(e.user_info, "user");
	j.tty = exact_get(e.user_info, "tty");
	j.terminal = j.tty != NULL;
	answer = judge(&j, &e);
	if (answer == ACCEPT)
		call.let_go = true;
	else if (errstr)
		*errstr = "refused by pam-jit"; /* for sudo's audit plugins; the user has read why */
	errno = saved;
	return answer;
}

static int plugin_version(int verbose)
{
	if (call.print)
		call.print(SUDO_CONV_INFO_MSG, "pam-jit approval plugin version %s\n", PACKAGE_VERSION);
	return ACCEPT;
}

extern struct approval_plugin sudo_jit;
__attribute__((visibility("default"))) struct approval_plugin sudo_jit = {
	.type = SUDO_ABI_APPROVAL,
	.version = SUDO_ABI_VERSION,
	.open = plugin_open,
	.close = plugin_close,
	.check = plugin_check,
	.show_version = plugin_version,
};
