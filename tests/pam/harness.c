#include "tests/pam/harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>
#include "lib/clock.h"
#define HANG_SECONDS 60 /* a run that takes longer hangs; a busy machine with sanitizers is slow, not hung */

struct pam_jit_knobs pam_jit_knobs __attribute__((visibility("default")));
struct outcome *outcome;

static char folder[64], start_folder[4096];
static volatile unsigned *handled;
static int master = -1, slave = -1, out_read[2] = { -1, -1 }, out_write[2] = { -1, -1 }, tcp[2] = { -1, -1 };
static const char *typed;
static unsigned slow_prompt, answers, asked;

/* sudo stands before libc with a getenv() of its own while the account phase runs.  So does this program. */
static const char *sudo_command;
static char sudo_command_copy[8192];
char *getenv(const char *name) __attribute__((visibility("default")));
char *getenv(const char *name)
{
	size_t len = strlen(name);

	if (sudo_command && !strcmp(name, "SUDO_COMMAND"))
		return sudo_command_copy;
	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, name, len) && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

/* ---- what a scenario may do to the client ---- */

void harness_signal(int signo)
{
	kill(outcome->pid, signo);
}

static char process_state(pid_t pid)
{
	char path[64], text[512] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	end = strrchr(text, ')');
	return end ? end[2] : 'X';
}

void harness_stop(void)
{
	kill(outcome->pid, SIGSTOP);
	while (process_state(outcome->pid) != 'T')
		usleep(500);
}

void harness_continue(void)
{
	kill(outcome->pid, SIGCONT);
}

void harness_await_said(unsigned n)
{
	while (outcome->n_said < n)
		usleep(500); /* alarm() bounds it */
}

bool harness_has_fd(int fd)
{
	char path[64], target[8];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)outcome->pid, fd);
	return readlink(path, target, sizeof(target)) >= 0;
}

void harness_impostor(void)
{
	outcome->server_uid = geteuid() + 1;
}

void harness_close_pipe(void)
{
	close(out_read[0]);
}

void harness_hangup(void)
{
	close(master);
}

void harness_close_pipes(void)
{
	close(out_read[0]);
	close(out_read[1]);
}

void harness_close_tcp(void)
{
	close(tcp[1]);
}

void harness_kill_parent(void)
{
	kill(outcome->parent, SIGKILL);
}

unsigned harness_handled(void)
{
	return *handled;
}

/* ---- state before and after ---- */

struct state {
	char fds[1024];
	sigset_t mask;
	struct sigaction action[65];
};

static void state_take(struct state *s)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	size_t n = 0;

	memset(s, 0, sizeof(*s));
	while ((e = readdir(dir))) {
		char path[300], target[200] = "";

		if (atoi(e->d_name) == dirfd(dir) || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		if (readlink(path, target, sizeof(target) - 1) < 0)
			continue;
		if (strstr(target, " (deleted)"))
			*strstr(target, " (deleted)") = '\0'; /* a terminal whose other end has closed meanwhile */
		n += (size_t)snprintf(s->fds + n, sizeof(s->fds) - n, "%s=%s ", e->d_name, target);
	}
	closedir(dir);
	sigprocmask(SIG_SETMASK, NULL, &s->mask);
	for (int i = 1; i < 65; i++)
		sigaction(i, NULL, &s->action[i]);
}

static void state_compare(const struct state *a, const struct state *b)
{
	outcome->left_alone = true;
	if (strcmp(a->fds, b->fds)) {
		outcome->left_alone = false;
		snprintf(outcome->changed, sizeof(outcome->changed), "fds %.100s -> %.100s", a->fds, b->fds);
	}
	for (int i = 1; i < 65; i++)
		if (sigismember(&a->mask, i) != sigismember(&b->mask, i) ||
		    a->action[i].sa_handler != b->action[i].sa_handler || a->action[i].sa_flags != b->action[i].sa_flags) {
			outcome->left_alone = false;
			snprintf(outcome->changed, sizeof(outcome->changed), "signal %d", i);
		}
}

/* ---- the process that the module is in ---- */

static void remember(char kind, const char *text)
{
	if (outcome->n_said < SAID_MAX)
		snprintf(outcome->said[outcome->n_said], sizeof(outcome->said[0]), "%c:%s", kind, text);
	outcome->n_said++;
}

void harness_shown(char kind, const char *text)
{
	remember(kind, text);
}

char *harness_typed(void)
{
	usleep(slow_prompt);
	return typed && !(answers && asked++ >= answers) ? strdup(typed) : NULL;
}

static int converse(int n, const struct pam_message **msg, struct pam_response **resp, void *data)
{
	struct pam_response *r = calloc((size_t)n, sizeof(*r));

	if (n != 1)
		remember('!', "more than one message in one call");
	switch (msg[0]->msg_style) {
	case PAM_TEXT_INFO:
		remember('I', msg[0]->msg);
		break;
	case PAM_ERROR_MSG:
		remember('E', msg[0]->msg);
		break;
	default:
		remember('P', msg[0]->msg);
		r->resp = harness_typed();
		if (!r->resp) {
			free(r);
			return PAM_CONV_ERR;
		}
	}
	*resp = r;
	return PAM_SUCCESS;
}

static void on_signal(int signo)
{
	(*handled)++;
}

static void set_signals(const struct run *r)
{
	static const int list[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };

	for (unsigned i = 0; i < 4; i++)
		signal(list[i], r->own_handlers ? on_signal : SIG_DFL);
	if (r->ignore_hup)
		signal(SIGHUP, SIG_IGN);
}

static void set_stdio(const struct run *r)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	dup2(null, 0);
	dup2(null, 1);
	if (r->stdio_pipes) {
		dup2(out_write[0], 1);
		dup2(out_write[1], 2);
	}
	if (r->terminal) {
		ioctl(slave, TIOCSCTTY, 0);
		for (int i = 0; i < 3; i++)
			dup2(slave, i);
	}
	for (int i = 0; r->no_stdio && i < 3; i++)
		close(i);
	if (null > 2)
		close(null);
	for (int i = 0; i < 2; i++) {
		close(out_read[i]);
		close(out_write[i]);
	}
	close(master);
	close(slave);
	close(tcp[1]);
}

static void set_environment(const struct run *r)
{
	clearenv();
	for (unsigned i = 0; i < 8 && r->environment[i]; i++)
		putenv(strdup(r->environment[i]));
	sudo_command = r->sudo_command;
	if (r->sudo_command)
		snprintf(sudo_command_copy, sizeof(sudo_command_copy), "%s", r->sudo_command);
}

static void set_items(pam_handle_t *pamh, const struct run *r)
{
	if (r->tty)
		pam_set_item(pamh, PAM_TTY, r->tty);
	if (r->ruser)
		pam_set_item(pamh, PAM_RUSER, r->ruser);
	if (r->rhost)
		pam_set_item(pamh, PAM_RHOST, r->rhost);
	if (r->auth_info) {
		char text[1024];

		snprintf(text, sizeof(text), "SSH_AUTH_INFO_0=%s", r->auth_info);
		pam_putenv(pamh, text);
	}
}

static void phases(pam_handle_t *pamh, const struct run *r)
{
	bool only_account = !r->open && !r->close;
	uint64_t start = clock_mono();

	if (r->auth_args)
		outcome->code = outcome->auth = pam_authenticate(pamh, 0);
	if (outcome->code == PAM_SUCCESS && (r->account || (only_account && !r->auth_args)))
		outcome->code = outcome->account = pam_acct_mgmt(pamh, PAM_SILENT);
	outcome->usec = clock_mono() - start;
	sudo_command = NULL;
	if (r->before)
		r->before(pamh);
	if (r->session_user)
		pam_set_item(pamh, PAM_USER, r->session_user);
	if (r->open && outcome->code == PAM_SUCCESS)
		outcome->code = outcome->opened = pam_open_session(pamh, PAM_SILENT);
	if (r->close && outcome->code == PAM_SUCCESS)
		outcome->code = outcome->closed = pam_close_session(pamh, PAM_SILENT);
}

static void client(const struct run *r)
{
	struct pam_conv conv = { converse, NULL };
	struct state before, after;
	pam_handle_t *pamh = NULL;

	alarm(HANG_SECONDS);
	set_environment(r);
	set_stdio(r);
	set_signals(r);
	typed = r->typed;
	slow_prompt = r->slow_prompt;
	answers = r->answers;
	openlog("test-pam", LOG_NDELAY, LOG_AUTHPRIV);
	if (r->instead) {
		state_take(&before);
		outcome->pid = getpid();
		outcome->code = r->instead(r);
		state_take(&after);
		state_compare(&before, &after);
		exit(0);
	}
	if (pam_start_confdir(r->service, r->user, &conv, ".", &pamh) != PAM_SUCCESS)
		_exit(9);
	set_items(pamh, r);
	if (r->warm)
		pam_authenticate(pamh, 0);
	state_take(&before);
	outcome->pid = getpid();
	phases(pamh, r);
	state_take(&after);
	state_compare(&before, &after);
	pam_end(pamh, outcome->code);
	exit(0);
}

/* ---- a run ---- */

static void write_file(const char *name, const char *text, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len) {
		perror(name);
		_exit(1);
	}
	close(fd);
}

static void write_pam_file(const struct run *r)
{
	const char *module = r->real ? REAL_MODULE : TEST_MODULE;
	const char *permit = r->permit ? "required pam_permit.so" : "";
	char text[4096];
	int n = snprintf(text, sizeof(text), "auth required %s %s\naccount required %s %s\n", module,
		r->auth_args ? r->auth_args : "", module, r->args ? r->args : "");

	/* session_args may be those of two lines, with '\n' between. */
	for (const char *a = r->session_args ? r->session_args : ""; a; a = strchr(a, '\n') ? strchr(a, '\n') + 1 : NULL)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "session required %s %.*s\n", module, (int)strcspn(a, "\n"), a);
	if (r->look)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "session required %s\n", LOOK_MODULE);
	if (*permit)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "auth %s\naccount %s\nsession %s\n", permit, permit, permit);
	write_file(r->service, text, (size_t)n);
}

static void write_cmdline(const struct run *r)
{
	const char *words = r->cmdline ? r->cmdline : "sudo|id";
	size_t len = strlen(words) + 1;
	char *copy = strdup(words);

	for (char *p = copy; *p; p++)
		if (*p == '|')
			*p = '\0';
	write_file("cmdline", copy, *words ? len : 0);
	free(copy);
}

static void set_knobs(const struct run *r)
{
	pam_jit_knobs = (struct pam_jit_knobs){
		.socket = "gate.sock",
		.cmdline = "cmdline",
		.server_uid = &outcome->server_uid,
		.real_uid = r->root ? 0 : 1000,
		.first_wait = 3 * USEC_PER_SEC,
		.grace = USEC_PER_SEC / 5,
		.ceiling = 20 * USEC_PER_SEC,
		.retry_for = 2 * USEC_PER_SEC,
		.retry_first = USEC_PER_SEC / 200,
		.retry_most = USEC_PER_SEC / 20,
		.open_wait = 5 * USEC_PER_SEC,
		.close_wait = USEC_PER_SEC / 5,
	};
	outcome->server_uid = geteuid();
	if (r->wrong_server)
		harness_impostor();
	if (r->tune)
		r->tune(&pam_jit_knobs);
}

static void make_tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	if (l < 0 || bind(l, (struct sockaddr *)&a, len) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &len) < 0) {
		perror("tcp");
		_exit(1);
	}
	tcp[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(tcp[1], (struct sockaddr *)&a, len) < 0)
		perror("connect");
	tcp[0] = accept(l, NULL, NULL);
	close(l);
}

static void make_ends(const struct run *r)
{
	if (r->terminal && openpty(&master, &slave, NULL, NULL, NULL) < 0)
		perror("openpty");
	for (int i = 0; r->stdio_pipes && i < 2; i++) {
		int p[2];

		if (pipe(p) < 0)
			perror("pipe");
		out_read[i] = p[0];
		out_write[i] = p[1];
	}
	if (r->tcp)
		make_tcp();
}

static void close_ends(void)
{
	int *all[] = { &master, &slave, &out_read[0], &out_read[1], &out_write[0], &out_write[1], &tcp[0], &tcp[1] };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (*all[i] >= 0)
			close(*all[i]);
		*all[i] = -1;
	}
}

static pid_t start_server(const struct run *r)
{
	static const struct fake_step nothing[] = { { FAKE_END } };
	int fd;
	pid_t pid;

	unlink("gate.sock");
	if (r->dead_socket)
		close(fake_listen("gate.sock"));
	if (r->no_server)
		return -1;
	fd = fake_listen("gate.sock");
	if (r->full_queue)
		fake_fill("gate.sock");
	pid = fork();
	if (pid == 0) {
		alarm(HANG_SECONDS);
		if (r->lenient)
			close(STDERR_FILENO);
		close(slave);
		close(out_write[0]);
		close(out_write[1]);
		close(tcp[0]);
		_exit(fake_run(fd, "gate.sock", r->steps ? r->steps : nothing));
	}
	close(fd);
	return pid;
}

/* With run.orphan a process stands between, which the scenario may kill: then we inherit the client. */
static pid_t start_client(const struct run *r)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (r->orphan) {
		outcome->parent = getpid();
		pid = fork();
		alarm(HANG_SECONDS);
		while (pid != 0)
			pause();
	}
	client(r);
	_exit(9);
}

static void reap_client(const struct run *r, pid_t pid)
{
	int status = 0;

	if (r->orphan) {
		waitpid(pid, &status, 0); /* killed by the scenario */
		pid = -1;
		while (outcome->pid <= 0)
			usleep(1000);
		pid = outcome->pid;
	}
	waitpid(pid, &status, 0);
	outcome->killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
		fprintf(stderr, "the client's process failed: %d\n", WEXITSTATUS(status));
		outcome->left_alone = false;
	}
}

const struct outcome *harness_run(const struct run *r)
{
	pid_t server, module;
	int status = 0;

	memset(outcome, 0, sizeof(*outcome));
	outcome->auth = outcome->account = outcome->opened = outcome->closed = -1;
	*handled = 0;
	set_knobs(r);
	write_pam_file(r);
	write_cmdline(r);
	make_ends(r);
	server = start_server(r);
	module = start_client(r);
	close_ends();
	reap_client(r, module);
	if (server > 0) {
		if (r->lenient)
			kill(server, SIGKILL);
		waitpid(server, &status, 0);
		outcome->fake = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return outcome;
}

bool harness_said(const char *start)
{
	for (unsigned i = 0; i < outcome->n_said && i < SAID_MAX; i++)
		if (!strncmp(outcome->said[i], start, strlen(start)))
			return true;
	return false;
}

bool harness_said_part(const char *part)
{
	for (unsigned i = 0; i < outcome->n_said && i < SAID_MAX; i++)
		if (strstr(outcome->said[i], part))
			return true;
	return false;
}

const char *harness_boot(void)
{
	static char boot[BOOT_ID_LEN + 1];

	clock_boot_id(boot);
	return boot;
}

int harness_setup(void **state)
{
	if (!getcwd(start_folder, sizeof(start_folder)))
		return -1;
	snprintf(folder, sizeof(folder), "/tmp/test-pam-XXXXXX");
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	handled = mmap(NULL, sizeof(*handled), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return outcome == MAP_FAILED || handled == MAP_FAILED || !mkdtemp(folder) || chdir(folder) < 0 ? -1 : 0;
}

int harness_teardown(void **state)
{
	DIR *dir = opendir(".");
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			unlink(e->d_name);
	if (dir)
		closedir(dir);
	return chdir(start_folder) < 0 || rmdir(folder) < 0 ? -1 : 0;
}
