/* Starting a program with nothing but what it is given.  SIGCHLD must be blocked in the whole process (sd-event watches
 * children, sd_event_add_child(3)). */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define CHILD_FDS 8
#define CHILD_FAILED 126 /* exit status: the program was never run; the words went to descriptor 2 */

struct child_plan {
	char *const *argv;  /* argv[0] is the absolute path as well */
	char *const *envp;
	int fds[CHILD_FDS]; /* become 0, 1, 2, …; everything else is closed */
	unsigned n_fds;
	/* A confined one: no privileges, no network as far as the kernel allows, little memory, few files, little time. */
	bool confined;
	uid_t uid; /* (uid_t)-1: stays as it is */
	gid_t gid;
	unsigned cpu_seconds;
	size_t memory, file_size;
};

/* Its working directory is /, no signal is blocked or ignored, and it gets SIGKILL when this process ends.
 * 0 with pid and pidfd, or -errno. */
int child_start(const struct child_plan *p, pid_t *ret_pid, int *ret_pidfd);
/* Kills it, takes PIDFD, and reaps it whenever it is dead (a process that hangs in the kernel may take its time). */
void child_abandon(sd_event *event, pid_t pid, int pidfd);
/* The same for one that is not to count among those: *COUNT, which must live as long as the program, is more by one until it is
 * dead. */
void child_abandon_to(sd_event *event, pid_t pid, int pidfd, unsigned *count);
/* How many abandoned ones are not dead yet. */
unsigned child_abandoned(void);
