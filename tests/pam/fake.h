/* A jitd that plays a scenario: a list of steps, run in a process of its own.  Its exit status says whether the client
 * behaved as the scenario expects. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

enum fake_op {
	FAKE_END,
	FAKE_ACCEPT,
	FAKE_ACCEPT_LIVE, /* the next client that has not closed already */
	FAKE_EXPECT,   /* a message with these fields: "type=account|user=alice|!command" ('!': the key is absent) */
	FAKE_SEND,     /* "type=verdict|result=allow"; v=1 comes by itself */
	FAKE_RAW,      /* these bytes, '|' for NUL, nothing added */
	FAKE_ACT,      /* calls act() */
	FAKE_GONE,     /* the client must close now */
	FAKE_CLOSE,    /* we do */
	FAKE_UNLISTEN, /* the socket goes away, as with a stopped jitd */
	FAKE_LISTEN,
	FAKE_FLOOD,    /* sends the message until the client goes */
};

struct fake_step {
	enum fake_op op;
	const char *text;
	void (*act)(void);
};

/* A listening socket at PATH. */
int fake_listen(const char *path);
/* Fills its queue with dead connections. */
void fake_fill(const char *path);
/* Runs the steps on FD (taken); the process's exit status.  PATH is for FAKE_LISTEN. */
int fake_run(int fd, const char *path, const struct fake_step *steps);
