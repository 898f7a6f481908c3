/* People: who stands behind principals, Unix users and keys, and the teams they form.
 *
 * /etc/jit/people.d/NAME.conf
 *	[Person bob]
 *	Principal=bob bob@example.com      # names in the approvers file
 *	User=bob                           # Unix accounts (names) on this host that are bob
 *	[Team sre]
 *	Member=bob carol
 * /etc/jit/approvers: allowed_signers lines with namespaces="decision@pam-jit" (lib/sshkey.h).
 *
 * Checked as a whole: a principal, a user and a key belong to exactly one person; every principal of the approvers file
 * belongs to a person; team members are persons; names are valid; nothing is said twice; no team is empty. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "lib/conf.h"
#include "lib/need.h"
#include "lib/sshkey.h"

struct person {
	char *name;
	char **principals, **users; /* NULL-terminated */
	int strength; /* what people_strength() says */
};
struct team {
	char *name;
	char **members; /* persons' names, NULL-terminated */
};
struct people {
	struct person *person;
	size_t n_persons;
	struct team *team;
	size_t n_teams;
	struct signers approvers;
};

void people_done(struct people *p);
/* Loads CONFDIR/people.d and CONFDIR/approvers.  On any mistake RET is untouched, E grows and -EINVAL is returned. */
int people_load(const char *confdir, uid_t owner, struct people *ret, struct conf_errors *e);
/* The same; WITNESS (may be NULL) sees every file that was read. */
int people_load_witnessed(const char *confdir, uid_t owner, conf_witness witness, void *witness_data,
	struct people *ret, struct conf_errors *e);
/* The strongest signature that PERSON could give (enum strength), by the keys of their lines in the approvers file: hw-key
 * with a security key's, and with a cert-authority, which may certify one; else key.  A passkey's line is a security key's:
 * whether a signature was made in a browser shows only when it is there.  Validity times are not looked at.  -ENOENT, which is
 * less than any strength: nobody of that name, or no line, so that they can answer nothing. */
int people_strength(const struct people *p, const char *person);
/* How many of TERM's team could answer as strongly as it wants.  WITHOUT (NULL-terminated, or NULL): these people are out. */
size_t people_able(const struct people *p, const struct need_term *term, char *const *without);
/* Would ALTERNATIVE be met if everybody but WITHOUT said yes with their strongest key? */
bool people_could_meet(const struct people *p, const struct need_alternative *alternative, char *const *without);
const struct person *people_find(const struct people *p, const char *person);
const struct person *people_by_principal(const struct people *p, const char *principal);
const struct person *people_by_user(const struct people *p, const char *user);
const struct team *people_team(const struct people *p, const char *team);
bool people_member(const struct people *p, const char *person, const char *team);
