/* answers_parse: whatever a hub says, what is taken is numbered upwards, of a known type, and an envelope again. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "courier/answers.h"
#include "lib/cleanup.h"
#include "lib/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct answer *a)
{
	CLEAN(envelope_done) struct envelope e = { 0 };

	if (!a->text)
		return;
	must(envelope_parse(a->text, strlen(a->text), &e, NULL) == 0);
	must(!strcmp(e.type, a->item.type));
	must(!strcmp(e.type, "decision") || !strcmp(e.type, "revoke") || !strcmp(e.type, "check"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *text = malloc(size + 1);
	CLEAN(answers_done) struct answers a = { 0 };
	struct why w = { "" };
	uint64_t last = 5;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (answers_parse(text, size, 5, &a, &w) < 0) {
		must(w.text[0] && !a.list);
		return 0;
	}
	for (size_t i = 0; i < a.n; i++) {
		must(a.list[i].item.n > last);
		last = a.list[i].item.n;
		check(&a.list[i]);
	}
	must(a.next == last);
	return 0;
}
