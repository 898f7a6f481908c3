#include "tests/unit/hands.h"

#include <fcntl.h>
#include <time.h>

#include "helper/dirs.h"
#include "helper/grantfile.h"
#include "helper/notes.h"
#include "helper/spool.h"
#include "lib/cleanup.h"

#define ID1 "K7QF-2M9X"
#define ID2 "00AB-CDEF"

/* outbox */

static void test_outbox_request(void **state)
{
	CLEAN(envelope_done) struct envelope e = { 0 };
	CLEAN(free_p) char *text = NULL;
	struct why w;
	struct stat st;

	assert_int_equal(outbox_request(ID1, "{\"v\":1,\"id\":\"x\"}"), 0);
	assert_int_equal(stat(hands_path("outbox/request-" ID1 ".json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	text = hands_read(hands_path("outbox/request-" ID1 ".json"));
	assert_int_equal(envelope_parse(text, strlen(text), &e, &w), 0);
	assert_string_equal(e.type, "request");
	assert_string_equal(e.document, "{\"v\":1,\"id\":\"x\"}");
	assert_null(e.signature);
	outbox_settle(ID1);
	assert_false(hands_exists(hands_path("outbox/request-" ID1 ".json")));
	outbox_settle(ID1); /* there is none: fine */
	assert_int_equal(outbox_request("../../etc", "{}"), -EINVAL);
}

static void test_outbox_group(void **state)
{
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(dirs.outbox, 0, 12345), 0);
	assert_int_equal(outbox_request(ID1, "{}"), 0);
	assert_int_equal(stat(hands_path("outbox/request-" ID1 ".json"), &st), 0);
	assert_int_equal(st.st_gid, 12345);
}

static void test_outbox_too_large(void **state)
{
	CLEAN(free_p) char *document = calloc(1, ENVELOPE_MAX + 1);

	memset(document, 'x', ENVELOPE_MAX);
	assert_int_equal(outbox_request(ID1, document), -EFBIG);
	assert_false(hands_exists(hands_path("outbox/request-" ID1 ".json")));
}

static void test_outbox_missing(void **state)
{
	dirs.outbox = hands_path("nowhere");
	assert_int_equal(outbox_request(ID1, "{}"), -ENOENT);
	outbox_settle(ID1);
	outbox_prune();
}

static void set_age(const char *path, time_t seconds)
{
	struct timespec t[2] = { { .tv_sec = time(NULL) - seconds }, { .tv_sec = time(NULL) - seconds } };

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void test_outbox_prune(void **state)
{
	assert_int_equal(outbox_receipt(ID1, 7, "{}", "signed"), 0);
	assert_true(hands_exists(hands_path("outbox/receipt-" ID1 "-007.json")));
	assert_int_equal(outbox_receipt(ID1, 8, "{}", "signed"), 0);
	set_age(hands_path("outbox/receipt-" ID1 "-008.json"), 86400 + 60);
	assert_int_equal(outbox_request(ID1, "{}"), 0);
	set_age(hands_path("outbox/request-" ID1 ".json"), 86400 * 3);
	hands_write(hands_path("outbox/.tmp-0123456789abcdef"), "x", 1, 0600);
	outbox_prune();
	assert_true(hands_exists(hands_path("outbox/receipt-" ID1 "-007.json")));
	assert_false(hands_exists(hands_path("outbox/receipt-" ID1 "-008.json")));
	assert_true(hands_exists(hands_path("outbox/request-" ID1 ".json")));
	assert_false(hands_exists(hands_path("outbox/.tmp-0123456789abcdef")));
}

static void test_outbox_prune_many(void **state)
{
	for (int i = 0; i < 1030; i++) {
		hands_write(hands_path("outbox/receipt-" ID1 "-%03d.json", i), "x", 1, 0640);
		set_age(hands_path("outbox/receipt-" ID1 "-%03d.json", i), 3600 - i);
	}
	outbox_prune();
	assert_false(hands_exists(hands_path("outbox/receipt-" ID1 "-005.json")));
	assert_true(hands_exists(hands_path("outbox/receipt-" ID1 "-006.json")));
	assert_true(hands_exists(hands_path("outbox/receipt-" ID1 "-1029.json")));
}

static bool keep_first(const jit_id id, void *userdata)
{
	++*(int *)userdata;
	return strcmp(id, ID1) == 0;
}

static void test_outbox_sweep(void **state)
{
	int asked = 0;

	assert_int_equal(outbox_request(ID1, "{}"), 0);
	assert_int_equal(outbox_request(ID2, "{}"), 0);
	hands_write(hands_path("outbox/request-junk.json"), "x", 1, 0640);
	hands_write(hands_path("outbox/receipt-" ID2 "-001.json"), "x", 1, 0640);
	outbox_sweep(keep_first, &asked);
	assert_int_equal(asked, 2);
	assert_true(hands_exists(hands_path("outbox/request-" ID1 ".json")));
	assert_false(hands_exists(hands_path("outbox/request-" ID2 ".json")));
	assert_false(hands_exists(hands_path("outbox/request-junk.json")));
	assert_true(hands_exists(hands_path("outbox/receipt-" ID2 "-001.json")));
}

/* inbox */

struct seen {
	struct inbox *inbox;
	bool came;
	unsigned good, refused;
	char name[300], words[WHY_MAX], document[256];
	bool settle, again;
};

static void on_envelope(const struct envelope *e, const char *name, const char *words, void *userdata)
{
	struct seen *s = userdata;

	s->came = true;
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (!e) {
		s->refused++;
		snprintf(s->words, sizeof(s->words), "%s", words);
		return;
	}
	s->good++;
	assert_null(words);
	snprintf(s->document, sizeof(s->document), "%s", e->document);
	if (s->settle)
		inbox_done(s->inbox, name, s->again);
}

static void send_envelope(const char *name, const char *type, const char *document)
{
	CLEAN(free_p) char *text = envelope_format(type, document, strcmp(type, "check") == 0 ? NULL : "signed");
	char tmp[512];

	assert_non_null(text);
	snprintf(tmp, sizeof(tmp), "%s/.tmp-%s", dirs.inbox, name);
	hands_write(tmp, text, strlen(text), 0640);
	assert_int_equal(rename(tmp, hands_path("inbox/%s", name)), 0);
}

static void inbox_start(struct seen *s)
{
	assert_int_equal(inbox_new(hands_event, on_envelope, s, &s->inbox), 0);
}

static void inbox_stop(struct seen *s)
{
	s->inbox = inbox_free(s->inbox);
}

static void test_inbox_start(void **state)
{
	struct seen s = { .settle = true };

	send_envelope("one", "decision", "{\"n\":1}");
	inbox_start(&s);
	assert_false(s.came);
	hands_until(&s.came);
	assert_int_equal(s.good, 1);
	assert_string_equal(s.name, "one");
	assert_string_equal(s.document, "{\"n\":1}");
	assert_false(hands_exists(hands_path("inbox/one")));
	assert_false(hands_exists(hands_path("inbox/.taken-one")));
	inbox_stop(&s);
}

static void test_inbox_notify(void **state)
{
	struct seen s = { .settle = true };

	inbox_start(&s);
	hands_idle();
	send_envelope("later", "revoke", "{\"n\":2}");
	hands_until(&s.came);
	assert_string_equal(s.document, "{\"n\":2}");
	s.came = false;
	send_envelope("check", "check", "{\"n\":3}");
	hands_until(&s.came);
	assert_int_equal(s.good, 2);
	inbox_stop(&s);
}

static void expect_refused(struct seen *s, const char *words)
{
	s->came = false;
	hands_until(&s->came);
	hands_idle();
	if (words)
		assert_string_equal(s->words, words);
	assert_int_equal(s->good, 0);
}

static void test_inbox_refuses(void **state)
{
	CLEAN(free_p) char *large = calloc(1, ENVELOPE_MAX + 1);
	struct seen s = { 0 };

	memset(large, ' ', ENVELOPE_MAX + 1);
	inbox_start(&s);
	send_envelope("request", "receipt", "{}");
	expect_refused(&s, "an envelope of this type does not belong in the inbox");
	hands_write(hands_path("inbox/junk\x1b[31m"), "{", 1, 0640);
	expect_refused(&s, NULL);
	assert_null(strchr(s.name, 0x1b));
	hands_write(hands_path("inbox/large"), large, ENVELOPE_MAX + 1, 0640);
	expect_refused(&s, "larger than an envelope may be");
	assert_int_equal(s.refused, 3);
	inbox_stop(&s);
	assert_int_equal(rmdir(dirs.inbox), 0);
	assert_int_equal(mkdir(dirs.inbox, 0755), 0);
}

/* What is no regular file is taken away without being opened for long or followed. */
static void test_inbox_kinds(void **state)
{
	struct seen s = { 0 };

	hands_write(hands_path("outside"), "secret", 6, 0600);
	assert_int_equal(mkfifo(hands_path("inbox/fifo"), 0666), 0);
	assert_int_equal(symlink(hands_path("outside"), hands_path("inbox/link")), 0);
	assert_int_equal(mkdir(hands_path("inbox/dir"), 0755), 0);
	assert_int_equal(mkdir(hands_path("inbox/full"), 0755), 0);
	hands_write(hands_path("inbox/full/x"), "x", 1, 0644);
	assert_int_equal(mknod(hands_path("inbox/socket"), S_IFSOCK | 0666, 0), 0);
	inbox_start(&s);
	hands_until(&s.came);
	hands_idle();
	assert_int_equal(s.refused, 4);
	assert_int_equal(s.good, 0);
	assert_string_equal(s.words, "not a regular file");
	assert_false(hands_exists(hands_path("inbox/fifo")));
	assert_false(hands_exists(hands_path("inbox/link")));
	assert_false(hands_exists(hands_path("inbox/dir")));
	assert_false(hands_exists(hands_path("inbox/socket")));
	assert_true(hands_exists(hands_path("inbox/full/x")));
	assert_true(hands_exists(hands_path("outside")));
	inbox_stop(&s);
}

static void test_inbox_long_name(void **state)
{
	struct seen s = { 0 };
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	hands_write(hands_path("inbox/%s", name), "{}", 2, 0640);
	inbox_start(&s);
	hands_until(&s.came);
	assert_int_equal(s.refused, 1);
	assert_false(hands_exists(hands_path("inbox/%s", name)));
	inbox_stop(&s);
}

/* A life that ends before it settled an envelope hands it on to the next, that one to none. */
static void test_inbox_crash(void **state)
{
	struct seen s = { 0 };

	send_envelope("one", "decision", "{\"n\":1}");
	inbox_start(&s);
	hands_until(&s.came);
	assert_true(hands_exists(hands_path("inbox/.taken-one")));
	inbox_stop(&s);
	memset(&s, 0, sizeof(s));
	inbox_start(&s);
	hands_until(&s.came);
	assert_int_equal(s.good, 1);
	assert_string_equal(s.name, "one");
	inbox_stop(&s);
	memset(&s, 0, sizeof(s));
	inbox_start(&s);
	hands_until(&s.came);
	hands_idle();
	assert_int_equal(s.good, 0);
	assert_int_equal(s.refused, 1);
	inbox_stop(&s);
	assert_int_equal(rmdir(dirs.inbox), 0);
	assert_int_equal(mkdir(dirs.inbox, 0755), 0);
}

static void test_inbox_crash_settled(void **state)
{
	struct seen s = { 0 };

	send_envelope("one", "decision", "{\"n\":1}");
	inbox_start(&s);
	hands_until(&s.came);
	inbox_stop(&s);
	memset(&s, 0, sizeof(s));
	s.settle = true;
	inbox_start(&s);
	hands_until(&s.came);
	inbox_stop(&s);
	assert_int_equal(rmdir(dirs.inbox), 0);
	assert_int_equal(mkdir(dirs.inbox, 0755), 0);
}

static void test_inbox_again(void **state)
{
	struct seen s = { .settle = true, .again = true };

	send_envelope("busy", "decision", "{\"n\":1}");
	inbox_start(&s);
	hands_until(&s.came);
	assert_true(hands_exists(hands_path("inbox/.again-busy")));
	hands_idle();
	assert_int_equal(s.good, 1); /* not at once: in some seconds, or in the next life */
	inbox_stop(&s);
	s.came = s.again = false;
	inbox_start(&s);
	hands_until(&s.came);
	assert_int_equal(s.good, 2);
	assert_string_equal(s.name, "busy");
	inbox_stop(&s);
}

static void test_inbox_flood(void **state)
{
	struct seen s = { .settle = true };

	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%03d", i);
		send_envelope(name, "decision", "{}");
	}
	inbox_start(&s);
	hands_until(&s.came);
	assert_int_equal(s.good, 64);
	while (s.good < 200)
		assert_true(sd_event_run(hands_event, 0) > 0);
	inbox_stop(&s);
}

/* The directory need not be there; when it comes it is found by the belt (here: by the next life). */
static void test_inbox_missing(void **state)
{
	struct seen s = { 0 };

	dirs.inbox = hands_path("nowhere");
	inbox_start(&s);
	hands_idle();
	assert_false(s.came);
	inbox_done(s.inbox, "x", false);
	inbox_stop(&s);
}

/* notes */

struct noted {
	bool came, keep;
	char id[32], text[256];
	unsigned n;
};

static bool on_note(const jit_id id, const char *text, void *userdata)
{
	struct noted *n = userdata;

	n->came = true;
	n->n++;
	snprintf(n->id, sizeof(n->id), "%s", id);
	snprintf(n->text, sizeof(n->text), "%s", text);
	return !n->keep;
}

static void test_notes(void **state)
{
	struct noted n = { .keep = true };
	struct notes *notes;

	assert_int_equal(note_write(ID1, "{\"v\":1}"), 0);
	hands_write(hands_path("notes/other"), "x", 1, 0600);
	assert_int_equal(notes_new(hands_event, on_note, &n, &notes), 0);
	hands_until(&n.came);
	assert_string_equal(n.id, ID1);
	assert_string_equal(n.text, "{\"v\":1}");
	assert_true(hands_exists(hands_path("notes/" ID1)));
	hands_idle();
	n.came = n.keep = false;
	assert_int_equal(note_write(ID2, "{\"v\":2}"), 0);
	hands_until(&n.came);
	hands_idle();
	assert_false(hands_exists(hands_path("notes/" ID1)));
	assert_false(hands_exists(hands_path("notes/" ID2)));
	assert_true(hands_exists(hands_path("notes/other")));
	assert_int_equal(n.n, 3);
	notes_free(notes);
}

/* The file of a grant */

static void test_grantfile(void **state)
{
	struct grantfile_pid pids[] = { { 100, 4711 }, { 2000000, UINT64_C(1) << 40 } };
	char one[] = "12", two[] = "c3", *sessions[] = { one, two };
	struct grantfile g = { .id = ID1, .deadline = 123456789, .grace = 5000000, .drain = true, .pids = pids,
		.n_pids = 2, .sessions = sessions, .n_sessions = 2 };
	CLEAN(grantfile_done) struct grantfile r = { 0 };
	struct why w = { { 0 } };
	struct stat st;

	memset(g.boot, 'a', BOOT_ID_LEN);
	assert_int_equal(grantfile_read(ID1, &r, &w), -ENOENT);
	assert_int_equal(grantfile_write(&g), 0);
	assert_int_equal(stat(hands_path("grants/" ID1), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(grantfile_read(ID1, &r, &w), 0);
	assert_string_equal(r.id, ID1);
	assert_string_equal(r.boot, g.boot);
	assert_int_equal(r.deadline, g.deadline);
	assert_int_equal(r.grace, g.grace);
	assert_true(r.drain);
	assert_int_equal(r.n_pids, 2);
	assert_int_equal(r.pids[1].pid, 2000000);
	assert_int_equal(r.pids[1].start, UINT64_C(1) << 40);
	assert_int_equal(r.n_sessions, 2);
	assert_string_equal(r.sessions[1], "c3");
	assert_int_equal(grantfile_drained(ID1), 0);
	grantfile_done(&r);
	assert_int_equal(grantfile_read(ID1, &r, &w), -EALREADY);
	assert_int_equal(grantfile_remove(ID1), 0);
	assert_int_equal(grantfile_read(ID1, &r, &w), -ENOENT);
	assert_int_equal(grantfile_remove(ID1), 0);
}

static void test_grantfile_bad(void **state)
{
#define HEAD "{\"v\":1,\"id\":\"" ID1 "\",\"boot\":\"0123456789abcdef0123456789abcdef\",\"deadline\":1,\"grace\":1,"
	static const char *const bad[] = {
		"",
		"[]",
		"{\"v\":2}",
		"{\"v\":1,\"id\":\"" ID2 "\"}",
		HEAD "\"at_end\":\"never\"}",
		HEAD "\"at_end\":\"drain\",\"pids\":[{\"pid\":1,\"start\":5}]}",
		HEAD "\"at_end\":\"drain\",\"pids\":[{\"pid\":-5,\"start\":5}]}",
		HEAD "\"at_end\":\"drain\",\"pids\":[7]}",
		HEAD "\"at_end\":\"drain\",\"sessions\":[\"../1\"]}",
		HEAD "\"at_end\":\"drain\",\"sessions\":[\"\"]}",
		HEAD "\"at_end\":\"drain\",\"sessions\":[1]}",
	};
	struct grantfile r = { 0 };
	struct why w = { { 0 } };

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		hands_write(hands_path("grants/" ID1), bad[i], strlen(bad[i]), 0600);
		assert_int_equal(grantfile_read(ID1, &r, &w), -EINVAL);
		assert_null(r.pids);
	}
	hands_write(hands_path("grants/" ID1), HEAD "\"at_end\":\"drain\"}", strlen(HEAD "\"at_end\":\"drain\"}"), 0600);
	assert_int_equal(grantfile_read(ID1, &r, &w), 0);
	grantfile_done(&r);
	assert_int_equal(chmod(hands_path("grants/" ID1), 0622), 0);
	assert_int_equal(grantfile_read(ID1, &r, &w), -EPERM);
}

static void test_process_start(void **state)
{
	uint64_t mine, init;

	assert_int_equal(process_start(getpid(), &mine), 0);
	assert_int_equal(process_start(1, &init), 0);
	assert_true(mine > init);
	assert_true(process_start(INT32_MAX, &mine) < 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, hands_setup, hands_teardown)
	const struct CMUnitTest tests[] = {
		T(test_outbox_request), T(test_outbox_group), T(test_outbox_too_large), T(test_outbox_missing),
		T(test_outbox_prune), T(test_outbox_prune_many), T(test_outbox_sweep),
		T(test_inbox_start), T(test_inbox_notify), T(test_inbox_refuses), T(test_inbox_kinds),
		T(test_inbox_long_name), T(test_inbox_crash), T(test_inbox_crash_settled), T(test_inbox_again),
		T(test_inbox_flood), T(test_inbox_missing),
		T(test_notes), T(test_grantfile), T(test_grantfile_bad), T(test_process_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
