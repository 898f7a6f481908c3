/* OpenSSH public keys, text and wire form, read strictly (RFC 4253 6.6, RFC 5656 3.1, RFC 8709, PROTOCOL.u2f). */
#include "config.h"
#include "lib/sshkey.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/sshwire.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384
#define APPLICATION_MAX 255 /* an rpId is a host name, "ssh:…" is short */

enum form { FORM_ED25519, FORM_ECDSA, FORM_RSA };

static const struct key_type {
	const char *name;
	enum form form;
	const char *curve;
	size_t point; /* bytes of an uncompressed point, or of an Ed25519 key */
	bool sk;
} key_types[] = {
	{ "ssh-ed25519", FORM_ED25519, NULL, 32, false },
	{ "ecdsa-sha2-nistp256", FORM_ECDSA, "nistp256", 65, false },
	{ "ecdsa-sha2-nistp384", FORM_ECDSA, "nistp384", 97, false },
	{ "ecdsa-sha2-nistp521", FORM_ECDSA, "nistp521", 133, false },
	{ "ssh-rsa", FORM_RSA, NULL, 0, false },
	{ "sk-ssh-ed25519@openssh.com", FORM_ED25519, NULL, 32, true },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", FORM_ECDSA, "nistp256", 65, true },
};

static const struct key_type *key_type_find(const uint8_t *name, size_t len)
{
	struct wire w = { name, len };

	for (size_t i = 0; i < ELEMENTS(key_types); i++)
		if (wire_is(&w, key_types[i].name))
			return &key_types[i];
	return NULL;
}

void sshkey_done(struct sshkey *k)
{
	free(k->type);
	free(k->blob);
	*k = (struct sshkey){ 0 };
}

static int check_point(struct wire *b, const struct key_type *t, struct why *w)
{
	struct wire curve, point;

	if (t->form == FORM_ECDSA) {
		if (wire_str(b, &curve) < 0 || !wire_is(&curve, t->curve))
			return why(w, -EINVAL, "the key is not on the curve of its type %s", t->name);
		if (wire_str(b, &point) < 0 || point.left != t->point || point.p[0] != 4)
			return why(w, -EINVAL, "the key of type %s holds no uncompressed point", t->name);
		return 0;
	}
	if (wire_str(b, &point) < 0 || point.left != t->point)
		return why(w, -EINVAL, "the key of type %s is not %zu bytes long", t->name, t->point);
	return 0;
}

static int check_rsa(struct wire *b, struct why *w)
{
	struct wire e, n;
	size_t bits;

	if (wire_mpint(b, &e) < 0 || wire_mpint(b, &n) < 0)
		return why(w, -EINVAL, "the RSA key is malformed");
	bits = n.left * 8;
	for (uint8_t top = n.p[0]; (top & 0x80) == 0; top = (uint8_t)(top << 1))
		bits--;
	if (bits < RSA_BITS_MIN)
		return why(w, -EINVAL, "the RSA key has %zu bits, at least %u are needed", bits, RSA_BITS_MIN);
	if (bits > RSA_BITS_MAX)
		return why(w, -EINVAL, "the RSA key has %zu bits, more than %u", bits, RSA_BITS_MAX);
	if ((e.p[e.left - 1] & 1) == 0 || (e.left == 1 && e.p[0] < 3) || (n.p[n.left - 1] & 1) == 0)
		return why(w, -EINVAL, "the RSA key is malformed");
	return 0;
}

static int check_blob(const uint8_t *blob, size_t len, const struct key_type **ret, struct why *w)
{
	const struct key_type *t;
	struct wire b = { blob, len }, name, application;
	int r;

	if (len > SSHKEY_BLOB_MAX)
		return why(w, -EINVAL, "the key is longer than %d bytes", SSHKEY_BLOB_MAX);
	if (wire_str(&b, &name) < 0)
		return why(w, -EINVAL, "the key is cut short");
	t = key_type_find(name.p, name.left);
	if (!t)
		return why(w, -EINVAL, "key type '%.*s' is not accepted", name.left > 64 ? 64 : (int)name.left,
			(const char *)name.p);
	r = t->form == FORM_RSA ? check_rsa(&b, w) : check_point(&b, t, w);
	if (r < 0)
		return r;
	if (t->sk && (wire_str(&b, &application) < 0 || application.left == 0 ||
		      application.left > APPLICATION_MAX || memchr(application.p, 0, application.left)))
		return why(w, -EINVAL, "the security key names no application");
	if (b.left != 0)
		return why(w, -EINVAL, "%zu bytes follow the key", b.left);
	*ret = t;
	return 0;
}

int sshkey_from_blob(const uint8_t *blob, size_t len, struct sshkey *ret, struct why *w)
{
	CLEAN(sshkey_done) struct sshkey k = { 0 };
	const struct key_type *t;
	int r;

	r = check_blob(blob, len, &t, w);
	if (r < 0)
		return r;
	k.type = strdup(t->name);
	k.blob = malloc(len);
	if (!k.type || !k.blob)
		return why(w, -ENOMEM, "out of memory");
	memcpy(k.blob, blob, len);
	k.blob_len = len;
	*ret = k;
	k = (struct sshkey){ 0 };
	return 0;
}

int sshkey_parse(const char *line, struct sshkey *ret, struct why *w)
{
	CLEAN(free_p) uint8_t *blob = NULL;
	size_t type_len, text_len, len;
	const struct key_type *t, *inner;
	const char *text;
	int r;

	type_len = strcspn(line, " \t");
	text = line + type_len + strspn(line + type_len, " \t");
	text_len = strcspn(text, " \t");
	t = key_type_find((const uint8_t *)line, type_len);
	if (!t)
		return why(w, -EINVAL, "key type '%.*s' is not accepted", type_len > 64 ? 64 : (int)type_len, line);
	if (text_len == 0)
		return why(w, -EINVAL, "no key follows %s", t->name);
	if (text_len > (size_t)SSHKEY_BLOB_MAX * 4 / 3 + 4)
		return why(w, -EINVAL, "the key is longer than %d bytes", SSHKEY_BLOB_MAX);
	r = base64_decode(text, text_len, &blob, &len);
	if (r == -ENOMEM)
		return why(w, r, "out of memory");
	if (r < 0)
		return why(w, -EINVAL, "the key is not base64");
	r = check_blob(blob, len, &inner, w);
	if (r < 0)
		return r;
	if (inner != t)
		return why(w, -EINVAL, "the key is of type %s, not %s", inner->name, t->name);
	return sshkey_from_blob(blob, len, ret, w);
}

char *sshkey_format(const struct sshkey *k)
{
	CLEAN(free_p) char *base64 = base64_encode(k->blob, k->blob_len);
	size_t len;
	char *text;

	if (!base64)
		return NULL;
	len = strlen(k->type) + 1 + strlen(base64) + 1;
	text = malloc(len);
	if (text)
		snprintf(text, len, "%s %s", k->type, base64);
	return text;
}

void sshkey_fingerprint(const struct sshkey *k, char out[static FINGERPRINT_LEN + 1])
{
	uint8_t digest[SHA256_LEN];
	CLEAN(free_p) char *base64 = NULL;

	if (sha256(k->blob, k->blob_len, digest) == 0)
		base64 = base64_encode(digest, sizeof digest);
	/* 32 bytes are 43 characters and one '=' */
	snprintf(out, FINGERPRINT_LEN + 1, "SHA256:%.43s", base64 ? base64 : "?");
}

bool sshkey_equal(const struct sshkey *a, const struct sshkey *b)
{
	return a->blob && b->blob && a->blob_len == b->blob_len && memcmp(a->blob, b->blob, a->blob_len) == 0;
}

bool sshkey_is_sk(const struct sshkey *k)
{
	return k->type && strncmp(k->type, "sk-", 3) == 0;
}
