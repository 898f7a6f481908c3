/* What hosts call: enrollment, requests, inbox, receipts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "hub/api.h"
#include "hub/document.h"
#include "hub/secret.h"
#include "hub/server.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/sshkey.h"
#include "lib/text.h"

bool api_wait(struct call *c, uint64_t *ret)
{
	if (!call_number(c, "wait", 3600, 0, ret))
		return false;
	if (*ret > CALL_WAIT_MAX)
		*ret = CALL_WAIT_MAX;
	return true;
}

static int wake_viewer(const char *principal, void *userdata)
{
	server_wake(userdata, AUTH_APPROVER, principal);
	return 0;
}

void api_changed(struct hub *hub, const char *host, const char *id)
{
	if (store_request_viewers(hub->store, host, id, wake_viewer, hub->server) < 0)
		server_wake(hub->server, AUTH_APPROVER, NULL);
}

static bool machine_valid(const char *s)
{
	return strlen(s) == 32 && strspn(s, "0123456789abcdef") == 32;
}

/* The host's key as it is stored: without a comment. */
static char *read_key(struct call *c, const char *line)
{
	CLEAN(sshkey_done) struct sshkey key = { 0 };
	struct why w;

	if (sshkey_parse(line, &key, &w) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "\"key\": %s", w.text);
		return NULL;
	}
	return sshkey_format(&key);
}

static void enroll(struct call *c, const char *token, const char *host, const char *machine, const char *key)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	char secret[SECRET_LEN + 1];
	uint8_t token_hash[SHA256_LEN], secret_hash[SHA256_LEN];
	int r;

	r = sha256(token, strlen(token), token_hash);
	if (r >= 0)
		r = secret_new(secret, secret_hash);
	if (r >= 0)
		r = store_host_enroll(c->hub->store, token_hash, host, machine, key, secret_hash, clock_real());
	if (r == -EACCES) {
		log_warning("enrollment of %s refused: the token is not valid", host);
		call_error(c, MHD_HTTP_FORBIDDEN, "token", "this token is not valid for %s: unknown, used or expired", host);
		return;
	}
	if (r < 0) {
		call_store_error(c, r);
		return;
	}
	log_notice("host %s is enrolled", host);
	o = json_object_new_object();
	if (o)
		json_add_str(o, "secret", secret);
	call_reply(c, MHD_HTTP_CREATED, STEAL_PTR(o));
	explicit_bzero(secret, sizeof(secret));
}

void on_enroll(struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *key = NULL;
	const char *token, *host, *machine, *line;

	if (!call_json(c, &o) || !(token = call_str(c, o, "token")) || !(host = call_str(c, o, "host")) ||
	    !(machine = call_str(c, o, "machine")) || !(line = call_str(c, o, "key")))
		return;
	if (!name_valid(host) || !machine_valid(machine)) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "\"host\" must be a name, \"machine\" 32 hex digits");
		return;
	}
	key = read_key(c, line);
	if (key)
		enroll(c, token, host, machine, key);
	else if (!c->status)
		call_reply(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
}

static bool id_of(struct call *c)
{
	if (id_valid(c->param))
		return true;
	call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "this is no request's id");
	return false;
}

/* The body as an envelope, and its one form in which it is stored and compared.  False: answered. */
static bool envelope_of(struct call *c, struct envelope *e, char **ret_text)
{
	struct why w;

	if (envelope_parse(c->body ? c->body : "", c->len, e, &w) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "%s", w.text);
		return false;
	}
	*ret_text = envelope_format(e->type, e->document, e->signature);
	if (!*ret_text)
		call_reply(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	return *ret_text != NULL;
}

/* 201, 200 or the refusal for what a store_…_put() returned. */
static void put_reply(struct call *c, int r, const char *what)
{
	if (r >= 0)
		call_reply(c, r ? MHD_HTTP_CREATED : MHD_HTTP_OK, json_object_new_object());
	else if (r == -EEXIST)
		call_error(c, MHD_HTTP_CONFLICT, "exists", "there is another %s under this name", what);
	else if (r == -ENOENT)
		call_error(c, MHD_HTTP_NOT_FOUND, "unknown", "there is no such request");
	else if (r == -EDQUOT)
		call_busy(c, 60, "as many %ss of this host are kept already as it may have", what);
	else
		call_store_error(c, r);
}

static uint64_t pending_until(uint64_t answer_by, uint64_t now)
{
	uint64_t most = now + HUB_KEEP_USEC;

	return answer_by < most - HUB_ANSWER_GRACE_USEC ? answer_by + HUB_ANSWER_GRACE_USEC : most;
}

void on_host_request(struct call *c)
{
	CLEAN(envelope_done) struct envelope e = { 0 };
	CLEAN(request_document_done) struct request_document d = { 0 };
	CLEAN(free_p) char *text = NULL;
	char digest[SHA256_HEX + 1];
	uint64_t now = clock_real();
	struct why w;
	int r;

	if (!id_of(c) || !envelope_of(c, &e, &text))
		return;
	if (request_document_read(&e, c->caller, c->param, &d, &w) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "%s", w.text);
		return;
	}
	r = sha256_hex(e.document, e.document_len, digest);
	if (r >= 0) {
		struct stored_request q = {
			.host = c->caller, .id = c->param, .envelope = text, .digest = digest,
			.received = now, .until = pending_until(d.answer_by, now),
		};
		r = store_request_put(c->hub->store, &q, d.viewers, now);
	}
	if (r > 0)
		log_info("request %s of %s is here", c->param, c->caller);
	if (r >= 0)
		api_changed(c->hub, c->caller, c->param);
	put_reply(c, r, "request");
}

void on_host_settle(struct call *c)
{
	int r;

	if (!id_of(c))
		return;
	r = store_request_settle(c->hub->store, c->caller, c->param, clock_real());
	if (r < 0) {
		call_store_error(c, r);
		return;
	}
	if (r > 0) {
		log_info("request %s of %s is settled", c->param, c->caller);
		api_changed(c->hub, c->caller, c->param);
	}
	call_reply(c, MHD_HTTP_NO_CONTENT, NULL);
}

struct inbox_answer {
	struct json_object *items;
	uint64_t next;
};

static int add_item(const struct stored_item *i, void *userdata)
{
	struct inbox_answer *a = userdata;
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *envelope = NULL;
	struct why w;
	int r;

	r = json_parse(i->envelope, strlen(i->envelope), &envelope, &w);
	if (r < 0)
		return r;
	if (!o || json_add_u64(o, "n", i->n) < 0 || json_add(o, "envelope", STEAL_PTR(envelope)) < 0 ||
	    json_object_array_add(a->items, o) < 0)
		return -ENOMEM;
	o = NULL;
	a->next = i->n;
	return 0;
}

void on_host_inbox(struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *items = json_object_new_array();
	struct inbox_answer a = { .items = items };
	const char *run;
	uint64_t wait;
	int r;

	if (!call_number(c, "after", STORE_N_MAX, 0, &a.next) || !api_wait(c, &wait))
		return;
	r = o && items ? store_item_inbox(c->hub->store, c->caller, a.next, add_item, &a) : -ENOMEM;
	if (r < 0) {
		call_store_error(c, r);
		return;
	}
	/* Who does not know this run yet learns of it at once. */
	run = call_query(c, "run");
	if (r == 0 && (!run || !strcmp(run, c->hub->server->run)) && call_wait(c, wait))
		return;
	json_add(o, "items", STEAL_PTR(items));
	json_add_u64(o, "next", a.next);
	json_add_str(o, "run", c->hub->server->run);
	call_reply(c, MHD_HTTP_OK, STEAL_PTR(o));
}

void on_host_receipt(struct call *c)
{
	CLEAN(envelope_done) struct envelope e = { 0 };
	CLEAN(free_p) char *text = NULL, *id = NULL;
	struct why w;
	int r;

	if (!name_valid(c->param)) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "this is no receipt's name");
		return;
	}
	if (c->len > RECEIPT_MAX) {
		call_error(c, CALL_TOO_LARGE, "size", "a receipt has at most %d bytes", RECEIPT_MAX);
		return;
	}
	if (!envelope_of(c, &e, &text))
		return;
	if (receipt_document_read(&e, c->caller, &id, &w) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "%s", w.text);
		return;
	}
	struct stored_receipt t = {
		.host = c->caller, .id = id, .name = c->param, .envelope = text, .received = clock_real(),
	};
	r = store_receipt_put(c->hub->store, &t);
	if (r > 0)
		api_changed(c->hub, c->caller, id);
	put_reply(c, r, "receipt");
}
