#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* No source line with every message: it says nothing to an operator. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "lib/cleanup.h"
#include "lib/text.h"

#define LINE_SIZE 2048

static struct {
	char identifier[64];
	bool debug, journal;
} state = { .identifier = "pam-jit" };

/* systemd says which device and inode its journal stream is (systemd.exec(5), JOURNAL_STREAM); a redirected stderr is
 * another. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char expected[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(expected, sizeof expected, "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	return !strcmp(stream, expected);
}

void log_setup(const char *identifier, bool debug)
{
	(void)snprintf(state.identifier, sizeof state.identifier, "%s", identifier);
	state.debug = debug;
	state.journal = stderr_is_journal();
}

static bool log_journal(int priority, const char *line)
{
	char message[LINE_SIZE + 16], level[16], who[96];
	struct iovec field[] = { { .iov_base = message }, { .iov_base = level }, { .iov_base = who } };

	(void)snprintf(message, sizeof message, "MESSAGE=%s", line);
	(void)snprintf(level, sizeof level, "PRIORITY=%d", LOG_PRI(priority));
	(void)snprintf(who, sizeof who, "SYSLOG_IDENTIFIER=%s", state.identifier);
	for (size_t i = 0; i < ELEMENTS(field); i++)
		field[i].iov_len = strlen(field[i].iov_base);
	return sd_journal_sendv(field, ELEMENTS(field)) >= 0;
}

void log_msg(int priority, const char *fmt, ...)
{
	char raw[LINE_SIZE], line[LINE_SIZE];
	int saved = errno, n;
	va_list ap;

	if (LOG_PRI(priority) == LOG_DEBUG && !state.debug)
		return;
	va_start(ap, fmt);
	n = vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	if (n < 0)
		(void)snprintf(raw, sizeof raw, "(a message that cannot be printed)");
	text_line(line, sizeof line, raw, strlen(raw));
	/* The journal may be full or gone; stderr is the next best. */
	if (!state.journal || !log_journal(priority, line))
		(void)dprintf(STDERR_FILENO, "%s: %s\n", state.identifier, line);
	errno = saved;
}

void log_last(const char *fmt, ...)
{
	char raw[LINE_SIZE] = "", line[LINE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	text_line(line, sizeof line, raw, strlen(raw));
	if (state.journal) /* which puts the identifier before it; sd-daemon(3) has the prefix */
		(void)dprintf(STDERR_FILENO, "<%d>%s\n", LOG_ERR, line);
	else
		(void)dprintf(STDERR_FILENO, "%s: %s\n", state.identifier, line);
}
