/* HTTP with libcurl: bounded, verified, no redirects. */
#pragma once
#include <stddef.h>
#include "cli/approver.h"

struct http;
int http_open(const struct settings *s, struct http **ret, struct why *w);
struct http *http_close(struct http *h);
/* One call.  *RET_STATUS is the status, *RET the body (at most 16 MiB; caller frees).  TOKEN and BODY may be NULL.  -EHOSTUNREACH,
 * -ETIMEDOUT, -EPROTO (TLS, pin), -EFBIG with words. */
int http_call(struct http *h, const char *method, const char *path, const char *token, const char *body, unsigned wait,
	long *ret_status, char **ret, size_t *ret_len, struct why *w);
