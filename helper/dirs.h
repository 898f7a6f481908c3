/* Where the helper's parts look: the places and names of lib/paths.h, in one variable so that a test can say others. */
#pragma once

struct dirs {
	const char *outbox;  /* JIT_OUTBOX */
	const char *inbox;   /* JIT_INBOX */
	const char *grants;  /* JIT_GRANTS */
	const char *notes;   /* JIT_NOTES */
	const char *courier_status; /* JIT_COURIER_STATUS */
	const char *worker;  /* the program jit-worker */
	const char *context; /* the program jit-context */
	const char *check;   /* the program jit-check */
	const char *keygen;  /* ssh-keygen */
	const char *verify_user; /* JIT_VERIFY_USER */
	const char *cgroup;  /* the unified hierarchy; NULL: found by cgroup_root() */
	const char *private_bus; /* PID 1's own socket, an sd-bus address */
};
/* Set before anything else of the helper is called, never later. */
extern struct dirs dirs;
