/* What PAM knows of the call and how it speaks: items, SUDO_COMMAND, the conversation, the log. */
#include <errno.h>
#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "pam_jit/jit.h"

static const char *item(const struct jit *j, int which)
{
	const void *value = NULL;

	if (pam_get_item(side(j)->pamh, which, &value) != PAM_SUCCESS || !value || !*(const char *)value)
		return NULL;
	return value;
}

/* sudo shows text on the user's terminal itself, wherever stdout goes; everybody else prints it to stdout and reads
 * answers from stdin.  sshd passes questions on to its client in keyboard-interactive, where the account phase runs behind
 * auth in the same conversation; after public key alone they fail at once. */
static void find_terminal(struct jit *j)
{
	if (j->kind == KIND_SSHD)
		j->prompt = j->unsure = true;
	if (!j->tty || j->kind == KIND_SSHD)
		return;
	if (j->kind == KIND_SUDO) {
		j->terminal = true;
		return; /* j->prompt waits for the options: facts_put_args() */
	}
	j->terminal = isatty(STDOUT_FILENO) == 1;
	j->prompt = j->terminal && isatty(STDIN_FILENO) == 1;
}

int host_load(struct jit *j)
{
	j->user = item(j, PAM_USER);
	j->ruser = item(j, PAM_RUSER);
	j->tty = item(j, PAM_TTY);
	j->rhost = item(j, PAM_RHOST);
	find_terminal(j);
	return j->service && j->user ? 0 : -EINVAL;
}

/* In the account phase sudo puts a getenv() of its own before libc's, which answers from the environment that sudo has
 * built; SUDO_COMMAND is sudo's word there.  Should that hook be missing (another sudo, another build), getenv() would
 * give us the requester's own variable: a pointer into the process's environment.  Such a value is nobody's word. */
const char *host_sudo_command(const struct jit *j)
{
	const char *value;

	if (j->kind != KIND_SUDO || side(j)->phase != PHASE_ACCOUNT)
		return NULL;
	value = getenv("SUDO_COMMAND"); /* not secure_getenv(): sudo hooks this one */
	if (!value)
		return NULL;
	for (char **e = environ; e && *e; e++)
		if (value >= *e && value <= *e + strlen(*e))
			return NULL;
	return value;
}

/* The lines are those of sshd's monitor, set before it starts the process for keyboard-interactive: "publickey ssh-ed25519 AAAA…",
 * one for each method that this connection has passed (sshd_config(5), ExposeAuthInfo). */
bool host_key_proved(const struct jit *j)
{
	const char *info = pam_getenv(side(j)->pamh, "SSH_AUTH_INFO_0");

	if (j->kind != KIND_SSHD || JIT_REAL_UID() != 0 || !facts_title_ends(" [pam]"))
		return false;
	for (; info && *info; info += strcspn(info, "\n"), info += *info == '\n')
		if (!strncmp(info, "publickey ", strlen("publickey ")))
			return true;
	return false;
}

void host_put_account(struct jit *j, struct gate_out *o)
{
	facts_put_who(j, o);
	facts_put_claims(j, o);
	gate_put(o, "rhost", j->rhost);
	gate_put(o, "command", host_sudo_command(j));
	facts_put_args(j, o);
}

static void show(struct jit *j, enum jit_style style, const char *line)
{
	pam_prompt(side(j)->pamh, style == SHOW_INFO ? PAM_TEXT_INFO : PAM_ERROR_MSG, NULL, "%s", line);
}

/* Not pam_prompt(): it logs an error for every question that sshd passes on to nobody, which is no error. */
static int ask(struct jit *j, const char *prompt, char **ret)
{
	const struct pam_message question = { .msg_style = PAM_PROMPT_ECHO_ON, .msg = prompt }, *questions = &question;
	struct pam_response *response = NULL;
	const struct pam_conv *conv;
	const void *found = NULL;
	int r = PAM_CONV_ERR;

	if (pam_get_item(side(j)->pamh, PAM_CONV, &found) == PAM_SUCCESS && (conv = found) && conv->conv)
		r = conv->conv(1, &questions, &response, conv->appdata_ptr);
	if (r == PAM_SUCCESS && response)
		*ret = STEAL_PTR(response->resp);
	free(response);
	return r == PAM_SUCCESS ? 0 : -EINTR;
}

static void log_line(struct jit *j, int priority, const char *line)
{
	pam_syslog(side(j)->pamh, priority, "%s", line);
}

const struct jit_host host_pam = { .show = show, .ask = ask, .log = log_line };
