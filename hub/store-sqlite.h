/* Inside the SQLite store only: what its two files share. */
#pragma once
#include <sqlite3.h>
#include "hub/store.h"

#define SQL(name, text) S_##name,
enum sql {
#include "hub/store-sql.def"
	S_COUNT
};
#undef SQL

struct store {
	sqlite3 *db;
	sqlite3_stmt *st[S_COUNT];
};

/* Logs what the engine says and makes it an errno. */
int db_error(struct store *s, const char *doing);
/* A prepared statement with its values: 't' text (may be NULL), 'i' uint64_t, 'b' a SHA-256.  The values must live until it
 * is reset.  NULL on error. */
sqlite3_stmt *db_bind(struct store *s, enum sql which, const char *types, ...);
/* Runs one that gives no rows and resets it.  Rows changed, or -errno. */
int db_run(struct store *s, sqlite3_stmt *st);
/* 1: a row is there, the caller resets when done; 0: no more (reset); -errno (reset). */
int db_row(struct store *s, sqlite3_stmt *st);
/* The first column of the first row.  As db_row, always reset. */
int db_u64_of(struct store *s, sqlite3_stmt *st, uint64_t *ret);
const char *db_text(sqlite3_stmt *st, int column); /* never NULL */
const char *db_text_null(sqlite3_stmt *st, int column);
uint64_t db_u64(sqlite3_stmt *st, int column);
int db_begin(struct store *s);
/* Commits when RESULT is not negative, else rolls back.  RESULT, or why the commit failed. */
int db_end(struct store *s, int result);
