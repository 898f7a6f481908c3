/* SHA-256 (libcrypto), hex and base64. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32
#define SHA256_HEX 64
#define MD5_HEX 32

/* -EIO: libcrypto failed. */
int sha256(const void *data, size_t len, uint8_t out[static SHA256_LEN]);
int sha256_hex(const void *data, size_t len, char out[static SHA256_HEX + 1]);
/* Reads FD from its current place to the end. -EFBIG beyond MAX bytes; -ETIME when that is not reached by UNTIL
 * (CLOCK_MONOTONIC usec; USEC_INFINITY: however long it takes). */
int sha256_fd_hex(int fd, size_t max, uint64_t until, char out[static SHA256_HEX + 1]);
/* The same bytes by MD5 as well, which packages still list their files by: "" where libcrypto does not do it (FIPS). */
int digests_fd_hex(int fd, size_t max, char out[static SHA256_HEX + 1], char md5[static MD5_HEX + 1]);
void hex_encode(const uint8_t *data, size_t len, char *out); /* 2 * len + 1 bytes */
/* Strict base64 with padding (RFC 4648): blanks, newlines and stray bits under the padding are -EINVAL.  A NUL stands
 * behind the *RET_LEN bytes.  Caller frees. */
int base64_decode(const char *text, size_t len, uint8_t **ret, size_t *ret_len);
char *base64_encode(const void *data, size_t len); /* one line; NULL when out of memory */
