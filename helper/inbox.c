#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/dirs.h"
#include "helper/spool.h"
#include "helper/watch.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/text.h"

#define TURN_FILES 64
#define LIST_MAX 1024 /* the inbox holds 512 inodes */
#define TMP_AGE_USEC USEC_PER_HOUR
#define SAY_EVERY_USEC USEC_PER_MIN
#define NAME_COLUMNS 80

/* Names aside: taken and handed on; found taken by a new life and handed on again; put back for later. */
#define TAKEN ".taken-"
#define TWICE ".twice-"
#define AGAIN ".again-"

struct inbox {
	struct watch *watch;
	inbox_handler handler;
	void *userdata;
	uint64_t said;  /* when a thing that cannot be removed was last told of */
	bool recovered; /* what an earlier life left was handed on */
};

static const char *words_for(int err)
{
	switch (err) {
	case -ELOOP:
	case -EINVAL:
	case -EISDIR:
	case -ENXIO:
		return "not a regular file";
	case -EFBIG:
		return "larger than an envelope may be";
	case -EACCES:
		return "cannot be read";
	case -ENAMETOOLONG:
		return "too long a name";
	default:
		return strerror(-err);
	}
}

/* What cannot be removed would come again with every look: told of at most once a minute. */
static void stuck(struct inbox *i, const char *shown, int err)
{
	uint64_t now = clock_boot();

	if (i->said && now - i->said < SAY_EVERY_USEC)
		return;
	i->said = now;
	log_warning("%s/%s cannot be removed and is not read: %s", dirs.inbox, shown, strerror(err));
}

/* True: whatever NAME was, it is not there any more. */
static bool drop(struct inbox *i, int dirfd, const char *name, const char *shown)
{
	if (unlinkat(dirfd, name, 0) == 0)
		return true;
	if (errno == ENOENT)
		return false; /* somebody else took it away: then it was nothing */
	if ((errno == EISDIR || errno == EPERM) && unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return true;
	stuck(i, shown, errno);
	return false;
}

static bool belongs(const char *type)
{
	return strcmp(type, "decision") == 0 || strcmp(type, "revoke") == 0 || strcmp(type, "check") == 0;
}

/* NAME lies aside under the name ASIDE. */
static void hand_on(struct inbox *i, int dirfd, const char *name, const char *aside, const char *shown,
	const char *text, size_t len)
{
	CLEAN(envelope_done) struct envelope e = { 0 };
	struct why w = { { 0 } };
	int r = envelope_parse(text, len, &e, &w);

	if (r >= 0 && belongs(e.type)) {
		i->handler(&e, name, NULL, i->userdata);
		return;
	}
	if (r >= 0)
		why(&w, -EINVAL, "an envelope of this type does not belong in the inbox");
	if (drop(i, dirfd, aside, shown))
		i->handler(NULL, shown, w.text, i->userdata);
}

static bool aside_name(char out[static NAME_MAX + 1], const char *prefix, const char *name)
{
	return snprintf(out, NAME_MAX + 1, "%s%s", prefix, name) <= NAME_MAX;
}

/* Reads NAME and puts it aside before it is handed on, so that it is handed on again only after a crash.
 * True: it is gone from here. */
static bool take(struct inbox *i, int dirfd, const char *name)
{
	CLEAN(free_p) char *text = NULL, *shown = text_escape(name, strlen(name), NAME_COLUMNS);
	char aside[NAME_MAX + 1];
	size_t len = 0;
	int r;

	if (!shown)
		return false;
	r = file_read_untrusted(dirfd, name, ENVELOPE_MAX, &text, &len);
	if (r == -ENOENT || r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return false;
	if (r >= 0 && !aside_name(aside, TAKEN, name))
		r = -ENAMETOOLONG;
	if (r < 0) {
		if (!drop(i, dirfd, name, shown))
			return false;
		i->handler(NULL, shown, words_for(r), i->userdata);
		return true;
	}
	if (renameat(dirfd, name, dirfd, aside) < 0) {
		/* In the way can stand only what the courier made: it goes, and this comes with the next look. */
		if (errno != ENOENT && !drop(i, dirfd, aside, shown))
			stuck(i, shown, errno);
		return false;
	}
	hand_on(i, dirfd, name, aside, shown, text, len);
	return true;
}

/* What an earlier life had taken and not settled: handed on once more, and the next time given up, lest one file
 * bring jitd down for ever. */
static void recover(struct inbox *i, int dirfd, const char *found)
{
	CLEAN(free_p) char *text = NULL, *shown = text_escape(found, strlen(found), NAME_COLUMNS);
	char aside[NAME_MAX + 1];
	const char *name;
	size_t len = 0;

	if (!shown)
		return;
	if (strncmp(found, TWICE, strlen(TWICE)) == 0) {
		if (drop(i, dirfd, found, shown))
			i->handler(NULL, shown, "given up: jitd ended twice before it was settled", i->userdata);
		return;
	}
	name = found + strlen(TAKEN);
	if (!*name || !aside_name(aside, TWICE, name) || renameat(dirfd, found, dirfd, aside) < 0)
		drop(i, dirfd, found, shown);
	else if (file_read_untrusted(dirfd, aside, ENVELOPE_MAX, &text, &len) < 0)
		drop(i, dirfd, aside, shown);
	else
		hand_on(i, dirfd, name, aside, shown, text, len);
}

/* A courier that died while writing leaves its temporary file. */
static void drop_old(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (uint64_t)st.st_mtim.tv_sec * USEC_PER_SEC + TMP_AGE_USEC < clock_real())
		unlinkat(dirfd, name, 0);
}

/* The names that begin with a dot: with the belt, and those of an earlier life in the first look. */
static void look_aside(struct inbox *i, int dirfd, const char *name, bool tick)
{
	if (strncmp(name, AGAIN, strlen(AGAIN)) == 0 && (tick || !i->recovered)) {
		if (renameat2(dirfd, name, dirfd, name + strlen(AGAIN), RENAME_NOREPLACE) < 0 && errno == EINVAL)
			unlinkat(dirfd, name, 0); /* no name behind the prefix */
	} else if (tick && strncmp(name, ".tmp-", 5) == 0) {
		drop_old(dirfd, name);
	} else if (!i->recovered &&
		   (strncmp(name, TAKEN, strlen(TAKEN)) == 0 || strncmp(name, TWICE, strlen(TWICE)) == 0)) {
		recover(i, dirfd, name);
	}
}

/* Names are listed first: what is renamed in the middle of readdir() may show up twice. */
static char **list_names(int dirfd, size_t *ret_n)
{
	CLEAN(closedir_p) DIR *d = NULL;
	CLEAN(free_p) char **list = calloc(LIST_MAX, sizeof(*list));
	struct dirent *e;
	size_t n = 0;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d || !list) {
		if (!d && fd >= 0)
			close_quietly(fd);
		return NULL;
	}
	while (n < LIST_MAX && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		list[n] = strdup(e->d_name);
		n += list[n] != NULL;
	}
	*ret_n = n;
	return STEAL_PTR(list);
}

static bool inbox_turn(int dirfd, bool tick, void *userdata)
{
	struct inbox *i = userdata;
	CLEAN(free_p) char **list = NULL;
	unsigned taken = 0;
	bool back = false;
	size_t n = 0;

	list = list_names(dirfd, &n);
	for (size_t k = 0; k < n; k++) {
		if (list[k][0] == '.') {
			look_aside(i, dirfd, list[k], tick);
			back |= strncmp(list[k], AGAIN, strlen(AGAIN)) == 0 && (tick || !i->recovered);
		} else if (taken < TURN_FILES) {
			taken += take(i, dirfd, list[k]);
		}
		free(list[k]);
	}
	if (list)
		i->recovered = true;
	return taken == TURN_FILES || back;
}

int inbox_new(sd_event *event, inbox_handler handler, void *userdata, struct inbox **ret)
{
	struct inbox *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return -ENOMEM;
	i->handler = handler;
	i->userdata = userdata;
	r = watch_new(event, dirs.inbox, inbox_turn, i, &i->watch);
	if (r < 0) {
		free(i);
		return r;
	}
	*ret = i;
	return 0;
}

void inbox_done(struct inbox *i, const char *name, bool again)
{
	CLEAN(close_p) int dir = open(dirs.inbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	static const char *const prefixes[] = { TAKEN, TWICE };
	char aside[NAME_MAX + 1], later[NAME_MAX + 1];

	if (dir < 0 || !aside_name(later, AGAIN, name))
		return;
	for (size_t k = 0; k < ELEMENTS(prefixes); k++) {
		if (!aside_name(aside, prefixes[k], name))
			continue;
		if (again)
			renameat(dir, aside, dir, later);
		else
			unlinkat(dir, aside, 0);
	}
}

struct inbox *inbox_free(struct inbox *i)
{
	if (!i)
		return NULL;
	watch_free(i->watch);
	free(i);
	return NULL;
}
