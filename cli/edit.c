/* Editing files of the host: see edit.h. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "cli/edit.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"

void edit_file_done(struct edit_file *f)
{
	free(f->text);
	pamfile_done(&f->lines);
}

void edit_path(const struct edit *e, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s/%s", e->root, e->folder, name);
}

int edit_begin(struct edit *e, struct cli *c, const char *folder)
{
	const char *root = c->value[OPT_ROOT];
	char path[PATH_MAX];

	*e = (struct edit){.c = c, .root = root && strcmp(root, "/") != 0 ? root : "", .folder = folder, .dir = -1,
		.dry = c->value[OPT_DRY_RUN]};
	edit_path(e, "", path, sizeof(path));
	e->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dir < 0)
		return cli_fail(CLI_NOT_FOUND, "cannot open %s: %s", path, strerror(errno));
	return CLI_DONE;
}

void edit_done(struct edit *e)
{
	close_p(&e->dir);
}

int edit_load(struct edit *e, const char *name, struct edit_file *ret, struct why *w)
{
	CLEAN(close_p) int fd = openat(e->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0 || fstat(fd, &ret->st) < 0)
		return why(w, -errno, "%s", errno == ELOOP ? "it is a symbolic link" : strerror(errno));
	if (!S_ISREG(ret->st.st_mode))
		return why(w, -EINVAL, "it is no regular file");
	r = file_read_all(fd, PAMFILE_MAX, &ret->text, &ret->len);
	if (r < 0)
		return why(w, r, "%s", strerror(-r));
	return pamfile_read(ret->text, ret->len, &ret->lines, w);
}

static int backup(struct edit *e, const char *name, const struct edit_file *f)
{
	char copy[64];
	struct stat st;
	int r;

	snprintf(copy, sizeof(copy), "%s" EDIT_BACKUP, name);
	if (fstatat(e->dir, copy, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return CLI_DONE;
	r = file_write_atomic(e->dir, copy, f->text, f->len, f->st.st_mode & 07777, f->st.st_uid, f->st.st_gid);
	return r < 0 ? cli_fail(CLI_REFUSED, "no backup of %s could be written: %s", name, strerror(-r)) : CLI_DONE;
}

/* A backup that says what the file says again is not needed any more. */
static void drop_backup(struct edit *e, const char *name, const char *text, size_t len)
{
	struct edit_file old CLEAN(edit_file_done) = {0};
	char copy[64];

	snprintf(copy, sizeof(copy), "%s" EDIT_BACKUP, name);
	if (edit_load(e, copy, &old, NULL) == 0 && old.len == len && memcmp(old.text, text, len) == 0)
		unlinkat(e->dir, copy, 0);
}

int edit_commit(struct edit *e, const char *name, struct edit_file *f, bool adding)
{
	CLEAN(free_p) char *text = NULL;
	char path[PATH_MAX];
	size_t len;
	int r;

	text = pamfile_text(&f->lines, &len);
	if (!text)
		return cli_oom();
	edit_path(e, name, path, sizeof(path));
	if (e->dry) {
		if (!e->c->json)
			pamfile_diff(stdout, &f->lines, path);
		return CLI_DONE;
	}
	r = adding ? backup(e, name, f) : CLI_DONE;
	if (r != CLI_DONE)
		return r;
	r = file_write_atomic(e->dir, name, text, len, f->st.st_mode & 07777, f->st.st_uid, f->st.st_gid);
	if (r < 0)
		return cli_fail(CLI_REFUSED, "%s cannot be written: %s", path, strerror(-r));
	if (!adding)
		drop_backup(e, name, text, len);
	e->changed++;
	return CLI_DONE;
}

void edit_say(struct edit *e, const char *name, const char *result, const char *words)
{
	if (e->c->json) {
		CLEAN(json_put_p) struct json_object *o = json_object_new_object();

		json_add_str(o, "service", name);
		json_add_str(o, "result", result);
		json_add_str(o, "words", words);
		json_add_bool(o, "dry_run", e->dry);
		screen_json(stdout, o);
	} else {
		printf("%s: %s\n", name, words);
	}
}
