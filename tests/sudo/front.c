#include "tests/sudo/front.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What front_run() gives back in the end. */
static void *kept[64];
static size_t n_kept;

static void *keep(void *p)
{
	if (!p || n_kept == sizeof(kept) / sizeof(kept[0]))
		abort();
	return kept[n_kept++] = p;
}

static char **split(const char *words)
{
	char **vector, *copy, *word;
	size_t n = 0, most = 2;

	if (!words)
		return NULL;
	for (const char *p = words; *p; p++)
		most += *p == '|';
	vector = keep(calloc(most, sizeof(*vector)));
	copy = keep(strdup(words));
	while (*words && (word = strsep(&copy, "|")))
		vector[n++] = word;
	return vector;
}

static int converse(int n, const struct sudo_conv_message messages[], struct sudo_conv_reply replies[],
	struct sudo_conv_callback *callback)
{
	const char *text = messages[0].msg;
	size_t len = strlen(text);
	char line[2048];
	int type = messages[0].msg_type;

	if (n != 1 || !(type & SUDO_CONV_PREFER_TTY))
		harness_shown('!', "not as it should be");
	type &= 0xff;
	if (type == SUDO_CONV_PROMPT_ECHO_ON) {
		harness_shown('P', text);
		replies[0].reply = harness_typed();
		return replies[0].reply ? 0 : -1;
	}
	if (len == 0 || text[len - 1] != '\n' || memchr(text, '\n', len - 1))
		harness_shown('!', "no line");
	snprintf(line, sizeof(line), "%.*s", (int)len - 1, text);
	harness_shown(type == SUDO_CONV_INFO_MSG ? 'I' : type == SUDO_CONV_ERROR_MSG ? 'E' : '!', line);
	return 0;
}

__attribute__((format(printf, 2, 3))) static int print(int type, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	harness_shown('V', line);
	return 0;
}

/* open and check as sudo_plugin(5) has them. */
static int call(struct approval_plugin *p, const struct front *f, const char *command_info, const char *run)
{
	const char *errstr = NULL;
	int r;

	outcome->account = p->open(f->version ? f->version : 1U << 16 | 21, f->deaf ? NULL : converse, print, split(f->settings),
		split(f->user_info), f->own, split(f->argv), split("LANG=C"), split(f->options), &errstr);
	if (outcome->account == 0)
		return FRONT_RAN_WITHOUT;
	if (outcome->account != 1)
		return FRONT_UNOPENED;
	r = p->check(split(command_info), split(run), split("LANG=C"), &errstr);
	p->close();
	if (r == 1 && errstr)
		harness_shown('!', "accepted with an error");
	return r;
}

int front_run(const struct run *r)
{
	const struct front *f = r->what;
	void *so = dlopen(f->real ? REAL_PLUGIN : PLUGIN, RTLD_NOW | RTLD_LOCAL);
	struct approval_plugin *p = so ? dlsym(so, "sudo_jit") : NULL;
	int code;

	if (!p || p->type != 4 || p->version >> 16 != 1) {
		harness_shown('!', so ? "no plugin in it" : dlerror());
		return FRONT_UNOPENED;
	}
	code = call(p, f, f->command_info, f->run);
	if (code == 1 && f->again_info)
		code = call(p, f, f->again_info, f->again_run);
	/* Closed is as if never opened. */
	if (p->check(split(f->command_info), split(f->run), split(""), NULL) == 1 && !r->root)
		harness_shown('!', "accepted after close");
	dlclose(so);
	while (n_kept > 0)
		free(kept[--n_kept]);
	return code;
}
