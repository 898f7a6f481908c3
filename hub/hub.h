/* jit-hub: shows requests to approvers and carries their signed answers to hosts.  It is trusted with delivery and display
 * only: hosts verify every signature themselves. */
#pragma once
#include <systemd/sd-event.h>
#include "hub/conf.h"
#include "hub/store.h"

#define HUB_STATEDIR "/var/lib/jit-hub"
#define HUB_DB "hub.db"
#define HUB_KEEP_USEC (30 * USEC_PER_DAY)       /* requests are kept that long */
#define HUB_ANSWER_GRACE_USEC USEC_PER_HOUR     /* pending that long after answer-by, should the host stay silent */
#define HUB_TOKEN_USEC USEC_PER_HOUR            /* an enrollment token's life */

struct server;
struct login;
struct limits;

struct hub {
	sd_event *event;
	struct hub_conf conf;
	struct store *store;
	struct server *server;
	struct login *login;
	struct limits *limits;
};

/* `jit-hub host add|list|remove`: an exit code. */
int host_command(const char *statedir, int argc, char **argv);
