/* jit-expire: started by jit-expire@ID.service at the end of a grant. */
#include <stdio.h>
#include <string.h>

#include "helper/expire.h"
#include "lib/log.h"

static int usage(FILE *f, int status)
{
	fputs("usage: jit-expire [--force] ID\n"
		"Ends the grant ID once its deadline has passed; --force: now.\n", f);
	return status;
}

int main(int argc, char **argv)
{
	const char *text = NULL;
	bool force = false;
	jit_id id;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--force") == 0)
			force = true;
		else if (strcmp(argv[i], "--help") == 0)
			return usage(stdout, 0);
		else if (argv[i][0] == '-' || text)
			return usage(stderr, 2);
		else
			text = argv[i];
	}
	if (!text || id_parse(text, id) < 0)
		return usage(stderr, 2);
	log_setup("jit-expire", false);
	return expire(id, force) < 0 ? 1 : 0;
}
