/* jitctl request, wait, cancel, revoke: what changes a request, from the requester's and the operator's side. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cli/approver.h"
#include "cli/bus.h"
#include "cli/cli.h"
#include "cli/document.h"
#include "cli/request-view.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/text.h"

/* A signal may be missed (jitd restarted, the bus too): look again after this long. */
#define LOOK_AGAIN_USEC (10 * USEC_PER_SEC)
#define AWAY_USEC (2 * USEC_PER_SEC)

struct waiting {
	jit_id id;
	bool changed;
};

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct waiting *w = userdata;
	const char *id, *state;

	if (sd_bus_message_read(m, "ss", &id, &state) >= 0 && strcmp(id, w->id) == 0)
		w->changed = true;
	return 0;
}

/* The exit code of a settled state, or -1 while it is pending. */
static int exit_of_state(struct json_object *request)
{
	const char *state = json_str(request, "state"), *outcome = json_str(request, "outcome");

	if (!state || strcmp(state, "pending") == 0)
		return -1;
	if (strcmp(state, "granted") == 0 || strcmp(state, "running") == 0)
		return CLI_DONE;
	if (strcmp(state, "expired") == 0)
		return CLI_EXPIRED;
	if (strcmp(state, "ended") == 0) {
		/* It was granted; whether it still serves is the question. */
		if (!outcome || strcmp(outcome, "done") == 0 || strcmp(outcome, "closed") == 0)
			return CLI_DONE;
		return strncmp(outcome, "revoked", 7) == 0 ? CLI_REFUSED : CLI_EXPIRED;
	}
	return CLI_REFUSED;
}

static void say_state(struct cli *c, struct json_object *request)
{
	CLEAN(free_p) char *id = document_text(request, "id", 16), *state = document_text(request, "state", 16);
	char now[512], people[256];

	if (c->json) {
		screen_json(stdout, request);
		return;
	}
	request_people(request, "approve", people, sizeof(people));
	request_now(request, now, sizeof(now));
	printf("%s%s%s %s%s%s%s%s%s%s\n", paint(BOLD), id ? id : "?", paint(PLAIN), paint(state_style(json_str(request, "state"))),
		state ? state : "?", paint(PLAIN), *people ? ", approved by " : "", people, *now ? ": " : "", now);
}

/* The code is no answer: with --json it goes beside the document, where a pipeline's log has it. */
static void tell_code(const struct cli *c, struct json_object *request)
{
	CLEAN(free_p) char *id = document_text(request, "id", 16), *code = document_text(request, "code", 16);

	if (!code)
		return;
	if (c->json) {
		cli_warn("%s: tell whoever approves this code: %s", id ? id : "?", code);
		return;
	}
	printf("%s%s%s: tell whoever approves this code: %s%s%s\n", paint(BOLD), id ? id : "?", paint(PLAIN), paint(BOLD), code,
		paint(PLAIN));
	fflush(stdout);
}

/* One look: the exit code when settled, -1 when not, -2 when jitd is away. */
static int look(sd_bus *bus, struct waiting *w, struct json_object **ret)
{
	CLEAN(free_p) char *text = NULL, *words = NULL;
	CLEAN(json_put_p) struct json_object *request = NULL;
	struct why y;
	int r;

	w->changed = false;
	r = bus_try(bus, "Show", &text, &words, "s", w->id);
	if (r == CLI_UNREACHABLE)
		return -2;
	if (r != CLI_DONE)
		return cli_fail(r, "%s", words ? words : "out of memory");
	if (json_parse(text, strlen(text), &request, &y) < 0)
		return cli_fail(CLI_UNREACHABLE, "jitd's answer cannot be read: %s", y.text);
	r = exit_of_state(request);
	*ret = STEAL_PTR(request);
	return r;
}

/* Sleeps on the bus until the request changed, it is time to look again, or DEADLINE (boot clock). */
static int sleep_on(sd_bus *bus, struct waiting *w, uint64_t nap, uint64_t deadline)
{
	uint64_t until = clock_boot() + nap;

	until = until < deadline ? until : deadline;
	for (;;) {
		uint64_t now = clock_boot();
		int r = sd_bus_process(bus, NULL);

		if (r < 0)
			return cli_fail(CLI_UNREACHABLE, "the system bus is gone: %s", strerror(-r));
		if (w->changed || now >= until)
			return CLI_DONE;
		if (r == 0) {
			r = sd_bus_wait(bus, until - now);
			if (r < 0 && r != -EINTR)
				return cli_fail(CLI_UNREACHABLE, "the system bus is gone: %s", strerror(-r));
		}
	}
}

static int wait_for(struct cli *c, sd_bus *bus, const char *id, uint64_t timeout)
{
	CLEAN(bus_slot_p) sd_bus_slot *slot = NULL;
	struct waiting w = {0};
	uint64_t now = clock_boot(), deadline = timeout > USEC_INFINITY - now ? USEC_INFINITY : now + timeout;
	bool away = false, told = false;
	int r;

	snprintf(w.id, sizeof(w.id), "%s", id);
	/* Listening begins before the first look, so nothing falls between. */
	r = sd_bus_match_signal(bus, &slot, JIT_BUS_NAME, JIT_BUS_PATH, JIT_BUS_INTERFACE, "Changed", on_changed, &w);
	if (r < 0)
		return cli_fail(CLI_UNREACHABLE, "cannot listen on the system bus: %s", strerror(-r));
	for (;;) {
		CLEAN(json_put_p) struct json_object *request = NULL;

		r = look(bus, &w, &request);
		if (r >= 0) {
			if (request)
				say_state(c, request);
			return r;
		}
		if (r == -1 && !told)
			tell_code(c, request);
		told = told || r == -1;
		if (r == -2 && !away)
			cli_warn("jitd is away; the request is kept, waiting on");
		away = r == -2;
		if (clock_boot() >= deadline)
			return away ? cli_fail(CLI_UNREACHABLE, "jitd is still away")
				    : cli_fail(CLI_PENDING, "%s is still pending; it stays (jitctl wait %s, or jitctl cancel %s)",
					      id, id, id);
		r = sleep_on(bus, &w, away ? AWAY_USEC : LOOK_AGAIN_USEC, deadline);
		if (r != CLI_DONE)
			return r;
	}
}

int verb_wait(struct cli *c)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	uint64_t timeout = USEC_INFINITY;
	jit_id id;
	int r;

	r = cli_id(c, id);
	if (r == CLI_DONE)
		r = cli_span(c, OPT_TIMEOUT, &timeout);
	if (r == CLI_DONE)
		r = bus_open(&bus);
	return r == CLI_DONE ? wait_for(c, bus, id, timeout) : r;
}

/* After a request was made: says what it waits for, and waits if told so. */
static int asked(struct cli *c, sd_bus *bus, const char *text)
{
	CLEAN(json_put_p) struct json_object *request = NULL;
	uint64_t timeout = USEC_INFINITY;
	jit_id id;
	int r;

	if (id_parse(text, id) < 0)
		return cli_fail(CLI_UNREACHABLE, "jitd answered with something that is no request id");
	r = cli_span(c, OPT_TIMEOUT, &timeout);
	if (r != CLI_DONE)
		return r;
	if (!c->json || !c->value[OPT_WAIT]) {
		CLEAN(free_p) char *shown = NULL, *words = NULL;

		if (bus_try(bus, "Show", &shown, &words, "s", id) == CLI_DONE)
			(void)json_parse(shown, strlen(shown), &request, NULL);
	}
	if (c->json && !c->value[OPT_WAIT]) {
		if (!request)
			request = json_object_new_object();
		if (!json_str(request, "id"))
			json_add_str(request, "id", id);
		screen_json(stdout, request);
		return CLI_DONE;
	}
	if (!c->json) {
		CLEAN(free_p) char *need = request ? document_text(request, "need", 200) : NULL;

		printf("%s%s%s requested%s%s", paint(BOLD), id, paint(PLAIN), need ? ", needs " : "", need ? need : "");
		printf(c->value[OPT_WAIT] ? "; Ctrl-C leaves it pending, jitctl cancel %s withdraws it\n"
					  : "; jitctl wait %s tells when it is answered\n", id);
		fflush(stdout);
		if (request && !c->value[OPT_WAIT])
			tell_code(c, request);
	}
	return c->value[OPT_WAIT] ? wait_for(c, bus, id, timeout) : CLI_DONE;
}

static int request_json(struct cli *c, struct json_object *o)
{
	struct json_object *argv = json_object_new_array();
	const char *user = c->value[OPT_USER], *service = c->value[OPT_SERVICE];
	char cwd[PATH_MAX];
	uint64_t span = 0;
	int r;

	for (size_t i = 0; i < c->argc; i++)
		json_object_array_add(argv, json_bytes(c->argv[i], strlen(c->argv[i])));
	json_add_str(o, "service", service ? service : "sudo");
	json_add_str(o, "target", user ? user : "root");
	json_add(o, "argv", argv);
	if (getcwd(cwd, sizeof(cwd)))
		json_add(o, "cwd", json_bytes(cwd, strlen(cwd)));
	if (c->value[OPT_REASON]) {
		if (!text_utf8(c->value[OPT_REASON], strlen(c->value[OPT_REASON])))
			return cli_fail(CLI_MISUSED, "--reason is not UTF-8");
		json_add_str(o, "reason", c->value[OPT_REASON]);
	}
	r = cli_span(c, OPT_FOR, &span);
	if (r == CLI_DONE && span > 0)
		json_add_u64(o, "for", span);
	return r;
}

int verb_request(struct cli *c)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *id = NULL;
	int r;

	if (c->argc == 0 && !c->value[OPT_SERVICE])
		return cli_usage(c, "a command is missing");
	r = request_json(c, o);
	if (r == CLI_DONE)
		r = bus_open(&bus);
	if (r == CLI_DONE)
		r = bus_call(bus, "Request", &id, "s", json_text(o));
	return r == CLI_DONE ? asked(c, bus, id) : r;
}

static int done(struct cli *c, const char *id, const char *word)
{
	if (c->json)
		printf("{\"id\":\"%s\",\"result\":\"%s\"}\n", id, word);
	else
		printf("%s %s\n", id, word);
	return CLI_DONE;
}

int verb_cancel(struct cli *c)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	jit_id id;
	int r;

	r = cli_id(c, id);
	if (r == CLI_DONE)
		r = bus_open(&bus);
	if (r == CLI_DONE)
		r = bus_call(bus, "Cancel", NULL, "s", id);
	return r == CLI_DONE ? done(c, id, "withdrawn") : r;
}

int verb_revoke(struct cli *c)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	const char *note = c->value[OPT_NOTE];
	jit_id id;
	int r;

	if (c->value[OPT_AT_HUB])
		return approver_revoke(c);
	r = cli_id(c, id);
	if (r == CLI_DONE && note && !text_utf8(note, strlen(note)))
		r = cli_fail(CLI_MISUSED, "--note is not UTF-8");
	if (r == CLI_DONE)
		r = bus_open(&bus);
	if (r == CLI_DONE)
		r = bus_call(bus, "Revoke", NULL, "ss", id, note ? note : "");
	return r == CLI_DONE ? done(c, id, "revoked") : r;
}
