/* The SSH signature as the host itself reads it (PROTOCOL.sshsig, PROTOCOL.u2f, PROTOCOL.certkeys), besides ssh-keygen
 * -Y verify, which checks neither presence nor verification nor origin. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/sshkey.h"

#define SSHSIG_MAX (16 * 1024) /* armored bytes */

enum sshsig_kind { SSHSIG_KEY, SSHSIG_HW_KEY, SSHSIG_BROWSER }; /* plain key; security key; passkey in a browser */

struct sshsig {
	struct sshkey key;  /* the embedded public key (of a certificate: the key it certifies) */
	bool certificate;
	char *cert_principal; /* the only principal of a certificate; more or fewer is an error */
	struct sshkey cert_ca; /* the CA key of a certificate */
	uint64_t cert_valid_after, cert_valid_before; /* real usec; 0 and USEC_INFINITY: always, forever */
	bool cert_verify_required; /* the only critical option that means something to a signature */
	char *namespace_;
	enum sshsig_kind kind;
	uint8_t flags;      /* of a security key or passkey: 1 present, 4 verified */
	uint32_t counter;
	char *origin;       /* of a passkey, as in clientDataJSON */
	char *challenge;    /* the same: base64url without padding */
	bool cross_origin;  /* crossOrigin true, or a topOrigin */
};

#define SSHSIG_PRESENT 0x01
#define SSHSIG_VERIFIED 0x04

void sshsig_done(struct sshsig *s);
/* Dearmors and reads.  Refused (-EINVAL with words): any other version or hash than 1 and sha512, a non-empty
 * reserved field, a signature type not listed, one that does not fit its key, trailing bytes, clientDataJSON that is
 * not a webauthn.get object, a certificate that is not a user's, names not exactly one principal, or has a critical
 * option other than verify-required.  The signatures themselves (also the CA's) are ssh-keygen's to verify. */
int sshsig_parse(const char *armored, size_t len, struct sshsig *ret, struct why *w);

struct sshsig_policy {
	const char *ns;
	const char *const *origins; /* NULL-terminated; exact */
};
/* What ssh-keygen does not check: namespace, touch for every security key, verification for every passkey, origin, not
 * cross-origin, the key equals SIGNER's (or its CA, and then the certificate's principal is SIGNER's).  Times are
 * ssh-keygen's to check.  -EACCES with words. */
int sshsig_check(const struct sshsig *s, const struct sshsig_policy *p, const struct signer *signer, struct why *w);
/* That a passkey's challenge is the to-be-signed blob of MSG under the signature's own namespace.  ssh-keygen checks it
 * too; here it costs nothing.  0 for a signature that is not a passkey's.  -EACCES with words. */
int sshsig_check_challenge(const struct sshsig *s, const void *msg, size_t len, struct why *w);
/* The bytes that are signed for MSG (PROTOCOL.sshsig, with sha512).  Caller frees. */
int sshsig_to_be_signed(const char *ns, const void *msg, size_t len, uint8_t **ret, size_t *ret_len);
const char *sshsig_strength(const struct sshsig *s); /* "browser", "key", "hw-key" */
