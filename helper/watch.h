/* Watching a directory from the event loop: by inotify, at start, after an overflow, and every 5 s as a belt. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define WATCH_PERIOD_USEC UINT64_C(5000000)

struct watch;
/* Looks through the directory DIRFD once (the watch's descriptor, closed after the turn).  Returns true when more is
 * left: the next turn of the loop goes on; a turn that frees the watch returns false.  TICK: this is the belt. */
typedef bool (*watch_turn)(int dirfd, bool tick, void *userdata);

/* A missing directory is no error: it is looked for every 5 s.  The first turn is made by the loop, not in the call.
 * 0 or -errno. */
int watch_new(sd_event *event, const char *path, watch_turn turn, void *userdata, struct watch **ret);
struct watch *watch_free(struct watch *w);
