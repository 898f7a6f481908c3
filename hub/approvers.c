#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "hub/approvers.h"
#include "lib/cleanup.h"
#include "lib/envelope.h"
#include "lib/file.h"
#include "lib/log.h"

#define APPROVERS_MAX (1024 * 1024)

struct approvers {
	char *path;
	struct signers signers;
	bool good;
	struct stat seen; /* of the last reading, good or not */
	int error;        /* of stat(2) then */
};

int approvers_new(const char *path, struct approvers **ret)
{
	struct approvers *a = calloc(1, sizeof(*a));

	if (a)
		a->path = strdup(path);
	if (!a || !a->path) {
		free(a);
		return -ENOMEM;
	}
	a->error = -1;
	*ret = a;
	return 0;
}

struct approvers *approvers_free(struct approvers *a)
{
	if (!a)
		return NULL;
	signers_done(&a->signers);
	free(a->path);
	free(a);
	return NULL;
}

static int load(struct approvers *a, struct signers *ret, struct why *w)
{
	CLEAN(close_p) int fd = file_open_trusted(AT_FDCWD, a->path, geteuid(), w);
	CLEAN(free_p) char *bytes = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return fd;
	r = file_read_all(fd, APPROVERS_MAX, &bytes, &len);
	if (r < 0)
		return why(w, r, "%s: %s", a->path, strerror(-r));
	return signers_parse(bytes, len, a->path, NS_LOGIN, ret, w);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
		a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

const struct signers *approvers_get(struct approvers *a)
{
	struct signers fresh = { 0 };
	struct stat st = { 0 };
	struct why w;
	int error = stat(a->path, &st) < 0 ? errno : 0;

	if (error == a->error && (error || same(&st, &a->seen)))
		return a->good ? &a->signers : NULL;
	a->error = error;
	a->seen = st;
	if (load(a, &fresh, &w) < 0) {
		log_error("%s%s", w.text, a->good ? " (the former approvers stay)" : " (nobody can sign in)");
		return a->good ? &a->signers : NULL;
	}
	signers_done(&a->signers);
	a->signers = fresh;
	a->good = true;
	log_info("%s: %zu keys", a->path, fresh.n);
	return &a->signers;
}

const struct signer *approvers_find(const struct signers *s, const char *principal, const struct sshsig *sig)
{
	const struct signer *found = signers_find(s, principal, sig->certificate ? &sig->cert_ca : &sig->key);

	return found && found->cert_authority == sig->certificate ? found : NULL;
}
