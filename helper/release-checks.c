/* Recheck=yes: the host must still be fit for a command when it is about to run, and whoever agreed must be enough for the
 * state that it is in by then. */
#include <stdlib.h>
#include <string.h>
#include "helper/lives.h"
#include "helper/release.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static struct json_object *found(const struct client *c)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "by", "check");
	json_add(o, "checks", json_object_get(c->checking.results));
	return o;
}

/* The approval stays: the flag may be taken away, or the load go down, before its time is up. */
static void refuse(struct request *r, struct client *c, const struct rule *rule, const struct checked *k)
{
	CLEAN(free_p) char *by = lives_approvers(r), *words = NULL;
	char need[512];

	if (k->decision == DECISION_DENY) {
		words = checking_refusal(rule, c->checking.results);
		release_refuse(c, NULL, found(c), "approved by %s, but refused by %s, so nothing is run; %s", by,
			words ? words : "a check", release_try_again(r));
		return;
	}
	words = checking_escalation(rule, c->checking.results);
	release_refuse(c, NULL, found(c), "approved by %s, but by now it takes %s (%s), so nothing is run; the approval stays for "
		"when that is over, and to ask more people now: jitctl cancel %s, and run the command again", by,
		need_format(&k->need, need, sizeof(need)), words ? words : "a check fails", r->id);
}

static void on_looked(struct client *c)
{
	if (release_checks(c->request, c) == RELEASE_PASSED)
		release_go_on(c);
}

enum release_said release_checks(struct request *r, struct client *c)
{
	const struct policy *p = r->jitd->policy;
	const struct rule *rule = p ? policy_find_rule(p, r->terms.rule) : NULL;
	struct checked k;
	struct rule asked;

	if (!rule && r->terms.recheck) {
		release_refuse(c, NULL, NULL, "approved, but the rule '%s' is no more, and with it what was to be looked at again, "
			"so nothing is run", r->terms.rule);
		return RELEASE_REFUSED;
	}
	if (!rule || !(rule->recheck || r->terms.recheck))
		return RELEASE_PASSED;
	/* What was asked for stands, whatever the rule's Need= is by now; the checks are those of now. */
	asked = *rule;
	asked.decision = DECISION_APPROVE;
	asked.need = r->terms.need;
	if (checking_wait(c, &asked, c->call ? c->call : r->call, "execute", on_looked, &k))
		return RELEASE_WAITS; /* or it has its verdict */
	if (k.decision == DECISION_APPROVE && lives_votes_meet(r, &k.need))
		return RELEASE_PASSED;
	refuse(r, c, rule, &k);
	return RELEASE_REFUSED;
}
