#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "helper/look-run.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#define NOT_RUN 126

static void run(char *const *argv, int out, pid_t parent) __attribute__((noreturn));
static void run(char *const *argv, int out, pid_t parent)
{
	char *const envp[] = { (char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)(uintptr_t)"LC_ALL=C",
		(char *)(uintptr_t)"HOME=/", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0 || close_range(3, ~0U, 0) < 0)
		_exit(NOT_RUN);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(NOT_RUN);
	execve(argv[0], argv, envp);
	_exit(NOT_RUN);
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int look_run(char *const *argv, size_t max, char **ret)
{
	CLEAN(close_p) int in = -1, out = -1;
	CLEAN(free_p) char *text = NULL;
	pid_t parent = getpid(), pid;
	int pair[2], r, status;
	size_t len;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	in = pair[0];
	out = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(argv, out, parent);
	close_quietly(steal_fd(&out));
	r = file_read_all(in, max, &text, &len);
	if (r < 0)
		kill(pid, SIGKILL);
	status = reap(pid);
	if (r < 0 || status < 0)
		return r < 0 ? r : status;
	*ret = STEAL_PTR(text);
	return status;
}
