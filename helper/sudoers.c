/* What is asked for ahead: sudo would refuse it later whatever people say, if sudoers does not let the user run it.  So
 * sudo is asked before they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "helper/jitd.h"
#include "lib/cleanup.h"
#include "lib/text.h"

#define ASKERS 64

/* How often each has asked in this minute: every question starts a service. */
struct sudoers {
	struct {
		uid_t uid;
		uint64_t until;
		unsigned n;
	} asker[ASKERS];
};

/* On the way to sudo and back; C is NULL when it has gone meanwhile. */
struct sudoers_question {
	struct client *c;
};

void sudoers_cancel(struct client *c)
{
	if (c->question)
		c->question->c = NULL;
	c->question = NULL;
}

static void on_answer(int result, const char *words, void *userdata)
{
	struct sudoers_question *q = userdata;
	struct client *c = q->c;

	free(q);
	if (!c)
		return;
	c->question = NULL;
	if (result == 0) {
		c->sudoers_let = true;
		account_judge(c);
	} else if (result == -EACCES) {
		CLEAN(free_p) char *command = text_argv(c->call->argv, c->call->argc, 200);

		/* Without the arguments: refusals are counted by their words. */
		record_refusal(c->jitd, "bus", NULL, c->call->binary, "sudoers does not let %s run what was asked for ahead",
			c->call->user);
		client_verdict(c, GATE_REFUSED, NULL, NULL, false, "sudoers does not let %s run this as %s, so nobody was asked: %s",
			c->call->user, c->call->target, command ? command : "");
	} else {
		record_refusal(c->jitd, "bus", NULL, words, "sudo cannot be asked what %s may run", c->call->user);
		client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false, "sudo cannot be asked whether %s may run this (%s), so nobody "
			"was asked", c->call->user, words);
	}
}

/* The slot of UID, or the one that has been quiet longest. */
static unsigned *asked_by(struct sudoers *s, uid_t uid, uint64_t now)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < ASKERS; i++) {
		if (s->asker[i].uid == uid && s->asker[i].until > now)
			return &s->asker[i].n;
		if (s->asker[i].until < s->asker[oldest].until)
			oldest = i;
	}
	s->asker[oldest].uid = uid;
	s->asker[oldest].until = now + USEC_PER_MIN;
	s->asker[oldest].n = 0;
	return &s->asker[oldest].n;
}

static bool too_often(struct client *c)
{
	struct jitd *j = c->jitd;
	unsigned *n;

	if (!j->sudoers)
		j->sudoers = calloc(1, sizeof(*j->sudoers));
	n = j->sudoers ? asked_by(j->sudoers, c->call->uid, clock_boot()) : NULL;
	if (n && *n < j->policy->max_per_minute) {
		++*n;
		return false;
	}
	record_refusal(j, "bus", NULL, NULL, "%s asked ahead more than %u times in a minute", c->call->user,
		j->policy->max_per_minute);
	client_verdict(c, GATE_BUSY, NULL, NULL, false, "%s has asked ahead %u times within a minute, which is as many as may be; "
		"wait a little", c->call->user, j->policy->max_per_minute);
	return true;
}

bool sudoers_settled(struct client *c)
{
	struct sudoers_question *q;
	char *first, **argv = c->call->argv;

	if (!c->bus || c->sudoers_let)
		return true;
	if (c->question || too_often(c))
		return false;
	q = calloc(1, sizeof(*q));
	if (!q) {
		client_verdict(c, GATE_UNREACHABLE, NULL, NULL, false, "out of memory");
		return false;
	}
	q->c = c;
	c->question = q;
	/* As sudo has found it, so that it is found wherever the question is asked from; it is copied in there. */
	first = argv[0];
	argv[0] = c->call->binary;
	units_sudo(c->jitd->units, c->call->user, c->call->target, argv, on_answer, q);
	argv[0] = first;
	return false;
}
