/* jitctl rules replay: what is in the ledger, judged by other rules. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cli/past.h"
#include "cli/rules.h"
#include "cli/screen.h"
#include "cli/story.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/ledger.h"
#include "lib/policy-case.h"
#include "lib/text.h"

#define COMMAND_SHOWN 200

struct replay {
	struct cli *c;
	struct filter filter;
	struct story story;
	struct policy *policy;
	unsigned judged, opened, closed, otherwise;
	uint64_t skipped;
};

static void replay_done(struct replay *p)
{
	story_done(&p->story);
	policy_p(&p->policy);
}

/* deny < approve < allow */
static int openness(enum decision d)
{
	return d == DECISION_ALLOW ? 2 : d == DECISION_APPROVE ? 1 : 0;
}

static void outcome_words(char *buf, size_t size, const char *verdict, const char *need)
{
	CLEAN(free_p) char *safe = screen_safe(verdict);

	snprintf(buf, size, "%s%s%s%s", safe ? safe : "?", *need ? " (" : "", need, *need ? ")" : "");
}

static void print_change(struct replay *p, const struct json_object *record, const struct past *k, const char *was,
	const char *becomes)
{
	CLEAN(free_p) char *command = text_argv(k->argv, k->facts.argc, COMMAND_SHOWN);
	CLEAN(free_p) char *user = screen_safe(k->facts.user ? k->facts.user : "?");
	CLEAN(free_p) char *target = screen_safe(k->facts.target ? k->facts.target : "?");
	CLEAN(free_p) char *service = screen_safe(k->facts.service ? k->facts.service : "?");
	CLEAN(json_put_p) struct json_object *o = NULL;
	time_t t = (time_t)(k->facts.real_usec / USEC_PER_SEC);
	char when[32] = "";
	struct tm tm;

	if (p->c->json) {
		o = json_object_new_object();
		json_add_str(o, "time", json_str(record, "time"));
		json_add_str(o, "id", json_str(record, "id"));
		json_add_str(o, "user", k->facts.user);
		json_add_str(o, "target", k->facts.target);
		json_add_str(o, "service", k->facts.service);
		json_add_str(o, "command", command);
		json_add_str(o, "was", was);
		json_add_str(o, "becomes", becomes);
		screen_json(stdout, o);
		return;
	}
	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s  %s as %s by %s%s%s: %s, now %s%s%s\n", when, user, target, service, command && *command ? ": " : "",
		command ? command : "", was, paint(BOLD), becomes, paint(PLAIN));
}

static void compare(struct replay *p, const struct json_object *record, const struct past *k)
{
	char was[NEED_TEXT + 128], becomes[NEED_TEXT + 128], verdict[128], need[NEED_TEXT] = "";
	struct checked checked;
	struct verdict v;
	int before = openness(k->decision), after;

	policy_decide(p->policy, &k->facts, &v);
	if (v.rule && v.decision != DECISION_DENY) {
		past_checked(k, v.rule, &checked);
		v.decision = checked.decision;
		if (v.decision == DECISION_APPROVE)
			need_format(&checked.need, need, sizeof(need));
	}
	p->judged++;
	after = openness(v.decision);
	if (before == after && strcmp(need, k->need) == 0)
		return;
	p->opened += after > before;
	p->closed += after < before;
	p->otherwise += after == before;
	snprintf(verdict, sizeof(verdict), "%s %s", decision_string(k->decision), k->rule ? k->rule : "?");
	outcome_words(was, sizeof(was), verdict, k->need);
	outcome_words(becomes, sizeof(becomes), policy_verdict_words(&v, verdict, sizeof(verdict)), need);
	print_change(p, record, k, was, becomes);
}

static int on_record(struct json_object *record, const char *text, size_t len, void *userdata)
{
	struct past k CLEAN(past_done) = {0};
	struct replay *p = userdata;
	uint64_t more;
	int r;

	if (!past_by_rule(record) || !filter_wants(&p->filter, &p->story, record))
		return 0;
	r = past_read(record, &k);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		compare(p, record, &k);
	else if (json_u64(record, "count", &more) == 0)
		p->skipped += more;
	else
		p->skipped++;
	return 0;
}

static void print_sum(const struct replay *p)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct json_object *sum;
	unsigned changed = p->opened + p->closed + p->otherwise;

	if (p->c->json) {
		o = json_object_new_object();
		sum = json_object_new_object();
		json_add_u64(sum, "judged", p->judged);
		json_add_u64(sum, "changed", changed);
		json_add_u64(sum, "opened", p->opened);
		json_add_u64(sum, "closed", p->closed);
		json_add_u64(sum, "asked_otherwise", p->otherwise);
		json_add_u64(sum, "skipped", p->skipped);
		json_add(o, "sum", sum);
		screen_json(stdout, o);
		return;
	}
	printf("%u calls: %u would come out otherwise (%u with less in the way, %u with more, %u asking others), %u as they did\n",
		p->judged, changed, p->opened, p->closed, p->otherwise, p->judged - changed);
	if (p->skipped)
		printf("%" PRIu64 " more cannot be judged: their records do not hold the whole call\n", p->skipped);
}

int verb_rules_replay(struct cli *c)
{
	struct replay p CLEAN(replay_done) = {.c = c};
	CLEAN(close_p) int dir = -1;
	struct ledger_head head;
	bool torn = false;
	struct why w;
	int r;

	r = filter_read(c, &p.filter);
	if (r == CLI_DONE)
		r = rules_load(c, &p.policy);
	if (r == CLI_DONE)
		r = audit_open(c, &dir);
	if (r != CLI_DONE)
		return r;
	if (story_init(&p.story) < 0)
		return cli_oom();
	r = ledger_read(dir, on_record, &p, &head, &torn, &w);
	if (r == -EBADMSG)
		return cli_fail(CLI_INTEGRITY, "THE LEDGER IS BROKEN, what stands above is only its whole part: %s", w.text);
	if (r < 0)
		return cli_fail(CLI_REFUSED, "cannot read the ledger: %s", r == -ENOMEM ? "out of memory" : w.text);
	print_sum(&p);
	return CLI_DONE;
}
