/* OpenSSH user certificates (PROTOCOL.certkeys), as far as a signature by one has to be understood. */
#pragma once
#include "lib/sshsig.h"
#include "lib/sshwire.h"

/* True for the name of a certificate's type. */
bool sshcert_type(const struct wire *name);
/* Reads a certificate: key, certificate, cert_* of RET are set (to be released by sshsig_done, also on failure).
 * -EINVAL with words. */
int sshcert_read(const uint8_t *blob, size_t len, struct sshsig *ret, struct why *w);

/* Reads a signature blob by KEY up to its end.  RET may be NULL for a signature that is not the message's own, such as a
 * CA's: then a passkey's is refused. */
int sshsig_read_signature(const struct wire *blob, const struct sshkey *key, struct sshsig *ret, struct why *w);
