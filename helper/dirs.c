#include "helper/dirs.h"
#include "lib/paths.h"

struct dirs dirs = {
	.outbox = JIT_OUTBOX,
	.inbox = JIT_INBOX,
	.grants = JIT_GRANTS,
	.notes = JIT_NOTES,
	.courier_status = JIT_COURIER_STATUS,
	.worker = JIT_HELPERDIR "/jit-worker",
	.context = JIT_HELPERDIR "/jit-context",
	.check = JIT_HELPERDIR "/jit-check",
	.keygen = SSH_KEYGEN,
	.verify_user = JIT_VERIFY_USER,
	.private_bus = "unix:path=/run/systemd/private",
};
