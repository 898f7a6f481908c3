#include "lib/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "lib/file.h"

#define V4_BITS 96 /* in front of an IPv4 address */
static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* The address's own width in bits; -EINVAL. */
static int parse_address(const char *text, uint8_t ret[16])
{
	uint8_t v6[16], v4[4];

	if (inet_pton(AF_INET, text, v4) == 1) {
		memcpy(ret, v4_prefix, sizeof(v4_prefix));
		memcpy(ret + sizeof(v4_prefix), v4, sizeof(v4));
		return 32;
	}
	if (inet_pton(AF_INET6, text, v6) != 1)
		return -EINVAL;
	memcpy(ret, v6, sizeof(v6));
	return 128;
}

int cidr_address(const char *text, uint8_t ret[16])
{
	char buf[INET6_ADDRSTRLEN + 1];
	size_t len = strcspn(text, "%");

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return parse_address(buf, ret) < 0 ? -EINVAL : 0;
}

static uint8_t mask(unsigned bits, size_t byte)
{
	unsigned here = bits > byte * 8 ? bits - (unsigned)byte * 8 : 0;

	return here >= 8 ? 0xff : (uint8_t)(0xff00 >> here);
}

int cidr_parse(const char *text, struct cidr *ret, struct why *w)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long long bits = 0;
	char buf[INET6_ADDRSTRLEN + 1];
	struct cidr c;
	int width = -EINVAL;

	if (len < sizeof(buf)) {
		memcpy(buf, text, len);
		buf[len] = '\0';
		width = parse_address(buf, c.address);
	}
	if (width < 0 || (slash && number_parse(slash + 1, (unsigned)width, &bits) < 0))
		return why(w, -EINVAL, "'%s' is no network: write it like 10.0.0.0/8 or 2001:db8::/32 (a '!' in front negates it)",
			text);
	c.bits = (slash ? (unsigned)bits : (unsigned)width) + (width == 32 ? V4_BITS : 0);
	for (size_t i = 0; i < sizeof(c.address); i++)
		if (c.address[i] & ~mask(c.bits, i))
			return why(w, -EINVAL, "'%s' has bits behind its prefix: is the address or the length meant?", text);
	*ret = c;
	return 0;
}

/* "::/0" means IPv6: an IPv4 address is not in it. */
bool cidr_contains(const struct cidr *c, const uint8_t address[16])
{
	if (c->bits < V4_BITS && memcmp(address, v4_prefix, sizeof(v4_prefix)) == 0)
		return false;
	for (size_t i = 0; i < 16; i++)
		if ((c->address[i] ^ address[i]) & mask(c->bits, i))
			return false;
	return true;
}
