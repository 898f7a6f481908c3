/* What the tests of the ledger share: a folder of their own, a disk that fails when told to, and a few words for what must
 * hold. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include "lib/ledger-scan.h"

#define FIRST "ledger/0000000000000001.jsonl"

/* The calls that are wrapped fail with these errors; 0: they work. */
struct fault {
	int write, ftruncate, fdatasync, fsync, fallocate;
	size_t part; /* of a write: so many bytes are written, and said */
	bool once;   /* the first failing call clears its fault */
};
extern struct fault fault;

/* Setup and teardown of each test: no fault, and a new folder as working directory. */
int begin(void **state);
int end(void **state);

char *slurp(const char *name, size_t *len);
void spill(const char *name, const void *data, size_t len);
struct ledger *must_open(const char *dir);
void close_ledger(struct ledger **l);
struct json_object *fields(const char *key, const char *value);
int append(struct ledger *l, enum jit_event event, const char *id); /* as the event is synced */

struct count {
	unsigned lines, repaired;
	int stop_at; /* -ECANCELED at this line */
	char last[4096];
	uint64_t cut; /* of the last repair */
	char sha256[SHA256_HEX + 1];
};
int count_line(struct json_object *line, const char *text, size_t len, void *count);
int read_dir(const char *dir, struct ledger_head *head, bool *torn, struct count *c, struct why *w);
/* The ledger is whole, has N lines, and its head is HEAD. */
void whole(const char *dir, unsigned n, const struct ledger_head *head);
/* The chain is broken, and the words hold WORD. */
void broken(const char *dir, const char *word);

/* A ledger of six lines in "ledger", and its bytes. */
struct sample {
	char *bytes;
	size_t len, line[16], n; /* where lines begin; line[n] == len */
	struct ledger_head head;
};
void sample_make(struct sample *s);
void sample_done(struct sample *s);
