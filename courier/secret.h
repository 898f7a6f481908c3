/* The host's secret at the hub: one line of a file, for the courier alone. */
#pragma once
#include "courier/conf.h"

#define SECRET_FILE "secret"

/* SecretFile=, else "secret" in STATEDIR.  A malloc'ed copy, or -errno with words. */
int secret_read(const struct courier_conf *conf, const char *statedir, char **ret, struct why *w);
/* Replaces it; owned by the courier's user when root writes and there is one.  The directory is made when missing. */
int secret_write(const struct courier_conf *conf, const char *statedir, const char *secret, struct why *w);
