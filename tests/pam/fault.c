#include "tests/pam/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

struct fault *fault;

static bool strikes(const char *name, int error)
{
	if (!fault || ++fault->calls != fault->at)
		return false;
	snprintf(fault->name, sizeof(fault->name), "%s", name);
	errno = error;
	return true;
}

/* X(result, name, parameters, arguments, value on failure, errno) */
#define CALLS(X)                                                                                                   \
	X(void *, malloc, (size_t n), (n), NULL, ENOMEM)                                                           \
	X(void *, calloc, (size_t n, size_t m), (n, m), NULL, ENOMEM)                                              \
	X(int, socket, (int d, int t, int p), (d, t, p), -1, EMFILE)                                               \
	X(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), -1, ECONNREFUSED)             \
	X(int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n), -1, ENOBUFS)           \
	X(ssize_t, send, (int fd, const void *b, size_t n, int f), (fd, b, n, f), -1, EPIPE)                       \
	X(ssize_t, recv, (int fd, void *b, size_t n, int f), (fd, b, n, f), -1, ECONNRESET)                        \
	X(int, signalfd, (int fd, const sigset_t *s, int f), (fd, s, f), -1, EMFILE)                               \
	X(int, ppoll, (struct pollfd * p, nfds_t n, const struct timespec *t, const sigset_t *s), (p, n, t, s), -1, EINTR) \
	X(ssize_t, read, (int fd, void *b, size_t n), (fd, b, n), -1, EIO)                                         \
	X(int, pam_set_data, (pam_handle_t * h, const char *n, void *d, void (*c)(pam_handle_t *, void *, int)), (h, n, d, c), \
		PAM_BUF_ERR, ENOMEM)                                                                               \
	X(int, pam_get_data, (const pam_handle_t *h, const char *n, const void **d), (h, n, d), PAM_NO_MODULE_DATA, 0) \
	X(int, pam_get_item, (const pam_handle_t *h, int i, const void **v), (h, i, v), PAM_BUF_ERR, ENOMEM)

#define X(result, name, parameters, arguments, failed, error)              \
	EXPORTED result __wrap_##name parameters;                          \
	result __wrap_##name parameters                                    \
	{                                                                  \
		return strikes(#name, error) ? (failed) : name arguments; \
	}
CALLS(X)
#undef X

EXPORTED int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	return strikes("open", ENFILE) ? -1 : open(path, flags);
}

/* SIG_SETMASK with a mask that was read before cannot fail. */
EXPORTED int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return how == SIG_BLOCK && strikes("pthread_sigmask", EINVAL) ? EINVAL : pthread_sigmask(how, set, old);
}
