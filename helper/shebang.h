/* What runs a file, from its first bytes: as fs/binfmt_script.c of Linux reads them, and what sudo does with the rest. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define SHEBANG_HEAD 256 /* as much as the kernel reads of a file (BINPRM_BUF_SIZE) */

struct shebang {
	char interpreter[SHEBANG_HEAD]; /* "": the file is no script */
	char argument[SHEBANG_HEAD];    /* the rest of the line, blanks around it cut; "" none */
	bool shell;                     /* no format that the kernel runs, but text: sudo gives it to /bin/sh */
};

/* HEAD: the first LEN bytes of the file, at most SHEBANG_HEAD are looked at. */
void shebang_parse(const char *head, size_t len, struct shebang *ret);
/* The name that env(1) looks up along PATH when a script's line runs it with ARGUMENT ("python3", "-S python3 -u"): NAME.
 * False: it cannot be told (options, VAR=value, quotes, nothing). */
bool shebang_env(const char *argument, char name[static SHEBANG_HEAD]);
