/* sudo's plugin says what sudo will run, after sudo's account phase may have asked about what its command line looks like.  One
 * sudo is one request: what was let go already is only compared. */
#include <stdlib.h>
#include <string.h>
#include "helper/jitd.h"
#include "lib/cleanup.h"
#include "lib/text.h"

#define ALLOWED_MAX 256
#define ALLOWED_KEEP_USEC (3 * USEC_PER_MIN)

/* ---- what a rule let through: it leaves no use behind ---- */

struct allowed_sudo {
	struct allowed_sudo *next;
	pid_t pid;
	uint64_t start, until;
	char *user, *rule;
};

static bool is_sudo(const char *service)
{
	return !strcmp(service, "sudo") || !strcmp(service, "sudo-i");
}

static void drop(struct allowed_sudo **at)
{
	struct allowed_sudo *a = *at;

	*at = a->next;
	free(a->user);
	free(a->rule);
	free(a);
}

/* The place of this process in the list; it holds NULL when there is none.  Drops what is too old, and the oldest beyond the
 * bound. */
static struct allowed_sudo **find(struct jitd *j, const struct process *p)
{
	struct allowed_sudo **at = &j->allowed_sudo, **found = NULL;
	unsigned n = 0;

	while (*at) {
		if ((*at)->until <= clock_boot() || ++n > ALLOWED_MAX) {
			drop(at);
			continue;
		}
		if ((*at)->pid == p->pid && (*at)->start == p->start)
			found = at;
		at = &(*at)->next;
	}
	return found ? found : at;
}

bool exact_allow(struct client *c, const char *rule)
{
	struct allowed_sudo **at, *a;

	if (c->call->inner)
		return false;
	if (!is_sudo(c->call->service) || c->bus || !c->process.pid)
		return true;
	at = find(c->jitd, &c->process);
	if (*at) {
		bool known = c->call->exact && !strcmp((*at)->user, c->call->target) && !strcmp((*at)->rule, rule);

		if (known)
			return false;
		drop(at);
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		return true; /* the session will not open then */
	a->pid = c->process.pid;
	a->start = c->process.start;
	a->until = clock_boot() + ALLOWED_KEEP_USEC;
	a->user = strdup(c->call->target);
	a->rule = strdup(rule);
	a->next = c->jitd->allowed_sudo;
	c->jitd->allowed_sudo = a;
	if (!a->user || !a->rule)
		drop(&c->jitd->allowed_sudo);
	return true;
}

bool exact_session(struct client *c, const char *service, const char *user)
{
	struct allowed_sudo **at = is_sudo(service) ? find(c->jitd, &c->process) : NULL;
	bool allowed = at && *at && !strcmp((*at)->user, user);

	if (allowed)
		drop(at);
	return allowed;
}

/* The account phase took another account for the target, and the session will be held to that: nobody need be asked. */
bool exact_refused(struct client *c)
{
	struct allowed_sudo *a = c->call->exact && !c->call->inner ? *find(c->jitd, &c->process) : NULL;

	if (!a || (c->call->target && !strcmp(a->user, c->call->target)))
		return false;
	record_refusal(c->jitd, "gate", NULL, NULL, "sudo would run a command as another account than a rule had let it through "
		"for");
	client_verdict(c, GATE_REFUSED, NULL, NULL, false, "a rule let this through for %s, as which sudo's command line reads, "
		"but sudo would run it as %s; refused", a->user, c->call->target ? c->call->target : "an unknown account");
	return true;
}

/* ---- what people let go ---- */

/* Whatever R's scope, this very command was read by people when they were told of an unknown account. */
static enum scope compared_scope(const struct request *r)
{
	return r->call->target ? r->terms.scope : SCOPE_COMMAND;
}

/* Is what will run what R was approved for?  What nobody could tell then, and said so, is not compared; the words of the
 * command and of sudo's whole command line are.  Its session is out of sight: it stands in the grant's slice already. */
static bool covers(const struct request *r, const struct call *exact)
{
	struct call like = *exact;

	if (!r->call->target)
		like.target = NULL;
	if (!r->call->binary)
		like.binary = NULL;
	return call_same_words(r->call, &like, compared_scope(r), true);
}

static void differs(struct client *c, const struct request *r, const char *rule)
{
	CLEAN(free_p) char *asked = request_command(r, 200), *runs = text_argv(c->call->argv, c->call->argc, 200);

	record_refusal(c->jitd, "gate", r->id, NULL, "sudo would run another command than was approved");
	client_verdict(c, GATE_REFUSED, r, NULL, false, "%s was approved for %s as %s, but what sudo would run is %s as %s "
		"(rule '%s'); refused", r->id, asked ? asked : "another command",
		r->call->target ? r->call->target : "an unknown account", runs ? runs : "another command",
		c->call->target ? c->call->target : "an unknown account", rule);
}

bool exact_settle(struct client *c, const struct rule *rule)
{
	const char *name = rule->name ? rule->name : POLICY_FALLBACK;
	struct use *use = NULL;
	struct request *r = c->call->exact ? lives_of(c, &use) : NULL;

	if (!r && c->call->inner) {
		record_refusal(c->jitd, "gate", NULL, NULL, "a command that sudo intercepted needs approval");
		client_verdict(c, GATE_REFUSED, NULL, NULL, false, "what the command starts here needs approval of its own (rule "
			"'%s'), which cannot be asked for from within; run it by sudo itself", name);
	} else if (!r)
		return false;
	else if (r->ending || clock_boot() >= r->deadline)
		client_verdict(c, GATE_TIMED_OUT, r, NULL, false, "the time of %s is up", r->id);
	else if (c->call->inner)
		client_verdict(c, GATE_ALLOW, r, c->call->target, true, NULL);
	else if (strcmp(r->terms.rule, name) != 0 || !covers(r, c->call))
		differs(c, r, name);
	else {
		c->quiet = !c->waited[0]; /* else jitd went away before it could say so */
		lives_use(r, c); /* which looks at the files once more */
	}
	return true;
}
