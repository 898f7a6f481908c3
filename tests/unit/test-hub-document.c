/* What the hub reads of documents. */
#include "tests/unit/unit.h"

#include "hub/document.h"

#define TIME "2026-11-21T14:32:05Z"

static struct envelope wrap(const char *type, const char *document)
{
	return (struct envelope){
		.type = strdup(type), .document = strdup(document), .document_len = strlen(document),
	};
}

static void test_request(void **state)
{
	CLEAN(envelope_done) struct envelope e = wrap("request", "{\"v\":1,\"id\":\"AAAA-AAAA\",\"host\":\"web1\","
		"\"teams\":{\"sre\":[\"bob\",\"c@x\"],\"none\":[]},\"answer_by\":\"" TIME "\",\"other\":{}}");
	struct request_document d = { 0 };
	struct why w;

	assert_int_equal(request_document_read(&e, "web1", "AAAA-AAAA", &d, &w), 0);
	assert_string_equal(d.viewers[0], "bob");
	assert_string_equal(d.viewers[1], "c@x");
	assert_null(d.viewers[2]);
	assert_int_equal(d.answer_by, UINT64_C(1795271525000000));
	request_document_done(&d);
	assert_int_equal(request_document_read(&e, "web2", "AAAA-AAAA", &d, &w), -EINVAL);
	assert_int_equal(request_document_read(&e, "web1", "AAAA-AAAB", &d, &w), -EINVAL);
	assert_null(d.viewers);
}

static void test_bad_requests(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "{}",
		"{\"v\":2,\"id\":\"I\",\"host\":\"h\",\"teams\":{},\"answer_by\":\"" TIME "\"}",
		"{\"v\":1,\"host\":\"h\",\"teams\":{},\"answer_by\":\"" TIME "\"}",
		"{\"v\":1,\"id\":1,\"host\":\"h\",\"teams\":{},\"answer_by\":\"" TIME "\"}",
		"{\"v\":1,\"id\":\"I\",\"host\":\"h\",\"answer_by\":\"" TIME "\"}",
		"{\"v\":1,\"id\":\"I\",\"host\":\"h\",\"teams\":{},\"answer_by\":\"2026\"}",
		"{\"v\":1,\"id\":\"I\",\"host\":\"h\",\"teams\":{\"a\":{}},\"answer_by\":\"" TIME "\"}",
		"{\"v\":1,\"id\":\"I\",\"host\":\"h\",\"teams\":{\"a\":[null]},\"answer_by\":\"" TIME "\"}",
		"{\"v\":1,\"id\":\"I\",\"host\":\"h\",\"teams\":{\"a\":[\"*\"]},\"answer_by\":\"" TIME "\"}",
		"{\"v\":1,\"id\":\"I\",\"host\":\"h\",\"teams\":{\"../a\":[]},\"answer_by\":\"" TIME "\"}",
	};

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		CLEAN(envelope_done) struct envelope e = wrap("request", bad[i]);
		struct request_document d = { 0 };
		struct why w = { "" };

		check_case(request_document_read(&e, "h", "I", &d, &w) == -EINVAL, "%s", bad[i]);
		check_case(w.text[0] && !d.viewers, "%s", bad[i]);
	}
}

static void test_answers(void **state)
{
	static const struct {
		const char *type, *verdict;
		int result;
	} cases[] = {
		{ "decision", "approve", 0 }, { "decision", "deny", 0 }, { "decision", "revoke", -EINVAL },
		{ "revoke", "revoke", 0 }, { "revoke", "approve", -EINVAL }, { "decision", "", -EINVAL },
	};
	char text[512];

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		snprintf(text, sizeof(text), "{\"v\":1,\"request\":\"I\",\"digest\":\"d\",\"host\":\"h\",\"verdict\":\"%s\","
			"\"approver\":\"bob\",\"time\":\"" TIME "\"}", cases[i].verdict);
		CLEAN(envelope_done) struct envelope e = wrap(cases[i].type, text);
		CLEAN(answer_document_done) struct answer_document d = { 0 };
		struct why w;

		check_case(answer_document_read(&e, cases[i].type, "I", &d, &w) == cases[i].result, "%s", text);
		check_case(cases[i].result < 0 ? !d.json : !strcmp(d.approver, "bob"), "%s", text);
		check_case(answer_document_read(&e, "receipt", "I", &d, &w) == -EINVAL, "%s", text);
	}
}

static void test_receipts(void **state)
{
	CLEAN(envelope_done) struct envelope e = wrap("receipt", "{\"v\":1,\"host\":\"h\",\"request\":\"AAAA-AAAA\"}");
	CLEAN(envelope_done) struct envelope bad = wrap("receipt", "{\"v\":1,\"host\":\"h\",\"request\":\"aaaa-aaaa\"}");
	CLEAN(free_p) char *id = NULL;
	struct why w;

	assert_int_equal(receipt_document_read(&bad, "h", &id, &w), -EINVAL);
	assert_int_equal(receipt_document_read(&e, "x", &id, &w), -EINVAL);
	assert_null(id);
	assert_int_equal(receipt_document_read(&e, "h", &id, &w), 0);
	assert_string_equal(id, "AAAA-AAAA");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_receipts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
