/* Every event of a request's life: its name in the ledger, in the journal (MESSAGE_ID) and on the screen. */
#pragma once
#include <stdbool.h>

/* (constant, name in the ledger, MESSAGE_ID, synced before it takes effect) */
#define JIT_EVENTS(X)                                                                     \
	X(EV_CONFIG, "config", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a01", false)                    \
	X(EV_REQUESTED, "requested", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a02", true)               \
	X(EV_ALLOWED, "allowed", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a03", false)                  \
	X(EV_DENIED, "denied", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a04", true)                     \
	X(EV_DECIDED, "decided", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a05", true)                   \
	X(EV_GRANTED, "granted", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a06", true)                   \
	X(EV_OPENED, "opened", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a07", true)                     \
	X(EV_USED, "used", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a08", false)                        \
	X(EV_CLOSED, "closed", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a09", false)                    \
	X(EV_WARNED, "warned", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a0a", false)                    \
	X(EV_REVOKED, "revoked", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a0b", true)                   \
	X(EV_EXPIRED, "expired", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a0c", false)                  \
	X(EV_WITHDRAWN, "withdrawn", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a0d", true)               \
	X(EV_REFUSED, "refused", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a0e", false)                  \
	X(EV_REPAIRED, "repaired", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a0f", true)                 \
	X(EV_LEFTOVER, "leftover", "5d1f0b6c8e7a4c0f9a3e1b2d4c6f8a10", false)

#define X(constant, name, id, sync) constant,
enum jit_event { JIT_EVENTS(X) EV_COUNT };
#undef X

const char *event_name(enum jit_event e);
const char *event_message_id(enum jit_event e);
bool event_synced(enum jit_event e); /* on disk before it takes effect */
int event_parse(const char *name); /* enum value or -ENOENT */
