/* What travels between host, hub and approver: an envelope around the exact bytes of a document.
 *
 *	{"v":1,"type":"request|decision|revoke|receipt|question|check","document":"…","signature":"-----BEGIN SSH SIGNATURE-----…"}
 *
 * `document` is a JSON document as a string: its exact bytes are what is digested and signed.  `signature` stands in
 * decision, revoke and receipt.  At most ENVELOPE_MAX bytes in all.
 *
 * request   {"v":1,"id","nonce","host","machine","boot","user","uid","target","service","tty"?,"remote"?,"session"?,
 *            "argv":[bytes…],"command"?:bytes,"binary"?:bytes,"binary_sha256"?,
 *            "interpreters"?:[{"path":bytes,"sha256"?}],"cwd"?:bytes,"reason"?,"marks":[…],
 *            "rule","scope":"command|session|service","covers"?:["/usr/bin/psql *",…],"covers_more"?:N,"for":seconds,
 *            "need":"1 of sre","match"?:true,"teams":{"sre":["bob","carol"]},
 *            "context":{…},"checks":[…],"created":RFC 3339,"answer_by":RFC 3339}
 *           `argv` is the command without the host program's own options; `command` is how SUDO_COMMAND had it;
 *           `marks` are words such as "target-unknown", "disagreement", "environment", "script",
 *           "writable" (others than root can change the file that will run, or put another in its place).
 *           `interpreters`: what runs `binary` where that is a script, the first of them first (and behind env(1) the program
 *           that it will find).  No digest, no "sha256": it could not be read.  The host looks at all of these files again
 *           before a use is let go.
 *           `match`: an approval must bear the code that stands on the requester's terminal; the code itself is in no document
 *           of the host's.
 *           `covers`, where the scope is `service`: the commands of the rule, all of which an approval opens; none: any.
 *           `teams` names the principals that may answer, so that the hub knows whom to show it.
 *           `context` is for people and never the ground of a decision: left out altogether where the request would be too
 *           long with it.  What could not be learnt is left out and named, in `late` what was not known in time, in
 *           `unknown` what could not be found out; commands and outcomes are escaped lines, other texts are bytes:
 *           {"ticket"?,"package"?:{"state":"shipped|changed|unlisted|none","name"?,"version"?},
 *            "last"?:[{"id","age":seconds,"command","target","outcome"}…],
 *            "similar"?:{"total":N,"approved":N,"denied":N,"unanswered":N,"pending":N,"last"?:{"by","verdict","age"}},
 *            "users"?:[{"name","sessions":N,"tty"?,"from"?,"age"?:seconds,"requester"?:true}…],"users_more"?:N,
 *            "failed_units"?:{"count":N,"names":[…]},"load"?,"cpus"?:N,"memory_available_mib"?:N,"up":seconds,
 *            "late"?:[…],"unknown"?:[…]}
 *           `checks` are what the rule looked at before anybody was asked, each
 *            {"check":"load<8","effect":"refuse|inform|escalate","need"?:"2 of sre","by":"host|courier","holds":bool,
 *            "text":"load is 9.1"}; `need` is what an escalation adds, and is within the request's need when it does not hold.
 * decision  {"v":1,"request","digest","host","verdict":"approve|deny","approver":principal,"for"?:seconds,"scope"?,
 *            "code"?:"417","note"?,"time":RFC 3339}   digest is SHA-256 (hex) of the request document's bytes.
 *            namespace decision@pam-jit.  `for`, `scope` only narrow; absent means as asked.
 *            `code` stands in an approval where the request says `match`: three digits, told by the requester.
 * revoke    {"v":1,"request","digest","host","verdict":"revoke","approver","note"?,"time"}  same namespace.
 * receipt   {"v":1,"host","request","seq","event","text","approver"?,"head":ledger head hex,"time"}
 *            signed with the host's key, namespace receipt@pam-jit.  `event` is one of: received (jitd took a
 *            decision), refused (a decision counted for nothing, or a use of the grant was refused; text says why), granted,
 *            denied, applied (first use: the requester's command was let go), expired, revoked, withdrawn, unclaimed, closed.
 * question  {"v":1,"id":32 hex digits,"host","url","within":seconds}   between jitd and the courier only: what the URL
 *            says.  Unsigned, and gone from the outbox once it is answered or its time is over.
 * check     {"v":1,"question":id,"status":HTTP status or 0,"text"}   the answer, unsigned: the first line of the body, or
 *            why there is none.  It counts for the open question of that id, once; it can refuse or raise a need, never allow.
 */
#pragma once
#include <stddef.h>
#include <json-c/json.h>
#include "lib/why.h"

#define ENVELOPE_MAX (64 * 1024)
#define NS_DECISION "decision@pam-jit"
#define NS_LOGIN "login@pam-jit"
#define NS_RECEIPT "receipt@pam-jit"

struct envelope {
	char *type;
	char *document; /* exact bytes, NUL-terminated */
	size_t document_len;
	char *signature; /* NULL when absent */
};

void envelope_done(struct envelope *e); /* frees the members; accepts a zeroed one */
/* Parses and checks the form (known type, known members only, signature exactly where it belongs).  -EINVAL, -EFBIG with words. */
int envelope_parse(const char *text, size_t len, struct envelope *ret, struct why *w);
/* The JSON text of an envelope.  Caller frees.  NULL with errno: ENOMEM; EINVAL, not UTF-8; EFBIG, beyond ENVELOPE_MAX. */
char *envelope_format(const char *type, const char *document, const char *signature);
