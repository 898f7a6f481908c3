/* What reading and writing of the ledger share; nobody else includes this. */
#pragma once
#include <sys/types.h>
#include "lib/ledger.h"

#define LEDGER_NAME_LEN 22 /* "0000000000000001.jsonl" */
#define LEDGER_SEQ_MAX UINT64_C(9999999999999999)

/* Where a reading ended. */
struct ledger_scan {
	struct ledger_head head;
	char file[LEDGER_NAME_LEN + 1]; /* the last file; "" when there is none */
	off_t good;                     /* its bytes up to the end of the last whole line */
	bool torn;
	uint64_t torn_len;              /* bytes behind `good`, and their SHA-256 */
	char torn_hash[SHA256_HEX + 1];
};

void ledger_name(uint64_t seq, char name[static LEDGER_NAME_LEN + 1]);
void ledger_head_empty(struct ledger_head *h);
int ledger_scan(int dirfd, ledger_handler handler, void *userdata, struct ledger_scan *ret, struct why *w);
/* After a break: the head to go on from, so that what follows is chained to the last line as it stands.  No file of
 * that name or a later one exists. */
int ledger_scan_broken(int dirfd, struct ledger_head *ret, struct why *w);

/* For tests: smaller files than LEDGER_FILE_MAX, and another pause between two tries to take the reserve again. */
void ledger_tune(struct ledger *l, off_t file_max, uint64_t reserve_pause_usec);
