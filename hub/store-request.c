/* The SQLite store: requests, what is queued for hosts, receipts. */
#include <errno.h>
#include <string.h>
#include "hub/store-sqlite.h"

/* Whose envelopes fill a page? */
struct page {
	size_t rows, bytes;
};

static bool page_takes(struct page *p, const char *envelope)
{
	size_t len = strlen(envelope);

	if (p->rows && (p->rows >= STORE_PAGE || p->bytes + len > STORE_PAGE_BYTES))
		return false;
	p->rows++;
	p->bytes += len;
	return true;
}

/* The request's row number.  1, 0 when there is none, -errno. */
static int request_no(struct store *s, const char *host, const char *id, uint64_t *ret)
{
	return db_u64_of(s, db_bind(s, S_REQUEST_FIND, "tt", host, id), ret);
}

/* Takes LEN bytes of the host's share. */
static int grow(struct store *s, const char *host, size_t len)
{
	uint64_t bytes = 0;
	int r = db_u64_of(s, db_bind(s, S_HOST_BYTES, "t", host), &bytes);

	if (r >= 0 && bytes + len > STORE_BYTES_MAX)
		return -EDQUOT;
	return r < 0 ? r : db_run(s, db_bind(s, S_HOST_GROW, "ti", host, (uint64_t)len));
}

/* Gives the request the next number, so that lists after a number show it again. */
static int touch(struct store *s, uint64_t no)
{
	int r = db_run(s, db_bind(s, S_COUNT_UP, ""));

	if (r >= 0)
		r = db_run(s, db_bind(s, S_REQUEST_TOUCH, "i", no));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_VIEWER_TOUCH, "i", no));
	return r;
}

static int set_settled(struct store *s, uint64_t no, uint64_t when)
{
	int r = db_run(s, db_bind(s, S_REQUEST_SETTLE, "ii", no, when));

	if (r >= 0)
		r = db_run(s, db_bind(s, S_VIEWER_OPEN, "ii", no, (uint64_t)(when == 0)));
	if (r >= 0)
		r = touch(s, no);
	return r;
}

static int put_again(struct store *s, const struct stored_request *q, sqlite3_stmt *st)
{
	bool same = !strcmp(db_text(st, 1), q->envelope), settled = db_u64(st, 2) != 0;
	uint64_t no = db_u64(st, 0);
	int r;

	sqlite3_reset(st);
	if (!same)
		return -EEXIST;
	r = settled ? set_settled(s, no, 0) : 0;
	return r < 0 ? r : 0;
}

static int put_new(struct store *s, const struct stored_request *q, char *const *viewers, uint64_t now)
{
	uint64_t open = 0, kept = 0, no;
	int r;

	r = db_u64_of(s, db_bind(s, S_REQUEST_OPEN, "ti", q->host, now), &open);
	if (r >= 0)
		r = db_u64_of(s, db_bind(s, S_REQUEST_KEPT, "t", q->host), &kept);
	if (r >= 0 && (open >= STORE_PENDING_MAX || kept >= STORE_KEPT_MAX))
		return -EDQUOT;
	if (r >= 0)
		r = grow(s, q->host, strlen(q->envelope));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_COUNT_UP, ""));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_REQUEST_ADD, "ttttii", q->host, q->id, q->envelope, q->digest, q->received,
			q->until));
	no = (uint64_t)sqlite3_last_insert_rowid(s->db);
	for (; r >= 0 && *viewers; viewers++)
		r = db_run(s, db_bind(s, S_VIEWER_ADD, "it", no, *viewers));
	return r < 0 ? r : 1;
}

int store_request_put(struct store *s, const struct stored_request *q, char *const *viewers, uint64_t now)
{
	sqlite3_stmt *st;
	int r = db_begin(s);

	if (r < 0)
		return r;
	st = db_bind(s, S_REQUEST_FIND, "tt", q->host, q->id);
	r = db_row(s, st);
	if (r > 0)
		r = put_again(s, q, st);
	else if (r == 0)
		r = put_new(s, q, viewers, now);
	return db_end(s, r);
}

int store_request_settle(struct store *s, const char *host, const char *id, uint64_t now)
{
	sqlite3_stmt *st;
	uint64_t no;
	bool settled;
	int r = db_begin(s);

	if (r < 0)
		return r;
	st = db_bind(s, S_REQUEST_FIND, "tt", host, id);
	r = db_row(s, st);
	if (r > 0) {
		no = db_u64(st, 0);
		settled = db_u64(st, 2) != 0;
		sqlite3_reset(st);
		r = settled ? 0 : set_settled(s, no, now);
		r = r < 0 ? r : !settled;
	}
	return db_end(s, r);
}

static sqlite3_stmt *list_statement(struct store *s, const struct store_query *q)
{
	if (q->id)
		return db_bind(s, S_REQUEST_ONE, "ttt", q->id, q->host, q->viewer);
	if (q->pending)
		return db_bind(s, S_REQUEST_PENDING, "tii", q->viewer, q->after, q->now);
	return db_bind(s, S_REQUEST_ALL, "ti", q->viewer, q->after);
}

int store_request_list(struct store *s, const struct store_query *q, store_request_fn fn, void *userdata, bool *ret_more)
{
	sqlite3_stmt *st = list_statement(s, q);
	struct page page = { 0 };
	bool more = false;
	int r;

	while ((r = db_row(s, st)) > 0) {
		struct stored_request row = {
			.host = db_text(st, 0), .id = db_text(st, 1), .envelope = db_text(st, 2),
			.digest = db_text(st, 3), .received = db_u64(st, 4), .until = db_u64(st, 5),
			.settled = db_u64(st, 6), .n = db_u64(st, 7),
		};
		more = !page_takes(&page, row.envelope);
		r = more ? 0 : fn(&row, userdata);
		if (more || r < 0)
			break;
	}
	sqlite3_reset(st);
	if (r < 0)
		return r;
	if (ret_more)
		*ret_more = more;
	return (int)page.rows;
}

int store_request_viewers(struct store *s, const char *host, const char *id, store_name_fn fn, void *userdata)
{
	sqlite3_stmt *st = db_bind(s, S_REQUEST_VIEWERS, "tt", host, id);
	int r;

	while ((r = db_row(s, st)) > 0) {
		r = fn(db_text(st, 0), userdata);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}

static int item_add(struct store *s, const struct stored_item *i, uint64_t no)
{
	uint64_t n = 0;
	int r = db_u64_of(s, db_bind(s, S_ITEM_SAME, "itt", no, i->approver, i->envelope), &n);

	if (r != 0)
		return r < 0 ? r : 0;
	r = db_u64_of(s, db_bind(s, S_ITEM_COUNT, "it", no, i->approver), &n);
	if (r >= 0 && n >= STORE_ITEMS_MAX)
		return -EDQUOT;
	if (r >= 0)
		r = db_run(s, db_bind(s, S_HOST_NEXT, "t", i->host));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_ITEM_ADD, "tittttt", i->host, no, i->type, i->approver, i->verdict, i->time,
			i->envelope));
	if (r >= 0)
		r = touch(s, no);
	return r < 0 ? r : 1;
}

int store_item_put(struct store *s, const struct stored_item *i)
{
	uint64_t no;
	int r = db_begin(s);

	if (r < 0)
		return r;
	r = request_no(s, i->host, i->id, &no);
	r = r < 0 ? r : r == 0 ? -ENOENT : item_add(s, i, no);
	return db_end(s, r);
}

static int items(struct store *s, sqlite3_stmt *st, store_item_fn fn, void *userdata)
{
	struct page page = { 0 };
	int r;

	while ((r = db_row(s, st)) > 0) {
		struct stored_item row = {
			.host = db_text(st, 0), .id = db_text(st, 1), .n = db_u64(st, 2), .type = db_text(st, 3),
			.approver = db_text(st, 4), .verdict = db_text(st, 5), .time = db_text(st, 6),
			.envelope = db_text(st, 7),
		};
		r = 0;
		if (!page_takes(&page, row.envelope))
			break;
		r = fn(&row, userdata);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r < 0 ? r : (int)page.rows;
}

static int lift(struct store *s, const char *host, uint64_t by)
{
	int r = db_begin(s);

	if (r < 0)
		return r;
	r = db_run(s, db_bind(s, S_ITEM_LIFT, "t", host));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_ITEM_LIFTED, "ti", host, by));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_HOST_LIFT, "ti", host, by));
	return db_end(s, r);
}

int store_item_inbox(struct store *s, const char *host, uint64_t after, store_item_fn fn, void *userdata)
{
	uint64_t last = 0;
	int r = db_u64_of(s, db_bind(s, S_HOST_LAST, "t", host), &last);

	if (r >= 0 && after > last && after < STORE_N_MAX - last)
		r = lift(s, host, after);
	return r < 0 ? r : items(s, db_bind(s, S_ITEM_INBOX, "ti", host, after), fn, userdata);
}

int store_item_list(struct store *s, const char *host, const char *id, store_item_fn fn, void *userdata)
{
	return items(s, db_bind(s, S_ITEM_LIST, "tt", host, id), fn, userdata);
}

static int receipt_add(struct store *s, const struct stored_receipt *t)
{
	sqlite3_stmt *st = db_bind(s, S_RECEIPT_FIND, "tt", t->host, t->name);
	uint64_t no = 0, n = 0;
	bool same;
	int r = db_row(s, st);

	if (r > 0) {
		same = !strcmp(db_text(st, 0), t->envelope);
		sqlite3_reset(st);
		return same ? 0 : -EEXIST;
	}
	if (r == 0)
		r = request_no(s, t->host, t->id, &no);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = db_u64_of(s, db_bind(s, S_RECEIPT_COUNT, "i", no), &n);
	if (r >= 0 && n >= STORE_RECEIPTS_MAX)
		return -EDQUOT;
	if (r >= 0)
		r = grow(s, t->host, strlen(t->envelope));
	if (r >= 0)
		r = db_run(s, db_bind(s, S_RECEIPT_ADD, "ittti", no, t->host, t->name, t->envelope, t->received));
	if (r >= 0)
		r = touch(s, no);
	return r < 0 ? r : 1;
}

int store_receipt_put(struct store *s, const struct stored_receipt *t)
{
	int r = db_begin(s);

	return r < 0 ? r : db_end(s, receipt_add(s, t));
}

int store_receipt_list(struct store *s, const char *host, const char *id, uint64_t after, store_receipt_fn fn,
	void *userdata)
{
	sqlite3_stmt *st = db_bind(s, S_RECEIPT_LIST, "tti", host, id, after);
	int r;

	while ((r = db_row(s, st)) > 0) {
		struct stored_receipt row = {
			.host = db_text(st, 0), .id = db_text(st, 1), .name = db_text(st, 2), .n = db_u64(st, 3),
			.envelope = db_text(st, 4), .received = db_u64(st, 5),
		};
		r = fn(&row, userdata);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}
