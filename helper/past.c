#include "helper/past.h"
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "helper/lives.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/text.h"

#define COMMAND_COLUMNS 80
#define OUTCOME_BYTES 120
#define TICKET_MAX 40

/* ---- the requester's own ---- */

static uint64_t age_of(const struct request *r)
{
	uint64_t now = clock_real();

	return r->created_real < now ? now - r->created_real : 0;
}

/* Whole only where the same people were asked. */
static char *command_of(const struct request *r, const struct request *now)
{
	CLEAN(free_p) char *name = NULL;
	char *text;

	if (r->call->argc <= 1 || !strcmp(r->terms.rule, now->terms.rule))
		return request_command(r, COMMAND_COLUMNS);
	name = text_argv(r->call->argv, 1, COMMAND_COLUMNS - 4);
	return name && asprintf(&text, "%s ...", name) >= 0 ? text : NULL;
}

static char *outcome_of(const struct request *r)
{
	CLEAN(free_p) char *by = NULL;
	const char *rest = r->outcome ? r->outcome : state_string(r->state);
	char *text;

	if (r->state == STATE_PENDING)
		return strdup("pending");
	if (!r->claim_by)
		return strdup(rest);
	if (r->state == STATE_GRANTED)
		rest = "not used yet";
	else if (r->state == STATE_RUNNING)
		rest = "in use";
	else if (r->state == STATE_EXPIRED)
		rest = "never used";
	by = lives_approvers(r);
	return by && asprintf(&text, "approved by %s; %s", by, rest) >= 0 ? text : NULL;
}

static int add_one(struct json_object *list, const struct request *r, const struct request *now)
{
	struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *command = command_of(r, now), *outcome = outcome_of(r);
	char line[OUTCOME_BYTES];
	int e;

	if (!o || json_object_array_add(list, o) < 0 || !command || !outcome)
		return -ENOMEM;
	e = json_add_str(o, "id", r->id);
	e |= json_add_u64(o, "age", age_of(r) / USEC_PER_SEC);
	e |= json_add_str(o, "command", command);
	e |= json_add_str(o, "target", r->call->target ? r->call->target : "unknown");
	e |= json_add_str(o, "outcome", text_line(line, sizeof(line), outcome, strlen(outcome)));
	return e;
}

static int add_last(const struct request *now, struct json_object *o)
{
	struct json_object *list = json_object_new_array();
	unsigned n = 0;
	int e = list ? 0 : -ENOMEM;

	for (const struct request *r = now->jitd->requests; !e && r && n < PAST_LAST; r = r->next)
		if (r != now && r->call->uid == now->call->uid && age_of(r) <= PAST_USEC) {
			e = add_one(list, r, now);
			n++;
		}
	return e | json_add(o, "last", list);
}

/* ---- the same by anybody ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool similar(const struct call *a, const struct call *b)
{
	if (strcmp(a->service, b->service) != 0 || !same_text(a->target, b->target) || !same_text(a->binary, b->binary) ||
	    a->argc != b->argc)
		return false;
	for (size_t i = 0; i < a->argc; i++)
		if (strcmp(a->argv[i], b->argv[i]) != 0)
			return false;
	return true;
}

static int add_verdict(struct json_object *o, const struct decision_taken *d)
{
	struct json_object *last = json_object_new_object();
	uint64_t when, now = clock_real();
	int e;

	if (!last || json_add(o, "last", last) < 0)
		return -ENOMEM;
	e = json_add_str(last, "by", d->person);
	e |= json_add_str(last, "verdict", d->approve ? "approved" : "denied");
	if (d->time && time_rfc3339_parse(d->time, &when) == 0)
		e |= json_add_u64(last, "age", when < now ? (now - when) / USEC_PER_SEC : 0);
	return e;
}

static int add_similar(const struct request *now, struct json_object *o)
{
	uint64_t total = 0, approved = 0, denied = 0, unanswered = 0, pending = 0;
	struct json_object *s = json_object_new_object();
	const struct decision_taken *last = NULL;
	int e;

	for (const struct request *r = now->jitd->requests; r; r = r->next) {
		if (r == now || age_of(r) > PAST_USEC || !similar(r->call, now->call))
			continue;
		total++;
		approved += r->claim_by != 0;
		denied += r->state == STATE_DENIED;
		unanswered += r->state == STATE_EXPIRED && !r->claim_by;
		pending += r->state == STATE_PENDING;
		if (!last)
			last = r->decisions;
	}
	if (!s || json_add(o, "similar", s) < 0)
		return -ENOMEM;
	e = json_add_u64(s, "total", total);
	e |= json_add_u64(s, "approved", approved);
	e |= json_add_u64(s, "denied", denied);
	e |= json_add_u64(s, "unanswered", unanswered);
	e |= json_add_u64(s, "pending", pending);
	return e || !last ? e : add_verdict(s, last);
}

int past_add(const struct request *r, struct json_object *o)
{
	int e = add_last(r, o);

	return e ? e : add_similar(r, o);
}

/* ---- the ticket ---- */

/* One word with a number in it. */
static bool ticket_like(const char *s, size_t n)
{
	bool digit = false;

	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && !strchr("-_#/.:", s[i]))
			return false;
		digit |= isdigit((unsigned char)s[i]) != 0;
	}
	return digit && n <= TICKET_MAX;
}

/* Where PATTERN matches within REASON, if that is a ticket. */
static char *matched(const char *reason, const char *pattern)
{
	regmatch_t m = { .rm_so = -1 };
	regex_t re;
	bool found;

	if (regcomp(&re, pattern, REG_EXTENDED) != 0)
		return NULL;
	found = regexec(&re, reason, 1, &m, 0) == 0 && m.rm_so >= 0;
	regfree(&re);
	if (!found || !ticket_like(reason + m.rm_so, (size_t)(m.rm_eo - m.rm_so)))
		return NULL;
	return strndup(reason + m.rm_so, (size_t)(m.rm_eo - m.rm_so));
}

/* Bytes of a word like INC-1234 at S; 0: there is none. */
static size_t ticket_at(const char *s)
{
	static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", digits[] = "0123456789";
	size_t project = 0, number;

	if (!s[0] || !strchr(capitals, s[0]))
		return 0;
	while (s[project] && (strchr(capitals, s[project]) || strchr(digits, s[project])))
		project++;
	if (project < 2 || s[project] != '-')
		return 0;
	number = strspn(s + project + 1, digits);
	if (number == 0 || isalnum((unsigned char)s[project + 1 + number]))
		return 0;
	return project + 1 + number;
}

char *past_ticket(const char *reason, const char *pattern)
{
	char *ticket = reason && pattern ? matched(reason, pattern) : NULL;

	if (ticket || !reason)
		return ticket;
	for (const char *s = reason; *s; s++) {
		size_t n = s == reason || !isalnum((unsigned char)s[-1]) ? ticket_at(s) : 0;

		if (n > 0 && n <= TICKET_MAX)
			return strndup(s, n);
	}
	return NULL;
}
