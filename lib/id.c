#include "lib/id.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

int id_new(jit_id id)
{
	uint8_t random[5];
	uint64_t bits = 0;
	ssize_t n;

	do
		n = getrandom(random, sizeof random, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n != sizeof random)
		return -EIO;

	for (size_t i = 0; i < sizeof random; i++)
		bits = bits << 8 | random[i];
	for (int i = ID_LEN - 1; i >= 0; i--) {
		if (i == 4) {
			id[i] = '-';
			continue;
		}
		id[i] = alphabet[bits & 31];
		bits >>= 5;
	}
	id[ID_LEN] = '\0';
	return 0;
}

/* The canonical letter for what was typed, or NUL. */
static char canonical(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	switch (c) {
	case 'O':
		return '0';
	case 'I':
	case 'L':
		return '1';
	case '\0':
		return '\0';
	default:
		return strchr(alphabet, c) ? c : '\0';
	}
}

int id_parse(const char *text, jit_id id)
{
	jit_id got;
	size_t n = 0;

	if (!text)
		return -EINVAL;
	for (; *text; text++) {
		if (n == 4) {
			got[n++] = '-';
			if (*text == '-')
				continue;
		}
		if (n >= ID_LEN)
			return -EINVAL;
		got[n] = canonical(*text);
		if (!got[n++])
			return -EINVAL;
	}
	if (n != ID_LEN)
		return -EINVAL;
	got[n] = '\0';
	memcpy(id, got, sizeof got);
	return 0;
}

bool id_valid(const char *text)
{
	jit_id id;

	return text && id_parse(text, id) == 0 && !strcmp(text, id);
}

void id_unit(const jit_id id, char unit[static ID_UNIT_LEN + 1])
{
	memcpy(unit, id, 4);
	memcpy(unit + 4, id + 5, 4);
	unit[ID_UNIT_LEN] = '\0';
}
