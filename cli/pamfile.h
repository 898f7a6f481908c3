/* A service's file in /etc/pam.d as lines, and the edit of it: lines are only ever added whole or taken out whole, so that what
 * was added can be taken out to the byte.
 *
 * Where the lines stand, and why:
 *
 * account   before every other account line, `requisite`.  Later would be unsafe: Debian's common-account has
 *           "[success=1 new_authtok_reqd=done default=ignore] pam_unix.so", and "done" ends the stack there, so that for a user
 *           whose password is to be renewed nothing behind it is asked (and sudo then runs the command, tried).  Any "sufficient"
 *           line would do the same.  In front nothing can skip it, and jumps count from the line that jumps, so one line more
 *           in front moves none.  `requisite` makes the refusal final at once.
 * session   right behind the last include of session lines, because pam_systemd, which stands in there, takes the process into
 *           a scope of its own; `required`.  Everything that comes before it must be unable to skip it ("sufficient", "done",
 *           a jump too far), or the file is refused.
 * auth      only of sshd and only when asked for: before every other auth line, "[success=done default=ignore]".  Where sshd has
 *           verified a key, keyboard-interactive needs no password; everywhere else the stack goes on as before.  The module,
 *           not the control, sees to that, so that the line opens nothing by itself.
 * sshd      besides, `phase=before` right in front of the first include of session lines: pam_systemd reads the time limit of
 *           the session there. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "lib/why.h"

#define PAMFILE_MAX (256 * 1024)
#define PAMFILE_MARK "# added by jitctl pam enable"

struct pamfile_line {
	char *text;    /* without its newline */
	bool newline;  /* false only for a last line without one */
	char op;       /* ' ', '+', '-' */
};
struct pamfile {
	struct pamfile_line *line;
	size_t n;
};
void pamfile_done(struct pamfile *f);

/* Gives the text of another service's file, for includes: malloc'ed, or NULL when there is none. */
typedef char *(*pamfile_source)(const char *service, void *userdata);

/* -EINVAL with words for what is no text of lines. */
int pamfile_read(const char *text, size_t len, struct pamfile *ret, struct why *w);
/* Which lines.  SESSION: those of the session only, where the account phase is not what asks (sudo's plugin does).
 * INTERACTIVE: with the one for auth (sshd). */
enum pamfile_shape { PAMFILE_GATE, PAMFILE_INTERACTIVE, PAMFILE_SESSION };
/* Brings our lines for SERVICE into SHAPE; a line for auth that is there stays.  1: done; 0: they are as they should be; -EEXIST:
 * somebody else's line names pam_jit.so; -EINVAL: the file is not one that we can be sure of.  Words say which line. */
int pamfile_enable(struct pamfile *f, const char *service, enum pamfile_shape shape, pamfile_source source, void *userdata,
	struct why *w);
/* Puts a line in front of line AT, counted from 0. */
int pamfile_insert(struct pamfile *f, size_t at, const char *text, struct why *w);
/* Takes our lines out; how many. */
size_t pamfile_disable(struct pamfile *f);
/* How many of our lines stand in it. */
size_t pamfile_ours(const struct pamfile *f);
/* The line number of one that names pam_jit.so and is not ours; 0: none. */
size_t pamfile_foreign(const struct pamfile *f);
/* 1: an account line, here or in what it includes, names pam_jit.so; 0: none does; -EINVAL with words: not to be told. */
int pamfile_gated(const struct pamfile *f, const char *service, pamfile_source source, void *userdata, struct why *w);
/* True when a line includes SERVICE. */
bool pamfile_includes(const struct pamfile *f, const char *service);
/* The text after the edit; caller frees. */
char *pamfile_text(const struct pamfile *f, size_t *ret_len);
/* The edit as a unified diff with three lines of context. */
void pamfile_diff(FILE *out, const struct pamfile *f, const char *path);
