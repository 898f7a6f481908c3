/* The approver's side: settings, the hub's API, ssh-keygen, the hosts' keys, receipts. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cli/cli.h"
#include "lib/envelope.h"
#include "lib/sshkey.h"

/* settings.c: jitctl.conf(5) */
struct settings {
	char *url, *ca, *pin;
	bool insecure;
	char *principal, *key, *login_key;
	char *hosts; /* ~/.config/jit/hosts */
};
void settings_done(struct settings *s);
/* Reads /etc/jit/jitctl.conf and ~/.config/jit/jitctl.conf, or --conf; every mistake is said.  An exit code. */
int settings_load(const struct cli *c, struct settings *ret);

/* keygen.c: ssh-keygen, with the terminal left to it */
/* Signs DATA with KEY (a private key's file, or a .pub whose key is in the agent).  The armored signature; caller frees. */
int keygen_sign(const char *key, const char *ns, const void *data, size_t len, char **ret, struct why *w);
/* Verifies against SIGNERS (text of an allowed_signers file).  TIME is "YYYYMMDDHHMMSS" in UTC, or NULL: now.  0, -EACCES
 * with ssh-keygen's words, or -errno when it could not be run. */
int keygen_verify(const char *signers, const char *principal, const char *ns, const char *time, const void *data, size_t len,
	const char *signature, struct why *w);

/* hub.c: the hub's API, signed in where that is needed */
struct hub;
int hub_open(const struct settings *s, struct hub **ret); /* an exit code; what went wrong is said */
struct hub *hub_close(struct hub *h);
static inline void hub_p(struct hub **h)
{
	*h = hub_close(*h);
}
/* METHOD is GET or POST; BODY may be NULL; WAIT (seconds) is added to the time that the call may take.  *RET (if wanted) is the
 * object of the answer.  An exit code; what went wrong is said. */
int hub_call(struct hub *h, const char *method, const char *path, struct json_object *body, unsigned wait,
	struct json_object **ret);

/* hosts.c: the keys of hosts that receipts are verified with */
enum host_trust { HOST_KNOWN, HOST_FIRST_SEEN, HOST_CHANGED, HOST_UNKNOWN };
struct host_key {
	enum host_trust trust;
	char *signers; /* one line for ssh-keygen; NULL unless known or first seen */
	char where[256]; /* the file that lists it */
};
void host_key_done(struct host_key *k);
/* The key of HOST: from /etc/jit/known_hosts, then the approver's own file; a host that neither lists is pinned with the key the
 * hub gives, and that is said; a key that the hub gives differently is said loudly. */
int host_key_find(struct hub *h, const struct settings *s, const char *host, struct host_key *ret);

/* receipt.c */
struct receipt {
	struct json_object *doc;
	const char *host, *request, *event, *text, *approver, *head, *time; /* within doc; may be NULL except the first three */
	uint64_t seq;
	bool verified;
	struct why why; /* when not */
};
void receipt_done(struct receipt *r);
/* Reads an envelope of the hub and verifies it.  -EINVAL with words when it cannot be read at all. */
int receipt_read(struct json_object *envelope, const struct host_key *key, struct receipt *ret, struct why *w);
/* "granted on web1: …", or "unverified: …" */
void receipt_say(const struct cli *c, const struct receipt *r);
/* After an answer: says the receipts of host's request ID as they come (numbers after AFTER), until one settles what the answer
 * with VERDICT was for, or the time is up.  An exit code. */
int receipt_follow(const struct cli *c, struct hub *h, const struct host_key *key, const char *host, const char *id,
	const char *approver, const char *verdict, uint64_t after, uint64_t timeout_usec);

/* fetched.c: a request as the hub gives it, judged */
struct fetched {
	struct json_object *outer;    /* the hub's object */
	struct envelope envelope;     /* the exact bytes */
	struct json_object *document; /* parsed */
	char digest[65];
	const char *id, *host; /* within document */
};
void fetched_done(struct fetched *f);
/* Reads one object of /v1/requests: the envelope's exact bytes, their digest, the document's form, and that the hub's words about id
 * and host are the document's.  -EINVAL with words. */
int fetched_read(struct json_object *outer, struct fetched *ret, struct why *w);

/* answer.c: approve, deny, revoke */
int approver_revoke(struct cli *c);
