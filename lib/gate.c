#include "lib/gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"

#define KEY_MAX 32
#define KEY_LETTERS "abcdefghijklmnopqrstuvwxyz-"

const char *gate_result_string(enum gate_result r)
{
	switch (r) {
#define X(name, wire, value) \
	case name:           \
		return wire;
		GATE_RESULTS(X)
#undef X
	}
	return "unreachable";
}

enum gate_result gate_result_parse(const char *wire)
{
#define X(name, word, value)             \
	if (wire && !strcmp(wire, word)) \
		return name;
	GATE_RESULTS(X)
#undef X
	return GATE_UNREACHABLE;
}

static bool key_valid(const char *key)
{
	size_t n = strspn(key, KEY_LETTERS);

	return n >= 1 && n <= KEY_MAX && key[n] == '\0';
}

static bool repeatable(const char *key)
{
	return !strcmp(key, "arg") || !strcmp(key, "run");
}

static void fail(struct gate_out *o, int error)
{
	if (o->error == 0)
		o->error = error;
}

/* Does the message have KEY already? */
static bool written(const struct gate_out *o, const char *key)
{
	size_t key_len = strlen(key);

	for (size_t at = 0; at < o->len; at += strlen(o->buf + at) + 1)
		if (!strncmp(o->buf + at, key, key_len) && o->buf[at + key_len] == '=')
			return true;
	return false;
}

void gate_begin(struct gate_out *o, char *buf, size_t size, const char *type)
{
	*o = (struct gate_out){ .buf = buf, .size = size < GATE_MAX ? size : GATE_MAX };
	gate_put(o, "v", GATE_VERSION);
	gate_put(o, "type", type);
	if (!type || !*type)
		fail(o, -EINVAL);
}

void gate_put_bytes(struct gate_out *o, const char *key, const char *value, size_t len)
{
	size_t key_len;

	if (!value || o->error)
		return;
	if (!key_valid(key) || memchr(value, '\0', len) || (!repeatable(key) && written(o, key))) {
		fail(o, -EINVAL);
		return;
	}
	key_len = strlen(key);
	/* key '=' value NUL */
	if (o->fields >= GATE_FIELDS || len > GATE_MAX || key_len + len + 2 > o->size - o->len) {
		fail(o, -EMSGSIZE);
		return;
	}
	memcpy(o->buf + o->len, key, key_len);
	o->len += key_len;
	o->buf[o->len++] = '=';
	memcpy(o->buf + o->len, value, len);
	o->len += len;
	o->buf[o->len++] = '\0';
	o->fields++;
}

void gate_put(struct gate_out *o, const char *key, const char *value)
{
	if (value)
		gate_put_bytes(o, key, value, strlen(value));
}

void gate_put_u64(struct gate_out *o, const char *key, uint64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
	gate_put(o, key, digits);
}

ssize_t gate_finish(struct gate_out *o)
{
	return o->error ? o->error : (ssize_t)o->len;
}

static bool seen(const struct gate_in *in, const char *key)
{
	for (unsigned i = 0; i < in->fields; i++)
		if (!strcmp(in->key[i], key))
			return true;
	return false;
}

/* Splits the field at TEXT and takes it into the index. */
static int take_field(struct gate_in *in, char *text)
{
	size_t n = strspn(text, KEY_LETTERS);

	if (in->fields >= GATE_FIELDS || n < 1 || n > KEY_MAX || text[n] != '=')
		return -EPROTO;
	text[n] = '\0';
	if (!repeatable(text) && seen(in, text))
		return -EPROTO;
	in->key[in->fields] = text;
	in->value[in->fields++] = text + n + 1;
	return 0;
}

int gate_parse(char *buf, size_t len, struct gate_in *in)
{
	struct gate_in got = { 0 };
	char *end = buf + len;

	if (len < 1 || len > GATE_MAX || buf[len - 1] != '\0')
		return -EPROTO;
	for (char *at = buf; at < end;) {
		char *next = at + strlen(at) + 1;
		int r = take_field(&got, at);

		if (r < 0)
			return r;
		if (got.fields == 1) {
			if (strcmp(got.key[0], "v") != 0)
				return -EPROTO;
			/* What another version's fields look like is not for this one to say. */
			if (strcmp(got.value[0], GATE_VERSION) != 0)
				return -EPROTONOSUPPORT;
		}
		if (got.fields == 2 && (strcmp(got.key[1], "type") != 0 || !*got.value[1]))
			return -EPROTO;
		at = next;
	}
	if (got.fields < 2)
		return -EPROTO;
	got.type = got.value[1];
	*in = got;
	return 0;
}

const char *gate_get(const struct gate_in *in, const char *key)
{
	for (unsigned i = 0; i < in->fields; i++)
		if (!strcmp(in->key[i], key))
			return in->value[i];
	return NULL;
}

int gate_get_u64(const struct gate_in *in, const char *key, uint64_t *ret)
{
	const char *text = gate_get(in, key);
	unsigned long long value;

	if (!text)
		return -ENOENT;
	if (number_parse(text, UINT64_MAX, &value) < 0)
		return -EINVAL;
	*ret = value;
	return 0;
}

unsigned gate_get_all(const struct gate_in *in, const char *key, const char **argv)
{
	unsigned n = 0;

	for (unsigned i = 0; i < in->fields; i++)
		if (!strcmp(in->key[i], key))
			argv[n++] = in->value[i];
	return n;
}
