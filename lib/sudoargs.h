/* What a command line of sudo, su or sudoedit says, as far as it can be told without being its getopt: only exactly
 * recognised forms count, everything else is unknown. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct host_command {
	const char *target;      /* the account asked for; NULL: unknown */
	bool target_default;     /* no -u was given: "root" unless runas_default says otherwise; target is "root" */
	unsigned command;        /* index of the first word of the command in argv; == argc: a shell or login */
	bool recognised;         /* every option before the command was one that we know exactly */
	bool shell, login, edit; /* -s, -i, -e or sudoedit */
	bool odd;                /* -R -D -g -E -C -h -r -t -T -U, VAR=value: never matches allow */
	bool noninteractive, stdin_password, askpass; /* -n, -S, -A */
};

/* ARGV without argv[0].  EDIT: the program was run as sudoedit. */
void sudo_args(const char *const *argv, size_t argc, bool edit, struct host_command *ret);
/* The same for su(1) of util-linux; the command is what stands behind -c. */
void su_args(const char *const *argv, size_t argc, struct host_command *ret);
