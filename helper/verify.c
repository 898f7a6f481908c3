#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/child.h"
#include "helper/dirs.h"
#include "lib/memfd.h"
#include "helper/verify.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/sshsig.h"
#include "lib/text.h"

#define RUNNING_MAX 2
#define QUEUE_MAX 256
#define OUTPUT_MAX (64 * 1024)
#define MEMORY_MAX (256UL * 1024 * 1024)
#define KEY_MAX (64 * 1024)
#define SIGNERS_BYTES_MAX (1024 * 1024)
#define WORDS_COLUMNS 300

/* Descriptors of ssh-keygen: 0 document, 1 and 2 what it says, 3 signers or private key, 4 signature. */
enum { FD_DOCUMENT, FD_OUT, FD_ERR, FD_FILE, FD_SIGNATURE, FD_COUNT };

struct run {
	struct run *next;
	struct verify *v;
	bool sign;
	union {
		verify_done verify;
		sign_done sign;
	} done;
	void *userdata;
	char *principal, *ns;
	int fds[FD_COUNT];
	pid_t pid;
	int pidfd;
	sd_event_source *end, *clock;
};

struct verify {
	sd_event *event;
	sd_event_source *wake;
	struct run *waiting, **last;
	struct run *running;
	unsigned n_waiting, n_running;
};

static void run_free(struct run *r)
{
	sd_event_source_disable_unref(r->end);
	sd_event_source_disable_unref(r->clock);
	if (r->pid > 0)
		child_abandon(r->v->event, r->pid, r->pidfd);
	else if (r->pidfd >= 0)
		close_quietly(r->pidfd);
	for (size_t i = 0; i < FD_COUNT; i++)
		if (r->fds[i] >= 0)
			close_quietly(r->fds[i]);
	free(r->principal);
	free(r->ns);
	free(r);
}

static void run_free_p(struct run **r)
{
	if (*r)
		run_free(*r);
}

/* Whom ssh-keygen runs as.  Read from the file, because the name service may block; a system user stands there.
 * Not root: as the caller. */
static int verify_user(uid_t *uid, gid_t *gid)
{
	CLEAN(fclose_p) FILE *f = NULL;
	struct passwd *pw;

	*uid = (uid_t)-1;
	*gid = (gid_t)-1;
	if (geteuid() != 0)
		return 0;
	f = fopen("/etc/passwd", "re");
	if (!f)
		return -errno;
	while ((pw = fgetpwent(f)))
		if (strcmp(pw->pw_name, dirs.verify_user) == 0 && pw->pw_uid != 0) {
			*uid = pw->pw_uid;
			*gid = pw->pw_gid;
			return 0;
		}
	return -ESRCH;
}

/* The words of ssh-keygen, in one escaped line. */
static void words_of(const struct run *r, struct why *w)
{
	CLEAN(free_p) char *text = NULL, *shown = NULL;
	size_t len = 0;

	if (memfd_text(r->fds[FD_ERR], OUTPUT_MAX, &text, &len) >= 0 && len == 0) {
		free(text);
		text = NULL;
		if (memfd_text(r->fds[FD_OUT], OUTPUT_MAX, &text, &len) < 0)
			len = 0;
	}
	while (text && len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n' || text[i] == '\r')
			text[i] = ' ';
	shown = text ? text_escape(text, len, WORDS_COLUMNS) : NULL;
	snprintf(w->text, sizeof(w->text), "%s", shown && *shown ? shown : "ssh-keygen said nothing");
}

static void answer(struct run *r, int result, const char *text)
{
	if (r->sign && r->done.sign)
		r->done.sign(result, result < 0 ? NULL : text, r->userdata);
	else if (!r->sign && r->done.verify)
		r->done.verify(result, text, r->userdata);
}

static void wake(struct verify *v)
{
	int r = sd_event_source_set_enabled(v->wake, SD_EVENT_ONESHOT);

	if (r < 0)
		log_error("verify: cannot be scheduled: %s", strerror(-r));
}

/* R is over: out of the list, its process gone, and answered.  The callee may free the verify, so R goes after it. */
static void run_over(struct run *r, int result, const char *text)
{
	struct verify *v = r->v;

	for (struct run **p = &v->running; *p; p = &(*p)->next)
		if (*p == r) {
			*p = r->next;
			v->n_running--;
			break;
		}
	if (v->waiting)
		wake(v);
	if (r->pid > 0) {
		/* A process is watched once: ours goes first. */
		r->end = sd_event_source_disable_unref(r->end);
		child_abandon(v->event, r->pid, r->pidfd);
		r->pid = 0;
		r->pidfd = -1;
	}
	answer(r, result, text);
	run_free(r);
}

/* "Good \"NAMESPACE\" signature for PRINCIPAL with …": besides the exit status, so that no other success passes. */
static int judge_verified(const struct run *r)
{
	CLEAN(free_p) char *text = NULL, *good = NULL;
	size_t len;

	if (memfd_text(r->fds[FD_OUT], OUTPUT_MAX, &text, &len) < 0 ||
	    asprintf(&good, "Good \"%s\" signature for %s with ", r->ns, r->principal) < 0) {
		good = NULL;
		return -EIO;
	}
	return strncmp(text, good, strlen(good)) == 0 ? 0 : -EACCES;
}

static int judge_signed(const struct run *r, char **ret)
{
	static const char begin[] = "-----BEGIN SSH SIGNATURE-----\n";
	size_t len;
	int e = memfd_text(r->fds[FD_OUT], OUTPUT_MAX, ret, &len);

	if (e < 0)
		return e;
	return len <= SSHSIG_MAX && strncmp(*ret, begin, strlen(begin)) == 0 ? 0 : -EIO;
}

static int on_end(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	struct run *r = userdata;
	CLEAN(free_p) char *signature = NULL;
	struct why w = { { 0 } };
	int result;

	r->pid = 0;
	words_of(r, &w);
	if (si->si_code != CLD_EXITED)
		result = why(&w, -EIO, "ssh-keygen ended by signal %d", si->si_status);
	else if (si->si_status == CHILD_FAILED)
		result = -EIO;
	else if (si->si_status != 0)
		result = r->sign ? -EIO : -EACCES;
	else
		result = r->sign ? judge_signed(r, &signature) : judge_verified(r);
	if (result < 0 && r->sign)
		log_error("signing with the host's key: %s", w.text);
	run_over(r, result, r->sign ? signature : w.text);
	return 0;
}

static int on_clock(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct run *r = userdata;

	log_warning("ssh-keygen did not end in 2 s");
	run_over(r, -ETIMEDOUT, "ssh-keygen did not end in 2 s");
	return 0;
}

#define ARG(s) ((char *)(uintptr_t)(s))

static int run_start(struct run *r)
{
	char *const verify[] = { ARG(dirs.keygen), ARG("-Y"), ARG("verify"), ARG("-f"), ARG("/proc/self/fd/3"),
		ARG("-I"), r->principal, ARG("-n"), r->ns, ARG("-s"), ARG("/proc/self/fd/4"), NULL };
	char *const sign[] = { ARG(dirs.keygen), ARG("-q"), ARG("-Y"), ARG("sign"), ARG("-f"), ARG("/proc/self/fd/3"),
		ARG("-n"), r->ns, NULL };
	char *const envp[] = { NULL };
	struct child_plan p = { .argv = r->sign ? sign : verify, .envp = envp, .confined = true, .cpu_seconds = 2,
		.memory = MEMORY_MAX, .file_size = OUTPUT_MAX, .n_fds = r->sign ? FD_SIGNATURE : FD_COUNT };
	int e = verify_user(&p.uid, &p.gid);

	if (e < 0)
		return e;
	for (unsigned i = 0; i < p.n_fds; i++) {
		if (p.uid != (uid_t)-1 && i != FD_DOCUMENT && fchown(r->fds[i], p.uid, p.gid) < 0)
			return -errno;
		p.fds[i] = r->fds[i];
	}
	e = child_start(&p, &r->pid, &r->pidfd);
	if (e < 0)
		return e;
	e = sd_event_add_child(r->v->event, &r->end, r->pid, WEXITED, on_end, r);
	if (e < 0)
		return e;
	return sd_event_add_time_relative(r->v->event, &r->clock, CLOCK_MONOTONIC, VERIFY_TIMEOUT_USEC, 10000, on_clock, r);
}

/* From the loop: starts what waits, as many as may run. */
static int on_wake(sd_event_source *s, void *userdata)
{
	struct verify *v = userdata;
	struct why w = { { 0 } };
	struct run *r;
	int e;

	if (!v->waiting || v->n_running >= RUNNING_MAX)
		return 0;
	r = v->waiting;
	v->waiting = r->next;
	if (!v->waiting)
		v->last = &v->waiting;
	else
		wake(v);
	v->n_waiting--;
	r->next = v->running;
	v->running = r;
	v->n_running++;
	e = run_start(r);
	if (e >= 0)
		return 0;
	if (e == -ESRCH)
		why(&w, e, "the system user %s does not exist", dirs.verify_user);
	else
		why(&w, e, "ssh-keygen cannot be run: %s", strerror(-e));
	log_error("%s", w.text);
	run_over(r, e, w.text);
	return 0;
}

static void verify_free_p(struct verify **v)
{
	verify_free(*v);
}

int verify_new(sd_event *event, struct verify **ret)
{
	CLEAN(verify_free_p) struct verify *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->event = sd_event_ref(event);
	v->last = &v->waiting;
	r = sd_event_add_defer(event, &v->wake, on_wake, v);
	if (r >= 0)
		r = sd_event_source_set_enabled(v->wake, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret = STEAL_PTR(v);
	return 0;
}

static void runs_free(struct run *r)
{
	while (r) {
		struct run *next = r->next;

		run_free(r);
		r = next;
	}
}

struct verify *verify_free(struct verify *v)
{
	if (!v)
		return NULL;
	runs_free(v->running);
	runs_free(v->waiting);
	sd_event_source_disable_unref(v->wake);
	sd_event_unref(v->event);
	free(v);
	return NULL;
}

static struct run *run_new(struct verify *v, bool sign, const char *principal, const char *ns, void *userdata)
{
	CLEAN(run_free_p) struct run *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->v = v;
	r->sign = sign;
	r->userdata = userdata;
	r->pidfd = -1;
	for (size_t i = 0; i < FD_COUNT; i++)
		r->fds[i] = -1;
	r->principal = principal ? strdup(principal) : NULL;
	r->ns = strdup(ns);
	if (!r->ns || (principal && !r->principal))
		return NULL;
	return STEAL_PTR(r);
}

static int run_fill(struct run *r, int which, const void *data, size_t len)
{
	r->fds[which] = memfd_with("jit", data, len);
	return r->fds[which] < 0 ? r->fds[which] : 0;
}

/* R is taken. */
static int run_queue(struct run *r, const char *document, size_t len)
{
	CLEAN(run_free_p) struct run *own = r;
	struct verify *v = r->v;
	int e = run_fill(r, FD_DOCUMENT, document, len);

	if (e >= 0)
		e = run_fill(r, FD_OUT, "", 0);
	if (e >= 0)
		e = run_fill(r, FD_ERR, "", 0);
	if (e < 0)
		return e;
	own = NULL;
	*v->last = r;
	v->last = &r->next;
	v->n_waiting++;
	wake(v);
	return 0;
}

int verify_signature(struct verify *v, const char *signers, size_t signers_len, const char *principal, const char *ns,
	const char *document, size_t len, const char *signature, verify_done done, void *userdata)
{
	CLEAN(run_free_p) struct run *r = NULL;
	int e;

	if (v->n_waiting >= QUEUE_MAX)
		return -EAGAIN;
	if (signers_len > SIGNERS_BYTES_MAX || strlen(signature) > SSHSIG_MAX)
		return -EFBIG;
	r = run_new(v, false, principal, ns, userdata);
	if (!r)
		return -ENOMEM;
	r->done.verify = done;
	e = run_fill(r, FD_FILE, signers, signers_len);
	if (e >= 0)
		e = run_fill(r, FD_SIGNATURE, signature, strlen(signature));
	return e < 0 ? e : run_queue(STEAL_PTR(r), document, len);
}

int verify_sign(struct verify *v, const char *keypath, const char *ns, const char *document, size_t len,
	sign_done done, void *userdata)
{
	CLEAN(run_free_p) struct run *r = NULL;
	CLEAN(close_p) int fd = -1;
	CLEAN(free_p) char *key = NULL;
	struct why w = { { 0 } };
	size_t key_len = 0;
	int e;

	if (v->n_waiting >= QUEUE_MAX)
		return -EAGAIN;
	fd = file_open_trusted(AT_FDCWD, keypath, geteuid(), &w);
	if (fd < 0) {
		log_error("%s", w.text);
		return fd;
	}
	e = file_read_all(fd, KEY_MAX, &key, &key_len);
	if (e < 0)
		return e;
	r = run_new(v, true, NULL, ns, userdata);
	if (r) {
		r->done.sign = done;
		e = run_fill(r, FD_FILE, key, key_len);
	} else {
		e = -ENOMEM;
	}
	explicit_bzero(key, key_len);
	return e < 0 ? e : run_queue(STEAL_PTR(r), document, len);
}
