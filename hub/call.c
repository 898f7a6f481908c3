/* From the head of an HTTP request to its answer: route, size, credentials, limits, waiting. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "hub/api.h"
#include "hub/limit.h"
#include "hub/login.h"
#include "hub/server.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"

#define PARAM_MAX 128
#define BEARER_MAX 128
#define DRAIN_MAX (1024 * 1024)
#define SEEN_EVERY_USEC USEC_PER_MIN

#define ROUTE(method, path, handler, auth) { method, path, handler, auth },
static const struct route routes[] = {
#include "hub/routes.def"
};
#undef ROUTE

void call_reply(struct call *c, int status, struct json_object *o)
{
	CLEAN(json_put_p) struct json_object *taken = o;
	const char *text = taken ? json_text(taken) : NULL;

	free(c->reply);
	c->reply = text ? strdup(text) : NULL;
	c->status = status;
	if (!c->reply && status != MHD_HTTP_NO_CONTENT)
		c->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static void reply_error(struct call *c, int status, const char *code, const char *message)
{
	CLEAN(json_put_p) struct json_object *outer = json_object_new_object(), *error = json_object_new_object();

	if (!outer || !error || json_add_str(error, "code", code) < 0 || json_add_str(error, "message", message) < 0 ||
	    json_add(outer, "error", STEAL_PTR(error)) < 0) {
		call_reply(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
		return;
	}
	call_reply(c, status, STEAL_PTR(outer));
}

void call_error(struct call *c, int status, const char *code, const char *fmt, ...)
{
	char message[WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	reply_error(c, status, code, message);
}

void call_busy(struct call *c, unsigned seconds, const char *fmt, ...)
{
	char message[WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	c->retry_after = seconds;
	reply_error(c, MHD_HTTP_TOO_MANY_REQUESTS, "busy", message);
}

void call_store_error(struct call *c, int r)
{
	c->retry_after = 5;
	call_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "store", "the hub cannot reach its store: %s", strerror(-r));
}

const char *call_query(const struct call *c, const char *name)
{
	return MHD_lookup_connection_value(c->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool call_number(struct call *c, const char *name, uint64_t max, uint64_t deflt, uint64_t *ret)
{
	const char *text = call_query(c, name);
	unsigned long long n;

	if (!text) {
		*ret = deflt;
		return true;
	}
	if (number_parse(text, max, &n) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "%s is a number from 0 to %llu", name,
			(unsigned long long)max);
		return false;
	}
	*ret = n;
	return true;
}

bool call_json(struct call *c, struct json_object **ret)
{
	struct why w;

	if (json_parse(c->body ? c->body : "", c->len, ret, &w) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "the body is not a JSON object: %s", w.text);
		return false;
	}
	return true;
}

const char *call_str(struct call *c, const struct json_object *o, const char *key)
{
	const char *text = json_str(o, key);

	if (!text)
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "\"%s\" is missing or not a string", key);
	return text;
}

static size_t limit_of(const struct call *c)
{
	return c->route->auth == AUTH_HOST ? CALL_WAITS_HOST : CALL_WAITS_APPROVER;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct call *c = userdata;

	c->over = true;
	call_resume(c);
	return 0;
}

void call_suspend(struct call *c)
{
	struct server *s = c->hub->server;

	c->suspended = true;
	c->prev = NULL;
	c->next = s->suspended;
	if (c->next)
		c->next->prev = c;
	s->suspended = c;
	MHD_suspend_connection(c->connection);
}

void call_resume(struct call *c)
{
	struct server *s = c->hub->server;

	if (!c->suspended)
		return;
	c->timer = sd_event_source_disable_unref(c->timer);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->suspended = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->suspended = c->polling = false;
	MHD_resume_connection(c->connection);
	server_kick(s);
}

bool call_wait(struct call *c, uint64_t seconds)
{
	struct server *s = c->hub->server;
	uint64_t now = clock_mono();
	int r;

	if (!c->deadline)
		c->deadline = now + seconds * USEC_PER_SEC;
	if (c->over || s->stopping || now >= c->deadline)
		return false;
	if (server_waits(s, c->route->auth, c->caller, limit_of(c)) >= limit_of(c)) {
		call_busy(c, 5, "%zu long-polls of yours wait already", limit_of(c));
		return true;
	}
	/* The default accuracy of 250 ms would be felt. */
	r = sd_event_add_time(c->hub->event, &c->timer, CLOCK_MONOTONIC, c->deadline, 1000, on_deadline, c);
	if (r < 0)
		return false;
	c->polling = true;
	call_suspend(c);
	return true;
}

/* Compares with a template such as /v1/requests/{id}; RET gets what stands for {…}. */
static bool path_matches(const char *template, const char *path, char ret[static PARAM_MAX])
{
	size_t n;

	for (;; template++, path++) {
		if (*template == '{') {
			n = strcspn(path, "/");
			if (n == 0 || n >= PARAM_MAX)
				return false;
			memcpy(ret, path, n);
			ret[n] = '\0';
			path += n;
			template = strchr(template, '}') + 1;
		}
		if (*template != *path)
			return false;
		if (!*template)
			return true;
	}
}

static void find_route(struct call *c, const char *url, const char *method)
{
	char param[PARAM_MAX] = "", found[PARAM_MAX] = "";
	bool known = false;

	for (size_t i = 0; i < ELEMENTS(routes) && !c->route; i++) {
		if (!path_matches(routes[i].path, url, param))
			continue;
		known = true;
		memcpy(found, param, sizeof(found));
		if (!strcmp(routes[i].method, method))
			c->route = &routes[i];
		else if (strlen(c->allow) + strlen(routes[i].method) + 3 < sizeof(c->allow)) {
			strcat(c->allow, c->allow[0] ? ", " : "");
			strcat(c->allow, routes[i].method);
		}
	}
	if (!c->route && known)
		call_error(c, MHD_HTTP_METHOD_NOT_ALLOWED, "method", "this path is not for this method");
	else if (!c->route)
		call_error(c, MHD_HTTP_NOT_FOUND, "path", "there is no such path");
	else if (found[0] && !(c->param = strdup(found)))
		call_reply(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
}

/* An IPv4 address, or the /64 of an IPv6 one. */
static void peer_address(struct call *c, char buf[static INET6_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct in6_addr v6;

	strcpy(buf, "?");
	if (!info || !info->client_addr)
		return;
	if (info->client_addr->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr, buf,
			INET6_ADDRSTRLEN);
	else if (info->client_addr->sa_family == AF_INET6) {
		v6 = ((const struct sockaddr_in6 *)(const void *)info->client_addr)->sin6_addr;
		if (!IN6_IS_ADDR_V4MAPPED(&v6))
			memset(v6.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &v6, buf, INET6_ADDRSTRLEN);
	}
}

static void take_from(struct call *c, char kind, const char *key, unsigned per_minute)
{
	unsigned seconds = limit_take(c->hub->limits, kind, key, per_minute, clock_mono());

	if (seconds)
		call_busy(c, seconds, "more than %u requests in a minute", per_minute);
}

static void take_from_address(struct call *c)
{
	char address[INET6_ADDRSTRLEN];

	peer_address(c, address);
	take_from(c, 'a', address, LIMIT_ADDRESS);
}

static int bearer_hash(struct call *c, uint8_t hash[static SHA256_LEN])
{
	const char *value = MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);

	if (!value || strncasecmp(value, "Bearer ", 7))
		return -ENOENT;
	value += 7;
	if (!*value || strlen(value) > BEARER_MAX)
		return -ENOENT;
	return sha256(value, strlen(value), hash);
}

static int find_caller(struct call *c)
{
	uint8_t hash[SHA256_LEN];
	uint64_t now = clock_real(), seen;
	CLEAN(free_p) char *key = NULL;
	int r;

	r = bearer_hash(c, hash);
	if (r < 0)
		return r;
	if (c->route->auth == AUTH_HOST) {
		r = store_host_find(c->hub->store, hash, &c->caller, &seen);
		if (r >= 0 && (now < seen || now - seen > SEEN_EVERY_USEC))
			r = store_host_seen(c->hub->store, c->caller, now);
		return r;
	}
	r = store_session_find(c->hub->store, hash, now, &c->caller, &key);
	if (r >= 0 && !login_listed(c->hub->login, c->caller, key))
		return -ENOENT;
	return r;
}

static void authenticate(struct call *c)
{
	int r;

	if (c->route->auth == AUTH_NONE) {
		take_from_address(c);
		return;
	}
	r = find_caller(c);
	if (r == -ENOENT) {
		take_from_address(c);
		if (!c->status)
			call_error(c, MHD_HTTP_UNAUTHORIZED, "credentials", "%s", c->route->auth == AUTH_HOST ?
				"this is no enrolled host's secret" : "sign in first");
	} else if (r < 0)
		call_store_error(c, r);
	else if (c->route->auth == AUTH_HOST)
		take_from(c, 'h', c->caller, LIMIT_HOST);
	else
		take_from(c, 'p', c->caller, LIMIT_APPROVER);
}

static bool body_announced_too_large(struct call *c)
{
	const char *value = MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	unsigned long long n;

	return value && number_parse(value, CALL_BODY_MAX, &n) < 0;
}

static void too_large(struct call *c)
{
	call_error(c, CALL_TOO_LARGE, "size", "a body has at most %d bytes", CALL_BODY_MAX);
}

static enum MHD_Result take_body(struct call *c, const char *data, size_t size)
{
	char *grown;

	c->received += size;
	if (c->received > DRAIN_MAX)
		return MHD_NO;
	if (c->status)
		return MHD_YES; /* answered already: drained */
	if (c->len + size > CALL_BODY_MAX) {
		too_large(c);
		return MHD_YES;
	}
	grown = realloc(c->body, c->len + size + 1);
	if (!grown)
		return MHD_NO;
	memcpy(grown + c->len, data, size);
	c->body = grown;
	c->len += size;
	c->body[c->len] = '\0';
	return MHD_YES;
}

static void add_headers(const struct call *c, struct MHD_Response *response)
{
	char seconds[16];

	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (c->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (c->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, c->allow);
	if (c->retry_after) {
		snprintf(seconds, sizeof(seconds), "%u", c->retry_after);
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
	if (c->hub->server->stopping || c->status == CALL_TOO_LARGE)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

static enum MHD_Result answer(struct call *c)
{
	struct MHD_Response *response;
	enum MHD_Result r;
	size_t len = c->reply ? strlen(c->reply) : 0;

	response = MHD_create_response_from_buffer(len, len ? c->reply : NULL,
		len ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	c->reply = len ? NULL : c->reply; /* the response's now */
	add_headers(c, response);
	r = MHD_queue_response(c->connection, (unsigned)c->status, response);
	MHD_destroy_response(response);
	if (c->link) {
		c->link->busy = false;
		c->link->since = clock_mono();
	}
	return r;
}

static struct call *call_new(struct server *s, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->hub = s->hub;
	c->connection = connection;
	c->link = info ? info->socket_context : NULL;
	s->n_calls++;
	return c;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* An escaped NUL or slash stays as it stands: the one would cut the path, the other would be taken for its own. */
size_t call_on_unescape(void *cls, struct MHD_Connection *connection, char *s)
{
	char *to = s;

	for (const char *from = s; *from; from++) {
		int high = *from == '%' ? hex_value(from[1]) : -1, low = high < 0 ? -1 : hex_value(from[2]);
		int byte = high * 16 + low;

		if (low < 0 || byte == 0 || byte == '/') {
			*to++ = *from;
			continue;
		}
		*to++ = (char)byte;
		from += 2;
	}
	*to = '\0';
	return (size_t)(to - s);
}

enum MHD_Result call_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **con_cls)
{
	struct server *s = cls;
	struct call *c = *con_cls;
	size_t n = *size;

	if (!c) {
		c = call_new(s, connection);
		if (!c)
			return MHD_NO;
		*con_cls = c;
		find_route(c, url, method);
		if (body_announced_too_large(c)) {
			too_large(c);
			return answer(c);
		}
		if (!c->status)
			authenticate(c);
		return MHD_YES;
	}
	if (n) {
		*size = 0;
		return take_body(c, data, n);
	}
	if (c->link)
		c->link->busy = true;
	if (!c->status)
		c->route->handler(c);
	return c->suspended ? MHD_YES : answer(c);
}

void call_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
	enum MHD_RequestTerminationCode code)
{
	struct server *s = cls;
	struct call *c = *con_cls;

	if (!c)
		return;
	*con_cls = NULL;
	login_forget(s->hub->login, c);
	sd_event_source_disable_unref(c->timer);
	if (c->link) {
		c->link->busy = false;
		c->link->since = clock_mono();
	}
	free(c->caller);
	free(c->param);
	if (c->body)
		explicit_bzero(c->body, c->len);
	free(c->body);
	free(c->reply);
	free(c);
	s->n_calls--;
}
