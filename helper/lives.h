/* Between lives.c, uses.c and ends.c only. */
#pragma once
#include <stdarg.h>
#include "helper/grantfile.h"
#include "helper/jitd.h"

void lives_outcome(struct request *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lives_settle_waiting(struct request *r, enum gate_result result, const char *text);
void lives_state(struct request *r, enum state s);
/* An approver's narrower terms. WORK_USEC 0, SCOPE -1: as asked. */
void lives_narrow(struct request *r, uint64_t work_usec, int scope);
/* D, recorded already, says no. */
void lives_deny(struct request *r, const struct decision_taken *d);
bool lives_need_met(const struct request *r);
/* … or are those who agreed enough for NEED? */
bool lives_votes_meet(const struct request *r, const struct need *need);
char *lives_approvers(const struct request *r);
/* Asks every process of the grant to end, and kills what is left after the grace. */
void ends_processes(struct request *r);
void lives_expire_unused(struct request *r);
void lives_ignore(int result, const char *words, void *userdata);

/* Names a request across a wait, in which it may go away. */
struct handle {
	struct jitd *jitd;
	jit_id id;
};
struct handle *handle_new(const struct request *r); /* NULL: out of memory */
