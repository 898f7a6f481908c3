/* The client's side of lib/gate.h, for the modules that live in sudo, su and sshd: say who asks for what, wait, show, obey.
 * libc only.  A module runs as root in another's process, often with the user's real uid: no static state, no descriptor
 * kept over a return, no disposition changed, mask and errno restored, and every value that decides begins as a refusal.
 * How the host program speaks to its user and to the log is the module's (struct jit_host). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/clock.h"
#include "lib/gate.h"
#include "lib/id.h"

/* The bounds, in microseconds.  A test build puts its own in their place. */
#ifdef JIT_KNOBS
#include JIT_KNOBS
#else
#define JIT_SOCKET GATE_SOCKET
#define JIT_SERVER_UID ((uid_t)0)
#define JIT_REAL_UID() getuid()
#define JIT_CMDLINE "/proc/self/cmdline"
#define JIT_FIRST_WAIT GATE_FIRST_WAIT_USEC
#define JIT_GRACE (5 * USEC_PER_SEC)     /* on top of the `wait` that jitd announced */
#define JIT_CEILING (15 * USEC_PER_MIN)  /* nobody waits longer in account */
#define JIT_RETRY_FOR (30 * USEC_PER_SEC) /* how long a jitd that went away may stay away */
#define JIT_RETRY_FIRST (USEC_PER_SEC / 10)
#define JIT_RETRY_MOST USEC_PER_SEC
#define JIT_OPEN_WAIT (5 * USEC_PER_SEC)
#define JIT_CLOSE_WAIT USEC_PER_SEC
#endif

#define JIT_LINE_MAX 1024  /* bytes of one line from jitd, of a reason, of an answer */
#define JIT_LINES_MAX 8    /* lines of one text from jitd */
#define JIT_TEXT_MAX (JIT_LINES_MAX * (JIT_LINE_MAX + 1))
#define JIT_WORDS_MAX 2000 /* messages in one talk: more is a jitd gone mad */
#define JIT_PROMPTS_MAX 8  /* questions in one talk, where the answer matters; looks are bounded by JIT_WORDS_MAX */
#define JIT_KEPT_MAX (4 * JIT_LINE_MAX)

enum jit_kind {
	KIND_NONE,  /* no opinion */
	KIND_SUDO,  /* sudo sudo-i */
	KIND_SU,    /* su su-l */
	KIND_SSHD,  /* sshd */
	KIND_NAMED, /* another one that service= names */
};

enum jit_style { SHOW_INFO, SHOW_ERROR };

struct jit;

/* The host program.  None of these may be NULL, none may change the answer to a request. */
struct jit_host {
	/* One line for the user, without newline. */
	void (*show)(struct jit *j, enum jit_style style, const char *line);
	/* Asks, with what is typed visible.  0 with a new string in RET, or NULL when nothing was answered; -EINTR when the
	 * prompt was broken off. */
	int (*ask)(struct jit *j, const char *prompt, char **ret);
	/* One line for the system's log; PRIORITY as in syslog(3). */
	void (*log)(struct jit *j, int priority, const char *line);
};

/* One call of the host program into the module. */
struct jit {
	const struct jit_host *host;
	void *side;     /* the module's own, for its struct jit_host */
	enum jit_kind kind;
	const char *service, *user, *ruser, *tty, *rhost; /* as PAM calls them; NULL when unset or empty */
	bool terminal;  /* what is said is seen at once: progress may be shown */
	bool prompt;    /* and a question may be asked there */
	bool unsure;    /* sshd: only asking tells whether a question reaches anybody */
	bool announced; /* without a terminal: the one line at the start is out */
	bool gone;      /* nobody is there any more: say nothing */
	char kept[JIT_KEPT_MAX]; /* sshd: progress, to be shown with the next question; "" */
};

/* What jitd has said in the end, or what we say for it. */
struct jit_verdict {
	enum gate_result result;
	jit_id id;             /* "" when there is none */
	uint64_t deadline;     /* CLOCK_BOOTTIME; 0: none */
	char boot[BOOT_ID_LEN + 1];
	char target[256];      /* "" when not said */
	bool session;
	char text[JIT_TEXT_MAX]; /* "" when not said; unfiltered */
};

/* ---- facts.c ---- */

/* JIT_REASON as the requester's environment has it; NULL. */
const char *facts_reason(const struct jit *j);
/* Does the title of this process, argument 0 as it stands now, end in WORDS? */
bool facts_title_ends(const char *words);
/* The connection that sshd serves: its socket, or -1.  CONN, if not NULL, gets its name for jitd. */
#define CONN_MAX 160
int facts_connection(const struct jit *j, char conn[CONN_MAX]);
/* Every `arg` and, where the command line is too long or cannot be read, cut=yes; sets j->prompt for sudo. */
void facts_put_args(struct jit *j, struct gate_out *o);
/* service and user; ruser, tty and conn where they are set. */
void facts_put_who(const struct jit *j, struct gate_out *o);
void facts_put_claims(const struct jit *j, struct gate_out *o);
/* A descriptor above 2: the host may run with 0 to 2 closed.  FD itself, a copy of it in its place, or -errno. */
int fd_above_stdio(int fd);

/* ---- message.c ---- */

#define MESSAGE_FMT(a, b) __attribute__((format(printf, a, b)))

/* Our own words, one line: progress for a terminal, and what the user must learn in any case. */
void say(struct jit *j, const char *fmt, ...) MESSAGE_FMT(2, 3);
void say_error(struct jit *j, const char *fmt, ...) MESSAGE_FMT(2, 3);
/* For the system's log; PRIORITY as in syslog(3). */
void say_log(struct jit *j, int priority, const char *fmt, ...) MESSAGE_FMT(3, 4);
/* jitd's words, filtered: progress, and the text of a verdict. */
void show_progress(struct jit *j, const char *text);
void show_verdict(struct jit *j, const struct jit_verdict *v);
/* Asks.  0 with a new string in RET (NULL: no answer); -EINTR when the prompt was broken off. */
int show_prompt(struct jit *j, const char *text, char **ret);
/* What is said for a result when jitd said nothing. */
const char *result_words(enum gate_result r);

/* ---- wait.c ---- */

enum woke { WOKE_TICK, WOKE_DATA, WOKE_LEAVE };
enum leave { LEAVE_NOT, LEAVE_INTERRUPT, LEAVE_HANGUP, LEAVE_TERMINATED, LEAVE_CLIENT_GONE };

struct watch; /* opaque here, so that nobody else polls */
struct watch *watch_begin(struct jit *j);  /* blocks the signals; NULL: no memory */
struct watch *watch_end(struct watch *w);  /* restores the signal mask; always NULL */
/* Waits for FD (or -1) until UNTIL (CLOCK_MONOTONIC), at most a second.  W may be NULL: then only FD and the time count. */
enum woke watch_wait(struct watch *w, int fd, uint64_t until);
enum leave watch_cause(const struct watch *w);
/* The host's own mask for the time of a prompt. */
void watch_pause(struct watch *w);
void watch_resume(struct watch *w);

/* ---- talk.c ---- */

/* Puts what a call is about into its opening message; may set j->prompt, which is sent behind it as `interactive`. */
typedef void (*talk_put)(struct jit *j, struct gate_out *o);
/* The whole account talk, opened by a message of TYPE.  V always holds a verdict afterwards. */
void talk_account(struct jit *j, const char *type, talk_put put, struct jit_verdict *v);
/* `open` or `close`, answered within LIMIT microseconds.  ID, SESSION may be NULL. */
void talk_session(struct jit *j, const char *type, const char *id, const char *session, uint64_t limit,
	struct jit_verdict *v);

/* ---- verdict.c ---- */

/* A verdict's fields into V.  -EPROTO for anything that is not exactly one; V is then a refusal. */
int verdict_read(const struct gate_in *in, struct jit_verdict *v);
/* A verdict of our own. */
void verdict_own(struct jit_verdict *v, enum gate_result result, const char *fmt, ...) MESSAGE_FMT(3, 4);
/* False once the deadline has passed, or when it is of another boot, or when neither can be told. */
bool verdict_timely(uint64_t deadline, const char *boot);
