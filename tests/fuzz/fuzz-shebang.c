/* The first bytes of a file: what is read of them stands in them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "helper/shebang.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *copy = malloc(size + 1);
	char name[SHEBANG_HEAD];
	struct shebang s;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	shebang_parse(copy, size, &s);
	must(memchr(s.interpreter, '\0', sizeof(s.interpreter)) && memchr(s.argument, '\0', sizeof(s.argument)));
	must(!s.interpreter[0] || (size > 2 && !memcmp(copy, "#!", 2) && !s.shell && !strpbrk(s.interpreter, " \t\n")));
	must(!s.argument[0] || (s.interpreter[0] && !strchr(" \t", s.argument[0]) && !strchr(s.argument, '\n')));
	must(!s.interpreter[0] || memmem(copy, size, s.interpreter, strlen(s.interpreter)));
	if (shebang_env(copy, name))
		must(name[0] && name[0] != '-' && !strpbrk(name, "/= \t\n\"'$\\") && strstr(copy, name));
	return 0;
}
