/* HTTPS to the hub: libcurl's multi interface on sd-event. */
#pragma once
#include <stddef.h>
#include <systemd/sd-event.h>
#include "courier/conf.h"

struct web;
struct transfer;

struct web_answer {
	int error;            /* 0: an answer came; -EHOSTUNREACH, -EPROTO (TLS), -ETIMEDOUT, -EFBIG */
	long status;
	const char *body;     /* NUL-terminated */
	size_t len;
	unsigned retry_after; /* seconds, 0 when not said */
	const char *words;    /* of an error, or the hub's own message */
};
typedef void (*web_done)(const struct web_answer *a, void *userdata);

int web_new(sd_event *event, size_t answer_max, struct web **ret);
struct web *web_free(struct web *w); /* every transfer must be over or cancelled */

struct web_call {
	/* Of the hub: its address, CA and pin.  NULL: URL is anybody's, believed by the system's CAs, and of the answer's body
	 * only the first line is fetched. */
	const struct courier_conf *conf;
	const char *method, *path, *url;
	const char *secret; /* NULL: none */
	const char *body;   /* NULL: none; copied */
	size_t len;
	unsigned seconds;   /* for all of it */
	web_done done;      /* later, once */
	void *userdata;
};
/* 0 or -errno. */
int web_start(struct web *w, const struct web_call *call, struct transfer **ret);
/* Ends it without a callback; NULL. */
struct transfer *web_cancel(struct transfer *t);
