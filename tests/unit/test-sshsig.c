/* Signatures: real ones of every kind are read as what they are; what ssh-keygen calls Good and must not count is refused. */
#include "config.h"
#include "tests/unit/ssh-fixture.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/sshsig.h"

#define ORIGIN "https://hub.example.com:8443"
#define RPID "hub.example.com"
#define MESSAGE "{\"v\":1,\"verdict\":\"approve\"}"

static const struct {
	const char *name, *type, *bits, *sig;
} kinds[] = {
	{ "ed25519", "ed25519", NULL, "ssh-ed25519" },
	{ "p256", "ecdsa", "256", "ecdsa-sha2-nistp256" },
	{ "p384", "ecdsa", "384", "ecdsa-sha2-nistp384" },
	{ "p521", "ecdsa", "521", "ecdsa-sha2-nistp521" },
	{ "rsa", "rsa", "2048", "rsa-sha2-512" },
};

static const struct sshsig_policy policy = {
	.ns = NS,
	.origins = (const char *const[]){ "https://other.example.com", ORIGIN, NULL },
};

static struct soft_key sk[2], passkey; /* sk[0] Ed25519, sk[1] P-256 */

static int begin(void **state)
{
	if (fixture_begin(state) < 0)
		return -1;
	for (size_t i = 0; i < ELEMENTS(kinds); i++)
		keygen(kinds[i].name, kinds[i].type, kinds[i].bits);
	soft_new(&sk[0], false, "ssh:");
	soft_new(&sk[1], true, "ssh:");
	soft_new(&passkey, true, RPID);
	return 0;
}

static int end(void **state)
{
	soft_done(&sk[0]);
	soft_done(&sk[1]);
	soft_done(&passkey);
	return fixture_end(state);
}

static void signers_of(const char *principal, const char *options, const struct sshkey *k, struct signers *ret)
{
	CLEAN(free_p) char *key = sshkey_format(k);
	CLEAN(free_p) char *line = NULL;
	struct why w;

	assert_true(asprintf(&line, "%s %snamespaces=\"" NS "\" %s\n", principal, options, key) > 0);
	assert_int_equal(signers_parse(line, strlen(line), "approvers", NS, ret, &w), 0);
}

static void soft_signers(const struct soft_key *soft, struct signers *ret)
{
	CLEAN(sshkey_done) struct sshkey k = { 0 };
	struct why w;

	assert_int_equal(sshkey_from_blob(soft->public_blob.data, soft->public_blob.n, &k, &w), 0);
	signers_of("bob", "", &k, ret);
}

static void parse_refused(const char *armored, const char *word)
{
	struct sshsig s = { .flags = 77 };
	struct why w = { "" };
	int r = sshsig_parse(armored, strlen(armored), &s, &w);

	if (r != -EINVAL || !strstr(w.text, word))
		fail_msg("%d '%s', not '%s'", r, w.text, word);
	assert_int_equal(s.flags, 77);
	assert_null(s.key.type);
}

static void check_refused(const struct sshsig *s, const struct sshsig_policy *p, const struct signer *signer, const char *word)
{
	struct why w = { "" };
	int r = sshsig_check(s, p, signer, &w);

	if (r != -EACCES || !strstr(w.text, word))
		fail_msg("%d '%s', not '%s'", r, w.text, word);
}

static void must_parse(const char *armored, struct sshsig *ret)
{
	struct why w = { "" };

	if (sshsig_parse(armored, strlen(armored), ret, &w) < 0)
		fail_msg("%s", w.text);
}

/* ---- plain keys, by the real ssh-keygen ---- */

static void test_plain(void **state)
{
	for (size_t i = 0; i < ELEMENTS(kinds); i++) {
		CLEAN(free_p) char *armored = keygen_sign(kinds[i].name, NS, MESSAGE);
		CLEAN(sshkey_done) struct sshkey k = { 0 }, other = { 0 };
		CLEAN(sshsig_done) struct sshsig s = { 0 };
		CLEAN(signers_done) struct signers listed = { 0 }, foreign = { 0 }, ca = { 0 };
		struct why w = { "" };

		public_key(kinds[i].name, &k);
		public_key(kinds[(i + 1) % ELEMENTS(kinds)].name, &other);
		must_parse(armored, &s);
		assert_true(sshkey_equal(&s.key, &k));
		assert_string_equal(s.namespace_, NS);
		assert_int_equal(s.kind, SSHSIG_KEY);
		assert_string_equal(sshsig_strength(&s), "key");
		assert_false(s.certificate);

		signers_of("bob", "", &k, &listed);
		signers_of("bob", "", &other, &foreign);
		signers_of("bob", "cert-authority,", &k, &ca);
		assert_int_equal(sshsig_check(&s, &policy, &listed.list[0], &w), 0);
		assert_true(keygen_verify(listed.bytes, "bob", NS, armored, MESSAGE));
		check_refused(&s, &policy, &foreign.list[0], "not the one listed");
		check_refused(&s, &policy, &ca.list[0], "certificate authority");
		check_refused(&s, &(struct sshsig_policy){ .ns = "login@pam-jit" }, &listed.list[0], "namespace");
		assert_int_equal(sshsig_check_challenge(&s, "other", 5, &w), 0); /* not a passkey's */
	}
}

/* ---- armor ---- */

static void test_armor(void **state)
{
	CLEAN(free_p) char *good = keygen_sign("ed25519", NS, MESSAGE);
	CLEAN(free_p) char *spoiled = NULL;
	CLEAN(free_p) char *body = NULL;
	const char *first = strchr(good, '\n') + 1, *last = strstr(good, "-----END");
	struct sshsig s = { 0 };
	struct why w;

	must_parse(good, &s);
	sshsig_done(&s);
	assert_int_equal(sshsig_parse(good, strlen(good) - 1, &s, &w), 0); /* no last newline */
	sshsig_done(&s);
	for (size_t n = 0; n < strlen(good) - 1; n++) {
		spoiled = malloc(n + 1);
		memcpy(spoiled, good, n);
		assert_int_equal(sshsig_parse(spoiled, n, &s, &w), -EINVAL);
		free(STEAL_PTR(spoiled));
	}
	body = strndup(first, (size_t)(last - first));
#define ARMOR(fmt, ...) \
	(free(spoiled), assert_true(asprintf(&spoiled, fmt, __VA_ARGS__) > 0), spoiled)
	parse_refused(ARMOR("%s\n", good), "armor");
	parse_refused(ARMOR(" %s", good), "no armored");
	parse_refused(ARMOR("x\n%s", good), "no armored");
	parse_refused(ARMOR("%sx", good), "no armored");
	parse_refused(ARMOR("-----BEGIN SSH SIGNATURE-----\n\n%s-----END SSH SIGNATURE-----\n", body), "empty line");
	parse_refused(ARMOR("-----BEGIN SSH SIGNATURE-----\n%.*s-----END SSH SIGNATURE-----\n", (int)strlen(body) - 1, body),
		"line of its own");
	parse_refused(ARMOR("-----BEGIN SSH SIGNATURE-----\n %s-----END SSH SIGNATURE-----\n", body), "not base64");
	parse_refused(ARMOR("-----BEGIN SSH SIGNATURE-----\n%s%s-----END SSH SIGNATURE-----\n", body, body), "");
	parse_refused(ARMOR("-----BEGIN SSH SIGNATURE-----\r\n%s-----END SSH SIGNATURE-----\n", body), "no armored");
	parse_refused(ARMOR("-----BEGIN SSH SIGNATURE-----\nAAAA\r\n%s-----END SSH SIGNATURE-----\n", body), "not base64");
	parse_refused("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", "not an SSH signature");
	parse_refused("", "no armored");
	parse_refused(ARMOR("%*s", SSHSIG_MAX + 1, good), "longer than");
#undef ARMOR
}

/* ---- the blob ---- */

static void blob_refused(const struct soft_key *k, const struct soft_sign *how, const char *word)
{
	CLEAN(free_p) char *armored = soft_armor(k, how);

	parse_refused(armored, word);
}

static void test_blob(void **state)
{
	const struct soft_sign good = { .message = MESSAGE, .flags = 1 };
	static const struct blob no_key;
	struct soft_sign how;

#define SPOILED(...) (how = good, __VA_ARGS__, &how)
	for (size_t i = 0; i < 2; i++) {
		blob_refused(&sk[i], SPOILED(how.version = 2), "version");
		blob_refused(&sk[i], SPOILED(how.version = 0x01000000), "version");
		blob_refused(&sk[i], SPOILED(how.hash = "sha256"), "hash");
		blob_refused(&sk[i], SPOILED(how.hash = ""), "hash");
		blob_refused(&sk[i], SPOILED(how.reserved = "x"), "reserved");
		blob_refused(&sk[i], SPOILED(how.public_blob = &no_key), "key is cut short");
		blob_refused(&sk[i], SPOILED(how.ns = "a b"), "namespace");
		blob_refused(&sk[i], SPOILED(how.ns = "a\nb"), "namespace");
		blob_refused(&sk[i], SPOILED(how.trail_blob = "x"), "1 bytes follow the SSH");
		blob_refused(&sk[i], SPOILED(how.trail_signature = "xy"), "2 bytes follow the signature");
		blob_refused(&sk[i], SPOILED(how.type = "ssh-rsa"), "not accepted");
		blob_refused(&sk[i], SPOILED(how.type = "ssh-dss"), "not accepted");
		blob_refused(&sk[i], SPOILED(how.type = ""), "not accepted");
		blob_refused(&sk[i], SPOILED(how.type = "ssh-ed25519"), "does not fit");
		blob_refused(&sk[i], SPOILED(how.type = "rsa-sha2-256"), "does not fit");
		blob_refused(&sk[i], SPOILED(how.type = soft_type(&sk[!i])), "does not fit");
		blob_refused(&sk[i], SPOILED(how.public_blob = &sk[!i].public_blob), "does not fit");
	}
	/* a security key's answer cannot pass as a passkey's, nor the other way round */
	blob_refused(&sk[1], SPOILED(how.type = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"), "cut short");
	blob_refused(&passkey, SPOILED(how.origin = ORIGIN, how.type = soft_type(&passkey)), "follow the signature");
	blob_refused(&sk[0], SPOILED(how.origin = ORIGIN), "does not fit");
#undef SPOILED
}

/* Cut anywhere it is refused; with any byte changed it is refused or read, and never crashes. */
static void test_mutations(void **state)
{
	const struct soft_sign how[] = {
		{ .message = MESSAGE, .flags = 1 },
		{ .message = MESSAGE, .flags = 5, .origin = ORIGIN },
		{ .message = MESSAGE, .flags = 0x85, .origin = ORIGIN, .extensions = "\xa1" "abc" },
	};

	for (size_t i = 0; i < ELEMENTS(how); i++) {
		struct blob whole;

		soft_blob(i ? &passkey : &sk[0], &how[i], &whole);
		for (size_t n = 0; n < whole.n; n++) {
			struct blob b = whole;
			CLEAN(free_p) char *cut = NULL;
			CLEAN(free_p) char *flipped = NULL;
			CLEAN(sshsig_done) struct sshsig s = { 0 };
			struct why w;

			b.n = n;
			cut = armor(&b);
			assert_int_equal(sshsig_parse(cut, strlen(cut), &s, &w), -EINVAL);
			b = whole;
			b.data[n] ^= 0xff;
			flipped = armor(&b);
			(void)sshsig_parse(flipped, strlen(flipped), &s, &w);
		}
	}
}

/* Plain key types whose signature is not what ssh-keygen would write. */
static void test_plain_by_hand(void **state)
{
	static const struct {
		const char *key, *type;
		const char *raw;
		size_t len;
		const char *word;
	} rows[] = {
		{ "rsa", "ssh-rsa", "x", 1, "not accepted" },
		{ "rsa", "rsa-sha2-256", "x", 1, NULL },
		{ "rsa", "rsa-sha2-512", "x", 1, NULL },
		{ "rsa", "rsa-sha2-512", "", 0, "malformed" },
		{ "rsa", "rsa-sha2-512-cert-v01@openssh.com", "x", 1, "not accepted" },
		{ "p256", "ecdsa-sha2-nistp384", "\0\0\0\1\1\0\0\0\1\1", 10, "does not fit" },
		{ "p256", "ecdsa-sha2-nistp256", "\0\0\0\1\1\0\0\0\1\1", 10, NULL },
		{ "p256", "ecdsa-sha2-nistp256", "\0\0\0\1\1\0\0\0\1\1x", 11, "malformed" },
		{ "p256", "ecdsa-sha2-nistp256", "\0\0\0\1\1\0\0\0\1\x81", 10, "malformed" },
		{ "p256", "ecdsa-sha2-nistp256", "\0\0\0\1\1\0\0\0\0", 9, "malformed" },
		{ "p256", "ecdsa-sha2-nistp256", "\0\0\0\1\1", 5, "malformed" },
		{ "p256", "ecdsa-sha2-nistp256", "\xff\xff\xff\xff\1", 5, "malformed" },
		{ "ed25519", "ssh-ed25519", "short", 5, "malformed" },
		{ "ed25519", "sk-ssh-ed25519@openssh.com", "short", 5, "does not fit" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		CLEAN(sshkey_done) struct sshkey k = { 0 };
		CLEAN(sshsig_done) struct sshsig s = { 0 };
		CLEAN(free_p) char *armored = NULL;
		struct blob b = { 0 }, signature = { 0 };

		public_key(rows[i].key, &k);
		blob_text(&signature, rows[i].type);
		blob_str(&signature, rows[i].raw, rows[i].len);
		blob_bytes(&b, "SSHSIG\0\0\0\1", 10);
		blob_str(&b, k.blob, k.blob_len);
		blob_text(&b, NS);
		blob_text(&b, "");
		blob_text(&b, "sha512");
		blob_blob(&b, &signature);
		armored = armor(&b);
		if (rows[i].word)
			parse_refused(armored, rows[i].word);
		else
			must_parse(armored, &s);
	}
}

/* ---- security keys ---- */

static void test_touch(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		CLEAN(signers_done) struct signers listed = { 0 };

		soft_signers(&sk[i], &listed);
		for (unsigned flags = 0; flags < 8; flags++) {
			const struct soft_sign how = { .message = MESSAGE, .flags = (uint8_t)flags, .counter = 0x01020304 };
			CLEAN(free_p) char *armored = soft_armor(&sk[i], &how);
			CLEAN(sshsig_done) struct sshsig s = { 0 };
			struct why w = { "" };

			/* ssh-keygen calls all of them Good: that is why this is checked */
			assert_true(keygen_verify(listed.bytes, "bob", NS, armored, MESSAGE));
			assert_false(keygen_verify(listed.bytes, "bob", NS, armored, MESSAGE "x"));
			must_parse(armored, &s);
			assert_int_equal(s.kind, SSHSIG_HW_KEY);
			assert_string_equal(sshsig_strength(&s), "hw-key");
			assert_int_equal(s.flags, flags);
			assert_int_equal(s.counter, 0x01020304);
			if (flags & SSHSIG_PRESENT)
				assert_int_equal(sshsig_check(&s, &policy, &listed.list[0], &w), 0);
			else
				check_refused(&s, &policy, &listed.list[0], "not touched");
		}
	}
}

/* ---- passkeys ---- */

static void test_passkey(void **state)
{
	static const char *const more[] = { "", ",\"crossOrigin\":false",
		",\"crossOrigin\":false,\"other_keys_can_be_added_here\":\"do not compare\"" };
	CLEAN(signers_done) struct signers listed = { 0 };

	soft_signers(&passkey, &listed);
	for (size_t i = 0; i < ELEMENTS(more); i++) {
		const struct soft_sign how = { .message = MESSAGE, .flags = 5, .counter = 9, .origin = ORIGIN, .more = more[i] };
		CLEAN(free_p) char *armored = soft_armor(&passkey, &how);
		CLEAN(sshsig_done) struct sshsig s = { 0 };
		struct why w = { "" };

		assert_true(keygen_verify(listed.bytes, "bob", NS, armored, MESSAGE));
		assert_false(keygen_verify(listed.bytes, "bob", NS, armored, MESSAGE "x"));
		must_parse(armored, &s);
		assert_int_equal(s.kind, SSHSIG_BROWSER);
		assert_string_equal(sshsig_strength(&s), "browser");
		assert_string_equal(s.origin, ORIGIN);
		assert_int_equal(s.counter, 9);
		assert_int_equal(sshsig_check(&s, &policy, &listed.list[0], &w), 0);
		assert_int_equal(sshsig_check_challenge(&s, MESSAGE, strlen(MESSAGE), &w), 0);
		assert_int_equal(sshsig_check_challenge(&s, MESSAGE "x", strlen(MESSAGE) + 1, &w), -EACCES);
		assert_int_equal(sshsig_check_challenge(&s, MESSAGE, strlen(MESSAGE) - 1, &w), -EACCES);
	}
}

/* Good for ssh-keygen, worth nothing for a decision. */
static void test_passkey_refused(void **state)
{
	static const struct {
		uint8_t flags;
		const char *origin, *more, *extensions;
		const char *word;
	} rows[] = {
		{ 0, ORIGIN, "", NULL, "not touched" },
		{ 4, ORIGIN, "", NULL, "not touched" },
		{ 1, ORIGIN, "", NULL, "did not verify" },
		{ 0x81, ORIGIN, "", "\xa0", "did not verify" },
		{ 5, "https://evil.example.com", "", NULL, "origin https://evil" },
		{ 5, ORIGIN ".evil.example.com", "", NULL, "origin" },
		{ 5, "https://hub.example.com", "", NULL, "origin" },
		{ 5, "http://hub.example.com:8443", "", NULL, "origin" },
		{ 5, ORIGIN "/", "", NULL, "origin" },
		{ 5, ORIGIN, ",\"crossOrigin\":true", NULL, "embedded" },
		{ 5, ORIGIN, ",\"crossOrigin\":false,\"topOrigin\":\"https://x\"", NULL, "embedded" },
		{ 5, ORIGIN, ",\"topOrigin\":null", NULL, "embedded" },
	};
	CLEAN(signers_done) struct signers listed = { 0 };

	soft_signers(&passkey, &listed);
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		const struct soft_sign how = { .message = MESSAGE, .flags = rows[i].flags, .origin = rows[i].origin,
			.more = rows[i].more, .extensions = rows[i].extensions };
		CLEAN(free_p) char *armored = soft_armor(&passkey, &how);
		CLEAN(sshsig_done) struct sshsig s = { 0 };

		assert_true(keygen_verify(listed.bytes, "bob", NS, armored, MESSAGE));
		must_parse(armored, &s);
		check_refused(&s, &policy, &listed.list[0], rows[i].word);
	}
}

static void test_no_origins(void **state)
{
	const struct soft_sign how = { .message = MESSAGE, .flags = 5, .origin = ORIGIN };
	CLEAN(free_p) char *armored = soft_armor(&passkey, &how);
	CLEAN(signers_done) struct signers listed = { 0 };
	CLEAN(sshsig_done) struct sshsig s = { 0 };

	soft_signers(&passkey, &listed);
	must_parse(armored, &s);
	check_refused(&s, &(struct sshsig_policy){ .ns = NS }, &listed.list[0], "origin");
	check_refused(&s, &(struct sshsig_policy){ .ns = NS, .origins = (const char *const[]){ NULL } }, &listed.list[0],
		"origin");
}

#define CLIENT(members) "{" members "}"
#define TYPE "\"type\":\"webauthn.get\""
#define CHALLENGE "\"challenge\":\"AAAA\""
#define WHERE "\"origin\":\"" ORIGIN "\""

static void test_client_data(void **state)
{
	static const struct {
		const char *client, *word;
	} rows[] = {
		{ "", "clientDataJSON" },
		{ "null", "clientDataJSON" },
		{ "[]", "clientDataJSON" },
		{ CLIENT(TYPE "," CHALLENGE "," WHERE) "x", "clientDataJSON" },
		{ CLIENT(TYPE "," CHALLENGE "," WHERE) CLIENT(""), "clientDataJSON" },
		{ CLIENT(TYPE "," CHALLENGE "," WHERE "," WHERE), "clientDataJSON" },
		{ CLIENT(TYPE "," TYPE "," CHALLENGE "," WHERE), "clientDataJSON" },
		{ CLIENT(TYPE "," CHALLENGE "," WHERE ",\"crossOrigin\":true,\"crossOrigin\":false"), "clientDataJSON" },
		{ CLIENT("'type':'webauthn.get'," CHALLENGE "," WHERE), "clientDataJSON" },
		{ CLIENT(TYPE "," CHALLENGE "," WHERE ",\"x\":\"\xff\""), "clientDataJSON" },
		{ CLIENT(TYPE "," CHALLENGE "," WHERE ","), "clientDataJSON" },
		{ CLIENT(CHALLENGE "," WHERE), "webauthn.get" },
		{ CLIENT("\"type\":\"webauthn.create\"," CHALLENGE "," WHERE), "webauthn.get" },
		{ CLIENT("\"type\":1," CHALLENGE "," WHERE), "webauthn.get" },
		{ CLIENT("\"type\":{}," CHALLENGE "," WHERE), "webauthn.get" },
		{ CLIENT(TYPE "," WHERE), "challenge" },
		{ CLIENT(TYPE ",\"challenge\":\"\"," WHERE), "challenge" },
		{ CLIENT(TYPE ",\"challenge\":5," WHERE), "challenge" },
		{ CLIENT(TYPE "," CHALLENGE), "origin" },
		{ CLIENT(TYPE "," CHALLENGE ",\"origin\":null"), "origin" },
		{ CLIENT(TYPE "," CHALLENGE ",\"origin\":\"https://evil\""), "origin is not the signature's" },
		{ CLIENT(TYPE "," CHALLENGE "," WHERE ",\"crossOrigin\":\"false\""), "neither true nor false" },
		{ CLIENT(TYPE "," CHALLENGE "," WHERE ",\"crossOrigin\":null"), "neither true nor false" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		blob_refused(&passkey,
			&(struct soft_sign){ .message = MESSAGE, .flags = 5, .origin = ORIGIN, .client_data = rows[i].client },
			rows[i].word);
	blob_refused(&passkey, &(struct soft_sign){ .message = MESSAGE, .flags = 5, .origin = "" }, "origin is malformed");
	blob_refused(&passkey, &(struct soft_sign){ .message = MESSAGE, .flags = 5, .origin = "https://a b" },
		"origin is malformed");
	blob_refused(&passkey, &(struct soft_sign){ .message = MESSAGE, .flags = 5, .origin = "https://\xc3\xa9" },
		"origin is malformed");
	blob_refused(&passkey, &(struct soft_sign){ .message = MESSAGE, .flags = 5, .origin = "https://a\\b" },
		"origin is malformed");
	blob_refused(&passkey, &(struct soft_sign){ .message = MESSAGE, .flags = 0x45, .origin = ORIGIN }, "flags");
	blob_refused(&passkey, &(struct soft_sign){ .message = MESSAGE, .flags = 0x85, .origin = ORIGIN }, "flags");
	blob_refused(&passkey,
		&(struct soft_sign){ .message = MESSAGE, .flags = 5, .origin = ORIGIN, .extensions = "\xa0" }, "flags");
}

/* A challenge that is another message's is read, and found out. */
static void test_challenge(void **state)
{
	static const char *const challenges[] = { "AAAA", "U1NIU0lH", "not base64!" };

	for (size_t i = 0; i < ELEMENTS(challenges); i++) {
		CLEAN(sshsig_done) struct sshsig s = { 0 };
		CLEAN(free_p) char *client = NULL;
		CLEAN(free_p) char *armored = NULL;
		struct soft_sign how = { .message = MESSAGE, .flags = 5, .origin = ORIGIN };
		struct why w;

		assert_true(asprintf(&client, "{" TYPE ",\"challenge\":\"%s\"," WHERE "}", challenges[i]) > 0);
		how.client_data = client;
		armored = soft_armor(&passkey, &how);
		must_parse(armored, &s);
		assert_int_equal(sshsig_check_challenge(&s, MESSAGE, strlen(MESSAGE), &w), -EACCES);
	}
}

/* ---- certificates ---- */

/* Signs NAME.pub by the CA (a key file) → NAME-cert.pub. */
static void certify(const char *ca, const char *name, const char *const *options)
{
	const char *argv[24] = { SSH_KEYGEN, "-q", "-s", ca, "-I", "an id" };
	char path[64];
	size_t n = 6;

	while (*options)
		argv[n++] = *options++;
	snprintf(path, sizeof path, "%s.pub", name);
	argv[n++] = path;
	argv[n] = NULL;
	assert_int_equal(run(NULL, NULL, 0, argv), 0);
}
#define CERTIFY(ca, name, ...) certify(ca, name, (const char *const[]){ __VA_ARGS__, NULL })

static char *sign_with_certificate(const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "%s-cert.pub", name);
	return keygen_sign(path, NS, MESSAGE);
}

static void test_certificate(void **state)
{
	for (size_t i = 0; i < ELEMENTS(kinds); i++) {
		const char *ca = kinds[(i + 1) % ELEMENTS(kinds)].name;
		CLEAN(sshkey_done) struct sshkey k = { 0 }, ca_key = { 0 };
		CLEAN(signers_done) struct signers listed = { 0 }, carol = { 0 }, plain = { 0 }, certified = { 0 };
		CLEAN(sshsig_done) struct sshsig s = { 0 };
		CLEAN(free_p) char *armored = NULL;
		struct why w = { "" };

		CERTIFY(ca, kinds[i].name, "-n", "bob", "-V", "20200102000000Z:20400101000000Z");
		armored = sign_with_certificate(kinds[i].name);
		public_key(kinds[i].name, &k);
		public_key(ca, &ca_key);
		must_parse(armored, &s);
		assert_true(s.certificate);
		assert_true(sshkey_equal(&s.key, &k));
		assert_true(sshkey_equal(&s.cert_ca, &ca_key));
		assert_string_equal(s.cert_principal, "bob");
		assert_int_equal(s.kind, SSHSIG_KEY);
		assert_true(s.cert_valid_after == UINT64_C(1577923200) * USEC_PER_SEC);
		assert_true(s.cert_valid_before == UINT64_C(2208988800) * USEC_PER_SEC);

		signers_of("bob", "cert-authority,", &ca_key, &listed);
		signers_of("carol", "cert-authority,", &ca_key, &carol);
		signers_of("bob", "", &ca_key, &plain);
		signers_of("bob", "cert-authority,", &k, &certified);
		assert_int_equal(sshsig_check(&s, &policy, &listed.list[0], &w), 0);
		assert_true(keygen_verify(listed.bytes, "bob", NS, armored, MESSAGE));
		check_refused(&s, &policy, &carol.list[0], "for bob");
		check_refused(&s, &policy, &plain.list[0], "plain key is listed");
		check_refused(&s, &policy, &certified.list[0], "not the one listed");
	}
}

static void test_certificate_forever(void **state)
{
	CLEAN(sshsig_done) struct sshsig s = { 0 };
	CLEAN(free_p) char *armored = NULL;

	CERTIFY("ed25519", "p256", "-n", "bob");
	armored = sign_with_certificate("p256");
	must_parse(armored, &s);
	assert_true(s.cert_valid_after == 0);
	assert_true(s.cert_valid_before == USEC_INFINITY);
}

static void test_certificate_refused(void **state)
{
	static const struct {
		const char *options[8];
		const char *word;
	} rows[] = {
		{ { "-n", "bob,carol" }, "more than one principal" },
		{ { "-z", "1" }, "no principal" },
		{ { "-n", "bob*" }, "plain name" },
		{ { "-n", "bob", "-O", "force-command=/bin/true" }, "'force-command' is not accepted" },
		{ { "-n", "bob", "-O", "source-address=10.0.0.0/8" }, "'source-address' is not accepted" },
		{ { "-n", "bob", "-O", "critical:x@example.com=1" }, "'x@example.com' is not accepted" },
		{ { "-n", "bob", "-O", "critical:verify-required=1" }, "'verify-required' is not accepted" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		CLEAN(free_p) char *armored = NULL;

		certify("ed25519", "p256", rows[i].options);
		armored = sign_with_certificate("p256");
		parse_refused(armored, rows[i].word);
	}
	CERTIFY("ed25519", "p256", "-h", "-n", "bob");
	{
		CLEAN(free_p) char *armored = sign_with_certificate("p256");

		parse_refused(armored, "not a user's");
	}
	CERTIFY("ed25519", "p256", "-n", "bob", "-O", "clear", "-O", "extension:x@example.com=1");
	{
		CLEAN(free_p) char *armored = sign_with_certificate("p256");
		CLEAN(sshsig_done) struct sshsig s = { 0 };

		must_parse(armored, &s);
	}
}

/* What ssh-keygen would not even make: built by hand. */
static void test_certificate_by_hand(void **state)
{
	static const struct {
		const char *principal;
		uint64_t after, before;
		const char *word;
	} rows[] = {
		{ "bob", 5, 5, "never valid" },
		{ "bob", 6, 5, "never valid" },
		{ "", 0, 5, "plain name" },
		{ "b\nb", 0, 5, "plain name" },
		{ "bob", 0, 5, "the key is cut short" }, /* all is well but its CA */
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct blob cert = { 0 }, principals = { 0 };
		uint8_t key[32] = { 1 };

		blob_text(&principals, rows[i].principal);
		blob_text(&cert, "sk-ssh-ed25519-cert-v01@openssh.com");
		blob_text(&cert, "nonce");
		blob_str(&cert, key, sizeof key);
		blob_text(&cert, "ssh:");
		blob_u64(&cert, 1);
		blob_u32(&cert, 1);
		blob_text(&cert, "id");
		blob_blob(&cert, &principals);
		blob_u64(&cert, rows[i].after);
		blob_u64(&cert, rows[i].before);
		for (int n = 0; n < 5; n++) /* critical, extensions, reserved, CA, signature */
			blob_text(&cert, "");
		blob_refused(&sk[0], &(struct soft_sign){ .message = MESSAGE, .flags = 1, .public_blob = &cert },
			rows[i].word);
	}
}

static void certificate_blob(const char *name, struct blob *ret)
{
	CLEAN(free_p) char *text = NULL;
	CLEAN(free_p) uint8_t *blob = NULL;
	char path[64], *base64;
	size_t len;

	snprintf(path, sizeof path, "%s-cert.pub", name);
	text = slurp(path, NULL);
	base64 = strchr(text, ' ') + 1;
	assert_int_equal(base64_decode(base64, strcspn(base64, " \n"), &blob, &len), 0);
	ret->n = 0;
	blob_bytes(ret, blob, len);
}

/* Certificates of security keys and passkeys; verify-required makes verification a must. */
static void test_certificate_of_security_key(void **state)
{
	struct soft_key *const softs[] = { &sk[0], &sk[1], &passkey };
	CLEAN(sshkey_done) struct sshkey ca = { 0 };
	CLEAN(signers_done) struct signers listed = { 0 };

	public_key("rsa", &ca);
	signers_of("bob", "cert-authority,", &ca, &listed);
	for (size_t i = 0; i < ELEMENTS(softs); i++) {
		CLEAN(free_p) char *line = blob_line(soft_type(softs[i]), &softs[i]->public_blob);
		struct soft_sign how = { .message = MESSAGE, .flags = 5, .origin = i == 2 ? ORIGIN : NULL };
		struct blob cert;

		spill_text("soft.pub", line);
		CERTIFY("rsa", "soft", "-n", "bob", "-O", "verify-required");
		certificate_blob("soft", &cert);
		how.public_blob = &cert;
		for (unsigned flags = 0; flags < 8; flags++) {
			CLEAN(free_p) char *armored = NULL;
			CLEAN(sshsig_done) struct sshsig s = { 0 };
			struct why w = { "" };

			how.flags = (uint8_t)flags;
			armored = soft_armor(softs[i], &how);
			must_parse(armored, &s);
			assert_true(s.certificate && s.cert_verify_required);
			assert_int_equal(s.kind, i == 2 ? SSHSIG_BROWSER : SSHSIG_HW_KEY);
			assert_int_equal(s.key.blob_len, softs[i]->public_blob.n);
			assert_memory_equal(s.key.blob, softs[i]->public_blob.data, s.key.blob_len);
			if (flags == 5 || flags == 7) {
				assert_true(keygen_verify(listed.bytes, "bob", NS, armored, MESSAGE));
				assert_int_equal(sshsig_check(&s, &policy, &listed.list[0], &w), 0);
			} else
				check_refused(&s, &policy, &listed.list[0], flags & 1 ? "did not verify" : "not touched");
		}
	}
}

static void test_certificate_mutations(void **state)
{
	struct soft_sign how = { .message = MESSAGE, .flags = 5 };
	CLEAN(free_p) char *line = blob_line(soft_type(&sk[1]), &sk[1].public_blob);
	struct blob whole, b;

	spill_text("soft.pub", line);
	CERTIFY("ed25519", "soft", "-n", "bob", "-O", "verify-required");
	certificate_blob("soft", &whole);
	how.public_blob = &b;
	for (size_t n = 0; n < whole.n; n++) {
		CLEAN(free_p) char *cut = NULL;
		CLEAN(free_p) char *flipped = NULL;
		CLEAN(sshsig_done) struct sshsig s = { 0 };
		struct why w;

		b = whole;
		b.n = n;
		cut = soft_armor(&sk[1], &how);
		assert_int_equal(sshsig_parse(cut, strlen(cut), &s, &w), -EINVAL);
		b = whole;
		b.data[n] ^= 0xff;
		flipped = soft_armor(&sk[1], &how);
		(void)sshsig_parse(flipped, strlen(flipped), &s, &w);
	}
	b = whole;
	blob_u8(&b, 0);
	blob_refused(&sk[1], &how, "1 bytes follow the certificate");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_armor),
		cmocka_unit_test(test_blob),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_plain_by_hand),
		cmocka_unit_test(test_touch),
		cmocka_unit_test(test_passkey),
		cmocka_unit_test(test_passkey_refused),
		cmocka_unit_test(test_no_origins),
		cmocka_unit_test(test_client_data),
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_certificate_forever),
		cmocka_unit_test(test_certificate_refused),
		cmocka_unit_test(test_certificate_by_hand),
		cmocka_unit_test(test_certificate_of_security_key),
		cmocka_unit_test(test_certificate_mutations),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
