/* Command lines: the first byte says whose, then come the words, each ended by a NUL.  The answer stays within the words,
 * and what is not recognised says nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/sudoargs.h"

#define WORDS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool within(const char *s, const char *buf, size_t size)
{
	return (uintptr_t)s >= (uintptr_t)buf && (uintptr_t)s < (uintptr_t)buf + size;
}

static void check(const struct host_command *c, size_t argc, const char *buf, size_t size)
{
	must(c->command + (size_t)c->words <= argc);
	if (!c->recognised) {
		must(!c->target && !c->target_default && c->odd && c->command == 0 && c->words == argc);
		return;
	}
	if (c->target_default)
		must(strcmp(c->target, "root") == 0);
	else if (c->target)
		must(within(c->target, buf, size) && c->target[0] && c->target[0] != '-' && c->target[0] != '#');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *buf = malloc(size + 1);
	const char *argv[WORDS_MAX];
	struct host_command c;
	size_t argc = 0;

	if (size == 0)
		return 0;
	memcpy(buf, data, size);
	buf[size] = '\0';
	for (size_t at = 1; at < size && argc < WORDS_MAX; at += strlen(buf + at) + 1)
		argv[argc++] = buf + at;
	if (data[0] == 'u')
		su_args(argv, argc, &c);
	else
		sudo_args(argv, argc, data[0] == 'e', &c);
	/* An account of su may begin with anything but '-'. */
	if (data[0] == 'u' && c.target && c.target[0] == '#')
		return 0;
	check(&c, argc, buf, size + 1);
	return 0;
}
