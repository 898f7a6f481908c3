/* The host's own key: made once, at the first start. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/child.h"
#include "helper/dirs.h"
#include "helper/verify.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#define ARG(s) ((char *)(uintptr_t)(s))
#define OUTPUT_MAX (16 * 1024)

/* Runs ssh-keygen to its end; what it prints is read back from a memfd.  Blocking. */
static int keygen(char *const argv[], char **ret, size_t *ret_len, struct why *w)
{
	CLEAN(close_p) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CLEAN(close_p) int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), pidfd = -1;
	CLEAN(free_p) char *words = NULL;
	char *const envp[] = { NULL };
	struct child_plan p = { .argv = argv, .envp = envp, .fds = { null, out, err }, .n_fds = 3 };
	size_t len = 0;
	pid_t pid;
	int r, status;

	if (null < 0 || out < 0 || err < 0)
		return why(w, -errno, "ssh-keygen: %s", strerror(errno));
	r = child_start(&p, &pid, &pidfd);
	if (r < 0)
		return why(w, r, "ssh-keygen: %s", strerror(-r));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return why(w, -errno, "ssh-keygen: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		if (lseek(err, 0, SEEK_SET) < 0 || file_read_all(err, OUTPUT_MAX, &words, &len) < 0)
			len = 0;
		return why(w, -EIO, "ssh-keygen: %s", len > 0 ? words : "failed");
	}
	if (lseek(out, 0, SEEK_SET) < 0)
		return why(w, -errno, "ssh-keygen: %s", strerror(errno));
	r = file_read_all(out, OUTPUT_MAX, ret, ret_len);
	return r < 0 ? why(w, r, "ssh-keygen: %s", strerror(-r)) : 0;
}

/* The public half beside the private one, from the private one. */
static int write_public(const char *keypath, struct why *w)
{
	char *const argv[] = { ARG(dirs.keygen), ARG("-y"), ARG("-P"), ARG(""), ARG("-f"), ARG(keypath), NULL };
	const char *slash = strrchr(keypath, '/'), *base = slash ? slash + 1 : keypath;
	CLEAN(free_p) char *text = NULL, *dir = NULL;
	CLEAN(close_p) int fd = -1;
	char name[NAME_MAX + 1];
	size_t len = 0;
	int r = keygen(argv, &text, &len, w);

	if (r < 0)
		return r;
	if (len == 0)
		return why(w, -EIO, "%s: ssh-keygen gave no public key", keypath);
	dir = slash ? strndup(keypath, (size_t)(slash - keypath + 1)) : strdup(".");
	if (!dir)
		return why(w, -ENOMEM, "out of memory");
	if ((size_t)snprintf(name, sizeof(name), "%s.pub", base) >= sizeof(name))
		return why(w, -ENAMETOOLONG, "%s: too long a name", keypath);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return why(w, -errno, "%s: %s", dir, strerror(errno));
	r = file_write_atomic(fd, name, text, len, 0644, (uid_t)-1, (gid_t)-1);
	return r < 0 ? why(w, r, "%s.pub: %s", keypath, strerror(-r)) : 0;
}

/* Made under another name and renamed, so that a crash leaves no half of a key. */
static int make_key(const char *keypath, const char *comment, struct why *w)
{
	CLEAN(free_p) char *tmp = NULL, *tmp_public = NULL, *text = NULL;
	size_t len;
	int r;

	if (asprintf(&tmp, "%s.tmp", keypath) < 0 || asprintf(&tmp_public, "%s.tmp.pub", keypath) < 0)
		return why(w, -ENOMEM, "out of memory");
	char *const argv[] = { ARG(dirs.keygen), ARG("-q"), ARG("-t"), ARG("ed25519"), ARG("-N"), ARG(""), ARG("-C"),
		ARG(comment), ARG("-f"), tmp, NULL };
	unlink(tmp);
	unlink(tmp_public);
	r = keygen(argv, &text, &len, w);
	if (r < 0)
		return r;
	unlink(tmp_public);
	if (chmod(tmp, 0600) < 0 || rename(tmp, keypath) < 0) {
		r = why(w, -errno, "%s: %s", keypath, strerror(errno));
		unlink(tmp);
		return r;
	}
	return 0;
}

int verify_host_key(const char *keypath, const char *comment, struct why *w)
{
	CLEAN(free_p) char *name = NULL;
	int r;

	if (asprintf(&name, "%s.pub", keypath) < 0) {
		name = NULL;
		return why(w, -ENOMEM, "out of memory");
	}
	if (access(keypath, F_OK) < 0) {
		if (errno != ENOENT)
			return why(w, -errno, "%s: %s", keypath, strerror(errno));
		r = make_key(keypath, comment, w);
		if (r < 0)
			return r;
		unlink(name); /* an older key's */
	}
	return access(name, F_OK) < 0 ? write_public(keypath, w) : 0;
}
