/* What the hub remembers.  This interface is all that the rest knows of a store; store-sqlite.c is the one for a single
 * hub.  Every call that changes something has it on disk when it returns.  Times are real microseconds.  Secrets and
 * tokens come as their SHA-256 and are never stored otherwise.  Errors: negative errno; -EIO stands for everything that
 * the engine says (it is logged there). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/digest.h"
#include "lib/why.h"

#define STORE_PENDING_MAX 2000      /* pending requests of one host */
#define STORE_KEPT_MAX 20000        /* all of its requests that are kept */
#define STORE_BYTES_MAX (UINT64_C(256) << 20) /* of its requests and receipts that are kept */
#define STORE_ITEMS_MAX 16          /* decisions and revocations of one approver for one request */
#define STORE_RECEIPTS_MAX 256      /* receipts of one request */
#define STORE_SESSIONS_MAX 64       /* sessions of one approver; the oldest goes first */
#define STORE_PAGE 200              /* rows in one answer */
#define STORE_PAGE_BYTES (512 * 1024) /* and their envelopes' bytes; at least one row is given */
#define STORE_N_MAX ((UINT64_C(1) << 53) - 1)

struct store;

/* Opens or makes the file PATH.  -EPROTO with words when a newer hub made it. */
int store_open(const char *path, struct store **ret, struct why *w);
struct store *store_close(struct store *s);

struct stored_host {
	const char *name;
	const char *machine; /* NULL: not enrolled yet */
	const char *key;
	uint64_t token_until; /* 0: no token is out */
	uint64_t seen;        /* 0: never */
};
typedef int (*store_host_fn)(const struct stored_host *h, void *userdata); /* a negative return ends the listing */

/* A new one-time token for NAME, known or not; a former token dies, a live enrollment goes on. */
int store_host_offer(struct store *s, const char *name, const uint8_t token[static SHA256_LEN], uint64_t until);
/* Spends the token.  -EACCES: unknown, spent, expired at NOW, or another host's. */
int store_host_enroll(struct store *s, const uint8_t token[static SHA256_LEN], const char *name, const char *machine,
	const char *key, const uint8_t secret[static SHA256_LEN], uint64_t now);
/* The host with this secret: a malloc'ed name and when it was seen last.  -ENOENT when nobody. */
int store_host_find(struct store *s, const uint8_t secret[static SHA256_LEN], char **ret_name, uint64_t *ret_seen);
int store_host_seen(struct store *s, const char *name, uint64_t now);
int store_host_list(struct store *s, store_host_fn fn, void *userdata);
/* Forgets the host and all that it sent. -ENOENT. */
int store_host_remove(struct store *s, const char *name);

struct stored_request {
	const char *host, *id;
	const char *envelope;
	const char *digest; /* of the document, hex */
	uint64_t received;
	uint64_t until;   /* pending at most until then */
	uint64_t settled; /* 0: not by the host */
	uint64_t n;       /* grows with every change of any request */
};
typedef int (*store_request_fn)(const struct stored_request *r, void *userdata);
typedef int (*store_name_fn)(const char *name, void *userdata);

/* 1: new; 0: was there with the same envelope (a settled one is pending again); -EEXIST: other bytes under this id;
 * -EDQUOT: STORE_PENDING_MAX, STORE_KEPT_MAX or STORE_BYTES_MAX. VIEWERS is NULL-terminated. */
int store_request_put(struct store *s, const struct stored_request *r, char *const *viewers, uint64_t now);
/* 1: settled now; 0: nothing to do. */
int store_request_settle(struct store *s, const char *host, const char *id, uint64_t now);
struct store_query {
	const char *viewer; /* only what this principal may see; NULL: no such bound */
	const char *host;   /* NULL: any */
	const char *id;     /* NULL: any */
	bool pending;       /* only pending ones */
	uint64_t after;     /* only n > after */
	uint64_t now;
};
/* In order of n, one page.  Returns the number of rows given; RET_MORE tells whether others follow. */
int store_request_list(struct store *s, const struct store_query *q, store_request_fn fn, void *userdata, bool *ret_more);
/* Who may see a request. */
int store_request_viewers(struct store *s, const char *host, const char *id, store_name_fn fn, void *userdata);

struct stored_item {
	const char *host, *id;
	uint64_t n; /* counts per host; set by the store */
	const char *type, *approver, *verdict, *time;
	const char *envelope;
};
typedef int (*store_item_fn)(const struct stored_item *i, void *userdata);
/* Queues for the host.  1: new; 0: the same was queued before; -ENOENT: no such request; -EDQUOT: STORE_ITEMS_MAX. */
int store_item_put(struct store *s, const struct stored_item *i);
/* What HOST has to collect after N, one page.  Returns the number of rows.  When a host stands further than the store,
 * the store came from an old copy: what may still matter is numbered anew behind the host's cursor, so that nothing new
 * hides before it.  Something may come twice then, which a host can tell. */
int store_item_inbox(struct store *s, const char *host, uint64_t after, store_item_fn fn, void *userdata);
int store_item_list(struct store *s, const char *host, const char *id, store_item_fn fn, void *userdata);

struct stored_receipt {
	const char *host, *id, *name;
	uint64_t n; /* counts over all */
	const char *envelope;
	uint64_t received;
};
typedef int (*store_receipt_fn)(const struct stored_receipt *r, void *userdata);
/* 1: new; 0: the same again; -EEXIST: other bytes; -ENOENT: no such request; -EDQUOT: STORE_RECEIPTS_MAX or STORE_BYTES_MAX. */
int store_receipt_put(struct store *s, const struct stored_receipt *r);
int store_receipt_list(struct store *s, const char *host, const char *id, uint64_t after, store_receipt_fn fn,
	void *userdata);

int store_session_put(struct store *s, const uint8_t token[static SHA256_LEN], const char *principal, const char *key,
	uint64_t until);
/* -ENOENT when unknown or over at NOW.  Both strings are malloc'ed. */
int store_session_find(struct store *s, const uint8_t token[static SHA256_LEN], uint64_t now, char **ret_principal,
	char **ret_key);

/* Removes requests received before OLDEST with all that hangs on them, and what is over at NOW. */
int store_prune(struct store *s, uint64_t oldest, uint64_t now);
