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
#include "lib/sshkey.h"

struct person {
	char *name;
	char **principals, **users; /* NULL-terminated */
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
/* Has NAME a line in the approvers file?  Who has none can answer nothing. */
bool people_can_approve(const struct people *p, const char *person);
const struct person *people_find(const struct people *p, const char *person);
const struct person *people_by_principal(const struct people *p, const char *principal);
const struct person *people_by_user(const struct people *p, const char *user);
const struct team *people_team(const struct people *p, const char *team);
bool people_member(const struct people *p, const char *person, const char *team);
