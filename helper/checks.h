/* The checks of a rule, looked at for one call: on the host by jit-check, over the network by the courier; at most as many
 * at once as the host can bear, each user in turn, and all of it within a time.  Those with exec: programs, those with URLs and
 * those of built-in checks alone have places of their own.  Nothing here decides: see policy_checked(). */
#pragma once
#include <json-c/json.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include "lib/policy.h"
#include "lib/why.h"

struct checks;
int checks_new(sd_event *event, struct checks **ret);
struct checks *checks_free(struct checks *c); /* nobody is called back */

/* RESULTS is a list with one entry for each check of the rule, in their order, as the request's document has it
 * (lib/envelope.h); the callee's to keep by json_object_get().  NULL: they could not be looked at, and WORDS say why. */
typedef void (*checks_done)(struct json_object *results, const char *words, void *userdata);

struct checks_question {
	const struct rule *rule; /* only read during the call */
	uid_t uid;               /* whose turn it takes */
	uint64_t within;         /* usec */
	const char *host;        /* as the rules call it */
	struct json_object *facts; /* JIT_…: for exec: programs; taken, also on failure */
	bool local;              /* exec: and http: are not run: their entries have no "holds" */
	checks_done done;        /* later, once */
	void *userdata;
};
/* A ticket > 0 to cancel with (then nobody is called back), or -EAGAIN: too many are waiting already; -ENOMEM. */
int checks_start(struct checks *c, const struct checks_question *q);
void checks_cancel(struct checks *c, int ticket);
/* The courier's word on a question, a document of type `check`.  -ENOENT: no such question is open (any more); -EINVAL with
 * words. */
int checks_answer(struct checks *c, const char *document, struct why *w);

/* What RESULTS say of each of RULE's checks.  False: they are not of these checks. */
bool checks_holds(const struct rule *r, struct json_object *results, bool holds[static RULE_CHECKS_MAX]);
