#include "config.h"
#include "tests/unit/ssh-fixture.h"
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/sshsig.h"

extern char **environ;

static char folder[128];

int fixture_begin(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof folder, "%s/jit-test-XXXXXX", tmp && strlen(tmp) < 100 ? tmp : "/tmp");
	if (!mkdtemp(folder) || chdir(folder) < 0)
		return -1;
	/* ssh-keygen must find no agent and no home of somebody else */
	unsetenv("SSH_AUTH_SOCK");
	unsetenv("SSH_ASKPASS");
	setenv("HOME", folder, 1);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

int fixture_end(void **state)
{
	if (chdir("/") < 0)
		return -1;
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *slurp(const char *name, size_t *len)
{
	CLEAN(close_p) int fd = open(name, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t n = 0;

	assert_true(fd >= 0);
	assert_int_equal(file_read_all(fd, 1024 * 1024, &text, &n), 0);
	if (len)
		*len = n;
	return text;
}

void spill(const char *name, const void *data, size_t len)
{
	CLEAN(close_p) int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, len), 0);
}

void spill_text(const char *name, const char *text)
{
	spill(name, text, strlen(text));
}

int run(const char *input, char *output, size_t size, const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	CLEAN(free_p) char *said = NULL;
	size_t len;
	char *args[32];
	int status, n = 0;
	pid_t pid;

	while (argv[n] && n < 31) {
		args[n] = strdup(argv[n]);
		n++;
	}
	args[n] = NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, input ? input : "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "output", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	assert_int_equal(posix_spawn(&pid, args[0], &actions, NULL, args, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < n; i++)
		free(args[i]);
	if (output) {
		said = slurp("output", &len);
		snprintf(output, size, "%s", said);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

void keygen(const char *name, const char *type, const char *bits)
{
	unlink(name);
	if (bits)
		assert_int_equal(RUN(NULL, SSH_KEYGEN, "-q", "-t", type, "-b", bits, "-N", "", "-C", "a comment", "-f", name),
			0);
	else
		assert_int_equal(RUN(NULL, SSH_KEYGEN, "-q", "-t", type, "-N", "", "-C", "a comment", "-f", name), 0);
}

char *keygen_sign(const char *key, const char *ns, const char *message)
{
	spill_text("to-sign", message);
	unlink("to-sign.sig");
	assert_int_equal(RUN(NULL, SSH_KEYGEN, "-q", "-Y", "sign", "-f", key, "-n", ns, "to-sign"), 0);
	return slurp("to-sign.sig", NULL);
}

bool keygen_verify(const char *signers, const char *principal, const char *ns, const char *signature, const char *message)
{
	spill_text("to-verify", message);
	spill_text("to-verify.sig", signature);
	spill_text("to-verify.signers", signers);
	return RUN("to-verify", SSH_KEYGEN, "-Y", "verify", "-f", "to-verify.signers", "-I", principal, "-n", ns, "-s",
		       "to-verify.sig") == 0;
}

void public_key(const char *name, struct sshkey *ret)
{
	CLEAN(free_p) char *text = NULL;
	char path[256];
	struct why w;

	snprintf(path, sizeof path, "%s.pub", name);
	text = slurp(path, NULL);
	text[strcspn(text, "\n")] = '\0';
	assert_int_equal(sshkey_parse(text, ret, &w), 0);
}

void blob_bytes(struct blob *b, const void *data, size_t len)
{
	assert_true(len <= sizeof b->data - b->n);
	if (len > 0)
		memcpy(b->data + b->n, data, len);
	b->n += len;
}

void blob_u8(struct blob *b, uint8_t v)
{
	blob_bytes(b, &v, 1);
}

void blob_u32(struct blob *b, uint32_t v)
{
	blob_bytes(b, (uint8_t[]){ (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v }, 4);
}

void blob_u64(struct blob *b, uint64_t v)
{
	blob_u32(b, (uint32_t)(v >> 32));
	blob_u32(b, (uint32_t)v);
}

void blob_str(struct blob *b, const void *data, size_t len)
{
	blob_u32(b, (uint32_t)len);
	blob_bytes(b, data, len);
}

void blob_text(struct blob *b, const char *text)
{
	blob_str(b, text, strlen(text));
}

void blob_blob(struct blob *b, const struct blob *inner)
{
	blob_str(b, inner->data, inner->n);
}

char *armor(const struct blob *b)
{
	CLEAN(free_p) char *base64 = base64_encode(b->data, b->n);
	size_t len = strlen(base64), size = len + len / 70 + 128, n;
	char *text = malloc(size);

	n = (size_t)snprintf(text, size, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t i = 0; i < len; i += 70)
		n += (size_t)snprintf(text + n, size - n, "%.70s\n", base64 + i);
	snprintf(text + n, size - n, "-----END SSH SIGNATURE-----\n");
	return text;
}

char *blob_line(const char *type, const struct blob *b)
{
	CLEAN(free_p) char *base64 = base64_encode(b->data, b->n);
	size_t size = strlen(type) + strlen(base64) + 2;
	char *text = malloc(size);

	snprintf(text, size, "%s %s", type, base64);
	return text;
}

char *base64url(const void *data, size_t len)
{
	char *text = base64_encode(data, len);

	for (char *c = text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	text[strcspn(text, "=")] = '\0';
	return text;
}

const char *soft_type(const struct soft_key *k)
{
	return k->ec ? "sk-ecdsa-sha2-nistp256@openssh.com" : "sk-ssh-ed25519@openssh.com";
}

void soft_new(struct soft_key *k, bool ec, const char *application)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(ec ? EVP_PKEY_EC : EVP_PKEY_ED25519, NULL);
	uint8_t spki[256], *end = spki;
	size_t key_len = ec ? 65 : 32;

	*k = (struct soft_key){ .ec = ec, .application = application };
	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	if (ec)
		assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1), 1);
	assert_int_equal(EVP_PKEY_keygen(ctx, &k->pkey), 1);
	EVP_PKEY_CTX_free(ctx);
	assert_true(i2d_PUBKEY(k->pkey, &end) > 0); /* the key is the end of a SubjectPublicKeyInfo */
	blob_text(&k->public_blob, soft_type(k));
	if (ec)
		blob_text(&k->public_blob, "nistp256");
	blob_str(&k->public_blob, end - key_len, key_len);
	blob_text(&k->public_blob, application);
}

void soft_done(struct soft_key *k)
{
	EVP_PKEY_free(k->pkey);
	*k = (struct soft_key){ 0 };
}

/* The signature over DATA as SSH has it: r and s as they stand in DER, or the 64 bytes of Ed25519. */
static void raw_signature(const struct soft_key *k, const struct blob *data, struct blob *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[256];
	size_t len = sizeof der, r_len;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, k->ec ? EVP_sha256() : NULL, NULL, k->pkey), 1);
	assert_int_equal(EVP_DigestSign(ctx, der, &len, data->data, data->n), 1);
	EVP_MD_CTX_free(ctx);
	if (!k->ec) {
		blob_bytes(ret, der, len);
		return;
	}
	r_len = der[3]; /* 30 LEN 02 RLEN r 02 SLEN s, all below 128 */
	blob_str(ret, der + 4, r_len);
	blob_str(ret, der + 4 + r_len + 2, der[4 + r_len + 1]);
}

static char *client_data(const struct soft_sign *how, const uint8_t *tbs, size_t len)
{
	CLEAN(free_p) char *challenge = base64url(tbs, len);
	char *text;

	if (how->client_data)
		return strdup(how->client_data);
	assert_true(asprintf(&text, "{\"type\":\"webauthn.get\",\"challenge\":\"%s\",\"origin\":\"%s\"%s}", challenge,
			    how->inner_origin ? how->inner_origin : how->origin, how->more ? how->more : "") > 0);
	return text;
}

static const char *or(const char *said, const char *proper)
{
	return said ? said : proper;
}

static void signature_blob(const struct soft_key *k, const struct soft_sign *how, struct blob *s)
{
	CLEAN(free_p) char *client = NULL;
	CLEAN(free_p) uint8_t *tbs = NULL;
	struct blob data = { 0 }, raw = { 0 };
	uint8_t digest[SHA256_LEN];
	size_t len;

	assert_int_equal(sshsig_to_be_signed(or(how->ns, NS), how->message, strlen(how->message), &tbs, &len), 0);
	sha256(k->application, strlen(k->application), digest);
	blob_bytes(&data, digest, sizeof digest);
	blob_u8(&data, how->flags);
	blob_u32(&data, how->counter);
	if (how->origin) {
		blob_bytes(&data, or(how->extensions, ""), strlen(or(how->extensions, "")));
		client = client_data(how, tbs, len);
		sha256(client, strlen(client), digest);
	} else
		sha256(tbs, len, digest);
	blob_bytes(&data, digest, sizeof digest);
	raw_signature(k, &data, &raw);
	blob_text(s, or(how->type, how->origin ? "webauthn-sk-ecdsa-sha2-nistp256@openssh.com" : soft_type(k)));
	blob_blob(s, &raw);
	blob_u8(s, how->flags);
	blob_u32(s, how->counter);
	if (how->origin) {
		blob_text(s, how->origin);
		blob_text(s, client);
		blob_text(s, or(how->extensions, ""));
	}
	blob_bytes(s, or(how->trail_signature, ""), strlen(or(how->trail_signature, "")));
}

void soft_blob(const struct soft_key *k, const struct soft_sign *how, struct blob *ret)
{
	struct blob s = { 0 };

	signature_blob(k, how, &s);
	ret->n = 0;
	blob_bytes(ret, "SSHSIG", 6);
	blob_u32(ret, how->version ? how->version : 1);
	blob_blob(ret, how->public_blob ? how->public_blob : &k->public_blob);
	blob_text(ret, or(how->ns, NS));
	blob_text(ret, or(how->reserved, ""));
	blob_text(ret, or(how->hash, "sha512"));
	blob_blob(ret, &s);
	blob_bytes(ret, or(how->trail_blob, ""), strlen(or(how->trail_blob, "")));
}

char *soft_armor(const struct soft_key *k, const struct soft_sign *how)
{
	struct blob b;

	soft_blob(k, how, &b);
	return armor(&b);
}
