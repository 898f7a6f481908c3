/* jit-worker: does for jitd what may block.  See worker-wire.h for what it is asked.  Its argument is the name of its lane,
 * for those who look at the list of processes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper/shed.h"
#include "helper/worker-jobs.h"
#include "helper/worker-wire.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"

#define MEMORY_MAX (512UL * 1024 * 1024)

static int dispatch(const struct json_object *q, struct json_object *a)
{
	static const struct {
		const char *verb;
		int (*job)(const struct json_object *q, struct json_object *a);
	} jobs[] = {
		{ "account", job_account },
		{ "identity", job_identity },
		{ "file", job_file },
		{ "lookup", job_lookup },
		{ "terminal", job_terminal },
		{ "flush", job_flush },
	};
	const char *verb = json_str(q, "do");

	for (size_t i = 0; verb && i < ELEMENTS(jobs); i++)
		if (strcmp(jobs[i].verb, verb) == 0)
			return jobs[i].job(q, a);
	return -EOPNOTSUPP;
}

/* The answer that says only an error. */
static int answer_error(uint64_t n, int err, char *buf, size_t size)
{
	return snprintf(buf, size, "{\"n\":%llu,\"errno\":%d}", (unsigned long long)n, -err);
}

static int answer(const char *text, size_t len)
{
	CLEAN(json_put_p) struct json_object *q = NULL, *a = json_object_new_object();
	struct why w = { { 0 } };
	char small[64];
	const char *out;
	uint64_t n;
	int r = json_parse(text, len, &q, &w);

	if (r < 0 || json_u64(q, "n", &n) < 0) {
		log_error("a question that is none: %s", w.text);
		return -EINVAL;
	}
	r = a ? dispatch(q, a) : -ENOMEM;
	if (r >= 0 && (json_add_u64(a, "n", n) < 0 || json_add_u64(a, "errno", 0) < 0))
		r = -ENOMEM;
	out = r < 0 ? NULL : json_text(a);
	if (!out || strlen(out) > WORKER_MESSAGE_MAX) {
		answer_error(n, r < 0 ? r : -E2BIG, small, sizeof(small));
		out = small;
	}
	return send(WORKER_FD, out, strlen(out), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A question into TEXT, and the descriptor that came with it.  Its length, 0 at the end, or -errno. */
static ssize_t question(char *text, size_t size, int *ret_fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { .iov_base = text, .iov_len = size };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(WORKER_FD, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	/* A root that was lost must not become our own. */
	return m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EMSGSIZE : n;
}

int main(int argc, char **argv)
{
	static char text[WORKER_MESSAGE_MAX];
	int type = 0, r;
	socklen_t len = sizeof(type);

	log_setup("jit-worker", false);
	if (argc != 2 || getsockopt(WORKER_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET) {
		fprintf(stderr, "jit-worker is started by jitd, with a socket.\n");
		return 2;
	}
	r = shed(MEMORY_MAX, 0);
	if (r < 0) {
		log_error("cannot be confined: %s", strerror(-r));
		return 1;
	}
	for (;;) {
		ssize_t n = question(text, sizeof(text), &job_root);

		if (n <= 0)
			return n == 0 ? 0 : 1;
		if (answer(text, (size_t)n) < 0)
			return 1;
		if (job_root >= 0)
			close_quietly(job_root);
		job_root = -1;
	}
}
