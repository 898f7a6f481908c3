/* The handlers of routes.def. */
#pragma once
#include "hub/call.h"

/* api-host.c */
void on_enroll(struct call *c);
void on_host_request(struct call *c);
void on_host_settle(struct call *c);
void on_host_inbox(struct call *c);
void on_host_receipt(struct call *c);
/* login.c */
void on_challenge(struct call *c);
void on_login(struct call *c);
/* api-approver.c */
void on_requests(struct call *c);
void on_request(struct call *c);
void on_receipts(struct call *c);
void on_hosts(struct call *c);
void on_status(struct call *c);
/* api-answer.c */
void on_decision(struct call *c);
void on_revocation(struct call *c);

/* Seconds of ?wait=, capped.  False: answered with 400. */
bool api_wait(struct call *c, uint64_t *ret);
/* A request of that host changed: those who may see it are called again. */
void api_changed(struct hub *hub, const char *host, const char *id);
