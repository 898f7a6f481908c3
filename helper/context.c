#include "helper/context.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "helper/child.h"
#include "helper/context-wire.h"
#include "helper/dirs.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"

#define AT_ONCE 4        /* gatherings; more wait, within their second */
#define AT_ONCE_OF_ONE 2 /* of one user, so that nobody holds up the others */
#define ABANDONED_MAX 24 /* not dead yet though killed: they hang in the kernel, and more would */

static unsigned abandoned;

enum part_name { PART_PACKAGE, PART_WRITABLE, PART_USERS, PART_UNITS, PARTS };

static const struct {
	const char *word;        /* what jit-context is asked */
	const char *members[2];  /* what it may answer; the first one's name is what people are told */
	enum json_type types[2];
} parts[PARTS] = {
	[PART_PACKAGE] = { "package", { "package" }, { json_type_object } },
	[PART_WRITABLE] = { "writable", { NULL }, { json_type_null } }, /* becomes a mark: context_writable() */
	[PART_USERS] = { "users", { "users", "users_more" }, { json_type_array, json_type_int } },
	[PART_UNITS] = { "units", { "failed_units" }, { json_type_object } },
};

struct part {
	struct context *context;
	bool wanted, settled;
	pid_t pid;
	int pidfd, fd;
	sd_event_source *io;
	struct json_object *answer; /* NULL: it has none to give */
};

struct context {
	struct contexts *all;
	struct context *next;
	char *user, *binary;
	int root;
	bool begun, ready;
	struct part part[PARTS];
	sd_event_source *clock;
	context_done done;
	void *userdata;
};

struct contexts {
	sd_event *event;
	sd_event_source *wake;
	struct context *list; /* oldest first */
	unsigned running;
};

/* ---- one question ---- */

static void part_stop(struct part *p)
{
	p->io = sd_event_source_disable_unref(p->io);
	if (p->pid > 0)
		child_abandon_to(p->context->all->event, p->pid, p->pidfd, &abandoned);
	p->pid = 0;
	p->pidfd = -1;
	if (p->fd >= 0)
		close_quietly(p->fd);
	p->fd = -1;
}

/* The context is done: the callee may free it, so nothing is touched afterwards. */
static void finish(struct context *c)
{
	for (unsigned i = 0; i < PARTS; i++)
		part_stop(&c->part[i]);
	c->clock = sd_event_source_disable_unref(c->clock);
	if (c->begun)
		c->all->running--;
	c->ready = true;
	sd_event_source_set_enabled(c->all->wake, SD_EVENT_ONESHOT);
	c->done(c->userdata);
}

static void part_settle(struct part *p)
{
	struct context *c = p->context;

	part_stop(p);
	p->settled = true;
	for (unsigned i = 0; i < PARTS; i++)
		if (c->part[i].wanted && !c->part[i].settled)
			return;
	finish(c);
}

static int on_part(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct part *p = userdata;
	char text[CONTEXT_ANSWER];
	struct why w;
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0 && ((size_t)n > sizeof(text) || json_parse(text, (size_t)n, &p->answer, &w) < 0))
		log_warning("context: an answer that is none");
	part_settle(p);
	return 0;
}

static int part_start(struct part *p, const char *word, const char *argument)
{
	char *const argv[] = { (char *)(uintptr_t)dirs.context, (char *)(uintptr_t)word, (char *)(uintptr_t)argument, NULL };
	char *const envp[] = { (char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)(uintptr_t)"LC_ALL=C", NULL };
	struct child_plan plan = { .argv = argv, .envp = envp, .n_fds = CONTEXT_ROOT + 1 };
	CLEAN(close_p) int null = open("/dev/null", O_RDWR | O_CLOEXEC), ours = -1, theirs = -1;
	int pair[2], r;

	if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	plan.fds[0] = null;
	plan.fds[1] = plan.fds[2] = 2;
	plan.fds[CONTEXT_FD] = theirs;
	plan.fds[CONTEXT_ROOT] = p->context->root;
	r = child_start(&plan, &p->pid, &p->pidfd);
	if (r < 0)
		return r;
	p->fd = steal_fd(&ours);
	return sd_event_add_io(p->context->all->event, &p->io, p->fd, EPOLLIN, on_part, p);
}

/* ---- all of them ---- */

static void begin(struct context *c)
{
	const char *const arguments[PARTS] = {
		[PART_PACKAGE] = c->binary, [PART_WRITABLE] = c->binary, [PART_USERS] = c->user,
	};

	c->begun = true;
	c->all->running++;
	for (unsigned i = 0; i < PARTS; i++) {
		struct part *p = &c->part[i];
		int r = p->wanted ? part_start(p, parts[i].word, arguments[i]) : 0;

		if (r >= 0)
			continue;
		log_warning("context: %s %s: %s", dirs.context, parts[i].word, strerror(-r));
		part_stop(p);
		p->settled = true;
	}
}

static bool anything_open(const struct context *c)
{
	for (unsigned i = 0; i < PARTS; i++)
		if (c->part[i].wanted && !c->part[i].settled)
			return true;
	return false;
}

static unsigned running_of(const struct contexts *all, const char *user)
{
	unsigned n = 0;

	for (const struct context *c = all->list; c; c = c->next)
		n += c->begun && !c->ready && !strcmp(c->user, user);
	return n;
}

/* From the loop: begins the oldest that wait, as far as there is room. */
static int on_wake(sd_event_source *s, void *userdata)
{
	struct contexts *all = userdata;

	for (struct context *c = all->list; c && all->running < AT_ONCE && abandoned + PARTS <= ABANDONED_MAX; c = c->next) {
		if (c->begun || c->ready || running_of(all, c->user) >= AT_ONCE_OF_ONE)
			continue;
		begin(c);
		if (anything_open(c))
			continue;
		finish(c); /* wakes again */
		break;
	}
	return 0;
}

static int on_late(sd_event_source *s, uint64_t usec, void *userdata)
{
	finish(userdata);
	return 0;
}

int contexts_new(sd_event *event, struct contexts **ret)
{
	struct contexts *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	r = sd_event_add_defer(event, &all->wake, on_wake, all);
	if (r >= 0)
		r = sd_event_source_set_enabled(all->wake, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(all->wake);
		free(all);
		return r;
	}
	all->event = sd_event_ref(event);
	*ret = all;
	return 0;
}

struct contexts *contexts_free(struct contexts *all)
{
	if (!all)
		return NULL;
	sd_event_source_disable_unref(all->wake);
	sd_event_unref(all->event);
	free(all);
	return NULL;
}

static void context_p(struct context **c)
{
	context_free(*c);
}

struct context *context_begin(struct contexts *all, const char *user, int root, const char *binary, context_done done,
	void *userdata)
{
	CLEAN(context_p) struct context *c = calloc(1, sizeof(*c));
	struct context **end = &all->list;

	if (!c)
		return NULL;
	c->all = all;
	c->done = done;
	c->userdata = userdata;
	while (*end)
		end = &(*end)->next;
	*end = c;
	for (unsigned i = 0; i < PARTS; i++)
		c->part[i] = (struct part){ .context = c, .pidfd = -1, .fd = -1,
			.wanted = binary || (i != PART_PACKAGE && i != PART_WRITABLE) };
	c->root = root < 0 ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : fcntl(root, F_DUPFD_CLOEXEC, 3);
	c->user = strdup(user);
	c->binary = binary ? strdup(binary) : NULL;
	if (c->root < 0 || !c->user || (binary && !c->binary) || sd_event_source_set_enabled(all->wake, SD_EVENT_ONESHOT) < 0 ||
	    sd_event_add_time_relative(all->event, &c->clock, CLOCK_MONOTONIC, CONTEXT_USEC, 1000, on_late, c) < 0)
		return NULL;
	return STEAL_PTR(c);
}

bool context_ready(const struct context *c)
{
	return c->ready;
}

struct context *context_free(struct context *c)
{
	if (!c)
		return NULL;
	for (struct context **p = &c->all->list; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	for (unsigned i = 0; i < PARTS; i++) {
		part_stop(&c->part[i]);
		json_object_put(c->part[i].answer);
	}
	if (c->begun && !c->ready) {
		c->all->running--;
		sd_event_source_set_enabled(c->all->wake, SD_EVENT_ONESHOT);
	}
	sd_event_source_disable_unref(c->clock);
	free(c->user);
	free(c->binary);
	close_p(&c->root);
	free(c);
	return NULL;
}

/* ---- what is told ---- */

static int add_word(struct json_object *list, const char *word)
{
	struct json_object *s = json_object_new_string(word);

	return s && json_object_array_add(list, s) == 0 ? 0 : -ENOMEM;
}

/* True: there was something. */
static bool add_answer(unsigned i, struct json_object *answer, const char *sha256, struct json_object *o)
{
	const char *seen = json_str(answer, "sha256");
	bool any = i == PART_WRITABLE && json_object_object_get_ex(answer, "writable", NULL);

	/* What is told of the file is told of the bytes whose digest is signed for, or not at all. */
	if (i == PART_PACKAGE && (!seen || (sha256[0] && strcmp(seen, sha256) != 0)))
		return false;
	for (size_t m = 0; m < ELEMENTS(parts[i].members) && parts[i].members[m]; m++) {
		struct json_object *value;

		if (!json_object_object_get_ex(answer, parts[i].members[m], &value) ||
		    !json_object_is_type(value, parts[i].types[m]))
			continue;
		any |= json_add(o, parts[i].members[m], json_object_get(value)) == 0;
	}
	return any;
}

static int add_parts(const struct context *c, const char *sha256, struct json_object *o)
{
	CLEAN(json_put_p) struct json_object *late = json_object_new_array(), *unknown = json_object_new_array();
	int r = late && unknown ? 0 : -ENOMEM;

	for (unsigned i = 0; r >= 0 && i < PARTS; i++) {
		const struct part *p = &c->part[i];

		if (!p->wanted || (p->answer && add_answer(i, p->answer, sha256, o)))
			continue;
		r = add_word(p->settled ? unknown : late, parts[i].word);
	}
	if (r >= 0 && json_object_array_length(late) > 0)
		r = json_add(o, "late", STEAL_PTR(late));
	if (r >= 0 && json_object_array_length(unknown) > 0)
		r = json_add(o, "unknown", STEAL_PTR(unknown));
	return r;
}

static char *slurp(const char *path)
{
	CLEAN(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	size_t len;

	return fd >= 0 && file_read_all(fd, 16384, &text, &len) >= 0 ? text : NULL;
}

/* From /proc alone: nothing here can block. */
static int add_host(struct json_object *o)
{
	CLEAN(free_p) char *load = slurp("/proc/loadavg"), *memory = slurp("/proc/meminfo");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char *at = load;
	int r = 0;

	/* The first three words. */
	for (int i = 0; i < 3 && at; i++)
		at = strchr(at + 1, ' ');
	if (at)
		*at = '\0';
	r |= json_add_str(o, "load", load);
	if (cpus > 0)
		r |= json_add_u64(o, "cpus", (uint64_t)cpus);
	at = memory ? strstr(memory, "MemAvailable:") : NULL;
	if (at)
		r |= json_add_u64(o, "memory_available_mib", strtoull(at + 13, NULL, 10) / 1024);
	return r | json_add_u64(o, "up", clock_boot() / USEC_PER_SEC);
}

bool context_writable(const struct context *c)
{
	const struct json_object *answer = c ? c->part[PART_WRITABLE].answer : NULL;

	return answer && json_true(answer, "writable");
}

int context_add(const struct context *c, const char *sha256, struct json_object *o)
{
	int r = c ? add_parts(c, sha256, o) : 0;

	return r < 0 ? r : add_host(o);
}
