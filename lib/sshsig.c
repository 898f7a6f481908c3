/* Reading an SSH signature: armor, blob, key or certificate, signature, and a passkey's clientDataJSON. */
#include "config.h"
#include "lib/sshsig.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/sshcert.h"
#include "lib/sshwire.h"

#define ARMOR_BEGIN "-----BEGIN SSH SIGNATURE-----\n"
#define ARMOR_END "-----END SSH SIGNATURE-----"
#define MAGIC "SSHSIG"
#define HASH "sha512"
#define HASH_LEN 64
#define NAMESPACE_MAX 128
#define ORIGIN_MAX 512

/* authenticatorData flags (WebAuthn 6.1) */
#define FLAG_ATTESTED 0x40
#define FLAG_EXTENSIONS 0x80

void sshsig_done(struct sshsig *s)
{
	sshkey_done(&s->key);
	sshkey_done(&s->cert_ca);
	free(s->cert_principal);
	free(s->namespace_);
	free(s->origin);
	free(s->challenge);
	*s = (struct sshsig){ 0 };
}

/* ---- the signature itself ---- */

enum sig_form { SIG_ED25519, SIG_ECDSA, SIG_RSA };

static const struct sig_type {
	const char *name, *key;
	enum sig_form form;
	bool sk, webauthn;
	size_t scalar; /* of ECDSA: bytes of r and s at most */
} sig_types[] = {
	{ "ssh-ed25519", "ssh-ed25519", SIG_ED25519, false, false, 0 },
	{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", SIG_ECDSA, false, false, 32 },
	{ "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", SIG_ECDSA, false, false, 48 },
	{ "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", SIG_ECDSA, false, false, 66 },
	{ "rsa-sha2-256", "ssh-rsa", SIG_RSA, false, false, 0 },
	{ "rsa-sha2-512", "ssh-rsa", SIG_RSA, false, false, 0 },
	{ "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", SIG_ED25519, true, false, 0 },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", SIG_ECDSA, true, false, 32 },
	{ "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", SIG_ECDSA, true, true,
		32 },
};

static const struct sig_type *sig_type_find(const struct wire *name)
{
	for (size_t i = 0; i < ELEMENTS(sig_types); i++)
		if (wire_is(name, sig_types[i].name))
			return &sig_types[i];
	return NULL;
}

static int read_raw(struct wire *b, const struct sig_type *t, struct why *w)
{
	struct wire raw, r, s;

	if (wire_str(b, &raw) < 0)
		return why(w, -EINVAL, "the signature is cut short");
	switch (t->form) {
	case SIG_ED25519:
		if (raw.left == 64)
			return 0;
		break;
	case SIG_ECDSA:
		if (wire_mpint(&raw, &r) == 0 && wire_mpint(&raw, &s) == 0 && raw.left == 0 &&
		    r.left <= t->scalar && s.left <= t->scalar)
			return 0;
		break;
	case SIG_RSA:
		if (raw.left > 0 && raw.left <= SSHKEY_BLOB_MAX)
			return 0;
		break;
	}
	return why(w, -EINVAL, "the %s signature is malformed", t->name);
}

static char *dup_wire(const struct wire *v)
{
	return strndup((const char *)v->p, v->left);
}

/* An origin is compared byte by byte later; here it only has to be one word of plain ASCII. */
static bool origin_form(const struct wire *v)
{
	if (v->left == 0 || v->left > ORIGIN_MAX)
		return false;
	for (size_t i = 0; i < v->left; i++)
		if (v->p[i] <= ' ' || v->p[i] >= 0x7f || v->p[i] == '"' || v->p[i] == '\\')
			return false;
	return true;
}

static int read_cross_origin(struct json_object *client, struct sshsig *s, struct why *w)
{
	struct json_object *cross = NULL, *top = NULL;

	if (json_object_object_get_ex(client, "crossOrigin", &cross) &&
	    !json_object_is_type(cross, json_type_boolean))
		return why(w, -EINVAL, "clientDataJSON's crossOrigin is neither true nor false");
	s->cross_origin = (cross && json_object_get_boolean(cross)) ||
			  json_object_object_get_ex(client, "topOrigin", &top);
	return 0;
}

static int read_client_data(const struct wire *data, const struct wire *origin, struct sshsig *s, struct why *w)
{
	CLEAN(json_put_p) struct json_object *client = NULL;
	const char *type, *challenge, *said;
	struct why inner;
	int r;

	r = json_parse((const char *)data->p, data->left, &client, &inner);
	if (r < 0)
		return why(w, r, "clientDataJSON: %s", inner.text);
	type = json_str(client, "type");
	if (!type || strcmp(type, "webauthn.get") != 0)
		return why(w, -EINVAL, "clientDataJSON is not of type webauthn.get");
	challenge = json_str(client, "challenge");
	if (!challenge || *challenge == '\0')
		return why(w, -EINVAL, "clientDataJSON holds no challenge");
	said = json_str(client, "origin");
	if (!said || !wire_is(origin, said))
		return why(w, -EINVAL, "clientDataJSON's origin is not the signature's");
	r = read_cross_origin(client, s, w);
	if (r < 0)
		return r;
	s->origin = strdup(said);
	s->challenge = strdup(challenge);
	return s->origin && s->challenge ? 0 : why(w, -ENOMEM, "out of memory");
}

static int read_webauthn(struct wire *b, struct sshsig *s, struct why *w)
{
	struct wire origin, data, extensions;

	if (wire_str(b, &origin) < 0 || wire_str(b, &data) < 0 || wire_str(b, &extensions) < 0)
		return why(w, -EINVAL, "the signature is cut short");
	if (!origin_form(&origin))
		return why(w, -EINVAL, "the passkey's origin is malformed");
	if ((s->flags & FLAG_ATTESTED) != 0 || ((s->flags & FLAG_EXTENSIONS) != 0) != (extensions.left > 0))
		return why(w, -EINVAL, "the passkey's flags do not fit its data");
	return read_client_data(&data, &origin, s, w);
}

int sshsig_read_signature(const struct wire *blob, const struct sshkey *key, struct sshsig *ret, struct why *w)
{
	struct sshsig unused = { 0 }, *s = ret ? ret : &unused;
	struct wire b = *blob, name;
	const struct sig_type *t;
	int r;

	if (wire_str(&b, &name) < 0)
		return why(w, -EINVAL, "the signature is cut short");
	t = sig_type_find(&name);
	if (!t || (t->webauthn && !ret))
		return why(w, -EINVAL, "signature type '%.*s' is not accepted", name.left > 64 ? 64 : (int)name.left,
			(const char *)name.p);
	if (strcmp(t->key, key->type) != 0)
		return why(w, -EINVAL, "a %s signature does not fit a key of type %s", t->name, key->type);
	r = read_raw(&b, t, w);
	if (r < 0)
		return r;
	if (t->sk && (wire_u8(&b, &s->flags) < 0 || wire_u32(&b, &s->counter) < 0))
		return why(w, -EINVAL, "the signature is cut short");
	if (t->webauthn && (r = read_webauthn(&b, s, w)) < 0)
		return r;
	if (b.left != 0)
		return why(w, -EINVAL, "%zu bytes follow the signature", b.left);
	s->kind = t->webauthn ? SSHSIG_BROWSER : t->sk ? SSHSIG_HW_KEY : SSHSIG_KEY;
	return 0;
}

/* ---- the envelope around it ---- */

static int read_key(const struct wire *blob, struct sshsig *s, struct why *w)
{
	struct wire b = *blob, name;

	if (wire_str(&b, &name) < 0)
		return why(w, -EINVAL, "the public key is cut short");
	if (sshcert_type(&name))
		return sshcert_read(blob->p, blob->left, s, w);
	return sshkey_from_blob(blob->p, blob->left, &s->key, w);
}

static int read_namespace(const struct wire *ns, struct sshsig *s, struct why *w)
{
	if (ns->left == 0 || ns->left > NAMESPACE_MAX)
		return why(w, -EINVAL, "the namespace is empty or too long");
	for (size_t i = 0; i < ns->left; i++)
		if (ns->p[i] <= ' ' || ns->p[i] >= 0x7f)
			return why(w, -EINVAL, "the namespace is not plain text");
	s->namespace_ = dup_wire(ns);
	return s->namespace_ ? 0 : why(w, -ENOMEM, "out of memory");
}

static int read_blob(struct wire b, struct sshsig *s, struct why *w)
{
	struct wire key, ns, reserved, hash, signature;
	const uint8_t *magic;
	uint32_t version;
	int r;

	if (wire_bytes(&b, strlen(MAGIC), &magic) < 0 || memcmp(magic, MAGIC, strlen(MAGIC)) != 0)
		return why(w, -EINVAL, "not an SSH signature");
	if (wire_u32(&b, &version) < 0 || version != 1)
		return why(w, -EINVAL, "the version of the SSH signature is not 1");
	if (wire_str(&b, &key) < 0 || wire_str(&b, &ns) < 0 || wire_str(&b, &reserved) < 0 ||
	    wire_str(&b, &hash) < 0 || wire_str(&b, &signature) < 0)
		return why(w, -EINVAL, "the SSH signature is cut short");
	if (b.left != 0)
		return why(w, -EINVAL, "%zu bytes follow the SSH signature", b.left);
	if (reserved.left != 0)
		return why(w, -EINVAL, "the reserved field of the SSH signature is not empty");
	if (!wire_is(&hash, HASH))
		return why(w, -EINVAL, "the hash of the SSH signature is not " HASH);
	if ((r = read_namespace(&ns, s, w)) < 0 || (r = read_key(&key, s, w)) < 0)
		return r;
	return sshsig_read_signature(&signature, &s->key, s, w);
}

/* Between the two marks: lines of base64, nothing else.  The joined text is returned. */
static int join_lines(const char *text, size_t len, char **ret, size_t *ret_len, struct why *w)
{
	CLEAN(free_p) char *joined = malloc(len + 1);
	size_t n = 0, line = 0;

	if (!joined)
		return why(w, -ENOMEM, "out of memory");
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n') {
			joined[n++] = text[i];
			line++;
			continue;
		}
		if (line == 0)
			return why(w, -EINVAL, "an empty line within the signature's armor");
		line = 0;
	}
	if (line != 0)
		return why(w, -EINVAL, "the signature's armor does not end on a line of its own");
	joined[n] = '\0';
	*ret = STEAL_PTR(joined);
	*ret_len = n;
	return 0;
}

static int dearmor(const char *armored, size_t len, uint8_t **ret, size_t *ret_len, struct why *w)
{
	size_t begin = strlen(ARMOR_BEGIN), end = strlen(ARMOR_END), joined_len = 0;
	CLEAN(free_p) char *joined = NULL;
	int r;

	if (len > SSHSIG_MAX)
		return why(w, -EINVAL, "the signature is longer than %d bytes", SSHSIG_MAX);
	if (len > 0 && armored[len - 1] == '\n')
		len--;
	if (len < begin + end || memcmp(armored, ARMOR_BEGIN, begin) != 0 ||
	    memcmp(armored + len - end, ARMOR_END, end) != 0)
		return why(w, -EINVAL, "no armored SSH signature");
	r = join_lines(armored + begin, len - begin - end, &joined, &joined_len, w);
	if (r < 0)
		return r;
	r = base64_decode(joined, joined_len, ret, ret_len);
	if (r == -ENOMEM)
		return why(w, r, "out of memory");
	if (r < 0)
		return why(w, -EINVAL, "the signature's armor is not base64");
	return 0;
}

int sshsig_parse(const char *armored, size_t len, struct sshsig *ret, struct why *w)
{
	CLEAN(sshsig_done) struct sshsig s = { 0 };
	CLEAN(free_p) uint8_t *blob = NULL;
	size_t blob_len;
	int r;

	r = dearmor(armored, len, &blob, &blob_len, w);
	if (r < 0)
		return r;
	r = read_blob((struct wire){ blob, blob_len }, &s, w);
	if (r < 0)
		return r;
	*ret = s;
	s = (struct sshsig){ 0 };
	return 0;
}

/* ---- what it must say ---- */

static int check_key(const struct sshsig *s, const struct signer *signer, struct why *w)
{
	if (s->certificate && !signer->cert_authority)
		return why(w, -EACCES, "signed with a certificate where a plain key is listed");
	if (!s->certificate && signer->cert_authority)
		return why(w, -EACCES, "signed with a plain key where a certificate authority is listed");
	if (!sshkey_equal(s->certificate ? &s->cert_ca : &s->key, &signer->key))
		return why(w, -EACCES, "signed with a key that is not the one listed");
	if (s->certificate && (!signer->principals[0] || signer->principals[1] ||
			       strcmp(signer->principals[0], s->cert_principal) != 0))
		return why(w, -EACCES, "the certificate is for %s, not for the principal listed", s->cert_principal);
	return 0;
}

static bool origin_listed(const char *const *origins, const char *origin)
{
	for (; origins && *origins; origins++)
		if (strcmp(*origins, origin) == 0)
			return true;
	return false;
}

int sshsig_check(const struct sshsig *s, const struct sshsig_policy *p, const struct signer *signer, struct why *w)
{
	const char *what = s->kind == SSHSIG_BROWSER ? "passkey" : "security key";
	int r;

	if (strcmp(s->namespace_, p->ns) != 0)
		return why(w, -EACCES, "signed for the namespace %s, not %s", s->namespace_, p->ns);
	r = check_key(s, signer, w);
	if (r < 0)
		return r;
	if (s->kind != SSHSIG_KEY && (s->flags & SSHSIG_PRESENT) == 0)
		return why(w, -EACCES, "the %s was not touched", what);
	if ((s->kind == SSHSIG_BROWSER || s->cert_verify_required) && (s->flags & SSHSIG_VERIFIED) == 0)
		return why(w, -EACCES, "the %s did not verify its user", what);
	if (s->kind != SSHSIG_BROWSER)
		return 0;
	if (!origin_listed(p->origins, s->origin))
		return why(w, -EACCES, "signed at the origin %s, which is not in Origin=", s->origin);
	if (s->cross_origin)
		return why(w, -EACCES, "signed in a page embedded by another origin");
	return 0;
}

static size_t put_str(uint8_t *at, const void *data, size_t len)
{
	at[0] = (uint8_t)(len >> 24);
	at[1] = (uint8_t)(len >> 16);
	at[2] = (uint8_t)(len >> 8);
	at[3] = (uint8_t)len;
	memcpy(at + 4, data, len);
	return 4 + len;
}

int sshsig_to_be_signed(const char *ns, const void *msg, size_t len, uint8_t **ret, size_t *ret_len)
{
	size_t ns_len = strlen(ns), n = 0;
	uint8_t digest[HASH_LEN], *t;

	if (ns_len == 0 || ns_len > NAMESPACE_MAX)
		return -EINVAL;
	if (EVP_Digest(msg, len, digest, NULL, EVP_sha512(), NULL) != 1)
		return -EIO;
	t = malloc(strlen(MAGIC) + 4 + ns_len + 4 + 4 + strlen(HASH) + 4 + HASH_LEN);
	if (!t)
		return -ENOMEM;
	memcpy(t, MAGIC, strlen(MAGIC));
	n += strlen(MAGIC);
	n += put_str(t + n, ns, ns_len);
	n += put_str(t + n, "", 0);
	n += put_str(t + n, HASH, strlen(HASH));
	n += put_str(t + n, digest, sizeof digest);
	*ret = t;
	*ret_len = n;
	return 0;
}

int sshsig_check_challenge(const struct sshsig *s, const void *msg, size_t len, struct why *w)
{
	CLEAN(free_p) uint8_t *t = NULL;
	CLEAN(free_p) char *base64 = NULL;
	size_t t_len;
	int r;

	if (s->kind != SSHSIG_BROWSER)
		return 0;
	r = sshsig_to_be_signed(s->namespace_, msg, len, &t, &t_len);
	if (r < 0)
		return why(w, r, "the challenge cannot be computed: %s", strerror(-r));
	base64 = base64_encode(t, t_len);
	if (!base64)
		return why(w, -ENOMEM, "out of memory");
	for (char *c = base64; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	base64[strcspn(base64, "=")] = '\0';
	if (strcmp(base64, s->challenge) != 0)
		return why(w, -EACCES, "the passkey's challenge is not this message's");
	return 0;
}

const char *sshsig_strength(const struct sshsig *s)
{
	switch (s->kind) {
	case SSHSIG_BROWSER:
		return "browser";
	case SSHSIG_HW_KEY:
		return "hw-key";
	case SSHSIG_KEY:
		break;
	}
	return "key";
}
