/* What is gated on this host: see gated.h. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "cli/bus.h"
#include "cli/document.h"
#include "cli/edit.h"
#include "cli/gated.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/policy.h"

const char *const gated_services[GATED_SERVICES] = {"sudo", "sudo-i", "su", "su-l", "sshd"};

/* ---- what is gated ---- */

static char *source(const char *service, void *userdata)
{
	struct edit_file f CLEAN(edit_file_done) = {0};

	return edit_load(userdata, service, &f, NULL) < 0 ? NULL : STEAL_PTR(f.text);
}

static const char *gate_of(struct edit *e, const char *service, bool plugin)
{
	struct edit_file f CLEAN(edit_file_done) = {0};
	int r = edit_load(e, service, &f, NULL);

	if (plugin && strncmp(service, "sudo", 4) == 0)
		return "plugin";
	if (r == 0)
		r = pamfile_gated(&f.lines, service, source, e, NULL);
	return r == -ENOENT ? NULL : r < 0 ? "unknown" : r > 0 ? "pam" : "open";
}

struct json_object *gates_read(struct cli *c)
{
	struct edit e CLEAN(edit_done) = {.dir = -1};
	struct json_object *o = json_object_new_object();
	bool plugin = sudo_plugin_named(c);

	if (!o || edit_begin(&e, c, "/etc/pam.d") != CLI_DONE)
		return o;
	for (size_t i = 0; i < GATED_SERVICES; i++)
		json_add_str(o, gated_services[i], gate_of(&e, gated_services[i], plugin));
	return o;
}

static bool is(struct json_object *gates, const char *service, const char *state)
{
	const char *s = json_str(gates, service);

	return s && strcmp(s, state) == 0;
}

/* "sudo sudo-i" of those in STATE, behind BEFORE; nothing when there is none. */
static void list(FILE *f, struct json_object *gates, const char *state, const char *before, const char *behind)
{
	size_t n = 0;

	for (size_t i = 0; i < GATED_SERVICES; i++)
		if (is(gates, gated_services[i], state))
			fprintf(f, "%s%s", n++ == 0 ? before : " ", gated_services[i]);
	fputs(n > 0 ? behind : "", f);
}

/* A closed door beside an open one that leads to the same place. */
static bool half_open(struct json_object *gates, const char *service, const char *login)
{
	return is(gates, login, "open") && (is(gates, service, "pam") || is(gates, service, "plugin"));
}

void gates_view(struct json_object *gates)
{
	CLEAN(free_p) char *text = NULL;
	size_t len;
	FILE *f = gates ? open_memstream(&text, &len) : NULL;
	bool half;

	if (!f)
		return;
	list(f, gates, "plugin", "", " by sudo's plugin; ");
	list(f, gates, "pam", "", "; ");
	if (ftell(f) == 0)
		fputs("none; ", f);
	half = half_open(gates, "sudo", "sudo-i") || half_open(gates, "su", "su-l");
	list(f, gates, "open", "open: ", "; ");
	list(f, gates, "unknown", "cannot be told: ", "; ");
	if (fclose(f) != 0 || len < 2)
		return;
	text[len - 2] = 0;
	field("gates", half ? RED : strncmp(text, "none", 4) == 0 ? YELLOW : GREEN, text);
}

/* ---- before a gate is closed ---- */

/* "every sudo and su of anybody but root, and every ssh login, root's too": what SERVICES do. */
static void whose(const char *const *services, char *buf, size_t size)
{
	bool sudo = false, su = false, sshd = false;

	for (; *services; services++) {
		sudo |= strncmp(*services, "sudo", 4) == 0;
		su |= strncmp(*services, "su", 2) == 0 && strncmp(*services, "sudo", 4) != 0;
		sshd |= strcmp(*services, "sshd") == 0;
	}
	snprintf(buf, size, "%s%s%s%s%s%s", sudo || su ? "every " : "", sudo ? "sudo" : "", sudo && su ? " and " : "", su ? "su" : "",
		sudo || su ? " on this host, but root's own," : "",
		sshd && (sudo || su) ? " and every ssh login, root's too," : sshd ? "every ssh login, root's too," : "");
}

/* What the rules say of root's login with a key, from nowhere in particular. */
static void warn_sshd(sd_bus *bus)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *answer = NULL;
	CLEAN(free_p) char *text = NULL, *words = NULL, *rule = NULL, *need = NULL;
	struct json_object *groups = json_object_new_array();
	const char *decision;

	json_object_array_add(groups, json_object_new_string("root"));
	json_add_str(o, "service", "sshd");
	json_add_str(o, "user", "root");
	json_add_str(o, "target", "root");
	json_add(o, "groups", groups);
	json_add(o, "argv", json_object_new_array());
	json_add_str(o, "cwd", "/");
	json_add_str(o, "tty", POLICY_NO_TTY);
	json_add_u64(o, "real_usec", clock_real());
	if (bus_try(bus, "Explain", &text, &words, "s", json_text(o)) != CLI_DONE || json_parse(text, strlen(text), &answer, NULL) < 0) {
		cli_warn("whether root could still log in by ssh cannot be told: %s", words ? words : "jitd's answer cannot be read");
		return;
	}
	decision = json_str(answer, "decision");
	if (decision && strcmp(decision, "allow") == 0)
		return;
	rule = document_text(answer, "rule", 64);
	need = document_text(answer, "need", 300);
	cli_warn("root's ssh logins will be %s: rule %s%s%s; to let them in: a rule before it with Service=sshd, User=root, "
		"Decision=allow", decision && strcmp(decision, "approve") == 0 ? "asked for" : "refused", rule ? rule : "?",
		need ? ", needs " : "", need ? need : "");
}

void gates_warn(struct cli *c, const char *const *services)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(free_p) char *text = NULL, *words = NULL;
	CLEAN(json_put_p) struct json_object *status = NULL;
	struct json_object *rules = NULL;
	const char *root = c->value[OPT_ROOT], *state;
	char what[160];

	if (root && strcmp(root, "/") != 0)
		return;
	whose(services, what, sizeof(what));
	if (sd_bus_open_system(&bus) < 0 || bus_try(bus, "Status", &text, &words, NULL) != CLI_DONE ||
		json_parse(text, strlen(text), &status, NULL) < 0) {
		cli_warn("jitd cannot be asked: %s will be refused until it runs", what);
		return;
	}
	rules = json_obj(status, "rules");
	state = rules ? json_str(rules, "state") : NULL;
	if (state && strcmp(state, "in force") != 0) {
		cli_warn("jitd has no rules in force: %s will be refused until there are (jitctl config check)", what);
		return;
	}
	for (; *services; services++)
		if (strcmp(*services, "sshd") == 0)
			warn_sshd(bus);
}
