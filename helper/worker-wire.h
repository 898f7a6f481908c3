/* What jitd and jit-worker say to each other over a SOCK_SEQPACKET pair: one JSON object a datagram, one question at a
 * time, one answer to each.  With "file" and "lookup" may come a descriptor: the root directory in which their paths are meant.
 *
 *	{"n":ticket,"do":"account","name":bytes}
 *	{"n","do":"identity","uid":N}
 *	{"n","do":"file","path":bytes,"search"?:[bytes]}
 *	{"n","do":"lookup","name":bytes,"cwd"?:bytes,"search":[bytes]}
 *	{"n","do":"terminal","tty":"pts/3","uid":N,"text":"…"}
 *	{"n","do":"flush"}
 *	→ {"n","errno":0,…}: "uid" | "name","groups"?:[names] | "identity":{…} (identity.h) | "path":bytes
 */
#pragma once

#define WORKER_FD 3
#define WORKER_MESSAGE_MAX (128 * 1024)
#define WORKER_FILE_MAX (256 * 1024 * 1024)
