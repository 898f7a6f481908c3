/* jitctl status: jitd, its rules and ledger, what is gated, and the courier, in words of a person. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cli/bus.h"
#include "cli/cli.h"
#include "cli/document.h"
#include "cli/gated.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/text.h"

/* The courier's own word; NULL and words when there is none. */
static struct json_object *courier_status(const char *path, struct why *w)
{
	CLEAN(free_p) char *text = NULL;
	struct json_object *o = NULL;
	size_t len;
	int r;

	r = file_read_untrusted(AT_FDCWD, path ? path : JIT_COURIER_STATUS, 64 * 1024, &text, &len);
	if (r == -ENOENT)
		why(w, r, "not running, or not enrolled (jit-courier(8))");
	else if (r < 0)
		why(w, r, "its status cannot be read: %s", strerror(-r));
	else if (json_parse(text, len, &o, w) == 0)
		return o;
	return NULL;
}

static void view_rules(struct json_object *status)
{
	struct json_object *rules = json_obj(status, "rules"), *errors = rules ? json_arr(rules, "errors") : NULL;
	const char *state = rules ? json_str(rules, "state") : NULL;
	bool good = state && strcmp(state, "in force") == 0;
	CLEAN(free_p) char *digest = rules ? document_text(rules, "digest", 64) : NULL;
	uint64_t count;
	char when[64];

	if (good) {
		char number[32] = "";

		if (json_u64(rules, "count", &count) == 0)
			snprintf(number, sizeof(number), "%" PRIu64 " ", count);
		fieldf("rules", GREEN, "%sin force, read %s%s%.12s", number,
			when_clock(json_str(rules, "loaded"), when, sizeof(when)), digest ? ", digest " : "", digest ? digest : "");
	} else {
		field("rules", RED, "none in force: every request is refused (jitctl config check)");
	}
	for (size_t i = 0; errors && i < json_object_array_length(errors); i++) {
		const char *e = json_object_get_string(json_object_array_get_idx(errors, i));
		CLEAN(free_p) char *shown = e ? screen_safe(e) : NULL;

		field(i == 0 ? "mistakes" : "", RED, shown);
	}
}

static void view_ledger(struct json_object *status)
{
	struct json_object *ledger = json_obj(status, "ledger");
	const char *state = ledger ? json_str(ledger, "state") : NULL, *head = ledger ? json_str(ledger, "head") : NULL;
	CLEAN(free_p) char *shown = state ? screen_safe(state) : NULL;
	bool whole = state && (strcmp(state, "whole") == 0 || strcmp(state, "ok") == 0);
	CLEAN(free_p) char *failed = ledger ? document_text(ledger, "failed", 300) : NULL;
	uint64_t seq = 0;

	if (!ledger)
		return;
	json_u64(ledger, "seq", &seq);
	if (whole)
		fieldf("ledger", PLAIN, "whole when jitd started, %" PRIu64 " records, head %.16s", seq, head ? head : "");
	else
		fieldf("ledger", RED, "BROKEN: no new grants: %s", shown ? shown : "?");
	if (failed)
		fieldf("", RED, "the last record could not be written, and what needs one is refused: %s", failed);
}

static void view_jitd(struct json_object *status)
{
	CLEAN(free_p) char *version = document_text(status, "version", 32), *host = document_text(status, "host", 64),
		*systemd = document_text(status, "systemd", 64);
	uint64_t pid = 0, pending = 0, grants = 0;
	char when[64];

	json_u64(status, "pid", &pid);
	json_u64(status, "pending", &pending);
	json_u64(status, "grants", &grants);
	fieldf("jitd", GREEN, "running since %s, version %s, pid %" PRIu64, when_clock(json_str(status, "since"), when, sizeof(when)),
		version ? version : "?", pid);
	field("host", PLAIN, host);
	if (systemd && strcmp(systemd, "connected") != 0)
		fieldf("systemd", RED, "%s", systemd);
	view_rules(status);
	fieldf("requests", PLAIN, "%" PRIu64 " pending, %" PRIu64 " granted", pending, grants);
	view_ledger(status);
}

static void view_courier(struct json_object *courier, const struct why *w)
{
	const char *state = courier ? json_str(courier, "state") : NULL;
	CLEAN(free_p) char *hub = courier ? document_text(courier, "hub", 200) : NULL,
		*error = courier ? document_text(courier, "error", 300) : NULL,
		*shown = courier ? document_text(courier, "state", 32) : NULL;
	bool good = state && strcmp(state, "reachable") == 0;
	uint64_t pending;
	char when[64];

	if (!courier) {
		field("courier", RED, w->text);
		return;
	}
	fieldf("hub", good ? GREEN : RED, "%s since %s%s%s", shown ? shown : "?",
		when_clock(json_str(courier, "since"), when, sizeof(when)), hub && *hub ? ": " : "", hub ? hub : "");
	field("error", RED, error);
	if (json_str(courier, "last_delivery"))
		field("delivered", PLAIN, when_clock(json_str(courier, "last_delivery"), when, sizeof(when)));
	if (json_str(courier, "last_collection"))
		field("collected", PLAIN, when_clock(json_str(courier, "last_collection"), when, sizeof(when)));
	if (json_u64(courier, "pending", &pending) == 0 && pending > 0)
		fieldf("outbox", YELLOW, "%" PRIu64 " still to be delivered", pending);
}

int verb_status(struct cli *c)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(json_put_p) struct json_object *status = NULL, *courier = NULL, *gates = NULL, *o = NULL;
	struct why w = {""};
	int r;

	if (c->argc)
		return cli_usage(c, "status takes no words");
	courier = courier_status(c->value[OPT_COURIER], &w);
	gates = gates_read(c);
	r = bus_open(&bus);
	if (r == CLI_DONE)
		r = bus_call_json(bus, "Status", &status, false, NULL);
	if (c->json) {
		o = json_object_new_object();
		/* A key is always there; null says that nothing is known. */
		json_object_object_add(o, "jitd", json_object_get(status));
		json_object_object_add(o, "courier", json_object_get(courier));
		json_object_object_add(o, "gates", json_object_get(gates));
		screen_json(stdout, o);
		return r;
	}
	if (status)
		view_jitd(status);
	else
		field("jitd", RED, "cannot be reached: sudo and su refuse everybody but root, and sshd root too, where they are gated");
	gates_view(gates);
	view_courier(courier, &w);
	return r;
}
