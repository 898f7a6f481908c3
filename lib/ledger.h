/* The ledger: /var/lib/jit/ledger/NNNNNNNNNNNNNNNN.jsonl, one JSON object a line:
 *	{"seq":N,"prev":"hex of SHA-256 of the line before, without its newline","time":RFC 3339,"boot":id,"clock":boot usec,
 *	 "event":name, …fields of the event}
 * seq counts from 1 over all files; the first line's prev is 64 zeros.  A new file begins when one is LEDGER_FILE_MAX long;
 * names are the first seq in 16 decimal digits.  Only jitd writes, under a lock held for life.  Beside the files stand
 * `lock` and `reserve`; other names are ignored. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/digest.h"
#include "lib/event.h"
#include "lib/why.h"

#define LEDGER_DIR "/var/lib/jit/ledger"
#define LEDGER_LINE_MAX (256 * 1024) /* with its newline */
#define LEDGER_FILE_MAX (64 * 1024 * 1024)
#define LEDGER_RESERVE (4 * 1024 * 1024) /* a file of this size is kept, and given up for the last records when the disk is full */

struct ledger_head {
	uint64_t seq; /* of the last line; 0: empty */
	char hash[SHA256_HEX + 1]; /* 64 zeros: empty */
};

/* Reading and checking, for replay, `jitctl audit` and auditors.  Calls HANDLER (may be NULL) for every whole line in
 * order.  TORN is set when the very last line lacks its newline or is not JSON (a crash in mid-write); any other break is
 * -EBADMSG with words that name file and line.  HANDLER's negative return ends the reading with that value.  Memory is
 * bounded by LEDGER_LINE_MAX.  What was changed in the very last line only shows in the head. */
typedef int (*ledger_handler)(struct json_object *line, const char *text, size_t len, void *userdata);
int ledger_read(int dirfd, ledger_handler handler, void *userdata, struct ledger_head *ret_head, bool *ret_torn,
	struct why *w);

/* Writing (jitd). */
struct ledger;
/* Opens and locks DIR (made 0700 when missing), checks the chain (calling HANDLER), cuts a torn last line and records
 * that (event repaired: file, cut, sha256), keeps the reserve.  A broken chain: 0 is returned, HANDLER has seen the lines
 * up to the break, ledger_broken() is true; nothing that stands there is touched, and what is appended goes to a new file.
 * -EWOULDBLOCK: another jitd has the lock. */
int ledger_open(const char *dir, ledger_handler handler, void *userdata, struct ledger **ret, struct why *w);
struct ledger *ledger_close(struct ledger *l);
/* True when the chain was broken at ledger_open, or when a failed record could not be cut off again or a sync failed
 * (then every append is -EIO until the ledger is opened anew). */
bool ledger_broken(const struct ledger *l, struct why *w);
/* Appends one record; FIELDS (may be NULL) is taken (also on failure) and gets seq, prev, time, boot, clock, event in
 * front.  SYNC: on disk before return.  On any failure the file is cut back to what it was, nothing is chained, and -errno
 * says why (-ENOSPC, -EROFS, -EIO, -EMSGSIZE, -EINVAL …).
 *
 * Events that open privilege (requested, allowed, granted, opened, used) are refused with -EBADMSG on a broken chain and
 * with -ENOSPC while the reserve is given up and there is no room to take it again.  Events that close privilege
 * (closed, expired, revoked, withdrawn, denied, refused, leftover, repaired) give the reserve up when the disk is full. */
int ledger_append(struct ledger *l, enum jit_event event, struct json_object *fields, bool sync, struct why *w);
/* Gives the reserve up: 0, or -ENOENT when there is none. */
int ledger_release_reserve(struct ledger *l);
const struct ledger_head *ledger_head(const struct ledger *l);
