/* pam_jit.so: the entry points.  account is the gate, session reports and attaches.  auth has one thing to say, and only when
 * told to: that sshd has seen a key, so that keyboard-interactive may be about the approval alone.  setcred says nothing. */
#include <errno.h>
#include <pwd.h>
#include <security/pam_modutil.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/text.h"
#include "pam_jit/jit.h"

#define EXPORTED __attribute__((visibility("default")))

/* `login` must never lock root out of the console, where a mistake in a PAM file is mended. */
static bool root_on_console(const struct jit *j)
{
	const struct passwd *pw = j->user && !strcmp(j->service, "login") ? pam_modutil_getpwnam(side(j)->pamh, j->user) : NULL;

	return pw && pw->pw_uid == 0;
}

static uint32_t misconfigured(struct jit *j, bool opening)
{
	CLEAN(free_p) char *arg = text_escape(side(j)->args.bad, strlen(side(j)->args.bad), 128);

	say_log(j, LOG_ERR, "unknown, doubled or malformed argument '%s' in the PAM file of this service; refused",
		arg ? arg : "?");
	if (root_on_console(j))
		return JIT_NOT_OURS;
	if (opening)
		return session_refuse(j, "wrong argument '%s' in the PAM file of %s", arg ? arg : "?", j->service);
	say_error(j, "wrong argument '%s' in the PAM file of %s; refused until it is mended", arg ? arg : "?", j->service);
	return GATE_MISCONFIGURED;
}

/* sudo -v, sudo -l, and sudo -l with a command and its arguments behind.  What runs is never called so: sudo has looked it up, and
 * there is a slash in its path; what it did not find ("list" as well) it does not run. */
static bool runs_nothing(const char *command)
{
	return !strcmp(command, "validate") || !strcmp(command, "list") || !strncmp(command, "list ", 5);
}

/* sudo -l and sudo -v run nothing, and root needs nobody's leave; both wake nobody. */
static bool passes_at_once(const struct jit *j)
{
	const char *command;

	if ((j->kind == KIND_SUDO || j->kind == KIND_SU) && JIT_REAL_UID() == 0)
		return true;
	command = host_sudo_command(j);
	return command && runs_nothing(command);
}

/* What must hold at the very end: a host that was stopped (SIGSTOP) anywhere before, and continued, gets here late. */
static uint32_t settle(struct jit *j, const struct jit_verdict *v)
{
	if (v->result != GATE_ALLOW) {
		say_log(j, LOG_NOTICE, "refused: %s%s%s", gate_result_string(v->result), *v->id ? ", request " : "",
			v->id);
		return v->result;
	}
	if (session_keep(j, v) < 0) {
		say_error(j, "out of memory; refused");
		return GATE_REFUSED;
	}
	if (v->deadline && !verdict_timely(v->deadline, v->boot)) {
		say_log(j, LOG_NOTICE, "refused: the time of grant %s is over", v->id);
		say_error(j, "the time of grant %s is over; refused", v->id);
		session_forget(j);
		return GATE_TIMED_OUT;
	}
	return GATE_ALLOW;
}

static uint32_t account(struct jit *j)
{
	CLEAN(free_p) struct jit_verdict *v = NULL;

	session_forget(j);
	if (host_load(j) < 0) {
		say_log(j, LOG_ERR, "no PAM_USER; refused");
		return GATE_REFUSED;
	}
	if (passes_at_once(j)) {
		if (side(j)->args.debug)
			say_log(j, LOG_DEBUG, "%s passes without a request", j->user);
		return GATE_ALLOW;
	}
	v = malloc(sizeof(*v));
	if (!v) {
		say_error(j, "out of memory; refused");
		return GATE_REFUSED;
	}
	talk_account(j, "account", host_put_account, v);
	if (side(j)->args.debug)
		say_log(j, LOG_DEBUG, "jitd's verdict is %s, id %s, session %s", gate_result_string(v->result),
			*v->id ? v->id : "none", v->session ? "yes" : "no");
	return settle(j, v);
}

/* after=publickey.  Success is for that one case; everything else is a refusal without words, behind which the stack goes on to
 * ask for a password, or is at its end.  Never PAM_IGNORE: before a line that permits, it would let anybody in. */
static uint32_t authenticate(struct jit *j)
{
	bool proved;

	if (!side(j)->args.after_key)
		return JIT_NOT_OURS;
	proved = host_key_proved(j);
	if (side(j)->args.debug)
		say_log(j, LOG_DEBUG, proved ? "sshd has verified a key" : "no keyboard-interactive after public key");
	return proved ? (uint32_t)GATE_ALLOW : (uint32_t)GATE_REFUSED;
}

static uint32_t judge(struct jit *j, uint32_t (*what)(struct jit *j), int argc, const char **argv)
{
	const void *service = NULL, *user = NULL;

	if (pam_get_item(side(j)->pamh, PAM_SERVICE, &service) != PAM_SUCCESS || !service)
		return GATE_REFUSED;
	pam_get_item(side(j)->pamh, PAM_USER, &user);
	j->service = service;
	j->user = user;
	args_parse(&side(j)->args, side(j)->phase, j->service, argc, argv);
	j->kind = args_kind(&side(j)->args, j->service);
	if (side(j)->args.bad)
		return misconfigured(j, what == session_open);
	if (j->kind == KIND_NONE)
		return JIT_NOT_OURS;
	return what(j);
}

/* The only place where an answer becomes a PAM code.  Equality only, of values that no stray bit turns into each other; whatever is not known here is a refusal. */
static int verdict_code(uint32_t answer)
{
	if (answer == (uint32_t)GATE_ALLOW)
		return PAM_SUCCESS;
	if (answer == JIT_NOT_OURS)
		return PAM_IGNORE;
	return PAM_PERM_DENIED;
}

static int enter(pam_handle_t *pamh, enum jit_phase phase, uint32_t (*what)(struct jit *j), int argc, const char **argv)
{
	struct pam_side s = { .pamh = pamh, .phase = phase };
	struct jit j = { .host = &host_pam, .side = &s };
	int saved = errno, code;

	code = verdict_code(judge(&j, what, argc, argv));
	errno = saved;
	return code;
}

EXPORTED int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return enter(pamh, PHASE_ACCOUNT, account, argc, argv);
}

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return enter(pamh, PHASE_SESSION, session_open, argc, argv);
}

EXPORTED int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return enter(pamh, PHASE_SESSION, session_close, argc, argv);
}

EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return argc ? enter(pamh, PHASE_AUTH, authenticate, argc, argv) : verdict_code(JIT_NOT_OURS);
}

EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return verdict_code(JIT_NOT_OURS);
}
