/* The inside of units: an operation is a chain of steps; each step makes bus calls and is over when all of them are.
 * Everything runs from the event loop, so that no callback comes from inside the call that took it. */
#pragma once
#include "helper/units-cgroup.h"
#include "helper/units.h"

#define MANAGER_NAME "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

struct op;
struct call;

struct units {
	sd_event *event;
	sd_bus *bus; /* NULL: lost, or not yet tried */
	sd_bus_slot *removed, *lost, *subscribed;
	sd_event_source *retry;
	uint64_t backoff;
	bool ready;            /* Subscribe was answered */
	uint64_t userspace;    /* UserspaceTimestampMonotonic, usec; 0: not asked yet */
	unsigned scopes;       /* counts, for names */
	struct op *ops;
};

typedef void (*op_step)(struct op *op);

struct op {
	struct units *u;
	struct op *next, **link;
	jit_id id;
	char unit[ID_UNIT_LEN + 1];
	units_done done;
	void *userdata;
	sd_event_source *start, *clock;
	op_step step;  /* what comes when no call is under way any more; NULL: the end */
	op_step undo;  /* made on failure, without an answer */
	op_step late;  /* instead of a failure when the 5 s are over */
	struct call *calls;

	uint64_t deadline, grace;
	pid_t pid;
	int pidfd; /* our own copy, or -1 */
	char *session;
	char **timers; /* names found, NULL-terminated */
	size_t n_timers;
	char name[UNIT_NAME_SIZE]; /* the unit being made */
	unsigned tries;
	bool flag; /* the step's own */
};

/* What a call may meet without failing its operation. */
enum {
	CALL_JOB = 1 << 0,      /* the reply is a job: wait for it to end in "done" */
	CALL_ABSENT = 1 << 1,   /* no such unit, no such session: as good as done */
	CALL_OPTIONAL = 1 << 2, /* any failure is only logged */
};
/* Reads a reply into OP and makes no call itself; a negative errno fails the operation. */
typedef int (*call_reply)(struct op *op, sd_bus_message *m);
/* Takes an error reply before anything else does; true: dealt with. */
typedef bool (*call_refused)(struct op *op, const sd_bus_error *e);

struct call {
	struct op *op;
	struct call *next;
	sd_bus_slot *slot;
	unsigned flags;
	call_reply reply;
	call_refused refused;
	char *job; /* waiting for JobRemoved of this path */
	char unit[UNIT_NAME_SIZE];
};

struct op *op_new(struct units *u, const jit_id id, op_step first, units_done done, void *userdata);
void op_finish(struct op *op, int result, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Ends all operations of U with RESULT. */
void ops_fail(struct units *u, int result, const char *words);

/* Takes the next step if no call is under way; a step that made none ends with this. */
void op_go_on(struct op *op);
/* A method call to a service; M is taken.  UNIT is for the words and the job. A failure to send finishes the operation:
 * false, and OP is gone. */
bool op_call(struct op *op, sd_bus_message *m, const char *unit, unsigned flags, call_reply reply, call_refused refused);
/* StopUnit, as a call of OP. */
bool op_stop_unit(struct op *op, const char *unit, unsigned flags);
/* The same without waiting for anything. */
void units_stop_quietly(struct units *u, const char *unit);
/* A new method call; NULL (and OP finished) when it cannot be made. */
sd_bus_message *op_message(struct op *op, const char *service, const char *path, const char *interface, const char *member);
/* The message could not be filled: finishes OP. */
void op_unfilled(struct op *op, sd_bus_message *m, int r);

/* Fails OP with -ENOTCONN when there is no bus. */
bool units_connected(struct op *op);
int units_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *e);
