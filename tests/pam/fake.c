#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/gate.h"
#include "tests/pam/fake.h"

#define PATIENCE 20 /* seconds: a client that does not come at all */

struct fake {
	const char *path;
	int listener, client;
	unsigned step;
	char in[GATE_MAX + 1], out[GATE_MAX];
};

static void fail(const struct fake *f, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
static void fail(const struct fake *f, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "fake jitd, step %u: ", f->step);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

int fake_listen(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0) {
		perror("fake_listen");
		_exit(1);
	}
	return fd;
}

void fake_fill(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, r;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	do {
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		r = connect(fd, (struct sockaddr *)&a, sizeof(a));
		close(fd);
	} while (r == 0);
}

static void await(const struct fake *f, int fd, const char *what)
{
	struct pollfd p = { fd, POLLIN, 0 };

	if (poll(&p, 1, PATIENCE * 1000) != 1)
		fail(f, "waited in vain for %s", what);
}

static ssize_t receive(struct fake *f)
{
	ssize_t n;

	await(f, f->client, "a message");
	n = recv(f->client, f->in, GATE_MAX, 0);
	return n < 0 && errno == ECONNRESET ? 0 : n;
}

/* The next field of a '|' list; NULL at the end. */
static char *field(char **list)
{
	return strsep(list, "|");
}

static bool has(const struct gate_in *in, const char *key, const char *value)
{
	for (unsigned i = 0; i < in->fields; i++)
		if (!strcmp(in->key[i], key) && !strcmp(in->value[i], value))
			return true;
	return false;
}

static void check(const struct fake *f, const struct gate_in *in, char *want)
{
	char *equals = strchr(want, '=');

	if (*want == '!') {
		if (gate_get(in, want + 1))
			fail(f, "%s=%s should be absent", want + 1, gate_get(in, want + 1));
		return;
	}
	if (!equals) { /* the key alone: any value */
		if (!gate_get(in, want))
			fail(f, "%s is absent", want);
		return;
	}
	*equals = '\0';
	if (!has(in, want, equals + 1))
		fail(f, "%s should be '%s' and is '%s'", want, equals + 1, gate_get(in, want) ? gate_get(in, want) : "(absent)");
}

static void expect(struct fake *f, const char *text)
{
	ssize_t n = receive(f);
	char copy[4096], *list = copy, *want;
	struct gate_in in;

	if (n <= 0)
		fail(f, "no message but the end, where '%.60s' was due", text);
	if (gate_parse(f->in, (size_t)n, &in) < 0)
		fail(f, "a malformed message");
	snprintf(copy, sizeof(copy), "%s", text);
	while ((want = field(&list)))
		check(f, &in, want);
}

static size_t compose(struct fake *f, const char *text, bool raw)
{
	size_t n = 0, len = strlen(text);

	if (!raw)
		n = (size_t)snprintf(f->out, sizeof(f->out), "v=1") + 1;
	if (n + len + 1 > sizeof(f->out))
		fail(f, "scenario too long");
	memcpy(f->out + n, text, len);
	for (size_t i = n; i < n + len; i++)
		if (f->out[i] == '|')
			f->out[i] = '\0';
	n += len;
	if (!raw)
		f->out[n++] = '\0';
	return n;
}

static void put(struct fake *f, const char *text, bool raw)
{
	size_t n = compose(f, text, raw);

	if (send(f->client, f->out, n, MSG_NOSIGNAL) < 0)
		fail(f, "send: %s", strerror(errno));
}

static void flood(struct fake *f, const char *text)
{
	size_t n = compose(f, text, false);

	while (send(f->client, f->out, n, MSG_NOSIGNAL) >= 0)
		;
}

static void gone(struct fake *f)
{
	ssize_t n = receive(f);

	if (n > 0)
		fail(f, "a message where the client was to go: %.*s", (int)n, f->in + strlen(f->in) + 1);
}

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool dead(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void play(struct fake *f, const struct fake_step *s)
{
	switch (s->op) {
	case FAKE_ACCEPT:
	case FAKE_ACCEPT_LIVE:
		do {
			drop(&f->client);
			await(f, f->listener, "a client");
			f->client = accept(f->listener, NULL, NULL);
		} while (s->op == FAKE_ACCEPT_LIVE && dead(f->client));
		break;
	case FAKE_EXPECT:
		expect(f, s->text);
		break;
	case FAKE_SEND:
	case FAKE_RAW:
		put(f, s->text, s->op == FAKE_RAW);
		break;
	case FAKE_ACT:
		s->act();
		break;
	case FAKE_GONE:
		gone(f);
		break;
	case FAKE_CLOSE:
		drop(&f->client);
		break;
	case FAKE_UNLISTEN:
		drop(&f->listener);
		unlink(f->path);
		break;
	case FAKE_LISTEN:
		f->listener = fake_listen(f->path);
		break;
	case FAKE_FLOOD:
		flood(f, s->text);
		break;
	case FAKE_END:
		break;
	}
}

int fake_run(int fd, const char *path, const struct fake_step *steps)
{
	static struct fake f;

	f = (struct fake){ .path = path, .listener = fd, .client = -1 };
	for (; steps[f.step].op != FAKE_END; f.step++)
		play(&f, &steps[f.step]);
	drop(&f.client);
	/* Whoever connects once more breaks the scenario. */
	if (f.listener >= 0) {
		struct pollfd p = { f.listener, POLLIN, 0 };

		if (poll(&p, 1, 0) == 1)
			fail(&f, "one more connection than expected");
		drop(&f.listener);
	}
	return 0;
}
