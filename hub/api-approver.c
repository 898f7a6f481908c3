/* What approvers look at. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "hub/api.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/text.h"

#define RECEIPT_BYTES (512 * 1024) /* of all receipts in one list of requests */

struct listing {
	struct hub *hub;
	struct json_object *array;
	uint64_t now, next;
	size_t receipt_bytes;
	bool cut;
};

/* Adds to an array; O is taken. */
static int push(struct json_object *array, struct json_object *o)
{
	if (o && json_object_array_add(array, o) == 0)
		return 0;
	json_put_p(&o);
	return -ENOMEM;
}

static int add_envelope(struct json_object *o, const char *key, const char *text)
{
	struct json_object *envelope = NULL;
	struct why w;
	int r = json_parse(text, strlen(text), &envelope, &w);

	return r < 0 ? r : json_add(o, key, envelope);
}

static int add_time(struct json_object *o, const char *key, uint64_t usec)
{
	char text[TIME_RFC3339_LEN + 1];

	return json_add_str(o, key, time_rfc3339(usec, text));
}

static int add_decision(const struct stored_item *i, void *userdata)
{
	struct json_object *o = json_object_new_object();

	if (!o || json_add_str(o, "approver", i->approver) < 0 || json_add_str(o, "verdict", i->verdict) < 0 ||
	    json_add_str(o, "time", i->time) < 0) {
		json_put_p(&o);
		return -ENOMEM;
	}
	return push(userdata, o);
}

static int add_receipt(const struct stored_receipt *t, void *userdata)
{
	struct listing *l = userdata;
	struct json_object *envelope = NULL;
	struct why w;
	size_t len = strlen(t->envelope);
	int r;

	if (l->receipt_bytes + len > RECEIPT_BYTES) {
		l->cut = true;
		return 0;
	}
	l->receipt_bytes += len;
	r = json_parse(t->envelope, len, &envelope, &w);
	return r < 0 ? r : push(l->array, envelope);
}

/* The listing's receipts of one request. */
static int add_receipts(struct listing *l, struct json_object *o, const struct stored_request *q)
{
	CLEAN(json_put_p) struct json_object *array = json_object_new_array();
	struct listing part = { .array = array, .receipt_bytes = l->receipt_bytes };
	int r = array ? store_receipt_list(l->hub->store, q->host, q->id, 0, add_receipt, &part) : -ENOMEM;

	l->receipt_bytes = part.receipt_bytes;
	if (r >= 0)
		r = json_add(o, "receipts", STEAL_PTR(array));
	if (r >= 0 && part.cut)
		r = json_add_bool(o, "receipts_cut", true);
	return r;
}

static const char *state_of(const struct stored_request *q, uint64_t now)
{
	return q->settled ? "settled" : q->until <= now ? "expired" : "pending";
}

static int request_object(struct listing *l, const struct stored_request *q, struct json_object **ret)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *decisions = json_object_new_array();
	int r = o && decisions ? 0 : -ENOMEM;

	if (r >= 0)
		r = json_add_str(o, "id", q->id);
	if (r >= 0)
		r = json_add_str(o, "host", q->host);
	if (r >= 0)
		r = json_add_str(o, "state", state_of(q, l->now));
	if (r >= 0)
		r = json_add_u64(o, "n", q->n);
	if (r >= 0)
		r = add_time(o, "received", q->received);
	if (r >= 0)
		r = add_envelope(o, "envelope", q->envelope);
	if (r >= 0)
		r = store_item_list(l->hub->store, q->host, q->id, add_decision, decisions);
	if (r >= 0)
		r = json_add(o, "decisions", STEAL_PTR(decisions));
	if (r >= 0)
		r = add_receipts(l, o, q);
	if (r >= 0)
		*ret = STEAL_PTR(o);
	return r;
}

static int add_request(const struct stored_request *q, void *userdata)
{
	struct listing *l = userdata;
	struct json_object *o = NULL;
	int r = request_object(l, q, &o);

	if (r < 0)
		return r;
	l->next = q->n;
	return push(l->array, o);
}

static bool state_asked(struct call *c, bool *ret_pending)
{
	const char *state = call_query(c, "state");

	if (!state || !strcmp(state, "pending"))
		*ret_pending = true;
	else if (!strcmp(state, "all"))
		*ret_pending = false;
	else {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "state is pending or all");
		return false;
	}
	return true;
}

void on_requests(struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *array = json_object_new_array();
	struct store_query q = { .viewer = c->caller, .now = clock_real() };
	struct listing l = { .hub = c->hub, .array = array, .now = q.now };
	uint64_t wait;
	bool more;
	int r;

	if (!state_asked(c, &q.pending) || !call_number(c, "after", STORE_N_MAX, 0, &q.after) || !api_wait(c, &wait))
		return;
	l.next = q.after;
	r = o && array ? store_request_list(c->hub->store, &q, add_request, &l, &more) : -ENOMEM;
	if (r < 0) {
		call_store_error(c, r);
		return;
	}
	if (r == 0 && call_wait(c, wait))
		return;
	json_add(o, "requests", STEAL_PTR(array));
	json_add_u64(o, "next", l.next);
	json_add_bool(o, "more", more);
	call_reply(c, MHD_HTTP_OK, STEAL_PTR(o));
}

/* ?host=, which may be missing.  False: answered. */
static bool host_asked(struct call *c, const char **ret)
{
	*ret = call_query(c, "host");
	if (!*ret || name_valid(*ret))
		return true;
	call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "host is no host's name");
	return false;
}

/* 409 with the hosts to choose from. */
static void reply_ambiguous(struct call *c, struct json_object *array)
{
	CLEAN(json_put_p) struct json_object *outer = json_object_new_object(), *error = json_object_new_object(),
		*hosts = json_object_new_array();
	int r = outer && error && hosts ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < json_object_array_length(array); i++)
		r = push(hosts, json_object_new_string(json_str(json_object_array_get_idx(array, i), "host")));
	if (r >= 0)
		r = json_add_str(error, "code", "ambiguous");
	if (r >= 0)
		r = json_add_str(error, "message", "several hosts have a request with this id; say which with host=");
	if (r >= 0)
		r = json_add(error, "hosts", STEAL_PTR(hosts));
	if (r >= 0)
		r = json_add(outer, "error", STEAL_PTR(error));
	call_reply(c, r < 0 ? MHD_HTTP_INTERNAL_SERVER_ERROR : MHD_HTTP_CONFLICT, r < 0 ? NULL : STEAL_PTR(outer));
}

/* The one request that path and host= name and the caller may see, as an array of one.  NULL: answered. */
static struct json_object *one_request(struct call *c)
{
	CLEAN(json_put_p) struct json_object *array = json_object_new_array();
	struct store_query q = { .viewer = c->caller, .id = c->param, .now = clock_real() };
	struct listing l = { .hub = c->hub, .array = array, .now = q.now };
	int r;

	if (!id_valid(c->param)) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "this is no request's id");
		return NULL;
	}
	if (!host_asked(c, &q.host))
		return NULL;
	r = array ? store_request_list(c->hub->store, &q, add_request, &l, NULL) : -ENOMEM;
	if (r < 0)
		call_store_error(c, r);
	else if (r == 0)
		call_error(c, MHD_HTTP_NOT_FOUND, "unknown", "there is no such request for you");
	else if (r > 1)
		reply_ambiguous(c, array);
	return r == 1 ? STEAL_PTR(array) : NULL;
}

void on_request(struct call *c)
{
	CLEAN(json_put_p) struct json_object *array = one_request(c);

	if (array)
		call_reply(c, MHD_HTTP_OK, json_object_get(json_object_array_get_idx(array, 0)));
}

static int add_numbered_receipt(const struct stored_receipt *t, void *userdata)
{
	struct listing *l = userdata;
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();

	if (!o || json_add_u64(o, "n", t->n) < 0 || add_envelope(o, "envelope", t->envelope) < 0)
		return -ENOMEM;
	l->next = t->n;
	return push(l->array, STEAL_PTR(o));
}

void on_receipts(struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *array = json_object_new_array(), *one = NULL;
	struct listing l = { .hub = c->hub, .array = array };
	uint64_t after, wait;
	const char *host;
	int r = o && array ? 0 : -ENOMEM;

	if (!call_number(c, "after", STORE_N_MAX, 0, &after) || !api_wait(c, &wait))
		return;
	one = one_request(c);
	if (!one)
		return;
	host = json_str(json_object_array_get_idx(one, 0), "host");
	l.next = after;
	if (r >= 0)
		r = store_receipt_list(c->hub->store, host, c->param, after, add_numbered_receipt, &l);
	if (r < 0) {
		call_store_error(c, r);
		return;
	}
	if (!json_object_array_length(array) && call_wait(c, wait))
		return;
	json_add(o, "receipts", STEAL_PTR(array));
	json_add_u64(o, "next", l.next);
	call_reply(c, MHD_HTTP_OK, STEAL_PTR(o));
}

static int add_host(const struct stored_host *h, void *userdata)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	int r;

	if (!h->machine || !h->key)
		return 0; /* a token is out, nobody came yet */
	if (!o || json_add_str(o, "host", h->name) < 0 || json_add_str(o, "machine", h->machine) < 0 ||
	    json_add_str(o, "key", h->key) < 0)
		return -ENOMEM;
	r = h->seen ? add_time(o, "seen", h->seen) : json_object_object_add(o, "seen", NULL);
	return r < 0 ? -ENOMEM : push(userdata, STEAL_PTR(o));
}

void on_hosts(struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *array = json_object_new_array();
	int r = o && array ? store_host_list(c->hub->store, add_host, array) : -ENOMEM;

	if (r < 0) {
		call_store_error(c, r);
		return;
	}
	json_add(o, "hosts", STEAL_PTR(array));
	call_reply(c, MHD_HTTP_OK, STEAL_PTR(o));
}

void on_status(struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();

	if (o && json_add_str(o, "version", PACKAGE_VERSION) >= 0 && add_time(o, "time", clock_real()) >= 0)
		call_reply(c, MHD_HTTP_OK, STEAL_PTR(o));
	else
		call_reply(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
}
