#include "lib/code.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define CODES 1000

int code_new(jit_code code)
{
	uint16_t random;
	ssize_t n;

	/* What lies beyond the last whole thousand would make small codes more likely. */
	do
		n = getrandom(&random, sizeof(random), 0);
	while ((n < 0 && errno == EINTR) || (n == (ssize_t)sizeof(random) && random >= UINT16_MAX / CODES * CODES));
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(random))
		return -EIO;
	snprintf(code, CODE_LEN + 1, "%03u", (unsigned)(random % CODES));
	return 0;
}

bool code_valid(const char *text)
{
	return text && strlen(text) == CODE_LEN && strspn(text, "0123456789") == CODE_LEN;
}

int code_parse(const char *text, jit_code code)
{
	const char *begin = text + strspn(text, " \t");
	size_t len = strcspn(begin, " \t\r\n");
	jit_code got;

	if (len != CODE_LEN || begin[len + strspn(begin + len, " \t\r\n")])
		return -EINVAL;
	memcpy(got, begin, CODE_LEN);
	got[CODE_LEN] = '\0';
	if (!code_valid(got))
		return -EINVAL;
	memcpy(code, got, sizeof(got));
	return 0;
}

bool code_equal(const char *a, const char *b)
{
	volatile unsigned char differs = 0;

	if (!code_valid(a) || !code_valid(b))
		return false;
	for (unsigned i = 0; i < CODE_LEN; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}
