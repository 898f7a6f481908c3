/* The conversation: one message per call, one line each, whatever the host does with it.  The answer to a request
 * never depends on whether a message got through.  PAM_SILENT is not looked at: sudo sets it always. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/text.h"
#include "gate_client/jit.h"

#define PREFIX "pam-jit: " /* of every line: among sudo's and ssh's own, a person sees whose word it is */

static void put(struct jit *j, enum jit_style style, const char *line)
{
	if (!j->gone)
		j->host->show(j, style, line);
}

/* One line of jitd's words: printable and cut, backslashes as they stand, for jitd has escaped it already. */
static const char *filter(char buf[JIT_LINE_MAX], const char *s, size_t len)
{
	return text_line(buf, JIT_LINE_MAX, s, len);
}

static __attribute__((format(printf, 3, 0))) void own_words(struct jit *j, enum jit_style style, const char *fmt, va_list ap)
{
	char text[JIT_LINE_MAX];
	int n = snprintf(text, sizeof(text), PREFIX);

	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	put(j, style, text);
}

void say(struct jit *j, const char *fmt, ...)
{
	va_list ap;

	if (!j->terminal)
		return;
	va_start(ap, fmt);
	own_words(j, SHOW_INFO, fmt, ap);
	va_end(ap);
}

void say_error(struct jit *j, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	own_words(j, SHOW_ERROR, fmt, ap);
	va_end(ap);
}

void say_log(struct jit *j, int priority, const char *fmt, ...)
{
	char text[JIT_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->host->log(j, priority, text);
}

/* For the next question: sshd shows text with one, or not before the end.  What finds no room drives out what came before
 * it, and that is said. */
static void keep(struct jit *j, const char *line)
{
	size_t have = strlen(j->kept);

	if (have + strlen(line) + 2 > sizeof(j->kept))
		have = (size_t)snprintf(j->kept, sizeof(j->kept), PREFIX "...\n");
	snprintf(j->kept + have, sizeof(j->kept) - have, "%s\n", line);
}

static void put_info(struct jit *j, const char *line)
{
	put(j, SHOW_INFO, line);
}

static void put_error(struct jit *j, const char *line)
{
	put(j, SHOW_ERROR, line);
}

static void show_lines(struct jit *j, void (*to)(struct jit *j, const char *line), const char *text)
{
	for (unsigned i = 0; *text && i < JIT_LINES_MAX; i++) {
		size_t len = strcspn(text, "\n");
		char line[sizeof(PREFIX) - 1 + JIT_LINE_MAX] = PREFIX;

		if (*filter(line + strlen(PREFIX), text, len))
			to(j, line);
		text += len + (text[len] == '\n');
	}
}

/* All of TEXT as one line, for a place where one line is what there is. */
static void show_joined(struct jit *j, const char *text)
{
	char all[JIT_LINE_MAX + 1];
	size_t n = 0;

	for (; *text && n < JIT_LINE_MAX - 1; text++) {
		if (*text == '\n')
			all[n++] = ';';
		all[n++] = *text == '\n' ? ' ' : *text;
	}
	all[n] = '\0';
	show_lines(j, put_error, all);
}

void show_progress(struct jit *j, const char *text)
{
	if (j->kind == KIND_SSHD) {
		show_lines(j, keep, text); /* by itself it would come late, or in a protocol's way */
		return;
	}
	if (j->terminal) {
		show_lines(j, put_info, text);
		return;
	}
	if (!j->announced)
		show_joined(j, text);
	j->announced = true;
}

const char *result_words(enum gate_result r)
{
	switch (r) {
	case GATE_ALLOW:
		return "";
	case GATE_DENIED:
		return "denied";
	case GATE_PENDING:
		return "requested, but not answered yet; run it again when it is approved";
	case GATE_TIMED_OUT:
		return "nobody answered in time";
	case GATE_CANCELLED:
		return "the request was withdrawn";
	case GATE_MISCONFIGURED:
		return "no rules are in force on this host; ask its administrator (jitctl config check)";
	case GATE_BUSY:
		return "too many requests at once; try again later";
	case GATE_REFUSED:
		return "this call cannot be judged, so it is refused";
	case GATE_UNREACHABLE:
		break;
	}
	return "jitd cannot do its work; see 'systemctl status jitd'";
}

void show_verdict(struct jit *j, const struct jit_verdict *v)
{
	const char *text = *v->text ? v->text : result_words(v->result);

	if (v->result == GATE_ALLOW) {
		/* sshd shows this in an interactive login only, so it is in no protocol's way. */
		if (j->terminal || j->kind == KIND_SSHD)
			show_lines(j, put_info, text);
		else if (j->announced)
			show_joined(j, text);
		return;
	}
	if (j->terminal || j->kind == KIND_SSHD)
		show_lines(j, put_error, text);
	else
		show_joined(j, text);
}

static void forget_answer(char *answer)
{
	if (!answer)
		return;
	explicit_bzero(answer, strlen(answer)); /* should somebody have typed a password after all */
	free(answer);
}

int show_prompt(struct jit *j, const char *text, char **ret)
{
	char line[JIT_LINE_MAX + 1], all[JIT_KEPT_MAX + JIT_LINE_MAX + 1], *answer = NULL;
	size_t len = strlen(filter(line, text, strcspn(text, "\n")));
	int r;

	*ret = NULL;
	if (!j->prompt || j->gone)
		return 0;
	if (len && line[len - 1] != ' ')
		memcpy(line + len, " ", 2);
	snprintf(all, sizeof(all), "%s%s", j->kept, line);
	j->kept[0] = '\0';
	r = j->host->ask(j, all, &answer);
	if (r == 0 && answer)
		*ret = strndup(answer, JIT_LINE_MAX);
	forget_answer(answer);
	return r;
}
