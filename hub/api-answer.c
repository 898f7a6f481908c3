/* An approver's answer: checked for being about what the hub holds, then queued for the host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "hub/api.h"
#include "hub/document.h"
#include "hub/server.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

struct held {
	char digest[SHA256_HEX + 1];
	bool pending;
	uint64_t now;
};

static int hold(const struct stored_request *q, void *userdata)
{
	struct held *h = userdata;

	snprintf(h->digest, sizeof(h->digest), "%s", q->digest);
	h->pending = !q->settled && q->until > h->now;
	return 0;
}

/* Body: {"host","envelope"}.  False: answered. */
static bool read_body(struct call *c, char **ret_host, struct envelope *e)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct json_object *envelope;
	const char *host, *text;
	struct why w;

	if (!call_json(c, &o) || !(host = call_str(c, o, "host")))
		return false;
	envelope = json_obj(o, "envelope");
	text = envelope ? json_text(envelope) : NULL;
	if (!name_valid(host) || !text) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "\"host\" must be a name, \"envelope\" an object");
		return false;
	}
	if (envelope_parse(text, strlen(text), e, &w) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "%s", w.text);
		return false;
	}
	*ret_host = strdup(host);
	if (!*ret_host)
		call_reply(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	return *ret_host != NULL;
}

/* The request must be there for the caller, and the document about it and the caller's own.  False: answered. */
static bool agrees(struct call *c, const char *type, const char *host, const struct answer_document *d)
{
	struct held held = { .now = clock_real() };
	struct store_query q = { .viewer = c->caller, .host = host, .id = c->param, .now = held.now };
	int r = store_request_list(c->hub->store, &q, hold, &held, NULL);

	if (r < 0)
		call_store_error(c, r);
	else if (r == 0)
		call_error(c, MHD_HTTP_NOT_FOUND, "unknown", "there is no such request for you");
	else if (strcmp(d->host, host))
		call_error(c, MHD_HTTP_CONFLICT, "disagrees", "the document is for another host");
	else if (strcmp(d->digest, held.digest))
		call_error(c, MHD_HTTP_CONFLICT, "disagrees", "the document is about another request: its digest differs");
	else if (strcmp(d->approver, c->caller))
		call_error(c, MHD_HTTP_FORBIDDEN, "approver", "the document's approver is not who is signed in");
	else if (!strcmp(type, "decision") && !held.pending)
		call_error(c, MHD_HTTP_CONFLICT, "settled", "the request is settled already");
	return !c->status;
}

static void queue(struct call *c, const char *type, const char *host, const struct envelope *e,
	const struct answer_document *d)
{
	CLEAN(free_p) char *text = envelope_format(e->type, e->document, e->signature);
	struct json_object *o;
	struct stored_item i = {
		.host = host, .id = c->param, .type = type, .approver = d->approver, .verdict = d->verdict,
		.time = d->time, .envelope = text,
	};
	int r = text ? store_item_put(c->hub->store, &i) : -ENOMEM;

	if (r == -EDQUOT) {
		call_busy(c, 60, "%d answers of yours to this request are kept already", STORE_ITEMS_MAX);
		return;
	}
	if (r == -ENOENT) {
		call_error(c, MHD_HTTP_NOT_FOUND, "unknown", "there is no such request for you");
		return;
	}
	if (r < 0) {
		call_store_error(c, r);
		return;
	}
	if (r > 0) {
		log_info("%s of %s for request %s of %s is queued", d->verdict, d->approver, c->param, host);
		server_wake(c->hub->server, AUTH_HOST, host);
		api_changed(c->hub, host, c->param);
	}
	o = json_object_new_object();
	if (o)
		json_add_str(o, "state", "queued");
	call_reply(c, MHD_HTTP_ACCEPTED, o);
}

static void on_answer(struct call *c, const char *type)
{
	CLEAN(envelope_done) struct envelope e = { 0 };
	CLEAN(answer_document_done) struct answer_document d = { 0 };
	CLEAN(free_p) char *host = NULL;
	struct why w;

	if (!id_valid(c->param)) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "this is no request's id");
		return;
	}
	if (!read_body(c, &host, &e))
		return;
	if (answer_document_read(&e, type, c->param, &d, &w) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "%s", w.text);
		return;
	}
	if (agrees(c, type, host, &d))
		queue(c, type, host, &e, &d);
}

void on_decision(struct call *c)
{
	on_answer(c, "decision");
}

void on_revocation(struct call *c)
{
	on_answer(c, "revoke");
}
