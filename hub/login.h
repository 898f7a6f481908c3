/* Signing in: a challenge that the hub itself can recognise (so that asking for them costs it nothing), signed with a key that
 * Approvers= lists for NS_LOGIN, verified by ssh-keygen and by lib/sshsig. */
#pragma once
#include <stdbool.h>
#include "hub/hub.h"

#define LOGIN_CHALLENGE_SEC 60

struct call;
struct login;
/* A bad or missing approvers file is no error: it is logged, and read again when it changes. */
int login_new(struct hub *hub, struct login **ret);
struct login *login_free(struct login *l);
/* Is KEY (a fingerprint) still listed, and valid now, for PRINCIPAL?  A session lives no longer than that. */
bool login_listed(struct login *l, const char *principal, const char *key);
/* The call is over: a verification for it may still run. */
void login_forget(struct login *l, struct call *c);
