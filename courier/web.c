#include "config.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "courier/web.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"

#define CONNECT_SEC 10L
#define LINE_MAX_BYTES 4096

struct web {
	sd_event *event;
	CURLM *multi;
	sd_event_source *timer;
	size_t answer_max;
};

struct transfer {
	struct web *web;
	CURL *easy;
	struct curl_slist *headers;
	web_done done;
	void *userdata;
	char *body;
	size_t len;
	bool too_large;
	bool line, enough; /* the first line is all that is wanted; it has come */
	char error[CURL_ERROR_SIZE];
};

static void check_done(struct web *w);

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct web *w = userdata;
	int running, mask = 0;

	if (revents & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (revents & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (revents & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	curl_multi_socket_action(w->multi, fd, mask, &running);
	check_done(w);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct web *w = userdata;
	int running;

	curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	check_done(w);
	return 0;
}

static uint32_t epoll_events(int what)
{
	return (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct web *w = userdata;
	sd_event_source *source = socketp;
	int r;

	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		curl_multi_assign(w->multi, fd, NULL);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, epoll_events(what)) < 0 ? -1 : 0;
	r = sd_event_add_io(w->event, &source, fd, epoll_events(what), on_io, w);
	if (r < 0) {
		log_error("a connection cannot be watched: %s", strerror(-r));
		return -1;
	}
	curl_multi_assign(w->multi, fd, source);
	return 0;
}

static int on_set_timer(CURLM *multi, long ms, void *userdata)
{
	struct web *w = userdata;
	int r;

	if (ms < 0)
		return sd_event_source_set_enabled(w->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	r = sd_event_source_set_time(w->timer, clock_mono() + (uint64_t)ms * 1000);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
	return r < 0 ? -1 : 0;
}

int web_new(sd_event *event, size_t answer_max, struct web **ret)
{
	struct web *w;
	int r;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -EIO;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->event = sd_event_ref(event);
	w->answer_max = answer_max;
	w->multi = curl_multi_init();
	r = w->multi ? sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, w) : -ENOMEM;
	if (r >= 0)
		r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	if (r >= 0 && (curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
		curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w) ||
		curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_set_timer) ||
		curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w)))
		r = -EIO;
	if (r < 0) {
		web_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct web *web_free(struct web *w)
{
	if (!w)
		return NULL;
	curl_multi_cleanup(w->multi);
	sd_event_source_disable_unref(w->timer);
	sd_event_unref(w->event);
	free(w);
	curl_global_cleanup();
	return NULL;
}

struct transfer *web_cancel(struct transfer *t)
{
	if (!t)
		return NULL;
	if (t->easy) {
		curl_multi_remove_handle(t->web->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->headers);
	if (t->body)
		explicit_bzero(t->body, t->len);
	free(t->body);
	free(t);
	return NULL;
}

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
	struct transfer *t = userdata;
	size_t len = size * n;
	char *grown;

	if (t->line && len > LINE_MAX_BYTES - t->len)
		len = LINE_MAX_BYTES - t->len;
	if (len > t->web->answer_max - t->len) {
		t->too_large = true;
		return 0;
	}
	grown = realloc(t->body, t->len + len + 1);
	if (!grown)
		return 0;
	memcpy(grown + t->len, data, len);
	t->body = grown;
	t->len += len;
	t->body[t->len] = '\0';
	t->enough = t->line && (t->len == LINE_MAX_BYTES || strchr(t->body, '\n'));
	return t->enough ? 0 : size * n;
}

static int add_header(struct transfer *t, const char *name, const char *value)
{
	char line[512];
	struct curl_slist *grown;
	int n = snprintf(line, sizeof(line), "%s: %s", name, value);

	grown = n > 0 && (size_t)n < sizeof(line) ? curl_slist_append(t->headers, line) : NULL;
	explicit_bzero(line, sizeof(line));
	if (!grown)
		return -ENOMEM;
	t->headers = grown;
	return 0;
}

static int set_headers(struct transfer *t, const struct web_call *call)
{
	char bearer[256];
	struct curl_slist *grown;
	int r = add_header(t, "Accept", call->conf ? "application/json" : "text/plain, */*;q=0.5");

	if (r >= 0 && call->body)
		r = add_header(t, "Content-Type", "application/json");
	if (r >= 0 && call->secret) {
		snprintf(bearer, sizeof(bearer), "Bearer %s", call->secret);
		r = add_header(t, "Authorization", bearer);
		explicit_bzero(bearer, sizeof(bearer));
	}
	if (r < 0)
		return r;
	grown = curl_slist_append(t->headers, "Expect:"); /* never wait for 100 Continue */
	if (!grown)
		return -ENOMEM;
	t->headers = grown;
	return 0;
}

#define SET(option, value)                                              \
	do {                                                            \
		if (curl_easy_setopt(t->easy, option, value))           \
			return -EIO;                                    \
	} while (0)

static int set_tls(struct transfer *t, const struct courier_conf *conf)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "https,http");
#else
	SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTPS | CURLPROTO_HTTP));
#endif
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (!conf)
		return 0;
	if (conf->ca) {
		SET(CURLOPT_CAINFO, conf->ca);
		SET(CURLOPT_CAPATH, NULL); /* this CA and no other */
	}
	if (conf->pin)
		SET(CURLOPT_PINNEDPUBLICKEY, conf->pin);
	return 0;
}

static int set_up(struct transfer *t, const struct web_call *call)
{
	char url[2048];
	int r;

	if ((size_t)snprintf(url, sizeof(url), "%s%s", call->conf ? call->conf->hub : "", call->conf ? call->path : call->url) >=
	    sizeof(url))
		return -ENAMETOOLONG;
	r = set_headers(t, call);
	if (r >= 0)
		r = set_tls(t, call->conf);
	if (r < 0)
		return r;
	SET(CURLOPT_URL, url);
	SET(CURLOPT_CUSTOMREQUEST, call->method);
	SET(CURLOPT_HTTPHEADER, t->headers);
	if (call->body) {
		SET(CURLOPT_POSTFIELDSIZE, (long)call->len);
		SET(CURLOPT_COPYPOSTFIELDS, call->body);
	}
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_USERAGENT, "jit-courier/" PACKAGE_VERSION);
	SET(CURLOPT_CONNECTTIMEOUT, CONNECT_SEC);
	SET(CURLOPT_TIMEOUT, (long)call->seconds);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_ERRORBUFFER, t->error);
	SET(CURLOPT_WRITEFUNCTION, on_data);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_PRIVATE, t);
	return 0;
}

int web_start(struct web *w, const struct web_call *call, struct transfer **ret)
{
	struct transfer *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->web = w;
	t->done = call->done;
	t->userdata = call->userdata;
	t->line = !call->conf;
	t->easy = curl_easy_init();
	r = t->easy ? set_up(t, call) : -ENOMEM;
	if (r >= 0 && curl_multi_add_handle(w->multi, t->easy))
		r = -EIO;
	if (r < 0) {
		web_cancel(t);
		return r;
	}
	*ret = t;
	return 0;
}

static int errno_of(const struct transfer *t, CURLcode code)
{
	if (code == CURLE_OK || t->enough)
		return 0;
	if (t->too_large)
		return -EFBIG;
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_CACERT_BADFILE:
		return -EPROTO;
	default:
		return -EHOSTUNREACH;
	}
}

/* {"error":{"message"}} of a refusal. */
static const char *message_of(const struct web_answer *a, struct json_object **ret)
{
	struct json_object *error;
	struct why w;

	if (a->status < 400 || json_parse(a->body, a->len, ret, &w) < 0)
		return NULL;
	error = json_obj(*ret, "error");
	return error ? json_str(error, "message") : NULL;
}

static void finish(struct transfer *t, CURLcode code)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct web_answer a = {
		.error = errno_of(t, code), .body = t->body ? t->body : "", .len = t->len,
	};
	curl_off_t retry = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &a.status);
	if (curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry) == CURLE_OK && retry > 0)
		a.retry_after = retry > 60 ? 60 : (unsigned)retry;
	if (a.error == -EFBIG)
		a.words = "the answer is too large";
	else if (a.error)
		a.words = t->error[0] ? t->error : curl_easy_strerror(code);
	else
		a.words = message_of(&a, &o);
	t->done(&a, t->userdata);
	web_cancel(t);
}

static void check_done(struct web *w)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(w->multi, &left))) {
		CURLcode code = m->data.result;
		struct transfer *t = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		finish(t, code);
	}
}
