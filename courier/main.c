/* jit-courier(8). */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>
#include "courier/courier.h"
#include "courier/secret.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/paths.h"

static void usage(FILE *f)
{
	fputs("usage: jit-courier [--debug]\n"
	      "       jit-courier enroll --hub URL --host NAME [--ca FILE] [--pin sha256//BASE64]\n"
	      "                          [--key FILE] TOKEN|-\n"
	      "       jit-courier --version\n", f);
}

static void drop_secret(struct courier *c)
{
	if (c->secret)
		explicit_bzero(c->secret, strlen(c->secret));
	free(c->secret);
	c->secret = NULL;
}

/* An answer that the API knows: it says something about what was sent, not about the hub. */
static bool is_answer(long status)
{
	return status == 200 || status == 201 || status == 204 ||
		(status >= 400 && status < 500 && status != 401 && status != 403 && status != 408 && status != 429);
}

bool courier_judge(struct courier *c, const struct web_answer *a)
{
	struct why w;

	if (!a->error && is_answer(a->status)) {
		if (c->status.state != STATUS_REACHABLE)
			sender_kick(c->sender); /* what is pending has to be handed over again */
		status_set(&c->status, STATUS_REACHABLE, sender_complaint(c->sender));
		return true;
	}
	if (a->error)
		why(&w, 0, "%s", a->words);
	else
		why(&w, 0, "the hub answered %ld%s%s", a->status, a->words ? ": " : "", a->words ? a->words : "");
	if (a->status == 429 || a->status == 408) {
		status_set(&c->status, STATUS_REACHABLE, w.text);
		return false;
	}
	sender_reconnect(c->sender);
	if (a->status == 401 || a->status == 403) {
		drop_secret(c); /* perhaps it was enrolled anew meanwhile: it is read again */
		status_set(&c->status, STATUS_REFUSED, w.text);
	} else
		status_set(&c->status, STATUS_UNREACHABLE, w.text);
	return false;
}

/* Said once, however often it is looked for again. */
static void unconfigured(struct courier *c, const char *words)
{
	if (strcmp(words, c->status.error.text))
		log_error("%s", words);
	status_set(&c->status, STATUS_UNCONFIGURED, words);
}

static void configure(struct courier *c)
{
	struct conf_errors errors = { 0 };
	CLEAN(courier_conf_done) struct courier_conf conf = { 0 };
	int r = courier_conf_load(c->paths.config, &conf, &errors);

	if (r < 0 && c->conf.hub) {
		for (size_t i = 0; i < errors.n; i++)
			log_error("%s", errors.list[i]);
		log_error("the former configuration stays");
		c->configured = true;
	} else if (r < 0)
		unconfigured(c, errors.n ? errors.list[0] : "out of memory");
	else if (!conf.hub)
		unconfigured(c, "no Hub= in courier.conf");
	else {
		courier_conf_done(&c->conf);
		c->conf = conf;
		conf = (struct courier_conf){ 0 };
		free(c->status.hub);
		c->status.hub = strdup(c->conf.hub);
		c->configured = true;
	}
	conf_errors_done(&errors);
}

static bool load_secret(struct courier *c)
{
	struct why w;
	int r = secret_read(&c->conf, c->paths.statedir, &c->secret, &w);

	if (r >= 0 && state_bind(&c->state, c->secret) < 0) {
		drop_secret(c);
		r = why(&w, -ENOMEM, "out of memory");
	}
	if (r < 0 && c->status.state != STATUS_REFUSED) /* a refusal is still the news */
		unconfigured(c, w.text);
	return r >= 0;
}

bool courier_ready(struct courier *c)
{
	if (!c->configured)
		configure(c);
	return c->configured && (c->secret || load_secret(c));
}

static void start_anew(struct courier *c)
{
	drop_secret(c);
	sender_reconnect(c->sender);
	sender_again(c->sender);
	collector_again(c->collector);
}

void courier_reload(struct courier *c)
{
	c->configured = false;
	start_anew(c);
}

/* `jit-courier enroll` wrote a secret into its usual place. */
static int on_secret(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	if (event->len && !strcmp(event->name, SECRET_FILE))
		start_anew(userdata);
	return 0;
}

static int on_hup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	courier_reload(userdata);
	return 0;
}

static int loop_new(struct courier *c)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	r = sd_event_new(&c->event);
	if (r >= 0)
		r = sd_event_add_signal(c->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(c->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(c->event, NULL, SIGHUP, on_hup, c);
	if (r >= 0)
		r = sd_event_set_watchdog(c->event, 1);
	return r;
}

static int courier_start(struct courier *c)
{
	struct why w;
	int r = loop_new(c);

	if (r >= 0 && state_load(c->paths.statedir, &c->state, &w) < 0)
		log_error("%s; starting with nothing: answers may come twice, which does no harm", w.text);
	c->status.path = c->paths.status;
	if (r >= 0)
		r = web_new(c->event, COURIER_ANSWER_MAX, &c->web);
	if (r >= 0)
		r = collector_new(c, &c->collector);
	if (r >= 0)
		r = sender_new(c, &c->sender);
	if (r >= 0)
		r = questions_new(c, &c->questions);
	/* Without it a new secret is only found later. */
	if (r >= 0 && sd_event_add_inotify(c->event, &c->secret_watch, c->paths.statedir, IN_MOVED_TO | IN_ONLYDIR,
			      on_secret, c) < 0)
		log_warning("%s cannot be watched", c->paths.statedir);
	if (r < 0)
		log_error("cannot start: %s", strerror(-r));
	return r;
}

static void courier_stop(struct courier *c)
{
	sd_event_source_disable_unref(c->secret_watch);
	c->sender = sender_free(c->sender);
	c->collector = collector_free(c->collector);
	c->questions = questions_free(c->questions);
	c->web = web_free(c->web);
	state_done(&c->state);
	status_done(&c->status);
	courier_conf_done(&c->conf);
	drop_secret(c);
	sd_event_unref(c->event);
}

static int carry(const struct courier_paths *paths)
{
	struct courier c = { .paths = *paths };
	int r = courier_start(&c);

	if (r >= 0) {
		sd_notify(0, "READY=1");
		r = sd_event_loop(c.event);
		sd_notify(0, "STOPPING=1");
		if (r < 0)
			log_error("the event loop failed: %s", strerror(-r));
	}
	courier_stop(&c);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	enum { OPT_CONFIG = 1, OPT_OUTBOX, OPT_INBOX, OPT_STATE, OPT_STATUS, OPT_DEBUG, OPT_VERSION, OPT_HELP };
	static const struct option options[] = {
		{ "config", required_argument, NULL, OPT_CONFIG }, { "outbox", required_argument, NULL, OPT_OUTBOX },
		{ "inbox", required_argument, NULL, OPT_INBOX }, { "state", required_argument, NULL, OPT_STATE },
		{ "status", required_argument, NULL, OPT_STATUS }, { "debug", no_argument, NULL, OPT_DEBUG },
		{ "version", no_argument, NULL, OPT_VERSION }, { "help", no_argument, NULL, OPT_HELP }, { 0 },
	};
	struct courier_paths paths = {
		COURIER_CONF, JIT_OUTBOX, JIT_INBOX, COURIER_STATEDIR, JIT_COURIER_STATUS,
	};
	const char **const path[] = {
		[OPT_CONFIG] = &paths.config, [OPT_OUTBOX] = &paths.outbox, [OPT_INBOX] = &paths.inbox,
		[OPT_STATE] = &paths.statedir, [OPT_STATUS] = &paths.status,
	};
	bool debug = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (opt >= OPT_CONFIG && opt <= OPT_STATUS)
			*path[opt] = optarg;
		else if (opt == OPT_DEBUG)
			debug = true;
		else if (opt == OPT_VERSION) {
			puts("jit-courier " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		} else {
			usage(opt == OPT_HELP ? stdout : stderr);
			return opt == OPT_HELP ? EXIT_SUCCESS : 2;
		}
	log_setup("jit-courier", debug);
	if (optind == argc)
		return carry(&paths);
	if (!strcmp(argv[optind], "enroll") && argc - optind == 2 && !strcmp(argv[optind + 1], "--help")) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[optind], "enroll"))
		return enroll_command(&paths, argc - optind, argv + optind);
	usage(stderr);
	return 2;
}
