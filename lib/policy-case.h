/* A case in one line: a call and the verdict that is expected of it, for tables that a site keeps beside its rules.
 *
 *	SERVICE USER TARGET [FACT]... [COMMAND [ARGUMENT]...] => DECISION [RULE [NEED]]
 *	sudo alice root /usr/bin/systemctl restart nginx => approve nginx-restart
 *	sudo alice root groups=dba at="Mon 10:00" /usr/bin/id => deny Default
 *	sudo alice root fails=load<8 /usr/bin/id => approve ids "2 of sre"
 *
 * Words are quoted as in a shell.  "-" is unknown: a user, a target, a command's path.  Facts: groups=A,B cwd= tty= remote=
 * host= labels=A,B at= and the word marked; fails=CHECK, as often as needed, is a check of
 * the deciding rule that does not hold, as all others do; what is not said is unknown, but for groups (none), host and labels (the
 * policy's own).  For su and su-l the words behind the facts are su's own arguments.  DECISION is allow, deny, approve, or
 * unknown: denied because the call could not be judged; "deny" without RULE takes that as well. */
#pragma once
#include "lib/policy.h"

#define POLICY_CASE_WORDS 64

struct policy_case {
	struct facts facts;
	const char *decision, *rule, *need; /* rule, need NULL: any */
	const char *fails[RULE_CHECKS_MAX + 1];
	char *text;                  /* the rest is storage */
	const char *argv[POLICY_CASE_WORDS + 2], *groups[POLICY_CASE_WORDS + 1];
	char *labels[POLICY_CASE_WORDS + 1];
};
void policy_case_done(struct policy_case *c);
/* 1: a case; 0: a blank line or a comment ('#').  -EINVAL, -ENOMEM with words.  C points into itself: it is not to be
 * moved. */
int policy_case_parse(const char *line, struct zone **zones, struct policy_case *c, struct why *w);
/* What the rules and their checks say of C: V, and of an approve NEED.  -EINVAL with words: C says of a check of the deciding
 * rule, which has none such, that it fails. */
int policy_case_decide(const struct policy *p, const struct policy_case *c, struct verdict *v, struct need *need, struct why *w);
/* "approve nginx-restart", "deny Default", "unknown" or "unknown RULE" (that could not be judged).  Returns BUF. */
const char *policy_verdict_words(const struct verdict *v, char *buf, size_t size);
/* Is V, with NEED, what C expects?  When not, words: what would have had to be different, as far as that can be told. */
bool policy_case_met(const struct policy *p, const struct policy_case *c, const struct verdict *v, const struct need *need,
	struct why *w);
