/* What each method of the D-Bus interface does. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "helper/control.h"
#include "helper/explain.h"
#include "helper/jitd.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/text.h"

#define ASK_MAX (48 * 1024)

/* The code stands on the requester's terminal.  An operator may be an approver, and is to hear it from the requester. */
static bool may_see_code(const struct control_call *k, const struct request *r)
{
	return k->uid == 0 || k->uid == r->call->uid;
}

static void method_list(struct control_call *k)
{
	struct json_object *list = json_object_new_array();
	int all = 0;

	sd_bus_message_read(k->message, "b", &all);
	if (all && !k->operator) {
		json_object_put(list);
		control_error(k, "NotPermitted", "only root and the group jit-operators see everybody's requests");
		return;
	}
	for (struct request *r = control_jitd(k)->requests; r; r = r->next)
		if (all || r->call->uid == k->uid)
			json_object_array_add(list, request_json(r, may_see_code(k, r)));
	control_reply_json(k, list);
}

static void method_show(struct control_call *k)
{
	const char *id = "";
	struct request *r;

	sd_bus_message_read(k->message, "s", &id);
	r = control_request(k, id);
	if (r)
		control_reply_json(k, request_json(r, may_see_code(k, r)));
}

static void done(struct control_call *k)
{
	sd_bus_reply_method_return(k->message, "");
	control_call_free(k);
}

/* How a caller stands in the ledger: the requester by name, anybody else by uid. */
static void caller_name(const struct control_call *k, const struct request *r, char *buf, size_t size)
{
	if (r->call->uid == k->uid && r->call->user)
		snprintf(buf, size, "%s", r->call->user);
	else if (k->uid == 0)
		snprintf(buf, size, "root");
	else
		snprintf(buf, size, "uid %u", (unsigned)k->uid);
}

static void method_cancel(struct control_call *k)
{
	const char *id = "";
	char by[300];
	struct request *r;

	sd_bus_message_read(k->message, "s", &id);
	r = control_request(k, id);
	if (!r)
		return;
	if (r->state != STATE_PENDING && r->state != STATE_GRANTED) {
		control_error(k, "Refused", "%s is %s: there is nothing to cancel%s", r->id, state_string(r->state),
			r->state == STATE_RUNNING ? "; to end it: jitctl revoke" : "");
		return;
	}
	caller_name(k, r, by, sizeof(by));
	lives_withdraw(r, by);
	done(k);
}

static void method_revoke(struct control_call *k)
{
	const char *id = "", *note = "";
	CLEAN(free_p) char *text = NULL;
	char by[300];
	struct request *r;

	sd_bus_message_read(k->message, "ss", &id, &note);
	r = control_request(k, id);
	if (!r)
		return;
	if (r->state != STATE_GRANTED && r->state != STATE_RUNNING) {
		control_error(k, "Refused", "%s is %s: there is no grant to revoke", r->id, state_string(r->state));
		return;
	}
	caller_name(k, r, by, sizeof(by));
	text = text_escape(note, strlen(note), 300);
	lives_revoke(r, by, text, NULL);
	done(k);
}

/* ---- asking ahead ---- */

struct ask {
	struct control_call *call;
	struct process process;
	struct call *what;
	uint64_t work_usec;
};

static void ask_free(struct ask *a)
{
	process_done(&a->process);
	call_free(a->what);
	free(a);
}

void control_answer(struct client *c, enum gate_result result, const struct request *r, const char *text)
{
	struct control_call *k = c->bus;

	c->bus = NULL;
	if ((result == GATE_PENDING || result == GATE_ALLOW) && r) {
		sd_bus_reply_method_return(k->message, "s", r->id);
		control_call_free(k);
	} else if (result == GATE_ALLOW)
		control_error(k, "Refused", "a rule allows this without asking anybody: just run it");
	else if (result == GATE_MISCONFIGURED)
		control_error(k, "Misconfigured", "%s", text);
	else if (result == GATE_BUSY)
		control_error(k, "Busy", "%s", text);
	else
		control_error(k, result == GATE_UNREACHABLE ? "Failed" : "Refused", "%s", text);
}

static void on_path(int result, const char *path, void *userdata)
{
	struct ask *a = userdata;
	struct control_call *k = a->call;
	struct client *c;

	if (result < 0) {
		CLEAN(free_p) char *name = text_escape(a->what->argv[0], strlen(a->what->argv[0]), 100);

		control_error(k, "Refused", "the command %s is not found where sudo would look for it", name ? name : "");
		ask_free(a);
		return;
	}
	a->what->binary = strdup(path);
	c = !a->what->binary || call_make_command(a->what, path) < 0 ? NULL :
		gate_client_for_bus(control_jitd(k)->gate, &a->process, a->what, k);
	if (!c)
		control_error(k, "Busy", "no room for another request now");
	else {
		a->what = NULL;
		c->work_usec = a->work_usec;
		account_judge(c);
	}
	ask_free(a);
}

/* The line as it will be typed: the options that choose the target, then the command. */
static int make_line(struct call *c)
{
	const char *user[] = { "-u", c->target };
	size_t n = strcmp(c->target, "root") ? 2 : 0, len = 0;
	char *at;

	for (size_t i = 0; i < n; i++)
		len += strlen(user[i]) + 1;
	for (size_t i = 0; i < c->argc; i++)
		len += strlen(c->argv[i]) + 1;
	c->line = at = malloc(len + 1);
	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, user[i]) + 1;
	for (size_t i = 0; i < c->argc; i++)
		at = stpcpy(at, c->argv[i]) + 1;
	c->line_len = len;
	return 0;
}

static int read_argv(struct call *c, struct json_object *argv)
{
	size_t n = json_object_array_length(argv), len;

	c->argv = calloc(n + 1, sizeof(char *));
	if (!c->argv)
		return -ENOMEM;
	for (; c->argc < n; c->argc++)
		if (json_bytes_get(json_object_array_get_idx(argv, c->argc), &c->argv[c->argc], &len) < 0 ||
		    strlen(c->argv[c->argc]) != len)
			return -EINVAL;
	return 0;
}

static int ask_read(struct ask *a, struct json_object *o)
{
	const char *target = json_str(o, "target"), *reason = json_str(o, "reason"), *cwd = json_str(o, "cwd");
	struct json_object *argv = json_arr(o, "argv");
	struct call *c = a->what = calloc(1, sizeof(*c));

	if (!c || !argv || json_object_array_length(argv) < 1 || json_object_array_length(argv) > GATE_FIELDS)
		return -EINVAL;
	if (json_u64(o, "for", &a->work_usec) == -EINVAL)
		return -EINVAL;
	c->uid = a->process.uid;
	c->loginuid = a->process.loginuid;
	c->session_uid = a->process.session_uid;
	c->service = strdup("sudo");
	c->target = strdup(target ? target : "root");
	c->marks = strdup("");
	c->tty = a->process.tty ? strdup(a->process.tty) : NULL;
	c->session = a->process.session ? strdup(a->process.session) : NULL;
	c->cwd = cwd ? strdup(cwd) : a->process.cwd ? strdup(a->process.cwd) : NULL;
	if (call_set_reason(c, reason) < 0 || !c->service || !c->target || !c->marks || !name_valid(c->target) || read_argv(c, argv) < 0)
		return -EINVAL;
	return make_line(c);
}

/* Where sudo would find it, in the file system that the caller sees.  True: on_path() will be called. */
static bool find_command(struct ask *a)
{
	const struct jitd *j = control_jitd(a->call);
	CLEAN(close_p) int root = process_root(&a->process);

	return root >= 0 && worker_lookup(j->worker, a->process.uid, root, a->what->argv[0], a->what->cwd ? a->what->cwd : "/",
		(const char *const *)j->policy->secure_path, on_path, a) > 0;
}

/* sudo would say so in words of its own. */
static void on_target(int result, uid_t uid, void *userdata)
{
	struct ask *a = userdata;
	struct control_call *k = a->call;

	if (result == -ENOENT)
		control_error(k, "Refused", "there is no account %s on this host", a->what->target);
	else if (result < 0)
		control_error(k, "Failed", "the account %s cannot be looked up: %s", a->what->target, strerror(-result));
	else if (!control_jitd(k)->policy)
		control_error(k, "Misconfigured", "no rules are in force on this host");
	else if (find_command(a))
		return;
	else
		control_error(k, "Busy", "this host is too busy; try again");
	ask_free(a);
}

/* True: on_target() will be called. */
static bool find_target(struct ask *a)
{
	return worker_target(control_jitd(a->call)->worker, a->process.uid, a->what->target, on_target, a) > 0;
}

static void method_request(struct control_call *k)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct jitd *j = control_jitd(k);
	const char *text = "", *service;
	struct ask *a = calloc(1, sizeof(*a));
	struct why w;

	sd_bus_message_read(k->message, "s", &text);
	if (!a) {
		control_error(k, "Failed", "out of memory");
		return;
	}
	a->call = k;
	a->process.pidfd = -1;
	service = strlen(text) <= ASK_MAX && json_parse(text, strlen(text), &o, &w) >= 0 ? json_str(o, "service") : "";
	if (!o)
		control_error(k, "Misused", "the request cannot be read, or is longer than %d KiB", ASK_MAX / 1024);
	else if (service && strcmp(service, "sudo") != 0)
		control_error(k, "Misused", "only sudo commands can be asked for ahead; for su and ssh just run them");
	else if (process_read(k->pid, &a->process) < 0 || a->process.uid != k->uid)
		control_error(k, "NotPermitted", "the caller is gone, or is not who the bus says");
	else if (ask_read(a, o) < 0)
		control_error(k, "Misused", "a request needs argv (1 to %d words) and a valid target", GATE_FIELDS);
	else if (!j->policy)
		control_error(k, "Misconfigured", "no rules are in force on this host");
	else if (find_target(a))
		return;
	else
		control_error(k, "Busy", "this host is too busy; try again");
	ask_free(a);
}

/* ---- status, reload ---- */

static struct json_object *rules_json(const struct jitd *j)
{
	struct json_object *o = json_object_new_object(), *errors = json_object_new_array();
	char when[TIME_RFC3339_LEN + 1];

	json_add_str(o, "state", j->policy ? "in force" : "none");
	if (j->policy) {
		json_add_str(o, "digest", j->policy->digest);
		json_add_str(o, "loaded", time_rfc3339(j->policy_loaded, when));
		json_add_u64(o, "count", j->policy->n_rules);
	}
	for (size_t i = 0; i < j->policy_errors.n; i++)
		json_object_array_add(errors, json_object_new_string(j->policy_errors.list[i]));
	json_add(o, "errors", errors);
	return o;
}

static void method_status(struct control_call *k)
{
	struct json_object *o = json_object_new_object(), *ledger = json_object_new_object();
	struct jitd *j = control_jitd(k);
	const struct ledger_head *head = j->ledger ? ledger_head(j->ledger) : NULL;
	unsigned pending = 0, grants = 0;
	char when[TIME_RFC3339_LEN + 1];
	struct why w;

	for (const struct request *r = j->requests; r; r = r->next) {
		pending += r->state == STATE_PENDING;
		grants += r->state == STATE_GRANTED || r->state == STATE_RUNNING;
	}
	json_add_str(o, "version", PACKAGE_VERSION);
	json_add_u64(o, "pid", (uint64_t)getpid());
	json_add_str(o, "since", time_rfc3339(j->started, when));
	json_add_str(o, "host", j->host);
	json_add(o, "rules", rules_json(j));
	json_add_u64(o, "pending", pending);
	json_add_u64(o, "grants", grants);
	if (head) {
		json_add_u64(ledger, "seq", head->seq);
		json_add_str(ledger, "head", head->hash);
	}
	json_add_str(ledger, "state", !head ? j->no_ledger.text : ledger_broken(j->ledger, &w) ? w.text : "whole");
	json_add_str(ledger, "failed", *j->not_recorded.text ? j->not_recorded.text : NULL);
	json_add(o, "ledger", ledger);
	control_reply_json(k, o);
}

static void method_reload(struct control_call *k)
{
	struct jitd *j = control_jitd(k);

	if (k->uid != 0)
		control_error(k, "NotPermitted", "only root reads the configuration again");
	else if (jitd_reload(j) < 0)
		control_error(k, "Misconfigured", "the old rules stay in force; %zu mistakes, the first: %s", j->policy_errors.n,
			j->policy_errors.n ? j->policy_errors.list[0] : "out of memory");
	else
		done(k);
}

static const struct {
	const char *name;
	control_method method;
} methods[] = {
	{ "List", method_list },
	{ "Show", method_show },
	{ "Request", method_request },
	{ "Cancel", method_cancel },
	{ "Revoke", method_revoke },
	{ "Explain", explain_method },
	{ "Status", method_status },
	{ "Reload", method_reload },
};

control_method control_methods_find(const char *name)
{
	for (size_t i = 0; name && i < ELEMENTS(methods); i++)
		if (!strcmp(methods[i].name, name))
			return methods[i].method;
	return NULL;
}
