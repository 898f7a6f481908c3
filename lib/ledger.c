/* Reading the ledger: file by file, line by line, in one buffer of fixed size. */
#include "config.h"
#include "lib/ledger.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/ledger-scan.h"

#define ZERO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

void ledger_name(uint64_t seq, char name[static LEDGER_NAME_LEN + 1])
{
	snprintf(name, LEDGER_NAME_LEN + 1, "%016" PRIu64 ".jsonl", seq % (LEDGER_SEQ_MAX + 1));
}

void ledger_head_empty(struct ledger_head *h)
{
	h->seq = 0;
	memcpy(h->hash, ZERO_HASH, sizeof h->hash);
}

/* ---- the files ---- */

struct files {
	uint64_t *seq;
	size_t n;
};

static void files_done(struct files *f)
{
	free(f->seq);
}

static int seq_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool name_seq(const char *name, uint64_t *ret)
{
	char again[LEDGER_NAME_LEN + 1];

	if (strlen(name) != LEDGER_NAME_LEN || strspn(name, "0123456789") != 16)
		return false;
	*ret = strtoull(name, NULL, 10);
	ledger_name(*ret, again);
	return strcmp(name, again) == 0;
}

static int list_files(int dirfd, struct files *ret, struct why *w)
{
	CLEAN(files_done) struct files f = { 0 };
	CLEAN(closedir_p) DIR *d = NULL;
	struct dirent *e;
	uint64_t seq, *grown;
	int fd;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return why(w, -errno, "the ledger's directory cannot be read: %m");
	d = fdopendir(fd);
	if (!d) {
		int err = errno;

		close_quietly(fd);
		return why(w, -err, "the ledger's directory cannot be read: %s", strerror(err));
	}
	while ((errno = 0, e = readdir(d))) {
		if (!name_seq(e->d_name, &seq))
			continue;
		grown = reallocarray(f.seq, f.n + 1, sizeof *grown);
		if (!grown)
			return why(w, -ENOMEM, "out of memory");
		f.seq = grown;
		f.seq[f.n++] = seq;
	}
	if (errno != 0)
		return why(w, -errno, "the ledger's directory cannot be read: %m");
	if (f.n > 0)
		qsort(f.seq, f.n, sizeof *f.seq, seq_cmp);
	*ret = f;
	f = (struct files){ 0 };
	return 0;
}

static int open_file(int dirfd, const char *name, struct why *w)
{
	CLEAN(close_p) int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return why(w, errno == ELOOP ? -EBADMSG : -errno, "%s cannot be opened: %m", name);
	if (fstat(fd, &st) < 0)
		return why(w, -errno, "%s cannot be read: %m", name);
	if (!S_ISREG(st.st_mode))
		return why(w, -EBADMSG, "%s is not a regular file", name);
	return steal_fd(&fd);
}

/* ---- lines of one file ---- */

struct lines {
	int fd;
	char *buf; /* LEDGER_LINE_MAX bytes */
	size_t start, end;
	off_t offset; /* of buf[start] in the file */
	unsigned long no;
	bool eof;
};

/* 1 and a line without its newline (WHOLE: it had one); 0 at the end; -EMSGSIZE when one is too long. */
static int next_line(struct lines *l, const char **ret, size_t *ret_len, bool *whole)
{
	size_t seen = 0;
	ssize_t n;
	char *nl;

	for (;;) {
		nl = memchr(l->buf + l->start + seen, '\n', l->end - l->start - seen);
		if (nl || (l->eof && l->end > l->start)) {
			*whole = nl != NULL;
			*ret = l->buf + l->start;
			*ret_len = (size_t)((nl ? nl : l->buf + l->end) - *ret);
			l->start += *ret_len + *whole;
			l->offset += (off_t)(*ret_len + *whole);
			l->no++;
			return 1;
		}
		if (l->eof)
			return 0;
		seen = l->end - l->start;
		if (seen == LEDGER_LINE_MAX)
			return -EMSGSIZE;
		memmove(l->buf, l->buf + l->start, seen);
		l->start = 0;
		l->end = seen;
		n = read(l->fd, l->buf + seen, LEDGER_LINE_MAX - seen);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		l->eof = n == 0;
		l->end += (size_t)n;
	}
}

/* ---- the chain ---- */

struct scan {
	ledger_handler handler;
	void *userdata;
	struct ledger_scan s;
	struct lines lines;
	bool last_file;
};

static bool is_hex(const char *s, size_t n)
{
	return s && strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static int check_form(const struct scan *c, struct json_object *o, struct why *w)
{
	const char *time = json_str(o, "time"), *event = json_str(o, "event");
	uint64_t clock, when;

	if (!is_hex(json_str(o, "prev"), SHA256_HEX) || !time || time_rfc3339_parse(time, &when) < 0 ||
	    !is_hex(json_str(o, "boot"), BOOT_ID_LEN) || json_u64(o, "clock", &clock) < 0 || !event || !*event)
		return why(w, -EBADMSG, "%s:%lu: not a record of the ledger", c->s.file, c->lines.no);
	return 0;
}

static int check_record(struct scan *c, struct json_object *o, const char *text, size_t len, struct why *w)
{
	char hash[SHA256_HEX + 1];
	uint64_t seq;
	int r;

	r = check_form(c, o, w);
	if (r < 0)
		return r;
	if (json_u64(o, "seq", &seq) < 0 || seq != c->s.head.seq + 1)
		return why(w, -EBADMSG, "%s:%lu: seq is not %" PRIu64, c->s.file, c->lines.no, c->s.head.seq + 1);
	if (strcmp(json_str(o, "prev"), c->s.head.hash) != 0)
		return why(w, -EBADMSG, "%s:%lu: prev is not the digest of the line before", c->s.file, c->lines.no);
	r = sha256_hex(text, len, hash);
	if (r < 0)
		return why(w, r, "the digest cannot be computed");
	if (c->handler) {
		r = c->handler(o, text, len, c->userdata);
		if (r < 0)
			return why(w, r, "%s:%lu: %s", c->s.file, c->lines.no, strerror(-r));
	}
	c->s.head.seq = seq;
	memcpy(c->s.head.hash, hash, sizeof hash);
	return 0;
}

/* A line that is no record: torn if nothing at all follows it, else a break. */
static int torn_line(struct scan *c, const char *text, size_t len, bool whole, struct why *w)
{
	CLEAN(free_p) char *copy = NULL;
	unsigned long no = c->lines.no;
	const char *next;
	size_t next_len;
	bool next_whole;
	int r;

	copy = malloc(len + whole + 1); /* the next read moves the buffer */
	if (!copy)
		return why(w, -ENOMEM, "out of memory");
	memcpy(copy, text, len);
	if (whole)
		copy[len] = '\n';
	r = c->last_file ? next_line(&c->lines, &next, &next_len, &next_whole) : 1;
	if (r != 0)
		return why(w, r < 0 && r != -EMSGSIZE ? r : -EBADMSG, "%s:%lu: not a JSON object", c->s.file, no);
	c->s.torn = true;
	c->s.torn_len = len + whole;
	r = sha256_hex(copy, len + whole, c->s.torn_hash);
	return r < 0 ? why(w, r, "the digest cannot be computed") : 0;
}

static int scan_lines(struct scan *c, struct why *w)
{
	const char *text;
	size_t len;
	bool whole;
	int r;

	for (;;) {
		CLEAN(json_put_p) struct json_object *o = NULL;

		c->s.good = c->lines.offset;
		r = next_line(&c->lines, &text, &len, &whole);
		if (r == 0)
			return 0;
		if (r == -EMSGSIZE)
			return why(w, -EBADMSG, "%s:%lu: the line is longer than %d bytes", c->s.file, c->lines.no + 1,
				LEDGER_LINE_MAX);
		if (r < 0)
			return why(w, r, "%s cannot be read: %s", c->s.file, strerror(-r));
		r = whole ? json_parse(text, len, &o, NULL) : -EINVAL;
		if (r == -ENOMEM)
			return why(w, r, "out of memory");
		if (r < 0)
			return torn_line(c, text, len, whole, w);
		r = check_record(c, o, text, len, w);
		if (r < 0)
			return r;
	}
}

static int scan_file(int dirfd, struct scan *c, uint64_t seq, struct why *w)
{
	CLEAN(close_p) int fd = -1;
	uint64_t before = c->s.head.seq;
	int r;

	ledger_name(seq, c->s.file);
	if (seq != before + 1)
		return why(w, -EBADMSG, "%s: the file that begins with seq %" PRIu64 " is missing", c->s.file,
			before + 1);
	fd = open_file(dirfd, c->s.file, w);
	if (fd < 0)
		return fd;
	c->lines = (struct lines){ .fd = fd, .buf = c->lines.buf };
	r = scan_lines(c, w);
	if (r < 0)
		return r;
	if (!c->last_file && c->s.head.seq == before)
		return why(w, -EBADMSG, "%s: the file is empty", c->s.file);
	return 0;
}

int ledger_scan(int dirfd, ledger_handler handler, void *userdata, struct ledger_scan *ret, struct why *w)
{
	CLEAN(files_done) struct files files = { 0 };
	CLEAN(free_p) char *buf = malloc(LEDGER_LINE_MAX);
	struct scan c = { .handler = handler, .userdata = userdata, .lines.buf = buf };
	int r;

	if (!buf)
		return why(w, -ENOMEM, "out of memory");
	ledger_head_empty(&c.s.head);
	r = list_files(dirfd, &files, w);
	if (r < 0)
		return r;
	for (size_t i = 0; i < files.n; i++) {
		c.last_file = i + 1 == files.n;
		r = scan_file(dirfd, &c, files.seq[i], w);
		if (r < 0)
			return r;
	}
	*ret = c.s;
	return 0;
}

int ledger_read(int dirfd, ledger_handler handler, void *userdata, struct ledger_head *ret_head, bool *ret_torn,
	struct why *w)
{
	struct ledger_scan s = { 0 };
	int r;

	r = ledger_scan(dirfd, handler, userdata, &s, w);
	if (r < 0)
		return r;
	*ret_head = s.head;
	*ret_torn = s.torn;
	return 0;
}

/* The last whole line of a file, whatever it is: its hash, and its seq where it tells one. */
static int last_line(struct lines *l, uint64_t *seq, char hash[static SHA256_HEX + 1])
{
	const char *text;
	size_t len;
	bool whole;
	int r;

	while ((r = next_line(l, &text, &len, &whole)) != 0) {
		CLEAN(json_put_p) struct json_object *o = NULL;
		uint64_t n;

		if (r == -EMSGSIZE) { /* not to be told from rubbish: it counts as lines of the buffer's size */
			l->start = l->end = 0;
			continue;
		}
		if (r < 0)
			return r;
		if (!whole)
			break;
		r = sha256_hex(text, len, hash);
		if (r < 0)
			return r;
		if (json_parse(text, len, &o, NULL) == 0 && json_u64(o, "seq", &n) == 0 && n > *seq &&
		    n < LEDGER_SEQ_MAX)
			*seq = n;
	}
	return 0;
}

int ledger_scan_broken(int dirfd, struct ledger_head *ret, struct why *w)
{
	CLEAN(files_done) struct files files = { 0 };
	CLEAN(free_p) char *buf = malloc(LEDGER_LINE_MAX);
	CLEAN(close_p) int fd = -1;
	struct lines l = { .buf = buf };
	struct ledger_head head;
	char name[LEDGER_NAME_LEN + 1];
	int r;

	if (!buf)
		return why(w, -ENOMEM, "out of memory");
	ledger_head_empty(&head);
	r = list_files(dirfd, &files, w);
	if (r < 0)
		return r;
	if (files.n > 0) {
		head.seq = files.seq[files.n - 1];
		ledger_name(head.seq, name);
		fd = open_file(dirfd, name, w);
		if (fd < 0 && fd != -EBADMSG)
			return fd;
		l.fd = fd;
		r = fd < 0 ? 0 : last_line(&l, &head.seq, head.hash);
		if (r < 0)
			return why(w, r, "%s cannot be read: %s", name, strerror(-r));
	}
	*ret = head;
	return 0;
}
