/* jit-hub(8). */
#include "config.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include "hub/hub.h"
#include "hub/limit.h"
#include "hub/login.h"
#include "hub/server.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"

#define PRUNE_USEC (10 * USEC_PER_MIN)
#define NOFILE 8192

static void usage(FILE *f)
{
	fputs("usage: jit-hub [--config FILE] [--state DIRECTORY] [--debug]\n"
	      "       jit-hub host add NAME | host list | host remove NAME\n"
	      "       jit-hub --version\n", f);
}

static int on_prune(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct hub *hub = userdata;
	uint64_t now = clock_real(), oldest = now > HUB_KEEP_USEC ? now - HUB_KEEP_USEC : 0;
	int r = store_prune(hub->store, oldest, now);

	if (r < 0)
		log_error("what is old cannot be removed: %s", strerror(-r));
	r = sd_event_source_set_time(source, usec + PRUNE_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* `systemctl reload`: the list of approvers is read again at every use anyway. */
static int on_hup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	log_notice("the list of approvers is in force as it stands; hub.conf and certificates need a restart");
	return 0;
}

static int loop_new(sd_event **ret)
{
	CLEAN(sd_event_unrefp) sd_event *event = NULL;
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	r = sd_event_new(&event);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGHUP, on_hup, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(event, 1);
	if (r < 0)
		return r;
	*ret = STEAL_PTR(event);
	return 0;
}

/* Every long-poll is a descriptor. */
static void raise_nofile(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < NOFILE) {
		l.rlim_cur = l.rlim_max < NOFILE ? l.rlim_max : NOFILE;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int hub_start(struct hub *hub, const char *statedir, struct why *w)
{
	char path[4096];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", statedir, HUB_DB) >= sizeof(path))
		return why(w, -ENAMETOOLONG, "%s: the name is too long", statedir);
	r = loop_new(&hub->event);
	if (r < 0)
		return why(w, r, "no event loop: %s", strerror(-r));
	r = store_open(path, &hub->store, w);
	if (r < 0)
		return r;
	r = limits_new(&hub->limits);
	if (r >= 0)
		r = login_new(hub, &hub->login);
	if (r < 0)
		return why(w, r, "%s", strerror(-r));
	r = sd_event_add_time(hub->event, NULL, CLOCK_MONOTONIC, clock_mono(), 0, on_prune, hub);
	if (r < 0)
		return why(w, r, "no timer: %s", strerror(-r));
	return server_new(hub, &hub->server, w);
}

static void hub_stop(struct hub *hub)
{
	hub->server = server_free(hub->server);
	hub->login = login_free(hub->login);
	hub->limits = limits_free(hub->limits);
	hub->store = store_close(hub->store);
	hub->event = sd_event_unref(hub->event);
	hub_conf_done(&hub->conf);
}

/* systemctl status shows them beside the exit code. */
static void last_words(const char *words)
{
	log_last("%s", words);
	sd_notifyf(0, "STATUS=%s", words);
}

static int serve(const char *config, const char *statedir)
{
	struct conf_errors errors = { 0 };
	struct hub hub = { 0 };
	struct why w;
	int r;

	r = hub_conf_load(config ? config : HUB_CONF, config != NULL, &hub.conf, &errors);
	for (size_t i = 0; i < errors.n; i++)
		last_words(errors.list[i]);
	conf_errors_done(&errors);
	if (r < 0)
		return EXIT_FAILURE;
	raise_nofile();
	r = hub_start(&hub, statedir, &w);
	if (r < 0) {
		last_words(w.text);
		hub_stop(&hub);
		return EXIT_FAILURE;
	}
	sd_notify(0, "READY=1\nSTATUS=Serving");
	r = sd_event_loop(hub.event);
	sd_notify(0, "STOPPING=1");
	if (r < 0)
		log_error("the event loop failed: %s", strerror(-r));
	hub_stop(&hub);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	enum { OPT_CONFIG = 1, OPT_STATE, OPT_DEBUG, OPT_VERSION, OPT_HELP };
	static const struct option options[] = {
		{ "config", required_argument, NULL, OPT_CONFIG }, { "state", required_argument, NULL, OPT_STATE },
		{ "debug", no_argument, NULL, OPT_DEBUG }, { "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, OPT_HELP }, { 0 },
	};
	const char *config = NULL, *statedir = getenv("STATE_DIRECTORY");
	bool debug = false;
	int opt;

	if (!statedir)
		statedir = HUB_STATEDIR;
	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (opt) {
		case OPT_CONFIG:
			config = optarg;
			break;
		case OPT_STATE:
			statedir = optarg;
			break;
		case OPT_DEBUG:
			debug = true;
			break;
		case OPT_VERSION:
			puts("jit-hub " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		case OPT_HELP:
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return 2;
		}
	log_setup("jit-hub", debug);
	if (optind == argc)
		return serve(config, statedir);
	if (!strcmp(argv[optind], "host"))
		return host_command(statedir, argc - optind - 1, argv + optind + 1);
	usage(stderr);
	return 2;
}
