/* Files of the host that must stay whole: read without following links, shown as a diff or written aside and renamed, with a
 * backup of what was there before. */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>
#include "cli/cli.h"
#include "cli/pamfile.h"

struct edit {
	struct cli *c;
	const char *root;   /* "" or --root */
	const char *folder; /* below ROOT: "/etc/pam.d" */
	int dir;            /* of it */
	bool dry;
	size_t changed;     /* files written */
};

/* A file as it stands. */
struct edit_file {
	char *text;
	size_t len;
	struct stat st;
	struct pamfile lines;
};
void edit_file_done(struct edit_file *f);

#define EDIT_BACKUP ".pam-jit-backup"

/* With C's --root and --dry-run.  An exit code; edit_done() in any case. */
int edit_begin(struct edit *e, struct cli *c, const char *folder);
void edit_done(struct edit *e);
void edit_path(const struct edit *e, const char *name, char *buf, size_t size);
/* 0 or -errno with words; -ENOENT: there is none. */
int edit_load(struct edit *e, const char *name, struct edit_file *ret, struct why *w);
/* Shows (--dry-run) or writes NAME with F's edited lines.  ADDING: the file before is kept as a backup, once; else a backup that
 * says what the file says again goes.  An exit code. */
int edit_commit(struct edit *e, const char *name, struct edit_file *f, bool adding);
/* What has become of NAME, for people or as JSON. */
void edit_say(struct edit *e, const char *name, const char *result, const char *words);
