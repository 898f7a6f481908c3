/* From account to session.  What the verdict said travels by pam_set_data(); at open_session it is held against the
 * clock, against the account that the session is for, and where jitd wants to know of the session, jitd confirms it.
 * Anything else, and the session must not begin: su honours an error; sudo ignores PAM_SESSION_ERR and dies badly of
 * others, sshd would write the refusal into scp's or git's protocol, so there the process ends itself. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include "pam_jit/jit.h"

#define DATA_NAME "pam_jit_verdict"
#define DATA_MAGIC UINT64_C(0x6a69742d76657264)
#define LIMIT_NAME "systemd.runtime_max_sec" /* pam_systemd(8) */
#define SESSION_ID_MAX 64

struct session_data {
	uint64_t magic;
	struct jit_verdict v; /* of account, and then of `open` */
	bool opened;          /* jitd knows of the session: it is told of the end */
};

static void data_free(pam_handle_t *pamh, void *data, int status)
{
	struct session_data *d = data;

	if (d)
		d->magic = 0;
	free(d);
}

static void string_free(pam_handle_t *pamh, void *data, int status)
{
	free(data);
}

static struct session_data *data_get(const struct jit *j)
{
	const void *found = NULL;
	struct session_data *d;

	if (pam_get_data(side(j)->pamh, DATA_NAME, &found) != PAM_SUCCESS || !found)
		return NULL;
	memcpy(&d, &found, sizeof(d)); /* ours, though libpam hands it out as const */
	return d->magic == DATA_MAGIC ? d : NULL;
}

int session_keep(struct jit *j, const struct jit_verdict *v)
{
	struct session_data *d = malloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct session_data){ .magic = DATA_MAGIC, .v = *v };
	if (pam_set_data(side(j)->pamh, DATA_NAME, d, data_free) != PAM_SUCCESS) {
		free(d);
		return -ENOMEM;
	}
	return 0;
}

void session_forget(struct jit *j)
{
	const void *found;

	if (pam_get_data(side(j)->pamh, DATA_NAME, &found) == PAM_SUCCESS)
		pam_set_data(side(j)->pamh, DATA_NAME, NULL, NULL);
}

/* SIGKILL ends every process but the first of a pid namespace (sudo as a container's only process): that one exits. */
static void end_process(void)
{
	kill(getpid(), SIGKILL);
	_exit(1);
}

uint32_t session_refuse(struct jit *j, const char *fmt, ...)
{
	char words[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	say_log(j, LOG_ERR, "session refused: %s", words);
	say_error(j, "the session is refused: %s", words);
	if (j->kind == KIND_SUDO || j->kind == KIND_SSHD)
		end_process();
	return GATE_REFUSED;
}

/* phase=before: pam_systemd, which comes next, puts the rest of the time onto the session's scope. */
static uint32_t limit_scope(struct jit *j, const struct session_data *d)
{
	uint64_t now = clock_boot();
	char *text;

	if (!d->v.deadline)
		return GATE_ALLOW;
	if (d->v.deadline <= now)
		return session_refuse(j, "the time of grant %s is over", d->v.id);
	if (asprintf(&text, "%lluus", (unsigned long long)(d->v.deadline - now)) < 0)
		return session_refuse(j, "out of memory");
	if (pam_set_data(side(j)->pamh, LIMIT_NAME, text, string_free) != PAM_SUCCESS) {
		free(text);
		return session_refuse(j, "out of memory");
	}
	return GATE_ALLOW;
}

/* The deadline is looked at once more, last of all: this process may have been stopped anywhere before. */
static uint32_t judge_session(struct jit *j, const struct jit_verdict *v)
{
	if (*v->target && strcmp(v->target, j->user))
		return session_refuse(j, "it is for another account than the one that was approved");
	if (v->deadline && !verdict_timely(v->deadline, v->boot))
		return session_refuse(j, "the time of grant %s is over", v->id);
	return GATE_ALLOW;
}

static const char *login_session(const struct jit *j)
{
	const char *id = pam_getenv(side(j)->pamh, "XDG_SESSION_ID");

	return id && *id && strlen(id) <= SESSION_ID_MAX ? id : NULL;
}

/* A confirmation says anew only what has changed, such as the deadline that runs from the first use. */
static void merge(struct jit_verdict *into, const struct jit_verdict *from)
{
	if (*from->id)
		memcpy(into->id, from->id, sizeof(into->id));
	if (*from->target)
		memcpy(into->target, from->target, sizeof(into->target));
	if (from->deadline) {
		into->deadline = from->deadline;
		memcpy(into->boot, from->boot, sizeof(into->boot));
	}
}

static uint32_t attach(struct jit *j, struct session_data *d)
{
	struct jit_verdict v;

	talk_session(j, "open", *d->v.id ? d->v.id : NULL, login_session(j), JIT_OPEN_WAIT, &v);
	if (v.result != GATE_ALLOW) {
		show_verdict(j, &v);
		return session_refuse(j, "jitd did not confirm it (%s)", gate_result_string(v.result));
	}
	merge(&d->v, &v);
	d->opened = true;
	return judge_session(j, &d->v);
}

/* account has not run in this process, or not with us.  For sudo and su that is right for root, who passes without a
 * word.  In sshd it may have run in a child (keyboard-interactive), and in sudo its plugin may have asked instead: jitd
 * knows whether it has let this process go. */
static uint32_t open_unknown(struct jit *j)
{
	struct jit_verdict none = { .result = GATE_UNREACHABLE };

	if ((j->kind == KIND_SUDO || j->kind == KIND_SU) && JIT_REAL_UID() == 0)
		return GATE_ALLOW;
	if (j->kind != KIND_SSHD && j->kind != KIND_SUDO)
		return session_refuse(j, "pam_jit.so was not asked in the account phase");
	none.session = true;
	if (session_keep(j, &none) < 0 || !data_get(j))
		return session_refuse(j, "out of memory");
	return attach(j, data_get(j));
}

uint32_t session_open(struct jit *j)
{
	struct session_data *d = data_get(j);
	uint32_t answer = GATE_REFUSED;

	if (host_load(j) < 0)
		return session_refuse(j, "no PAM_USER");
	if (!d)
		answer = open_unknown(j);
	else {
		answer = judge_session(j, &d->v);
		if (answer == (uint32_t)GATE_ALLOW && d->v.session && !side(j)->args.before)
			answer = attach(j, d);
	}
	d = data_get(j);
	if (answer == (uint32_t)GATE_ALLOW && side(j)->args.before && d)
		answer = limit_scope(j, d);
	return answer;
}

/* A courtesy: jitd holds a pidfd and learns of the end by itself. */
uint32_t session_close(struct jit *j)
{
	struct session_data *d = data_get(j);
	struct jit_verdict v;

	if (!side(j)->args.before && d && d->opened && host_load(j) == 0)
		talk_session(j, "close", *d->v.id ? d->v.id : NULL, NULL, JIT_CLOSE_WAIT, &v);
	return GATE_ALLOW;
}
