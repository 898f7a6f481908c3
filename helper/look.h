/* Looking at the host.  All of it may block for long: never called in jitd, only in the programs that it starts for a short
 * time (jit-context, jit-check). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/digest.h"

#define LOOK_USERS 64      /* users told apart; more are counted */
#define LOOK_UNIT_NAMES 5
#define LOOK_NAME 65       /* with the NUL; longer names are cut, and end in "..." */

/* ---- look-host.c ---- */

struct look_user {
	char name[LOOK_NAME];
	unsigned sessions;
	char tty[LOOK_NAME], from[LOOK_NAME]; /* of the session that began last; "" none */
	uint64_t since;                       /* of the same, real usec; 0 unknown */
};
struct look_users {
	struct look_user list[LOOK_USERS];
	unsigned n, more;
};
/* Users with a session of their own, by systemd-logind; where none runs, by utmp.  The last to come stands first.  What
 * they name their terminals and hosts is theirs: bytes.  0, or -errno when neither can be asked. */
int look_users(struct look_users *ret);
/* From lines of utmp alone. */
int look_users_utmp(const char *path, struct look_users *ret);

struct look_units {
	unsigned count;
	unsigned n; /* names, the first of them by the alphabet */
	char names[LOOK_UNIT_NAMES][LOOK_NAME];
};
/* Failed units of the system manager. */
int look_failed_units(struct look_units *ret);

/* ---- look-package.c ---- */

enum look_state {
	LOOK_NONE,     /* the file is of no package */
	LOOK_UNLISTED, /* of a package that keeps no digest of it */
	LOOK_SHIPPED,
	LOOK_CHANGED,
};
struct look_package {
	enum look_state state;
	char name[LOOK_NAME], version[LOOK_NAME]; /* "" where there is none */
	char sha256[SHA256_HEX + 1];              /* of the bytes that were compared */
};
/* The package that PATH (absolute; links are followed as execve would) is of, and whether it is as it was installed: by
 * dpkg's tools, where dpkg keeps the packages, else by rpm's.  -EOPNOTSUPP: neither is here; other -errno: it cannot be
 * told. */
int look_package(const char *path, struct look_package *ret);

/* What the tools said, read (TEXT ends in a NUL): */
enum look_owner { LOOK_OWNER_NONE, LOOK_OWNER_PACKAGE, LOOK_OWNER_DIVERTED };
/* `dpkg-query -S`: whose PATH is, into NAME.  EXCEPT: the package that diverts PATH away, whose claim does not count; NULL.
 * DIVERTED: PATH is where a diversion by NAME ("": the administrator's) keeps a file that packages know as ORIGIN. */
enum look_owner look_dpkg_owner(const char *text, const char *path, const char *except, char name[static LOOK_NAME],
	char *origin, size_t origin_size);
/* A line of md5sums, or of `${Conffiles}`, for PATH; false: there is none. */
bool look_dpkg_digest(const char *text, const char *path, char md5[static MD5_HEX + 1]);
/* "name\nversion\n" and lines of "digest path", the digest "" for what is no regular file: false when PATH is not in them. */
bool look_rpm_digest(const char *text, const char *path, char name[static LOOK_NAME], char version[static LOOK_NAME],
	char digest[static SHA256_HEX + 1]);
