/* Verbs that judge calls by rules without jitd. */
#pragma once
#include "cli/cli.h"
#include "lib/policy.h"

void policy_p(struct policy **p);
/* The rules of --confdir (anybody's files: they are only looked at), else the host's own.  Every mistake is told.  An exit
 * code. */
int rules_load(struct cli *c, struct policy **ret);
/* What policy_explain() said, for a person. */
void explain_print(struct json_object *explained);
/* jitctl explain ID.  An exit code. */
int explain_past(struct cli *c, const char *id);
