/* envelope_parse and json_parse: what is accepted is in form, and formatted and parsed again it is the same. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/envelope.h"
#include "lib/json.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* json-c prints what it read: the same again. */
static void check_json(const char *text, size_t len)
{
	CLEAN(json_put_p) struct json_object *o = NULL, *again = NULL;
	struct why w = { "" };
	const char *printed;

	if (json_parse(text, len, &o, &w) < 0) {
		must(o == NULL && w.text[0] && text_utf8(w.text, strlen(w.text)) && !strpbrk(w.text, "\n\r\033"));
		return;
	}
	printed = json_text(o);
	must(json_parse(printed, strlen(printed), &again, &w) == 0);
	must(json_object_equal(o, again));
}

static void check_again(const struct envelope *e)
{
	CLEAN(free_p) char *text = envelope_format(e->type, e->document, e->signature);
	CLEAN(envelope_done) struct envelope again = { 0 };

	/* An escape may need more bytes than what it was read from. */
	if (!text && errno == EFBIG)
		return;
	must(text != NULL);
	must(envelope_parse(text, strlen(text), &again, NULL) == 0);
	must(!strcmp(again.type, e->type) && again.document_len == e->document_len);
	must(!memcmp(again.document, e->document, e->document_len));
	must(!e->signature == !again.signature && (!e->signature || !strcmp(e->signature, again.signature)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *text = malloc(size > 0 ? size : 1);
	CLEAN(envelope_done) struct envelope e = { 0 };
	struct why w = { "" };
	int r;

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	check_json(text, size);
	r = envelope_parse(text, size, &e, &w);
	if (r < 0) {
		must((r == -EINVAL || r == -EFBIG) && w.text[0] && !e.type && !e.document && !e.signature);
		return 0;
	}
	must(size <= ENVELOPE_MAX && e.document_len > 0 && strlen(e.document) == e.document_len);
	must(text_utf8(e.document, e.document_len));
	must(!!e.signature == (!strcmp(e.type, "decision") || !strcmp(e.type, "revoke") || !strcmp(e.type, "receipt")));
	check_again(&e);
	return 0;
}
