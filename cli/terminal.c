#include "cli/terminal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>
#include "cli/screen.h"
#include "lib/cleanup.h"

static int terminal_open(void)
{
	return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool terminal_there(void)
{
	CLEAN(close_p) int fd = terminal_open();

	return fd >= 0 && screen_terminal();
}

int terminal_ask(char **ret, const char *fmt, ...)
{
	CLEAN(close_p) int fd = terminal_open();
	CLEAN(fclose_p) FILE *f = NULL;
	CLEAN(free_p) char *line = NULL;
	size_t size = 0;
	va_list ap;
	ssize_t n;

	if (fd < 0 || !screen_terminal())
		return -ENOTTY;
	fflush(stdout);
	tcflush(fd, TCIFLUSH);
	f = fdopen(fd, "r+");
	if (!f)
		return -ENOMEM;
	steal_fd(&fd);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fflush(f);
	n = getline(&line, &size, f);
	if (n < 0)
		return -ENODATA;
	while (n > 0 && isspace((unsigned char)line[n - 1]))
		line[--n] = '\0';
	*ret = STEAL_PTR(line);
	return 0;
}
