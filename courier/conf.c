#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "courier/conf.h"
#include "lib/cleanup.h"

static int take(char **field, const char *value, size_t len, struct why *w)
{
	char *copy = strndup(value, len);

	if (!copy)
		return why(w, -ENOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

static int set_hub(struct courier_conf *c, const char *value, struct why *w)
{
	size_t len = strlen(value);

	while (len && value[len - 1] == '/')
		len--;
	return take(&c->hub, value, len, w);
}

static int set_path(char **field, const char *value, struct why *w)
{
	if (value[0] != '/')
		return why(w, -EINVAL, "needs an absolute path, not '%s'", value);
	return take(field, value, strlen(value), w);
}

static int set_ca(struct courier_conf *c, const char *value, struct why *w)
{
	return set_path(&c->ca, value, w);
}

static int set_secret_file(struct courier_conf *c, const char *value, struct why *w)
{
	return set_path(&c->secret_file, value, w);
}

static int set_pin(struct courier_conf *c, const char *value, struct why *w)
{
	static const char form[] = "sha256//";
	const char *base64 = value + sizeof(form) - 1;

	if (strncmp(value, form, sizeof(form) - 1) || strlen(base64) != 44 || base64[43] != '=')
		return why(w, -EINVAL, "needs sha256// and 44 characters of base64, not '%s'", value);
	return take(&c->pin, value, strlen(value), w);
}

static int set_insecure(struct courier_conf *c, const char *value, struct why *w)
{
	size_t len = strcspn(value, " \t#");
	const char *rest = value + len + strspn(value + len, " \t");
	bool yes = len == 3 && !strncmp(value, "yes", 3), no = len == 2 && !strncmp(value, "no", 2);

	/* A reason may stand behind it: "yes # lab network only". */
	if ((!yes && !no) || (*rest && *rest != '#'))
		return why(w, -EINVAL, "is yes or no, not '%s'", value);
	c->insecure = yes;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct courier_conf *c, const char *value, struct why *w);
} keys[] = {
	{ "Hub", set_hub },
	{ "CA", set_ca },
	{ "Pin", set_pin },
	{ "SecretFile", set_secret_file },
	{ "Insecure", set_insecure },
};

int courier_conf_set(struct courier_conf *c, const char *key, const char *value, struct why *w)
{
	for (size_t i = 0; i < ELEMENTS(keys); i++)
		if (!strcmp(keys[i].key, key))
			return keys[i].set(c, value, w);
	return why(w, -EINVAL, "is unknown");
}

static void on_line(const struct conf_line *l, struct conf_errors *e, void *userdata)
{
	struct why w;

	if (strcmp(l->section, "Courier") || l->name) {
		if (!l->key)
			conf_error(e, l->file, l->line, "unknown section [%s]; there is only [Courier]", l->section);
		return;
	}
	if (l->key && courier_conf_set(userdata, l->key, l->value, &w) < 0)
		conf_error(e, l->file, l->line, "%s= %s", l->key, w.text);
}

void courier_conf_done(struct courier_conf *c)
{
	free(c->hub);
	free(c->ca);
	free(c->pin);
	free(c->secret_file);
	*c = (struct courier_conf){ 0 };
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;

	if (!strcasecmp(host, "localhost") || !strcmp(host, "[::1]"))
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

static void url_free(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void curl_free_p(char **s)
{
	curl_free(*s);
}

int courier_conf_check(const struct courier_conf *c, struct why *w)
{
	CLEAN(url_free) CURLU *u = curl_url();
	CLEAN(curl_free_p) char *scheme = NULL, *host = NULL, *query = NULL, *fragment = NULL, *user = NULL;

	if (!u)
		return why(w, -ENOMEM, "out of memory");
	if (!c->hub || curl_url_set(u, CURLUPART_URL, c->hub, 0) || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0))
		return why(w, -EINVAL, "Hub= needs an address such as https://hub.example:8443, not '%s'", c->hub ? c->hub : "");
	(void)curl_url_get(u, CURLUPART_QUERY, &query, 0);
	(void)curl_url_get(u, CURLUPART_FRAGMENT, &fragment, 0);
	(void)curl_url_get(u, CURLUPART_USER, &user, 0);
	if (query || fragment || user)
		return why(w, -EINVAL, "Hub= holds a name, a '?' or a '#': '%s'", c->hub);
	if (!strcmp(scheme, "https"))
		return 0;
	if (strcmp(scheme, "http"))
		return why(w, -EINVAL, "Hub= must begin with https://, not '%s'", c->hub);
	if (!c->insecure && !is_loopback(host))
		return why(w, -EPERM, "Hub=%s would send everything in the clear: use https://, or say Insecure=yes", c->hub);
	return 0;
}

int courier_conf_load(const char *path, struct courier_conf *ret, struct conf_errors *e)
{
	CLEAN(courier_conf_done) struct courier_conf c = { 0 };
	struct conf_reading reading = { .handler = on_line, .userdata = &c, .owner = geteuid() };
	struct why w;

	conf_read_file(&reading, path, false, e);
	if (!e->n && c.hub && courier_conf_check(&c, &w) < 0)
		conf_error(e, path, 0, "%s", w.text);
	if (e->n || e->out_of_memory)
		return -EINVAL;
	*ret = c;
	c = (struct courier_conf){ 0 };
	return 0;
}
