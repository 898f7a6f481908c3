#include "helper/context.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"

static char *slurp(const char *path)
{
	CLEAN(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	size_t len;

	return fd >= 0 && file_read_all(fd, 16384, &text, &len) >= 0 ? text : NULL;
}

struct json_object *context_json(void)
{
	struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *load = slurp("/proc/loadavg"), *memory = slurp("/proc/meminfo");
	char *at;

	if (!o)
		return NULL;
	if (load) {
		/* The first three words. */
		at = load;
		for (int i = 0; i < 3 && at; i++)
			at = strchr(at + 1, ' ');
		if (at)
			*at = '\0';
		json_add_str(o, "load", load);
	}
	at = memory ? strstr(memory, "MemAvailable:") : NULL;
	if (at)
		json_add_u64(o, "memory_available_mib", strtoull(at + 13, NULL, 10) / 1024);
	json_add_u64(o, "up", clock_boot() / USEC_PER_SEC);
	return o;
}
