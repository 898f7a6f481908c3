/* Random secrets and tokens: hex digits, known to the store by their SHA-256 only. */
#pragma once
#include "lib/digest.h"

#define SECRET_LEN 64 /* 32 random bytes in hex */

/* 0 or -errno. */
int secret_new(char out[static SECRET_LEN + 1], uint8_t hash[static SHA256_LEN]);
