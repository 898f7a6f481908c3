#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/dirs.h"
#include "helper/spool.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"

#define RECEIPTS_MAX 1024
#define NAME_SIZE 64

/* Files of the outbox belong to the directory's group, so that no name service is asked for the courier's. */
static int outbox_open(gid_t *ret_gid)
{
	CLEAN(close_p) int fd = open(dirs.outbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (ret_gid)
		*ret_gid = st.st_gid;
	return steal_fd(&fd);
}

static int outbox_write(const char *name, const char *type, const char *document, const char *signature)
{
	CLEAN(free_p) char *text = NULL;
	CLEAN(close_p) int dir = -1;
	gid_t gid = (gid_t)-1;
	size_t len;

	/* The document stands in it whole, so what is too long cannot fit. */
	if (strlen(document) >= ENVELOPE_MAX)
		return -EFBIG;
	text = envelope_format(type, document, signature);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	if (len > ENVELOPE_MAX)
		return -EFBIG;
	dir = outbox_open(&gid);
	if (dir < 0)
		return dir;
	return file_write_atomic(dir, name, text, len, 0640, (uid_t)-1, gid);
}

int outbox_request(const jit_id id, const char *document)
{
	char name[NAME_SIZE];

	if (!id_valid(id))
		return -EINVAL;
	snprintf(name, sizeof(name), "request-%s.json", id);
	return outbox_write(name, "request", document, NULL);
}

void outbox_settle(const jit_id id)
{
	CLEAN(close_p) int dir = outbox_open(NULL);
	char name[NAME_SIZE];

	if (!id_valid(id))
		return;
	snprintf(name, sizeof(name), "request-%s.json", id);
	if (dir < 0)
		log_error("%s: %s", dirs.outbox, strerror(-dir));
	else if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		log_error("%s/%s cannot be removed: %s", dirs.outbox, name, strerror(errno));
}

int outbox_receipt(const jit_id id, unsigned n, const char *document, const char *signature)
{
	char name[NAME_SIZE];

	if (!id_valid(id))
		return -EINVAL;
	snprintf(name, sizeof(name), "receipt-%s-%03u.json", id, n);
	return outbox_write(name, "receipt", document, signature);
}

static void question_name(const char *id, char name[static NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "question-%.*s.json", QUESTION_ID_LEN, id);
}

int outbox_question(const char *id, const char *document)
{
	char name[NAME_SIZE];

	question_name(id, name);
	return outbox_write(name, "question", document, NULL);
}

void outbox_question_done(const char *id)
{
	CLEAN(close_p) int dir = outbox_open(NULL);
	char name[NAME_SIZE];

	question_name(id, name);
	if (dir >= 0 && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		log_error("%s/%s cannot be removed: %s", dirs.outbox, name, strerror(errno));
}

struct receipt {
	char name[NAME_SIZE];
	struct timespec written;
};

static int receipt_compare(const void *a, const void *b)
{
	const struct receipt *x = a, *y = b;

	if (x->written.tv_sec != y->written.tv_sec)
		return x->written.tv_sec < y->written.tv_sec ? -1 : 1;
	if (x->written.tv_nsec != y->written.tv_nsec)
		return x->written.tv_nsec < y->written.tv_nsec ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* A descriptor of its own for the listing: closedir() closes it. */
static DIR *list_open(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d;

	if (fd < 0)
		return NULL;
	d = fdopendir(fd);
	if (!d)
		close_quietly(fd);
	return d;
}

/* The receipts of D that may stay by their age; older ones and what a crash left are unlinked on the way. */
static int receipts_list(int dirfd, DIR *d, struct receipt **ret, size_t *ret_n)
{
	CLEAN(free_p) struct receipt *list = NULL;
	size_t n = 0, room = 0;
	uint64_t now = clock_real();
	struct dirent *e;

	while ((e = readdir(d))) {
		struct stat st;

		if (strncmp(e->d_name, ".tmp-", 5) == 0) {
			unlinkat(dirfd, e->d_name, 0);
			continue;
		}
		if (strncmp(e->d_name, "receipt-", 8) != 0 || strlen(e->d_name) >= NAME_SIZE ||
		    fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if ((uint64_t)st.st_mtim.tv_sec * USEC_PER_SEC + USEC_PER_DAY < now) {
			unlinkat(dirfd, e->d_name, 0);
			continue;
		}
		if (n == room) {
			struct receipt *more = reallocarray(list, room ? room * 2 : 64, sizeof(*list));

			if (!more)
				return -ENOMEM;
			list = more;
			room = room ? room * 2 : 64;
		}
		strcpy(list[n].name, e->d_name);
		list[n++].written = st.st_mtim;
	}
	*ret = STEAL_PTR(list);
	*ret_n = n;
	return 0;
}

void outbox_prune(void)
{
	CLEAN(close_p) int dir = outbox_open(NULL);
	CLEAN(closedir_p) DIR *d = dir < 0 ? NULL : list_open(dir);
	CLEAN(free_p) struct receipt *list = NULL;
	size_t n = 0;
	int r;

	if (!d) {
		log_error("%s: %s", dirs.outbox, strerror(errno));
		return;
	}
	r = receipts_list(dir, d, &list, &n);
	if (r < 0) {
		log_error("%s: receipts not pruned: %s", dirs.outbox, strerror(-r));
		return;
	}
	if (n <= RECEIPTS_MAX)
		return;
	qsort(list, n, sizeof(*list), receipt_compare);
	for (size_t i = 0; i < n - RECEIPTS_MAX; i++)
		unlinkat(dir, list[i].name, 0);
}

/* "request-ID.json" → ID. */
static bool request_name(const char *name, jit_id id)
{
	char text[ID_LEN + 1];

	if (strlen(name) != strlen("request-.json") + ID_LEN || strncmp(name, "request-", 8) != 0 ||
	    strcmp(name + 8 + ID_LEN, ".json") != 0)
		return false;
	memcpy(text, name + 8, ID_LEN);
	text[ID_LEN] = '\0';
	if (!id_valid(text))
		return false;
	memcpy(id, text, sizeof(text));
	return true;
}

void outbox_sweep(bool (*keep)(const jit_id id, void *userdata), void *userdata)
{
	CLEAN(close_p) int dir = outbox_open(NULL);
	CLEAN(closedir_p) DIR *d = dir < 0 ? NULL : list_open(dir);
	struct dirent *e;

	if (!d) {
		log_error("%s: %s", dirs.outbox, strerror(errno));
		return;
	}
	while ((e = readdir(d))) {
		jit_id id;

		if (strncmp(e->d_name, "request-", 8) != 0)
			continue;
		if (request_name(e->d_name, id) && keep(id, userdata))
			continue;
		if (unlinkat(dir, e->d_name, 0) < 0 && errno != ENOENT)
			log_error("%s/%s cannot be removed: %s", dirs.outbox, e->d_name, strerror(errno));
	}
}

void outbox_questions_sweep(void)
{
	CLEAN(close_p) int dir = outbox_open(NULL);
	CLEAN(closedir_p) DIR *d = dir < 0 ? NULL : list_open(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, "question-", 9) == 0)
			unlinkat(dir, e->d_name, 0);
}
