/* Envelopes: their form, and that a changed byte is either refused or shows. */
#include "tests/unit/unit.h"

#include "lib/envelope.h"
#include "lib/event.h"
#include "lib/json.h"
#include "lib/text.h"

#define SIG "-----BEGIN SSH SIGNATURE-----\\nU1NIU0lH\\n-----END SSH SIGNATURE-----\\n"
#define DOC "{\\\"v\\\":1,\\\"request\\\":\\\"K7QF-2M9X\\\",\\\"note\\\":\\\"caf\xc3\xa9\\\"}"
static const char decision[] = "{\"v\":1,\"type\":\"decision\",\"document\":\"" DOC "\",\"signature\":\"" SIG "\"}";

static int parse(const char *bytes, size_t len, struct envelope *e, struct why *w)
{
	CLEAN(free_p) char *exact = malloc(len > 0 ? len : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	return envelope_parse(exact, len, e, w);
}

static void test_accepted(void **state)
{
	static const struct {
		const char *text, *type, *document;
		bool is_signed;
	} table[] = {
		{ decision, "decision", "{\"v\":1,\"request\":\"K7QF-2M9X\",\"note\":\"caf\xc3\xa9\"}", true },
		{ "{\"v\":1,\"type\":\"revoke\",\"document\":\"{}\",\"signature\":\"x\"}", "revoke", "{}", true },
		{ "{\"v\":1,\"type\":\"receipt\",\"document\":\"{}\",\"signature\":\"x\"}", "receipt", "{}", true },
		{ "{\"v\":1,\"type\":\"request\",\"document\":\"{}\"}", "request", "{}", false },
		{ "{\"v\":1,\"type\":\"check\",\"document\":\"{}\"}", "check", "{}", false },
		{ " {\"document\":\"{ }\\n\", \"type\":\"check\", \"v\":1}\n", "check", "{ }\n", false },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		CLEAN(envelope_done) struct envelope e = { 0 };
		struct why w = { "" };

		check_case(parse(table[i].text, strlen(table[i].text), &e, &w) == 0, "%s: %s", table[i].text, w.text);
		assert_string_equal(e.type, table[i].type);
		assert_string_equal(e.document, table[i].document);
		assert_int_equal(e.document_len, strlen(table[i].document));
		assert_true(!e.signature == !table[i].is_signed);
	}
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"", "{}", "[]", "null", "x",
		/* version */
		"{\"type\":\"check\",\"document\":\"{}\"}", "{\"v\":2,\"type\":\"check\",\"document\":\"{}\"}",
		"{\"v\":\"1\",\"type\":\"check\",\"document\":\"{}\"}",
		"{\"v\":1.0,\"type\":\"check\",\"document\":\"{}\"}",
		"{\"v\":true,\"type\":\"check\",\"document\":\"{}\"}",
		"{\"v\":null,\"type\":\"check\",\"document\":\"{}\"}",
		"{\"v\":-1,\"type\":\"check\",\"document\":\"{}\"}",
		"{\"v\":18446744073709551617,\"type\":\"check\",\"document\":\"{}\"}",
		/* type */
		"{\"v\":1,\"document\":\"{}\"}", "{\"v\":1,\"type\":\"\",\"document\":\"{}\"}",
		"{\"v\":1,\"type\":\"Check\",\"document\":\"{}\"}",
		"{\"v\":1,\"type\":\"checks\",\"document\":\"{}\"}", "{\"v\":1,\"type\":1,\"document\":\"{}\"}",
		"{\"v\":1,\"type\":[\"check\"],\"document\":\"{}\"}",
		/* document */
		"{\"v\":1,\"type\":\"check\"}", "{\"v\":1,\"type\":\"check\",\"document\":\"\"}",
		"{\"v\":1,\"type\":\"check\",\"document\":{}}",
		"{\"v\":1,\"type\":\"check\",\"document\":null}",
		"{\"v\":1,\"type\":\"check\",\"document\":\"a\\u0000b\"}",
		"{\"v\":1,\"type\":\"check\",\"document\":\"\\ud800\"}",
		/* signature, where it belongs and only there */
		"{\"v\":1,\"type\":\"decision\",\"document\":\"{}\"}",
		"{\"v\":1,\"type\":\"decision\",\"document\":\"{}\",\"signature\":\"\"}",
		"{\"v\":1,\"type\":\"decision\",\"document\":\"{}\",\"signature\":null}",
		"{\"v\":1,\"type\":\"decision\",\"document\":\"{}\",\"signature\":[\"x\"]}",
		"{\"v\":1,\"type\":\"revoke\",\"document\":\"{}\"}",
		"{\"v\":1,\"type\":\"receipt\",\"document\":\"{}\"}",
		"{\"v\":1,\"type\":\"request\",\"document\":\"{}\",\"signature\":\"x\"}",
		"{\"v\":1,\"type\":\"check\",\"document\":\"{}\",\"signature\":\"\"}",
		"{\"v\":1,\"type\":\"check\",\"document\":\"{}\",\"signature\":null}",
		/* what rides along, what stands twice */
		"{\"v\":1,\"type\":\"check\",\"document\":\"{}\",\"x\":1}",
		"{\"v\":1,\"type\":\"check\",\"document\":\"{}\",\"Signature\":\"x\"}",
		"{\"v\":1,\"type\":\"check\",\"type\":\"request\",\"document\":\"{}\"}",
		"{\"v\":1,\"type\":\"check\",\"document\":\"{}\",\"docum\\u0065nt\":\"x\"}",
		"{\"v\":1,\"type\":\"check\",\"document\":\"{}\"}{}",
	};

	for (size_t i = 0; i < ELEMENTS(texts); i++) {
		struct envelope e = { 0 };
		struct why w = { "" };

		check_case(parse(texts[i], strlen(texts[i]), &e, &w) == -EINVAL, "%s", texts[i]);
		check_case(!e.type && !e.document && !e.signature, "%s changed its output", texts[i]);
		check_case(w.text[0], "%s has no words", texts[i]);
	}
	{
		struct why w;
		struct envelope e = { 0 };
		static const char text[] = "{\"v\":1,\"type\":\"check\",\"document\":\"{}\",\"a\\n\\u001b[2J\":1}";

		assert_int_equal(parse(text, sizeof text - 1, &e, &w), -EINVAL);
		assert_null(strpbrk(w.text, "\n\033"));
	}
}

static void test_size(void **state)
{
	CLEAN(free_p) char *big = malloc(ENVELOPE_MAX + 2);
	CLEAN(envelope_done) struct envelope e = { 0 };
	static const char head[] = "{\"v\":1,\"type\":\"check\",\"document\":\"";
	struct why w = { "" };

	assert_non_null(big);
	for (size_t over = 0; over <= 1; over++) {
		size_t len = ENVELOPE_MAX + 1 - over;

		memset(big, 'x', len);
		memcpy(big, head, sizeof head - 1);
		memcpy(big + len - 2, "\"}", 2);
		assert_int_equal(envelope_parse(big, len, &e, &w), over ? 0 : -EFBIG);
		assert_true(!e.document == !over);
	}
	assert_int_equal(e.document_len, ENVELOPE_MAX - (sizeof head - 1) - 2);
	{
		/* What cannot be read back is not written. */
		CLEAN(free_p) char *fits = envelope_format("check", e.document, NULL);
		CLEAN(free_p) char *document = malloc(e.document_len + 2);

		assert_non_null(fits);
		assert_int_equal(strlen(fits), ENVELOPE_MAX);
		memset(document, 'x', e.document_len + 1);
		document[e.document_len + 1] = '\0';
		errno = 0;
		assert_null(envelope_format("check", document, NULL));
		assert_int_equal(errno, EFBIG);
	}
}

static void test_format(void **state)
{
	static const char *const documents[] = {
		"{}", "{\"a\":\"b\"}", "\\\"/\n\t\r\b\f\001\037\177", "caf\xc3\xa9 \xf0\x9f\x98\x80",
		"\xe2\x80\xae\xc2\x85",
	};

	for (size_t i = 0; i < ELEMENTS(documents); i++) {
		CLEAN(free_p) char *text = envelope_format("decision", documents[i], "sig\n");
		CLEAN(envelope_done) struct envelope e = { 0 };

		assert_non_null(text);
		assert_int_equal(envelope_parse(text, strlen(text), &e, NULL), 0);
		assert_string_equal(e.document, documents[i]);
		assert_string_equal(e.signature, "sig\n");
	}
	errno = 0;
	assert_null(envelope_format("decision", "\xff", "sig"));
	assert_int_equal(errno, EINVAL);
	{
		CLEAN(free_p) char *text = envelope_format("check", "{\"a\":\"/x\"}", NULL);

		assert_string_equal(text, "{\"v\":1,\"type\":\"check\",\"document\":\"{\\\"a\\\":\\\"/x\\\"}\"}");
	}
}

static void test_done(void **state)
{
	struct envelope e = { 0 };

	envelope_done(&e);
	assert_int_equal(parse(decision, sizeof decision - 1, &e, NULL), 0);
	envelope_done(&e);
	assert_true(!e.type && !e.document && !e.signature && e.document_len == 0);
	envelope_done(&e);
}

/* --- mutations ----------------------------------------------------------------------------------------------- */

/* A mutant is refused with words and nothing in RET, or it is an envelope in form that says, in its members, exactly what
 * its bytes say: formatted and parsed again it is the same. */
static bool check_mutant(const char *bytes, size_t len, const char *how, uint64_t number)
{
	CLEAN(envelope_done) struct envelope e = { 0 }, again = { 0 };
	CLEAN(free_p) char *text = NULL;
	struct why w = { "" };
	int r = parse(bytes, len, &e, &w);

	if (r < 0) {
		check_case(r == -EINVAL && w.text[0], "%s %llu: %d", how, (unsigned long long)number, r);
		check_case(text_utf8(w.text, strlen(w.text)) && !strpbrk(w.text, "\n\033\177"), "%s %llu", how,
			(unsigned long long)number);
		check_case(!e.type && !e.document && !e.signature, "%s %llu", how, (unsigned long long)number);
		return false;
	}
	check_case(!!e.signature == (!strcmp(e.type, "decision") || !strcmp(e.type, "revoke") || !strcmp(e.type, "receipt")),
		"%s %llu", how, (unsigned long long)number);
	check_case(e.document_len > 0 && strlen(e.document) == e.document_len && text_utf8(e.document, e.document_len),
		"%s %llu", how, (unsigned long long)number);
	text = envelope_format(e.type, e.document, e.signature);
	assert_non_null(text);
	assert_int_equal(envelope_parse(text, strlen(text), &again, NULL), 0);
	assert_string_equal(again.type, e.type);
	assert_string_equal(again.document, e.document);
	return true;
}

/* Is what the mutant says other than what the seed says? */
static bool differs(const char *bytes, size_t len)
{
	CLEAN(envelope_done) struct envelope was = { 0 }, is = { 0 };

	assert_int_equal(parse(decision, sizeof decision - 1, &was, NULL), 0);
	assert_int_equal(parse(bytes, len, &is, NULL), 0);
	return strcmp(was.type, is.type) || strcmp(was.document, is.document) || !is.signature ||
	       strcmp(was.signature, is.signature);
}

static void test_mutate_bits(void **state)
{
	const size_t len = sizeof decision - 1;
	char copy[sizeof decision];
	unsigned accepted = 0;

	assert_true(check_mutant(decision, len, "unchanged", 0));
	for (size_t bit = 0; bit < 8 * len; bit++) {
		memcpy(copy, decision, len);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		if (!check_mutant(copy, len, "bit", bit))
			continue;
		accepted++;
		check_case(differs(copy, len), "bit %zu changed nothing", bit);
	}
	/* A bit within document or signature is for the signature check to see; without any the test would test nothing. */
	assert_true(accepted > 100);
}

static void test_mutate_bytes(void **state)
{
	const size_t len = sizeof decision - 1;
	char copy[sizeof decision];

	for (size_t at = 0; at < len; at++) {
		for (int c = 0; c < 256; c++) {
			memcpy(copy, decision, len);
			copy[at] = (char)c;
			if (check_mutant(copy, len, "byte", at * 256 + (unsigned)c) && copy[at] != decision[at])
				check_case(differs(copy, len), "byte %zu as %02x changed nothing", at, (unsigned)c);
		}
	}
}

static void test_mutate_lengths(void **state)
{
	const size_t len = sizeof decision - 1;
	char copy[2 * sizeof decision];

	for (size_t cut = 0; cut < len; cut++) {
		check_case(!check_mutant(decision, cut, "cut behind", cut), "cut behind %zu passed", cut);
		if (cut > 0)
			check_case(!check_mutant(decision + cut, len - cut, "cut before", cut), "cut before %zu passed", cut);
		memcpy(copy, decision, cut);
		memcpy(copy + cut, decision + cut + 1, len - cut - 1);
		(void)check_mutant(copy, len - 1, "without", cut);
		for (int i = 0; i < 8; i++) {
			copy[cut] = "\"\\{}[],\xff"[i];
			memcpy(copy + cut + 1, decision + cut, len - cut);
			(void)check_mutant(copy, len + 1, "with", cut * 8 + (unsigned)i);
		}
	}
}

static void test_mutate_random(void **state)
{
	char copy[4 * sizeof decision];
	uint64_t seed = 20261121;

	for (unsigned round = 0; round < 20000; round++) {
		size_t len = sizeof decision - 1;
		unsigned changes = 1 + (unsigned)(unit_random(&seed) % 4);

		memcpy(copy, decision, len);
		while (changes-- > 0) {
			uint64_t r = unit_random(&seed);
			size_t at = (size_t)(r >> 32) % len, n = (size_t)(r >> 8) % 40 + 1;

			if (n > len - at)
				n = len - at;
			if (r % 3 == 0)
				copy[at] = "\"\\{}[]:,1u0a \xc3"[r >> 16 & 7];
			else if (r % 3 == 1 && len + n <= sizeof copy) {
				memmove(copy + at + n, copy + at, len - at);
				len += n;
			} else if (len > n) {
				memmove(copy + at, copy + at + n, len - at - n);
				len -= n;
			}
		}
		(void)check_mutant(copy, len, "round", round);
	}
}

/* The table of events lives from being unambiguous. */
static void test_events(void **state)
{
	for (int e = 0; e < EV_COUNT; e++) {
		assert_int_equal(event_parse(event_name((enum jit_event)e)), e);
		assert_int_equal(strspn(event_message_id((enum jit_event)e), "0123456789abcdef"), 32);
		assert_int_equal(strlen(event_message_id((enum jit_event)e)), 32);
		for (int k = 0; k < e; k++)
			assert_string_not_equal(event_message_id((enum jit_event)k), event_message_id((enum jit_event)e));
	}
	assert_int_equal(event_parse("no-such"), -ENOENT);
	assert_int_equal(event_parse(""), -ENOENT);
	assert_int_equal(event_parse(NULL), -ENOENT);
	assert_string_equal(event_name(EV_COUNT), "unknown");
	assert_null(event_message_id(EV_COUNT));
	assert_true(event_synced(EV_GRANTED) && event_synced(EV_COUNT) && !event_synced(EV_USED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_size),          cmocka_unit_test(test_format),
		cmocka_unit_test(test_done),          cmocka_unit_test(test_mutate_bits),
		cmocka_unit_test(test_mutate_bytes),  cmocka_unit_test(test_mutate_lengths),
		cmocka_unit_test(test_mutate_random), cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
