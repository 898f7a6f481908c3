/* Files for jitd's inbox, in two steps, so that one that is fetched again after a crash is neither lost nor doubled: all are
 * staged under a hidden name and synced, then the cursor is saved, then they are renamed. */
#pragma once
#include <stdint.h>

struct inbox_item {
	const char *type; /* "decision", "revoke", "check" */
	uint64_t n;
};
/* 0 or -errno (-ENOSPC: the inbox is full); nothing is left on failure. */
int inbox_stage(int dirfd, const struct inbox_item *i, const char *text);
int inbox_commit(int dirfd, const struct inbox_item *i);
void inbox_drop(int dirfd, const struct inbox_item *i);
/* Finishes what a former run staged: up to CURSOR it is committed, beyond it will be fetched again. 0 or -errno. */
int inbox_recover(int dirfd, uint64_t cursor);
/* One file at once, of which nothing is kept over a crash.  0 or -errno, nothing is left then. */
int inbox_put(int dirfd, const char *name, const char *text);
