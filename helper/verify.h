/* ssh-keygen, run as git runs it: `ssh-keygen -Y verify` and `-Y sign` as the user jit-verify (as the caller, when that
 * is not root), in no network, 2 s, two at a time (more wait in a queue of 256), inputs and approvers snapshot as memfds,
 * nothing else open.  SIGCHLD must be blocked (child.h). */
#pragma once
#include <systemd/sd-event.h>
#include "lib/sshkey.h"

#define VERIFY_TIMEOUT_USEC UINT64_C(2000000)

struct verify;
int verify_new(sd_event *event, struct verify **ret);
struct verify *verify_free(struct verify *v); /* kills what runs; callbacks are dropped */

/* RESULT 0: the signature is good.  -EACCES: ssh-keygen says no (words: its own, escaped); -ETIMEDOUT, -EAGAIN (queue),
 * other -errno: it could not be run, which is no as well. */
typedef void (*verify_done)(int result, const char *words, void *userdata);
/* Verifies SIGNATURE (armored) of PRINCIPAL over DOCUMENT in NAMESPACE against the file SIGNERS (its bytes).  All copied. */
int verify_signature(struct verify *v, const char *signers, size_t signers_len, const char *principal, const char *ns,
	const char *document, size_t len, const char *signature, verify_done done, void *userdata);
/* RESULT 0 and SIGNATURE (armored), or -errno. */
typedef void (*sign_done)(int result, const char *signature, void *userdata);
/* Signs with the private key file KEYPATH (root 0600; passed as a memfd). */
int verify_sign(struct verify *v, const char *keypath, const char *ns, const char *document, size_t len,
	sign_done done, void *userdata);
/* Creates the host's key (ed25519, no passphrase, comment = host name) and .pub when missing. Blocking: at start only. */
int verify_host_key(const char *keypath, const char *comment, struct why *w);
