/* The gate protocol, between pam_jit.so or sudo_jit.so (client) and jitd (server).  This header is the protocol.
 *
 * Socket    /run/jit/gate.sock, AF_UNIX, SOCK_SEQPACKET, root 0600.  Both ends check that the other's euid is 0.
 * Message   one datagram: fields "key=value", each ended by one NUL byte.  The first field is v=1, the second type=….
 *           At most GATE_MAX bytes and GATE_FIELDS fields.  A key is 1..32 of [a-z-].  A value is bytes without NUL.
 *           `arg` and `run` may be repeated and keep their order; any other key stands once.  Unknown keys are skipped; an
 *           unknown type, another version, a doubled key, a missing last NUL: the server closes that client.
 * Numbers   decimal, no sign.  Times are microseconds; a deadline is CLOCK_BOOTTIME and comes with its boot id.
 * Trust     what the client says is a claim.  Who it is, jitd takes from the kernel (credentials, /proc, pidfd).
 *
 * One connection carries one of two talks.
 *
 *  account:   C account → S ( progress | ask C answer )* → S verdict → close
 *             C may send `leave` at any time before the verdict, or just close: the request stays pending.
 *  approval:  C approval → … as account.  For a process whose account phase was asked already there is no second request:
 *             the verdict says whether what will run is what was let go.
 *  session:   C open → S verdict → close;      C close → S verdict → close
 *
 * client messages
 *   account   service user                  PAM_SERVICE, PAM_USER (sudo: the invoker; su, sshd: the target/login)
 *             [ruser tty rhost]             PAM items, absent when unset
 *             [command]                     SUDO_COMMAND as sudo set it (account phase only), services sudo sudo-i
 *             arg…                          /proc/self/cmdline without argv[0]
 *             [cut=yes]                     the command line was longer than GATE_ARGS_MAX: arg is incomplete
 *             [reason]                      JIT_REASON, a claim
 *             interactive=yes|no|try        is there a terminal on which the module could prompt; try (sshd): only asking
 *                                           tells, the client may be asked by keyboard-interactive, or nobody
 *             [conn]                        sshd: names the connection, "local-addr:port remote-addr:port"
 *             [id]                          asked again after a lost connection: the request that this call waited for
 *   approval  service user [tty]            sudo_jit.so, sudo's approval plugin: what sudo is about to run; user: the invoker
 *             arg…                          the words behind "sudo" as they were typed, options too
 *             own=N                         how many of them are sudo's own
 *             [cut=yes]                     as above
 *             kind=command|shell|login|edit
 *             command                       the path that sudo will run (edit: the editor)
 *             [run…]                        its argv, where it is not arg from N on
 *             [target]                      the account it will run as; absent: sudo did not say
 *             [cwd]                         where it will run, if sudo changes that
 *             [odd]                         words for what never matches an `allow`: environment group chroot directory …
 *             [inner=yes]                   sudo intercepts what a command that was let go starts: nobody is asked
 *             [reason] interactive=yes|no
 *             [id]                          as above
 *   answer    [text]                        what the user typed for the last `ask`; absent: nothing could be asked, nor
 *                                           can anything later
 *   leave     cause=interrupt|hangup|terminated|client-gone
 *   open      service user                  PAM_USER of the session: the real target
 *             [ruser tty session conn]      session: XDG_SESSION_ID after pam_systemd; conn as above
 *             [id]                          the grant that the verdict named (absent for an `allow`)
 *   close     service user [id]
 *
 * server messages
 *   progress  text                          one or more lines ('\n' between) for the user, escaped
 *             [id] wait                     usec until the server will have said something else; id absent: about no
 *                                           request, "looking at the command": shown on a terminal only
 *   ask       what=reason text wait         prompt; asked only when interactive=yes or try
 *             what=look text wait           only when interactive=try, where progress is seen with a prompt only: "press
 *                                           Enter to look again".  While it is out the client may be gone for long, so
 *                                           the server may send progress and a verdict that refuses, never one that
 *                                           allows.  The client hears what has come meanwhile before it answers.
 *   verdict   result                        one of GATE_RESULTS
 *             [text]                        one or more lines ('\n' between), escaped
 *             [id]                          request id
 *             [deadline boot]               of the grant; past it the module refuses
 *             [target]                      the account that this verdict is about; session with another is refused
 *             [session=yes]                 `open` must be reported and confirmed before the session may begin
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GATE_SOCKET "/run/jit/gate.sock"
#define GATE_VERSION "1"
#define GATE_MAX (64 * 1024)
#define GATE_FIELDS 256
#define GATE_ARGS_MAX (32 * 1024) /* a longer command line cannot be shown and signed whole: refused */
#define GATE_FIRST_WAIT_USEC UINT64_C(5000000) /* the module waits this long for a first word, then: unreachable */

/* Results.  The string is the protocol; the value is the module's and is compared for equality only: it is sparse so
 * that no slip of a bit or a stray 1 reads as "allow".  (name, wire, value) */
#define GATE_RESULTS(X)                                                                                       \
	X(GATE_ALLOW, "allow", 0x5a3c96e1)           /* go on: a rule allows, a grant is live, or it was approved */ \
	X(GATE_DENIED, "denied", 0x11)               /* a rule or a person said no */                                \
	X(GATE_PENDING, "pending", 0x12)             /* Hold= is over; the request stays: run it again when approved */ \
	X(GATE_TIMED_OUT, "timed-out", 0x13)         /* nobody answered before answer-by */                          \
	X(GATE_CANCELLED, "cancelled", 0x14)         /* withdrawn by the requester */                                \
	X(GATE_UNREACHABLE, "unreachable", 0x15)     /* jitd cannot do its work: no systemd, no disk for the record */ \
	X(GATE_MISCONFIGURED, "misconfigured", 0x16) /* no rules in force */                                         \
	X(GATE_BUSY, "busy", 0x17)                   /* a quota */                                                   \
	X(GATE_REFUSED, "refused", 0x18)             /* this call cannot be judged: cut command, target mismatch … */

#define X(name, wire, value) name = value,
enum gate_result { GATE_RESULTS(X) };
#undef X

const char *gate_result_string(enum gate_result r);
/* GATE_UNREACHABLE for an unknown word. */
enum gate_result gate_result_parse(const char *wire);

/* Building.  A message that outgrows its buffer is remembered as bad; gate_finish() then returns -EMSGSIZE. */
struct gate_out {
	char *buf;
	size_t size, len;
	unsigned fields;
	int error;
};
void gate_begin(struct gate_out *o, char *buf, size_t size, const char *type); /* writes v and type */
void gate_put(struct gate_out *o, const char *key, const char *value);         /* NULL value: nothing is written */
void gate_put_bytes(struct gate_out *o, const char *key, const char *value, size_t len);
void gate_put_u64(struct gate_out *o, const char *key, uint64_t value);
ssize_t gate_finish(struct gate_out *o); /* length, or -EMSGSIZE, -EINVAL (NUL in a value, bad key) */

/* Reading: an index into the caller's buffer, nothing is copied or allocated. */
struct gate_in {
	const char *type;
	unsigned fields;
	const char *key[GATE_FIELDS];   /* NUL-terminated: '=' is overwritten */
	const char *value[GATE_FIELDS]; /* NUL-terminated */
};
/* Parses LEN bytes at BUF (changed in place).  0, -EPROTO (malformed), -EPROTONOSUPPORT (version). */
int gate_parse(char *buf, size_t len, struct gate_in *in);
const char *gate_get(const struct gate_in *in, const char *key); /* NULL when absent */
int gate_get_u64(const struct gate_in *in, const char *key, uint64_t *ret); /* -ENOENT, -EINVAL */
/* The values of every KEY (`arg`, `run`), in order.  ARGV must hold GATE_FIELDS pointers.  Returns the count. */
unsigned gate_get_all(const struct gate_in *in, const char *key, const char **argv);
