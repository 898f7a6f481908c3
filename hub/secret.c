#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "hub/secret.h"

int secret_new(char out[static SECRET_LEN + 1], uint8_t hash[static SHA256_LEN])
{
	uint8_t bytes[SECRET_LEN / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	hex_encode(bytes, sizeof(bytes), out);
	explicit_bzero(bytes, sizeof(bytes));
	return sha256(out, SECRET_LEN, hash);
}
