/* JSON, strictly: what json-c alone would let through or change. */
#include "tests/unit/unit.h"

#include "lib/json.h"
#include "lib/text.h"

#define BYTES(s) s, sizeof(s) - 1

static void test_accepted(void **state)
{
	static const char *const texts[] = {
		"{}", " \t\r\n{ } \n", "{\"a\":1}", "{\"a\":-0}", "{\"a\":0}", "{\"a\":1.5}",
		"{\"a\":1e5,\"b\":1E-5,\"c\":0.0e+1}",
		"{\"a\":18446744073709551615,\"b\":-9223372036854775808}", "{\"a\":null,\"b\":true,\"c\":false}",
		"{\"\":1}", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "{\"a\":[{\"a\":1},{\"a\":1}]}",
		"{\"a\":[[[[[[[]]]]]]]}", "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"}",
		"{\"a\":\"\x7f\xc2\x80\xe2\x80\xae\xf4\x8f\xbf\xbf\"}", "{\"a\":[],\"b\":{}}", "{\"a\":1.7e999}",
		"{\"a b\":\" ! \"}",
		"{\"a\":\"\\ud7ff\\ue000\\ud800\\udc00\\udbff\\udfff\\uABCF\\uface\\u0001\\uffff\"}",
	};

	for (size_t i = 0; i < ELEMENTS(texts); i++) {
		CLEAN(json_put_p) struct json_object *o = NULL, *again = NULL;
		struct why w = { "" };
		const char *printed;

		check_case(json_parse(texts[i], strlen(texts[i]), &o, &w) == 0, "'%s': %s", texts[i], w.text);
		assert_non_null(o);
		printed = json_text(o);
		check_case(json_parse(printed, strlen(printed), &again, &w) == 0, "'%s': %s", printed, w.text);
		check_case(json_object_equal(o, again), "'%s'", printed);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} table[] = {
		{ BYTES("") }, { BYTES(" ") }, { BYTES("[]") }, { BYTES("1") }, { BYTES("\"a\"") },
		{ BYTES("null") }, { BYTES("true") },
		/* after it, before it */
		{ BYTES("{}x") }, { BYTES("{}{}") }, { BYTES("{},") }, { BYTES("{}\0") }, { BYTES("\0{}") },
		{ BYTES("\xef\xbb\xbf{}") },
		{ BYTES("{} //") }, { BYTES("/**/{}") }, { BYTES("{/**/}") }, { BYTES("{}\f") }, { BYTES("\v{}") },
		/* half */
		{ BYTES("{") }, { BYTES("}") }, { BYTES("{\"a\"") }, { BYTES("{\"a\":") },
		{ BYTES("{\"a\":1") }, { BYTES("{\"a\":1,") },
		{ BYTES("{\"a\":\"") }, { BYTES("{\"a\":\"\\") }, { BYTES("{\"a\":[1") },
		{ BYTES("{\"a\":tru") }, { BYTES("{\"a\":\"\\u12") },
		/* commas and colons */
		{ BYTES("{,}") }, { BYTES("{\"a\":1,}") }, { BYTES("{\"a\":1,,\"b\":1}") },
		{ BYTES("{\"a\":[1,]}") }, { BYTES("{\"a\":[,]}") },
		{ BYTES("{\"a\":[1 2]}") }, { BYTES("{\"a\" 1}") }, { BYTES("{\"a\"::1}") },
		{ BYTES("{\"a\"}") }, { BYTES("{\"a\":1]") },
		{ BYTES("{\"a\":[1}}") }, { BYTES("{a:1}") }, { BYTES("{'a':1}") }, { BYTES("{\"a\":'x'}") },
		{ BYTES("{1:1}") },
		/* words */
		{ BYTES("{\"a\":NaN}") }, { BYTES("{\"a\":Infinity}") }, { BYTES("{\"a\":-Infinity}") },
		{ BYTES("{\"a\":nan}") },
		{ BYTES("{\"a\":True}") }, { BYTES("{\"a\":NULL}") }, { BYTES("{\"a\":nullx}") },
		{ BYTES("{\"a\":undefined}") },
		/* numbers */
		{ BYTES("{\"a\":01}") }, { BYTES("{\"a\":-01}") }, { BYTES("{\"a\":+1}") },
		{ BYTES("{\"a\":.5}") }, { BYTES("{\"a\":1.}") },
		{ BYTES("{\"a\":-}") }, { BYTES("{\"a\":1e}") }, { BYTES("{\"a\":1e+}") },
		{ BYTES("{\"a\":0x1}") }, { BYTES("{\"a\":1_0}") },
		{ BYTES("{\"a\":--1}") }, { BYTES("{\"a\":1.5.5}") }, { BYTES("{\"a\":18446744073709551616}") },
		{ BYTES("{\"a\":-9223372036854775809}") }, { BYTES("{\"a\":99999999999999999999999999}") },
		/* strings */
		{ BYTES("{\"a\":\"\n\"}") }, { BYTES("{\"a\":\"\t\"}") }, { BYTES("{\"a\":\"\x1f\"}") },
		{ BYTES("{\"a\":\"\0\"}") },
		{ BYTES("{\"a\":\"\\x41\"}") }, { BYTES("{\"a\":\"\\'\"}") }, { BYTES("{\"a\":\"\\\n\"}") },
		{ BYTES("{\"a\":\"\\0\"}") },
		{ BYTES("{\"a\":\"\\U0041\"}") }, { BYTES("{\"a\":\"\\u 041\"}") },
		{ BYTES("{\"a\":\"\\u00g1\"}") },
		/* NUL in a value and in a name, which would cut it */
		{ BYTES("{\"a\":\"\\u0000\"}") }, { BYTES("{\"a\\u0000b\":1}") }, { BYTES("{\"a\":\"x\\u0000\"}") },
		/* surrogates */
		{ BYTES("{\"a\":\"\\ud83d\"}") }, { BYTES("{\"a\":\"\\ude00\"}") },
		{ BYTES("{\"a\":\"\\ud83dx\"}") },
		{ BYTES("{\"a\":\"\\ud83d\\ud83d\"}") }, { BYTES("{\"a\":\"\\ud83d\\n\"}") },
		{ BYTES("{\"a\":\"\\ude00\\ud83d\"}") },
		{ BYTES("{\"a\":\"\\ud83d\\u0041\"}") },
		{ BYTES("{\"a\":\"\\udc00\"}") }, { BYTES("{\"a\":\"\\udfff\"}") },
		{ BYTES("{\"a\":\"\\ud800\"}") }, { BYTES("{\"a\":\"\\udbff\"}") },
		{ BYTES("{\"a\":\"\\ud800\\udbff\"}") }, { BYTES("{\"a\":\"\\ud800\\ue000\"}") },
		/* UTF-8 */
		{ BYTES("{\"a\":\"\xff\"}") }, { BYTES("{\"a\":\"\xc0\xaf\"}") },
		{ BYTES("{\"a\":\"\xed\xa0\x80\"}") },
		{ BYTES("{\"a\":\"\xe2\x82\"}") }, { BYTES("{\"\x80\":1}") },
		{ BYTES("{\"a\":\"\xf4\x90\x80\x80\"}") },
		/* doubled, also in disguise and far down */
		{ BYTES("{\"a\":1,\"a\":1}") }, { BYTES("{\"a\":1,\"\\u0061\":2}") },
		{ BYTES("{\"a\":1,\"b\":2,\"a\":{}}") },
		{ BYTES("{\"a\":{\"x\":1},\"a\":{\"y\":1}}") },
		{ BYTES("{\"o\":[{\"p\":{\"a\":1,\"a\":2}}]}") }, { BYTES("{\"\":1,\"\":2}") },
		{ BYTES("{\"a/\":1,\"a\\/\":2}") }, { BYTES("{\"a\":null,\"a\":null}") },
		/* depth 9 */
		{ BYTES("{\"a\":[[[[[[[[]]]]]]]]}") },
		{ BYTES("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}") },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		CLEAN(free_p) char *exact = malloc(table[i].len + 1);
		struct json_object *o = NULL;
		struct why w = { "" };
		int r;

		assert_non_null(exact);
		memcpy(exact, table[i].text, table[i].len);
		r = json_parse(exact, table[i].len, &o, &w);
		if (r == 0)
			json_object_put(o);
		check_case(r == -EINVAL, "row %zu: '%s'", i, table[i].text);
		check_case(o == NULL, "row %zu changed its output", i);
		check_case(w.text[0] && text_utf8(w.text, strlen(w.text)), "row %zu has no words", i);
	}
}

/* A thousand open brackets cost nothing. */
static void test_bomb(void **state)
{
	char *bomb = malloc(1000000);
	struct json_object *o = NULL;

	assert_non_null(bomb);
	memset(bomb, '[', 1000000);
	memcpy(bomb, "{\"a\":", 5);
	assert_int_equal(json_parse(bomb, 1000000, &o, NULL), -EINVAL);
	assert_null(o);
	free(bomb);
}

static void test_members(void **state)
{
	static const char text[] = "{\"s\":\"x\",\"e\":\"\",\"n\":7,\"zero\":0,\"max\":18446744073709551615,\"neg\":-1,\"f\":1.0,\"t\":true,\"no\":false,"
				   "\"null\":null,\"o\":{\"k\":1},\"a\":[1],\"ns\":\"7\"}";
	CLEAN(json_put_p) struct json_object *o = NULL;
	uint64_t n = 99;

	assert_int_equal(json_parse(text, sizeof text - 1, &o, NULL), 0);
	assert_string_equal(json_str(o, "s"), "x");
	assert_string_equal(json_str(o, "e"), "");
	assert_null(json_str(o, "n"));
	assert_null(json_str(o, "null"));
	assert_null(json_str(o, "absent"));
	assert_null(json_str(NULL, "s"));
	assert_int_equal(json_u64(o, "absent", &n), -ENOENT);
	assert_int_equal(json_u64(NULL, "n", &n), -ENOENT);
	assert_int_equal(json_u64(o, "neg", &n), -EINVAL);
	assert_int_equal(json_u64(o, "f", &n), -EINVAL);
	assert_int_equal(json_u64(o, "ns", &n), -EINVAL);
	assert_int_equal(json_u64(o, "t", &n), -EINVAL);
	assert_int_equal(json_u64(o, "null", &n), -EINVAL);
	assert_true(n == 99);
	assert_int_equal(json_u64(o, "n", &n), 0);
	assert_true(n == 7);
	assert_int_equal(json_u64(o, "zero", &n), 0);
	assert_true(n == 0);
	assert_int_equal(json_u64(o, "max", &n), 0);
	assert_true(n == UINT64_MAX);
	assert_true(json_true(o, "t"));
	assert_false(json_true(o, "no"));
	assert_false(json_true(o, "n"));
	assert_false(json_true(o, "s"));
	assert_false(json_true(o, "absent"));
	assert_non_null(json_obj(o, "o"));
	assert_null(json_obj(o, "a"));
	assert_null(json_obj(o, "null"));
	assert_non_null(json_arr(o, "a"));
	assert_null(json_arr(o, "o"));
	/* An array is asked for no member. */
	assert_null(json_str(json_arr(o, "a"), "s"));
}

static void test_adding(void **state)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();

	assert_non_null(o);
	assert_int_equal(json_add_str(o, "path", "/a/\"b\"\n"), 0);
	assert_int_equal(json_add_str(o, "absent", NULL), 0);
	assert_int_equal(json_add_str(o, "bad", "\xff"), -EINVAL);
	assert_int_equal(json_add_u64(o, "max", UINT64_MAX), 0);
	assert_int_equal(json_add_bool(o, "yes", true), 0);
	assert_int_equal(json_add(o, "list", json_object_new_array()), 0);
	assert_int_equal(json_add(o, "none", NULL), -ENOMEM);
	assert_string_equal(json_text(o), "{\"path\":\"/a/\\\"b\\\"\\n\",\"max\":18446744073709551615,\"yes\":true,\"list\":[]}");
}

static void test_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *json;
	} table[] = {
		{ BYTES(""), "\"\"" },
		{ BYTES("abc"), "\"abc\"" },
		{ BYTES("\xe6\x97\xa5"), "\"\xe6\x97\xa5\"" },
		{ BYTES("\033\n"), "\"\\u001b\\n\"" },
		{ BYTES("\xff"), "{\"base64\":\"/w==\"}" },
		{ BYTES("a\0b"), "{\"base64\":\"YQBi\"}" },
		{ BYTES("\xed\xa0\x80"), "{\"base64\":\"7aCA\"}" },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		CLEAN(json_put_p) struct json_object *o = json_bytes(table[i].bytes, table[i].len);
		CLEAN(free_p) char *back = NULL;
		size_t len = 77;

		assert_non_null(o);
		assert_string_equal(json_text(o), table[i].json);
		assert_int_equal(json_bytes_get(o, &back, &len), 0);
		assert_int_equal(len, table[i].len);
		assert_memory_equal(back, table[i].bytes, len);
		assert_int_equal(back[len], 0);
	}
}

static void test_bytes_refused(void **state)
{
	static const char *const texts[] = {
		"{\"x\":1}", "{\"x\":null}", "{\"x\":[\"a\"]}", "{\"x\":true}", "{\"x\":{}}",
		"{\"x\":{\"base64\":1}}", "{\"x\":{\"base64\":\"?\"}}",
		"{\"x\":{\"base64\":\"YQ\"}}", "{\"x\":{\"base64\":\"YQ==\",\"y\":1}}",
		"{\"x\":{\"Base64\":\"YQ==\"}}", "{}",
	};

	for (size_t i = 0; i < ELEMENTS(texts); i++) {
		CLEAN(json_put_p) struct json_object *o = NULL;
		char *back = NULL;
		size_t len = 77;

		assert_int_equal(json_parse(texts[i], strlen(texts[i]), &o, NULL), 0);
		check_case(json_bytes_get(json_object_object_get(o, "x"), &back, &len) == -EINVAL, "%s", texts[i]);
		assert_true(!back && len == 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused), cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_members),  cmocka_unit_test(test_adding),  cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bytes_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
