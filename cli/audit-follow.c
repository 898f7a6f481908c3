/* jitctl audit follow: the ledger's end, as it grows.  The chain is checked on the way. */
#include "config.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "cli/screen.h"
#include "cli/story.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/ledger.h"

#define TAIL 10
#define NAME_LEN 22

struct following {
	struct cli *c;
	struct filter filter;
	struct story story;
	int dir;
	struct ledger_head head;          /* of what was told */
	struct json_object *tail[TAIL];   /* the last that were there at the beginning */
	size_t n_tail;
	char name[NAME_LEN + 1];          /* the file that is read, and what of it is done */
	off_t offset;
};

static void following_done(struct following *f)
{
	story_done(&f->story);
	for (size_t i = 0; i < f->n_tail; i++)
		json_object_put(f->tail[i]);
}

static void tell(struct following *f, struct json_object *line)
{
	if (f->c->json)
		screen_json(stdout, story_public(line));
	else
		story_print(&f->story, line, true);
	fflush(stdout);
}

static int on_old(struct json_object *line, const char *text, size_t len, void *userdata)
{
	struct following *f = userdata;

	story_learn(&f->story, line);
	if (!filter_wants(&f->filter, &f->story, line))
		return 0;
	if (f->n_tail == TAIL) {
		json_object_put(f->tail[0]);
		memmove(f->tail, f->tail + 1, (TAIL - 1) * sizeof(*f->tail));
		f->n_tail--;
	}
	f->tail[f->n_tail++] = json_object_get(line);
	return 0;
}

/* The file that begins with the greatest seq that is not beyond SEQ; "" when there is none. */
static void file_of(int dir, uint64_t seq, char name[static NAME_LEN + 1])
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEAN(closedir_p) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	char limit[NAME_LEN + 1];
	struct dirent *e;

	snprintf(limit, sizeof(limit), "%016" PRIu64 ".jsonl", seq);
	*name = 0;
	while (d && (e = readdir(d))) {
		if (strlen(e->d_name) != NAME_LEN || strspn(e->d_name, "0123456789") != 16 ||
			strcmp(e->d_name + 16, ".jsonl") != 0)
			continue;
		if (strcmp(e->d_name, limit) <= 0 && strcmp(e->d_name, name) > 0)
			memcpy(name, e->d_name, NAME_LEN + 1);
	}
	if (!d && fd >= 0)
		close_quietly(fd);
}

/* One whole line that may follow the head.  An exit code. */
static int on_line(struct following *f, const char *text, size_t len)
{
	CLEAN(json_put_p) struct json_object *line = NULL;
	const char *prev;
	uint64_t seq;
	struct why w;

	if (json_parse(text, len, &line, &w) < 0)
		return cli_fail(CLI_INTEGRITY, "THE LEDGER IS BROKEN: %s: a line after seq %" PRIu64 " is no record: %s", f->name,
			f->head.seq, w.text);
	prev = json_str(line, "prev");
	if (json_u64(line, "seq", &seq) < 0 || !prev)
		return cli_fail(CLI_INTEGRITY, "THE LEDGER IS BROKEN: %s: no seq after %" PRIu64, f->name, f->head.seq);
	if (seq <= f->head.seq)
		return CLI_DONE; /* told before */
	if (seq != f->head.seq + 1 || strcmp(prev, f->head.hash) != 0)
		return cli_fail(CLI_INTEGRITY, "THE LEDGER IS BROKEN: %s: seq %" PRIu64 " does not follow seq %" PRIu64, f->name,
			seq, f->head.seq);
	f->head.seq = seq;
	if (sha256_hex(text, len, f->head.hash) < 0)
		return CLI_REFUSED;
	story_learn(&f->story, line);
	if (filter_wants(&f->filter, &f->story, line))
		tell(f, line);
	return CLI_DONE;
}

/* Reads the whole lines of the current file that are new. */
static int read_on(struct following *f, char *buf)
{
	CLEAN(close_p) int fd = -1;
	ssize_t n;

	fd = openat(f->dir, f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return cli_fail(CLI_REFUSED, "cannot read %s: %s", f->name, strerror(errno));
	while ((n = pread(fd, buf, LEDGER_LINE_MAX, f->offset)) > 0) {
		char *at = buf, *end = buf + n, *newline;

		while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
			int r = on_line(f, at, (size_t)(newline - at));

			if (r != CLI_DONE)
				return r;
			f->offset += newline + 1 - at;
			at = newline + 1;
		}
		if (at == buf)
			return n < LEDGER_LINE_MAX ? CLI_DONE
						   : cli_fail(CLI_INTEGRITY, "THE LEDGER IS BROKEN: %s: a line is too long", f->name);
	}
	return CLI_DONE;
}

/* Reads on, also into files that were begun meanwhile. */
static int catch_up(struct following *f, char *buf)
{
	for (;;) {
		char name[NAME_LEN + 1];
		uint64_t seq = f->head.seq;
		int r;

		file_of(f->dir, seq + 1, name);
		if (!*name)
			return CLI_DONE;
		if (strcmp(name, f->name) != 0) {
			memcpy(f->name, name, sizeof(name));
			f->offset = 0;
		}
		r = read_on(f, buf);
		if (r != CLI_DONE || f->head.seq == seq)
			return r;
	}
}

static int begin(struct following *f, char *buf)
{
	bool torn;
	struct why w;
	int r = ledger_read(f->dir, on_old, f, &f->head, &torn, &w);

	if (r < 0)
		return cli_fail(r == -EBADMSG ? CLI_INTEGRITY : CLI_REFUSED, "%s", w.text);
	for (size_t i = 0; i < f->n_tail; i++)
		tell(f, f->tail[i]);
	return catch_up(f, buf);
}

int verb_audit_follow(struct cli *c)
{
	struct following f CLEAN(following_done) = {.c = c};
	CLEAN(close_p) int dir = -1;
	CLEAN(close_p) int watch = -1;
	CLEAN(free_p) char *buf = malloc(LEDGER_LINE_MAX);
	char path[64], events[4096];
	int r;

	r = filter_read(c, &f.filter);
	if (r == CLI_DONE)
		r = audit_open(c, &dir);
	if (r != CLI_DONE)
		return r;
	if (!buf || story_init(&f.story) < 0)
		return cli_oom();
	f.dir = dir;
	/* Watching begins before reading, so nothing falls between. */
	watch = inotify_init1(IN_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF) < 0)
		return cli_fail(CLI_REFUSED, "cannot watch the ledger: %s", strerror(errno));
	for (r = begin(&f, buf); r == CLI_DONE; r = catch_up(&f, buf))
		if (read(watch, events, sizeof(events)) < 0 && errno != EINTR)
			return cli_fail(CLI_REFUSED, "cannot watch the ledger: %s", strerror(errno));
	return r;
}
