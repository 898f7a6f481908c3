/* What the hub reads of a document: enough to file it and to show it.  Whether it is true is for the host to judge. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "lib/envelope.h"

#define DOCUMENT_VIEWERS_MAX 1024
#define RECEIPT_MAX 8192

struct request_document {
	char **viewers; /* NULL-terminated */
	uint64_t answer_by; /* real usec */
};
void request_document_done(struct request_document *d);
/* E must be the request ID of HOST.  -EINVAL with words. */
int request_document_read(const struct envelope *e, const char *host, const char *id, struct request_document *ret,
	struct why *w);

struct answer_document {
	struct json_object *json; /* owns what the others point to */
	const char *host, *digest, *approver, *verdict, *time;
};
void answer_document_done(struct answer_document *d);
/* E must be a decision or a revocation (TYPE) of request ID. */
int answer_document_read(const struct envelope *e, const char *type, const char *id, struct answer_document *ret,
	struct why *w);

/* E must be a receipt of HOST; RET_ID gets the request it is about. */
int receipt_document_read(const struct envelope *e, const char *host, char **ret_id, struct why *w);
