#include "lib/event.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"

static const struct {
	const char *name, *message_id;
	bool sync;
} events[] = {
#define X(constant, event, id, synced) [constant] = { event, id, synced },
	JIT_EVENTS(X)
#undef X
};

const char *event_name(enum jit_event e)
{
	return (size_t)e < ELEMENTS(events) ? events[e].name : "unknown";
}

const char *event_message_id(enum jit_event e)
{
	return (size_t)e < ELEMENTS(events) ? events[e].message_id : NULL;
}

bool event_synced(enum jit_event e)
{
	/* An event that is not in the table is none of ours: the careful answer. */
	return (size_t)e < ELEMENTS(events) ? events[e].sync : true;
}

int event_parse(const char *name)
{
	for (size_t i = 0; name && i < ELEMENTS(events); i++)
		if (!strcmp(events[i].name, name))
			return (int)i;
	return -ENOENT;
}
