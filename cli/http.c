/* HTTP: see http.h. */
#include "config.h"
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include "cli/http.h"
#include "lib/cleanup.h"

#define ANSWER_MAX (16 * 1024 * 1024)
#define CONNECT_SEC 10L
#define CALL_SEC 20L

struct http {
	CURL *curl;
	char *base;
	char error[CURL_ERROR_SIZE];
};

struct answer {
	char *text;
	size_t len, room;
	bool too_big;
};

static size_t on_data(char *data, size_t one, size_t n, void *userdata)
{
	struct answer *a = userdata;
	char *grown;

	if (n > ANSWER_MAX - a->len) {
		a->too_big = true;
		return 0;
	}
	if (a->len + n + 1 > a->room) {
		size_t room = 2 * (a->len + n + 1);

		grown = realloc(a->text, room);
		if (!grown)
			return 0;
		a->text = grown;
		a->room = room;
	}
	memcpy(a->text + a->len, data, n);
	a->len += n;
	a->text[a->len] = 0;
	return n;
}

struct http *http_close(struct http *h)
{
	if (!h)
		return NULL;
	curl_easy_cleanup(h->curl);
	free(h->base);
	free(h);
	return NULL;
}

static void http_p(struct http **h)
{
	*h = http_close(*h);
}

static int set_up(struct http *h, const struct settings *s, struct why *w)
{
	CURLcode r = CURLE_OK;

	curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SEC);
	curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "jitctl/" PACKAGE_VERSION);
	curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_data);
#if LIBCURL_VERSION_NUM >= 0x075500
	r = curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	r = curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	if (r == CURLE_OK && s->ca)
		r = curl_easy_setopt(h->curl, CURLOPT_CAINFO, s->ca);
	if (r == CURLE_OK && s->pin)
		r = curl_easy_setopt(h->curl, CURLOPT_PINNEDPUBLICKEY, s->pin);
	if (r != CURLE_OK)
		return why(w, -ENOTSUP, "libcurl cannot do this: %s", curl_easy_strerror(r));
	return 0;
}

int http_open(const struct settings *s, struct http **ret, struct why *w)
{
	CLEAN(http_p) struct http *h = calloc(1, sizeof(*h));
	int r;

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return why(w, -ENOMEM, "out of memory");
	h->curl = curl_easy_init();
	h->base = strdup(s->url);
	if (!h->curl || !h->base)
		return why(w, -ENOMEM, "out of memory");
	r = set_up(h, s, w);
	if (r < 0)
		return r;
	*ret = STEAL_PTR(h);
	return 0;
}

static void headers_p(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static int add_header(struct curl_slist **list, const char *text)
{
	struct curl_slist *grown = curl_slist_append(*list, text);

	if (!grown)
		return -ENOMEM;
	*list = grown;
	return 0;
}

static int failed(struct http *h, CURLcode r, const struct answer *a, struct why *w)
{
	const char *words = *h->error ? h->error : curl_easy_strerror(r);

	if (a->too_big)
		return why(w, -EFBIG, "the hub's answer is over %d MiB", ANSWER_MAX >> 20);
	if (r == CURLE_OPERATION_TIMEDOUT)
		return why(w, -ETIMEDOUT, "the hub %s does not answer: %s", h->base, words);
	if (r == CURLE_PEER_FAILED_VERIFICATION || r == CURLE_SSL_PINNEDPUBKEYNOTMATCH || r == CURLE_SSL_CACERT_BADFILE)
		return why(w, -EPROTO, "the hub %s is not the one it should be: %s", h->base, words);
	return why(w, -EHOSTUNREACH, "the hub %s cannot be reached: %s", h->base, words);
}

int http_call(struct http *h, const char *method, const char *path, const char *token, const char *body, unsigned wait,
	long *ret_status, char **ret, size_t *ret_len, struct why *w)
{
	CLEAN(headers_p) struct curl_slist *headers = NULL;
	CLEAN(free_p) char *url = NULL, *bearer = NULL, *text = NULL;
	struct answer a = {0};
	CURLcode r;

	if (asprintf(&url, "%s%s", h->base, path) < 0 ||
		asprintf(&bearer, "Authorization: Bearer %s", token ? token : "") < 0)
		return why(w, -ENOMEM, "out of memory");
	if ((token && add_header(&headers, bearer) < 0) ||
		(body && add_header(&headers, "Content-Type: application/json") < 0) ||
		add_header(&headers, "Accept: application/json") < 0)
		return why(w, -ENOMEM, "out of memory");
	*h->error = 0;
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, &a);
	curl_easy_setopt(h->curl, CURLOPT_TIMEOUT, CALL_SEC + (long)wait);
	if (body) {
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	} else {
		curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, method);
	r = curl_easy_perform(h->curl);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	text = a.text;
	if (r != CURLE_OK)
		return failed(h, r, &a, w);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, ret_status);
	if (!text && !(text = strdup("")))
		return why(w, -ENOMEM, "out of memory");
	*ret_len = a.len;
	*ret = STEAL_PTR(text);
	return 0;
}
