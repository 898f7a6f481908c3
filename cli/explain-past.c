/* jitctl explain ID: how a request of the past came about, and how its call would be judged by the rules in force now. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cli/bus.h"
#include "cli/cli.h"
#include "cli/document-context.h"
#include "cli/document.h"
#include "cli/past.h"
#include "cli/request-view.h"
#include "cli/rules.h"
#include "cli/screen.h"
#include "cli/story.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/ledger.h"

/* What is shown, whoever told it. */
struct explained {
	struct json_object *document; /* of the request */
	char *outcome;                /* what became of it; NULL: unknown */
	struct json_object *now;      /* as policy_explain() says it; NULL: the record does not hold the whole call */
	const char *rules;            /* "same", "changed", or "read again": nobody can tell */
};

static void explained_done(struct explained *e)
{
	json_put_p(&e->document);
	json_put_p(&e->now);
	free(e->outcome);
}

/* ---- from the ledger ---- */

struct search {
	const char *id;
	struct story story;
	struct policy *policy;
	struct explained *result;
	char loaded[SHA256_HEX + 1], then[SHA256_HEX + 1]; /* digests of the configuration: the last read, the one of the request */
};

static void search_done(struct search *s)
{
	story_done(&s->story);
	policy_p(&s->policy);
}

static int on_requested(struct search *s, struct json_object *record)
{
	const char *document = json_str(record, "document");
	struct past k CLEAN(past_done) = {0};
	int r;

	if (!document || json_parse(document, strlen(document), &s->result->document, NULL) < 0)
		return -EBADMSG;
	strcpy(s->then, s->loaded);
	r = past_read(record, &k);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	s->result->now = policy_explain(s->policy, &k.facts);
	return s->result->now ? 0 : -ENOMEM;
}

static int on_record(struct json_object *record, const char *text, size_t len, void *userdata)
{
	static const char *const settled[] = {"denied", "granted", "expired", "revoked", "withdrawn"};
	const char *event = json_str(record, "event"), *id = json_str(record, "id"), *digest = json_str(record, "digest");
	struct search *s = userdata;

	if (!event)
		return 0;
	if (strcmp(event, "config") == 0 && digest && strlen(digest) == SHA256_HEX)
		strcpy(s->loaded, digest);
	if (!id || strcmp(id, s->id) != 0)
		return 0;
	story_learn(&s->story, record);
	if (strcmp(event, "requested") == 0)
		return on_requested(s, record);
	for (size_t i = 0; i < ELEMENTS(settled); i++)
		if (strcmp(event, settled[i]) == 0) {
			free(s->result->outcome);
			s->result->outcome = story_words(&s->story, record);
		}
	return 0;
}

static int from_ledger(struct cli *c, const char *id, struct explained *ret)
{
	struct search s CLEAN(search_done) = {.id = id, .result = ret};
	CLEAN(close_p) int dir = -1;
	struct ledger_head head;
	bool torn = false;
	struct why w;
	int r = audit_open(c, &dir);

	if (r == CLI_DONE)
		r = rules_load(c, &s.policy);
	if (r != CLI_DONE)
		return r;
	if (story_init(&s.story) < 0)
		return cli_oom();
	r = ledger_read(dir, on_record, &s, &head, &torn, &w);
	if (r == -ENOMEM)
		return cli_oom();
	if (r < 0)
		return cli_fail(r == -EBADMSG ? CLI_INTEGRITY : CLI_REFUSED, "cannot read the ledger: %s", w.text);
	if (!ret->document)
		return cli_fail(CLI_NOT_FOUND, "there is no request %s in the ledger", id);
	ret->rules = strcmp(s.then, s.policy->digest) == 0 ? "same" : "changed";
	return CLI_DONE;
}

/* ---- from jitd ---- */

static int from_jitd(const char *id, struct explained *ret)
{
	CLEAN(json_put_p) struct json_object *question = json_object_new_object(), *o = NULL;
	CLEAN(bus_p) sd_bus *bus = NULL;
	struct json_object *request, *document, *now;
	const char *outcome;
	char words[512];
	int r = bus_open(&bus);

	if (r != CLI_DONE)
		return r;
	if (!question || json_add_str(question, "id", id) < 0)
		return cli_oom();
	r = bus_call_json(bus, "Explain", &o, false, "s", json_text(question));
	if (r != CLI_DONE)
		return r;
	request = json_obj(o, "request");
	document = request ? json_obj(request, "document") : NULL;
	now = json_obj(o, "now");
	if (!document || !now)
		return cli_fail(CLI_REFUSED, "jitd's answer cannot be read");
	ret->document = json_object_get(document);
	ret->now = json_object_get(now);
	outcome = json_str(request, "outcome");
	ret->outcome = screen_safe(outcome ? outcome : request_now(request, words, sizeof(words)));
	ret->rules = json_true(o, "reloaded") ? "read again" : "same";
	return CLI_DONE;
}

/* ---- showing ---- */

static void print_then(const struct explained *e)
{
	CLEAN(free_p) char *id = document_text(e->document, "id", 16), *who = document_who(e->document),
		*what = document_command(e->document, SHOWN_LINE), *service = document_text(e->document, "service", 64),
		*rule = document_text(e->document, "rule", 64), *need = document_text(e->document, "need", SHOWN_LINE);
	char when[64];

	printf("%s%s%s  %s by %s: %s\n", paint(BOLD), id ? id : "?", paint(PLAIN), who ? who : "?", service ? service : "?",
		what ? what : "?");
	field("asked", PLAIN, when_clock(json_str(e->document, "created"), when, sizeof(when)));
	fieldf("then", PLAIN, "approve by rule %s, needs %s", rule ? rule : "?", need ? need : "?");
	document_view_teams(e->document);
	document_view_checks(e->document);
	field("outcome", PLAIN, e->outcome);
}

static int print_json(const struct explained *e)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();

	if (!o || json_add(o, "document", json_object_get(e->document)) < 0 || json_add_str(o, "outcome", e->outcome) < 0 ||
	    json_add_str(o, "rules", e->rules) < 0 || (e->now && json_add(o, "now", json_object_get(e->now)) < 0))
		return cli_oom();
	screen_json(stdout, o);
	return CLI_DONE;
}

int explain_past(struct cli *c, const char *id)
{
	struct explained e CLEAN(explained_done) = {0};
	int r;

	if (c->value[OPT_DIR] || access(LEDGER_DIR, R_OK) == 0)
		r = from_ledger(c, id, &e);
	else if (c->value[OPT_CONFDIR])
		r = cli_fail(CLI_MISUSED, "--confdir with a request's id reads the ledger, which only root may (or say --dir)");
	else
		r = from_jitd(id, &e);
	if (r != CLI_DONE)
		return r;
	if (c->json)
		return print_json(&e);
	print_then(&e);
	printf("\nBy the rules of now, which %s:\n", strcmp(e.rules, "same") == 0 ? "are the same" :
		strcmp(e.rules, "changed") == 0 ? "are others than then" : "have been read again since");
	if (e.now)
		explain_print(e.now);
	else
		printf("this cannot be told: the record does not hold the whole call\n");
	return CLI_DONE;
}
