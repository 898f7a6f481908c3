/* Configuration and rules of a host, and the pure function from facts to a verdict.
 *
 * CONFDIR/jitd.conf, CONFDIR/jitd.conf.d/NAME.conf, CONFDIR/rules.d/NAME.conf, CONFDIR/people.d/NAME.conf, CONFDIR/approvers.
 * First matching [Rule NAME] wins, in order of files and within them; nothing matched is Default=.  One table of keys
 * (policy-keys.def) makes the parser, `jitctl config show` and the list in jitd.conf(5).  jitd.conf has [Host] and
 * [Default], rules.d has [Rule NAME]. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/check.h"
#include "lib/need.h"
#include "lib/people.h"

struct json_object;
struct cidr;
struct hours;
struct zone;
enum decision { DECISION_DENY, DECISION_ALLOW, DECISION_APPROVE };
enum scope { SCOPE_COMMAND, SCOPE_SESSION, SCOPE_SERVICE };
enum at_end { AT_END_TERMINATE, AT_END_DRAIN };
enum reason_policy { REASON_OPTIONAL, REASON_REQUIRED, REASON_NONE };
enum check_effect { CHECK_REFUSES, CHECK_INFORMS, CHECK_ESCALATES };

const char *decision_string(enum decision d);
const char *scope_string(enum scope s);
int scope_parse(const char *text, enum scope *ret);
const char *check_effect_string(enum check_effect e); /* refuse, inform, escalate */

/* What a rule wants to know of the host before anybody is asked, in the order Check= Inform= Escalate=. */
struct rule_check {
	struct check check;
	enum check_effect effect;
	size_t escalation; /* of CHECK_ESCALATES: which need of the rule's */
};
#define RULE_CHECKS_MAX 16
#define RULE_ESCALATIONS_MAX 4

struct rule {
	char *name, *file;
	unsigned line;
	/* What it matches; an empty list matches everything.  A leading '!' negates one entry: a list matches when no
	 * negated entry does and some other entry does, or there is no other. */
	char **service, **user, **target; /* user: names and %group; the others: names */
	char **command;                   /* alternatives, each a line of words (see policy_command_match) */
	char **cwd, **tty, **host;        /* patterns */
	char **remote, **label, **hours;  /* networks; labels; hours of the week */
	struct cidr *network;             /* of each of REMOTE */
	struct hours *hour;               /* of each of HOURS */
	bool elsewhere;                   /* HOST or LABEL rule the policy's own host out: found at load, so that a fleet's rules
					     cost a host little */
	/* what follows */
	char **check, **inform, **escalate; /* Check=, Inform=, Escalate= as they are written, one text for each */
	struct rule_check *checks;
	size_t n_checks;
	struct need *escalation; /* of each of ESCALATE */
	size_t n_escalations;
	bool recheck;
	enum decision decision;
	char *message; /* for deny */
	struct need need;
	enum scope scope;
	uint64_t work_usec, at_most_usec, answer_by_usec, claim_by_usec; /* For AtMost AnswerBy ClaimBy */
	enum reason_policy reason;
	char *reason_pattern; /* POSIX extended; NULL */
	char *reason_hint;    /* what kind of reason is wanted, in words; NULL */
	bool match_code;      /* Match=: an approval must bear the code that stands on the requester's terminal */
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
	uint64_t check_within_usec;     /* CheckWithin= */
	char *host;                     /* Host=: how this host is called in requests; default: the kernel's host name */
	char **labels;                  /* Label=: what rules call this kind of host */
	struct zone *zones;             /* those that rules name */
	char **origins;                 /* Origin=: exact web origins of passkey decisions */
	char **sshd_exe;                /* SshdExecutable=: whose PAM_USER is believed */
	char **secure_path;             /* SecurePath=: where `jitctl request` looks a command up */
	unsigned max_pending_user, max_pending; /* MaxPendingPerUser=, MaxPending= */
	unsigned max_per_minute;                /* MaxPerMinute=: new requests of one user */
	char *digest;                   /* SHA-256 of all that was read, hex: of what `sha256sum FILE…` prints, run in
					   CONFDIR on the files in the order they were read */
};
#define POLICY_FALLBACK "Default" /* the fallback's name; no rule may have it */

struct policy *policy_free(struct policy *p); /* NULL in, NULL out */
/* Reads everything below CONFDIR.  0 and *RET; or -EINVAL, *RET untouched and every mistake in E. */
int policy_load(const char *confdir, uid_t owner, struct policy **ret, struct conf_errors *e);
/* The rule of that name; for POLICY_FALLBACK the fallback.  NULL. */
const struct rule *policy_find_rule(const struct policy *p, const char *name);
/* Does any rule look at groups?  If not, facts may come without them. */
bool policy_needs_groups(const struct policy *p);
/* Does a reason given for RULE do?  NULL or blank is none.  False with words for the user. */
bool policy_reason_ok(const struct rule *r, const char *reason, struct why *w);
/* What RULE (which allows or asks) comes to when HOLDS says of each of its checks whether it holds: a Check= that does not
 * refuses, each Escalate= with one that does not adds its need to the rule's own, so that both must be met, and makes an
 * `allow` ask. */
struct checked {
	enum decision decision; /* DECISION_DENY: refused */
	struct need need;       /* of DECISION_APPROVE */
	size_t refusing;        /* of a refusal: the check; N_CHECKS: the need cannot be told */
};
void policy_checked(const struct rule *r, const bool *holds, struct checked *ret);
/* The table of keys, for the man page and for tools: the I-th key, false beyond the last. */
struct policy_key_doc {
	const char *key, *sections, *fallback, *text; /* fallback: the value when not said, or NULL */
	bool list;
};
bool policy_key_doc(size_t i, struct policy_key_doc *ret);
/* The effective configuration as INI text with origins as comments; for `jitctl config show`.  NULL: out of memory. */
char *policy_show(const struct policy *p);

#define POLICY_NO_TTY "none"

/* What is known about a call.  NULL or "unknown" strings are unknown; an unknown fact matches no `allow`. */
struct facts {
	const char *service;
	const char *user;             /* the requester's account name */
	const char *const *groups;    /* NULL-terminated names; NULL: could not be learned */
	const char *target;           /* NULL: unknown */
	/* Resolved path (any other is as good as unknown), or "sudoedit".  NULL: unknown, as words for a shell are; or there is
	 * no command, when argc is 0 and service neither sudo nor sudo-i, or when it is su without -c: a login. */
	const char *binary;
	const char *const *argv; /* argv[0] is the command as typed (su's is its own command line); NULL-terminated */
	size_t argc;
	const char *cwd;     /* resolved, else as good as unknown */
	const char *tty;     /* "pts/0"; POLICY_NO_TTY */
	const char *remote;  /* an address; anything else is as good as unknown */
	const char *session;
	const char *host;    /* NULL: the policy's own */
	char *const *labels; /* NULL: the policy's own */
	uint64_t real_usec;  /* since 1970; 0: unknown */
	bool marked; /* something about the call is odd (sudo -R -D -g -E VAR=, cut, disagreement): matches no allow */
};

struct verdict {
	enum decision decision;
	const struct rule *rule; /* NULL: Default= decided with deny or allow; &policy->fallback for Default=approve */
	/* The call could not be judged: an allow would have been next, but a fact is unknown or the call is marked; or an
	 * approve would, after a rule that was passed over for an unknown fact and might have asked more people.  Then decision is deny and rule is NULL; DOUBT is the rule that could not be judged, NULL when it is the call itself. */
	bool unknown;
	const struct rule *doubt;
};
/* Pure.  Facts unknown to a rule's key: the rule matches if it denies, does not match if it allows; for `approve` an
 * unknown user, group or binary does not match, an unknown target matches only a rule without Target=.  An `allow` (a
 * rule's or Default='s) besides wants service, user and target known, sudo's command known, and the call unmarked; and
 * nothing but a deny decides after a rule other than an `allow` was passed over for an unknown fact.  So not knowing something never opens
 * what knowing it would not have opened. */
void policy_decide(const struct policy *p, const struct facts *f, struct verdict *ret);
/* Why RULE does not match F, in words ("user is alice, not bob"); returns false when it matches. */
bool policy_mismatch(const struct policy *p, const struct rule *r, const struct facts *f, struct why *w);
/* Why V came out unknown, in words; nothing to say (false) of any other verdict. */
bool policy_unknown_words(const struct policy *p, const struct facts *f, const struct verdict *v, struct why *w);

/* All that in JSON: {"decision","rule","need"?,"reason"?:words,"match"?,"unknown"?:words,"passed_over":[{"rule","why"?}],
 * "checks"?:[{"check","effect","need"?}]}; "why" is missing where the rule would have decided, were it not for a doubt before it; "reason" says what reason is required.
 * New object; NULL when out of memory. */
struct json_object *policy_explain(const struct policy *p, const struct facts *f);

/* PATTERN is words split at blanks ("\ " keeps a blank): the first is globbed against the resolved binary, each other
 * against one argument (fnmatch, FNM_PATHNAME | FNM_PERIOD: no '*' or '?' spans a '/', or a dot that begins a name, so
 * neither ".."); a last word "*" matches any further arguments, none included; without it the count must agree.  So no
 * blank within an argument can shift a match.  /bin, /sbin, /lib and /lib64 are those below /usr. */
bool policy_command_match(const char *pattern, const char *binary, const char *const *argv, size_t argc);
