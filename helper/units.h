/* What jitd asks of systemd and logind, never waiting: every call completes by its callback, within 5 s.
 *
 * Per grant (id without dash): jit-ID.slice; jit-expire@ID.timer → jit-expire@ID.service (a shipped template; a timer
 * made over the bus starts the service of its own name); scopes jit-ID-N.scope in the slice, Delegate=yes,
 * SendSIGHUP=yes, TimeoutStopSec=grace, RuntimeMaxSec a last resort, CollectMode=inactive-or-failed.  The timer is
 * absolute: OnStartupSec computed from the boot clock, and OnCalendar rounded up to the next second; AccuracySec=1ms.  A
 * transient timer cannot be changed, so re-arming starts another one (jit-expire@ID-N.timer, N counting) and stops the
 * first only after the new one is confirmed. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include "lib/id.h"
#include "lib/why.h"

#define UNITS_TIMEOUT_USEC UINT64_C(5000000)

struct units;
/* RESULT 0 or -errno (-ETIMEDOUT, -EIO when the job did not end in "done", …), WORDS never NULL.  Called exactly once,
 * never from inside the call that took it. */
typedef void (*units_done)(int result, const char *words, void *userdata);

/* BUS is connected lazily to the system manager (the private socket is not used: the system bus is) and again after it
 * was lost; calls made meanwhile fail with -ENOTCONN through their callback.  Subscribes to JobRemoved first. */
int units_new(sd_event *event, struct units **ret);
struct units *units_free(struct units *u); /* pending callbacks are dropped */
const char *units_state(const struct units *u); /* "connected", "connecting", "unreachable" */
/* Slice and timer of a grant, both confirmed.  DEADLINE is CLOCK_BOOTTIME usec. */
void units_arm(struct units *u, const jit_id id, uint64_t deadline, units_done done, void *userdata);
/* A new timer, confirmed, then the old ones stopped.  Also used at replay: finds what timers exist by name. */
void units_rearm(struct units *u, const jit_id id, uint64_t deadline, units_done done, void *userdata);
/* Puts PID (checked by its PIDFD to be alive before and after) into a scope of the grant: into an existing live one by
 * cgroup.procs, else by a new scope.  Afterwards /proc/PID/cgroup is read back and must name the slice.  -ESRCH: PID
 * has ended.  PIDFD is copied.  The scope's RuntimeMaxSec (DEADLINE, the grace and 10 s; none when DEADLINE is
 * USEC_INFINITY) cannot be changed later: for a grant that may be extended or drains, DEADLINE here is the utmost one. */
void units_attach(struct units *u, const jit_id id, pid_t pid, int pidfd, uint64_t deadline, uint64_t grace_usec,
	units_done done, void *userdata);
/* True when /proc/PID/cgroup lies below jit-ID.slice (synchronous, reads one file of /proc). */
bool units_contains(const jit_id id, pid_t pid);
/* Stops slice and timers: processes get HUP and TERM, after GRACE KILL (TimeoutStopSec of the scopes).  Fine if
 * nothing is there.  RESULT 0: all of it has ended; -EINPROGRESS: after 5 s systemd still waits out the grace. */
void units_stop(struct units *u, const jit_id id, units_done done, void *userdata);
/* Only the timers, and the slice when nothing runs in it. */
void units_disarm(struct units *u, const jit_id id, units_done done, void *userdata);
/* SIGKILL, at the end of a grant and before anything else there, for every sudo and su of UID in the slice that has begun
 * no command.  It may have been stopped (Ctrl-Z) after PAM let it go: the SIGCONT with which systemd ends a scope, or its
 * user when what runs may finish, would let it begin after the deadline.  How many; reads /proc, never waits. */
unsigned units_kill_unbegun(const jit_id id, uid_t uid);
/* SIGKILL for what is left in the slice. */
void units_kill(struct units *u, const jit_id id, units_done done, void *userdata);
/* logind: end a login session; kill what ignores it after the grace is the caller's business (units_session_kill). */
void units_session_terminate(struct units *u, const char *session, units_done done, void *userdata);
void units_session_kill(struct units *u, const char *session, units_done done, void *userdata);
/* Would sudo let USER run COMMAND (absolute path and arguments) as TARGET?  `sudo -n -l -U USER -u TARGET -- COMMAND` as
 * root, without a terminal, in a service of its own (jit-sudo-*.service).  RESULT 0: it would; -EACCES: sudoers does not
 * allow it; anything else: sudo could not be asked, WORDS are its own where it said some.  COMMAND is copied. */
void units_sudo(struct units *u, const char *user, const char *target, char *const *command, units_done done, void *userdata);
/* How many processes are in the slice now (reads cgroup.procs of its scopes); -errno. */
int units_population(const jit_id id);
