/* Configuration and rules of a host, and the pure function from facts to a verdict.
 *
 * CONFDIR/jitd.conf, CONFDIR/jitd.conf.d/NAME.conf, CONFDIR/rules.d/NAME.conf, CONFDIR/people.d/NAME.conf, CONFDIR/approvers.
 * First matching [Rule NAME] wins, in order of files and within them; nothing matched is Default=.  One table of keys
 * (policy-keys.def) makes the parser, `jitctl config show` and the list in jitd.conf(5). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/need.h"
#include "lib/people.h"

enum decision { DECISION_DENY, DECISION_ALLOW, DECISION_APPROVE };
enum scope { SCOPE_COMMAND, SCOPE_SESSION, SCOPE_SERVICE };
enum at_end { AT_END_TERMINATE, AT_END_DRAIN };
enum reason_policy { REASON_OPTIONAL, REASON_REQUIRED, REASON_NONE };

const char *decision_string(enum decision d);
const char *scope_string(enum scope s);
int scope_parse(const char *text, enum scope *ret);

struct rule {
	char *name, *file;
	unsigned line;
	/* what it matches; an empty list matches everything */
	char **service, **user, **target; /* user: names and %group; target: names; a leading '!' negates one entry */
	char **command;                   /* alternatives, each a line of words (see policy_command_match) */
	/* what follows */
	enum decision decision;
	char *message; /* for deny */
	struct need need;
	enum scope scope;
	uint64_t work_usec, at_most_usec, answer_by_usec, claim_by_usec; /* For AtMost AnswerBy ClaimBy */
	enum reason_policy reason;
	char *reason_pattern; /* POSIX extended; NULL */
	enum at_end at_end;
	uint64_t warn_usec;  /* first warning before the end; 0: none */
	uint64_t grace_usec; /* from the first signal to SIGKILL */
	bool unmapped;       /* Unmapped=: a requester who is no person may ask */
	bool join_user;      /* Join=user: the login session is not part of "the same request" */
};

struct policy {
	struct rule *rule;
	size_t n_rules;
	struct people people;
	enum decision default_decision; /* Default= */
	struct rule fallback;           /* the terms when Default=approve decides: Need= etc. of section [Default] */
	uint64_t hold_usec;             /* Hold= */
	char *host;                     /* Host=: how this host is called in requests; default: the kernel's host name */
	char **origins;                 /* Origin=: exact web origins of passkey decisions */
	char **sshd_exe;                /* SshdExecutable=: whose PAM_USER is believed */
	char **secure_path;             /* SecurePath=: where `jitctl request` looks a command up */
	unsigned max_pending_user, max_pending; /* MaxPendingPerUser=, MaxPending= */
	char *digest;                   /* SHA-256 of all that was read, hex */
};

struct policy *policy_free(struct policy *p); /* NULL in, NULL out */
/* Reads everything below CONFDIR.  0 and *RET; or -EINVAL, *RET untouched and every mistake in E. */
int policy_load(const char *confdir, uid_t owner, struct policy **ret, struct conf_errors *e);
/* The effective configuration as INI text with origins as comments; for `jitctl config show`.  NULL: out of memory. */
char *policy_show(const struct policy *p);

/* What is known about a call.  NULL or "unknown" strings are unknown; an unknown fact matches no `allow`. */
struct facts {
	const char *service;
	const char *user;             /* the requester's account name */
	const char *const *groups;    /* NULL-terminated names; NULL: could not be learned */
	const char *target;           /* NULL: unknown */
	const char *binary;           /* resolved path; NULL: unknown or none (ssh login) */
	const char *const *argv;      /* argv[0] is the command as typed; NULL-terminated */
	size_t argc;
	const char *cwd, *tty, *remote, *session;
	bool marked; /* something about the call is odd (sudo -R -D -g -E VAR=, cut, disagreement): matches no allow */
};

struct verdict {
	enum decision decision;
	const struct rule *rule; /* NULL: Default= decided with deny or allow; &policy->fallback for Default=approve */
};
/* Pure.  Facts unknown to a rule's key: the rule matches if it denies, does not match if it allows; for `approve` an
 * unknown user, group or binary does not match, an unknown target matches only a rule without Target=. */
void policy_decide(const struct policy *p, const struct facts *f, struct verdict *ret);
/* Why RULE does not match F, in words ("user is alice, not bob"); returns false when it matches. */
bool policy_mismatch(const struct policy *p, const struct rule *r, const struct facts *f, struct why *w);

/* PATTERN is words split at blanks ("\ " keeps a blank): the first is globbed (fnmatch, FNM_PATHNAME) against the resolved
 * binary, each other against one argument; a last word "*" matches any further arguments, none included; without it the
 * count must agree.  So no blank within an argument can shift a match. */
bool policy_command_match(const char *pattern, const char *binary, const char *const *argv, size_t argc);
