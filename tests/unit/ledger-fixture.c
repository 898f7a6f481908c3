#include "config.h"
#include "tests/unit/ledger-fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"

/* ---- a disk that fails when told to ---- */

struct fault fault;

static int take(int *err)
{
	int e = *err;

	if (fault.once)
		*err = 0;
	if (e != 0)
		errno = e;
	return e;
}

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len)
{
	size_t part = fault.part;

	if (part > 0 && part < len) {
		fault.part = 0;
		return __real_write(fd, data, part);
	}
	return take(&fault.write) ? -1 : __real_write(fd, data, len);
}

int __real_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len)
{
	return take(&fault.ftruncate) ? -1 : __real_ftruncate(fd, len);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	return take(&fault.fdatasync) ? -1 : __real_fdatasync(fd);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return take(&fault.fsync) ? -1 : __real_fsync(fd);
}

int __real_posix_fallocate(int fd, off_t offset, off_t len);
int __wrap_posix_fallocate(int fd, off_t offset, off_t len);
int __wrap_posix_fallocate(int fd, off_t offset, off_t len)
{
	int e = take(&fault.fallocate);

	/* some filesystems keep what they had found when there was no more */
	return e ? (__real_ftruncate(fd, len / 2), e) : __real_posix_fallocate(fd, offset, len);
}

/* ---- folder and helpers ---- */

static char folder[128];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

int begin(void **state)
{
	const char *tmp = getenv("TMPDIR");

	memset(&fault, 0, sizeof fault);
	snprintf(folder, sizeof folder, "%s/jit-test-XXXXXX", tmp && strlen(tmp) < 100 ? tmp : "/tmp");
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

int end(void **state)
{
	memset(&fault, 0, sizeof fault);
	return chdir("/") == 0 ? nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) : -1;
}

char *slurp(const char *name, size_t *len)
{
	CLEAN(close_p) int fd = open(name, O_RDONLY | O_CLOEXEC);
	char *text = NULL;

	assert_true(fd >= 0);
	assert_int_equal(file_read_all(fd, 64 * 1024 * 1024, &text, len), 0);
	return text;
}

void spill(const char *name, const void *data, size_t len)
{
	CLEAN(close_p) int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, len), 0);
}

struct ledger *must_open(const char *dir)
{
	struct ledger *l = NULL;
	struct why w = { "" };
	int r = ledger_open(dir, NULL, NULL, &l, &w);

	if (r < 0)
		fail_msg("%d %s", r, w.text);
	return l;
}

void close_ledger(struct ledger **l)
{
	ledger_close(*l);
}

struct json_object *fields(const char *key, const char *value)
{
	struct json_object *o = json_object_new_object();

	assert_int_equal(json_add_str(o, key, value), 0);
	return o;
}

int append(struct ledger *l, enum jit_event event, const char *id)
{
	struct why w = { "" };
	int r = ledger_append(l, event, fields("id", id), event_synced(event), &w);

	if (r < 0)
		assert_true(w.text[0] != '\0');
	return r;
}

int count_line(struct json_object *line, const char *text, size_t len, void *userdata)
{
	struct count *c = userdata;

	c->lines++;
	snprintf(c->last, sizeof c->last, "%.*s", len < sizeof c->last ? (int)len : 0, text);
	if (strcmp(json_str(line, "event"), "repaired") == 0 && json_str(line, "sha256")) {
		c->repaired++;
		snprintf(c->sha256, sizeof c->sha256, "%s", json_str(line, "sha256"));
		assert_int_equal(json_u64(line, "cut", &c->cut), 0);
	}
	return c->stop_at && (int)c->lines == c->stop_at ? -ECANCELED : 0;
}

int read_dir(const char *dir, struct ledger_head *head, bool *torn, struct count *c, struct why *w)
{
	CLEAN(close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return ledger_read(fd, count_line, c, head, torn, w);
}

void whole(const char *dir, unsigned n, const struct ledger_head *head)
{
	struct ledger_head found;
	struct count c = { 0 };
	struct why w = { "" };
	bool torn = true;
	int r = read_dir(dir, &found, &torn, &c, &w);

	if (r < 0)
		fail_msg("%d %s", r, w.text);
	assert_false(torn);
	assert_int_equal(c.lines, n);
	assert_int_equal(found.seq, n);
	if (head) {
		assert_int_equal(head->seq, n);
		assert_string_equal(head->hash, found.hash);
	}
}

void broken(const char *dir, const char *word)
{
	struct ledger_head head = { .seq = 4711 };
	struct count c = { 0 };
	struct why w = { "" };
	bool torn = true;
	int r = read_dir(dir, &head, &torn, &c, &w);

	if (r != -EBADMSG || !strstr(w.text, word))
		fail_msg("%d '%s', not '%s'", r, w.text, word);
	assert_int_equal(head.seq, 4711);
}

void sample_done(struct sample *s)
{
	free(s->bytes);
}

void sample_make(struct sample *s)
{
	CLEAN(close_ledger) struct ledger *l = must_open("ledger");
	static const enum jit_event events[] = { EV_CONFIG, EV_REQUESTED, EV_DECIDED, EV_GRANTED, EV_OPENED, EV_CLOSED };

	for (size_t i = 0; i < ELEMENTS(events); i++)
		assert_int_equal(append(l, events[i], "K7QF-2M9X"), 0);
	*s = (struct sample){ .head = *ledger_head(l) };
	s->bytes = slurp(FIRST, &s->len);
	for (size_t i = 0; i < s->len; i++)
		if (i == 0 || s->bytes[i - 1] == '\n')
			s->line[s->n++] = i;
	s->line[s->n] = s->len;
	assert_int_equal(s->n, ELEMENTS(events));
}
