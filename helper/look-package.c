/* The package of a file: see look.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helper/look-run.h"
#include "helper/look.h"
#include "lib/cleanup.h"
#include "lib/digest.h"

#define DPKG_QUERY "/usr/bin/dpkg-query"
#define DEBIAN "/etc/debian_version" /* the tool alone may be there on another system, too */
#define RPM "/usr/bin/rpm"
#define OUTPUT_MAX (16 * 1024 * 1024) /* the list of a package's files */
#define FILE_BYTES_MAX (256 * 1024 * 1024)
#define PATHS 2 /* a file's names before and after the merge of / and /usr */

#define ARG(text) ((char *)(uintptr_t)(text))

/* ---- what the tools said ---- */

static void put_name(char to[static LOOK_NAME], const char *s, size_t n)
{
	if (n >= LOOK_NAME)
		n = LOOK_NAME - 1;
	memcpy(to, s, n);
	to[n] = '\0';
}

/* The next line of *AT, without its end; NULL when there is none. */
static const char *next_line(const char **at, size_t *len)
{
	const char *line = *at;

	if (!*line)
		return NULL;
	*len = strcspn(line, "\n");
	*at = line + *len + (line[*len] == '\n');
	return line;
}

static bool equal(const char *s, size_t n, const char *text)
{
	return strlen(text) == n && memcmp(s, text, n) == 0;
}

/* Names of packages with and without an architecture: "libc6", "libc6:amd64". */
static bool same_package(const char *s, size_t n, const char *name)
{
	const char *colon = memchr(s, ':', n);

	return equal(s, colon ? (size_t)(colon - s) : n, name) ||
		(strcspn(name, ":") == (colon ? (size_t)(colon - s) : n) && memcmp(s, name, strcspn(name, ":")) == 0);
}

struct diversion {
	const char *by, *from, *to;
	size_t by_len, from_len, to_len;
};

/* "diversion by dash from: /bin/sh", "local diversion to: /bin/sh.real": half of one.  False: the line is none. */
static bool diversion_half(const char *line, size_t len, struct diversion *d)
{
	static const char by[] = "diversion by ", local[] = "local diversion ";
	const char *end = line + len, *at, *colon = memmem(line, len, ": /", 3);
	bool to;

	if (!colon)
		return false;
	if (len > sizeof(by) && memcmp(line, by, sizeof(by) - 1) == 0) {
		at = line + sizeof(by) - 1;
		d->by = at;
		d->by_len = (size_t)(colon - at);
		at = memchr(at, ' ', d->by_len);
		if (!at)
			return false;
		d->by_len = (size_t)(at - d->by);
		at++;
	} else if (len > sizeof(local) && memcmp(line, local, sizeof(local) - 1) == 0) {
		at = line + sizeof(local) - 1;
		d->by = at;
		d->by_len = 0;
	} else {
		return false;
	}
	to = equal(at, (size_t)(colon - at), "to");
	if (!to && !equal(at, (size_t)(colon - at), "from"))
		return false;
	at = colon + 2;
	*(to ? &d->to : &d->from) = at;
	*(to ? &d->to_len : &d->from_len) = (size_t)(end - at);
	return true;
}

/* The first of "dash, coreutils:amd64" that counts. */
static bool claim(const char *list, size_t len, const char *only, size_t only_len, const char *except,
	char name[static LOOK_NAME])
{
	while (len > 0) {
		const char *comma = memmem(list, len, ", ", 2);
		size_t n = comma ? (size_t)(comma - list) : len;
		char wanted[LOOK_NAME];

		if (only)
			put_name(wanted, only, only_len);
		if ((!only || (only_len > 0 && same_package(list, n, wanted))) && (!except || !same_package(list, n, except))) {
			put_name(name, list, n);
			return true;
		}
		list += comma ? n + 2 : n;
		len -= comma ? n + 2 : n;
	}
	return false;
}

enum look_owner look_dpkg_owner(const char *text, const char *path, const char *except, char name[static LOOK_NAME],
	char *origin, size_t origin_size)
{
	const char *at = text, *line, *only = NULL;
	struct diversion d = { 0 };
	size_t len, only_len = 0;

	while (!except && (line = next_line(&at, &len))) {
		if (!diversion_half(line, len, &d) || !d.from || !d.to)
			continue;
		if (equal(d.from, d.from_len, path)) {
			only = d.by;
			only_len = d.by_len;
		} else if (equal(d.to, d.to_len, path) && d.from_len < origin_size) {
			memcpy(origin, d.from, d.from_len);
			origin[d.from_len] = '\0';
			put_name(name, d.by, d.by_len);
			return LOOK_OWNER_DIVERTED;
		}
		d = (struct diversion){ 0 };
	}
	for (at = text; (line = next_line(&at, &len));) {
		const char *colon = memmem(line, len, ": /", 3);
		struct diversion none = { 0 };

		if (!colon || !equal(colon + 2, len - (size_t)(colon + 2 - line), path) || diversion_half(line, len, &none))
			continue;
		if (claim(line, (size_t)(colon - line), only, only_len, except, name))
			return LOOK_OWNER_PACKAGE;
	}
	return LOOK_OWNER_NONE;
}

static bool is_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n;
}

/* "digest  usr/bin/x" in md5sums, " /etc/x digest" and maybe a word among the conffiles. */
bool look_dpkg_digest(const char *text, const char *path, char md5[static MD5_HEX + 1])
{
	size_t len, path_len = strlen(path);
	const char *line;

	while ((line = next_line(&text, &len))) {
		const char *digest = NULL;

		if (len > 34 && is_hex(line, MD5_HEX) && line[32] == ' ' && line[33] == ' ' && equal(line + 34, len - 34, path + 1))
			digest = line;
		else if (len >= path_len + 34 && line[0] == ' ' && memcmp(line + 1, path, path_len) == 0 &&
			 line[path_len + 1] == ' ' && is_hex(line + path_len + 2, 32) &&
			 (len == path_len + 34 || line[path_len + 34] == ' '))
			digest = line + path_len + 2;
		if (!digest)
			continue;
		memcpy(md5, digest, 32);
		md5[32] = '\0';
		return true;
	}
	return false;
}

bool look_rpm_digest(const char *text, const char *path, char name[static LOOK_NAME], char version[static LOOK_NAME],
	char digest[static SHA256_HEX + 1])
{
	const char *first, *second, *line;
	size_t first_len, second_len, len;

	first = next_line(&text, &first_len);
	second = first ? next_line(&text, &second_len) : NULL;
	if (!second)
		return false;
	while ((line = next_line(&text, &len))) {
		const char *blank = memchr(line, ' ', len);
		size_t n = blank ? (size_t)(blank - line) : 0;

		if (!blank || !equal(blank + 1, len - n - 1, path) || n > SHA256_HEX || !is_hex(line, n))
			continue;
		put_name(name, first, first_len);
		put_name(version, second, second_len);
		memcpy(digest, line, n);
		digest[n] = '\0';
		return true;
	}
	return false;
}

/* ---- asking them ---- */

struct file {
	char path[PATHS][PATH_MAX]; /* [0] where it is, with no link in it; [1] as before the merge; "" */
	char md5[MD5_HEX + 1], sha256[SHA256_HEX + 1];
};

/* Judged before it is opened for reading. */
static int file_open(const char *path, struct file *f)
{
	CLEAN(close_p) int place = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	char self[32];
	ssize_t n;
	int fd;

	if (place < 0 || fstat(place, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
	n = readlink(self, f->path[0], sizeof(f->path[0]) - 1);
	if (n < 0 || (size_t)n >= sizeof(f->path[0]) - 1)
		return n < 0 ? -errno : -ENAMETOOLONG;
	f->path[0][n] = '\0';
	fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* "/usr/bin/ls" is "/bin/ls" to a package from before the merge. */
static void add_old_name(struct file *f)
{
	static const char *const merged[] = { "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };

	for (size_t i = 0; i < ELEMENTS(merged); i++) {
		const char *rest = f->path[0] + 4;
		size_t n = strlen(merged[i]);
		struct stat st;

		if (strncmp(f->path[0], "/usr/", 5) == 0 && strncmp(rest, merged[i], n) == 0 && rest[n] == '/' &&
		    lstat(merged[i], &st) == 0 && S_ISLNK(st.st_mode))
			strcpy(f->path[1], rest);
	}
}

/* dpkg-query takes a name with one of these in it for a pattern. */
static void as_pattern(const char *path, char to[static 2 * PATH_MAX])
{
	for (; *path; path++) {
		if (strchr("*?[]\\", *path))
			*to++ = '\\';
		*to++ = *path;
	}
	*to = '\0';
}

/* Exit status 1 says that some of the names are of no package. */
static int dpkg_search(const char *one, const char *two, char **ret)
{
	char pattern[2][2 * PATH_MAX];
	char *argv[] = { ARG(DPKG_QUERY), ARG("-S"), pattern[0], two[0] ? pattern[1] : NULL, NULL };
	int r;

	as_pattern(one, pattern[0]);
	as_pattern(two, pattern[1]);
	r = look_run(argv, OUTPUT_MAX, ret);
	return r < 0 ? r : r > 1 ? -EIO : 0;
}

static int dpkg_owner(const struct file *f, char name[static LOOK_NAME], char *known_as)
{
	CLEAN(free_p) char *text = NULL, *again = NULL;
	int r = dpkg_search(f->path[0], f->path[1], &text);

	if (r < 0)
		return r;
	for (size_t i = 0; i < PATHS && f->path[i][0]; i++) {
		char by[LOOK_NAME];
		enum look_owner owner = look_dpkg_owner(text, f->path[i], NULL, name, known_as, PATH_MAX);

		if (owner == LOOK_OWNER_PACKAGE)
			strcpy(known_as, f->path[i]);
		if (owner == LOOK_OWNER_DIVERTED) {
			strcpy(by, name);
			r = dpkg_search(known_as, "", &again);
			if (r < 0)
				return r;
			owner = look_dpkg_owner(again, known_as, by, name, NULL, 0);
		}
		if (owner == LOOK_OWNER_PACKAGE)
			return 1;
	}
	return 0;
}

static int dpkg_print(const char *one, const char *two, const char *three, char **ret)
{
	char *argv[] = { ARG(DPKG_QUERY), ARG(one), ARG(two), ARG(three), NULL };
	int r = look_run(argv, OUTPUT_MAX, ret);

	return r < 0 ? r : r > 0 ? -EIO : 0;
}

static int of_dpkg(const struct file *f, struct look_package *p)
{
	CLEAN(free_p) char *about = NULL, *sums = NULL;
	char known_as[PATH_MAX], md5[MD5_HEX + 1];
	const char *rest;
	int r = dpkg_owner(f, p->name, known_as);

	if (r <= 0)
		return r;
	r = dpkg_print("-W", "-f${Version}\\n${Conffiles}\\n", p->name, &about);
	if (r < 0)
		return r;
	put_name(p->version, about, strcspn(about, "\n"));
	rest = about + strcspn(about, "\n");
	/* A package may have no md5sums at all. */
	r = dpkg_print("--control-show", p->name, "md5sums", &sums);
	if (r < 0 && r != -EIO)
		return r;
	p->state = LOOK_UNLISTED;
	if (f->md5[0] && (look_dpkg_digest(rest, known_as, md5) || (sums && look_dpkg_digest(sums, known_as, md5))))
		p->state = strcmp(md5, f->md5) == 0 ? LOOK_SHIPPED : LOOK_CHANGED;
	return 0;
}

/* A database that cannot be read has no packages, says rpm.  Its own program is of one. */
static bool rpm_knows_itself(void)
{
	char *argv[] = { ARG(RPM), ARG("-qf"), ARG(RPM), NULL };
	CLEAN(free_p) char *text = NULL;

	return look_run(argv, OUTPUT_MAX, &text) == 0;
}

static int of_rpm(const struct file *f, struct look_package *p)
{
	for (size_t i = 0; i < PATHS && f->path[i][0]; i++) {
		char *argv[] = { ARG(RPM), ARG("-qf"), ARG("--qf"),
			ARG("%{NAME}\\n%{VERSION}-%{RELEASE}\\n[%{FILEDIGESTS} %{FILENAMES}\\n]"), ARG(f->path[i]), NULL };
		char digest[SHA256_HEX + 1];
		CLEAN(free_p) char *text = NULL;
		int r = look_run(argv, OUTPUT_MAX, &text);

		if (r < 0 || r > 1)
			return r < 0 ? r : -EIO;
		if (r == 1 || !look_rpm_digest(text, f->path[i], p->name, p->version, digest))
			continue;
		if (strlen(digest) == SHA256_HEX)
			p->state = strcmp(digest, f->sha256) == 0 ? LOOK_SHIPPED : LOOK_CHANGED;
		else if (strlen(digest) == 32 && f->md5[0])
			p->state = strcmp(digest, f->md5) == 0 ? LOOK_SHIPPED : LOOK_CHANGED;
		else
			p->state = LOOK_UNLISTED;
		return 0;
	}
	return rpm_knows_itself() ? 0 : -EIO;
}

int look_package(const char *path, struct look_package *ret)
{
	CLEAN(free_p) struct file *f = calloc(1, sizeof(*f));
	struct look_package p = { .state = LOOK_NONE };
	CLEAN(close_p) int fd = -1;
	bool dpkg = access(DEBIAN, F_OK) == 0 && access(DPKG_QUERY, X_OK) == 0;
	int r;

	if (!f)
		return -ENOMEM;
	if (path[0] != '/')
		return -EINVAL;
	if (!dpkg && access(RPM, X_OK) < 0)
		return -EOPNOTSUPP;
	fd = file_open(path, f);
	if (fd < 0)
		return fd;
	r = digests_fd_hex(fd, FILE_BYTES_MAX, f->sha256, f->md5);
	if (r < 0)
		return r;
	add_old_name(f);
	r = dpkg ? of_dpkg(f, &p) : of_rpm(f, &p);
	if (r < 0)
		return r;
	strcpy(p.sha256, f->sha256);
	*ret = p;
	return 0;
}
