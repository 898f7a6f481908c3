/* What is looked at again between "approved" and the record of a use: a row of steps (release.c), one after the other, none of
 * which blocks.  Only when the last one has passed is the use recorded and let go.
 *
 * A step is begun with the client C among the waiting ones of its grant (c->request), in CLIENT_RELEASING.  It says what it came
 * to, or that it waits and calls release_go_on() or release_refuse() later, from the loop.  Everything may have changed
 * by then, and need not be looked at by the step: a grant that ends takes its clients along (their step is cancelled),
 * and release_go_on() looks at the rest anew.  A restart of jitd forgets the steps; the module asks again, and they are
 * begun again.
 *
 * A new step: its function, and a line in the table in release.c. */
#pragma once
#include "helper/jitd.h"

enum release_said {
	RELEASE_REFUSED, /* release_refuse() was called: C is gone */
	RELEASE_WAITS,
	RELEASE_PASSED,
};

struct release_step {
	enum release_said (*begin)(struct request *r, struct client *c);
	void (*cancel)(struct client *c); /* C goes away while the step waits; NULL: C's ticket of the worker is all there is */
};

/* C, whose call R covers, is to be let go. */
void release_begin(struct request *r, struct client *c);
/* The step that C waited for has passed. */
void release_go_on(struct client *c);
/* C goes away, or has its verdict. */
void release_cancel(struct client *c);
/* This use is refused: recorded with FIELDS (taken; may be NULL; what the refusal is about), told to the requester in the words,
 * and to the approvers.  CAUSE, where it is not NULL: the grant is worth nothing any more, and is revoked in jitd's name with these
 * words.  C is freed. */
void release_refuse(struct client *c, const char *cause, struct json_object *fields, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* What follows for the requester of C when one use is refused and nothing is wrong with the grant. */
const char *release_try_again(const struct request *r);
/* release-checks.c: the checks of a rule with Recheck=yes. */
enum release_said release_checks(struct request *r, struct client *c);
