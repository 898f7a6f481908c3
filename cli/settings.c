/* The approver's settings, jitctl.conf(5): /etc/jit/jitctl.conf, then the user's own, which wins key by key. */
#include "config.h"
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>
#include "cli/approver.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/text.h"

struct reading {
	struct settings *s;
	bool failed; /* out of memory */
};

/* "~/" in front of a file name is the home directory. */
static char *home_path(const char *value)
{
	const char *home = getenv("HOME");
	char *path;

	if (strncmp(value, "~/", 2) != 0)
		return strdup(value);
	if (!home || *home != '/') {
		const struct passwd *pw = getpwuid(getuid());

		home = pw ? pw->pw_dir : "/";
	}
	return asprintf(&path, "%s/%s", home, value + 2) < 0 ? NULL : path;
}

static bool loopback(const char *host)
{
	size_t n = strcspn(host, "/");
	const char *colon = memchr(host, ':', n);

	if (*host == '[')
		return strncmp(host, "[::1]", 5) == 0 && (host[5] == ':' || host[5] == '/' || !host[5]);
	n = colon ? (size_t)(colon - host) : n;
	return (n == 9 && strncmp(host, "localhost", 9) == 0) || (n == 9 && strncmp(host, "127.0.0.1", 9) == 0);
}

static const char *bad_url(const char *url)
{
	if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return "must begin with https://";
	if (strchr(url, '@') || strchr(url, '?') || strchr(url, '#') || strpbrk(url, " \t\""))
		return "must be an address without user, query or blanks";
	return NULL;
}

static void set(struct reading *r, char **member, char *value)
{
	free(*member);
	*member = value;
	r->failed = r->failed || !value;
}

static void hub_key(struct reading *r, const struct conf_line *l, struct conf_errors *e)
{
	struct settings *s = r->s;

	if (strcmp(l->key, "URL") == 0) {
		const char *bad = bad_url(l->value);

		if (bad)
			conf_error(e, l->file, l->line, "URL %s", bad);
		set(r, &s->url, strdup(l->value));
		for (size_t n = strlen(l->value); s->url && n > 8 && s->url[n - 1] == '/'; n--)
			s->url[n - 1] = 0;
	} else if (strcmp(l->key, "CA") == 0) {
		set(r, &s->ca, home_path(l->value));
	} else if (strcmp(l->key, "Pin") == 0) {
		if (strncmp(l->value, "sha256//", 8) != 0)
			conf_error(e, l->file, l->line, "Pin must be sha256// and base64");
		set(r, &s->pin, strdup(l->value));
	} else if (strcmp(l->key, "Insecure") == 0) {
		if (strcmp(l->value, "yes") != 0 && strcmp(l->value, "no") != 0)
			conf_error(e, l->file, l->line, "Insecure is yes or no");
		s->insecure = strcmp(l->value, "yes") == 0;
	} else {
		conf_error(e, l->file, l->line, "unknown key '%s' in [Hub]", l->key);
	}
}

static void approver_key(struct reading *r, const struct conf_line *l, struct conf_errors *e)
{
	struct settings *s = r->s;

	if (strcmp(l->key, "Principal") == 0) {
		if (!principal_valid(l->value))
			conf_error(e, l->file, l->line, "Principal is no name of an approver");
		set(r, &s->principal, strdup(l->value));
	} else if (strcmp(l->key, "Key") == 0) {
		set(r, &s->key, home_path(l->value));
	} else if (strcmp(l->key, "LoginKey") == 0) {
		set(r, &s->login_key, home_path(l->value));
	} else {
		conf_error(e, l->file, l->line, "unknown key '%s' in [Approver]", l->key);
	}
}

static void on_line(const struct conf_line *l, struct conf_errors *e, void *userdata)
{
	struct reading *r = userdata;
	bool hub = strcmp(l->section, "Hub") == 0, approver = strcmp(l->section, "Approver") == 0;

	if (!l->key) {
		if ((!hub && !approver) || l->name)
			conf_error(e, l->file, l->line, "unknown section; there are [Hub] and [Approver]");
		return;
	}
	if (hub)
		hub_key(r, l, e);
	else if (approver)
		approver_key(r, l, e);
}

static char *user_file(const char *name)
{
	const char *dir = getenv("XDG_CONFIG_HOME");
	CLEAN(free_p) char *path = NULL;

	if (asprintf(&path, "%s/jit/%s", dir && *dir == '/' ? dir : "~/.config", name) < 0) {
		path = NULL;
		return NULL;
	}
	return home_path(path);
}

static int complete(const struct settings *s)
{
	const char *missing = !s->url ? "[Hub] URL=" : !s->principal ? "[Approver] Principal=" : !s->key ? "[Approver] Key=" : NULL;

	if (missing)
		return cli_fail(CLI_MISCONFIGURED, "%s is missing in jitctl.conf (%s/jitctl.conf or ~/.config/jit/jitctl.conf)",
			missing, JIT_CONFDIR);
	if (strncmp(s->url, "http://", 7) == 0 && !s->insecure && !loopback(s->url + 7))
		return cli_fail(CLI_MISCONFIGURED, "%s is not encrypted; use https://, or say Insecure=yes in [Hub]", s->url);
	return CLI_DONE;
}

void settings_done(struct settings *s)
{
	char **members[] = {&s->url, &s->ca, &s->pin, &s->principal, &s->key, &s->login_key, &s->hosts};

	for (size_t i = 0; i < ELEMENTS(members); i++) {
		free(*members[i]);
		*members[i] = NULL;
	}
}

int settings_load(const struct cli *c, struct settings *ret)
{
	struct settings s CLEAN(settings_done) = {0};
	struct conf_errors e CLEAN(conf_errors_done) = {0};
	struct reading r = {.s = &s};
	struct conf_reading reading = {.handler = on_line, .userdata = &r, .owner = getuid()};
	CLEAN(free_p) char *own = user_file("jitctl.conf");

	s.hosts = user_file("hosts");
	if (!own || !s.hosts)
		return cli_oom();
	if (c->value[OPT_CONF]) {
		conf_read_file(&reading, c->value[OPT_CONF], true, &e);
	} else {
		conf_read_file(&reading, JIT_CONFDIR "/jitctl.conf", false, &e);
		conf_read_file(&reading, own, false, &e);
	}
	for (size_t i = 0; i < e.n; i++)
		cli_fail(CLI_MISCONFIGURED, "%s", e.list[i]);
	if (r.failed || e.out_of_memory)
		return cli_oom();
	if (e.n > 0 || complete(&s) != CLI_DONE)
		return CLI_MISCONFIGURED;
	*ret = s;
	s = (struct settings){0};
	return CLI_DONE;
}
