/* User certificates: the certified key, its one principal, its times, its CA. */
#include "config.h"
#include "lib/sshcert.h"
#include <stdlib.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/text.h"

#define CERT_TYPE_USER 1

static const struct cert_type {
	const char *name, *key;
	unsigned strings; /* fields of the key that follow the nonce, each a string or mpint */
} cert_types[] = {
	{ "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1 },
	{ "ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2 },
	{ "ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2 },
	{ "ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2 },
	{ "ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2 },
	{ "sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 2 },
	{ "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3 },
};

static const struct cert_type *cert_type_find(const struct wire *name)
{
	for (size_t i = 0; i < ELEMENTS(cert_types); i++)
		if (wire_is(name, cert_types[i].name))
			return &cert_types[i];
	return NULL;
}

bool sshcert_type(const struct wire *name)
{
	return cert_type_find(name) != NULL;
}

/* The certified key as a plain one: its type, then the very bytes that stand behind the nonce. */
static int read_key(struct wire *b, const struct cert_type *t, struct sshkey *ret, struct why *w)
{
	size_t type_len = strlen(t->key), fields, n;
	const uint8_t *start = b->p;
	CLEAN(free_p) uint8_t *blob = NULL;
	struct wire skipped;

	for (unsigned i = 0; i < t->strings; i++)
		if (wire_str(b, &skipped) < 0)
			return why(w, -EINVAL, "the certificate is cut short");
	fields = (size_t)(b->p - start);
	n = 4 + type_len + fields; /* bounded by the blob that it comes from */
	blob = malloc(n);
	if (!blob)
		return why(w, -ENOMEM, "out of memory");
	memset(blob, 0, 3);
	blob[3] = (uint8_t)type_len;
	memcpy(blob + 4, t->key, type_len);
	memcpy(blob + 4 + type_len, start, fields);
	return sshkey_from_blob(blob, n, ret, w);
}

static int read_principal(struct wire *list, char **ret, struct why *w)
{
	CLEAN(free_p) char *name = NULL;
	struct wire one;

	if (list->left == 0)
		return why(w, -EINVAL, "the certificate names no principal");
	if (wire_str(list, &one) < 0)
		return why(w, -EINVAL, "the certificate's principals are malformed");
	if (list->left != 0)
		return why(w, -EINVAL, "the certificate names more than one principal");
	if (memchr(one.p, 0, one.left))
		return why(w, -EINVAL, "the certificate's principal is not a plain name");
	name = strndup((const char *)one.p, one.left);
	if (!name)
		return why(w, -ENOMEM, "out of memory");
	if (!principal_valid(name))
		return why(w, -EINVAL, "the certificate's principal is not a plain name");
	*ret = STEAL_PTR(name);
	return 0;
}

/* force-command and source-address restrict what a signature cannot show, so they are as bad as unknown ones. */
static int read_critical(struct wire *options, struct sshsig *s, struct why *w)
{
	struct wire name, data;

	while (options->left > 0) {
		if (wire_str(options, &name) < 0 || wire_str(options, &data) < 0)
			return why(w, -EINVAL, "the certificate's critical options are malformed");
		if (!wire_is(&name, "verify-required") || data.left != 0 || s->cert_verify_required)
			return why(w, -EINVAL, "the certificate's critical option '%.*s' is not accepted",
				name.left > 64 ? 64 : (int)name.left, (const char *)name.p);
		s->cert_verify_required = true;
	}
	return 0;
}

static int check_extensions(struct wire extensions, struct why *w)
{
	struct wire name, data;

	while (extensions.left > 0)
		if (wire_str(&extensions, &name) < 0 || wire_str(&extensions, &data) < 0)
			return why(w, -EINVAL, "the certificate's extensions are malformed");
	return 0;
}

static uint64_t real_usec(uint64_t seconds)
{
	return seconds > USEC_INFINITY / USEC_PER_SEC ? USEC_INFINITY : seconds * USEC_PER_SEC;
}

int sshcert_read(const uint8_t *blob, size_t len, struct sshsig *ret, struct why *w)
{
	struct wire b = { blob, len }, name, nonce, key_id, principals, critical, extensions, reserved, ca, signature;
	const struct cert_type *t;
	uint64_t serial, after, before;
	uint32_t type;
	int r;

	if (wire_str(&b, &name) < 0 || !(t = cert_type_find(&name)))
		return why(w, -EINVAL, "not a certificate");
	if (wire_str(&b, &nonce) < 0)
		return why(w, -EINVAL, "the certificate is cut short");
	r = read_key(&b, t, &ret->key, w);
	if (r < 0)
		return r;
	if (wire_u64(&b, &serial) < 0 || wire_u32(&b, &type) < 0 || wire_str(&b, &key_id) < 0 ||
	    wire_str(&b, &principals) < 0 || wire_u64(&b, &after) < 0 || wire_u64(&b, &before) < 0 ||
	    wire_str(&b, &critical) < 0 || wire_str(&b, &extensions) < 0 || wire_str(&b, &reserved) < 0 ||
	    wire_str(&b, &ca) < 0 || wire_str(&b, &signature) < 0)
		return why(w, -EINVAL, "the certificate is cut short");
	if (b.left != 0)
		return why(w, -EINVAL, "%zu bytes follow the certificate", b.left);
	if (type != CERT_TYPE_USER)
		return why(w, -EINVAL, "the certificate is not a user's");
	if (after >= before)
		return why(w, -EINVAL, "the certificate is never valid");
	if ((r = read_principal(&principals, &ret->cert_principal, w)) < 0 ||
	    (r = read_critical(&critical, ret, w)) < 0 || (r = check_extensions(extensions, w)) < 0 ||
	    (r = sshkey_from_blob(ca.p, ca.left, &ret->cert_ca, w)) < 0 ||
	    (r = sshsig_read_signature(&signature, &ret->cert_ca, NULL, w)) < 0)
		return r;
	ret->certificate = true;
	ret->cert_valid_after = real_usec(after);
	ret->cert_valid_before = real_usec(before);
	return 0;
}
