#include "lib/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"

static void md_ctx_p(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx); /* takes NULL */
}

int sha256(const void *data, size_t len, uint8_t out[static SHA256_LEN])
{
	uint8_t got[SHA256_LEN];

	if (EVP_Digest(data, len, got, NULL, EVP_sha256(), NULL) != 1)
		return -EIO;
	memcpy(out, got, sizeof got);
	return 0;
}

int sha256_hex(const void *data, size_t len, char out[static SHA256_HEX + 1])
{
	uint8_t raw[SHA256_LEN];
	int r = sha256(data, len, raw);

	if (r < 0)
		return r;
	hex_encode(raw, sizeof raw, out);
	return 0;
}

/* MD5 may be NULL: not wanted. */
static int fd_digests(int fd, size_t max, uint64_t until, EVP_MD_CTX *sha, EVP_MD_CTX *md5)
{
	uint8_t buf[64 * 1024];
	size_t left = max;

	for (;;) {
		ssize_t n = read(fd, buf, sizeof buf);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if ((size_t)n > left)
			return -EFBIG;
		left -= (size_t)n;
		if (until != USEC_INFINITY && clock_mono() > until)
			return -ETIME;
		if (EVP_DigestUpdate(sha, buf, (size_t)n) != 1 || (md5 && EVP_DigestUpdate(md5, buf, (size_t)n) != 1))
			return -EIO;
	}
}

int digests_fd_hex(int fd, size_t max, char out[static SHA256_HEX + 1], char md5[static MD5_HEX + 1])
{
	CLEAN(md_ctx_p) EVP_MD_CTX *sha_ctx = EVP_MD_CTX_new(), *md5_ctx = EVP_MD_CTX_new();
	uint8_t sha_raw[SHA256_LEN], md5_raw[MD5_HEX / 2];
	bool both;
	int r;

	if (!sha_ctx || !md5_ctx)
		return -ENOMEM;
	if (EVP_DigestInit_ex(sha_ctx, EVP_sha256(), NULL) != 1)
		return -EIO;
	both = EVP_DigestInit_ex(md5_ctx, EVP_md5(), NULL) == 1;
	r = fd_digests(fd, max, USEC_INFINITY, sha_ctx, both ? md5_ctx : NULL);
	if (r < 0)
		return r;
	if (EVP_DigestFinal_ex(sha_ctx, sha_raw, NULL) != 1 || (both && EVP_DigestFinal_ex(md5_ctx, md5_raw, NULL) != 1))
		return -EIO;
	hex_encode(sha_raw, sizeof sha_raw, out);
	md5[0] = '\0';
	if (both)
		hex_encode(md5_raw, sizeof md5_raw, md5);
	return 0;
}

int sha256_fd_hex(int fd, size_t max, uint64_t until, char out[static SHA256_HEX + 1])
{
	CLEAN(md_ctx_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t raw[SHA256_LEN];
	int r;

	if (!ctx)
		return -ENOMEM;
	if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		return -EIO;
	r = fd_digests(fd, max, until, ctx, NULL);
	if (r < 0)
		return r;
	if (EVP_DigestFinal_ex(ctx, raw, NULL) != 1)
		return -EIO;
	hex_encode(raw, sizeof raw, out);
	return 0;
}

void hex_encode(const uint8_t *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 15];
	}
	*out = '\0';
}

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(char c)
{
	const char *at = c ? strchr(base64_letters, c) : NULL;

	return at ? (int)(at - base64_letters) : -1;
}

int base64_decode(const char *text, size_t len, uint8_t **ret, size_t *ret_len)
{
	CLEAN(free_p) uint8_t *out = NULL;
	size_t pad = 0, n = 0;
	uint32_t bits = 0;

	if (len % 4 != 0)
		return -EINVAL;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	out = malloc(len / 4 * 3 + 1);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < len - pad; i++) {
		int v = base64_value(text[i]);

		if (v < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 == 3) {
			out[n++] = (uint8_t)(bits >> 16);
			out[n++] = (uint8_t)(bits >> 8);
			out[n++] = (uint8_t)bits;
			bits = 0;
		}
	}
	/* Bits that the padding leaves over must be zero: one text for one content. */
	if ((pad == 1 && bits & 3) || (pad == 2 && bits & 15))
		return -EINVAL;
	if (pad == 1) {
		out[n++] = (uint8_t)(bits >> 10);
		out[n++] = (uint8_t)(bits >> 2);
	} else if (pad == 2)
		out[n++] = (uint8_t)(bits >> 4);
	out[n] = 0;
	*ret = STEAL_PTR(out);
	*ret_len = n;
	return 0;
}

char *base64_encode(const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t n = 0;
	char *out;

	if (len > SIZE_MAX / 2)
		return NULL;
	out = malloc((len + 2) / 3 * 4 + 1);
	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t bits = (uint32_t)p[i] << 16;

		if (left > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			bits |= p[i + 2];
		out[n++] = base64_letters[bits >> 18 & 63];
		out[n++] = base64_letters[bits >> 12 & 63];
		out[n++] = left > 1 ? base64_letters[bits >> 6 & 63] : '=';
		out[n++] = left > 2 ? base64_letters[bits & 63] : '=';
	}
	out[n] = '\0';
	return out;
}
