/* The request object: its document (what is signed for), its terms, and how it is shown. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "helper/context.h"
#include "helper/jitd.h"
#include "helper/past.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/text.h"

#define NAMES_SHOWN 200  /* bytes of names that a requester reads */
#define REQUESTERS_MAX 8 /* three of the call itself, and those of the grant around it */

const char *state_string(enum state s)
{
	static const char *const names[] = {
		[STATE_PENDING] = "pending", [STATE_GRANTED] = "granted", [STATE_RUNNING] = "running",
		[STATE_ENDED] = "ended", [STATE_DENIED] = "denied", [STATE_EXPIRED] = "expired",
		[STATE_WITHDRAWN] = "withdrawn",
	};

	return names[s];
}

void terms_done(struct terms *t)
{
	free(t->rule);
	t->rule = NULL;
}

void decision_free(struct decision_taken *d)
{
	free(d->person);
	free(d->principal);
	free(d->note);
	free(d->time);
	free(d->key);
	free(d);
}

static void use_free(struct use *u)
{
	sd_event_source_disable_unref(u->watch);
	if (u->pidfd >= 0)
		close_quietly(u->pidfd);
	free(u->tty);
	free(u->session);
	free(u->conn);
	free(u);
}

struct request *request_free(struct request *r)
{
	if (!r)
		return NULL;
	sd_event_source_disable_unref(r->clock);
	while (r->decisions) {
		struct decision_taken *d = r->decisions;

		r->decisions = d->next;
		decision_free(d);
	}
	while (r->uses) {
		struct use *u = r->uses;

		r->uses = u->next;
		use_free(u);
	}
	while (r->tries) {
		struct tries *t = r->tries;

		r->tries = t->next;
		free(t->principal);
		free(t);
	}
	for (char **p = r->requesters; p && *p; p++)
		free(*p);
	free(r->requesters);
	call_free(r->call);
	terms_done(&r->terms);
	json_object_put(r->checks);
	free(r->outcome);
	free(r->document);
	free(r);
	return NULL;
}

void request_forget(struct request *r)
{
	for (struct request **p = &r->jitd->requests; *p; p = &(*p)->next)
		if (*p == r) {
			*p = r->next;
			break;
		}
	request_free(r);
}

struct request *request_find(struct jitd *j, const char *id)
{
	for (struct request *r = j->requests; r; r = r->next)
		if (!strcmp(r->id, id))
			return r;
	return NULL;
}

bool request_live(const struct request *r)
{
	return r->state == STATE_PENDING || r->state == STATE_GRANTED || r->state == STATE_RUNNING;
}

bool request_is_requester(const struct request *r, const char *person)
{
	for (char *const *p = r->requesters; p && *p; p++)
		if (!strcmp(*p, person))
			return true;
	return false;
}

/* ---- who must agree ---- */

static bool in_list(char *const *list, const char *s)
{
	for (; list && *list; list++)
		if (!strcmp(*list, s))
			return true;
	return false;
}

/* Does PERSON stand in any of the teams that NEED names, with a key as strong as is asked of that team? */
static bool could_answer(const struct people *p, const struct need *need, const char *person)
{
	int strength = people_strength(p, person);

	for (size_t a = 0; a < need->n; a++)
		for (size_t t = 0; t < need->alternative[a].n; t++) {
			const struct need_term *term = &need->alternative[a].term[t];

			if (strength >= (int)term->strength && people_member(p, person, term->team))
				return true;
		}
	return false;
}

bool request_satisfiable(const struct policy *p, const struct need *need, char *const *requesters)
{
	for (size_t i = 0; i < need->n; i++)
		if (people_could_meet(&p->people, &need->alternative[i], requesters))
			return true;
	return false;
}

/* Calls F for every team that the need names, each once. */
static int each_team(const struct need *need, int (*f)(const char *team, void *userdata), void *userdata)
{
	const char *seen[NEED_ALTERNATIVES * NEED_TERMS];
	size_t n = 0, i;
	int r;

	for (size_t a = 0; a < need->n; a++)
		for (size_t t = 0; t < need->alternative[a].n; t++) {
			const char *team = need->alternative[a].term[t].team;

			for (i = 0; i < n && strcmp(seen[i], team) != 0; i++)
				;
			if (i < n)
				continue;
			seen[n++] = team;
			r = f(team, userdata);
			if (r < 0)
				return r;
		}
	return 0;
}

struct teams {
	const struct policy *policy;
	struct json_object *object;
	char *const *requesters;
};

/* "sre": ["bob", …]: the principals that may answer, for the hub. */
static int add_team(const char *name, void *userdata)
{
	struct teams *t = userdata;
	const struct team *team = people_team(&t->policy->people, name);
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();

	if (!list)
		return -ENOMEM;
	for (char *const *m = team ? team->members : NULL; m && *m; m++) {
		if (in_list(t->requesters, *m))
			continue;
		for (size_t i = 0; i < t->policy->people.n_persons; i++) {
			const struct person *p = &t->policy->people.person[i];

			if (strcmp(p->name, *m) != 0)
				continue;
			for (char *const *q = p->principals; q && *q; q++)
				if (json_object_array_add(list, json_object_new_string(*q)) < 0)
					return -ENOMEM;
		}
	}
	return json_add(t->object, name, STEAL_PTR(list));
}

char *request_whom(const struct request *r)
{
	const struct people *p = r->jitd->policy ? &r->jitd->policy->people : NULL;
	char need[512], names[NAMES_SHOWN + 128] = "", *text;
	unsigned more = 0;
	size_t n = 0;

	for (size_t i = 0; p && i < p->n_persons; i++) {
		const char *name = p->person[i].name;

		if (request_is_requester(r, name) || !could_answer(p, &r->terms.need, name))
			continue;
		if (n < NAMES_SHOWN)
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", name);
		else
			more++;
	}
	if (more)
		snprintf(names + n, sizeof(names) - n, ", and %u more", more);
	need_format(&r->terms.need, need, sizeof(need));
	return asprintf(&text, *names ? "%s (%s)" : "%s", need, names) < 0 ? NULL : text;
}

char *request_command(const struct request *r, size_t max)
{
	const struct call *c = r->call;

	if (c->argc)
		return text_argv(c->argv, c->argc, max);
	return text_escape(c->service, strlen(c->service), max);
}

const char *request_code_words(const struct request *r, char buf[static CODE_WORDS_MAX])
{
	*buf = '\0';
	if (r->terms.code[0])
		snprintf(buf, CODE_WORDS_MAX, "\n%s: tell whoever approves this code: %s", r->id, r->terms.code);
	return buf;
}

/* ---- the document ---- */

static int add_who(struct json_object *o, const struct request *r)
{
	const struct call *c = r->call;
	int e = 0;

	e |= json_add_str(o, "host", r->jitd->policy->host);
	e |= json_add_str(o, "machine", r->jitd->machine);
	e |= json_add_str(o, "boot", r->jitd->boot);
	e |= json_add_str(o, "user", c->user);
	e |= json_add_u64(o, "uid", c->uid);
	e |= json_add_str(o, "target", c->target ? c->target : "unknown");
	e |= json_add_str(o, "service", c->service);
	e |= json_add_str(o, "tty", c->tty);
	e |= json_add_str(o, "session", c->session);
	return e;
}

static int add_bytes(struct json_object *o, const char *key, const char *s)
{
	return s ? json_add(o, key, json_bytes(s, strlen(s))) : 0;
}

static int add_marks(struct json_object *o, const char *marks)
{
	struct json_object *list = json_object_new_array();
	CLEAN(free_p) char *copy = strdup(marks);
	char *save = NULL;

	if (!list || !copy)
		return -ENOMEM;
	for (char *m = strtok_r(copy, " ", &save); m; m = strtok_r(NULL, " ", &save))
		if (json_object_array_add(list, json_object_new_string(m)) < 0)
			return -ENOMEM;
	return json_add(o, "marks", list);
}

/* Device and inode are nothing to a person: they stay on the host, in the ledger's `requested`. */
static int add_interpreters(struct json_object *o, const struct identity *id)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();
	int e = 0;

	for (unsigned i = 1; list && i < id->n; i++) {
		struct json_object *f = json_object_new_object();

		e |= add_bytes(f, "path", id->file[i].path);
		e |= json_add_str(f, "sha256", id->file[i].sha256[0] ? id->file[i].sha256 : NULL);
		e |= json_object_array_add(list, f);
	}
	return id->n < 2 ? 0 : e | json_add(o, "interpreters", STEAL_PTR(list));
}

static int add_what(struct json_object *o, const struct request *r)
{
	const struct call *c = r->call;
	struct json_object *argv = json_object_new_array();
	int e = 0;

	if (!argv)
		return -ENOMEM;
	for (size_t i = 0; i < c->argc; i++)
		e |= json_object_array_add(argv, json_bytes(c->argv[i], strlen(c->argv[i])));
	e |= json_add(o, "argv", argv);
	e |= add_bytes(o, "remote", c->remote);
	e |= add_bytes(o, "command", c->command);
	e |= add_bytes(o, "binary", c->binary);
	e |= json_add_str(o, "binary_sha256", identity_sha256(&c->file));
	e |= add_interpreters(o, &c->file);
	e |= add_bytes(o, "cwd", c->cwd);
	e |= add_bytes(o, "reason", c->reason);
	return e ? e : add_marks(o, c->marks);
}

/* For people, and bounded: the parts are by jit-context, past.c and the ticket's longest. */
static int add_context(struct json_object *o, const struct request *r, const struct rule *rule, const struct context *gathered)
{
	CLEAN(json_put_p) struct json_object *c = json_object_new_object();
	CLEAN(free_p) char *ticket = past_ticket(r->call->reason, rule->reason_pattern);
	const char *sha256 = identity_sha256(&r->call->file);

	if (!c || json_add_str(c, "ticket", ticket) < 0 || past_add(r, c) < 0 || context_add(gathered, sha256 ? sha256 : "", c) < 0)
		return -ENOMEM;
	return json_add(o, "context", STEAL_PTR(c));
}

#define COVERS_MAX 16
#define COVERS_BYTES 4000

/* A wide scope is about a rule: its commands, so that who agrees reads what they agree to; none: any command. */
static int add_covers(struct json_object *o, const struct rule *rule)
{
	struct json_object *list = json_object_new_array();
	size_t n = 0, bytes = 0, all = 0;
	int e = list ? 0 : -ENOMEM;

	while (rule->command && rule->command[all])
		all++;
	for (; e == 0 && n < all && n < COVERS_MAX; n++) {
		bytes += strlen(rule->command[n]);
		if (bytes > COVERS_BYTES)
			break;
		e = json_object_array_add(list, json_object_new_string(rule->command[n]));
	}
	e |= json_add(o, "covers", list);
	return e || n == all ? e : json_add_u64(o, "covers_more", all - n);
}

static int add_terms(struct json_object *o, struct request *r, const struct rule *rule)
{
	struct teams t = { .policy = r->jitd->policy, .object = json_object_new_object(), .requesters = r->requesters };
	char need[512], when[TIME_RFC3339_LEN + 1];
	int e = 0;

	if (!t.object)
		return -ENOMEM;
	e |= json_add_str(o, "rule", r->terms.rule);
	e |= json_add_str(o, "scope", scope_string(r->terms.scope));
	if (r->terms.scope == SCOPE_SERVICE)
		e |= add_covers(o, rule);
	e |= json_add_u64(o, "for", r->terms.work_usec / USEC_PER_SEC);
	e |= json_add_str(o, "need", need_format(&r->terms.need, need, sizeof(need)));
	if (r->terms.code[0])
		e |= json_add_bool(o, "match", true);
	e |= each_team(&r->terms.need, add_team, &t);
	e |= json_add(o, "teams", t.object);
	e |= json_add(o, "checks", r->checks ? json_object_get(r->checks) : json_object_new_array());
	e |= json_add_str(o, "created", time_rfc3339(r->created_real, when));
	e |= json_add_str(o, "answer_by", time_rfc3339(r->created_real + (r->answer_by - clock_boot()), when));
	return e;
}

static int make_document(struct request *r, const struct rule *rule, const struct context *gathered, struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	uint8_t nonce[16];
	char hex[33];
	int e = 0;

	if (context_writable(gathered) && call_mark(r->call, "writable", false) < 0)
		return why(w, -ENOMEM, "out of memory");
	if (!o || getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return why(w, -EIO, "no random numbers");
	hex_encode(nonce, sizeof(nonce), hex);
	e |= json_add_u64(o, "v", 1);
	e |= json_add_str(o, "id", r->id);
	e |= json_add_str(o, "nonce", hex);
	e |= add_who(o, r);
	e |= add_what(o, r);
	e |= add_terms(o, r, rule);
	e |= add_context(o, r, rule, gathered);
	if (e)
		return why(w, -ENOMEM, "out of memory");
	/* What is only good to know makes no request too long. */
	if (!e && strlen(json_text(o)) > ENVELOPE_MAX / 2)
		json_object_object_del(o, "context");
	r->document = strdup(json_text(o));
	if (!r->document)
		return why(w, -ENOMEM, "out of memory");
	if (strlen(r->document) > ENVELOPE_MAX / 2)
		return why(w, -E2BIG, "the request is, with its command and environment, longer than the %d bytes that can be shown "
			"and signed whole", ENVELOPE_MAX / 2); /* not how long: refusals are counted by their words */
	return sha256_hex(r->document, strlen(r->document), r->digest);
}

/* ---- making ---- */

static int add_requester(struct request *r, const char *user, size_t *n)
{
	const struct person *p = user ? people_by_user(&r->jitd->policy->people, user) : NULL;

	if (!p || in_list(r->requesters, p->name))
		return 0;
	r->requesters[*n] = strdup(p->name);
	if (!r->requesters[*n])
		return -ENOMEM;
	++*n;
	return 0;
}

/* Within a grant the login session is out of sight: those who stand behind the grant stand behind the call as well. */
static int add_grantees(struct request *r, size_t *n)
{
	const struct request *outer = r->call->within ? request_find(r->jitd, r->call->within) : NULL;

	for (char *const *p = outer ? outer->requesters : NULL; p && *p; p++) {
		if (in_list(r->requesters, *p) || *n + 3 >= REQUESTERS_MAX)
			continue;
		r->requesters[*n] = strdup(*p);
		if (!r->requesters[*n])
			return -ENOMEM;
		++*n;
	}
	return 0;
}

static int find_requesters(struct request *r)
{
	size_t n = 0;

	r->requesters = calloc(REQUESTERS_MAX + 1, sizeof(char *));
	if (!r->requesters || add_grantees(r, &n) < 0 || add_requester(r, r->call->user, &n) < 0 ||
	    add_requester(r, r->call->login_user, &n) < 0 ||
	    add_requester(r, r->call->session_user, &n) < 0)
		return -ENOMEM;
	return 0;
}

static int take_terms(struct request *r, const struct rule *rule, const struct asked *a)
{
	r->terms = (struct terms){
		.rule = strdup(rule->name ? rule->name : "Default"),
		.need = *a->need,
		.scope = rule->scope,
		.work_usec = a->work_usec ? a->work_usec : rule->work_usec,
		.at_most_usec = rule->at_most_usec,
		.claim_by_usec = rule->claim_by_usec,
		.at_end = rule->at_end,
		.warn_usec = rule->warn_usec,
		.grace_usec = rule->grace_usec,
		.join_user = rule->join_user,
		.recheck = rule->recheck,
	};
	if (!r->terms.rule)
		return -ENOMEM;
	return rule->match_code ? code_new(r->terms.code) : 0;
}

static void request_free_p(struct request **r)
{
	*r = request_free(*r);
}

int request_new(struct jitd *j, struct call *call, const struct rule *rule, const struct asked *a, struct request **ret,
	struct why *w)
{
	CLEAN(request_free_p) struct request *r = calloc(1, sizeof(*r));
	char need[256];
	int e;

	if (!r)
		return why(w, -ENOMEM, "out of memory");
	r->jitd = j;
	r->created_real = clock_real();
	r->created = clock_boot();
	r->answer_by = r->created + rule->answer_by_usec;
	r->call = call;
	r->checks = json_object_get(a->checks);
	e = id_new(r->id);
	if (e >= 0 && request_find(j, r->id))
		e = -EEXIST;
	if (e >= 0)
		e = take_terms(r, rule, a);
	if (e >= 0)
		e = find_requesters(r);
	if (e < 0) {
		why(w, e, "cannot make a request: %s", strerror(-e));
		goto fail;
	}
	if (r->terms.work_usec > rule->at_most_usec) {
		e = why(w, -EINVAL, "more time is asked than the rule '%s' gives at most", r->terms.rule);
		goto fail;
	}
	if (!r->requesters[0] && !rule->unmapped) {
		e = why(w, -EPERM, "the user %s is no person of this host's people.d, and the rule '%s' does not say Unmapped=yes",
			call->user, r->terms.rule);
		goto fail;
	}
	if (!request_satisfiable(j->policy, a->need, r->requesters)) {
		e = why(w, -EPERM, "nobody could approve this: '%s' cannot be met without you",
			need_format(a->need, need, sizeof(need)));
		goto fail;
	}
	e = make_document(r, rule, a->gathered, w);
	if (e < 0)
		goto fail;
	*ret = STEAL_PTR(r);
	return 0;
fail:
	r->call = NULL; /* the caller's, on failure */
	return e;
}

/* ---- the ledger's form ---- */

struct json_object *request_record(const struct request *r)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	struct json_object *terms = json_object_new_object(), *who = json_object_new_array();
	char need[512];
	int e = 0;

	if (!o || !terms || !who)
		return NULL;
	for (char *const *p = r->requesters; p && *p; p++)
		e |= json_object_array_add(who, json_object_new_string(*p));
	e |= json_add_str(terms, "need", need_format(&r->terms.need, need, sizeof(need)));
	e |= json_add_str(terms, "scope", scope_string(r->terms.scope));
	e |= json_add_u64(terms, "for", r->terms.work_usec);
	e |= json_add_u64(terms, "at_most", r->terms.at_most_usec);
	e |= json_add_u64(terms, "claim_by", r->terms.claim_by_usec);
	e |= json_add_str(terms, "at_end", r->terms.at_end == AT_END_DRAIN ? "drain" : "terminate");
	e |= json_add_u64(terms, "warn", r->terms.warn_usec);
	e |= json_add_u64(terms, "grace", r->terms.grace_usec);
	e |= json_add_bool(terms, "join_user", r->terms.join_user);
	if (r->terms.recheck)
		e |= json_add_bool(terms, "recheck", true);
	e |= json_add_str(terms, "code", r->terms.code[0] ? r->terms.code : NULL);
	e |= json_add_str(o, "id", r->id);
	e |= json_add_str(o, "user", r->call->user);
	e |= json_add_u64(o, "uid", r->call->uid);
	e |= json_add_str(o, "rule", r->terms.rule);
	e |= json_add_str(o, "digest", r->digest);
	e |= json_add_u64(o, "answer_by", r->answer_by);
	e |= json_add(o, "requesters", who);
	e |= json_add(o, "terms", terms);
	e |= json_add(o, "call", call_json(r->call));
	e |= json_add_str(o, "document", r->document);
	return e ? NULL : STEAL_PTR(o);
}

static int restore_terms(struct request *r, struct json_object *record, struct why *w)
{
	struct json_object *t = json_obj(record, "terms");
	const char *need = t ? json_str(t, "need") : NULL, *scope = t ? json_str(t, "scope") : NULL;
	const char *end = t ? json_str(t, "at_end") : NULL, *code = t ? json_str(t, "code") : NULL;

	if (!need || !scope || !end || need_parse(need, &r->terms.need, w) < 0 || scope_parse(scope, &r->terms.scope) < 0 ||
	    json_u64(t, "for", &r->terms.work_usec) < 0 || json_u64(t, "at_most", &r->terms.at_most_usec) < 0 ||
	    json_u64(t, "claim_by", &r->terms.claim_by_usec) < 0 || json_u64(t, "warn", &r->terms.warn_usec) < 0 ||
	    json_u64(t, "grace", &r->terms.grace_usec) < 0)
		return why(w, -EBADMSG, "a `requested` record without whole terms");
	/* Never a request that wanted a code and has forgotten that. */
	if (code ? !code_valid(code) : json_object_object_get_ex(t, "code", NULL))
		return why(w, -EBADMSG, "a `requested` record with a code that is none");
	if (code)
		strcpy(r->terms.code, code);
	r->terms.at_end = !strcmp(end, "drain") ? AT_END_DRAIN : AT_END_TERMINATE;
	r->terms.join_user = json_true(t, "join_user");
	r->terms.recheck = json_true(t, "recheck");
	r->terms.rule = strdup(json_str(record, "rule") ? json_str(record, "rule") : "");
	return r->terms.rule ? 0 : -ENOMEM;
}

int request_restore(struct jitd *j, struct json_object *record, struct request **ret, struct why *w)
{
	CLEAN(request_free_p) struct request *r = calloc(1, sizeof(*r));
	const char *id = json_str(record, "id"), *document = json_str(record, "document"), *time = json_str(record, "time");
	struct json_object *call = json_obj(record, "call"), *who = json_arr(record, "requesters");
	size_t n = who ? json_object_array_length(who) : 0;
	int e;

	if (!r)
		return -ENOMEM;
	r->jitd = j;
	if (!id || !id_valid(id) || !document || !call || !who || n > REQUESTERS_MAX || call_parse(call, &r->call) < 0 ||
	    json_u64(record, "answer_by", &r->answer_by) < 0)
		return why(w, -EBADMSG, "a `requested` record without id, document or call");
	strcpy(r->id, id);
	r->requesters = calloc(n + 1, sizeof(char *));
	r->document = strdup(document);
	if (!r->document || !r->requesters || sha256_hex(document, strlen(document), r->digest) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(who, i));

		r->requesters[i] = name ? strdup(name) : NULL;
		if (!r->requesters[i])
			return -ENOMEM;
	}
	if (time)
		time_rfc3339_parse(time, &r->created_real);
	e = restore_terms(r, record, w);
	if (e < 0)
		return e;
	*ret = STEAL_PTR(r);
	return 0;
}
