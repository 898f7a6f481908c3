/* The checks of the rule that decides a call: looked at before anybody is asked, kept on the client for as long as they are
 * fresh (account_judge() comes by more than once), and what follows from them. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "helper/checks.h"
#include "helper/jitd.h"
#include "helper/release.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/text.h"

#define FRESH_USEC (20 * USEC_PER_SEC) /* results older than this say nothing about now */
#define RUNS_MAX 4                      /* looked at anew so often for one call: rules read anew, a slow answer for a reason */
#define QUIET_USEC USEC_PER_SEC         /* then the user is told what is waited for */
/* Besides CheckWithin= for the turn and for the look: until the client will have heard something else. */
#define PATIENCE_USEC (30 * USEC_PER_SEC)
#define FACT_MAX 4096
#define REASONS_MAX 3

void checking_done(struct checking *k, struct checks *checks)
{
	if (k->ticket > 0 && checks)
		checks_cancel(checks, k->ticket);
	sd_event_source_disable_unref(k->quiet);
	json_object_put(k->results);
	*k = (struct checking){ 0 };
}

/* ---- facts for programs ---- */

static int add_fact(struct json_object *o, const char *name, const char *value)
{
	return value ? json_add(o, name, json_bytes(value, strnlen(value, FACT_MAX))) : 0;
}

struct json_object *check_facts(const struct jitd *j, const struct facts *f, const char *rule, const char *reason,
	const char *moment)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *line = f->argc ? text_argv((char *const *)(uintptr_t)f->argv, f->argc, FACT_MAX) : NULL;
	int e = 0;

	if (!o)
		return NULL;
	e |= add_fact(o, "JIT_MOMENT", moment);
	e |= add_fact(o, "JIT_RULE", rule);
	e |= add_fact(o, "JIT_HOST", j->host);
	e |= add_fact(o, "JIT_SERVICE", f->service);
	e |= add_fact(o, "JIT_USER", f->user);
	e |= add_fact(o, "JIT_TARGET", f->target);
	e |= add_fact(o, "JIT_COMMAND", f->binary);
	e |= add_fact(o, "JIT_COMMAND_LINE", line);
	e |= add_fact(o, "JIT_CWD", f->cwd);
	e |= add_fact(o, "JIT_TTY", f->tty);
	e |= add_fact(o, "JIT_REMOTE", f->remote);
	e |= add_fact(o, "JIT_REASON", reason);
	return e ? NULL : STEAL_PTR(o);
}

/* ---- asking ---- */

/* The host could not be looked at. */
__attribute__((format(printf, 3, 4))) static void give_up(struct client *c, enum gate_result result, const char *fmt, ...)
{
	CLEAN(free_p) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (c->state == CLIENT_RELEASING)
		release_refuse(c, NULL, NULL, "approved, but %s, so nothing is run; %s", text ? text : "out of memory",
			release_try_again(c->request));
	else
		client_verdict(c, result, NULL, NULL, false, "%s; try again", text ? text : "out of memory");
}

static void on_results(struct json_object *results, const char *words, void *userdata)
{
	struct client *c = userdata;

	c->checking.ticket = 0;
	c->checking.quiet = sd_event_source_disable_unref(c->checking.quiet);
	if (!results) {
		record_refusal(c->jitd, "gate", NULL, NULL, "the checks of a rule could not be looked at: %s", words);
		give_up(c, GATE_BUSY, "the state of this host could not be looked at (%s)", words);
		return;
	}
	json_object_put(c->checking.results);
	c->checking.results = json_object_get(results);
	c->checking.at = clock_boot();
	c->checking.go_on(c);
}

static int on_quiet(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct client *c = userdata;
	uint64_t within = c->jitd->policy ? c->jitd->policy->check_within_usec : 0;

	client_progress(c, NULL, 2 * within + PATIENCE_USEC, "looking at the state of %s first", c->jitd->host);
	return 0;
}

static void ask(struct client *c, const struct rule *rule, const struct call *call, const char *moment)
{
	struct checks_question q = { .rule = rule, .uid = c->process.uid, .within = c->jitd->policy->check_within_usec,
		.host = c->jitd->host, .done = on_results, .userdata = c };
	struct facts f;
	int r;

	call_facts(call, &f);
	q.facts = check_facts(c->jitd, &f, rule->name, call->reason, moment);
	r = q.facts ? checks_start(c->jitd->checks, &q) : -ENOMEM;
	if (r < 0) {
		give_up(c, GATE_BUSY, "%s", r == -EAGAIN ? "too many calls wait for this host's state to be looked at" :
			"no memory is left to look at this host");
		return;
	}
	c->checking.ticket = r;
	c->checking.runs++;
	if (!c->checking.quiet)
		sd_event_add_time_relative(c->jitd->event, &c->checking.quiet, CLOCK_BOOTTIME, QUIET_USEC, 100000, on_quiet, c);
}

bool checking_wait(struct client *c, const struct rule *rule, const struct call *call, const char *moment, client_step go_on,
	struct checked *ret)
{
	bool holds[RULE_CHECKS_MAX] = { false };

	if (c->checking.ticket > 0)
		return true; /* something else that was waited for has come */
	if (rule->n_checks == 0) {
		json_object_put(c->checking.results); /* of another rule, before the rules were read anew */
		c->checking.results = NULL;
		*ret = (struct checked){ .decision = rule->decision, .need = rule->need };
		return false;
	}
	if (c->checking.results && clock_boot() - c->checking.at < FRESH_USEC && !strcmp(c->checking.moment, moment) &&
	    checks_holds(rule, c->checking.results, holds)) {
		policy_checked(rule, holds, ret);
		return false;
	}
	if (c->checking.runs >= RUNS_MAX) {
		give_up(c, GATE_REFUSED, "what the rule '%s' looks at keeps changing", rule->name);
		return true;
	}
	c->checking.go_on = go_on;
	c->checking.moment = moment;
	ask(c, rule, call, moment);
	return true;
}

/* ---- words ---- */

/* What fails with EFFECT, one behind the other. */
static char *failures(const struct rule *rule, struct json_object *results, enum check_effect effect, const char *between)
{
	CLEAN(free_p) char *text = NULL;
	size_t size = 0, told = 0, more = 0;
	FILE *f = open_memstream(&text, &size);

	for (size_t i = 0; f && i < rule->n_checks; i++) {
		const struct json_object *o = json_object_array_get_idx(results, i);

		if (rule->checks[i].effect != effect || json_true(o, "holds") || !json_object_object_get_ex(o, "holds", NULL))
			continue;
		if (told == REASONS_MAX)
			more++;
		else
			fprintf(f, "%s%s: %s", told++ ? between : "", json_str(o, "check"), json_str(o, "text"));
	}
	if (f && more)
		fprintf(f, "%s%zu more", between, more);
	if (!f || ferror(f) | fclose(f))
		return NULL;
	return STEAL_PTR(text);
}

char *checking_refusal(const struct rule *rule, struct json_object *results)
{
	CLEAN(free_p) char *words = failures(rule, results, CHECK_REFUSES, "; and by ");
	char *text;

	return words && asprintf(&text, "the check %s", words) >= 0 ? text : NULL;
}

char *checking_escalation(const struct rule *rule, struct json_object *results)
{
	return failures(rule, results, CHECK_ESCALATES, "; ");
}

void checking_refuse(struct client *c, const struct rule *rule, struct json_object *record_of_call)
{
	CLEAN(free_p) char *words = checking_refusal(rule, c->checking.results);

	/* It opens nothing: it stands without its record as well. */
	if (record_of_call) {
		json_add_str(record_of_call, "by", "check");
		json_add_str(record_of_call, "text", words);
		json_add(record_of_call, "checks", json_object_get(c->checking.results));
		record(c->jitd, EV_DENIED, NULL, record_of_call, NULL);
	}
	client_verdict(c, GATE_DENIED, NULL, NULL, false, "refused by %s (rule '%s')", words ? words : "a check", rule->name);
}
