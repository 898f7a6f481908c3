/* Who a process is, from /proc only. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/sysmacros.h>
#include "helper/call.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/id.h"

void process_done(struct process *p)
{
	if (p->pidfd >= 0)
		close_quietly(p->pidfd);
	free(p->tty);
	free(p->session);
	free(p->within);
	free(p->exe);
	free(p->cwd);
	*p = (struct process){ .pidfd = -1 };
}

/* One read: these files are single records, which the kernel gives whole to a buffer that holds them. */
static int proc_read(pid_t pid, const char *name, size_t max, char **ret)
{
	char path[64];
	CLEAN(close_p) int fd = -1;
	CLEAN(free_p) char *text = NULL;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	text = malloc(max + 1);
	if (!text)
		return -ENOMEM;
	do
		n = read(fd, text, max + 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n > max)
		return -EFBIG;
	text[n] = '\0';
	*ret = STEAL_PTR(text);
	return 0;
}

static char *proc_link(pid_t pid, const char *name)
{
	char path[64], target[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0 || (size_t)n == sizeof(target) - 1)
		return NULL;
	target[n] = '\0';
	return strdup(target);
}

/* Fields of stat are counted from the last ')': the command name may hold anything. */
static int stat_fields(pid_t pid, uint64_t *start, pid_t *ppid, unsigned *tty)
{
	CLEAN(free_p) char *text = NULL;
	char *p, *save = NULL, *word;
	unsigned n = 3;
	int r;

	r = proc_read(pid, "stat", 4096, &text);
	if (r < 0)
		return r;
	p = strrchr(text, ')');
	if (!p)
		return -EIO;
	for (word = strtok_r(p + 1, " \n", &save); word; word = strtok_r(NULL, " \n", &save), n++) {
		if (n == 4)
			*ppid = (pid_t)strtol(word, NULL, 10);
		else if (n == 7)
			*tty = (unsigned)strtol(word, NULL, 10);
		else if (n == 22) {
			*start = strtoull(word, NULL, 10);
			return 0;
		}
	}
	return -EIO;
}

static char *tty_name(unsigned nr)
{
	char name[32];
	unsigned maj = (nr >> 8) & 0xfff, min = (nr & 0xff) | ((nr >> 12) & 0xfff00);

	if (maj >= 136 && maj <= 143)
		snprintf(name, sizeof(name), "pts/%u", (maj - 136) * 256 + min);
	else if (maj == 4 && min < 64)
		snprintf(name, sizeof(name), "tty%u", min);
	else if (maj == 4)
		snprintf(name, sizeof(name), "ttyS%u", min - 64);
	else
		return strdup("unknown"); /* it has one, of another kind */
	return strdup(name);
}

static int read_uids(struct process *p)
{
	CLEAN(free_p) char *text = NULL, *login = NULL;
	unsigned long long n;
	char *line;
	int r;

	r = proc_read(p->pid, "status", 16384, &text);
	if (r < 0)
		return r;
	line = strstr(text, "\nUid:\t");
	if (!line)
		return -EIO;
	p->uid = (uid_t)strtoul(line + 6, NULL, 10);
	p->loginuid = UID_NONE;
	if (proc_read(p->pid, "loginuid", 32, &login) >= 0) {
		login[strcspn(login, "\n")] = '\0';
		if (number_parse(login, UINT32_MAX, &n) >= 0)
			p->loginuid = (uid_t)n;
	}
	return 0;
}

/* "…/user.slice/user-1000.slice/session-12.scope": the owner and the session.  Only what stands there to the letter is logind's: below
 * user@1000.service the user names scopes as they like, also like another session. */
static int read_session(struct process *p)
{
	CLEAN(free_p) char *text = NULL;
	char *at, *end;
	unsigned long uid;
	size_t n;
	int r;

	p->session_uid = UID_NONE;
	r = proc_read(p->pid, "cgroup", 8192, &text);
	if (r < 0)
		return r;
	at = strstr(text, "/jit.slice/jit-");
	if (at && strlen(at) > 15 + ID_UNIT_LEN && at[15 + ID_UNIT_LEN] == '.') {
		char unit[ID_UNIT_LEN + 1] = "";
		jit_id id;

		memcpy(unit, at + 15, ID_UNIT_LEN);
		if (id_parse(unit, id) >= 0 && !(p->within = strdup(id)))
			return -ENOMEM;
	}
	at = strstr(text, "/user.slice/user-");
	if (!at || !isdigit((unsigned char)at[17]))
		return 0;
	uid = strtoul(at + 17, &end, 10);
	if (strncmp(end, ".slice/", 7) != 0 || uid >= UID_NONE)
		return 0;
	p->session_uid = (uid_t)uid;
	if (strncmp(end + 7, "session-", 8) != 0)
		return 0;
	at = end + 15;
	n = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789");
	if (n == 0 || n >= 32 || strncmp(at + n, ".scope", 6) != 0 || !strchr("/\n", at[n + 6]))
		return 0;
	p->session = strndup(at, n);
	return p->session ? 0 : -ENOMEM;
}

static bool pidfd_gone(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) != 0;
}

int process_root(const struct process *p)
{
	char path[64];
	CLEAN(close_p) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)p->pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	/* Alive now, so the pid was its own when it was opened. */
	return pidfd_gone(p->pidfd) ? -ESRCH : steal_fd(&fd);
}

int process_read(pid_t pid, struct process *ret)
{
	struct process p = { .pid = pid, .pidfd = -1 };
	uint64_t again = 0;
	unsigned tty = 0;
	pid_t ppid;
	int r;

	if (pid <= 0)
		return -ESRCH;
	r = stat_fields(pid, &p.start, &p.ppid, &tty);
	if (r < 0)
		return r;
	p.pidfd = pidfd_open(pid, 0);
	if (p.pidfd < 0)
		return -errno;
	p.tty = tty ? tty_name(tty) : NULL;
	p.exe = proc_link(pid, "exe");
	p.cwd = proc_link(pid, "cwd");
	r = read_uids(&p);
	if (r >= 0)
		r = read_session(&p);
	if (r >= 0)
		r = stat_fields(pid, &again, &ppid, &tty);
	if (r >= 0 && (again != p.start || pidfd_gone(p.pidfd)))
		r = -ESRCH;
	if (r < 0) {
		process_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}
