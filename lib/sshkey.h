/* OpenSSH public keys as text, and the files that list them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/why.h"

#define FINGERPRINT_LEN 50 /* "SHA256:" and 43 of base64 */
#define SSHKEY_BLOB_MAX (4 * 1024)
#define SIGNERS_MAX 4096 /* lines that list somebody */

struct sshkey {
	char *type;    /* "ssh-ed25519", "sk-ecdsa-sha2-nistp256@openssh.com", … */
	uint8_t *blob; /* the wire form; its first string equals type */
	size_t blob_len;
};

void sshkey_done(struct sshkey *k);
/* "TYPE BASE64[ COMMENT]"; the comment is ignored.  Types allowed: ssh-ed25519, ecdsa-sha2-nistp256/384/521,
 * ssh-rsa (2048 bits and up), sk-ssh-ed25519@openssh.com, sk-ecdsa-sha2-nistp256@openssh.com.  -EINVAL with words. */
int sshkey_parse(const char *line, struct sshkey *ret, struct why *w);
/* The same from the wire form, with nothing behind it.  -EINVAL with words. */
int sshkey_from_blob(const uint8_t *blob, size_t len, struct sshkey *ret, struct why *w);
char *sshkey_format(const struct sshkey *k); /* "TYPE BASE64" */
void sshkey_fingerprint(const struct sshkey *k, char out[static FINGERPRINT_LEN + 1]);
bool sshkey_equal(const struct sshkey *a, const struct sshkey *b);
bool sshkey_is_sk(const struct sshkey *k); /* a security key's */

/* One line of a strict allowed_signers file (ssh-keygen(1), "ALLOWED SIGNERS"), read more strictly than OpenSSH does:
 * principals literal (no pattern, no '!'), `namespaces=` required and exactly NAMESPACE, options allowed:
 * namespaces, valid-after, valid-before, cert-authority (then exactly one principal).  Times are YYYYMMDD[HHMM[SS]] of the
 * local zone (standard time, in summer too, as ssh-keygen takes it), or of UTC with a Z behind, and days that exist. */
struct signer {
	char **principals; /* NULL-terminated */
	bool cert_authority;
	uint64_t valid_after, valid_before; /* real usec; 0 and USEC_INFINITY when not said */
	struct sshkey key;
	unsigned line;
	char *text; /* the line as it stands in the file */
};
struct signers {
	struct signer *list;
	size_t n;
	char *bytes; /* the file, for ssh-keygen -f */
	size_t len;
};
void signers_done(struct signers *s);
/* Parses a whole file; any bad line, or a key listed twice, rejects it; a principal may stand on several lines, one a
 * key.  Only the key of a cert-authority may stand on several lines, one for each principal whose certificates it signs.
 * Words say PATH:LINE.  An empty file is fine. */
int signers_parse(const char *bytes, size_t len, const char *path, const char *ns, struct signers *ret, struct why *w);
/* The one line that lists PRINCIPAL with KEY (of a certificate: with its CA's key); NULL. */
const struct signer *signers_find(const struct signers *s, const char *principal, const struct sshkey *key);
