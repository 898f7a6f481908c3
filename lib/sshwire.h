/* The SSH wire encoding (RFC 4251, section 5) as a bounded reader: every read checks what is left first, nothing is
 * copied or allocated, and what is returned points into the bytes that were given. */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire {
	const uint8_t *p;
	size_t left;
};

static inline int wire_bytes(struct wire *w, size_t n, const uint8_t **ret)
{
	if (n > w->left)
		return -EBADMSG;
	*ret = w->p;
	w->p += n;
	w->left -= n;
	return 0;
}

static inline int wire_u8(struct wire *w, uint8_t *ret)
{
	const uint8_t *b;

	if (wire_bytes(w, 1, &b) < 0)
		return -EBADMSG;
	*ret = b[0];
	return 0;
}

static inline int wire_u32(struct wire *w, uint32_t *ret)
{
	const uint8_t *b;

	if (wire_bytes(w, 4, &b) < 0)
		return -EBADMSG;
	*ret = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	return 0;
}

static inline int wire_u64(struct wire *w, uint64_t *ret)
{
	uint32_t high, low;

	if (wire_u32(w, &high) < 0 || wire_u32(w, &low) < 0)
		return -EBADMSG;
	*ret = (uint64_t)high << 32 | low;
	return 0;
}

/* A string: what follows its length, as a reader of its own. */
static inline int wire_str(struct wire *w, struct wire *ret)
{
	const uint8_t *b;
	uint32_t n;

	if (wire_u32(w, &n) < 0 || wire_bytes(w, n, &b) < 0)
		return -EBADMSG;
	*ret = (struct wire){ b, n };
	return 0;
}

/* An mpint that is positive and in its shortest form. */
static inline int wire_mpint(struct wire *w, struct wire *ret)
{
	struct wire n;

	if (wire_str(w, &n) < 0 || n.left == 0 || (n.p[0] & 0x80) != 0)
		return -EBADMSG;
	if (n.p[0] == 0) {
		if (n.left == 1 || (n.p[1] & 0x80) == 0)
			return -EBADMSG;
		n.p++;
		n.left--;
	}
	*ret = n; /* without the sign's zero byte */
	return 0;
}

static inline bool wire_is(const struct wire *w, const char *text)
{
	return w->left == strlen(text) && memcmp(w->p, text, w->left) == 0;
}
