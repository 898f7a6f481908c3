/* What a command line of sudo, su or sudoedit says, as far as it can be told without being its getopt: only exactly
 * recognised forms count, everything else is unknown.
 *
 * sudo (1.9)  flags -A -b -B -e -H -i -k -n -N -P -s -S, alone or run together (-nS), and their long names spelled in full;
 *             -u USER, -uUSER, --user USER, --user=USER, the same for -p; VAR=value words; "--".  Besides -C -D -g -h
 *             -r -R -t -T -U with their arguments and -E, which are understood but odd.
 * su          of util-linux: -l - -f -P -T --pty …, -c COMMAND; -g -G -m -p -s -w are odd.  Words behind the
 *             account are the shell's and are not recognised.
 * Not recognised: an abbreviated long option; a letter with an argument run together with others (-nu root);
 * an option's argument that begins with '-' or is empty (but an empty prompt); an option with an argument given twice. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct host_command {
	const char *target;      /* the account asked for; NULL: unknown ("#0" is, too) */
	bool target_default;     /* no -u was given: "root" unless runas_default says otherwise; target is "root" */
	unsigned command;        /* index of the first word of the command in argv; == argc: a shell or login */
	unsigned words;          /* how many words from there are the command */
	bool recognised;         /* every option before the command was one that we know exactly */
	bool shell, login, edit; /* -s, -i, -e or sudoedit; su: no -c, -l */
	bool odd;                /* -R -D -g -E -C -h -r -t -T -U, VAR=value: never matches allow */
	bool noninteractive, stdin_password, askpass; /* -n, -S, -A */
	bool background;         /* -b, told in every line that sudo would take, recognised or not */
};
/* Not recognised: target is NULL, command is 0 and words argc (all of it is shown), odd and noninteractive are true. */

/* ARGV without argv[0].  EDIT: the program was run as sudoedit. */
void sudo_args(const char *const *argv, size_t argc, bool edit, struct host_command *ret);
/* The same for su(1) of util-linux; the command is what stands behind -c (one word, for the target's shell). */
void su_args(const char *const *argv, size_t argc, struct host_command *ret);
