/* The control groups of a grant, without any bus.  UNIT is the id as it stands in unit names. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

#define UNIT_NAME_SIZE 64

/* Where the unified hierarchy is mounted; NULL when the host has none that systemd uses alone. */
const char *cgroup_root(void);
/* A live scope of the grant: 0 and its name, or -ENOENT. */
int cgroup_live_scope(const char *unit, char *name, size_t size);
/* Moves PID into the scope NAME of the grant. */
int cgroup_join(const char *unit, const char *name, pid_t pid);
/* SIGKILL for everything below the slice, at once. */
int cgroup_kill(const char *unit);
/* Calls SEEN (may be NULL) for every process below the slice; how many, 0 also when there is no slice, or -errno. */
typedef void (*cgroup_seen)(pid_t pid, void *userdata);
int cgroup_each(const char *unit, cgroup_seen seen, void *userdata);
/* The file that changes (inotify) when the slice becomes empty. */
int cgroup_events(const char *unit, char *path, size_t size);
