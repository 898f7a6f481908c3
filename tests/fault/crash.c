/* Kills jitd at a chosen record of the ledger.  Preloaded into jitd by a test; reads /run/jit/fault, one line:
 *	EVENT before|after [COUNT]
 * and at the COUNTth write to a ledger file whose line holds "event":"EVENT" the process kills itself with SIGKILL, before
 * the bytes are written or after they are on the disk.  The file is removed first, so the next start lives. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ORDER "/run/jit/fault"

static bool is_ledger(int fd)
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	return strstr(target, "/ledger/") && strstr(target, ".jsonl");
}

static int due(const char *data, size_t len, bool after)
{
	char event[32], when[16], wanted[64];
	static int seen;
	int count = 1, n;
	FILE *f = fopen(ORDER, "re");

	if (!f)
		return 0;
	n = fscanf(f, "%31s %15s %d", event, when, &count);
	fclose(f);
	snprintf(wanted, sizeof(wanted), "\"event\":\"%s\"", n >= 2 ? event : "?");
	if (n < 2 || strcmp(when, after ? "after" : "before") != 0 || !memmem(data, len, wanted, strlen(wanted)))
		return 0;
	return ++seen >= count;
}

static void die(void)
{
	unlink(ORDER);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t len)
{
	bool ledger = is_ledger(fd);
	ssize_t n;

	if (ledger && due(data, len, false))
		die();
	n = syscall(SYS_write, fd, data, len);
	if (ledger && n == (ssize_t)len && due(data, len, true)) {
		fsync(fd);
		die();
	}
	return n;
}
