/* hub.conf(5). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/conf.h"

#define HUB_CONF SYSCONFDIR "/jit-hub/hub.conf"
#define HUB_LISTEN_MAX 8

struct hub_conf {
	char *listen[HUB_LISTEN_MAX]; /* "ADDRESS:PORT" */
	size_t n_listen;
	char *certificate, *private_key; /* both or none */
	char *approvers;                 /* allowed_signers of NS_LOGIN */
	bool insecure;                   /* plain HTTP beyond loopback */
	uint64_t session_for;            /* usec */
	unsigned per_address;            /* connections of one address; 0: any number */
};

void hub_conf_done(struct hub_conf *c);
/* Reads PATH over the defaults.  A missing file is fine unless REQUIRED.  On any mistake RET is untouched, E grows and
 * -EINVAL is returned. */
int hub_conf_load(const char *path, bool required, struct hub_conf *ret, struct conf_errors *e);
