/* Records: to the ledger first, then to the journal; refusals counted; receipts for the approvers. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include "helper/jitd.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"
#include "lib/text.h"

#define REFUSAL_QUIET_USEC USEC_PER_MIN
#define REFUSALS_MAX 256
#define DENIALS_WHOLE 5 /* of one uid by one rule in a minute, with the whole call */
#define DENIALS_MAX 256

/* The ledger is the record, the journal hears of it: of what needs no sync only when the answer has gone out. */
struct journal {
	struct journal *next;
	enum jit_event event;
	jit_id id;
	char *user, *text;
};

static void journal_free(struct journal *m)
{
	free(m->user);
	free(m->text);
	free(m);
}

static void journal_send(const struct journal *m)
{
	const char *user = m->user, *text = m->text;

	sd_journal_send("MESSAGE=%s%s%s%s%s%s%s", event_name(m->event), *m->id ? " " : "", m->id, user ? " for " : "",
		user ? user : "", text ? ": " : "", text ? text : "", "PRIORITY=%i",
		m->event == EV_REFUSED || m->event == EV_REPAIRED ? LOG_WARNING : LOG_NOTICE, "MESSAGE_ID=%s",
		event_message_id(m->event), "JIT_EVENT=%s", event_name(m->event), "JIT_REQUEST_ID=%s", m->id, "JIT_USER=%s",
		user ? user : "", NULL);
}

void record_tell(struct jitd *j)
{
	struct journal *m;

	while ((m = j->untold)) {
		j->untold = m->next;
		journal_send(m);
		journal_free(m);
	}
	j->untold_end = &j->untold;
	sd_event_source_disable_unref(j->teller);
	j->teller = NULL;
}

static int on_untold(sd_event_source *s, void *userdata)
{
	record_tell(userdata);
	return 0;
}

static void to_journal(struct jitd *j, enum jit_event event, const char *id, struct json_object *fields, bool later)
{
	struct journal *m = calloc(1, sizeof(*m));
	const char *user = json_str(fields, "user"), *text = json_str(fields, "text");

	if (!m)
		return;
	m->event = event;
	if (id && strlen(id) < sizeof(m->id))
		strcpy(m->id, id);
	m->user = user ? text_escape(user, strlen(user), 64) : NULL;
	m->text = text ? text_escape(text, strlen(text), 400) : NULL;
	if (!j->untold)
		j->untold_end = &j->untold;
	*j->untold_end = m;
	j->untold_end = &m->next;
	if (!later || (!j->teller && sd_event_add_defer(j->event, &j->teller, on_untold, j) < 0))
		record_tell(j);
}

int record(struct jitd *j, enum jit_event event, const char *id, struct json_object *fields, struct why *w)
{
	static const struct { enum jit_event event; bool sync; } syncs[] = {
#define X(constant, name, message_id, sync) { constant, sync },
		JIT_EVENTS(X)
#undef X
	};
	CLEAN(json_put_p) struct json_object *kept = NULL;
	struct why local;
	int r;

	if (!w)
		w = &local;
	if (!j->ledger) {
		json_object_put(fields);
		return why(w, -EIO, "the ledger is not open: %s", j->no_ledger.text);
	}
	if (!fields || (id && !json_str(fields, "id") && json_add_str(fields, "id", id) < 0)) {
		json_object_put(fields);
		return why(w, -ENOMEM, "out of memory");
	}
	kept = json_object_get(fields); /* the ledger takes its own */
	r = ledger_append(j->ledger, event, fields, syncs[event].sync, w);
	j->not_recorded = (struct why){ "" };
	if (r < 0) {
		j->not_recorded = *w;
		log_error("cannot record %s %s: %s", event_name(event), id ? id : "", w->text);
		return r;
	}
	to_journal(j, event, id, kept, !syncs[event].sync);
	return 0;
}

/* ---- refusals: the first at once, the like of it once a minute with a count ---- */

struct refusal {
	struct refusal *next;
	char *where, *reason, *id, *name;
	uint64_t quiet_until;
	unsigned count;
};

/* Of those that are too many to be told apart. */
static char refusals_where[] = "host", refusals_reason[] = "more kinds than are told apart";

static void refusal_write(struct jitd *j, struct refusal *f)
{
	struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *reason = text_escape(f->reason, strlen(f->reason), 400);

	if (!o)
		return;
	json_add_str(o, "where", f->where);
	json_add_str(o, "text", reason);
	json_add_u64(o, "count", f->count);
	json_add_str(o, "name", f->name);
	record(j, EV_REFUSED, f->id, o, NULL);
	f->count = 0;
	f->quiet_until = clock_boot() + REFUSAL_QUIET_USEC;
}

static void refusal_free(struct refusal *f)
{
	free(f->where);
	free(f->reason);
	free(f->id);
	free(f->name);
	free(f);
}

/* ---- denials by rules: the first few of a minute as they are, the others as a number ---- */

struct denials {
	struct denials *next;
	uid_t uid;
	char *user, *rule;
	uint64_t until; /* of its minute */
	unsigned whole, more;
};

static char denials_others[] = "several";

static void denials_free(struct denials *d)
{
	free(d->user);
	free(d->rule);
	free(d);
}

static void denials_write(struct jitd *j, const struct denials *d)
{
	struct json_object *o = d->more ? json_object_new_object() : NULL;

	if (!o)
		return;
	if (d->user)
		json_add_u64(o, "uid", d->uid);
	json_add_str(o, "user", d->user);
	json_add_str(o, "rule", d->rule);
	json_add_u64(o, "count", d->more);
	json_add_str(o, "by", "rule");
	record(j, EV_DENIED, NULL, o, NULL);
}

static void denials_flush(struct jitd *j, uint64_t now)
{
	for (struct denials **p = &j->denials, *d; (d = *p);) {
		if (d->until > now) {
			p = &d->next;
			continue;
		}
		*p = d->next;
		denials_write(j, d);
		denials_free(d);
	}
}

/* NULL: there are too many to be told apart, or no memory is left. */
static struct denials *denials_of(struct jitd *j, uid_t uid, const char *user, const char *rule)
{
	struct denials **p = &j->denials, *d;
	unsigned n = 0;

	for (; (d = *p); p = &d->next, n++)
		if (d->uid == uid && !strcmp(d->rule, rule))
			return d;
	d = n < DENIALS_MAX ? calloc(1, sizeof(*d)) : NULL;
	if (!d)
		return NULL;
	d->uid = uid;
	d->user = strdup(user);
	d->rule = strdup(rule);
	if (!d->rule || !d->user) {
		denials_free(d);
		return NULL;
	}
	d->until = clock_boot() + REFUSAL_QUIET_USEC;
	return *p = d;
}

bool record_denial_whole(struct jitd *j, uid_t uid, const char *user, const char *rule)
{
	struct denials *d;

	denials_flush(j, clock_boot());
	d = denials_of(j, uid, user, rule);
	if (d && d->whole < DENIALS_WHOLE) {
		d->whole++;
		return true;
	}
	if (d)
		d->more++;
	else
		j->denials_others++;
	return false;
}

void record_flush(struct jitd *j, bool all)
{
	struct refusal **p = &j->refusals;
	uint64_t now = clock_boot();

	denials_flush(j, all ? USEC_INFINITY : now);
	denials_write(j, &(struct denials){ .rule = denials_others, .more = j->denials_others });
	j->denials_others = 0;
	if (j->refusals_others)
		refusal_write(j, &(struct refusal){ .where = refusals_where, .reason = refusals_reason, .count = j->refusals_others });
	j->refusals_others = 0;
	while (*p) {
		struct refusal *f = *p;

		if (!all && f->quiet_until > now) {
			p = &f->next;
			continue;
		}
		if (f->count)
			refusal_write(j, f);
		if (all || f->quiet_until <= now) {
			*p = f->next;
			refusal_free(f);
		} else
			p = &f->next;
	}
}

bool record_refusal(struct jitd *j, const char *where, const char *id, const char *name, const char *fmt, ...)
{
	CLEAN(free_p) char *reason = NULL;
	struct refusal *f;
	unsigned n = 0;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&reason, fmt, ap) < 0)
		reason = NULL;
	va_end(ap);
	if (!reason)
		return false;
	for (f = j->refusals; f; f = f->next, n++)
		if (!strcmp(f->where, where) && !strcmp(f->reason, reason) && (!id || !f->id || !strcmp(f->id, id)))
			break;
	/* What is of no request cannot crowd out what is said against one. */
	if (!f && n < (id ? REFUSALS_MAX : REFUSALS_MAX / 2)) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return false;
		f->where = strdup(where);
		f->reason = STEAL_PTR(reason);
		f->id = id ? strdup(id) : NULL;
		f->name = name ? text_escape(name, strlen(name), 80) : NULL;
		f->next = j->refusals;
		j->refusals = f;
	}
	if (!f || !f->where) {
		j->refusals_others += !f;
		return false;
	}
	f->count++;
	if (f->quiet_until > clock_boot())
		return false;
	refusal_write(j, f);
	return true;
}

/* ---- receipts ---- */

struct receipt {
	struct jitd *jitd;
	jit_id id;
	unsigned n;
	char *document;
};

static void receipt_signed(int result, const char *signature, void *userdata)
{
	struct receipt *p = userdata;

	if (result < 0)
		log_warning("receipt of %s cannot be signed: %s", p->id, strerror(-result));
	else {
		result = outbox_receipt(p->id, p->n, p->document, signature);
		if (result < 0)
			log_warning("receipt of %s cannot be written: %s", p->id, strerror(-result));
	}
	free(p->document);
	free(p);
}

static char *receipt_document(struct request *r, const char *event, const char *approver, const char *text)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	const struct ledger_head *head = ledger_head(r->jitd->ledger);
	char when[TIME_RFC3339_LEN + 1];
	int e = 0;

	if (!o)
		return NULL;
	e |= json_add_u64(o, "v", 1);
	e |= json_add_str(o, "host", r->jitd->host);
	e |= json_add_str(o, "request", r->id);
	e |= json_add_u64(o, "seq", head->seq);
	e |= json_add_str(o, "event", event);
	e |= json_add_str(o, "text", text);
	e |= json_add_str(o, "approver", approver);
	e |= json_add_str(o, "head", head->hash);
	e |= json_add_str(o, "time", time_rfc3339(clock_real(), when));
	return e ? NULL : strdup(json_text(o));
}

void receipt(struct request *r, const char *event, const char *approver, const char *fmt, ...)
{
	struct receipt *p = NULL;
	CLEAN(free_p) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text || r->jitd->replaying)
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		return;
	p->jitd = r->jitd;
	strcpy(p->id, r->id);
	/* Numbered by the ledger, so that a restart repeats none. */
	p->n = (unsigned)ledger_head(r->jitd->ledger)->seq * 8 + r->receipts++ % 8;
	p->document = receipt_document(r, event, approver, text);
	if (!p->document || verify_sign(r->jitd->verify, JIT_HOST_KEY, NS_RECEIPT, p->document, strlen(p->document),
			receipt_signed, p) < 0) {
		log_warning("receipt of %s is lost", r->id);
		free(p->document);
		free(p);
	}
}
