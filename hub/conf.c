/* hub.conf: one table of keys. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hub/conf.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"

static int set_path(char **field, const char *value, struct why *w)
{
	char *copy;

	if (value[0] != '/')
		return why(w, -EINVAL, "needs an absolute path, not '%s'", value);
	copy = strdup(value);
	if (!copy)
		return why(w, -ENOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

static int set_listen(struct hub_conf *c, const char *value, struct why *w)
{
	const char *colon = strrchr(value, ':');
	unsigned long long port;

	if (!colon || colon == value || number_parse(colon + 1, 65535, &port) < 0)
		return why(w, -EINVAL, "needs ADDRESS:PORT, not '%s'", value);
	if (c->n_listen == HUB_LISTEN_MAX)
		return why(w, -E2BIG, "more than %d addresses", HUB_LISTEN_MAX);
	c->listen[c->n_listen] = strdup(value);
	if (!c->listen[c->n_listen])
		return why(w, -ENOMEM, "out of memory");
	c->n_listen++;
	return 0;
}

static int set_certificate(struct hub_conf *c, const char *value, struct why *w)
{
	return set_path(&c->certificate, value, w);
}

static int set_private_key(struct hub_conf *c, const char *value, struct why *w)
{
	return set_path(&c->private_key, value, w);
}

static int set_approvers(struct hub_conf *c, const char *value, struct why *w)
{
	return set_path(&c->approvers, value, w);
}

static int set_insecure(struct hub_conf *c, const char *value, struct why *w)
{
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return why(w, -EINVAL, "is yes or no, not '%s'", value);
	c->insecure = !strcmp(value, "yes");
	return 0;
}

static int set_session_for(struct hub_conf *c, const char *value, struct why *w)
{
	uint64_t usec;
	int r = span_parse(value, &usec, w);

	if (r < 0)
		return r;
	if (usec < USEC_PER_MIN || usec > 30 * USEC_PER_DAY)
		return why(w, -ERANGE, "is 1min to 30d, not '%s'", value);
	c->session_for = usec;
	return 0;
}

static int set_per_address(struct hub_conf *c, const char *value, struct why *w)
{
	unsigned long long n;

	if (number_parse(value, 65535, &n) < 0)
		return why(w, -EINVAL, "is a number of connections, not '%s'", value);
	c->per_address = (unsigned)n;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct hub_conf *c, const char *value, struct why *w);
} keys[] = {
	{ "Listen", set_listen },
	{ "Certificate", set_certificate },
	{ "PrivateKey", set_private_key },
	{ "Insecure", set_insecure },
	{ "Approvers", set_approvers },
	{ "SessionFor", set_session_for },
	{ "ConnectionsPerAddress", set_per_address },
};

static void on_line(const struct conf_line *l, struct conf_errors *e, void *userdata)
{
	struct hub_conf *c = userdata;
	struct why w;

	if (strcmp(l->section, "Hub") || l->name) {
		if (!l->key)
			conf_error(e, l->file, l->line, "unknown section [%s]; there is only [Hub]", l->section);
		return;
	}
	if (!l->key)
		return;
	for (size_t i = 0; i < ELEMENTS(keys); i++)
		if (!strcmp(keys[i].key, l->key)) {
			if (keys[i].set(c, l->value, &w) < 0)
				conf_error(e, l->file, l->line, "%s= %s", l->key, w.text);
			return;
		}
	conf_error(e, l->file, l->line, "unknown key '%s'", l->key);
}

void hub_conf_done(struct hub_conf *c)
{
	for (size_t i = 0; i < c->n_listen; i++)
		free(c->listen[i]);
	free(c->certificate);
	free(c->private_key);
	free(c->approvers);
	*c = (struct hub_conf){ 0 };
}

static void defaults(struct hub_conf *c, struct conf_errors *e)
{
	struct why w;

	c->session_for = 12 * USEC_PER_HOUR;
	c->per_address = 256;
	if (set_approvers(c, SYSCONFDIR "/jit-hub/approvers", &w) < 0)
		e->out_of_memory = true;
}

int hub_conf_load(const char *path, bool required, struct hub_conf *ret, struct conf_errors *e)
{
	CLEAN(hub_conf_done) struct hub_conf c = { 0 };
	struct conf_reading reading = { .handler = on_line, .userdata = &c, .owner = geteuid() };
	struct why w;

	defaults(&c, e);
	conf_read_file(&reading, path, required, e);
	if (!e->n && !c.n_listen && set_listen(&c, "127.0.0.1:8443", &w) < 0)
		e->out_of_memory = true;
	if (!c.certificate != !c.private_key)
		conf_error(e, path, 0, "Certificate= and PrivateKey= need each other");
	if (e->n || e->out_of_memory)
		return -EINVAL;
	*ret = c;
	c = (struct hub_conf){ 0 };
	return 0;
}
