/* `ssh-keygen -Y verify`, run aside: two at a time, 2 s each, inputs as memfds, nothing else open, no environment. */
#pragma once
#include <stddef.h>
#include <systemd/sd-event.h>

#define KEYGEN_RUNNING 2
#define KEYGEN_QUEUE 32 /* waiting */
#define KEYGEN_TIMEOUT_SEC 2

struct keygen;
int keygen_new(sd_event *event, struct keygen **ret);
/* Kills what runs; every callback still out gets -ECANCELED. */
struct keygen *keygen_free(struct keygen *k);

/* RESULT 0: the signature is good.  -EACCES: it is not; -ETIMEDOUT; other -errno: it could not be run. */
typedef void (*keygen_done)(int result, void *userdata);
/* SIGNATURE (armored) of PRINCIPAL over TEXT in namespace NS, against the allowed_signers file SIGNERS.  All copied.  0, and
 * DONE is called later, once; or -EAGAIN when KEYGEN_QUEUE is full, or -errno. */
int keygen_verify(struct keygen *k, const char *signers, size_t signers_len, const char *principal, const char *ns,
	const char *text, size_t len, const char *signature, keygen_done done, void *userdata);
