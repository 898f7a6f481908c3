/* check_parse: what is taken prints as something that is taken and prints the same; it judges any reading without a fault,
 * and nothing holds of what could not be read.  check_next cuts any text into words that lie in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/check.h"
#include "lib/cleanup.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void judge(const struct check *c, const char *word, uint64_t number)
{
	struct check_reading r = { .number = number, .total = number / 2, .present = number & 1, .word = word, .text = word };
	char text[512];

	(void)check_judge(c, &r, text, sizeof(text));
	must(text[0] && text_utf8(text, strlen(text)));
	r.error = word;
	must(!check_judge(c, &r, text, sizeof(text)));
}

static void parse(const char *text)
{
	CLEAN(check_done) struct check c = { 0 }, again = { 0 };
	struct why w = { "" };

	if (check_parse(text, &c, &w) < 0) {
		must(w.text[0] && !c.text);
		return;
	}
	/* What a backslash is put before may not fit any more. */
	must(check_parse(c.text, &again, &w) == 0 || strlen(c.text) > CHECK_TEXT_MAX);
	must(!again.text || strcmp(c.text, again.text) == 0);
	must((c.kind == CHECK_EXEC) == (c.argv != NULL));
	for (int shift = 0; shift < 64; shift += 7)
		judge(&c, text, UINT64_MAX >> shift);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *text = malloc(size + 1);
	const char *at = text, *word;
	size_t len;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	parse(text);
	while ((word = check_next(&at, &len))) {
		CLEAN(free_p) char *copy = strndup(word, len);

		must(len > 0 && word >= text && word + len <= text + strlen(text));
		if (text_utf8(copy, len))
			parse(copy);
	}
	return 0;
}
