/* INI files with systemd's habits, read strictly: [Section name], Key=value, '#' and ';' comments, a trailing
 * backslash continues a line.  A file must be root's (or OWNER's) and not writable by others.  Nothing here knows any key:
 * it calls back for every assignment.  Every mistake is collected, none stops the reading. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "lib/why.h"

#define CONF_FILE_MAX (1024 * 1024)
#define CONF_LINE_MAX 8192

/* All mistakes of a reading, in order: "FILE:LINE: words". */
struct conf_errors {
	char **list;
	size_t n;
	bool out_of_memory;
};
void conf_errors_done(struct conf_errors *e);
void conf_error(struct conf_errors *e, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

struct conf_line {
	const char *file;
	unsigned line;
	const char *section; /* "Rule" */
	const char *name;    /* "prod-database-root", or NULL for a plain [Section] */
	unsigned section_no; /* counts sections from 1 over all files of one reading: tells two apart */
	const char *key;     /* NULL: a new section begins */
	const char *value;   /* blanks around trimmed */
};
typedef void (*conf_handler)(const struct conf_line *l, struct conf_errors *e, void *userdata);

struct conf_reading {
	conf_handler handler;
	void *userdata;
	uid_t owner; /* (uid_t)-1: no ownership check (jitctl config check --file, tests) */
	unsigned section_no;
};
/* Reads one file below ROOTFD-relative or absolute PATH; a missing file is an error only if REQUIRED. */
void conf_read_file(struct conf_reading *r, const char *path, bool required, struct conf_errors *e);
/* Reads every *.conf of DIR in strcmp order of name; a missing directory is fine. */
void conf_read_dir(struct conf_reading *r, const char *dir, struct conf_errors *e);
