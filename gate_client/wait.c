/* The one wait: for jitd, for a signal, for the terminal or the connection to go, for another parent.
 *
 * INT, QUIT, TERM and HUP are blocked meanwhile and seen through a signalfd that is never read: when the mask comes
 * back, the host's own handler gets the signal, as if we had never been there.  A signal that the host ignores (nohup)
 * stays ignored. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "gate_client/jit.h"

#define TICK_USEC USEC_PER_SEC

struct watch {
	bool ready;            /* the descriptors below are known */
	struct jit *j;
	int signal_fd;
	sigset_t ours, theirs; /* what we wait for; the mask that we found */
	int tty;               /* ours to close */
	int hangup;            /* the terminal: POLLHUP; -1 */
	int out[2];            /* 1 and 2 where they are pipes or sockets and there is no terminal; -1 */
	bool out_dead;
	int connection;        /* sshd's: POLLRDHUP; -1 */
	pid_t parent;
	enum leave cause;
};

static void signals_to_watch(sigset_t *set)
{
	static const int list[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };

	sigemptyset(set);
	for (size_t i = 0; i < ELEMENTS(list); i++) {
		struct sigaction sa;

		if (sigaction(list[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(set, list[i]);
	}
}

static bool pipe_or_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* One that has hung up already answers EIO, and is seen at the first wait. */
static bool terminal(int fd)
{
	return isatty(fd) == 1 || errno == EIO;
}

/* Who would miss us?  sshd's client; a terminal; else whoever reads our output.  stdin tells nothing (ssh -n). */
static void find_audience(struct watch *w, const struct jit *j)
{
	char conn[CONN_MAX];

	if (j->kind == KIND_SSHD) {
		w->connection = facts_connection(j, conn);
		return;
	}
	w->tty = fd_above_stdio(open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
	w->hangup = w->tty;
	for (int fd = STDIN_FILENO; w->hangup < 0 && fd <= STDERR_FILENO; fd++)
		if (terminal(fd))
			w->hangup = fd;
	for (int i = 0; w->hangup < 0 && i < 2; i++)
		if (pipe_or_socket(STDOUT_FILENO + i))
			w->out[i] = STDOUT_FILENO + i;
}

struct watch *watch_begin(struct jit *j)
{
	struct watch *w = malloc(sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct watch){ .j = j, .signal_fd = -1, .tty = -1, .hangup = -1, .out = { -1, -1 }, .connection = -1 };
	w->parent = getppid();
	signals_to_watch(&w->ours);
	if (pthread_sigmask(SIG_BLOCK, &w->ours, &w->theirs) != 0) {
		free(w);
		return NULL;
	}
	return w;
}

/* Not before the first wait: jitd is at work meanwhile.  The signals have been blocked since watch_begin(). */
static bool watch_ready(struct watch *w)
{
	if (w->ready)
		return true;
	w->signal_fd = fd_above_stdio(signalfd(-1, &w->ours, SFD_CLOEXEC | SFD_NONBLOCK));
	if (w->signal_fd < 0)
		return false;
	find_audience(w, w->j);
	return w->ready = true;
}

struct watch *watch_end(struct watch *w)
{
	if (!w)
		return NULL;
	if (w->signal_fd >= 0)
		close(w->signal_fd);
	if (w->tty >= 0)
		close(w->tty);
	pthread_sigmask(SIG_SETMASK, &w->theirs, NULL);
	free(w);
	return NULL;
}

void watch_pause(struct watch *w)
{
	pthread_sigmask(SIG_SETMASK, &w->theirs, NULL);
}

void watch_resume(struct watch *w)
{
	pthread_sigmask(SIG_BLOCK, &w->ours, NULL);
}

enum leave watch_cause(const struct watch *w)
{
	return w->cause;
}

static enum leave cause_of_signal(void)
{
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return LEAVE_TERMINATED;
	if (sigismember(&pending, SIGHUP) == 1)
		return LEAVE_HANGUP;
	if (sigismember(&pending, SIGTERM) == 1)
		return LEAVE_TERMINATED;
	return LEAVE_INTERRUPT;
}

/* A pipeline's reader may go while the user is still there; only when the last reader has gone nobody is. */
static bool readers_gone(struct watch *w, const struct pollfd p[2])
{
	for (int i = 0; i < 2; i++)
		if (w->out[i] >= 0 && (p[i].revents & (POLLERR | POLLHUP))) {
			w->out[i] = -1;
			w->out_dead = true;
		}
	return w->out_dead && w->out[0] < 0 && w->out[1] < 0;
}

enum { AT_JITD, AT_SIGNAL, AT_TTY, AT_OUT, AT_OUT2, AT_CONNECTION, AT_COUNT };

static enum leave cause_of(struct watch *w, const struct pollfd p[AT_COUNT])
{
	if (p[AT_TTY].revents & (POLLHUP | POLLERR))
		return LEAVE_HANGUP;
	if (p[AT_CONNECTION].revents & (POLLRDHUP | POLLHUP | POLLERR))
		return LEAVE_CLIENT_GONE;
	if (readers_gone(w, p + AT_OUT) || getppid() != w->parent)
		return LEAVE_CLIENT_GONE;
	if (p[AT_SIGNAL].revents & POLLIN)
		return cause_of_signal();
	return LEAVE_NOT;
}

static enum woke wait_once(struct watch *w, int fd, uint64_t until)
{
	struct pollfd p[AT_COUNT] = {
		[AT_JITD] = { fd, POLLIN, 0 },
		[AT_SIGNAL] = { w ? w->signal_fd : -1, POLLIN, 0 },
		[AT_TTY] = { w ? w->hangup : -1, 0, 0 },
		[AT_OUT] = { w ? w->out[0] : -1, 0, 0 },
		[AT_OUT2] = { w ? w->out[1] : -1, 0, 0 },
		[AT_CONNECTION] = { w ? w->connection : -1, POLLRDHUP, 0 },
	};
	uint64_t now = clock_mono(), left = now < until ? until - now : 0;
	struct timespec ts;

	if (left > TICK_USEC)
		left = TICK_USEC;
	ts.tv_sec = (time_t)(left / USEC_PER_SEC);
	ts.tv_nsec = (long)(left % USEC_PER_SEC) * 1000;
	if (ppoll(p, AT_COUNT, &ts, NULL) < 0)
		for (int i = 0; i < AT_COUNT; i++)
			p[i].revents = 0; /* EINTR, or no memory: look at the clock, come again */
	if (w && (w->cause = cause_of(w, p)) != LEAVE_NOT)
		return WOKE_LEAVE;
	return p[AT_JITD].revents ? WOKE_DATA : WOKE_TICK;
}

/* Whoever leaves is heard before jitd: an approval that comes together with Ctrl-C lets nothing through. */
enum woke watch_wait(struct watch *w, int fd, uint64_t until)
{
	if (w && !watch_ready(w)) {
		w->cause = LEAVE_TERMINATED; /* no descriptors left: a wait that nothing could end is not begun */
		return WOKE_LEAVE;
	}
	return wait_once(w, fd, until);
}
