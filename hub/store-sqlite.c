/* The store in one SQLite file: write-ahead log, every commit synced, every statement prepared at open. */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "hub/store.h"
#include "hub/store-sqlite.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define BUSY_MS 5000

#define SQL(name, text) [S_##name] = (text),
static const char *const sql_text[] = {
#include "hub/store-sql.def"
};
#undef SQL

#define STEP(version, text) { version, text },
static const struct {
	int version;
	const char *sql;
} steps[] = {
#include "hub/store-schema.def"
};
#undef STEP

int db_error(struct store *s, const char *doing)
{
	int code = sqlite3_errcode(s->db);

	log_error("store: %s: %s", doing, sqlite3_errmsg(s->db));
	return code == SQLITE_FULL ? -ENOSPC : code == SQLITE_NOMEM ? -ENOMEM : -EIO;
}

sqlite3_stmt *db_bind(struct store *s, enum sql which, const char *types, ...)
{
	sqlite3_stmt *st = s->st[which];
	va_list ap;
	int r = SQLITE_OK;

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	va_start(ap, types);
	for (int i = 1; *types && r == SQLITE_OK; types++, i++) {
		if (*types == 't')
			r = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		else if (*types == 'b')
			r = sqlite3_bind_blob(st, i, va_arg(ap, const void *), SHA256_LEN, SQLITE_STATIC);
		else
			r = sqlite3_bind_int64(st, i, (sqlite3_int64)va_arg(ap, uint64_t));
	}
	va_end(ap);
	if (r != SQLITE_OK)
		(void)db_error(s, "bind");
	return r == SQLITE_OK ? st : NULL;
}

int db_run(struct store *s, sqlite3_stmt *st)
{
	int r = st ? sqlite3_step(st) : SQLITE_NOMEM;
	int changed = sqlite3_changes(s->db);

	if (r != SQLITE_DONE && r != SQLITE_ROW)
		r = db_error(s, st ? sqlite3_sql(st) : "statement");
	else
		r = changed;
	if (st)
		sqlite3_reset(st);
	return r;
}

int db_row(struct store *s, sqlite3_stmt *st)
{
	int r = st ? sqlite3_step(st) : SQLITE_NOMEM;

	if (r == SQLITE_ROW)
		return 1;
	if (r != SQLITE_DONE)
		r = db_error(s, st ? sqlite3_sql(st) : "statement");
	else
		r = 0;
	if (st)
		sqlite3_reset(st);
	return r;
}

const char *db_text_null(sqlite3_stmt *st, int column)
{
	return (const char *)sqlite3_column_text(st, column);
}

const char *db_text(sqlite3_stmt *st, int column)
{
	const char *text = db_text_null(st, column);

	return text ? text : "";
}

uint64_t db_u64(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}

int db_begin(struct store *s)
{
	int r = db_run(s, db_bind(s, S_BEGIN, ""));

	return r < 0 ? r : 0;
}

int db_end(struct store *s, int result)
{
	int r;

	if (result >= 0) {
		r = db_run(s, db_bind(s, S_COMMIT, ""));
		if (r >= 0)
			return result;
		result = r;
	}
	if (!sqlite3_get_autocommit(s->db))
		(void)db_run(s, db_bind(s, S_ROLLBACK, ""));
	return result;
}

int db_u64_of(struct store *s, sqlite3_stmt *st, uint64_t *ret)
{
	int r = db_row(s, st);

	if (r > 0) {
		*ret = db_u64(st, 0);
		sqlite3_reset(st);
	}
	return r;
}

static int exec(struct store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(s, "set-up");
}

static int user_version(struct store *s, int *ret)
{
	sqlite3_stmt *st = NULL;
	int r = -EIO;

	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
		*ret = sqlite3_column_int(st, 0);
		r = 0;
	}
	sqlite3_finalize(st);
	return r < 0 ? db_error(s, "user_version") : 0;
}

/* Brings the schema to this program's version, all steps in one transaction. */
static int migrate(struct store *s, const char *path, struct why *w)
{
	int last = steps[ELEMENTS(steps) - 1].version, have = 0, r;
	char pragma[64];

	r = exec(s, "BEGIN IMMEDIATE");
	if (r >= 0)
		r = user_version(s, &have);
	if (r >= 0 && have > last)
		r = why(w, -EPROTO, "%s was made by a newer jit-hub (schema %d, this one knows %d)", path, have, last);
	for (size_t i = 0; r >= 0 && i < ELEMENTS(steps); i++)
		if (steps[i].version > have)
			r = exec(s, steps[i].sql);
	if (r >= 0 && have < last) {
		snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", last);
		r = exec(s, pragma);
	}
	if (r >= 0)
		r = exec(s, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(s->db))
		(void)exec(s, "ROLLBACK");
	return r;
}

static int prepare(struct store *s)
{
	for (int i = 0; i < S_COUNT; i++)
		if (sqlite3_prepare_v3(s->db, sql_text[i], -1, SQLITE_PREPARE_PERSISTENT, &s->st[i], NULL) != SQLITE_OK)
			return db_error(s, sql_text[i]);
	return 0;
}

static int open_db(struct store *s, const char *path, struct why *w)
{
	/* Waits for another process (jit-hub host …) instead of failing; its transactions are short. */
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
		"PRAGMA secure_delete = ON") < 0)
		return why(w, -EIO, "%s: %s", path, sqlite3_errmsg(s->db));
	return migrate(s, path, w);
}

int store_open(const char *path, struct store **ret, struct why *w)
{
	struct store *s = calloc(1, sizeof(*s));
	mode_t before;
	int r;

	if (!s)
		return why(w, -ENOMEM, "out of memory");
	before = umask(0077);
	r = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (r != SQLITE_OK)
		r = why(w, -EIO, "%s: %s", path, s->db ? sqlite3_errmsg(s->db) : "out of memory");
	else {
		why(w, 0, "%s: cannot be set up", path);
		r = open_db(s, path, w);
	}
	umask(before);
	if (r >= 0)
		r = prepare(s);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	for (int i = 0; i < S_COUNT; i++)
		sqlite3_finalize(s->st[i]);
	sqlite3_close(s->db);
	free(s);
	return NULL;
}

int store_host_offer(struct store *s, const char *name, const uint8_t token[static SHA256_LEN], uint64_t until)
{
	int r = db_run(s, db_bind(s, S_HOST_OFFER, "tbi", name, token, until));

	return r < 0 ? r : 0;
}

int store_host_enroll(struct store *s, const uint8_t token[static SHA256_LEN], const char *name, const char *machine,
	const char *key, const uint8_t secret[static SHA256_LEN], uint64_t now)
{
	int r = db_run(s, db_bind(s, S_HOST_ENROLL, "btttbi", token, name, machine, key, secret, now));

	return r < 0 ? r : r == 0 ? -EACCES : 0;
}

int store_host_find(struct store *s, const uint8_t secret[static SHA256_LEN], char **ret_name, uint64_t *ret_seen)
{
	sqlite3_stmt *st = db_bind(s, S_HOST_FIND, "b", secret);
	int r = db_row(s, st);
	uint64_t seen;
	char *name;

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	name = strdup(db_text(st, 0));
	seen = db_u64(st, 1);
	sqlite3_reset(st);
	if (!name)
		return -ENOMEM;
	*ret_name = name;
	*ret_seen = seen;
	return 0;
}

int store_host_seen(struct store *s, const char *name, uint64_t now)
{
	int r = db_run(s, db_bind(s, S_HOST_SEEN, "ti", name, now));

	return r < 0 ? r : 0;
}

int store_host_list(struct store *s, store_host_fn fn, void *userdata)
{
	sqlite3_stmt *st = db_bind(s, S_HOST_LIST, "");
	int r;

	while ((r = db_row(s, st)) > 0) {
		struct stored_host h = {
			.name = db_text(st, 0),
			.machine = db_text_null(st, 1),
			.key = db_text_null(st, 2),
			.token_until = db_u64(st, 3),
			.seen = db_u64(st, 4),
		};
		r = fn(&h, userdata);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}

int store_host_remove(struct store *s, const char *name)
{
	int r = db_run(s, db_bind(s, S_HOST_REMOVE, "t", name));

	return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

int store_session_put(struct store *s, const uint8_t token[static SHA256_LEN], const char *principal, const char *key,
	uint64_t until)
{
	int r = db_begin(s);

	if (r < 0)
		return r;
	r = db_run(s, db_bind(s, S_SESSION_ADD, "btti", token, principal, key, until));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_SESSION_TRIM, "ti", principal, (uint64_t)STORE_SESSIONS_MAX));
	r = db_end(s, r);
	return r < 0 ? r : 0;
}

int store_session_find(struct store *s, const uint8_t token[static SHA256_LEN], uint64_t now, char **ret_principal,
	char **ret_key)
{
	sqlite3_stmt *st = db_bind(s, S_SESSION_FIND, "bi", token, now);
	CLEAN(free_p) char *principal = NULL, *key = NULL;
	int r = db_row(s, st);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	principal = strdup(db_text(st, 0));
	key = strdup(db_text(st, 1));
	sqlite3_reset(st);
	if (!principal || !key)
		return -ENOMEM;
	*ret_principal = STEAL_PTR(principal);
	*ret_key = STEAL_PTR(key);
	return 0;
}

int store_prune(struct store *s, uint64_t oldest, uint64_t now)
{
	int r = db_begin(s);

	if (r < 0)
		return r;
	r = db_run(s, db_bind(s, S_REQUEST_PRUNE, "i", oldest));
	if (r > 0)
		r = db_run(s, db_bind(s, S_HOST_WEIGH, ""));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_VIEWER_PRUNE, "i", now));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_SESSION_PRUNE, "i", now));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_TOKEN_PRUNE, "i", now));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_OFFER_PRUNE, ""));
	r = db_end(s, r);
	return r < 0 ? r : 0;
}
