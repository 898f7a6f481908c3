/* courier.conf(5). */
#pragma once
#include <stdbool.h>
#include "lib/conf.h"

#define COURIER_CONF JIT_CONFDIR "/courier.conf"

struct courier_conf {
	char *hub; /* without a slash at the end; NULL when not said */
	char *ca;
	char *pin;
	char *secret_file;
	bool insecure;
};
void courier_conf_done(struct courier_conf *c);
/* Reads PATH.  On any mistake RET is untouched, E grows and -EINVAL is returned. A missing file gives an empty RET. */
int courier_conf_load(const char *path, struct courier_conf *ret, struct conf_errors *e);
/* One assignment, as in the file.  -EINVAL with words. */
int courier_conf_set(struct courier_conf *c, const char *key, const char *value, struct why *w);
/* The hub's address is an https one, or plain http to loopback or with Insecure=yes.  -EPERM, -EINVAL with words. */
int courier_conf_check(const struct courier_conf *c, struct why *w);
