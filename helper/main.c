/* jitd: start, reload, stop. */
#include "config.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>
#include <unistd.h>
#include "helper/checks.h"
#include "helper/jitd.h"
#include "helper/notes.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"

#define MINUTE_USEC USEC_PER_MIN
#define LEDGER_RETRY_USEC (5 * USEC_PER_SEC)
#define LEDGER_TRIES 3
#define KEPT_MAX 4096

/* pidfds that systemd kept for us over a restart, by name "use-PID-START". */
static struct kept {
	char *name;
	int fd;
} kept[KEPT_MAX];
static unsigned n_kept;

static void kept_name(pid_t pid, uint64_t start, char *buf, size_t size)
{
	snprintf(buf, size, "use-%d-%llu", (int)pid, (unsigned long long)start);
}

void jitd_fd_keep(const struct use *u)
{
	char name[64], state[128];
	int fd = u->pidfd;

	kept_name(u->pid, u->start, name, sizeof(name));
	snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	sd_pid_notify_with_fds(0, 0, state, &fd, 1);
}

void jitd_fd_drop(const struct use *u)
{
	char name[64];

	kept_name(u->pid, u->start, name, sizeof(name));
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

int jitd_fd_take(pid_t pid, uint64_t start)
{
	char name[64];

	kept_name(pid, start, name, sizeof(name));
	for (unsigned i = 0; i < n_kept; i++)
		if (kept[i].fd >= 0 && !strcmp(kept[i].name, name))
			return steal_fd(&kept[i].fd);
	return -1;
}

/* The gate's socket and kept pidfds.  Returns the socket, -1 when none was passed. */
static int take_passed(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), gate = -1;

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (sd_is_socket(fd, AF_UNIX, SOCK_SEQPACKET, 1) > 0 && gate < 0)
			gate = fd;
		else if (n_kept < KEPT_MAX && !strncmp(names[i], "use-", 4)) {
			kept[n_kept].fd = fd;
			kept[n_kept++].name = strdup(names[i]);
		} else
			close(fd);
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return gate;
}

static void forget_kept(void)
{
	for (unsigned i = 0; i < n_kept; i++) {
		if (kept[i].fd >= 0) {
			close(kept[i].fd);
			sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", kept[i].name);
		}
		free(kept[i].name);
	}
	n_kept = 0;
}

/* ---- configuration ---- */

static void record_config(struct jitd *j, const char *digest)
{
	struct json_object *o = json_object_new_object(), *errors = json_object_new_array();

	json_add_str(o, "digest", digest);
	for (size_t i = 0; i < j->policy_errors.n && i < 20; i++)
		json_object_array_add(errors, json_object_new_string(j->policy_errors.list[i]));
	if (j->policy_errors.n)
		json_add(o, "errors", errors);
	else
		json_object_put(errors);
	json_add_str(o, "text", digest ? "rules in force" : j->policy ? "the old rules stay" : "no rules in force");
	record(j, EV_CONFIG, NULL, o, NULL);
}

int jitd_reload(struct jitd *j)
{
	struct policy *fresh = NULL;
	int r;

	conf_errors_done(&j->policy_errors);
	r = policy_load(j->confdir, 0, &fresh, &j->policy_errors);
	for (size_t i = 0; i < j->policy_errors.n; i++)
		log_error("%s", j->policy_errors.list[i]);
	if (r >= 0) {
		policy_free(j->policy);
		j->policy = fresh;
		j->policy_loaded = clock_real();
		free(j->host);
		j->host = strdup(fresh->host);
	}
	if (j->ledger)
		record_config(j, r >= 0 ? j->policy->digest : NULL);
	sd_notifyf(0, "STATUS=%s", j->policy ? "Rules in force." : "No rules in force: every gated call is refused.");
	return r;
}

static int on_reload(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	jitd_reload(userdata);
	return 0;
}

static int on_minute(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct jitd *j = userdata;

	if (j->ledger)
		record_flush(j, false);
	outbox_prune();
	sd_event_source_set_time_relative(s, MINUTE_USEC);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- start and stop ---- */

static int make_dirs(void)
{
	static const struct { const char *path; mode_t mode; } dirs_needed[] = {
		{ JIT_RUNDIR, 0755 }, { JIT_GRANTS, 0700 }, { JIT_NOTES, 0700 }, { JIT_STATEDIR, 0755 },
		{ LEDGER_DIR, 0700 }, { JIT_OUTBOX, 0750 },
	};

	for (size_t i = 0; i < ELEMENTS(dirs_needed); i++)
		if (mkdir(dirs_needed[i].path, dirs_needed[i].mode) < 0 && errno != EEXIST) {
			log_error("%s cannot be made: %s", dirs_needed[i].path, strerror(errno));
			return -errno;
		}
	return 0;
}

/* What can only be done with a ledger. */
static int take_up(struct jitd *j)
{
	int r;

	record_config(j, j->policy ? j->policy->digest : NULL);
	replay_finish(j);
	forget_kept();
	r = inbox_new(j->event, intake_envelope, j, &j->inbox);
	return r < 0 ? r : notes_new(j->event, intake_note, j, &j->notes);
}

static void open_ledger(struct jitd *j)
{
	struct why w = { "" };
	int r;

	while (j->requests)
		request_forget(j->requests);
	j->replaying = true;
	r = ledger_open(LEDGER_DIR, replay_record, j, &j->ledger, &w);
	if (r < 0) {
		if (strcmp(w.text, j->no_ledger.text) != 0)
			log_error("every gated call is refused: the ledger cannot be opened: %s", w.text);
		j->no_ledger = w;
	} else if (ledger_broken(j->ledger, &w))
		log_error("the ledger is broken, nothing new is granted: %s", w.text);
}

/* A ledger that cannot be opened (a disk that is read-only, or not there yet) is tried again; meanwhile the gate refuses
 * with that word. */
static int on_ledger_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct jitd *j = userdata;
	int r = 0;

	open_ledger(j);
	if (j->ledger) {
		sd_event_source_disable_unref(s);
		log_notice("the ledger is open again");
		r = take_up(j);
	} else if (++j->ledger_tries >= LEDGER_TRIES) {
		/* The mounts that systemd made for us may be what is read-only still: a fresh start gets fresh ones. */
		r = -EROFS;
	} else {
		sd_event_source_set_time_relative(s, LEDGER_RETRY_USEC);
		sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	}
	return r < 0 ? sd_event_exit(j->event, r) : 0;
}

static int start(struct jitd *j, int gate_fd)
{
	char host[256] = "localhost";
	sd_event_source *retry = NULL; /* its own owner: unreferenced when it has done its work */
	struct why w = { "" };
	sd_id128_t machine;
	int r;

	gethostname(host, sizeof(host) - 1);
	j->host = strdup(host);
	j->started = clock_real();
	r = clock_boot_id(j->boot);
	if (r >= 0 && sd_id128_get_machine(&machine) >= 0)
		sd_id128_to_string(machine, j->machine);
	if (r < 0 || make_dirs() < 0)
		return r < 0 ? r : -EIO;
	if (verify_host_key(JIT_HOST_KEY, host, &w) < 0)
		log_error("no host key, so receipts cannot be signed: %s", w.text);
	if ((r = units_new(j->event, &j->units)) < 0 || (r = worker_new(j->event, &j->worker)) < 0 ||
	    (r = contexts_new(j->event, &j->contexts)) < 0 || (r = verify_new(j->event, &j->verify)) < 0 ||
	    (r = checks_new(j->event, &j->checks)) < 0)
		return r;
	worker_warm(j->worker);
	jitd_reload(j);
	open_ledger(j);
	if ((r = control_new(j, &j->control)) < 0 || (r = gate_open(j, gate_fd, &j->gate)) < 0)
		return r;
	if (j->ledger)
		return take_up(j);
	return sd_event_add_time_relative(j->event, &retry, CLOCK_BOOTTIME, LEDGER_RETRY_USEC, 0, on_ledger_retry, j);
}

static void stop(struct jitd *j)
{
	j->gate = gate_close(j->gate);
	j->inbox = inbox_free(j->inbox);
	j->notes = notes_free(j->notes);
	if (j->ledger)
		record_flush(j, true);
	record_tell(j);
	j->control = control_free(j->control);
	j->verify = verify_free(j->verify);
	j->checks = checks_free(j->checks);
	j->worker = worker_free(j->worker);
	j->contexts = contexts_free(j->contexts);
	j->units = units_free(j->units);
	while (j->requests)
		request_forget(j->requests);
	identities_free(j);
	free(j->sudoers);
	policy_free(j->policy);
	conf_errors_done(&j->policy_errors);
	j->ledger = ledger_close(j->ledger);
	free(j->host);
}

static int run(struct jitd *j)
{
	sd_event_source *minute = NULL;
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_default(&j->event);
	if (r < 0)
		return r;
	sd_event_add_signal(j->event, NULL, SIGTERM, NULL, NULL);
	sd_event_add_signal(j->event, NULL, SIGINT, NULL, NULL);
	sd_event_add_signal(j->event, NULL, SIGHUP, on_reload, j);
	sd_event_set_watchdog(j->event, 1);
	r = start(j, take_passed());
	if (r >= 0) {
		sd_event_add_time_relative(j->event, &minute, CLOCK_BOOTTIME, MINUTE_USEC, USEC_PER_SEC, on_minute, j);
		sd_notify(0, "READY=1");
		r = sd_event_loop(j->event);
		sd_notify(0, "STOPPING=1");
	}
	sd_event_source_disable_unref(minute);
	j->delivery = sd_event_source_disable_unref(j->delivery);
	stop(j);
	sd_event_unref(j->event);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "debug", no_argument, NULL, 'd' }, { "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	struct jitd j = { .confdir = JIT_CONFDIR };
	bool debug = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "dVh", options, NULL)) >= 0)
		switch (c) {
		case 'd':
			debug = true;
			break;
		case 'V':
			puts("jitd " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			puts("usage: jitd [--debug] [--version]\nStarted by systemd: see jitd(8).");
			return EXIT_SUCCESS;
		default:
			return 2;
		}
	if (optind < argc || geteuid() != 0) {
		fprintf(stderr, "jitd: %s; see jitd(8)\n", geteuid() ? "must be root" : "takes no arguments");
		return 2;
	}
	umask(0022);
	log_setup("jitd", debug);
	r = run(&j);
	if (r < 0)
		log_error("ended: %s", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
