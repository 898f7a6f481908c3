/* What the parts of pam_jit.so share.  The talk with jitd is gate_client/; here is what is PAM's. */
#pragma once
#include <security/pam_modules.h>
#include "gate_client/jit.h"

/* An answer is a gate_result, or this: the service is none of ours.  As sparse as GATE_ALLOW. */
#define JIT_NOT_OURS 0xa6936c1eU

enum jit_phase { PHASE_AUTH, PHASE_ACCOUNT, PHASE_SESSION };

struct jit_args {
	bool debug;
	bool before;     /* phase=before */
	bool after_key;  /* after=publickey */
	bool named;      /* a service= names the service at hand */
	const char *bad; /* the first argument that is wrong; NULL: none */
};

/* One call of libpam into the module: struct jit's side. */
struct pam_side {
	pam_handle_t *pamh;
	enum jit_phase phase;
	struct jit_args args;
};

static inline struct pam_side *side(const struct jit *j)
{
	return j->side;
}

/* ---- args.c ---- */

void args_parse(struct jit_args *a, enum jit_phase phase, const char *service, int argc, const char **argv);
enum jit_kind args_kind(const struct jit_args *a, const char *service);

/* ---- host.c ---- */

/* Reads the PAM items and finds out whom we speak to.  0 or -EINVAL when service or user are missing. */
int host_load(struct jit *j);
/* SUDO_COMMAND as sudo itself set it; NULL when it is not certain that sudo did.  Account phase only. */
const char *host_sudo_command(const struct jit *j);
/* Has sshd itself verified a key of this very connection, and is this its keyboard-interactive process?  sshd's word, in the PAM
 * environment; no doubt is a yes. */
bool host_key_proved(const struct jit *j);
/* The fields of `account`. */
void host_put_account(struct jit *j, struct gate_out *o);
/* The conversation and the log of libpam. */
extern const struct jit_host host_pam;

/* ---- session.c ---- */

/* Keeps what the session phase must know.  0 or -ENOMEM. */
int session_keep(struct jit *j, const struct jit_verdict *v);
void session_forget(struct jit *j);
uint32_t session_open(struct jit *j);
uint32_t session_close(struct jit *j);
/* The session must not begin.  Says so; in sudo and sshd the process ends here. */
uint32_t session_refuse(struct jit *j, const char *fmt, ...) MESSAGE_FMT(2, 3);
