/* The module under a real libpam: one call sequence in a process of its own, against a fake jitd in another.  What the
 * module must leave as it found it (descriptors, signal mask, dispositions) is compared on every run. */
#pragma once
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "tests/pam/fake.h"
#include "tests/pam/knobs.h"

#define SAID_MAX 64

/* One message of the conversation: "I:" PAM_TEXT_INFO, "E:" PAM_ERROR_MSG, "P:" a prompt; then the text. */
struct outcome {
	int code;                  /* of the last phase that ran */
	int auth, account, opened, closed; /* -1: has not run */
	volatile unsigned n_said;
	char said[SAID_MAX][1100];
	bool left_alone;           /* descriptors, mask, dispositions as before */
	char changed[256];
	bool killed;               /* the process ended itself by SIGKILL */
	int signal;                /* it was ended by this signal */
	int fake;                  /* exit status of the fake jitd; 0: the scenario was followed */
	volatile pid_t pid;        /* of the process that the module is in */
	volatile pid_t parent;     /* its parent, when run.orphan */
	volatile uid_t server_uid; /* whom the module takes for jitd */
	uint64_t usec;             /* how long the account phase took */
};

struct run {
	const char *service, *user;
	const char *session_user;  /* PAM_USER is changed to it before the session, as sudo does */
	const char *tty, *ruser, *rhost;
	const char *args, *session_args; /* of the lines in the PAM file */
	const char *auth_args;     /* of the auth line: pam_authenticate() comes first, and account only behind its success */
	const char *auth_info;     /* SSH_AUTH_INFO_0 in the PAM environment, as sshd sets it */
	const char *cmdline;       /* words with '|' between; default "sudo|id" */
	const char *environment[8]; /* "A=b" of the process */
	const char *sudo_command;  /* as sudo's own getenv() answers; NULL: sudo has none */
	bool real;                 /* the module as installed, not the test build */
	bool permit;               /* pam_permit.so stands behind it, so that PAM_IGNORE shows */
	bool look;                 /* look.c stands behind it in session */
	bool warm;                 /* libpam has loaded its modules before anything is counted */
	bool lenient;              /* the fake may be left in the middle of its scenario */
	bool root;                 /* the requester's real uid is 0 */
	bool wrong_server;         /* another uid than root's listens */
	bool full_queue;           /* as many connections as listen() takes are waiting, all of them dead */
	bool no_server;
	bool dead_socket;          /* no_server: its socket is still there */
	bool stdio_pipes;          /* 1 and 2 are pipes; the fake holds the other ends */
	bool terminal;             /* a pty is the controlling terminal and 0 to 2; the fake holds the master */
	bool tcp;                  /* a connected TCP socket, as in sshd; the fake holds the other end */
	bool orphan;               /* run.parent may be killed */
	bool no_stdio;             /* 0 to 2 are closed */
	bool own_handlers;         /* SIGINT … have handlers, as in sudo; else they kill, as in su */
	bool ignore_hup;           /* nohup */
	bool account, open, close; /* which phases; none: account */
	unsigned slow_prompt;      /* usec until it is typed */
	const char *typed;         /* the answer to a prompt; NULL: the prompt fails */
	unsigned answers;          /* so many prompts are answered, then they fail; 0: all of them */
	const struct fake_step *steps;
	void (*tune)(struct pam_jit_knobs *k);
	void (*before)(pam_handle_t *pamh); /* between account and session, in the module's process */
	int (*instead)(const struct run *r); /* of libpam: another host program's calls; gives outcome.code */
	const void *what;          /* what INSTEAD is about */
};

extern struct outcome *outcome; /* of the latest run, shared between the processes */

/* For run.instead: a message was shown; what was typed, malloc'ed, or NULL when the prompt fails. */
void harness_shown(char kind, const char *text);
char *harness_typed(void);

/* What a step of the fake may do to the client. */
void harness_signal(int signo);
void harness_stop(void); /* SIGSTOP, and it has stopped */
void harness_continue(void);
void harness_await_said(unsigned n); /* until N messages were shown */
bool harness_has_fd(int fd); /* does the client? */
void harness_impostor(void); /* from now on another uid listens */
void harness_close_pipe(void);
void harness_hangup(void);
void harness_close_pipes(void);
void harness_close_tcp(void);
void harness_kill_parent(void);
unsigned harness_handled(void); /* signals that the client's own handlers have seen */

int harness_setup(void **state);
int harness_teardown(void **state);
const struct outcome *harness_run(const struct run *r);
/* Did the conversation hold a message that begins so?  "I:waiting" */
bool harness_said(const char *start);
bool harness_said_part(const char *part);
const char *harness_boot(void);
