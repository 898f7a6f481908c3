/* From a call to its answer.  account_judge() starts at the top each time: it decides from what is known, asks for the
 * one thing that is missing (a name, a digest, a reason) and is called again when that has come.  So nothing that was
 * true before a wait is taken for true after it: rules may have been read anew, a grant may have ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "helper/jitd.h"
#include "helper/release.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

#define IDENTITY_KEEP_USEC (5 * USEC_PER_SEC)
#define IDENTITIES 64
#define REASON_ASKS 3
#define MUTE_HOLD_USEC (100 * USEC_PER_SEC)
#define LOOK_PAUSE_USEC USEC_PER_SEC /* a client without a terminal answers every question at once */

/* ---- names of uids, kept for a moment: a pipeline of sudos asks for the same one again and again ---- */

struct identity_cache {
	struct {
		uid_t uid;
		uint64_t until;
		char *name;
		char **groups;
	} entry[IDENTITIES];
	unsigned next;
};

static char **copy_list(char *const *list)
{
	size_t n = 0;
	char **copy;

	if (!list)
		return NULL;
	while (list[n])
		n++;
	copy = calloc(n + 1, sizeof(char *));
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = strdup(list[i]);
	return copy;
}

static void free_list(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

void identities_free(struct jitd *j)
{
	if (!j->identities)
		return;
	for (unsigned i = 0; i < IDENTITIES; i++) {
		free(j->identities->entry[i].name);
		free_list(j->identities->entry[i].groups);
	}
	free(j->identities);
	j->identities = NULL;
}

static void identity_keep(struct jitd *j, uid_t uid, const struct worker_identity *id)
{
	unsigned i;

	if (!j->identities)
		j->identities = calloc(1, sizeof(*j->identities));
	if (!j->identities)
		return;
	i = j->identities->next++ % IDENTITIES;
	free(j->identities->entry[i].name);
	free_list(j->identities->entry[i].groups);
	j->identities->entry[i].uid = uid;
	j->identities->entry[i].until = clock_boot() + IDENTITY_KEEP_USEC;
	j->identities->entry[i].name = strdup(id->name);
	j->identities->entry[i].groups = copy_list(id->groups);
}

static bool identity_known(struct jitd *j, uid_t uid, char **name, char ***groups)
{
	uint64_t now = clock_boot();

	for (unsigned i = 0; j->identities && i < IDENTITIES; i++) {
		if (j->identities->entry[i].uid != uid || j->identities->entry[i].until <= now ||
		    !j->identities->entry[i].name)
			continue;
		*name = strdup(j->identities->entry[i].name);
		if (groups)
			*groups = copy_list(j->identities->entry[i].groups);
		return *name != NULL;
	}
	return false;
}

/* ---- the steps that wait ---- */

static uid_t wanted_uid(const struct client *c)
{
	if (!c->call->user)
		return c->call->uid;
	if (!c->call->login_user && c->call->loginuid != UID_NONE)
		return c->call->loginuid;
	return c->call->session_uid;
}

static void on_identity(int result, const struct worker_identity *id, void *userdata)
{
	struct client *c = userdata;
	uid_t uid = wanted_uid(c);

	c->ticket = 0;
	if (result < 0 || !id || !id->name || !name_valid(id->name)) {
		record_refusal(c->jitd, "gate", NULL, NULL, "uid %u has no name here (%s)", (unsigned)uid,
			result < 0 ? strerror(-result) : "unfit");
		client_verdict(c, GATE_REFUSED, NULL, NULL, false,
			"the account of uid %u cannot be looked up (%s); nothing can be decided about it", (unsigned)uid,
			result < 0 ? strerror(-result) : "its name is unfit");
		return;
	}
	identity_keep(c->jitd, uid, id);
	account_judge(c);
}

static void on_account(int result, uid_t uid, void *userdata)
{
	struct client *c = userdata;

	c->ticket = 0;
	if (result < 0) {
		client_verdict(c, GATE_REFUSED, NULL, NULL, false, "the account cannot be looked up: %s", strerror(-result));
		return;
	}
	c->call->uid = uid;
	c->account_known = true;
	account_judge(c);
}

/* What could not be read is marked, and asked for all the same: people may agree to it, and are told. */
static void on_file(int result, struct identity *file, void *userdata)
{
	struct client *c = userdata;
	struct call *k = c->call;
	bool whole = result >= 0;

	c->ticket = 0;
	c->file_read = true;
	sd_event_get_iteration(c->jitd->event, &c->file_turn);
	if (result >= 0) {
		k->file = *file;
		*file = (struct identity){ 0 };
	}
	for (unsigned i = 0; i < k->file.n; i++)
		whole = whole && k->file.file[i].sha256[0];
	if (!whole)
		call_mark(k, "no-digest", true);
	if (k->file.n > 1 || k->file.untold)
		call_mark(k, "script", false);
	if (k->file.untold)
		call_mark(k, "interpreter-unknown", true);
	account_judge(c);
}

int account_read_file(struct client *c, const struct call *k, worker_file_done done)
{
	CLEAN(close_p) int root = process_root(&c->process);

	if (root < 0)
		return root;
	return worker_file(c->jitd->worker, k->uid, root, k->binary,
		c->jitd->policy ? (const char *const *)c->jitd->policy->secure_path : NULL, done, c);
}

/* A ticket, or the refusal.  True: wait. */
static bool waits(struct client *c, int ticket)
{
	if (ticket > 0)
		c->ticket = ticket;
	else
		client_verdict(c, GATE_BUSY, NULL, NULL, false, "this host is too busy to look the account up (%s); try again",
			strerror(-ticket));
	return true;
}

/* True: the name of UID has to be waited for. */
static bool wait_name(struct client *c, uid_t uid, char **name, char ***groups)
{
	if (*name || uid == UID_NONE)
		return false;
	if (identity_known(c->jitd, uid, name, groups))
		return false;
	return waits(c, worker_identity(c->jitd->worker, uid, on_identity, c));
}

void account_cancel(struct client *c)
{
	struct request *r = c->request;

	release_cancel(c);
	if (c->ticket > 0 && c->jitd->worker)
		worker_cancel(c->jitd->worker, c->ticket);
	c->ticket = 0;
	c->context = context_free(c->context);
	checking_done(&c->checking, c->jitd->checks);
	sudoers_cancel(c);
	client_unwait(c);
	if (r)
		lives_keep(r);
}

/* ---- what the rule says ---- */

static struct json_object *call_record(const struct client *c, const char *rule, const char *text)
{
	struct json_object *o = json_object_new_object();
	const struct call *k = c->call;
	CLEAN(free_p) char *command = text_argv(k->argv, k->argc, 400);
	int e = 0;

	if (!o)
		return NULL;
	e |= json_add_str(o, "user", k->user);
	e |= json_add_u64(o, "uid", k->uid);
	e |= json_add_str(o, "service", k->service);
	e |= json_add_str(o, "target", k->target ? k->target : "unknown");
	e |= json_add_str(o, "command", command);
	e |= json_add_str(o, "tty", k->tty);
	e |= json_add_str(o, "rule", rule);
	e |= json_add_str(o, "text", text);
	e |= json_add_u64(o, "pid", (uint64_t)k->pid);
	e |= json_add(o, "call", call_judged_json(k));
	if (!e)
		return o;
	json_object_put(o);
	return NULL;
}

static void deny(struct client *c, const struct facts *facts, const struct verdict *v)
{
	struct why unknown;
	const char *rule = v->rule ? v->rule->name : "Default";
	const char *words = v->rule && v->rule->message ? v->rule->message : "";

	if (record_denial_whole(c->jitd, c->call->uid, c->call->user, rule)) {
		struct json_object *o = call_record(c, rule, words);

		if (o)
			json_add_str(o, "by", "rule");
		record(c->jitd, EV_DENIED, NULL, o, NULL);
	}
	if (policy_unknown_words(c->jitd->policy, facts, v, &unknown))
		client_verdict(c, GATE_REFUSED, NULL, NULL, false, "the call %s", unknown.text);
	else if (v->rule)
		client_verdict(c, GATE_DENIED, NULL, NULL, false, "denied by the rule '%s'%s%s", rule, *words ? ": " : "", words);
	else
		client_verdict(c, GATE_DENIED, NULL, NULL, false, "denied: no rule of this host covers it (ask ahead or ask your "
			"administrator; jitctl explain tells more)");
}

static void refuse_checked(struct client *c, const struct rule *rule)
{
	bool whole = record_denial_whole(c->jitd, c->call->uid, c->call->user, rule->name);

	checking_refuse(c, rule, whole ? call_record(c, rule->name, NULL) : NULL);
}

static int record_allowed(struct client *c, const char *rule, struct why *w)
{
	struct json_object *o = call_record(c, rule, NULL);

	if (o && c->checking.results)
		json_add(o, "checks", json_object_get(c->checking.results));
	return record(c->jitd, EV_ALLOWED, NULL, o, w);
}

/* sudo -b opens its session in a child of the process that was let go, which cannot be told from any other process. */
static bool refused_background(struct client *c)
{
	if (!c->call->background)
		return false;
	record_refusal(c->jitd, "gate", NULL, NULL, "sudo -b leaves the process that would be let go");
	client_verdict(c, GATE_REFUSED, NULL, NULL, false, "sudo -b leaves the process that is let go, so nobody was asked; write the "
		"& behind the command instead");
	return true;
}

static void allow(struct client *c, const struct verdict *v)
{
	const char *rule = v->rule ? v->rule->name : "Default";
	bool confirmed = c->call->exact || !strcmp(c->call->service, "sudo-i"); /* is the session, then */
	struct why w;

	if (confirmed && refused_background(c))
		return;

	if (exact_allow(c, rule) && record_allowed(c, rule, &w) < 0) {
		client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false, "the record cannot be written (%s), so nothing is let through",
			w.text);
		return;
	}
	if (!strcmp(c->call->service, "sshd"))
		session_allow(c, c->call->target);
	/* Behind sudo-i's account phase the plugin may still find people to be asked; its session must then be put in place. */
	client_verdict(c, GATE_ALLOW, NULL, c->call->target, !strcmp(c->call->service, "sudo-i"), NULL);
}

/* ---- the reason ---- */

/* True: there is a fitting reason, or none is wanted. */
static bool reason_settled(struct client *c, const struct rule *rule)
{
	struct why w = { "" };

	if (rule->reason == REASON_NONE) {
		(void)call_set_reason(c->call, NULL);
		return true;
	}
	if (policy_reason_ok(rule, c->call->reason, &w))
		return true;
	if (c->call->interactive && !c->bus && c->reasons_asked < REASON_ASKS) {
		CLEAN(free_p) char *prompt = NULL;

		c->reasons_asked++;
		if (asprintf(&prompt, "%s. Reason: ", w.text) >= 0)
			client_ask(c, c->jitd->policy->hold_usec, prompt);
		else
			client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false, "out of memory");
		return false;
	}
	client_verdict(c, GATE_REFUSED, NULL, NULL, false, "%s; %s", w.text, c->bus ? "give one with --reason" :
		!strcmp(c->call->service, "sshd") ? "ask ahead with jitctl request --reason" :
		"set JIT_REASON in the environment, or ask ahead with jitctl request --reason");
	return false;
}

void account_answer(struct client *c, const struct gate_in *in)
{
	const char *text = gate_get(in, "text");

	client_work(c, false);
	if (!text)
		c->call->interactive = c->looks = false;
	if (call_set_reason(c->call, text) < 0) {
		client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false, "out of memory");
		return;
	}
	account_judge(c);
}

/* ---- joining and making requests ---- */

static void hold_over(struct client *c)
{
	struct request *r = c->request;
	bool ssh = !strcmp(r->call->service, "sshd");
	char code[CODE_WORDS_MAX], undelivered[DELIVERY_WORDS_MAX] = "";
	const char *stands = "and waits for an answer";

	if (r->state == STATE_PENDING && delivery_trouble(r, undelivered) != DELIVERY_FINE)
		stands = undelivered;
	if (r->state != STATE_PENDING)
		client_verdict(c, GATE_PENDING, r, NULL, false, "%s: %s; connect again to use it", r->id,
			r->outcome ? r->outcome : state_string(r->state));
	else if (ssh)
		client_verdict(c, GATE_PENDING, r, NULL, false, "%s is requested%s %s; connect again when it is approved%s", r->id,
			*undelivered ? "," : "", stands, request_code_words(r, code));
	else
		client_verdict(c, GATE_PENDING, r, NULL, false, "%s is requested%s %s; run the same command again when it is approved "
			"(jitctl wait %s)%s", r->id, *undelivered ? "," : "", stands, r->id, request_code_words(r, code));
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* sshd ends a login at its LoginGraceTime, by default 120 s and the same as Hold=, without a word.  Whom it cannot ask anything
 * is shown the end of the wait only, so that comes before; whom it can ask sees how it stands all the time. */
uint64_t account_hold_end(const struct client *c, uint64_t now)
{
	uint64_t end = now + (c->jitd->policy ? c->jitd->policy->hold_usec : USEC_PER_MIN);

	return !strcmp(c->request->call->service, "sshd") && !c->looks ? sooner(end, c->began + MUTE_HOLD_USEC) : end;
}

static int on_hold(sd_event_source *s, uint64_t usec, void *userdata);

static void hold_clock(struct client *c, uint64_t at)
{
	sd_event_source_disable_unref(c->timer);
	c->timer = NULL;
	sd_event_add_time(c->jitd->event, &c->timer, CLOCK_BOOTTIME, sooner(at, c->hold_until), 0, on_hold, c);
}

/* What the user sees of a wait by looking: how it stands, then the question to look again. */
static void look(struct client *c)
{
	uint64_t now = clock_boot(), left = c->hold_until > now ? c->hold_until - now : 0;

	hold_clock(c, c->hold_until);
	client_look(c, left, "Press Enter to look again (Ctrl-C leaves it pending): ");
}

static void show_standing(struct client *c)
{
	const struct request *r = c->request;
	uint64_t now = clock_boot(), left = r->answer_by > now ? r->answer_by - now : 0;
	CLEAN(free_p) char *whom = request_whom(r);
	char span[32];

	span_format((left + USEC_PER_SEC - 1) / USEC_PER_SEC * USEC_PER_SEC, span, sizeof(span));
	client_progress(c, r->id, left, "%s: not answered yet; still waiting for %s, for at most %s", r->id, whom ? whom : "", span);
	look(c);
}

static int on_hold(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct client *c = userdata;

	if (!c->request)
		return 0;
	if (clock_boot() >= c->hold_until)
		hold_over(c);
	else if (c->state == CLIENT_WAITING)
		show_standing(c);
	return 0;
}

/* Enter: she is there.  What was granted meanwhile is used now, not when it was granted: nobody may have been there. */
void account_look(struct client *c, const struct gate_in *in)
{
	struct request *r = c->request;

	c->state = CLIENT_WAITING;
	if (!r) {
		client_verdict(c, GATE_REFUSED, NULL, NULL, false, "the request is no more; ask again");
		return;
	}
	if (r->state != STATE_PENDING) {
		client_unwait(c);
		lives_let_in(r, c);
		return;
	}
	if (!gate_get(in, "text")) { /* no questions here: an ordinary wait */
		c->looks = false;
		c->hold_until = sooner(c->hold_until, account_hold_end(c, clock_boot()));
		hold_clock(c, c->hold_until);
		return;
	}
	if (clock_boot() < c->asked_at + LOOK_PAUSE_USEC)
		hold_clock(c, c->asked_at + LOOK_PAUSE_USEC);
	else
		show_standing(c);
}

/* The request that asks for the very same already, or NULL. */
static struct request *pending_same(const struct client *c, const struct rule *rule)
{
	for (struct request *r = c->jitd->requests; r; r = r->next)
		if (r->state == STATE_PENDING && !strcmp(r->terms.rule, rule->name ? rule->name : POLICY_FALLBACK) &&
		    call_same(r->call, c->call, r->terms.scope, r->terms.join_user))
			return r;
	return NULL;
}

static void wait_for(struct client *c, struct request *r, bool joined)
{
	uint64_t now = clock_boot(), hold;
	uint64_t left = r->answer_by > now ? r->answer_by - now : 0;
	CLEAN(free_p) char *whom = request_whom(r), *command = request_command(r, 200);
	bool rides = joined && c->call && !call_same_words(r->call, c->call, SCOPE_COMMAND, true);
	char by[32], code[CODE_WORDS_MAX];

	if (c->bus) {
		client_verdict(c, GATE_PENDING, r, NULL, false, NULL);
		return;
	}
	c->state = CLIENT_WAITING;
	c->request = r;
	c->next_waiting = r->waiting;
	r->waiting = c;
	c->waits_since = now;
	c->delivery = DELIVERY_FINE;
	delivery_watch(c->jitd);
	if (!c->hold_until)
		c->hold_until = account_hold_end(c, now);
	hold = c->hold_until > now ? c->hold_until - now : 0;
	hold_clock(c, c->hold_until);
	/* In one message with the code: without a terminal only the first is shown. */
	client_progress(c, r->id, hold, "%s: %s %s to agree: %s as %s on %s%s%s", r->id, joined ? "still waiting for" : "asking",
		whom ? whom : "", command ? command : "", r->call->target ? r->call->target : "an unknown account", c->jitd->host,
		rides ? "; this command goes with that one, as its scope is the rule" : "", request_code_words(r, code));
	client_progress(c, r->id, hold, "%s: answer by %s. Ctrl-C leaves it pending; to cancel: jitctl cancel %s", r->id,
		time_short(clock_real() + left, by, sizeof(by)), r->id);
	if (c->looks)
		look(c);
}

/* Requests that are made and withdrawn in a loop would fill the ledger. */
static bool too_often(struct client *c)
{
	uint64_t since = clock_boot() - USEC_PER_MIN;
	unsigned n = 0;

	for (const struct request *r = c->jitd->requests; r; r = r->next)
		n += r->call->uid == c->call->uid && !r->stale && r->created > since;
	if (n < c->jitd->policy->max_per_minute)
		return false;
	record_refusal(c->jitd, "gate", NULL, NULL, "more than %u requests of uid %u in a minute", c->jitd->policy->max_per_minute,
		(unsigned)c->call->uid);
	client_verdict(c, GATE_BUSY, NULL, NULL, false, "%s has made %u requests within a minute, which is as many as may be; wait "
		"a little", c->call->user, n);
	return true;
}

static bool quota_left(struct client *c)
{
	unsigned mine = 0, all = 0;

	for (struct request *r = c->jitd->requests; r; r = r->next)
		if (r->state == STATE_PENDING) {
			all++;
			mine += r->call->uid == c->call->uid;
		}
	if (mine < c->jitd->policy->max_pending_user && all < c->jitd->policy->max_pending)
		return true;
	record_refusal(c->jitd, "gate", NULL, NULL, "too many pending requests of uid %u", (unsigned)c->call->uid);
	client_verdict(c, GATE_BUSY, NULL, NULL, false, "%s already has %u requests pending, which is as many as may be; "
		"cancel some (jitctl list, jitctl cancel ID)", mine >= c->jitd->policy->max_pending_user ? c->call->user :
		"this host", mine >= c->jitd->policy->max_pending_user ? mine : all);
	return false;
}

static void on_context(void *userdata)
{
	struct client *c = userdata;

	/* While a reason is asked for, its answer goes on with the call. */
	if (c->state == CLIENT_WORKING && c->ticket == 0)
		account_judge(c);
}

/* Begun early, so that it goes on while a reason is asked for and the checks are looked at. */
static void gather(struct client *c)
{
	CLEAN(close_p) int root = c->context ? -1 : process_root(&c->process);

	if (!c->context)
		c->context = context_begin(c->jitd->contexts, c->call->user, root, c->call->binary && c->call->binary[0] == '/' ?
			c->call->binary : NULL, on_context, c);
}

/* KNOWN: what the rule's checks came to, when they were looked at already. */
static void ask_people(struct client *c, const struct rule *rule, const struct checked *known)
{
	struct request *r = pending_same(c, rule);
	struct checked checked;
	struct asked a;
	struct why w;
	int e;

	if (r) {
		wait_for(c, r, true);
		return;
	}
	if (too_often(c) || !quota_left(c))
		return;
	if (c->call->interactive)
		gather(c);
	if (!reason_settled(c, rule) || !sudoers_settled(c))
		return;
	gather(c);
	/* After all that the host itself has against it: nothing is looked at for a call that is refused anyway. */
	if (!known && checking_wait(c, rule, c->call, "ask", account_judge, &checked))
		return;
	known = known ? known : &checked;
	if (known->decision != DECISION_APPROVE) {
		refuse_checked(c, rule);
		return;
	}
	if (c->context && !context_ready(c->context))
		return;
	a = (struct asked){ .work_usec = c->work_usec, .need = &known->need, .checks = c->checking.results, .gathered = c->context };
	e = request_new(c->jitd, c->call, rule, &a, &r, &w);
	c->context = context_free(c->context);
	if (e < 0) {
		record_refusal(c->jitd, "gate", NULL, NULL, "%s", w.text);
		client_verdict(c, GATE_REFUSED, NULL, NULL, false, "%s", w.text);
		return;
	}
	c->call = NULL; /* the request's now */
	e = lives_begin(r, &w);
	if (e < 0) {
		client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false, "the request cannot be recorded (%s), so it is not made; "
			"the administrator must look at the ledger", w.text);
		return;
	}
	wait_for(c, r, false);
}

/* The same call asks again after jitd was away: what it waited for may have been settled meanwhile, and is not asked
 * anew.  The id is a claim; nothing but a refusal follows from it. */
static bool settled_meanwhile(struct client *c)
{
	const struct request *r = c->waited[0] ? request_find(c->jitd, c->waited) : NULL;

	if (!r || request_live(r) || !call_same(r->call, c->call, SCOPE_SERVICE, r->terms.join_user))
		return false;
	client_verdict(c, r->state == STATE_WITHDRAWN ? GATE_CANCELLED : r->state == STATE_EXPIRED ? GATE_TIMED_OUT : GATE_DENIED,
		r, NULL, false, "%s: %s", r->id, r->outcome ? r->outcome : state_string(r->state));
	return true;
}

/* A rule wants people: a live grant serves, else a pending request is joined, else one is made. */
static void want_people(struct client *c, const struct rule *rule, const struct checked *known)
{
	struct request *r;
	struct why w;

	if (exact_settle(c, rule) || refused_background(c))
		return;
	if (wait_name(c, c->call->loginuid, &c->call->login_user, NULL) ||
	    wait_name(c, c->call->session_uid, &c->call->session_user, NULL))
		return;
	if (settled_meanwhile(c))
		return;
	r = lives_match(c, rule, false);
	if (!r && c->call->binary && c->call->binary[0] == '/' && !c->file_read) {
		waits(c, account_read_file(c, c->call, on_file));
		return;
	}
	if (!r)
		r = lives_match(c, rule, true);
	/* Approved as it was, and nobody was asked about what stands there now: refused with words, not asked anew without any. */
	if (!r && !c->bus && !pending_same(c, rule))
		r = lives_match_changed(c, rule);
	if (ledger_broken(c->jitd->ledger, &w)) {
		client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false,
			"the ledger of this host is broken (%s); nothing is granted until it is mended (jitctl audit verify)", w.text);
		return;
	}
	if (r)
		lives_use(r, c);
	else
		ask_people(c, rule, known);
}

static bool believed_sshd(const struct client *c)
{
	for (char *const *p = c->jitd->policy->sshd_exe; p && *p; p++)
		if (c->process.exe && !strcmp(*p, c->process.exe))
			return true;
	return false;
}

/* For sshd the requester is PAM_USER, believed only from a listed executable.  True: wait, or refused. */
static bool wait_login_account(struct client *c)
{
	bool own_uid = !strcmp(c->call->service, "sudo") || !strcmp(c->call->service, "sudo-i") ||
		!strcmp(c->call->service, "su") || !strcmp(c->call->service, "su-l");

	if (own_uid || c->bus || c->call->user)
		return false;
	if (!believed_sshd(c)) {
		record_refusal(c->jitd, "gate", NULL, NULL, "service %s from an executable that is not listed", c->call->service);
		client_verdict(c, GATE_REFUSED, NULL, NULL, false,
			"%s is not listed in SshdExecutable=, so its word on who logs in does not count",
			c->process.exe ? c->process.exe : "the program");
		return true;
	}
	if (!c->account_known && strcmp(c->call->target, "root") != 0)
		return waits(c, worker_account(c->jitd->worker, c->call->target, on_account, c));
	return false;
}

/* What a rule allows passes when its checks hold; or is asked about. */
static void allow_checked(struct client *c, const struct verdict *v)
{
	struct checked k = { .decision = DECISION_ALLOW };

	if (v->rule && checking_wait(c, v->rule, c->call, "ask", account_judge, &k))
		return;
	if (k.decision == DECISION_ALLOW)
		allow(c, v);
	else if (k.decision == DECISION_APPROVE)
		want_people(c, v->rule, &k);
	else
		refuse_checked(c, v->rule);
}

void account_judge(struct client *c)
{
	struct facts facts;
	struct verdict v;

	if (!c->jitd->policy) {
		client_verdict(c, GATE_MISCONFIGURED, NULL, NULL, false, "no rules are in force on this host: %s. The administrator "
			"should run: jitctl config check", c->jitd->policy_errors.n ? c->jitd->policy_errors.list[0] :
			"nothing is configured");
		return;
	}
	if (!c->jitd->ledger) {
		client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false, "the ledger of this host cannot be opened (%s), so nothing is "
			"let through", c->jitd->no_ledger.text);
		return;
	}
	if (wait_login_account(c) || wait_name(c, c->call->uid, &c->call->user, &c->call->groups))
		return;
	if (exact_refused(c))
		return;
	call_facts(c->call, &facts);
	facts.real_usec = clock_real();
	policy_decide(c->jitd->policy, &facts, &v);
	switch (v.decision) {
	case DECISION_ALLOW:
		allow_checked(c, &v);
		return;
	case DECISION_APPROVE:
		want_people(c, v.rule, NULL);
		return;
	case DECISION_DENY:
		break;
	}
	deny(c, &facts, &v);
}

void account_begin(struct client *c, const struct gate_in *in)
{
	struct why w;
	int r;

	client_work(c, false);
	if (c->busy) {
		client_verdict(c, GATE_BUSY, NULL, NULL, false, "too many calls of yours wait here at once; try again when some are "
			"through");
		return;
	}
	if (gate_get(in, "id") && id_valid(gate_get(in, "id")))
		strcpy(c->waited, gate_get(in, "id"));
	c->looks = gate_get(in, "interactive") && !strcmp(gate_get(in, "interactive"), "try");
	if (gate_get(in, "conn") && !(c->conn = strdup(gate_get(in, "conn")))) {
		client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false, "out of memory");
		return;
	}
	r = call_from_message(in, &c->process, &c->call, &w);
	if (r < 0) {
		record_refusal(c->jitd, "gate", NULL, NULL, "%s", w.text);
		client_verdict(c, GATE_REFUSED, NULL, NULL, false, "%s", w.text);
		return;
	}
	account_judge(c);
}
