#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "courier/secret.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/paths.h"

#define SECRET_MAX 200

static char *secret_path(const struct courier_conf *conf, const char *statedir)
{
	char *path = NULL;

	if (conf->secret_file)
		return strdup(conf->secret_file);
	return asprintf(&path, "%s/" SECRET_FILE, statedir) < 0 ? NULL : path;
}

static bool secret_valid(const char *s)
{
	size_t len = strlen(s);

	return len >= 16 && len < SECRET_MAX &&
		strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") == len;
}

int secret_read(const struct courier_conf *conf, const char *statedir, char **ret, struct why *w)
{
	CLEAN(free_p) char *path = secret_path(conf, statedir), *text = NULL;
	CLEAN(close_p) int fd = -1;
	struct stat st;
	size_t len;
	int r;

	if (!path)
		return why(w, -ENOMEM, "out of memory");
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return why(w, -ENOENT, "this host is not enrolled: run jit-courier enroll");
	fd = file_open_trusted(AT_FDCWD, path, geteuid(), w);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || (st.st_mode & 0077))
		return why(w, -EPERM, "%s: others can read it: chmod 0600", path);
	r = file_read_all(fd, SECRET_MAX, &text, &len);
	if (r < 0)
		return why(w, r, "%s: %s", path, strerror(-r));
	text[strcspn(text, "\n")] = '\0';
	if (!secret_valid(text))
		return why(w, -EINVAL, "%s holds no secret: run jit-courier enroll", path);
	*ret = STEAL_PTR(text);
	return 0;
}

static int open_parent(const char *dir, uid_t uid, gid_t gid)
{
	int fd;

	if (mkdir(dir, 0700) == 0) {
		if (uid != (uid_t)-1 && chown(dir, uid, gid) < 0)
			return -errno;
	} else if (errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int secret_write(const struct courier_conf *conf, const char *statedir, const char *secret, struct why *w)
{
	CLEAN(free_p) char *a = secret_path(conf, statedir), *b = a ? strdup(a) : NULL, *line = NULL;
	CLEAN(close_p) int fd = -1;
	const struct passwd *pw = geteuid() == 0 ? getpwnam(JIT_COURIER_USER) : NULL;
	uid_t uid = pw ? pw->pw_uid : (uid_t)-1;
	gid_t gid = pw ? pw->pw_gid : (gid_t)-1;
	int r;

	if (!secret_valid(secret))
		return why(w, -EINVAL, "the hub's secret is none");
	if (!b || asprintf(&line, "%s\n", secret) < 0)
		return why(w, -ENOMEM, "out of memory");
	fd = open_parent(dirname(a), uid, gid);
	r = fd < 0 ? fd : file_write_atomic(fd, basename(b), line, strlen(line), 0600, uid, gid);
	explicit_bzero(line, strlen(line));
	return r < 0 ? why(w, r, "%s/%s: %s", a, b, strerror(-r)) : 0;
}
