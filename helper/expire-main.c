/* jit-expire: started by jit-expire@ID.service at the end of a grant. */
#include <errno.h>
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

/* The instance of jit-expire@.service: an id, and for a timer that was armed again "-N" behind it. */
static int instance_parse(const char *text, jit_id id)
{
	char unit[ID_UNIT_LEN + 1];

	if (id_parse(text, id) == 0)
		return 0;
	if (strlen(text) < ID_UNIT_LEN + 2 || text[ID_UNIT_LEN] != '-' ||
	    text[ID_UNIT_LEN + 1 + strspn(text + ID_UNIT_LEN + 1, "0123456789")])
		return -EINVAL;
	memcpy(unit, text, ID_UNIT_LEN);
	unit[ID_UNIT_LEN] = '\0';
	return id_parse(unit, id);
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
	if (!text || instance_parse(text, id) < 0)
		return usage(stderr, 2);
	log_setup("jit-expire", false);
	return expire(id, force) < 0 ? 1 : 0;
}
