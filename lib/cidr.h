/* Networks and addresses, IPv4 and IPv6. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "lib/why.h"

struct cidr {
	uint8_t address[16]; /* an IPv4 one as ::ffff:a.b.c.d */
	unsigned bits;       /* of these 128 */
};

/* "10.0.0.0/8", "2001:db8::/32", or an address alone.  Bits set behind the prefix are a mistake.  -EINVAL with words. */
int cidr_parse(const char *text, struct cidr *ret, struct why *w);
/* An address as PAM says it, perhaps with %scope behind it.  -EINVAL: a name, or nothing of the kind. */
int cidr_address(const char *text, uint8_t ret[16]);
bool cidr_contains(const struct cidr *c, const uint8_t address[16]);
