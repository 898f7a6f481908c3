/* What a module can tell about the call from the process that it is in: the environment, the command line, the connection.
 * All of it is a claim to jitd, which asks the kernel; here it decides only what may be shown and asked where. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/sudoargs.h"
#include "gate_client/jit.h"

#define ARGS_MAX (GATE_FIELDS - 32) /* leaves fields for everything else */
#define DESCRIPTORS_MAX 4096        /* a host with more of them is not searched to the end */
#define TITLE_MAX 4096
#define ADDRESS_MAX (INET6_ADDRSTRLEN + sizeof("[]:65535"))

int fd_above_stdio(int fd)
{
	int high, e;

	if (fd < 0)
		return -errno;
	if (fd > STDERR_FILENO)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	e = errno;
	close(fd);
	return high < 0 ? -e : high;
}

/* The process's own environment, past any getenv() that the host puts before libc's. */
static const char *raw_environment(const char *name, size_t len)
{
	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, name, len) && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

/* sudo drops JIT_REASON from the environment that it builds, so the requester's own is read.  sshd's is the daemon's. */
const char *facts_reason(const struct jit *j)
{
	const char *value = j->kind == KIND_SSHD ? NULL : raw_environment("JIT_REASON", strlen("JIT_REASON"));

	return value && *value ? value : NULL;
}

static int read_command_line(char *buf, size_t size, size_t *ret_len)
{
	CLEAN(close_p) int fd = fd_above_stdio(open(JIT_CMDLINE, O_RDONLY | O_CLOEXEC | O_NOCTTY));
	size_t len = 0;

	if (fd < 0)
		return fd;
	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

bool facts_title_ends(const char *words)
{
	CLEAN(free_p) char *buf = malloc(TITLE_MAX + 1);
	size_t len = 0, n = strlen(words);

	if (!buf || read_command_line(buf, TITLE_MAX, &len) < 0)
		return false;
	buf[len] = '\0';
	len = strlen(buf);
	return len > n && !strcmp(buf + len - n, words);
}

/* Splits LEN bytes into words without the first; false: not all of them are there. */
static bool split(char *buf, size_t len, const char **words, size_t *ret_n)
{
	size_t at = strnlen(buf, len) + 1, n = 0, bytes = 0;

	while (at < len && n < ARGS_MAX) {
		size_t l = strnlen(buf + at, len - at);

		if (at + l == len || bytes + l + 1 > GATE_ARGS_MAX)
			break;
		words[n++] = buf + at;
		bytes += l + 1;
		at += l + 1;
	}
	*ret_n = n;
	return at == len;
}

/* A question is asked only where every option is known and none of them feeds prompts from elsewhere: -S would take
 * the answer from the command's input, -A from the password helper, -n fails it. */
static bool sudo_prompts(const char *argv0, const char *const *words, size_t n)
{
	const char *slash = strrchr(argv0, '/'), *base = slash ? slash + 1 : argv0;
	struct host_command h = { .recognised = false };

	sudo_args(words, n, !strcmp(base, "sudoedit"), &h);
	return h.recognised && !h.noninteractive && !h.stdin_password && !h.askpass;
}

void facts_put_args(struct jit *j, struct gate_out *o)
{
	CLEAN(free_p) char *buf = malloc(GATE_MAX + 1);
	CLEAN(free_p) const char **words = calloc(ARGS_MAX, sizeof(*words));
	size_t len = 0, n = 0;
	bool whole = false;

	if (j->kind == KIND_SSHD)
		return; /* a title, and the command comes later */
	if (buf && words && read_command_line(buf, GATE_MAX, &len) == 0 && len > 0) {
		buf[len] = '\0';
		whole = split(buf, len, words, &n);
	}
	for (size_t i = 0; i < n; i++)
		gate_put(o, "arg", words[i]);
	if (!whole)
		gate_put(o, "cut", "yes");
	if (j->kind == KIND_SUDO)
		j->prompt = j->terminal && whole && sudo_prompts(buf, words, n);
}

/* "192.0.2.1:22", "[2001:db8::1]:22"; ADDR alone goes to HOST. */
static bool address(const struct sockaddr_storage *a, char host[INET6_ADDRSTRLEN], char text[ADDRESS_MAX])
{
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)a;

		if (!inet_ntop(AF_INET, &in->sin_addr, host, INET6_ADDRSTRLEN))
			return false;
		snprintf(text, ADDRESS_MAX, "%s:%u", host, ntohs(in->sin_port));
		return true;
	}
	if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)a;

		if (!inet_ntop(AF_INET6, &in->sin6_addr, host, INET6_ADDRSTRLEN))
			return false;
		snprintf(text, ADDRESS_MAX, "[%s]:%u", host, ntohs(in->sin6_port));
		return true;
	}
	return false;
}

static bool connected(int fd, char peer[INET6_ADDRSTRLEN], char conn[CONN_MAX])
{
	struct sockaddr_storage local = { 0 }, remote = { 0 };
	socklen_t ll = sizeof(local), rl = sizeof(remote), tl = sizeof(int);
	char here[INET6_ADDRSTRLEN], l[ADDRESS_MAX], r[ADDRESS_MAX];
	int type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &tl) < 0 || type != SOCK_STREAM)
		return false;
	if (getsockname(fd, (struct sockaddr *)&local, &ll) < 0 || getpeername(fd, (struct sockaddr *)&remote, &rl) < 0)
		return false;
	if (!address(&local, here, l) || !address(&remote, peer, r))
		return false;
	snprintf(conn, CONN_MAX, "%s %s", l, r);
	return true;
}

/* sshd's connection is the only connected TCP socket that it holds.  Where another module has left one of its own, the
 * one whose peer is PAM_RHOST; none, rather than a wrong one. */
int facts_connection(const struct jit *j, char conn[CONN_MAX])
{
	CLEAN(closedir_p) DIR *dir = NULL;
	int only = -1, match = -1, found = 0, matches = 0;
	char peer[INET6_ADDRSTRLEN], name[CONN_MAX], kept[CONN_MAX] = "";

	if (j->kind != KIND_SSHD || !(dir = opendir("/proc/self/fd")))
		return -1;
	for (unsigned i = 0; i < DESCRIPTORS_MAX; i++) {
		struct dirent *e = readdir(dir);
		unsigned long long fd;

		if (!e)
			break;
		if (number_parse(e->d_name, 1u << 20, &fd) < 0 || !connected((int)fd, peer, name))
			continue;
		if (found++ == 0)
			only = (int)fd;
		if (j->rhost && !strcmp(j->rhost, peer) && matches++ == 0)
			match = (int)fd;
		if (only == (int)fd || match == (int)fd)
			memcpy(kept, name, sizeof(kept));
	}
	if (matches != 1 && found != 1)
		return -1;
	memcpy(conn, kept, CONN_MAX);
	return matches == 1 ? match : only;
}

void facts_put_who(const struct jit *j, struct gate_out *o)
{
	gate_put(o, "service", j->service);
	gate_put(o, "user", j->user);
}

void facts_put_claims(const struct jit *j, struct gate_out *o)
{
	char conn[CONN_MAX];

	gate_put(o, "ruser", j->ruser);
	gate_put(o, "tty", j->tty);
	if (facts_connection(j, conn) >= 0)
		gate_put(o, "conn", conn);
}
