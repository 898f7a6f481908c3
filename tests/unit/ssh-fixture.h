/* What the tests of keys, approvers and signatures share: a folder of their own, the real ssh-keygen, blobs built by
 * hand, and security keys and passkeys in software (libcrypto). */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include "lib/sshkey.h"

#define NS "decision@pam-jit"

/* Group setup and teardown: the working directory is a new folder, removed at the end. */
int fixture_begin(void **state);
int fixture_end(void **state);

char *slurp(const char *name, size_t *len); /* NUL behind; caller frees; fails the test when missing */
void spill(const char *name, const void *data, size_t len);
void spill_text(const char *name, const char *text);
/* Runs a program with standard input from the file INPUT (NULL: nothing); its exit status, and what it said in OUTPUT. */
int run(const char *input, char *output, size_t size, const char *const *argv);
#define RUN(input, ...) run((input), NULL, 0, (const char *const[]){ __VA_ARGS__, NULL })
/* ssh-keygen -t TYPE [-b BITS] → NAME, NAME.pub */
void keygen(const char *name, const char *type, const char *bits);
/* ssh-keygen -Y sign of MESSAGE by the key in file KEY; the armored signature. */
char *keygen_sign(const char *key, const char *ns, const char *message);
/* ssh-keygen -Y verify; true for Good. */
bool keygen_verify(const char *signers, const char *principal, const char *ns, const char *signature, const char *message);
void public_key(const char *name, struct sshkey *ret); /* parses NAME.pub */

/* Wire format, written. */
struct blob {
	uint8_t data[32 * 1024];
	size_t n;
};
void blob_bytes(struct blob *b, const void *data, size_t len);
void blob_u8(struct blob *b, uint8_t v);
void blob_u32(struct blob *b, uint32_t v);
void blob_u64(struct blob *b, uint64_t v);
void blob_str(struct blob *b, const void *data, size_t len);
void blob_text(struct blob *b, const char *text);
void blob_blob(struct blob *b, const struct blob *inner);
char *armor(const struct blob *b);
char *blob_line(const char *type, const struct blob *b); /* "TYPE BASE64" */

/* A security key in software. */
struct soft_key {
	EVP_PKEY *pkey;
	bool ec;
	const char *application;
	struct blob public_blob;
};
const char *soft_type(const struct soft_key *k);
void soft_new(struct soft_key *k, bool ec, const char *application);
void soft_done(struct soft_key *k);

/* A signature by it, each field to be spoiled.  Zero and NULL mean the proper value, except for flags and counter. */
struct soft_sign {
	const char *message;
	uint8_t flags;
	uint32_t counter;
	const char *origin;        /* a passkey's, when set */
	const char *inner_origin;  /* in clientDataJSON */
	const char *more;          /* appended to clientDataJSON's members */
	const char *client_data;   /* all of it */
	const char *extensions;
	const char *ns, *hash, *reserved, *type;
	uint32_t version;
	const struct blob *public_blob; /* instead of the key's own, such as a certificate */
	const char *trail_blob, *trail_signature;
};
void soft_blob(const struct soft_key *k, const struct soft_sign *how, struct blob *ret);
char *soft_armor(const struct soft_key *k, const struct soft_sign *how);
/* Unpadded base64url. */
char *base64url(const void *data, size_t len);
