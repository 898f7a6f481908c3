/* The ledger's reader and its opening for writing.  The first byte chooses: an even one takes the rest as a ledger file as it
 * is; an odd one takes it as lines of JSON objects whose seq and prev are mended first, so that mutations get behind the
 * chain.  Whatever is there: a ledger that is not broken takes a record and is whole then, a broken one is not touched. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/ledger-scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[128];
static int folder_fd = -1;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void prepare(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof folder, "%s/jit-fuzz-XXXXXX", tmp && strlen(tmp) < 100 ? tmp : "/tmp");
	must(mkdtemp(folder) != NULL);
	atexit(remove_folder);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(folder_fd >= 0);
}

static void empty_folder(void)
{
	DIR *d = fdopendir(dup(folder_fd));
	struct dirent *e;

	must(d != NULL);
	rewinddir(d);
	while ((e = readdir(d)))
		if (strstr(e->d_name, ".jsonl"))
			unlinkat(folder_fd, e->d_name, 0);
	closedir(d);
}

/* One line with its place in the chain; a line that is no object stays as it is. */
static void mend_line(FILE *f, const char *line, size_t len, struct ledger_head *head)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct why w;
	const char *text;

	if (json_parse(line, len, &o, &w) < 0) {
		fwrite(line, 1, len, f);
		return;
	}
	json_object_object_del(o, "seq");
	json_object_object_del(o, "prev");
	if (json_add_u64(o, "seq", head->seq + 1) < 0 || json_add_str(o, "prev", head->hash) < 0)
		return;
	text = json_text(o);
	fputs(text, f);
	head->seq++;
	sha256_hex(text, strlen(text), head->hash);
}

static void mend(FILE *f, const char *text, size_t size)
{
	struct ledger_head head;
	const char *nl;

	ledger_head_empty(&head);
	while (size > 0) {
		nl = memchr(text, '\n', size);
		mend_line(f, text, nl ? (size_t)(nl - text) : size, &head);
		if (!nl)
			return;
		fputc('\n', f);
		size -= (size_t)(nl + 1 - text);
		text = nl + 1;
	}
}

struct seen {
	uint64_t lines;
};

static int see(struct json_object *line, const char *text, size_t len, void *userdata)
{
	struct seen *s = userdata;
	uint64_t seq;

	must(json_u64(line, "seq", &seq) == 0 && seq == ++s->lines);
	must(len < LEDGER_LINE_MAX && memchr(text, '\n', len) == NULL);
	return 0;
}

static void check(const char *bytes, size_t len)
{
	struct seen seen = { 0 }, again = { 0 }, last = { 0 };
	struct ledger_head head = { 0 };
	struct ledger *l = NULL;
	bool torn = false, was_broken;
	struct why w = { "" };
	CLEAN(free_p) char *now = NULL;
	size_t now_len = 0;
	int r;

	r = ledger_read(folder_fd, see, &seen, &head, &torn, &w);
	must(r == 0 || (r == -EBADMSG && w.text[0] != '\0'));
	must(r < 0 || head.seq == seen.lines);
	must(ledger_open(folder, see, &again, &l, &w) == 0 && again.lines == seen.lines);
	was_broken = ledger_broken(l, &w);
	must(was_broken == (r < 0));
	must(ledger_append(l, EV_CLOSED, NULL, false, &w) == 0);
	must((ledger_append(l, EV_GRANTED, NULL, false, &w) == 0) == !was_broken);
	head = *ledger_head(l);
	ledger_close(l);
	if (was_broken) {
		must(file_read_untrusted(folder_fd, "0000000000000001.jsonl", len, &now, &now_len) == 0);
		must(now_len == len && memcmp(now, bytes, len) == 0);
		return;
	}
	must(ledger_read(folder_fd, see, &last, &head, &torn, &w) == 0 && !torn);
	must(last.lines == seen.lines + 2 + (head.seq - seen.lines - 2 == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *bytes = NULL;
	size_t len = 0;
	FILE *f;
	int fd;

	if (folder_fd < 0)
		prepare();
	if (size == 0)
		return 0;
	f = open_memstream(&bytes, &len);
	must(f != NULL);
	if (data[0] & 1)
		mend(f, (const char *)data + 1, size - 1);
	else
		fwrite(data + 1, 1, size - 1, f);
	fclose(f);
	empty_folder();
	fd = openat(folder_fd, "0000000000000001.jsonl", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0 && write_all(fd, bytes, len) == 0);
	close(fd);
	check(bytes, len);
	return 0;
}
