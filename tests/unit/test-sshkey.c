/* Public keys: what ssh-keygen makes is read, printed and named as ssh-keygen does; what is malformed is refused. */
#include "config.h"
#include "tests/unit/ssh-fixture.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"

static const struct {
	const char *name, *type, *bits, *full;
} kinds[] = {
	{ "ed25519", "ed25519", NULL, "ssh-ed25519" },
	{ "p256", "ecdsa", "256", "ecdsa-sha2-nistp256" },
	{ "p384", "ecdsa", "384", "ecdsa-sha2-nistp384" },
	{ "p521", "ecdsa", "521", "ecdsa-sha2-nistp521" },
	{ "rsa2048", "rsa", "2048", "ssh-rsa" },
	{ "rsa3072", "rsa", "3072", "ssh-rsa" },
};

static int begin(void **state)
{
	if (fixture_begin(state) < 0)
		return -1;
	for (size_t i = 0; i < ELEMENTS(kinds); i++)
		keygen(kinds[i].name, kinds[i].type, kinds[i].bits);
	keygen("rsa1024", "rsa", "1024");
	keygen("dsa", "dsa", "1024");
	return 0;
}

static void test_round_trip(void **state)
{
	for (size_t i = 0; i < ELEMENTS(kinds); i++) {
		CLEAN(sshkey_done) struct sshkey k = { 0 }, again = { 0 };
		CLEAN(free_p) char *text = NULL;
		CLEAN(free_p) char *formatted = NULL;
		char path[64], said[512], fingerprint[FINGERPRINT_LEN + 1];
		struct why w;

		public_key(kinds[i].name, &k);
		assert_string_equal(k.type, kinds[i].full);
		assert_false(sshkey_is_sk(&k));
		snprintf(path, sizeof path, "%s.pub", kinds[i].name);
		text = slurp(path, NULL);
		formatted = sshkey_format(&k);
		assert_memory_equal(text, formatted, strlen(formatted));
		assert_string_equal(text + strlen(formatted), " a comment\n");
		assert_int_equal(sshkey_parse(formatted, &again, &w), 0);
		assert_true(sshkey_equal(&k, &again));

		sshkey_fingerprint(&k, fingerprint);
		assert_int_equal(strlen(fingerprint), FINGERPRINT_LEN);
		assert_int_equal(run(NULL, said, sizeof said, (const char *const[]){ SSH_KEYGEN, "-lf", path, NULL }), 0);
		assert_non_null(strstr(said, fingerprint));
		for (size_t j = 0; j < i; j++) {
			CLEAN(sshkey_done) struct sshkey other = { 0 };

			public_key(kinds[j].name, &other);
			assert_false(sshkey_equal(&k, &other));
		}
	}
}

static void refused(const char *line, const char *word)
{
	struct sshkey k = { .type = (char *)0x1 }, untouched = k;
	struct why w = { "" };
	int r = sshkey_parse(line, &k, &w);

	if (r != -EINVAL || !strstr(w.text, word))
		fail_msg("'%.80s': %d '%s', not '%s'", line, r, w.text, word);
	assert_memory_equal(&k, &untouched, sizeof k);
}

static void refused_file(const char *name, const char *word)
{
	CLEAN(free_p) char *text = slurp(name, NULL);

	text[strcspn(text, "\n")] = '\0';
	refused(text, word);
}

static void test_weak(void **state)
{
	refused_file("rsa1024.pub", "1024 bits");
	refused_file("dsa.pub", "not accepted");
}

static void test_text(void **state)
{
	CLEAN(sshkey_done) struct sshkey k = { 0 };
	CLEAN(free_p) char *good = NULL;
	char line[1024];

	public_key("ed25519", &k);
	good = sshkey_format(&k);
	refused("", "not accepted");
	refused("ssh-ed25519", "no key follows");
	refused("ssh-ed25519 ", "no key follows");
	refused("ssh-ed25519 !!!!", "not base64");
	refused("ssh-ed25519 AAAA", "cut short");
	refused(" ssh-ed25519 AAAA", "not accepted");
	refused("ssh-ed25519-cert-v01@openssh.com AAAA", "not accepted");
	snprintf(line, sizeof line, "ssh-rsa %s", good + strlen("ssh-ed25519 "));
	refused(line, "of type ssh-ed25519, not ssh-rsa");
	snprintf(line, sizeof line, "%s=", good);
	refused(line, "not base64");
	snprintf(line, sizeof line, "%.*s", (int)strlen(good) - 4, good);
	refused(line, "not 32 bytes");
	snprintf(line, sizeof line, "%sAAAA", good);
	refused(line, "3 bytes follow");
}

/* Cut anywhere, or with a byte more, it is no key. */
static void test_cut(void **state)
{
	for (size_t i = 0; i < ELEMENTS(kinds); i++) {
		CLEAN(sshkey_done) struct sshkey k = { 0 }, out = { 0 };
		CLEAN(free_p) uint8_t *copy = NULL;
		struct why w;

		public_key(kinds[i].name, &k);
		for (size_t n = 0; n < k.blob_len; n++) {
			copy = malloc(n + 1); /* exactly so long that a read behind it is seen */
			memcpy(copy, k.blob, n);
			assert_int_equal(sshkey_from_blob(copy, n, &out, &w), -EINVAL);
			free(STEAL_PTR(copy));
		}
		copy = malloc(k.blob_len + 1);
		memcpy(copy, k.blob, k.blob_len);
		copy[k.blob_len] = 0;
		assert_int_equal(sshkey_from_blob(copy, k.blob_len + 1, &out, &w), -EINVAL);
		assert_int_equal(sshkey_from_blob(copy, k.blob_len, &out, &w), 0);
	}
}

static void test_security_keys(void **state)
{
	for (int ec = 0; ec < 2; ec++) {
		CLEAN(soft_done) struct soft_key soft = { 0 };
		CLEAN(free_p) char *line = NULL;
		CLEAN(sshkey_done) struct sshkey k = { 0 };
		struct blob b;
		struct why w;

		soft_new(&soft, ec, "ssh:");
		line = blob_line(soft_type(&soft), &soft.public_blob);
		assert_int_equal(sshkey_parse(line, &k, &w), 0);
		assert_true(sshkey_is_sk(&k));
		spill_text("soft.pub", line);
		assert_int_equal(RUN(NULL, SSH_KEYGEN, "-lf", "soft.pub"), 0);

		b = soft.public_blob;
		b.n -= 8; /* str("ssh:") */
		free(line);
		line = blob_line(soft_type(&soft), &b);
		refused(line, "no application");
		blob_text(&b, "");
		free(line);
		line = blob_line(soft_type(&soft), &b);
		refused(line, "no application");
	}
}

struct mpint {
	const char *bytes;
	size_t len;
};

static void rsa(struct mpint e, const uint8_t *n, size_t n_len, const char *word)
{
	CLEAN(free_p) char *line = NULL;
	struct blob b = { 0 };

	blob_text(&b, "ssh-rsa");
	blob_str(&b, e.bytes, e.len);
	blob_str(&b, n, n_len);
	line = blob_line("ssh-rsa", &b);
	if (word) {
		refused(line, word);
	} else {
		CLEAN(sshkey_done) struct sshkey k = { 0 };
		struct why w;

		assert_int_equal(sshkey_parse(line, &k, &w), 0);
	}
}

static void test_rsa_numbers(void **state)
{
	const struct mpint f4 = { "\1\0\1", 3 };
	uint8_t n[2100];

	memset(n, 0xff, sizeof n);
	n[0] = 0;
	rsa(f4, n, 257, NULL);
	rsa((struct mpint){ "\3", 1 }, n, 257, NULL);
	rsa(f4, n + 1, 256, "malformed"); /* negative */
	rsa((struct mpint){ "", 0 }, n, 257, "malformed");
	rsa((struct mpint){ "\0", 1 }, n, 257, "malformed");
	rsa((struct mpint){ "\1", 1 }, n, 257, "malformed");
	rsa((struct mpint){ "\0\1\0\1", 4 }, n, 257, "malformed"); /* not the shortest form */
	rsa((struct mpint){ "\1\0\2", 3 }, n, 257, "malformed");
	rsa(f4, n, 2050, "16392 bits");
	n[256] = 0xfe;
	rsa(f4, n, 257, "malformed");
	n[256] = 0xff;
	n[1] = 0x7f;
	rsa(f4, n + 1, 256, "2047 bits");
	n[1] = 0;
	rsa(f4, n, 257, "malformed");
}

static void test_curves(void **state)
{
	static const struct {
		const char *type, *curve;
		size_t len;
		uint8_t first;
		const char *word;
	} rows[] = {
		{ "ecdsa-sha2-nistp256", "nistp256", 65, 4, NULL },
		{ "ecdsa-sha2-nistp256", "nistp384", 65, 4, "not on the curve" },
		{ "ecdsa-sha2-nistp256", "nistp256", 97, 4, "uncompressed" },
		{ "ecdsa-sha2-nistp256", "nistp256", 33, 2, "uncompressed" },
		{ "ecdsa-sha2-nistp256", "nistp256", 65, 2, "uncompressed" },
		{ "ecdsa-sha2-nistp256", "nistp256", 0, 0, "uncompressed" },
		{ "ecdsa-sha2-nistp521", "nistp521", 133, 4, NULL },
		{ "ecdsa-sha2-nistp192", "nistp192", 49, 4, "not accepted" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		CLEAN(sshkey_done) struct sshkey k = { 0 };
		uint8_t point[160] = { 0 };
		struct blob b = { 0 };
		struct why w = { "" };
		int r;

		point[0] = rows[i].first;
		blob_text(&b, rows[i].type);
		blob_text(&b, rows[i].curve);
		blob_str(&b, point, rows[i].len);
		r = sshkey_from_blob(b.data, b.n, &k, &w);
		assert_int_equal(r, rows[i].word ? -EINVAL : 0);
		if (rows[i].word)
			assert_non_null(strstr(w.text, rows[i].word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_weak),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_security_keys),
		cmocka_unit_test(test_rsa_numbers),
		cmocka_unit_test(test_curves),
	};

	return cmocka_run_group_tests(tests, begin, fixture_end);
}
