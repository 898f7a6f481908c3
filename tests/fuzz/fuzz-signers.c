/* signers_parse: whatever is accepted can be found again, names no pattern, and stands in the file as it is kept. */
#include "config.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/sshkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(signers_done) struct signers s = { 0 };
	CLEAN(free_p) char *text = malloc(size ? size : 1);
	struct why w = { "" };

	if (size > 0)
		memcpy(text, data, size);
	if (signers_parse(text, size, "approvers", "decision@pam-jit", &s, &w) < 0) {
		must(strncmp(w.text, "approvers:", 10) == 0 && s.list == NULL);
		return 0;
	}
	must(s.len == size && memcmp(s.bytes, data, size) == 0);
	for (size_t i = 0; i < s.n; i++) {
		const struct signer *one = &s.list[i];
		CLEAN(signers_done) struct signers alone = { 0 };

		must(strstr(s.bytes, one->text) != NULL && strstr(one->text, "namespaces=\"decision@pam-jit\""));
		must(one->principals[0] && (!one->cert_authority || !one->principals[1]));
		must(one->valid_after < one->valid_before);
		for (size_t j = 0; one->principals[j]; j++) {
			must(strpbrk(one->principals[j], "*?!\", \t\\") == NULL);
			must(signers_find(&s, one->principals[j], &one->key) == one);
		}
		must(signers_parse(one->text, strlen(one->text), "approvers", "decision@pam-jit", &alone, &w) == 0);
		must(alone.n == 1 && sshkey_equal(&alone.list[0].key, &one->key));
	}
	return 0;
}
