/* A call for privilege: who (from the kernel), what (from the host program, a claim until checked). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "helper/identity.h"
#include "lib/gate.h"
#include "lib/json.h"
#include "lib/policy.h"
#include "lib/why.h"

#define UID_NONE ((uid_t)-1)

/* A process as /proc tells it, read between two equal readings of its start time with a live pidfd. */
struct process {
	pid_t pid, ppid;
	int pidfd; /* owned */
	uint64_t start;
	uid_t uid;         /* real */
	uid_t loginuid;    /* UID_NONE: unset */
	uid_t session_uid; /* owner of the login session by its cgroup; UID_NONE */
	char *tty;         /* "pts/0"; NULL */
	char *session;     /* logind session id; NULL */
	char *within;      /* id of the grant in whose slice it stands; NULL */
	char *exe, *cwd;
};
void process_done(struct process *p);
/* Its root directory (O_PATH), in which paths mean what they mean to it: mount namespaces differ, PrivateTmp= alone makes one.
 * A descriptor; -ESRCH: gone. */
int process_root(const struct process *p);
/* Fills RET for PID. -ESRCH: gone or replaced meanwhile. */
int process_read(pid_t pid, struct process *ret);

struct call {
	uid_t uid;
	char *user;                       /* name of uid; NULL until the worker said it */
	char **groups;                    /* NULL: unknown */
	char *login_user, *session_user;  /* names of the other uids; NULL */
	uid_t loginuid, session_uid;
	char *service, *target;           /* target NULL: unknown */
	bool target_certain;              /* su, sshd: PAM_USER is the target already; sudo's plugin says it */
	bool exact;                       /* from sudo's plugin: what sudo will run, not what its command line looks like */
	bool background;                  /* sudo -b */
	bool inner;                       /* and that is what a command starts which was let go already */
	char *tty, *session, *remote, *cwd;
	char *binary;                     /* resolved path; NULL: none */
	struct identity file;             /* what the binary is, and what runs it */
	char **argv;                      /* the command, argv[0] as typed; NULL-terminated */
	size_t argc;
	char *line;                       /* all of the program's arguments, options too, each ended by NUL */
	size_t line_len;
	char *command;                    /* SUDO_COMMAND; NULL */
	char *reason;
	char *within;                     /* id of the grant in which the call was made; NULL */
	char *marks;                      /* words with blanks between; "" when nothing is odd */
	bool marked;                      /* some mark says: never matches allow */
	bool interactive;
	pid_t pid, ppid;
	uint64_t start;
};
struct call *call_free(struct call *c);
static inline void call_free_p(struct call **c)
{
	*c = call_free(*c);
}
/* From an `account` or `approval` message and the process that sent it.  -EINVAL, -E2BIG with words for the user. */
int call_from_message(const struct gate_in *in, const struct process *p, struct call **ret, struct why *w);
/* Is B, the call at hand, the same thing under SCOPE as A, which was asked for: by real uid, session, service, target, and
 * every word of it where the scope is not `service`, or where B is marked: LD_PRELOAD= makes another program of any. */
bool call_same(const struct call *a, const struct call *b, enum scope scope, bool join_user);
/* The same without a look at what the files hold. */
bool call_same_words(const struct call *a, const struct call *b, enum scope scope, bool join_user);
void call_facts(const struct call *c, struct facts *ret); /* borrows */
int call_mark(struct call *c, const char *mark, bool never_allow);
/* REASON as it came, into C: without blanks around it, NULL for none; bytes that are not UTF-8 escaped, so that the document
 * holds text; cut at REASON_MAX bytes with the cut marked.  What a rule's pattern sees is what the approver reads.  -ENOMEM. */
#define REASON_MAX 500
int call_set_reason(struct call *c, const char *reason);
/* SUDO_COMMAND as sudo has it: PATH, and the arguments of argv.  0 or -ENOMEM. */
int call_make_command(struct call *c, const char *path);
struct json_object *call_json(const struct call *c); /* for the ledger */
/* What a verdict depended on, for `jitctl rules replay`; without argv where that is long.  New object; NULL. */
struct json_object *call_judged_json(const struct call *c);
int call_parse(const struct json_object *o, struct call **ret);
