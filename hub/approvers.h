/* The snapshot of Approvers= in force: read again when the file changed, kept when the new one is bad. */
#pragma once
#include "lib/sshkey.h"
#include "lib/sshsig.h"

struct approvers;
int approvers_new(const char *path, struct approvers **ret);
struct approvers *approvers_free(struct approvers *a);
/* NULL while there never was a good one. Good until the next call. */
const struct signers *approvers_get(struct approvers *a);
/* The line that lists PRINCIPAL with the key of SIG (its CA for a certificate); NULL. */
const struct signer *approvers_find(const struct signers *s, const char *principal, const struct sshsig *sig);
