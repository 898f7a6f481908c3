/* INI files with systemd's habits, read strictly: [Section name], Key=value, '#' and ';' comments, a trailing
 * backslash continues a line (comments between are skipped, the joint is one blank).  UTF-8 without control bytes.  A
 * file must be root's (or OWNER's) and not writable by others.  Nothing here knows any key: it calls back for every
 * assignment.  Every mistake is collected, none stops the reading. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "lib/why.h"

#define CONF_FILE_MAX (1024 * 1024)
#define CONF_LINE_MAX 8192

/* All mistakes of a reading, in order: "FILE:LINE: words"; line 0 is left out, so is a NULL file.  Beyond
 * CONF_ERRORS_MAX the last one says that there are more. */
#define CONF_ERRORS_MAX 200
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

/* Called with the exact bytes of every file before they are parsed: for the digest of a configuration. */
typedef void (*conf_witness)(const char *path, const char *bytes, size_t len, void *userdata);

struct conf_reading {
	conf_handler handler;
	void *userdata;
	conf_witness witness; /* may be NULL */
	void *witness_data;
	uid_t owner; /* (uid_t)-1: no ownership check (jitctl config check --file, tests) */
	unsigned section_no;
};
/* Reads one file; a missing file is an error only if REQUIRED. */
void conf_read_file(struct conf_reading *r, const char *path, bool required, struct conf_errors *e);
/* Reads every *.conf of DIR in strcmp order of name; a missing directory is fine.  The directory is judged as its
 * files are: who may write it could put an old file of root's into it. */
void conf_read_dir(struct conf_reading *r, const char *dir, struct conf_errors *e);
/* The same for bytes in memory; FILE is for the words only. */
void conf_parse(struct conf_reading *r, const char *bytes, size_t len, const char *file, struct conf_errors *e);
/* The bytes of a trusted file, as conf_read_file() takes them.  -ENOENT, -EFBIG … with words that name PATH. */
int conf_load_bytes(const char *path, uid_t owner, char **ret, size_t *ret_len, struct why *w);

/* Lists of words.  All return 0 or -ENOMEM with the list as it was. */
#define CONF_WORDS_MAX 256
int conf_list_add(char ***list, const char *word, size_t len);
/* Adds the words of VALUE, split at blanks.  -E2BIG: the list would grow beyond CONF_WORDS_MAX. */
int conf_list_split(char ***list, const char *value);
size_t conf_list_len(char *const *list); /* NULL is empty */
bool conf_list_has(char *const *list, const char *word);
char **conf_list_free(char **list); /* NULL */
