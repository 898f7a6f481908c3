/* What sudoers says is for sudo to say: it alone knows its files, its directory service, its plugins.  It runs in a
 * transient service and not as a child of jitd, because in jitd's own sandbox it would see a host without network
 * addresses, and lists of hosts in sudoers go by them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "helper/units-op.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/paths.h"
#include "lib/text.h"

#define RUN_USEC (4 * USEC_PER_SEC) /* less than an operation may take */
#define WORDS_BYTES 4096
#define WORDS_COLUMNS 300
#define NOT_ALLOWED 1 /* sudo's exit status; for any mistake as well, but then it has said so on stderr */

struct asking {
	units_done done;
	void *userdata;
	char **argv;
	int words_fd; /* sudo's stderr */
	int32_t code, status; /* of waitid(2); code 0: unknown */
};

static void asking_free(struct asking *a)
{
	for (char **p = a->argv; p && *p; p++)
		free(*p);
	free(a->argv);
	if (a->words_fd >= 0)
		close_quietly(a->words_fd);
	free(a);
}

/* What sudo said, in one escaped line; NULL: nothing. */
static char *said(const struct asking *a)
{
	char text[WORDS_BYTES];
	ssize_t n = a->words_fd < 0 ? 0 : pread(a->words_fd, text, sizeof(text), 0);

	while (n > 0 && text[n - 1] == '\n')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	return n > 0 ? text_escape(text, (size_t)n, WORDS_COLUMNS) : NULL;
}

static void on_over(int result, const char *words, void *userdata)
{
	struct asking *a = userdata;
	CLEAN(free_p) char *sudo = result < 0 ? said(a) : NULL;

	/* A refusal is silent; one with words is a mistake that kept sudo from judging. */
	if (result == -EACCES && sudo)
		result = -EIO;
	if (result == -EIO && a->code == 0)
		words = "it could not be run, failed, or was not done in 4 s";
	a->done(result, sudo ? sudo : words, a->userdata);
	asking_free(a);
}

static void judge(struct op *op)
{
	const struct asking *a = op->userdata;

	if (a->code != CLD_EXITED)
		op_finish(op, -EIO, "it did not come to an end");
	else if (a->status == NOT_ALLOWED)
		op_finish(op, -EACCES, "sudoers does not allow it");
	else if (a->status != 0)
		op_finish(op, -EIO, "it ended with status %d", (int)a->status);
	else {
		units_stop_quietly(op->u, op->name);
		op_finish(op, 0, "sudoers allows it");
	}
}

static int read_code(struct op *op, sd_bus_message *m)
{
	return sd_bus_message_read(m, "v", "i", &((struct asking *)op->userdata)->code);
}

static int read_status(struct op *op, sd_bus_message *m)
{
	return sd_bus_message_read(m, "v", "i", &((struct asking *)op->userdata)->status);
}

static bool get(struct op *op, const char *path, const char *property, call_reply reply)
{
	sd_bus_message *m = op_message(op, MANAGER_NAME, path, "org.freedesktop.DBus.Properties", "Get");
	int r = m ? sd_bus_message_append(m, "ss", "org.freedesktop.systemd1.Service", property) : 0;

	if (r < 0)
		op_unfilled(op, m, r);
	return m && r >= 0 && op_call(op, m, op->name, 0, reply, NULL);
}

/* A unit that is not there any more has the code 0, which is no end. */
static void ended(struct op *op)
{
	CLEAN(free_p) char *path = NULL;

	op->step = judge;
	if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", op->name, &path) < 0)
		op_finish(op, -ENOMEM, "out of memory");
	else if (get(op, path, "ExecMainStatus", read_status))
		get(op, path, "ExecMainCode", read_code);
}

static void stop_it(struct op *op)
{
	units_stop_quietly(op->u, op->name);
}

/* ':' of ExecStart=: a '$' in an argument is a '$'. */
static int put_command(sd_bus_message *m, char **argv)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "ExecStartEx");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a(sasas)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sasas)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'r', "sasas");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", argv[0]);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, argv);
	if (r >= 0)
		r = sd_bus_message_append(m, "as", 1, "no-env-expand");
	for (int i = 0; r >= 0 && i < 4; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

/* It stays until its status has been read; a status of 1 is an answer and no failure; its coming and going is not for
 * the journal. */
static int put_service(sd_bus_message *m, const char *name, const struct asking *a)
{
	int r = sd_bus_message_append(m, "ss", name, "fail");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)",
			"Description", "s", "sudo, asked about a request", "Type", "s", "oneshot",
			"RemainAfterExit", "b", 1, "CollectMode", "s", "inactive-or-failed",
			"SuccessExitStatus", "(aiai)", 1, NOT_ALLOWED, 0, "TimeoutStartUSec", "t", (uint64_t)RUN_USEC,
			"TimeoutStopUSec", "t", (uint64_t)USEC_PER_SEC, "LogLevelMax", "i", LOG_WARNING,
			"Environment", "as", 2, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
			"StandardInput", "s", "null", "StandardOutput", "s", "null",
			"StandardErrorFileDescriptor", "h", a->words_fd);
	if (r >= 0)
		r = put_command(m, a->argv);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

static void begin(struct op *op)
{
	struct asking *a = op->userdata;
	sd_bus_message *m;
	jit_id id;
	int r;

	if (!units_connected(op))
		return;
	r = id_new(id);
	if (r < 0) {
		op_finish(op, r, "no random numbers");
		return;
	}
	m = op_message(op, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "StartTransientUnit");
	if (!m)
		return;
	snprintf(op->name, sizeof(op->name), "jit-sudo-%s.service", id);
	r = put_service(m, op->name, a);
	if (r < 0) {
		op_unfilled(op, m, r);
		return;
	}
	op->undo = stop_it;
	op->step = ended;
	op_call(op, m, op->name, CALL_JOB, NULL, NULL);
}

static void unfit(struct op *op)
{
	op_finish(op, -EILSEQ, "the command is not UTF-8, and systemd takes nothing else");
}

static void missing(struct op *op)
{
	op_finish(op, -ENOMEM, "out of memory");
}

/* -EILSEQ: not to be passed over the bus. */
static int make_argv(struct asking *a, const char *user, const char *target, char *const *command)
{
	const char *const head[] = { SUDO_PATH, "-n", "-l", "-U", user, "-u", target, "--" };
	size_t n = 0;

	while (command[n])
		n++;
	a->argv = calloc(ELEMENTS(head) + n + 1, sizeof(char *));
	if (!a->argv)
		return -ENOMEM;
	for (size_t i = 0; i < ELEMENTS(head) + n; i++) {
		const char *word = i < ELEMENTS(head) ? head[i] : command[i - ELEMENTS(head)];

		if (!text_utf8(word, strlen(word)))
			return -EILSEQ;
		a->argv[i] = strdup(word);
		if (!a->argv[i])
			return -ENOMEM;
	}
	a->words_fd = memfd_create("jit", MFD_CLOEXEC);
	return a->words_fd < 0 ? -errno : 0;
}

void units_sudo(struct units *u, const char *user, const char *target, char *const *command, units_done done, void *userdata)
{
	struct asking *a = calloc(1, sizeof(*a));
	struct op *op;
	int r = -ENOMEM;

	if (!a) {
		op_new(u, NULL, missing, done, userdata);
		return;
	}
	a->words_fd = -1;
	a->done = done;
	a->userdata = userdata;
	r = make_argv(a, user, target, command);
	op = op_new(u, NULL, r == -EILSEQ ? unfit : r < 0 ? missing : begin, on_over, a);
	if (op)
		snprintf(op->name, sizeof(op->name), "sudo");
}
