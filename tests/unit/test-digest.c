/* SHA-256, hex and base64, against published vectors. */
#include "tests/unit/unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/digest.h"

/* FIPS 180-2, appendix B, and the empty message. */
static const struct {
	const char *text, *hex;
} vectors[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static int memory_file(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void test_sha256(void **state)
{
	for (size_t i = 0; i < ELEMENTS(vectors); i++) {
		size_t len = strlen(vectors[i].text);
		CLEAN(close_p) int fd = memory_file(vectors[i].text, len);
		char hex[SHA256_HEX + 1], of_fd[SHA256_HEX + 1], of_raw[SHA256_HEX + 1];
		uint8_t raw[SHA256_LEN];

		assert_int_equal(sha256_hex(vectors[i].text, len, hex), 0);
		assert_string_equal(hex, vectors[i].hex);
		assert_int_equal(sha256(vectors[i].text, len, raw), 0);
		hex_encode(raw, sizeof raw, of_raw);
		assert_string_equal(of_raw, vectors[i].hex);
		assert_int_equal(sha256_fd_hex(fd, len, USEC_INFINITY, of_fd), 0);
		assert_string_equal(of_fd, vectors[i].hex);
	}
}

static void test_sha256_fd(void **state)
{
	/* A million 'a', the third vector of FIPS 180-2; read from where the descriptor stands. */
	static const char expected[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
	CLEAN(free_p) char *a = malloc(1000001);
	CLEAN(close_p) int fd = -1;
	char hex[SHA256_HEX + 1] = "untouched";

	assert_non_null(a);
	memset(a, 'a', 1000001);
	fd = memory_file(a, 1000001);
	assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	assert_int_equal(sha256_fd_hex(fd, 999999, USEC_INFINITY, hex), -EFBIG);
	assert_string_equal(hex, "untouched");
	assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	assert_int_equal(sha256_fd_hex(fd, 1000000, USEC_INFINITY, hex), 0);
	assert_string_equal(hex, expected);
	assert_int_equal(sha256_fd_hex(-1, 10, USEC_INFINITY, hex), -EBADF);
	assert_string_equal(hex, expected);
}

static void test_hex(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0x7f, 0x80, 0xab, 0xff };
	char out[2 * sizeof bytes + 1];

	hex_encode(bytes, sizeof bytes, out);
	assert_string_equal(out, "00017f80abff");
	hex_encode(bytes, 0, out);
	assert_string_equal(out, "");
}

static void test_base64(void **state)
{
	/* RFC 4648, section 10 */
	static const struct {
		const char *plain, *coded;
	} good[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xef\xbe", "/+++" },
	};
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zg===", "Zg==Zg==", "=", "==", "===", "====", "Z===", "Zg=g", "=Zg=",
		"Zm9v=", "Zm9vY",
		/* stray bits under the padding */
		"Zh==", "Zn==", "Zm9=", "ZmB=",
		/* other alphabets, blanks, lines */
		"_-__", "Zm 9v", "Zm9\n", "Zm9v\n", "\nZm9v", " Zg==", "Zg== ", "Zm9vZg=\n", "Z\xc3\xa9g",
		"Zm.v", "Zm9v\r\n\r\n",
	};

	for (size_t i = 0; i < ELEMENTS(good); i++) {
		CLEAN(free_p) char *coded = base64_encode(good[i].plain, strlen(good[i].plain));
		CLEAN(free_p) uint8_t *plain = NULL;
		size_t len = 77;

		assert_string_equal(coded, good[i].coded);
		assert_int_equal(base64_decode(coded, strlen(coded), &plain, &len), 0);
		assert_int_equal(len, strlen(good[i].plain));
		assert_string_equal((char *)plain, good[i].plain);
	}
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		uint8_t *plain = NULL;
		size_t len = 77;

		check_case(base64_decode(bad[i], strlen(bad[i]), &plain, &len) == -EINVAL, "'%s'", bad[i]);
		check_case(!plain && len == 77, "'%s' changed its output", bad[i]);
	}
	{
		uint8_t *plain = NULL;
		size_t len = 77;

		assert_int_equal(base64_decode("Zm\0v", 4, &plain, &len), -EINVAL);
		assert_int_equal(base64_decode("Zm9vZm9v", 7, &plain, &len), -EINVAL);
	}
}

static void test_base64_lengths(void **state)
{
	uint8_t bytes[300];
	uint64_t seed = 3;

	for (size_t n = 0; n <= sizeof bytes; n++) {
		CLEAN(free_p) uint8_t *back = NULL;
		CLEAN(free_p) char *coded = NULL;
		size_t len = 0;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)unit_random(&seed);
		coded = base64_encode(bytes, n);
		assert_non_null(coded);
		assert_int_equal(strlen(coded), (n + 2) / 3 * 4);
		assert_int_equal(base64_decode(coded, strlen(coded), &back, &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(back, bytes, n);
	}
}

/* One content has one text: every accepted four letters are what encoding gives back. */
static void test_base64_canonical(void **state)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

	for (size_t i = 0; i < sizeof letters - 1; i++) {
		for (size_t k = 0; k < sizeof letters - 1; k++) {
			char text[4][5] = { "AA", "A", "A", "" };

			(void)snprintf(text[0], 5, "AA%c%c", letters[i], letters[k]);
			(void)snprintf(text[1], 5, "A%c%c=", letters[i], letters[k]);
			(void)snprintf(text[2], 5, "%c%c==", letters[i], letters[k]);
			(void)snprintf(text[3], 5, "%c%cAA", letters[i], letters[k]);
			for (size_t t = 0; t < ELEMENTS(text); t++) {
				CLEAN(free_p) uint8_t *plain = NULL;
				CLEAN(free_p) char *again = NULL;
				size_t len = 0;

				if (base64_decode(text[t], 4, &plain, &len) < 0)
					continue;
				again = base64_encode(plain, len);
				assert_string_equal(again, text[t]);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),         cmocka_unit_test(test_sha256_fd), cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),         cmocka_unit_test(test_base64_lengths),
		cmocka_unit_test(test_base64_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
