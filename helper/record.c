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

static void to_journal(enum jit_event event, const char *id, const char *user, const char *text)
{
	sd_journal_send("MESSAGE=%s%s%s%s%s%s%s", event_name(event), id ? " " : "", id ? id : "", user ? " for " : "",
		user ? user : "", text ? ": " : "", text ? text : "", "PRIORITY=%i",
		event == EV_REFUSED || event == EV_REPAIRED ? LOG_WARNING : LOG_NOTICE, "MESSAGE_ID=%s",
		event_message_id(event), "JIT_EVENT=%s", event_name(event), "JIT_REQUEST_ID=%s", id ? id : "", "JIT_USER=%s",
		user ? user : "", NULL);
}

int record(struct jitd *j, enum jit_event event, const char *id, struct json_object *fields, struct why *w)
{
	static const struct { enum jit_event event; bool sync; } syncs[] = {
#define X(constant, name, message_id, sync) { constant, sync },
		JIT_EVENTS(X)
#undef X
	};
	CLEAN(free_p) char *user = NULL, *text = NULL;
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
	if (json_str(fields, "user"))
		user = text_escape(json_str(fields, "user"), strlen(json_str(fields, "user")), 64);
	if (json_str(fields, "text"))
		text = text_escape(json_str(fields, "text"), strlen(json_str(fields, "text")), 400);
	r = ledger_append(j->ledger, event, fields, syncs[event].sync, w);
	if (r < 0) {
		log_error("cannot record %s %s: %s", event_name(event), id ? id : "", w->text);
		return r;
	}
	to_journal(event, id, user, text);
	return 0;
}

/* ---- refusals: the first at once, the like of it once a minute with a count ---- */

struct refusal {
	struct refusal *next;
	char *where, *reason, *id, *name;
	uint64_t quiet_until;
	unsigned count;
};

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

void record_flush(struct jitd *j, bool all)
{
	struct refusal **p = &j->refusals;
	uint64_t now = clock_boot();

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
	if (!f && n < REFUSALS_MAX) {
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
	if (!f || !f->where)
		return false;
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
