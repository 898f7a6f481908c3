/* The ledger as it is read: what is written is found again; whatever is changed, lost or torn is found out. */
#include "config.h"
#include "tests/unit/ledger-fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"

/* ---- writing and reading ---- */

static void test_empty(void **state)
{
	struct ledger_head head;
	struct count c = { 0 };
	struct why w;
	bool torn = true;

	mkdir("ledger", 0700);
	assert_int_equal(read_dir("ledger", &head, &torn, &c, &w), 0);
	assert_int_equal(head.seq, 0);
	assert_int_equal(strspn(head.hash, "0"), SHA256_HEX);
	assert_int_equal(c.lines, 0);
	assert_false(torn);
}

static void test_append(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger"), *second = NULL;
	CLEAN(free_p) char *text = NULL;
	struct count c = { 0 };
	struct stat st;
	struct why w;
	char *line, *next, boot[BOOT_ID_LEN + 1], start[256], hash[SHA256_HEX + 1];
	size_t len;

	assert_int_equal(ledger_head(l)->seq, 0);
	assert_int_equal(append(l, EV_REQUESTED, "K7QF-2M9X"), 0);
	assert_int_equal(append(l, EV_GRANTED, "line\nbreak \x1b \"quote\" \xc3\xa9"), 0);
	assert_int_equal(ledger_append(l, EV_CONFIG, NULL, false, &w), 0);
	assert_false(ledger_broken(l, &w));
	whole("ledger", 3, ledger_head(l));
	assert_int_equal(stat("ledger", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(FIRST, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat("ledger/reserve", &st), 0);
	assert_true(st.st_blocks * 512 >= LEDGER_RESERVE);
	assert_int_equal(ledger_open("ledger", NULL, NULL, &second, &w), -EWOULDBLOCK);
	assert_null(second);

	text = slurp(FIRST, &len);
	line = text;
	next = strchr(line, '\n');
	clock_boot_id(boot);
	snprintf(start, sizeof start, "{\"seq\":1,\"prev\":\"%064d\",\"time\":\"", 0);
	assert_memory_equal(line, start, strlen(start));
	snprintf(start, sizeof start, "\",\"boot\":\"%s\",\"clock\":", boot);
	assert_non_null(strstr(line, start));
	assert_non_null(strstr(line, ",\"event\":\"requested\",\"id\":\"K7QF-2M9X\"}\n"));
	sha256_hex(line, (size_t)(next - line), hash);
	snprintf(start, sizeof start, "{\"seq\":2,\"prev\":\"%s\",", hash);
	assert_memory_equal(next + 1, start, strlen(start));

	l = ledger_close(l);
	assert_int_equal(ledger_open("ledger", count_line, &c, &l, &w), 0);
	assert_int_equal(c.lines, 3);
	assert_int_equal(c.repaired, 0);
	assert_int_equal(append(l, EV_CLOSED, "x"), 0);
	whole("ledger", 4, ledger_head(l));
}

static void test_handler_stops(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	struct count c = { .stop_at = 2 };
	struct ledger_head head = { .seq = 99 };
	struct why w;
	bool torn;

	for (int i = 0; i < 4; i++)
		assert_int_equal(append(l, EV_USED, "x"), 0);
	assert_int_equal(read_dir("ledger", &head, &torn, &c, &w), -ECANCELED);
	assert_int_equal(c.lines, 2);
	assert_int_equal(head.seq, 99);
	l = ledger_close(l);
	c = (struct count){ .stop_at = 3 };
	assert_int_equal(ledger_open("ledger", count_line, &c, &l, &w), -ECANCELED);
	assert_null(l);
	l = must_open("ledger");
	assert_false(ledger_broken(l, &w));
}

static void test_bad_fields(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	struct json_object *deep = json_object_new_object(), *bytes, *nothing;
	struct why w;

	assert_int_equal(ledger_append(l, EV_USED, fields("seq", "1"), false, &w), -EINVAL);
	assert_int_equal(ledger_append(l, EV_USED, fields("event", "granted"), false, &w), -EINVAL);
	bytes = json_object_new_object();
	json_object_object_add(bytes, "argv", json_object_new_string("\xff\xfe"));
	assert_int_equal(ledger_append(l, EV_USED, bytes, false, &w), -EINVAL);
	for (int i = 0; i < 10; i++) {
		struct json_object *outer = json_object_new_object();

		json_add(outer, "in", deep);
		deep = outer;
	}
	assert_int_equal(ledger_append(l, EV_USED, deep, false, &w), -EINVAL);
	assert_int_equal(ledger_head(l)->seq, 0);
	assert_int_equal(append(l, EV_USED, "x"), 0);
	nothing = json_object_new_object();
	json_object_object_add(nothing, "tty", NULL);
	assert_int_equal(ledger_append(l, EV_USED, nothing, false, &w), 0);
	whole("ledger", 2, ledger_head(l));
}

static void test_longest_line(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	CLEAN(free_p) char *text = malloc(LEDGER_LINE_MAX + 1);
	struct stat st;
	size_t n;

	memset(text, 'x', LEDGER_LINE_MAX);
	text[LEDGER_LINE_MAX] = '\0';
	assert_int_equal(append(l, EV_USED, text), -EMSGSIZE);
	for (n = LEDGER_LINE_MAX - 1000;; n++) { /* up to the last that fits */
		text[n] = '\0';
		if (append(l, EV_CONFIG, text) < 0)
			break;
		text[n] = 'x';
		assert_int_equal(stat(FIRST, &st), 0);
		if (n == LEDGER_LINE_MAX - 1000)
			n += LEDGER_LINE_MAX - (size_t)st.st_size - 3; /* seq, clock may grow by a digit */
	}
	assert_true(ledger_head(l)->seq >= 2);
	whole("ledger", (unsigned)ledger_head(l)->seq, ledger_head(l));
}

static void test_directory(void **state)
{
	struct ledger *l = NULL;
	struct why w;

	mkdir("open", 0755);
	assert_int_equal(ledger_open("open", NULL, NULL, &l, &w), -EPERM);
	assert_non_null(strstr(w.text, "chmod 0700"));
	mkdir("real", 0700);
	assert_int_equal(symlink("real", "link"), 0);
	assert_true(ledger_open("link", NULL, NULL, &l, &w) < 0);
	assert_int_equal(ledger_open("a/b", NULL, NULL, &l, &w), -ENOENT);
	spill("file", "", 0);
	assert_int_equal(ledger_open("file", NULL, NULL, &l, &w), -ENOTDIR);
	assert_int_equal(symlink("../file", "real/0000000000000001.jsonl"), 0);
	assert_int_equal(ledger_open("real", NULL, NULL, &l, &w), 0);
	assert_true(ledger_broken(l, &w));
	ledger_close(l);
}

/* ---- several files ---- */

static void many_files(unsigned lines)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");

	ledger_tune(l, 1500, 0);
	for (unsigned i = 0; i < lines; i++)
		assert_int_equal(append(l, EV_USED, "some text that fills a line"), 0);
}

static void test_rotation(void **state)
{
	char name[64];
	unsigned files = 0;
	struct stat st;

	many_files(20);
	whole("ledger", 20, NULL);
	for (unsigned i = 1; i <= 20; i++) {
		snprintf(name, sizeof name, "ledger/%016u.jsonl", i);
		if (stat(name, &st) == 0) {
			files++;
			assert_true(st.st_size <= 1500);
		}
	}
	assert_true(files >= 4);
	many_files(20); /* goes on in the last file */
	whole("ledger", 40, NULL);
}

static void test_missing_file(void **state)
{
	CLEAN(free_p) char *second = NULL;
	char name[64], head[64] = "";
	struct stat st;
	size_t len;

	many_files(20);
	for (unsigned i = 2; head[0] == '\0'; i++) { /* the second file */
		snprintf(name, sizeof name, "ledger/%016u.jsonl", i);
		if (stat(name, &st) == 0)
			snprintf(head, sizeof head, "%s", name);
	}
	second = slurp(head, &len);
	unlink(head);
	broken("ledger", "is missing");
	spill(head, "", 0);
	broken("ledger", "empty");
	spill(head, second, len - 1); /* torn, but not at the end of all */
	broken("ledger", "not a JSON object");
	spill(head, second, len);
	whole("ledger", 20, NULL);
	unlink(FIRST);
	broken("ledger", "is missing");
}

/* A crash between making a file and writing to it. */
static void test_empty_last_file(void **state)
{
	CLEAN(close_ledger) struct ledger *l = NULL;

	many_files(3);
	spill("ledger/0000000000000004.jsonl", "", 0);
	whole("ledger", 3, NULL);
	l = must_open("ledger");
	assert_int_equal(append(l, EV_USED, "x"), 0);
	whole("ledger", 4, ledger_head(l));
	spill("ledger/0000000000000007.jsonl", "", 0);
	broken("ledger", "is missing");
}

static void test_other_names(void **state)
{
	many_files(3);
	spill("ledger/1.jsonl", "x", 1);
	spill("ledger/0000000000000001.jsonl.bak", "x", 1);
	spill("ledger/000000000000000a.jsonl", "x", 1);
	spill("ledger/00000000000000001.jsonl", "x", 1);
	whole("ledger", 3, NULL);
}

/* ---- what is changed is found ---- */

static int read_sample(const char *bytes, size_t len, struct ledger_head *head, bool *torn, struct count *c)
{
	struct why w = { "" };
	int r;

	spill(FIRST, bytes, len);
	r = read_dir("ledger", head, torn, c, &w);
	assert_true(r == 0 || (r == -EBADMSG && strstr(w.text, "0000000000000001.jsonl:")));
	return r;
}

static void test_any_byte(void **state)
{
	static const unsigned char masks[] = { 0x01, 0x02, 0x10, 0x20, 0x80, 0xff };
	CLEAN(sample_done) struct sample s;

	sample_make(&s);
	for (size_t i = 0; i < s.len; i++) {
		for (size_t m = 0; m < ELEMENTS(masks); m++) {
			struct ledger_head head = { 0 };
			struct count c = { 0 };
			bool torn = false;

			s.bytes[i] = (char)(s.bytes[i] ^ masks[m]);
			if (read_sample(s.bytes, s.len, &head, &torn, &c) == 0) {
				/* only in the last line and the newline before it, and there the head tells */
				assert_true(i + 1 >= s.line[s.n - 1]);
				assert_true(torn || strcmp(head.hash, s.head.hash) != 0);
			}
			s.bytes[i] = (char)(s.bytes[i] ^ masks[m]);
		}
	}
}

static void line_to(char **to, const struct sample *s, size_t i)
{
	size_t n = s->line[i + 1] - s->line[i];

	memcpy(*to, s->bytes + s->line[i], n);
	*to += n;
}

static void test_lines(void **state)
{
	CLEAN(sample_done) struct sample s;
	CLEAN(free_p) char *made = NULL;
	struct ledger_head head;
	struct count c;
	char *to;
	bool torn;

	sample_make(&s);
	made = malloc(2 * s.len);
	for (size_t a = 0; a < s.n; a++) {
		to = made; /* without line a */
		for (size_t i = 0; i < s.n; i++)
			if (i != a)
				line_to(&to, &s, i);
		c = (struct count){ 0 };
		if (a + 1 < s.n)
			assert_int_equal(read_sample(made, (size_t)(to - made), &head, &torn, &c), -EBADMSG);
		else
			assert_int_equal(read_sample(made, (size_t)(to - made), &head, &torn, &c), 0);
		assert_int_equal(c.lines, a);
		to = made; /* line a twice */
		for (size_t i = 0; i < s.n; i++) {
			line_to(&to, &s, i);
			if (i == a)
				line_to(&to, &s, i);
		}
		assert_int_equal(read_sample(made, (size_t)(to - made), &head, &torn, &c), -EBADMSG);
		to = made; /* an empty line after a */
		for (size_t i = 0; i < s.n; i++) {
			line_to(&to, &s, i);
			if (i == a)
				*to++ = '\n';
		}
		if (a + 1 < s.n)
			assert_int_equal(read_sample(made, (size_t)(to - made), &head, &torn, &c), -EBADMSG);
		else
			assert_true(read_sample(made, (size_t)(to - made), &head, &torn, &c) == 0 && torn);
		for (size_t b = a + 1; b < s.n; b++) { /* a and b swapped */
			to = made;
			for (size_t i = 0; i < s.n; i++)
				line_to(&to, &s, i == a ? b : i == b ? a : i);
			assert_int_equal(read_sample(made, (size_t)(to - made), &head, &torn, &c), -EBADMSG);
		}
	}
}

/* Whole records that are none: right JSON, wrong form. */
static void test_forms(void **state)
{
#define PREV "\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\""
#define TIME "\"time\":\"2026-11-21T14:32:05Z\""
#define BOOT "\"boot\":\"0123456789abcdef0123456789abcdef\""
	static const struct {
		const char *line;
		int r;
	} rows[] = {
		{ "{\"seq\":1," PREV "," TIME "," BOOT ",\"clock\":5,\"event\":\"used\"}\n", 0 },
		{ "{\"seq\":1," PREV "," TIME "," BOOT ",\"clock\":5,\"event\":\"of tomorrow\",\"x\":[1]}\n", 0 },
		{ "{}\n", -EBADMSG },
		{ "{\"seq\":0," PREV "," TIME "," BOOT ",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":2," PREV "," TIME "," BOOT ",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":-1," PREV "," TIME "," BOOT ",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":\"1\"," PREV "," TIME "," BOOT ",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":1.0," PREV "," TIME "," BOOT ",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":1,\"prev\":\"\"," TIME "," BOOT ",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":1,\"prev\":null," TIME "," BOOT ",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":1," PREV ",\"time\":\"today\"," BOOT ",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":1," PREV "," TIME ",\"boot\":\"x\",\"clock\":5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":1," PREV "," TIME "," BOOT ",\"clock\":-5,\"event\":\"used\"}\n", -EBADMSG },
		{ "{\"seq\":1," PREV "," TIME "," BOOT ",\"clock\":5,\"event\":\"\"}\n", -EBADMSG },
		{ "{\"seq\":1," PREV "," TIME "," BOOT ",\"clock\":5}\n", -EBADMSG },
	};

	mkdir("ledger", 0700);
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct ledger_head head;
		struct count c = { 0 };
		bool torn = true;
		int r = read_sample(rows[i].line, strlen(rows[i].line), &head, &torn, &c);

		if (r != rows[i].r)
			fail_msg("%s: %d", rows[i].line, r);
		if (r == 0)
			assert_false(torn);
	}
}

static void test_overlong(void **state)
{
	CLEAN(sample_done) struct sample s;
	CLEAN(free_p) char *made = NULL;

	sample_make(&s);
	made = malloc(s.len + LEDGER_LINE_MAX + 2);
	memcpy(made, s.bytes, s.len);
	memset(made + s.len, 0, LEDGER_LINE_MAX + 2);
	spill(FIRST, made, s.len + LEDGER_LINE_MAX + 2);
	broken("ledger", "longer than");
	made[s.len + LEDGER_LINE_MAX + 1] = '\n';
	spill(FIRST, made, s.len + LEDGER_LINE_MAX + 2);
	broken("ledger", "longer than");
}

/* Cut at every byte: whole up to the last whole line, and torn unless the cut is at its end; opening mends it and says
 * what it cut. */
static void test_torn_anywhere(void **state)
{
	CLEAN(sample_done) struct sample s;

	sample_make(&s);
	for (size_t n = 0; n <= s.len; n++) {
		CLEAN(close_ledger) struct ledger *l = NULL;
		struct count c = { 0 }, again = { 0 };
		struct ledger_head head;
		size_t lines = 0, cut;
		char hash[SHA256_HEX + 1];
		bool torn = false;

		while (lines < s.n && s.line[lines + 1] <= n)
			lines++;
		cut = n - s.line[lines];
		assert_int_equal(read_sample(s.bytes, n, &head, &torn, &c), 0);
		assert_int_equal(torn, cut > 0);
		assert_int_equal(head.seq, lines);
		assert_int_equal(c.lines, lines);

		l = must_open("ledger");
		assert_false(ledger_broken(l, NULL));
		whole("ledger", (unsigned)lines + (cut > 0), ledger_head(l));
		if (cut > 0) {
			read_dir("ledger", &head, &torn, &again, NULL);
			assert_int_equal(again.repaired, 1);
			assert_int_equal(again.cut, cut);
			sha256_hex(s.bytes + s.line[lines], cut, hash);
			assert_string_equal(again.sha256, hash);
		}
	}
}

/* A last line that has its newline and is rubbish is torn as well. */
static void test_torn_with_newline(void **state)
{
	CLEAN(sample_done) struct sample s;
	CLEAN(close_ledger) struct ledger *l = NULL;
	struct ledger_head head;
	struct count c = { 0 };
	bool torn;

	sample_make(&s);
	memset(s.bytes + s.line[s.n - 1], 0, 20);
	assert_int_equal(read_sample(s.bytes, s.len, &head, &torn, &c), 0);
	assert_true(torn);
	l = must_open("ledger");
	whole("ledger", (unsigned)s.n, ledger_head(l));
}

/* The record of a repair that cannot be written now is written before anything else. */
static void test_repair_later(void **state)
{
	CLEAN(sample_done) struct sample s;
	CLEAN(close_ledger) struct ledger *l = NULL;
	struct ledger_head head;
	struct count c = { 0 };
	bool torn;

	sample_make(&s);
	spill(FIRST, s.bytes, s.len - 10);
	fault.write = EIO;
	l = must_open("ledger");
	assert_int_equal(append(l, EV_CLOSED, "x"), -EIO);
	fault.write = 0;
	assert_int_equal(append(l, EV_CLOSED, "x"), 0);
	whole("ledger", (unsigned)s.n + 1, ledger_head(l));
	assert_int_equal(read_dir("ledger", &head, &torn, &c, NULL), 0);
	assert_int_equal(c.repaired, 1);
	assert_int_equal(append(l, EV_CLOSED, "x"), 0);
	whole("ledger", (unsigned)s.n + 2, ledger_head(l));
}

/* ---- a broken chain ---- */

static void test_broken_chain(void **state)
{
	CLEAN(sample_done) struct sample s;
	CLEAN(close_ledger) struct ledger *l = NULL;
	CLEAN(free_p) char *untouched = NULL;
	struct count c = { 0 };
	struct why w = { "" };
	size_t len;

	sample_make(&s);
	s.bytes[s.line[3] + 100] ^= 1;
	spill(FIRST, s.bytes, s.len - 5); /* torn besides: nothing is cut */
	assert_int_equal(ledger_open("ledger", count_line, &c, &l, &w), 0);
	assert_true(ledger_broken(l, &w));
	assert_non_null(strstr(w.text, "0000000000000001.jsonl:"));
	assert_true(c.lines >= 3 && c.lines <= 4);
	assert_int_equal(append(l, EV_REQUESTED, "x"), -EBADMSG);
	assert_int_equal(append(l, EV_ALLOWED, "x"), -EBADMSG);
	assert_int_equal(append(l, EV_GRANTED, "x"), -EBADMSG);
	assert_int_equal(append(l, EV_OPENED, "x"), -EBADMSG);
	assert_int_equal(append(l, EV_USED, "x"), -EBADMSG);
	assert_int_equal(append(l, EV_EXPIRED, "x"), 0);
	assert_int_equal(append(l, EV_CLOSED, "x"), 0);
	untouched = slurp(FIRST, &len);
	assert_int_equal(len, s.len - 5);
	assert_memory_equal(untouched, s.bytes, len);
	l = ledger_close(l);
	l = must_open("ledger");
	assert_true(ledger_broken(l, &w));
	assert_int_equal(append(l, EV_REFUSED, "x"), 0);
}

/* Even where the last file is rubbish without an end, the records of an end find a place. */
static void test_broken_beyond_reading(void **state)
{
	CLEAN(close_ledger) struct ledger *l = NULL;
	CLEAN(free_p) char *rubbish = malloc(3 * LEDGER_LINE_MAX);

	memset(rubbish, 'x', 3 * LEDGER_LINE_MAX);
	mkdir("ledger", 0700);
	spill(FIRST, rubbish, 3 * LEDGER_LINE_MAX);
	l = must_open("ledger");
	assert_true(ledger_broken(l, NULL));
	assert_int_equal(append(l, EV_EXPIRED, "x"), 0);
	l = ledger_close(l);
	unlink("ledger/0000000000000002.jsonl");
	assert_int_equal(mkdir("ledger/0000000000000003.jsonl", 0700), 0);
	l = must_open("ledger");
	assert_true(ledger_broken(l, NULL));
	assert_int_equal(append(l, EV_EXPIRED, "x"), 0);
	assert_int_equal(access("ledger/0000000000000004.jsonl", F_OK), 0);
}

/* Put right, the chain holds, with what was written meanwhile. */
static void test_broken_chain_mended(void **state)
{
	CLEAN(sample_done) struct sample s;
	CLEAN(close_ledger) struct ledger *l = NULL;

	sample_make(&s);
	s.bytes[s.line[1] + 100] ^= 1;
	spill(FIRST, s.bytes, s.len);
	l = must_open("ledger");
	assert_true(ledger_broken(l, NULL));
	assert_int_equal(append(l, EV_CLOSED, "x"), 0);
	l = ledger_close(l);
	s.bytes[s.line[1] + 100] ^= 1;
	spill(FIRST, s.bytes, s.len);
	l = must_open("ledger");
	assert_false(ledger_broken(l, NULL));
	whole("ledger", (unsigned)s.n + 1, ledger_head(l));
	assert_int_equal(append(l, EV_GRANTED, "x"), 0);
}

static int measure(struct json_object *line, const char *text, size_t len, void *userdata)
{
	struct mallinfo2 m = mallinfo2();
	size_t *most = userdata, now = m.uordblks + m.hblkhd;

	if (now > *most)
		*most = now;
	return 0;
}

/* Reading 16 MiB takes no more memory than a few lines do (the sanitizers' allocator says nothing). */
static void test_bounded_memory(void **state)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	CLEAN(free_p) char *text = malloc(200 * 1024);
	CLEAN(close_p) int fd = -1;
	struct ledger_head head;
	struct mallinfo2 before;
	size_t most = 0;
	struct why w;
	bool torn;

	memset(text, 'x', 200 * 1024 - 1);
	text[200 * 1024 - 1] = '\0';
	for (int i = 0; i < 80; i++)
		assert_int_equal(append(l, EV_CONFIG, text), 0);
	before = mallinfo2();
	fd = open("ledger", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ledger_read(fd, measure, &most, &head, &torn, &w), 0);
	assert_int_equal(head.seq, 80);
	assert_true(most == 0 || most - (before.uordblks + before.hblkhd) < 4 * 1024 * 1024);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_empty),
		T(test_append),
		T(test_handler_stops),
		T(test_bad_fields),
		T(test_longest_line),
		T(test_directory),
		T(test_rotation),
		T(test_missing_file),
		T(test_empty_last_file),
		T(test_other_names),
		T(test_any_byte),
		T(test_lines),
		T(test_forms),
		T(test_overlong),
		T(test_torn_anywhere),
		T(test_torn_with_newline),
		T(test_repair_later),
		T(test_broken_chain),
		T(test_broken_beyond_reading),
		T(test_broken_chain_mended),
		T(test_bounded_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
