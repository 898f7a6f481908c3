/* The hub's reading of an envelope and its document, as a host or an approver may send it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "hub/document.h"
#include "lib/cleanup.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *text = malloc(size + 1), *id = NULL;
	CLEAN(envelope_done) struct envelope e = { 0 };
	CLEAN(request_document_done) struct request_document request = { 0 };
	CLEAN(answer_document_done) struct answer_document answer = { 0 }, revoke = { 0 };
	struct why w;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (envelope_parse(text, size, &e, &w) < 0)
		return 0;
	if (request_document_read(&e, "web1", "AAAA-AAAA", &request, &w) == 0)
		for (char **v = request.viewers; *v; v++)
			if (!principal_valid(*v))
				abort();
	if (answer_document_read(&e, "decision", "AAAA-AAAA", &answer, &w) == 0 && !strcmp(answer.verdict, "revoke"))
		abort();
	(void)answer_document_read(&e, "revoke", "AAAA-AAAA", &revoke, &w);
	(void)receipt_document_read(&e, "web1", &id, &w);
	return 0;
}
