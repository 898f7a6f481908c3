#include <string.h>
#include "helper/shebang.h"

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* The first blank or NUL; END when there is none. */
static const char *terminator(const char *p, const char *end)
{
	while (p < end && *p && *p != ' ' && *p != '\t')
		p++;
	return p;
}

static void take(char *to, const char *from, const char *end)
{
	size_t len = strnlen(from, (size_t)(end - from));

	if (len >= SHEBANG_HEAD)
		len = 0;
	memcpy(to, from, len);
	to[len] = '\0';
}

/* False: the kernel does not run this line (ENOEXEC). */
static bool read_line(const char *buf, struct shebang *ret)
{
	const char *end = buf + SHEBANG_HEAD - 1, *newline = memchr(buf, '\n', strnlen(buf, SHEBANG_HEAD)), *name, *after;

	if (!newline) {
		name = skip_blanks(buf + 2, end);
		/* Without an end the path may have been cut. */
		if (name == end || terminator(name, end) == end)
			return false;
	} else
		end = newline;
	while (end > buf + 2 && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	name = skip_blanks(buf + 2, end);
	if (name == end || !*name)
		return false;
	after = terminator(name, end);
	take(ret->interpreter, name, after);
	if (after < end && *after)
		take(ret->argument, skip_blanks(after, end), end);
	return ret->interpreter[0] != '\0';
}

void shebang_parse(const char *head, size_t len, struct shebang *ret)
{
	char buf[SHEBANG_HEAD] = { 0 };

	*ret = (struct shebang){ { 0 }, { 0 }, false };
	if (len > SHEBANG_HEAD)
		len = SHEBANG_HEAD;
	memcpy(buf, head, len);
	if (len >= 2 && buf[0] == '#' && buf[1] == '!' && read_line(buf, ret))
		return;
	*ret = (struct shebang){ { 0 }, { 0 }, false };
	/* Other formats that the kernel runs have a NUL there; what has none is no program, and execve() says ENOEXEC. */
	ret->shell = memchr(head, '\0', len) == NULL;
}

bool shebang_env(const char *argument, char name[static SHEBANG_HEAD])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
	bool split = strncmp(argument, "-S", 2) == 0;
	size_t len;

	if (split)
		argument += 2 + strspn(argument + 2, " \t");
	len = strspn(argument, plain);
	/* Without -S all of the argument is one word, blanks and all. */
	if (len == 0 || len >= SHEBANG_HEAD || argument[0] == '-' || (argument[len] && !(split && strchr(" \t", argument[len]))))
		return false;
	memcpy(name, argument, len);
	name[len] = '\0';
	return true;
}
