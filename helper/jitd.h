/* The heart of jitd: what it knows of the host, of requests and of grants.  One process, one event loop, nothing blocks.
 *
 * gate.c      clients on the gate socket, quotas, which message is legal when
 * call.c      a call for privilege: what the message claims and what the kernel says, put together
 * account-checks.c  what the rule looks at before anybody is asked
 * account.c   from a call to a rule, a live grant, a joined or a new request
 * request.c   the request object, its document, finding and listing
 * context.c   what people want to know of the host before they say yes; past.c: of what was asked before
 * lives.c     the lives of requests: begun, decided, granted, withdrawn, expired, and their clocks
 * release.c   what is looked at again before a use of a grant is recorded and let go
 * uses.c      processes let go under a grant: opened, attached, closed
 * ends.c      the end of a grant, and what is resumed after a restart
 * intake.c    decisions and revocations from the inbox, judged
 * sudoers.c   whether sudo would let it be done at all, asked before people are
 * session.c   open and close of sessions
 * delivery.c  who waits is told when nobody can have been reached
 * exact.c     sudo's plugin: behind its account phase, and what rules let through of sudo
 * replay.c    the ledger read again at start
 * record.c    records, refusals counted, receipts
 * control.c   the D-Bus interface */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include "helper/call.h"
#include "helper/context.h"
#include "helper/spool.h"
#include "helper/units.h"
#include "helper/verify.h"
#include "helper/worker.h"
#include "lib/clock.h"
#include "lib/code.h"
#include "lib/digest.h"
#include "lib/gate.h"
#include "lib/id.h"
#include "lib/ledger.h"
#include "lib/policy.h"

enum state {
	STATE_PENDING,   /* waits for people */
	STATE_GRANTED,   /* approved, not used yet: lives until claim-by */
	STATE_RUNNING,   /* used at least once: lives until the deadline */
	STATE_ENDED,     /* closed, expired in use, revoked */
	STATE_DENIED,
	STATE_EXPIRED,   /* nobody answered, or nobody claimed it */
	STATE_WITHDRAWN,
};
const char *state_string(enum state s);

/* What the rule said when the request was made; it stays, whatever the rules say later. */
struct terms {
	char *rule;
	struct need need;
	enum scope scope;
	uint64_t work_usec, at_most_usec, claim_by_usec;
	enum at_end at_end;
	uint64_t warn_usec, grace_usec;
	bool join_user;
	bool recheck;       /* the rule's checks are looked at again at each use */
	jit_code code; /* an approval must bear it; "": none is wanted.  For the requester's and root's eyes, and nobody else's */
};

struct decision_taken {
	char *person, *principal, *note, *time;
	char *key; /* fingerprint: one key counts once, whatever names certificates give it */
	enum strength strength;
	bool approve;
	struct decision_taken *next;
};

/* One process that runs under a grant. */
struct use {
	struct request *request;
	pid_t pid, ppid;
	uint64_t start;
	int pidfd;               /* -1 once closed */
	sd_event_source *watch;  /* the pidfd: readable when the process is gone */
	char *tty, *session;     /* session: the logind session to end with the grant (sshd) */
	char *conn;              /* sshd: the connection, as `conn` of lib/gate.h names it; NULL */
	bool attached, confirmed, closed;
	uint64_t opened_real;
	uint64_t expected_until; /* sshd: boot usec until which another process may come for the session; 0 */
	struct use *next;
};

struct request {
	struct request *next;
	struct jitd *jitd;
	jit_id id;
	enum state state;
	char *outcome;       /* words of the last change, for people */
	struct call *call;
	char *document;
	char digest[SHA256_HEX + 1];
	struct terms terms;
	char **requesters;   /* persons that stand behind the call, NULL-terminated: never their own approver */
	uint64_t created, answer_by, claim_by, deadline; /* boot usec; created is 0 after a restart */
	uint64_t created_real, deadline_real;
	struct decision_taken *decisions;
	struct use *uses;
	struct client *waiting; /* clients of the gate that wait for this request */
	sd_event_source *clock; /* the next of its deadlines */
	struct json_object *checks; /* their results when it was asked; NULL: the rule has none, or of an earlier life */
	unsigned tries_total;
	struct tries { char *principal; unsigned n; struct tries *next; } *tries;
	unsigned receipts;
	bool kept;           /* granted, and claim-by was told to systemd: see lives_keep() */
	bool armed;          /* slice and timer stand for the deadline in force */
	unsigned warned;     /* warnings given */
	bool stale;          /* from another boot */
	bool delivered;      /* the courier has said so, for words */
	uint64_t retry_at;   /* a record could not be written: try again then; 0: nothing to retry */
	bool ending;         /* the deadline has come: nothing new, processes are being ended */
};

/* Why a request is not with the hub, or nothing can come back. */
enum delivery {
	DELIVERY_FINE, DELIVERY_NO_COURIER, DELIVERY_UNREADABLE, DELIVERY_UNCONFIGURED, DELIVERY_REFUSED, DELIVERY_UNREACHABLE,
	DELIVERY_NOT_TAKEN, DELIVERY_NOT_TAKEN_WHY
};

struct checks;
struct client;
typedef void (*client_step)(struct client *c);

/* What a client knows, or waits to know, of its rule's checks. */
struct checking {
	int ticket;                  /* of checks_start(); 0: none */
	struct json_object *results; /* NULL: not yet */
	uint64_t at;                 /* boot usec of RESULTS */
	unsigned runs;
	const char *moment;          /* that they were looked at for */
	client_step go_on;
	sd_event_source *quiet;
};

struct jitd {
	sd_event *event;
	char boot[BOOT_ID_LEN + 1], machine[BOOT_ID_LEN + 1];
	const char *confdir;
	char *host;            /* as the rules call it, also while there are none */
	struct policy *policy; /* NULL: no rules in force */
	struct conf_errors policy_errors;
	uint64_t policy_loaded; /* real usec */
	uint64_t started;       /* real usec */
	struct request *requests; /* newest first; settled ones are kept for a day, at most SETTLED_MAX */
	struct ledger *ledger;  /* NULL: cannot be opened, see no_ledger; then nothing passes */
	struct why no_ledger;
	struct why not_recorded; /* why the last record could not be written; "": it could */
	unsigned ledger_tries;
	struct units *units;
	struct worker *worker;
	struct contexts *contexts;
	struct verify *verify;
	struct checks *checks;
	struct inbox *inbox;
	struct notes *notes;
	struct gate *gate;
	struct control *control;
	struct refusal *refusals;
	struct denials *denials;
	unsigned denials_others, refusals_others; /* of those that are too many to be told apart */
	struct sudoers *sudoers;
	struct journal *untold, **untold_end; /* the journal's messages that wait until the answer is out */
	sd_event_source *teller;
	sd_event_source *delivery; /* the next look at the courier's status; NULL: nobody waits */
	struct allowed_login *allowed; /* ssh logins that a rule let through, until their session opens */
	struct allowed_sudo *allowed_sudo; /* processes of sudo that a rule let through, until their session opens */
	struct identity_cache *identities;
	bool replaying;
};

#define SETTLED_MAX 500
#define TRIES_MAX 8
#define USES_MAX 256

/* ---- request.c ---- */
struct request *request_free(struct request *r);
void decision_free(struct decision_taken *d);
/* Unlinks and frees R. */
void request_forget(struct request *r);
struct request *request_find(struct jitd *j, const char *id);
bool request_live(const struct request *r); /* pending, granted or running */
/* What is asked for besides what the rule says of itself. */
struct asked {
	uint64_t work_usec;         /* 0: what the rule gives */
	const struct need *need;    /* the rule's, or more */
	struct json_object *checks; /* their results; NULL: none */
	const struct context *gathered; /* what goes into its context; NULL: nothing */
};
/* Terms and document of a new request; *RET is not yet in the list and nothing is recorded.  -errno with words. */
int request_new(struct jitd *j, struct call *call, const struct rule *rule, const struct asked *a, struct request **ret,
	struct why *w);
/* From the `requested` record. */
int request_restore(struct jitd *j, struct json_object *record, struct request **ret, struct why *w);
struct json_object *request_record(const struct request *r); /* the fields of the `requested` record */
/* The whole of it for `show`, with the code only when WITH_CODE: for the requester and root.  NULL: out of memory. */
struct json_object *request_json(struct request *r, bool with_code);
/* What the requester is told of the code, a line to stand behind others: "\nID: …"; "" when the rule wants none. */
#define CODE_WORDS_MAX 128
const char *request_code_words(const struct request *r, char buf[static CODE_WORDS_MAX]);
/* The persons whose yes could count, by their keys in the approvers file: "1 of sre (bob, carol)". */
char *request_whom(const struct request *r);
char *request_command(const struct request *r, size_t max); /* one escaped line for people */
bool request_is_requester(const struct request *r, const char *person);
/* Would NEED be met if everybody but the requesters agreed with their strongest key? */
bool request_satisfiable(const struct policy *p, const struct need *need, char *const *requesters);
void terms_done(struct terms *t);

/* ---- record.c ---- */
/* Appends to the ledger and to the journal.  FIELDS is taken.  0 or -errno with words; nothing may follow from a failure
 * but a refusal, unless the event only closes privilege. */
int record(struct jitd *j, enum jit_event event, const char *id, struct json_object *fields, struct why *w);
/* A refusal: recorded at once, then at most once a minute per (where, reason) with a count.  True: recorded now. */
bool record_refusal(struct jitd *j, const char *where, const char *id, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* A denial by RULE: true when it is to be recorded with its call, which are some a minute of each (uid, rule); else it is
 * counted, and the minute ends with a `denied` record that has their number and no call. */
bool record_denial_whole(struct jitd *j, uid_t uid, const char *user, const char *rule);
void record_flush(struct jitd *j, bool all);
void record_tell(struct jitd *j); /* what the journal has not heard yet */
/* A signed receipt for the approvers. */
void receipt(struct request *r, const char *event, const char *approver, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- lives.c ---- */
/* Puts R (taken) among the requests, arms its clock, writes it to the outbox.  -errno with words: nobody is asked. */
int lives_begin(struct request *r, struct why *w);
/* A vote that was verified: recorded, counted; settles the request when it can. */
int lives_vote(struct request *r, struct decision_taken *d, struct json_object *fields, uint64_t work_usec, int scope, struct why *w);
/* Grants R if its need is met (also after replay). */
void lives_evaluate(struct request *r);
/* CLIENT (whose call matches) is to be let go under the grant R: recorded, timer and scope confirmed, then the verdict. */
void lives_use(struct request *r, struct client *c);
/* C waited for R, which is not pending any more: it is let go under R, or told why not. */
void lives_let_in(struct request *r, struct client *c);
/* What is left of that when all that is looked at before has been found as it was.  C waits among R's clients. */
void lives_let_go(struct request *r, struct client *c);
/* The open use of R that C's process has already, from before jitd was restarted; NULL. */
struct use *lives_own_use(struct request *r, const struct client *c);
/* Has C's process, or another of its ssh connection, been let go under R before? */
bool lives_has_used(struct request *r, const struct client *c);
/* R is granted and nobody is about to use it: it keeps until claim-by. */
void lives_keep(struct request *r);
/* The grant that C may use now, or NULL.  RULE decides the call: a grant serves only calls that its own rule decides, so that a wide
 * scope under a mild rule opens nothing that a stricter rule keeps.  DIGEST: the call's digest is known, so command grants
 * can be compared. */
struct request *lives_match(const struct client *c, const struct rule *rule, bool digest);
/* The grant for the words of C but for other files than stand there now, or NULL: its use is refused with that difference. */
struct request *lives_match_changed(const struct client *c, const struct rule *rule);
/* The grant under which this very process was let go already, and its use; NULL. */
struct request *lives_of(const struct client *c, struct use **ret_use);
void lives_withdraw(struct request *r, const char *by);
/* BY: a person, an account or jitd.  SIGNED_FIELDS is taken: of a signed revocation, what is recorded with it, or NULL. */
void lives_revoke(struct request *r, const char *by, const char *text, struct json_object *signed_fields);
/* The deadline has come, or a note says that jit-expire acted: everything of the grant is ended. */
void lives_end(struct request *r, enum jit_event event, const char *cause);
void lives_close_use(struct use *u, const char *how);
void lives_clock(struct request *r); /* arms the clock for the next deadline */
/* After the replay: re-arms, re-opens, ends what is due. */
void lives_resume(struct request *r);
int use_watch(struct use *u); /* pidfd and its watch; -ESRCH when the process is gone */
/* The login U, judged in a child of P, goes on in P: recorded, watched.  -errno with words: it must not. */
int use_move(struct use *u, const struct process *p, struct why *w);
bool use_alive(const struct use *u);
/* When systemd ends a use's scope by itself; USEC_INFINITY: never, since what drains may finish. */
uint64_t use_last_resort(const struct request *r);
void grant_publish(struct request *r); /* the grant's file for jit-expire */

/* ---- account.c ---- */
void account_begin(struct client *c, const struct gate_in *in);
void account_answer(struct client *c, const struct gate_in *in);
void account_look(struct client *c, const struct gate_in *in); /* the answer to a look */
void account_cancel(struct client *c); /* the client goes away: tickets, waiting */
/* The files behind the call are read, as the caller sees them: a ticket of the worker, or -errno. */
int account_read_file(struct client *c, const struct call *k, worker_file_done done);
/* When C, which waits for its request from NOW on, is held no longer; boot usec. */
uint64_t account_hold_end(const struct client *c, uint64_t now);
/* Goes on with C from what is known by now; every step that must wait comes back here. */
void account_judge(struct client *c);
void identities_free(struct jitd *j);

/* ---- account-checks.c ---- */
/* What RULE comes to for CALL of C by its checks: false and RET.  True: they are being looked at, and GO_ON follows; or C
 * had its verdict.  MOMENT ("ask", "execute") is told to programs, and results of one are none of the other. */
bool checking_wait(struct client *c, const struct rule *rule, const struct call *call, const char *moment, client_step go_on,
	struct checked *ret);
/* C is refused by a check, with its words; RECORD_OF_CALL is taken and becomes the record of it, NULL: there is none. */
void checking_refuse(struct client *c, const struct rule *rule, struct json_object *record_of_call);
/* The words of it, without the rule: "the check load<8: load is 9.1". */
char *checking_refusal(const struct rule *rule, struct json_object *results);
/* … and of what raises the need: "load<8: load is 9.1". */
char *checking_escalation(const struct rule *rule, struct json_object *results);
void checking_done(struct checking *k, struct checks *checks);
/* What exec: programs are told.  New object; NULL: out of memory. */
struct json_object *check_facts(const struct jitd *j, const struct facts *f, const char *rule, const char *reason, const char *moment);

/* ---- sudoers.c ---- */
/* True: C was not asked for ahead, or sudo would run it.  False: sudo is being asked and account_judge() comes again, or
 * C has its verdict and is gone. */
bool sudoers_settled(struct client *c);
void sudoers_cancel(struct client *c);

/* ---- session.c ---- */
/* Keyboard-interactive logins are judged in a child of the process that opens the session: an `allow` is kept for it. */
void session_allow(struct client *c, const char *user);
void session_open(struct client *c, const struct gate_in *in);
void session_close(struct client *c, const struct gate_in *in);

/* ---- exact.c ---- */
/* A rule lets C through, a call of sudo: kept for the phases that come.  False: the same rule had let this process through as
 * the same account already, or what it starts: nothing to be recorded. */
bool exact_allow(struct client *c, const char *rule);
/* True: a rule has let this sudo through as another account, and C was refused. */
bool exact_refused(struct client *c);
/* RULE wants people for C.  True: its process was let go already by its account phase, or C is what a command starts: C has its
 * answer, or gets it.  False: nobody was asked yet. */
bool exact_settle(struct client *c, const struct rule *rule);
/* May this process open a session as USER because a rule let it through?  Once. */
bool exact_session(struct client *c, const char *service, const char *user);

/* ---- delivery.c ---- */
#define DELIVERY_WORDS_MAX 320
/* How it stands with R, which is pending, in words to stand behind its id; "" when there is nothing to say. */
enum delivery delivery_trouble(struct request *r, char buf[static DELIVERY_WORDS_MAX]);
/* A client begins to wait: it is told when nobody can be reached, and when that changes. */
void delivery_watch(struct jitd *j);

/* ---- gate.c ---- */
struct gate;
struct client {
	struct gate *gate;
	struct jitd *jitd;
	int fd;
	sd_event_source *io, *timer, *work;
	enum {
		CLIENT_NEW, CLIENT_WORKING, CLIENT_ASKED, CLIENT_WAITING,
		CLIENT_LOOKING, /* waits, and has a prompt to press Enter at: refused at once, let in only when that has come */
		CLIENT_RELEASING, CLIENT_SESSION
	} state;
	struct process process;   /* who it is, by the kernel */
	struct call *call;
	int ticket;               /* of the worker; 0: none */
	struct context *context;  /* what is being learnt of the host for a new request; NULL */
	struct checking checking;
	unsigned reasons_asked;
	bool looks;               /* it can be asked to look again, as far as we know */
	char *conn;               /* sshd: the connection; NULL */
	uint64_t began, waits_since;   /* boot usec: it came; it waits for people */
	enum delivery delivery;        /* what it was told of that, */
	unsigned delivery_changes;     /* … how often */
	uint64_t hold_until, asked_at; /* boot usec: the end of Hold=, 0 before the first wait; the last question to look */
	bool file_read, account_known; /* call->file is what could be had; PAM_USER has a uid */
	uint64_t file_turn;       /* the turn of the event loop in which call->file was read */
	unsigned step;            /* of what is looked at before a use (release.c): the next one */
	bool step_waits;          /* the one before it is not done yet */
	struct identity found;    /* what stood there when that was looked at */
	char *found_note;         /* words on it for the record; NULL */
	void *bus;                /* a call from the bus that asks ahead: the message to answer (control.c) */
	struct sudoers_question *question; /* to sudo, under way; NULL: none */
	bool sudoers_let;         /* sudo said that it would run this */
	uint64_t work_usec;       /* asked for by it; 0: what the rule gives */
	jit_id waited;            /* the request that this call says it waited for; "" */
	bool quiet;               /* what it is told, it was told before */
	bool busy;                /* over a quota: its first word is answered with that */
	struct request *request;  /* what it waits for */
	struct client *next_waiting;
	struct client *next;
};
int gate_open(struct jitd *j, int fd, struct gate **ret); /* FD: passed by systemd, or -1 */
struct gate *gate_close(struct gate *g);
/* Sends the verdict and closes; C is freed. */
void client_verdict(struct client *c, enum gate_result result, const struct request *grant, const char *target,
	bool session, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void client_progress(struct client *c, const char *id, uint64_t wait, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A client without a socket, for a call from the bus; P and CALL are taken. */
struct client *gate_client_for_bus(struct gate *g, struct process *p, struct call *call, void *bus);
/* `ask` for a reason, answered within WAIT; `ask` to look, with the clocks as they are. */
void client_ask(struct client *c, uint64_t wait, const char *prompt);
void client_look(struct client *c, uint64_t wait, const char *prompt);
/* From here on jitd works for C, to judge its call or to release it.  Until the state changes C is told so every two
 * seconds, so the module never gives up (GATE_FIRST_WAIT_USEC) while a worker, a check or systemd is waited for. */
void client_work(struct client *c, bool releasing);
void client_unwait(struct client *c);
unsigned gate_clients(const struct gate *g);

/* ---- intake.c ---- */
void intake_envelope(const struct envelope *e, const char *name, const char *words, void *jitd);
bool intake_note(const jit_id id, const char *text, void *jitd);

/* ---- replay.c ---- */
int replay_record(struct json_object *line, const char *text, size_t len, void *jitd);
void replay_finish(struct jitd *j);

/* ---- control.c ---- */
int control_new(struct jitd *j, struct control **ret);
struct control *control_free(struct control *c);
/* Answers the bus call that C stands for, and frees nothing of C. */
void control_answer(struct client *c, enum gate_result result, const struct request *r, const char *text);
void control_changed(struct jitd *j, const struct request *r);

/* ---- main.c ---- */
int jitd_reload(struct jitd *j); /* 0; -EINVAL: the old rules stay, policy_errors says why */
void jitd_fd_keep(const struct use *u); /* into systemd's descriptor store */
void jitd_fd_drop(const struct use *u);
int jitd_fd_take(pid_t pid, uint64_t start); /* a pidfd that survived the restart; -1 */
