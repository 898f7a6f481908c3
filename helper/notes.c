#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "helper/dirs.h"
#include "helper/notes.h"
#include "helper/watch.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"

#define TURN_NOTES 64

struct notes {
	struct watch *watch;
	notes_handler handler;
	void *userdata;
};

int note_write(const jit_id id, const char *text)
{
	CLEAN(close_p) int dir = open(dirs.notes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return -errno;
	return file_write_atomic(dir, id, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1);
}

/* True: the note is gone. */
static bool note_take(struct notes *n, int dirfd, const char *name)
{
	CLEAN(free_p) char *text = NULL;
	size_t len;
	int r = file_read_untrusted(dirfd, name, NOTE_MAX, &text, &len);

	if (r == -ENOENT)
		return false;
	if (r < 0) {
		log_error("%s/%s cannot be read: %s", dirs.notes, name, strerror(-r));
		return false;
	}
	if (!n->handler(name, text, n->userdata))
		return false;
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		log_error("%s/%s cannot be removed: %s", dirs.notes, name, strerror(errno));
	return true;
}

static bool notes_turn(int dirfd, bool tick, void *userdata)
{
	struct notes *n = userdata;
	CLEAN(closedir_p) DIR *d = NULL;
	unsigned taken = 0;
	struct dirent *e;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;
	d = fdopendir(fd);
	if (!d) {
		close_quietly(fd);
		return false;
	}
	while (taken < TURN_NOTES && (e = readdir(d)))
		if (id_valid(e->d_name))
			taken += note_take(n, dirfd, e->d_name);
	return taken == TURN_NOTES;
}

int notes_new(sd_event *event, notes_handler handler, void *userdata, struct notes **ret)
{
	struct notes *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->handler = handler;
	n->userdata = userdata;
	r = watch_new(event, dirs.notes, notes_turn, n, &n->watch);
	if (r < 0) {
		free(n);
		return r;
	}
	*ret = n;
	return 0;
}

struct notes *notes_free(struct notes *n)
{
	if (!n)
		return NULL;
	watch_free(n->watch);
	free(n);
	return NULL;
}
