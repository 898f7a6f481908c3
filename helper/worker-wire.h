/* What jitd and jit-worker say to each other over a SOCK_SEQPACKET pair: one JSON object a datagram, one question at a
 * time, one answer to each.
 *
 *	{"n":ticket,"do":"account","name":bytes}
 *	{"n","do":"identity","uid":N}
 *	{"n","do":"file","path":bytes}
 *	{"n","do":"lookup","name":bytes,"cwd"?:bytes,"search":[bytes]}
 *	{"n","do":"terminal","tty":"pts/3","uid":N,"text":"…"}
 *	{"n","do":"flush"}
 *	→ {"n","errno":0,…}: "uid" | "name","groups"?:[names] | "sha256","dev","ino","size","interpreter"?:bytes | "path":bytes
 */
#pragma once

#define WORKER_FD 3
#define WORKER_MESSAGE_MAX (128 * 1024)
#define WORKER_FILE_MAX (256 * 1024 * 1024)
