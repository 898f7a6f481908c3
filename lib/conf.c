#include "lib/conf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/text.h"

#define CONF_FILES_MAX 1024
#define BLANKS " \t"

/* Mistakes. */

void conf_errors_done(struct conf_errors *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->list[i]);
	free(e->list);
	*e = (struct conf_errors){ 0 };
}

static void add_error(struct conf_errors *e, const char *text)
{
	char **list = reallocarray(e->list, e->n + 1, sizeof(*list));

	if (list)
		e->list = list;
	if (!list || !(list[e->n] = strdup(text))) {
		e->out_of_memory = true;
		return;
	}
	e->n++;
}

static void place_words(struct why *w, const char *file, unsigned line, const char *words)
{
	if (file && line)
		why(w, 0, "%s:%u: %s", file, line, words);
	else if (file)
		why(w, 0, "%s: %s", file, words);
	else
		why(w, 0, "%s", words);
}

void conf_error(struct conf_errors *e, const char *file, unsigned line, const char *fmt, ...)
{
	CLEAN(free_p) char *words = NULL;
	struct why w;
	va_list ap;
	int n;

	if (e->n >= CONF_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	n = vasprintf(&words, fmt, ap);
	va_end(ap);
	if (n < 0) {
		words = NULL; /* undefined after a failure */
		e->out_of_memory = true;
		return;
	}
	place_words(&w, file, line, words);
	if (e->n == CONF_ERRORS_MAX - 1)
		add_error(e, "there are more mistakes than are shown here: mend these first");
	else
		add_error(e, w.text);
}

/* Lists of words. */

size_t conf_list_len(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

bool conf_list_has(char *const *list, const char *word)
{
	for (size_t i = 0; list && list[i]; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

char **conf_list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
	return NULL;
}

int conf_list_add(char ***list, const char *word, size_t len)
{
	size_t n = conf_list_len(*list);
	CLEAN(free_p) char *copy = strndup(word, len);
	char **grown;

	if (!copy)
		return -ENOMEM;
	grown = reallocarray(*list, n + 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	grown[n] = STEAL_PTR(copy);
	grown[n + 1] = NULL;
	*list = grown;
	return 0;
}

static size_t count_words(const char *value)
{
	size_t n = 0;

	for (value += strspn(value, BLANKS); *value; value += strspn(value, BLANKS)) {
		value += strcspn(value, BLANKS);
		n++;
	}
	return n;
}

static void cut_list(char ***list, size_t n)
{
	for (size_t i = n; *list && (*list)[i]; i++)
		free((*list)[i]);
	if (n > 0) {
		(*list)[n] = NULL;
		return;
	}
	free(*list);
	*list = NULL;
}

int conf_list_split(char ***list, const char *value)
{
	size_t before = conf_list_len(*list);

	if (before + count_words(value) > CONF_WORDS_MAX)
		return -E2BIG;
	for (value += strspn(value, BLANKS); *value; value += strspn(value, BLANKS)) {
		size_t len = strcspn(value, BLANKS);

		if (conf_list_add(list, value, len) < 0) {
			cut_list(list, before);
			return -ENOMEM;
		}
		value += len;
	}
	return 0;
}

/* Parsing. */

struct parser {
	struct conf_reading *reading;
	struct conf_errors *errors;
	const char *file;
	unsigned line;       /* of the physical line */
	unsigned first_line; /* of the logical line */
	char section[65], name[CONF_LINE_MAX + 1];
	bool named, in_section, skip; /* skip: what stands below a broken header belongs nowhere */
	bool open, broken;            /* a logical line is being continued; it is not to be used */
	size_t len;
	char text[CONF_LINE_MAX + 1]; /* the logical line */
};

static void mistake(struct parser *p, const char *words)
{
	conf_error(p->errors, p->file, p->first_line, "%s", words);
}

/* Cuts the blanks off both ends, in place. */
static char *trim(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	len = strlen(s);
	while (len > 0 && strchr(BLANKS, s[len - 1]))
		s[--len] = '\0';
	return s;
}

/* An odd number of backslashes at the end: the last one escapes nothing. */
static bool ends_in_backslash(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

static bool is_word(const char *s, size_t max)
{
	size_t len = strlen(s);

	return len > 0 && len <= max &&
		strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static void call_handler(struct parser *p, const char *key, const char *value)
{
	struct conf_line l = {
		.file = p->file,
		.line = p->first_line,
		.section = p->section,
		.name = p->named ? p->name : NULL,
		.section_no = p->reading->section_no,
		.key = key,
		.value = value,
	};

	p->reading->handler(&l, p->errors, p->reading->userdata);
}

static void take_header(struct parser *p, char *s)
{
	size_t len = strlen(s);
	char *name;

	p->in_section = p->skip = true;
	if (s[len - 1] != ']' || strcspn(s + 1, "[]") != len - 2) {
		mistake(p, "a section begins with [Section] or [Section name] on a line of its own");
		return;
	}
	s[len - 1] = '\0';
	s = trim(s + 1);
	name = s + strcspn(s, BLANKS);
	if (*name)
		*name++ = '\0';
	name = trim(name);
	if (!is_word(s, sizeof(p->section) - 1)) {
		mistake(p, "a section begins with [Section] or [Section name], Section being one word of letters");
		return;
	}
	p->skip = false;
	p->named = *name;
	strcpy(p->section, s);
	strcpy(p->name, name);
	p->reading->section_no++;
	call_handler(p, NULL, NULL);
}

static void take_assignment(struct parser *p, char *s)
{
	char *equals = strchr(s, '='), *key, *value;

	if (!equals) {
		mistake(p, "neither [Section] nor Key=value nor a comment ('#')");
		return;
	}
	*equals = '\0';
	key = trim(s);
	value = trim(equals + 1);
	if (!is_word(key, 64)) {
		mistake(p, "what stands before '=' is not a key: one word of letters and digits");
		return;
	}
	if (ends_in_backslash(value, strlen(value))) {
		mistake(p, "blanks follow the last backslash: remove them if the line is to go on, or the backslash");
		return;
	}
	if (!p->in_section) {
		mistake(p, "an assignment before the first [Section]");
		return;
	}
	if (!p->skip)
		call_handler(p, key, value);
}

static void take_logical_line(struct parser *p)
{
	char *s = trim(p->text);

	if (!p->broken && *s == '[')
		take_header(p, s);
	else if (!p->broken && *s)
		take_assignment(p, s);
	p->open = p->broken = false;
	p->len = 0;
}

/* NULL when LINE is fit to be read. */
static const char *bad_bytes(const char *line, size_t len)
{
	if (len > 0 && line[len - 1] == '\r')
		return "the line ends in a carriage return: convert the file to Unix lines (sed -i 's/\\r$//')";
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			return "a control byte: a configuration file is plain text";
	return text_utf8(line, len) ? NULL : "not valid UTF-8";
}

static void add_to_logical_line(struct parser *p, const char *piece, size_t len)
{
	if (p->broken)
		return;
	if (p->len + len > CONF_LINE_MAX) {
		conf_error(p->errors, p->file, p->first_line, "longer than %d bytes", CONF_LINE_MAX);
		p->broken = true;
		return;
	}
	memcpy(p->text + p->len, piece, len);
	p->len += len;
	p->text[p->len] = '\0';
}

static void take_physical_line(struct parser *p, const char *line, size_t len)
{
	const char *bad = bad_bytes(line, len);
	size_t blanks = 0;

	if (!p->open)
		p->first_line = p->line;
	if (bad) {
		if (!p->broken)
			conf_error(p->errors, p->file, p->line, "%s", bad);
		p->broken = true;
	}
	while (blanks < len && strchr(BLANKS, line[blanks]) && line[blanks])
		blanks++;
	if (blanks < len && (line[blanks] == '#' || line[blanks] == ';')) {
		p->broken = p->broken && p->open;
		return;
	}
	p->open = ends_in_backslash(line, len);
	if (p->open)
		len--;
	add_to_logical_line(p, line, len);
	if (p->open)
		add_to_logical_line(p, " ", 1);
	else
		take_logical_line(p);
}

void conf_parse(struct conf_reading *r, const char *bytes, size_t len, const char *file, struct conf_errors *e)
{
	CLEAN(free_p) struct parser *p = calloc(1, sizeof(*p));
	const char *end = bytes + len;

	if (!p) {
		e->out_of_memory = true;
		return;
	}
	p->reading = r;
	p->errors = e;
	p->file = file;
	while (bytes < end) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *stop = newline ? newline : end;

		p->line++;
		take_physical_line(p, bytes, (size_t)(stop - bytes));
		bytes = stop + 1;
	}
	if (p->open)
		mistake(p, "the file ends in the middle of a line that a backslash continues");
}

/* Files. */

int conf_load_bytes(const char *path, uid_t owner, char **ret, size_t *ret_len, struct why *w)
{
	CLEAN(close_p) int fd = -1;
	int r;

	if (owner == (uid_t)-1) {
		r = file_read_untrusted(AT_FDCWD, path, CONF_FILE_MAX, ret, ret_len);
	} else {
		fd = file_open_trusted(AT_FDCWD, path, owner, w);
		if (fd < 0)
			return fd;
		r = file_read_all(fd, CONF_FILE_MAX, ret, ret_len);
	}
	if (r == -EFBIG)
		return why(w, r, "%s: larger than %d bytes", path, CONF_FILE_MAX);
	if (r == -ELOOP)
		return why(w, r, "%s: is a symbolic link: put the file itself here", path);
	if (r == -EINVAL)
		return why(w, r, "%s: is not a regular file", path);
	if (r < 0)
		return why(w, r, "%s: %s", path, strerror(-r));
	return 0;
}

void conf_read_file(struct conf_reading *r, const char *path, bool required, struct conf_errors *e)
{
	CLEAN(free_p) char *bytes = NULL;
	size_t len = 0;
	struct why w = { "" };
	int err = conf_load_bytes(path, r->owner, &bytes, &len, &w);

	if (err == -ENOENT && !required)
		return;
	if (err < 0) {
		conf_error(e, NULL, 0, "%s", w.text);
		return;
	}
	if (r->witness)
		r->witness(path, bytes, len, r->witness_data);
	conf_parse(r, bytes, len, path, e);
}

static int is_conf_name(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int open_trusted_dir(const char *dir, uid_t owner, struct why *w)
{
	CLEAN(close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return why(w, -errno, "%s: %s", dir, strerror(errno));
	if (owner == (uid_t)-1)
		return steal_fd(&fd);
	if (fstat(fd, &st) < 0)
		return why(w, -errno, "%s: %s", dir, strerror(errno));
	if (st.st_uid != 0 && st.st_uid != owner)
		return why(w, -EPERM, "%s: belongs to uid %u: chown root %s", dir, (unsigned)st.st_uid, dir);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return why(w, -EPERM, "%s: others may write it (mode %04o): chmod go-w %s", dir,
			(unsigned)st.st_mode & 07777, dir);
	return steal_fd(&fd);
}

static void read_entries(struct conf_reading *r, const char *dir, struct dirent **entries, int n,
	struct conf_errors *e)
{
	if (n > CONF_FILES_MAX) {
		conf_error(e, dir, 0, "more than %d files", CONF_FILES_MAX);
		return;
	}
	for (int i = 0; i < n; i++) {
		CLEAN(free_p) char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0) {
			path = NULL;
			e->out_of_memory = true;
			return;
		}
		conf_read_file(r, path, true, e);
	}
}

void conf_read_dir(struct conf_reading *r, const char *dir, struct conf_errors *e)
{
	struct dirent **entries = NULL;
	struct why w = { "" };
	CLEAN(close_p) int fd = open_trusted_dir(dir, r->owner, &w);
	int n;

	if (fd == -ENOENT)
		return;
	if (fd < 0) {
		conf_error(e, NULL, 0, "%s", w.text);
		return;
	}
	n = scandirat(fd, ".", &entries, is_conf_name, by_name);
	if (n < 0) {
		conf_error(e, dir, 0, "%s", strerror(errno));
		return;
	}
	read_entries(r, dir, entries, n, e);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
}
