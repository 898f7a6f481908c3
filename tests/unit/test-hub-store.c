/* The hub's store in SQLite: what it promises in hub/store.h. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include "hub/store.h"

struct site {
	char dir[64], path[128];
	struct store *store;
};

static const uint8_t hash_a[SHA256_LEN] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", hash_b[SHA256_LEN] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
	hash_c[SHA256_LEN] = "ccccccccccccccccccccccccccccccc";

static int set_up(void **state)
{
	struct site *s = calloc(1, sizeof(*s));
	struct why w;

	if (!s)
		return -1;
	strcpy(s->dir, "/tmp/test-hub-store-XXXXXX");
	if (!mkdtemp(s->dir))
		return -1;
	snprintf(s->path, sizeof(s->path), "%s/hub.db", s->dir);
	*state = s;
	return store_open(s->path, &s->store, &w);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "hub.db", "hub.db-wal", "hub.db-shm" };
	struct site *s = *state;
	char path[256];

	store_close(s->store);
	for (size_t i = 0; i < ELEMENTS(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, names[i]);
		unlink(path);
	}
	rmdir(s->dir);
	free(s);
	return 0;
}

static void reopen(struct site *s)
{
	struct why w;

	s->store = store_close(s->store);
	assert_int_equal(store_open(s->path, &s->store, &w), 0);
}

static void enroll(struct site *s, const char *host, const uint8_t *secret)
{
	assert_int_equal(store_host_offer(s->store, host, hash_c, 1000), 0);
	assert_int_equal(store_host_enroll(s->store, hash_c, host, "machine", "key", secret, 10), 0);
}

static char *const bob[] = { (char[]){ "bob" }, NULL };
static char *const both[] = { (char[]){ "bob" }, (char[]){ "carol" }, (char[]){ "bob" }, NULL };

static int put(struct site *s, const char *host, const char *id, const char *text, char *const *viewers)
{
	struct stored_request q = {
		.host = host, .id = id, .envelope = text, .digest = "digest", .received = 100, .until = 200,
	};

	return store_request_put(s->store, &q, viewers, 100);
}

static int item(struct site *s, const char *host, const char *id, const char *approver, const char *text)
{
	struct stored_item i = {
		.host = host, .id = id, .type = "decision", .approver = approver, .verdict = "approve", .time = "t",
		.envelope = text,
	};

	return store_item_put(s->store, &i);
}

static void test_enrollment(void **state)
{
	struct site *s = *state;
	char *name = NULL;
	uint64_t seen;

	assert_int_equal(store_host_offer(s->store, "web1", hash_a, 1000), 0);
	assert_int_equal(store_host_enroll(s->store, hash_a, "web2", "m", "k", hash_b, 10), -EACCES);
	assert_int_equal(store_host_enroll(s->store, hash_c, "web1", "m", "k", hash_b, 10), -EACCES);
	assert_int_equal(store_host_enroll(s->store, hash_a, "web1", "m", "k", hash_b, 1000), -EACCES);
	assert_int_equal(store_host_find(s->store, hash_b, &name, &seen), -ENOENT);
	assert_null(name);
	assert_int_equal(store_host_enroll(s->store, hash_a, "web1", "m", "k", hash_b, 999), 0);
	assert_int_equal(store_host_enroll(s->store, hash_a, "web1", "m", "k", hash_b, 999), -EACCES);
	reopen(s);
	assert_int_equal(store_host_find(s->store, hash_b, &name, &seen), 0);
	assert_string_equal(name, "web1");
	assert_int_equal(seen, 999);
	free(name);
	assert_int_equal(store_host_find(s->store, hash_a, &name, &seen), -ENOENT); /* the token is no secret */
	assert_int_equal(store_host_remove(s->store, "web1"), 0);
	assert_int_equal(store_host_remove(s->store, "web1"), -ENOENT);
	assert_int_equal(store_host_find(s->store, hash_b, &name, &seen), -ENOENT);
}

struct seen_rows {
	char text[1024];
	size_t n;
	uint64_t last;
};

static int see_request(const struct stored_request *r, void *userdata)
{
	struct seen_rows *rows = userdata;

	snprintf(rows->text + strlen(rows->text), sizeof(rows->text) - strlen(rows->text), "%s/%s%s ", r->host, r->id,
		r->settled ? "!" : "");
	rows->n++;
	rows->last = r->n;
	return 0;
}

static const char *listed(struct site *s, const char *viewer, bool pending, uint64_t after, uint64_t now, struct seen_rows *rows)
{
	struct store_query q = { .viewer = viewer, .pending = pending, .after = after, .now = now };
	bool more;

	*rows = (struct seen_rows){ 0 };
	assert_true(store_request_list(s->store, &q, see_request, rows, &more) >= 0);
	return rows->text;
}

static void test_requests(void **state)
{
	struct site *s = *state;
	struct seen_rows rows;
	uint64_t last;

	enroll(s, "web1", hash_a);
	assert_int_equal(put(s, "web1", "A", "text", bob), 1);
	assert_int_equal(put(s, "web1", "A", "text", bob), 0);
	assert_int_equal(put(s, "web1", "A", "other", bob), -EEXIST);
	assert_int_equal(put(s, "web1", "B", "text", both), 1);
	assert_true(put(s, "web2", "A", "text", bob) < 0); /* no such host */
	assert_string_equal(listed(s, "bob", true, 0, 150, &rows), "web1/A web1/B ");
	last = rows.last;
	assert_string_equal(listed(s, "carol", true, 0, 150, &rows), "web1/B ");
	assert_string_equal(listed(s, "bob", true, 0, 200, &rows), "");
	assert_string_equal(listed(s, "bob", false, 0, 200, &rows), "web1/A web1/B ");
	assert_string_equal(listed(s, "bob", true, last, 150, &rows), "");
	assert_int_equal(store_request_settle(s->store, "web1", "A", 160), 1);
	assert_int_equal(store_request_settle(s->store, "web1", "A", 160), 0);
	assert_int_equal(store_request_settle(s->store, "web1", "C", 160), 0);
	reopen(s);
	assert_string_equal(listed(s, "bob", true, 0, 150, &rows), "web1/B ");
	assert_string_equal(listed(s, "bob", false, last, 150, &rows), "web1/A! ");
	assert_int_equal(put(s, "web1", "A", "text", bob), 0);
	assert_string_equal(listed(s, "bob", true, 0, 150, &rows), "web1/B web1/A ");
}

static void test_quotas(void **state)
{
	struct site *s = *state;
	char id[32], text[32];

	enroll(s, "web1", hash_a);
	enroll(s, "web2", hash_b);
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(s, "web2", (char[]){ (char)('A' + i), 0 }, "t", bob), 1);
	for (int i = 0; i < STORE_ITEMS_MAX; i++) {
		snprintf(text, sizeof(text), "text %d", i);
		assert_int_equal(item(s, "web2", "A", "bob", text), 1);
	}
	assert_int_equal(item(s, "web2", "A", "bob", "one more"), -EDQUOT);
	assert_int_equal(item(s, "web2", "A", "bob", "text 3"), 0);
	assert_int_equal(item(s, "web2", "A", "carol", "text 3"), 1);
	assert_int_equal(item(s, "web2", "B", "bob", "text 3"), 1);
	assert_int_equal(item(s, "web2", "Z", "bob", "text 3"), -ENOENT);
	assert_int_equal(item(s, "web3", "A", "bob", "text 3"), -ENOENT);
	for (int i = 0; i < STORE_RECEIPTS_MAX; i++) {
		struct stored_receipt t = { .host = "web2", .id = "A", .name = id, .envelope = "e", .received = 1 };

		snprintf(id, sizeof(id), "r%d", i);
		assert_int_equal(store_receipt_put(s->store, &t), 1);
	}
	assert_int_equal(store_receipt_put(s->store, &(struct stored_receipt){ .host = "web2", .id = "A", .name = "x",
		.envelope = "e" }), -EDQUOT);
	assert_int_equal(store_receipt_put(s->store, &(struct stored_receipt){ .host = "web2", .id = "A", .name = "r1",
		.envelope = "e" }), 0);
	assert_int_equal(store_receipt_put(s->store, &(struct stored_receipt){ .host = "web2", .id = "A", .name = "r1",
		.envelope = "f" }), -EEXIST);
	assert_int_equal(store_receipt_put(s->store, &(struct stored_receipt){ .host = "web2", .id = "Z", .name = "x",
		.envelope = "e" }), -ENOENT);
}

static int see_item(const struct stored_item *i, void *userdata)
{
	struct seen_rows *rows = userdata;

	snprintf(rows->text + strlen(rows->text), sizeof(rows->text) - strlen(rows->text), "%d:%s ", (int)i->n, i->envelope);
	rows->n++;
	return 0;
}

static void test_inbox(void **state)
{
	struct site *s = *state;
	struct seen_rows rows = { 0 };

	enroll(s, "web1", hash_a);
	enroll(s, "web2", hash_b);
	assert_int_equal(put(s, "web1", "A", "t", bob), 1);
	assert_int_equal(put(s, "web2", "A", "t", bob), 1);
	assert_int_equal(item(s, "web1", "A", "bob", "x"), 1);
	assert_int_equal(item(s, "web2", "A", "bob", "x"), 1);
	assert_int_equal(item(s, "web1", "A", "bob", "y"), 1);
	assert_int_equal(store_item_inbox(s->store, "web1", 0, see_item, &rows), 2);
	assert_string_equal(rows.text, "1:x 2:y ");
	rows = (struct seen_rows){ 0 };
	assert_int_equal(store_item_inbox(s->store, "web1", 1, see_item, &rows), 1);
	assert_string_equal(rows.text, "2:y ");
	/* asked from beyond: what is here and what comes now lies behind that */
	rows = (struct seen_rows){ 0 };
	assert_int_equal(store_item_inbox(s->store, "web1", 70, see_item, &rows), 2);
	assert_string_equal(rows.text, "71:x 72:y ");
	assert_int_equal(item(s, "web1", "A", "bob", "z"), 1);
	rows = (struct seen_rows){ 0 };
	assert_int_equal(store_item_inbox(s->store, "web1", 72, see_item, &rows), 1);
	assert_string_equal(rows.text, "73:z ");
	/* of a settled request only revocations */
	assert_int_equal(store_request_settle(s->store, "web1", "A", 1), 1);
	assert_int_equal(store_item_put(s->store, &(struct stored_item){ .host = "web1", .id = "A", .type = "revoke",
		.approver = "bob", .verdict = "revoke", .time = "t", .envelope = "r" }), 1);
	rows = (struct seen_rows){ 0 };
	assert_int_equal(store_item_inbox(s->store, "web1", 100, see_item, &rows), 1);
	assert_string_equal(rows.text, "174:r ");
	/* but never so far that nothing more can come */
	assert_int_equal(store_item_inbox(s->store, "web2", STORE_N_MAX, see_item, &rows), 0);
	assert_int_equal(item(s, "web2", "A", "bob", "z"), 1);
	rows = (struct seen_rows){ 0 };
	assert_int_equal(store_item_inbox(s->store, "web2", 1, see_item, &rows), 1);
	assert_string_equal(rows.text, "2:z ");
}

static int stop_at_once(const struct stored_item *i, void *userdata)
{
	return -ECANCELED;
}

static void test_callback_ends_a_list(void **state)
{
	struct site *s = *state;

	enroll(s, "web1", hash_a);
	assert_int_equal(put(s, "web1", "A", "t", bob), 1);
	assert_int_equal(item(s, "web1", "A", "bob", "x"), 1);
	assert_int_equal(store_item_inbox(s->store, "web1", 0, stop_at_once, NULL), -ECANCELED);
	assert_int_equal(item(s, "web1", "A", "bob", "y"), 1);
}

static void test_sessions(void **state)
{
	struct site *s = *state;
	uint8_t token[SHA256_LEN] = { 0 };
	char *principal = NULL, *key = NULL;

	assert_int_equal(store_session_put(s->store, hash_a, "bob", "SHA256:x", 1000), 0);
	reopen(s);
	assert_int_equal(store_session_find(s->store, hash_a, 999, &principal, &key), 0);
	assert_string_equal(principal, "bob");
	assert_string_equal(key, "SHA256:x");
	free(principal);
	free(key);
	assert_int_equal(store_session_find(s->store, hash_a, 1000, &principal, &key), -ENOENT);
	assert_int_equal(store_session_find(s->store, hash_b, 1, &principal, &key), -ENOENT);
	/* the oldest goes when there are too many */
	for (int i = 0; i < STORE_SESSIONS_MAX; i++) {
		token[0] = (uint8_t)i;
		assert_int_equal(store_session_put(s->store, token, "bob", "k", 2000 + (uint64_t)i), 0);
	}
	assert_int_equal(store_session_find(s->store, hash_a, 1, &principal, &key), -ENOENT);
	assert_int_equal(store_session_find(s->store, token, 1, &principal, &key), 0);
	free(principal);
	free(key);
}

static void test_prune(void **state)
{
	struct site *s = *state;
	struct seen_rows rows;

	enroll(s, "web1", hash_a);
	assert_int_equal(put(s, "web1", "A", "t", bob), 1);
	assert_int_equal(item(s, "web1", "A", "bob", "x"), 1);
	assert_int_equal(store_prune(s->store, 100, 150), 0);
	assert_string_equal(listed(s, "bob", true, 0, 150, &rows), "web1/A ");
	assert_int_equal(store_prune(s->store, 100, 200), 0);
	assert_string_equal(listed(s, "bob", false, 0, 200, &rows), "web1/A ");
	assert_int_equal(store_prune(s->store, 101, 200), 0);
	assert_string_equal(listed(s, "bob", false, 0, 200, &rows), "");
	rows = (struct seen_rows){ 0 };
	assert_int_equal(store_item_inbox(s->store, "web1", 0, see_item, &rows), 0);
	/* numbers are never given again */
	assert_int_equal(put(s, "web1", "B", "t", bob), 1);
	assert_int_equal(item(s, "web1", "B", "bob", "x"), 1);
	assert_int_equal(store_item_inbox(s->store, "web1", 0, see_item, &rows), 1);
	assert_string_equal(rows.text, "2:x ");
}

static void test_open_errors(void **state)
{
	struct site *s = *state;
	struct store *other = NULL;
	struct why w = { "" };
	sqlite3 *db;

	assert_true(store_open("/nonexistent/hub.db", &other, &w) < 0);
	assert_non_null(strstr(w.text, "/nonexistent/hub.db"));
	assert_null(other);
	s->store = store_close(s->store);
	assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 12345", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(s->path, &other, &w), -EPROTO);
	assert_non_null(strstr(w.text, "newer"));
	assert_null(other);
}

static void test_file_is_private(void **state)
{
	struct site *s = *state;
	struct stat st;

	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_enrollment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_quotas, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_inbox, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_callback_ends_a_list, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sessions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_prune, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file_is_private, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
