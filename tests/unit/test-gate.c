/* The gate protocol: its bounds, and what becomes of bytes that are not quite a message. */
#include "tests/unit/unit.h"

#include "lib/gate.h"

#define V "v=1\0"
#define T "type=open\0"

static int parse(const void *bytes, size_t len, struct gate_in *in)
{
	/* Exactly LEN bytes on the heap, for the sanitizers. */
	static char *last;

	free(last);
	last = malloc(len > 0 ? len : 1);
	assert_non_null(last);
	memcpy(last, bytes, len);
	return gate_parse(last, len, in);
}

static void test_parse(void **state)
{
#define BYTES(s) s, sizeof(s) - 1
	static const struct {
		const char *bytes;
		size_t len;
		int r;
		unsigned fields;
	} table[] = {
		{ BYTES(V T), 0, 2 },
		{ BYTES(V T "user=alice\0"), 0, 3 },
		{ BYTES(V T "user=\0"), 0, 3 },
		{ BYTES(V T "user==\0"), 0, 3 },
		{ BYTES(V T "user=a=b\n\033\xff\0"), 0, 3 },
		{ BYTES(V T "arg=a\0arg=\0arg=a\0"), 0, 5 },
		{ BYTES(V T "arg=a\0run=b\0arg=c\0run=b\0"), 0, 6 },
		{ BYTES(V T "x-new-key=1\0"), 0, 3 },
		{ BYTES(V "type=no-such-type\0"), 0, 2 },
		{ BYTES(V T "abcdefghijklmnopqrstuvwxyz-abcde=32\0"), 0, 3 },
		/* malformed */
		{ BYTES(""), -EPROTO, 0 },
		{ BYTES("\0"), -EPROTO, 0 },
		{ BYTES("v=1"), -EPROTO, 0 },
		{ BYTES(V), -EPROTO, 0 },
		{ BYTES("v=1\0type=open"), -EPROTO, 0 },
		{ BYTES(V T "user=alice"), -EPROTO, 0 },
		{ BYTES(V T "\0"), -EPROTO, 0 },
		{ BYTES(V "\0" T), -EPROTO, 0 },
		{ BYTES("\0" V T), -EPROTO, 0 },
		{ BYTES(T V), -EPROTO, 0 },
		{ BYTES(V "user=a\0" T), -EPROTO, 0 },
		{ BYTES(V "type=\0"), -EPROTO, 0 },
		{ BYTES(V T "user\0"), -EPROTO, 0 },
		{ BYTES(V T "=x\0"), -EPROTO, 0 },
		{ BYTES(V T "User=x\0"), -EPROTO, 0 },
		{ BYTES(V T "us er=x\0"), -EPROTO, 0 },
		{ BYTES(V T " user=x\0"), -EPROTO, 0 },
		{ BYTES(V T "user =x\0"), -EPROTO, 0 },
		{ BYTES(V T "user1=x\0"), -EPROTO, 0 },
		{ BYTES(V T "us_er=x\0"), -EPROTO, 0 },
		{ BYTES(V T "us\xc3\xa9r=x\0"), -EPROTO, 0 },
		{ BYTES(V T "abcdefghijklmnopqrstuvwxyz-abcdef=33\0"), -EPROTO, 0 },
		/* doubled: known, unknown, the heads */
		{ BYTES(V T "user=a\0user=b\0"), -EPROTO, 0 },
		{ BYTES(V T "user=a\0arg=1\0user=a\0"), -EPROTO, 0 },
		{ BYTES(V T "x-new=a\0x-new=b\0"), -EPROTO, 0 },
		{ BYTES(V V T), -EPROTO, 0 },
		{ BYTES(V T T), -EPROTO, 0 },
		{ BYTES(V T V), -EPROTO, 0 },
		/* versions */
		{ BYTES("v=2\0" T), -EPROTONOSUPPORT, 0 },
		{ BYTES("v=\0" T), -EPROTONOSUPPORT, 0 },
		{ BYTES("v=01\0" T), -EPROTONOSUPPORT, 0 },
		{ BYTES("v=1 \0" T), -EPROTONOSUPPORT, 0 },
		{ BYTES("v=11\0" T), -EPROTONOSUPPORT, 0 },
		{ BYTES("v=2\0whatever comes then\0"), -EPROTONOSUPPORT, 0 },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		struct gate_in in = { .fields = 777 };

		check_case(parse(table[i].bytes, table[i].len, &in) == table[i].r, "row %zu", i);
		if (table[i].r < 0)
			check_case(in.fields == 777 && !in.type, "row %zu changed its output", i);
		else
			check_case(in.fields == table[i].fields && !strncmp(in.type, table[i].bytes + 9, strlen(in.type)),
				"row %zu", i);
	}
}

static void test_get(void **state)
{
	static const char bytes[] = V "type=account\0user=alice\0arg=-u\0wait=18446744073709551615\0arg=\0over=18446744073709551616\0"
				      "neg=-1\0empty=\0arg=a b\0";
	const char *argv[GATE_FIELDS];
	struct gate_in in;
	uint64_t n = 5;

	assert_int_equal(parse(bytes, sizeof bytes - 1, &in), 0);
	assert_string_equal(in.type, "account");
	assert_string_equal(gate_get(&in, "user"), "alice");
	assert_string_equal(gate_get(&in, "empty"), "");
	assert_null(gate_get(&in, "use"));
	assert_null(gate_get(&in, "userx"));
	assert_null(gate_get(&in, ""));
	assert_int_equal(gate_get_all(&in, "arg", argv), 3);
	assert_string_equal(argv[0], "-u");
	assert_string_equal(argv[1], "");
	assert_string_equal(argv[2], "a b");
	assert_int_equal(gate_get_u64(&in, "over", &n), -EINVAL);
	assert_int_equal(gate_get_u64(&in, "neg", &n), -EINVAL);
	assert_int_equal(gate_get_u64(&in, "empty", &n), -EINVAL);
	assert_int_equal(gate_get_u64(&in, "user", &n), -EINVAL);
	assert_int_equal(gate_get_u64(&in, "absent", &n), -ENOENT);
	assert_true(n == 5);
	assert_int_equal(gate_get_u64(&in, "wait", &n), 0);
	assert_true(n == UINT64_MAX);
}

static void test_build(void **state)
{
	static const char expected[] = V "type=account\0user=alice\0arg=a\0arg=a\0arg=\0wait=18446744073709551615\0";
	struct gate_out o;
	char buf[256];

	gate_begin(&o, buf, sizeof buf, "account");
	gate_put(&o, "user", "alice");
	gate_put(&o, "tty", NULL);
	gate_put(&o, "arg", "a");
	gate_put(&o, "arg", "a");
	gate_put(&o, "arg", "");
	gate_put_u64(&o, "wait", UINT64_MAX);
	assert_int_equal(gate_finish(&o), sizeof expected - 1);
	assert_memory_equal(buf, expected, sizeof expected - 1);
}

static void test_build_refused(void **state)
{
	static const struct {
		const char *key, *value;
		size_t len;
	} table[] = {
		{ "", "x", 1 },        { "User", "x", 1 }, { "us_er", "x", 1 }, { "a=b", "x", 1 },
		 { "user", "a\0b", 3 },
		{ "user", "a\0", 2 },  { "user", "", 1 },  { "v", "1", 1 },     { "type", "x", 1 },
		{ "tty", "again", 5 },
		{ "abcdefghijklmnopqrstuvwxyz-abcdef", "x", 1 },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		struct gate_out o;
		char buf[256];

		gate_begin(&o, buf, sizeof buf, "account");
		gate_put(&o, "tty", "x");
		gate_put_bytes(&o, table[i].key, table[i].value, table[i].len);
		/* A mistake is not forgotten. */
		gate_put(&o, "rhost", "fine");
		check_case(gate_finish(&o) == -EINVAL, "row %zu", i);
	}
	for (int i = 0; i < 2; i++) {
		struct gate_out o;
		char buf[64];

		gate_begin(&o, buf, sizeof buf, i ? "" : NULL);
		assert_int_equal(gate_finish(&o), -EINVAL);
	}
}

/* Every size of buffer: full or refused, never a byte beyond. */
static void test_build_sizes(void **state)
{
	static const char expected[] = V "type=open\0user=alice\0arg=x y\0";

	for (size_t size = 0; size < sizeof expected + 4; size++) {
		char *buf = malloc(size > 0 ? size : 1);
		struct gate_out o;

		assert_non_null(buf);
		gate_begin(&o, buf, size, "open");
		gate_put(&o, "user", "alice");
		gate_put(&o, "arg", "x y");
		if (size < sizeof expected - 1)
			assert_int_equal(gate_finish(&o), -EMSGSIZE);
		else
			assert_int_equal(gate_finish(&o), sizeof expected - 1);
		free(buf);
	}
}

static void test_limits(void **state)
{
	char *buf = malloc(2 * GATE_MAX), *value = malloc(2 * GATE_MAX);
	struct gate_out o;
	struct gate_in *in = malloc(sizeof *in);

	assert_true(buf && value && in);
	memset(value, 'x', 2 * GATE_MAX);
	/* v=1 NUL, type=open NUL, arg=… NUL: 4 + 10 + 5 beside the value */
	for (size_t over = 0; over <= 1; over++) {
		gate_begin(&o, buf, 2 * GATE_MAX, "open");
		gate_put_bytes(&o, "arg", value, GATE_MAX - 19 + over);
		assert_int_equal(gate_finish(&o), over ? -EMSGSIZE : GATE_MAX);
		if (!over)
			assert_int_equal(gate_parse(buf, GATE_MAX, in), 0);
	}
	/* One byte more on the wire is too much to read as well. */
	memcpy(buf, "v=1\0type=open\0arg=", 18);
	memset(buf + 18, 'x', GATE_MAX);
	buf[GATE_MAX] = '\0';
	assert_int_equal(gate_parse(buf, GATE_MAX + 1, in), -EPROTO);
	for (unsigned n = GATE_FIELDS - 1; n <= GATE_FIELDS + 1; n++) {
		size_t len = 14;

		gate_begin(&o, buf, 2 * GATE_MAX, "open");
		for (unsigned i = 2; i < n; i++) {
			gate_put(&o, "arg", "x");
			memcpy(value + len, "arg=x", 6);
			len += 6;
		}
		assert_int_equal(gate_finish(&o), n <= GATE_FIELDS ? (int)len : -EMSGSIZE);
		memcpy(value, "v=1\0type=open\0", 14);
		assert_int_equal(gate_parse(value, len, in), n <= GATE_FIELDS ? 0 : -EPROTO);
	}
	free(buf);
	free(value);
	free(in);
}

/* "allow" must be far from everything: no other word, no prefix, no near number. */
static void test_results(void **state)
{
	static const enum gate_result all[] = {
#define X(name, wire, value) name,
		GATE_RESULTS(X)
#undef X
	};
	static const char *const none[] = { "", "allo", "allowed", "Allow", "allow ", " allow", "ALLOW", "1", "0", "yes", "allow\n" };

	for (size_t i = 0; i < ELEMENTS(all); i++) {
		const char *wire = gate_result_string(all[i]);

		assert_int_equal(gate_result_parse(wire), all[i]);
		if (all[i] != GATE_ALLOW)
			assert_true(__builtin_popcount((unsigned)all[i] ^ (unsigned)GATE_ALLOW) >= 8);
	}
	for (size_t i = 0; i < ELEMENTS(none); i++)
		check_case(gate_result_parse(none[i]) == GATE_UNREACHABLE, "'%s'", none[i]);
	assert_int_equal(gate_result_parse(NULL), GATE_UNREACHABLE);
	assert_string_equal(gate_result_string((enum gate_result)0), "unreachable");
	assert_string_equal(gate_result_string((enum gate_result)1), "unreachable");
}

/* --- mutations ----------------------------------------------------------------------------------------------- */

/* The protocol's rules once more, from the bytes: what gate_parse() must say. */
static int expected_result(const char *p, size_t len, unsigned *ret_fields)
{
	const char *key[GATE_FIELDS];
	size_t key_len[GATE_FIELDS];
	unsigned n = 0;

	if (len == 0 || len > GATE_MAX || p[len - 1])
		return -EPROTO;
	for (size_t at = 0, end; at < len; at = end + 1, n++) {
		size_t eq = at;

		for (end = at; p[end]; end++)
			;
		while (eq < end && ((p[eq] >= 'a' && p[eq] <= 'z') || p[eq] == '-'))
			eq++;
		if (n == GATE_FIELDS || eq == at || eq - at > 32 || eq == end || p[eq] != '=')
			return -EPROTO;
		key[n] = p + at;
		key_len[n] = eq - at;
		for (unsigned i = 0; i < n; i++)
			if (key_len[i] == key_len[n] && !memcmp(key[i], key[n], key_len[n]) &&
				!(key_len[n] == 3 && !memcmp(key[n], "arg", 3)))
				return -EPROTO;
		if (n == 0 && (eq - at != 1 || p[at] != 'v'))
			return -EPROTO;
		if (n == 0 && strcmp(p + eq + 1, "1") != 0)
			return -EPROTONOSUPPORT;
		if (n == 1 && (eq - at != 4 || memcmp(p + at, "type", 4) != 0 || eq + 1 == end))
			return -EPROTO;
	}
	*ret_fields = n;
	return n < 2 ? -EPROTO : 0;
}

static void check_mutant(const char *bytes, size_t len, const char *how, uint64_t number)
{
	struct gate_in in = { .fields = 777 };
	unsigned fields = 0;
	int expected = expected_result(bytes, len, &fields), r = parse(bytes, len, &in);

	check_case(r == expected, "%s %llu: %d, not %d", how, (unsigned long long)number, r, expected);
	check_case(in.fields == (r == 0 ? fields : 777), "%s %llu: %u fields", how, (unsigned long long)number, in.fields);
}

static const char seed_message[] = V "type=account\0service=sudo\0user=alice\0tty=/dev/pts/3\0command=/usr/bin/id -u\0arg=id\0"
				     "arg=-u\0reason=INC-7\0interactive=yes\0";

static void test_mutate_bits(void **state)
{
	char copy[sizeof seed_message];
	const size_t len = sizeof seed_message - 1;

	check_mutant(seed_message, len, "unchanged", 0);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		memcpy(copy, seed_message, len);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		check_mutant(copy, len, "bit", bit);
	}
	for (size_t at = 0; at < len; at++) {
		for (int c = 0; c < 256; c++) {
			memcpy(copy, seed_message, len);
			copy[at] = (char)c;
			check_mutant(copy, len, "byte", at * 256 + (unsigned)c);
		}
	}
}

static void test_mutate_lengths(void **state)
{
	char copy[2 * sizeof seed_message];
	const size_t len = sizeof seed_message - 1;

	for (size_t cut = 0; cut <= len; cut++) {
		check_mutant(seed_message, cut, "cut behind", cut);
		check_mutant(seed_message + cut, len - cut, "cut before", cut);
		/* one byte taken out, one put in */
		if (cut == len)
			continue;
		memcpy(copy, seed_message, cut);
		memcpy(copy + cut, seed_message + cut + 1, len - cut - 1);
		check_mutant(copy, len - 1, "without", cut);
		for (int i = 0; i < 4; i++) {
			copy[cut] = "\0=a\xff"[i];
			memcpy(copy + cut + 1, seed_message + cut, len - cut);
			check_mutant(copy, len + 1, "with", cut * 4 + (unsigned)i);
		}
	}
}

static void test_mutate_random(void **state)
{
	char copy[4 * sizeof seed_message];
	uint64_t seed = 20261121;

	for (unsigned round = 0; round < 50000; round++) {
		size_t len = sizeof seed_message - 1;
		unsigned changes = 1 + (unsigned)(unit_random(&seed) % 6);

		memcpy(copy, seed_message, len);
		while (changes-- > 0) {
			uint64_t r = unit_random(&seed);
			size_t at = (size_t)(r >> 32) % len, n = (size_t)(r >> 8) % 24 + 1;

			if (n > len - at)
				n = len - at;
			switch (r % 4) {
			case 0:
				copy[at] = (char)(r >> 16);
				break;
			case 1: /* a piece again */
				if (len + n <= sizeof copy) {
					memmove(copy + at + n, copy + at, len - at);
					len += n;
				}
				break;
			case 2: /* a piece less */
				if (len > n) {
					memmove(copy + at, copy + at + n, len - at - n);
					len -= n;
				}
				break;
			default:
				copy[at] = "\0\0==vtyar-"[r >> 16 & 7];
			}
		}
		check_mutant(copy, len, "round", round);
	}
}

static int forget(void **state)
{
	struct gate_in in;

	/* parse() keeps its last bytes, which the last result points to. */
	(void)parse("", 0, &in);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),          cmocka_unit_test(test_get),
		cmocka_unit_test(test_build),          cmocka_unit_test(test_build_refused),
		cmocka_unit_test(test_build_sizes),    cmocka_unit_test(test_limits),
		cmocka_unit_test(test_results),        cmocka_unit_test(test_mutate_bits),
		cmocka_unit_test(test_mutate_lengths), cmocka_unit_test(test_mutate_random),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
