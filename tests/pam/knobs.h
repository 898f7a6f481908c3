/* The test build of pam_jit.so: the same sources, with the bounds in a struct of the test program.  Never installed. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct pam_jit_knobs {
	const char *socket, *cmdline;
	const volatile uid_t *server_uid; /* shared, so that it may change between two connections */
	uid_t real_uid;
	uint64_t first_wait, grace, ceiling, retry_for, retry_first, retry_most, open_wait, close_wait;
};
extern struct pam_jit_knobs pam_jit_knobs __attribute__((visibility("default")));

#define JIT_SOCKET pam_jit_knobs.socket
#define JIT_SERVER_UID (*pam_jit_knobs.server_uid)
#define JIT_REAL_UID() pam_jit_knobs.real_uid
#define JIT_CMDLINE pam_jit_knobs.cmdline
#define JIT_FIRST_WAIT pam_jit_knobs.first_wait
#define JIT_GRACE pam_jit_knobs.grace
#define JIT_CEILING pam_jit_knobs.ceiling
#define JIT_RETRY_FOR pam_jit_knobs.retry_for
#define JIT_RETRY_FIRST pam_jit_knobs.retry_first
#define JIT_RETRY_MOST pam_jit_knobs.retry_most
#define JIT_OPEN_WAIT pam_jit_knobs.open_wait
#define JIT_CLOSE_WAIT pam_jit_knobs.close_wait
