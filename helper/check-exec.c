/* The site's own programs: whose they must be, as whom and within what bounds they run, and that nothing of them stays. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helper/check-wire.h"
#include "helper/sanitized.h"
#include "helper/units-cgroup.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/paths.h"

#define GROUP_PREFIX "jit-check-"
#define EMPTY_MS 500 /* how long the kernel may take to bury what was killed */
#define PROCESSES_MAX 64
#define MEMORY_MAX (512UL * 1024 * 1024)
#define FILE_SIZE_MAX (1024 * 1024)
#define FILES_MAX 64

/* ---- the control group ---- */

static int write_word(int dirfd, const char *name, const char *word)
{
	CLEAN(close_p) int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : write_all(fd, word, strlen(word));
}

/* Waits until nobody is in DIRFD any more; the kernel says so by a change of cgroup.events. */
static void wait_empty(int dirfd)
{
	CLEAN(close_p) int fd = openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	char text[128];
	ssize_t n;

	for (int tries = 0; fd >= 0 && tries < 4; tries++) {
		n = pread(fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		if (strstr(text, "populated 0"))
			return;
		(void)poll(&p, 1, EMPTY_MS / 4);
	}
}

static void end_group(int parent, int dirfd, const char *name)
{
	int r = write_word(dirfd, "cgroup.kill", "1");

	if (r < 0)
		log_error("%s: cannot be killed: %s", name, strerror(-r));
	wait_empty(dirfd);
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		log_warning("%s: cannot be removed: %s", name, strerror(errno));
}

void check_group_close(struct check_group *g)
{
	if (g->dirfd >= 0) {
		end_group(g->parent, g->dirfd, g->name);
		close_quietly(g->dirfd);
	}
	if (g->procs >= 0)
		close_quietly(g->procs);
	if (g->parent >= 0)
		close_quietly(g->parent);
	*g = (struct check_group){ .dirfd = -1, .procs = -1, .parent = -1 };
}

/* Where this process stands, opened. */
static int own_group(void)
{
	CLEAN(close_p) int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC), dirfd = -1;
	const char *root = cgroup_root();
	char text[4096], path[PATH_MAX], *line;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!root || !line)
		return -EOPNOTSUPP;
	line = strstr(line, "0::") + 3;
	line[strcspn(line, "\n")] = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s%s", root, line) >= sizeof(path))
		return -ENAMETOOLONG;
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 ? -errno : steal_fd(&dirfd);
}

/* What belongs to a process that is no more. */
static void sweep(int parent)
{
	CLEAN(closedir_p) DIR *d = NULL;
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned long long pid;
	struct dirent *e;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d && fd >= 0)
		close_quietly(fd);
	while (d && (e = readdir(d))) {
		CLEAN(close_p) int dirfd = -1;

		if (strncmp(e->d_name, GROUP_PREFIX, strlen(GROUP_PREFIX)) != 0 ||
		    number_parse(e->d_name + strlen(GROUP_PREFIX), INT_MAX, &pid) < 0 ||
		    kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			continue;
		dirfd = openat(parent, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dirfd >= 0)
			end_group(parent, dirfd, e->d_name);
	}
}

int check_group_open(struct check_group *g)
{
	int r = own_group();

	*g = (struct check_group){ .dirfd = -1, .procs = -1, .parent = r };
	if (r < 0)
		return r;
	sweep(g->parent);
	(void)snprintf(g->name, sizeof(g->name), GROUP_PREFIX "%d", (int)getpid());
	if (mkdirat(g->parent, g->name, 0755) < 0)
		r = -errno;
	else if ((g->dirfd = openat(g->parent, g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
		 (g->procs = openat(g->dirfd, "cgroup.procs", O_WRONLY | O_CLOEXEC)) < 0 ||
		 faccessat(g->dirfd, "cgroup.kill", W_OK, AT_EACCESS) < 0)
		r = -errno;
	if (r < 0)
		check_group_close(g);
	return r < 0 ? r : 0;
}

/* ---- the program ---- */

static int judge_owner(const char *path, bool folder, struct why *w)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return why(w, -errno, "%s: %s", path, strerror(errno));
	if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return why(w, -EINVAL, "%s is no %s", path, folder ? "folder" : "regular file");
	if (st.st_uid != 0)
		return why(w, -EPERM, "%s is not root's (chown root %s)", path, path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return why(w, -EPERM, "%s is writable by others than root (chmod go-w %s)", path, path);
	return 0;
}

/* Links are followed first; then everything on the way must be root's, so that nobody else can put another program there. */
static int judge_program(const char *path, char real[static PATH_MAX], struct why *w)
{
	char folder[PATH_MAX];
	int r;

	if (!realpath(path, real))
		return why(w, -errno, "%s: %s", path, strerror(errno));
	r = judge_owner(real, false, w);
	strcpy(folder, real);
	while (r == 0 && folder[1]) {
		char *slash = strrchr(folder, '/');

		slash[slash == folder ? 1 : 0] = '\0';
		r = judge_owner(folder, true, w);
	}
	return r;
}

static void limit(int resource, rlim_t value)
{
	struct rlimit l = { .rlim_cur = value, .rlim_max = value };

	(void)setrlimit(resource, &l);
}

static int become_user(struct why *w)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(JIT_CHECK_USER);
	if (!pw)
		return why(w, errno ? -errno : -ESRCH, "there is no system user %s", JIT_CHECK_USER);
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return why(w, -EPERM, "the user %s is root", JIT_CHECK_USER);
	if (setgroups(0, NULL) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return why(w, -errno, "it cannot be run as %s: %s", JIT_CHECK_USER, strerror(errno));
	limit(RLIMIT_NPROC, PROCESSES_MAX);
	return 0;
}

int check_become(const struct check *c, const struct check_group *g, char *const *envp, unsigned cpu_seconds, struct why *w)
{
	char real[PATH_MAX];
	int r = judge_program(c->argv[0], real, w);

	if (r < 0)
		return r;
	if (write_all(g->procs, "0", 1) < 0 || setsid() < 0)
		return why(w, -errno, "its control group: %s", strerror(errno));
	limit(RLIMIT_CPU, cpu_seconds);
	limit(RLIMIT_FSIZE, FILE_SIZE_MAX);
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_CORE, 0);
	if (!SANITIZED)
		limit(RLIMIT_AS, MEMORY_MAX);
	r = become_user(w);
	if (r < 0)
		return r;
	umask(0077);
	signal(SIGPIPE, SIG_DFL);
	/* After the change of user, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return why(w, -errno, "it cannot be bounded: %s", strerror(errno));
	execve(real, c->argv, envp);
	return why(w, -errno, "%s: %s", c->argv[0], strerror(errno));
}
