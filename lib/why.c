#include "lib/why.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"

int why(struct why *w, int err, const char *fmt, ...)
{
	int saved = errno;

	if (w) {
		/* Aside first: an argument may be W's own text. */
		char raw[2 * WHY_MAX];
		va_list ap;
		int n;

		va_start(ap, fmt);
		n = vsnprintf(raw, sizeof raw, fmt, ap);
		va_end(ap);
		if (n < 0)
			(void)snprintf(raw, sizeof raw, "%s", strerrordesc_np(-err) ?: "unknown error");
		text_line(w->text, sizeof w->text, raw, strlen(raw));
	}
	errno = saved;
	return err;
}
