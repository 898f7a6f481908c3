/* jitctl sudo enable, disable: our line in sudo.conf, and the PAM files of sudo that go with it. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "cli/edit.h"
#include "cli/gated.h"
#include "lib/cleanup.h"

#define CONF "sudo.conf"
#define MARK "# added by jitctl sudo enable"

/* The file or, where there is none, an empty one. */
static int load(struct edit *e, struct edit_file *ret, struct why *w)
{
	int r = edit_load(e, CONF, ret, w);

	if (r == -ENOENT) {
		ret->text = strdup("");
		ret->st.st_mode = S_IFREG | 0644;
		r = ret->text ? 0 : why(w, -ENOMEM, "out of memory");
	}
	return r;
}

/* Whoever wrote it and with which path: without the plugin such a line keeps sudo from starting at all. */
static bool names_plugin(const char *line)
{
	const char *at = line + strspn(line, " \t");

	if (strncasecmp(at, "Plugin", 6) != 0 || !strchr(" \t", at[6]))
		return false;
	at += 6 + strspn(at + 6, " \t");
	return strncmp(at, "sudo_jit", 8) == 0 && (!at[8] || strchr(" \t#", at[8]));
}

static size_t named(const struct pamfile *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += names_plugin(f->line[i].text);
	return n;
}

static bool all_ours(const struct pamfile *f)
{
	return named(f) == f->n;
}

bool sudo_plugin_named(struct cli *c)
{
	struct edit e CLEAN(edit_done) = {.dir = -1};
	struct edit_file f CLEAN(edit_file_done) = {0};

	return edit_begin(&e, c, "/etc") == CLI_DONE && load(&e, &f, NULL) == 0 && named(&f.lines) > 0;
}

/* Where the plugin is.  With a path that is not there sudo.conf keeps sudo from starting, for root too; a name without a path
 * would be looked for in sudo's own folder, wherever that is. */
static int find_plugin(const struct edit *e, const char **ret)
{
	static const char *const places[] = {SUDO_PLUGINDIR "/sudo_jit.so", "/usr/libexec/sudo/sudo_jit.so"};

	for (size_t i = 0; i < ELEMENTS(places); i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s%s", e->root, places[i]);
		*ret = places[i];
		if (access(path, R_OK) == 0)
			return CLI_DONE;
	}
	return cli_fail(CLI_MISCONFIGURED, "sudo_jit.so is not installed (package pam-jit-sudo; no %s%s); nothing is changed",
		e->root, *ret);
}

static int enable(struct edit *e, struct edit_file *f, const char *plugin)
{
	char words[PATH_MAX + 100], line[PATH_MAX];
	struct why w;
	int r;

	if (named(&f->lines) > 0) {
		edit_say(e, CONF, "unchanged", "names the plugin already");
		return CLI_DONE;
	}
	snprintf(line, sizeof(line), "Plugin sudo_jit %s    " MARK, plugin);
	if (pamfile_insert(&f->lines, f->lines.n, line, &w) < 0)
		return cli_fail(CLI_REFUSED, "%s", w.text);
	r = edit_commit(e, CONF, f, f->len > 0);
	if (r != CLI_DONE)
		return r;
	snprintf(words, sizeof(words), "names the plugin from now on (the file before: %s/etc/" CONF EDIT_BACKUP ")", e->root);
	edit_say(e, CONF, "enabled", e->dry ? "would name the plugin" : f->len ? words : "names the plugin from now on");
	return CLI_DONE;
}

static int disable(struct edit *e, struct edit_file *f)
{
	int r;

	if (named(&f->lines) == 0) {
		edit_say(e, CONF, "unchanged", "does not name the plugin");
		return CLI_DONE;
	}
	for (size_t i = 0; i < f->lines.n; i++)
		if (names_plugin(f->lines.line[i].text))
			f->lines.line[i].op = '-';
	r = edit_commit(e, CONF, f, false);
	/* Debian's sudo ships the file; where enable has made it, nothing of it is left. */
	if (r == CLI_DONE && !e->dry && all_ours(&f->lines))
		unlinkat(e->dir, CONF, 0);
	if (r == CLI_DONE)
		edit_say(e, CONF, "disabled", e->dry ? "would no longer name the plugin" : "no longer names the plugin");
	return r;
}

static int begin(struct edit *e, struct edit_file *f, struct cli *c)
{
	struct why w;
	int r = edit_begin(e, c, "/etc");

	if (r != CLI_DONE)
		return r;
	if (load(e, f, &w) < 0)
		return cli_fail(CLI_REFUSED, "%s/etc/" CONF " is left alone: %s", e->root, w.text);
	return CLI_DONE;
}

/* In this order there is no moment in which nobody asks. */
int verb_sudo_enable(struct cli *c)
{
	struct edit e CLEAN(edit_done) = {.dir = -1};
	struct edit_file f CLEAN(edit_file_done) = {0};
	const char *plugin;
	int r = begin(&e, &f, c);

	if (r == CLI_DONE)
		r = find_plugin(&e, &plugin);
	if (r == CLI_DONE) {
		gates_warn(c, (const char *const[]){"sudo", NULL});
		r = enable(&e, &f, plugin);
	}
	if (r == CLI_DONE)
		r = pam_gate_sudo(c, true);
	if (r == CLI_DONE && !c->json && !e.dry)
		printf("Keep this root shell open, and try sudo from another terminal before you close it.\n"
		       "Undo: jitctl sudo disable\n");
	return r;
}

int sudo_plugin_drop(struct cli *c)
{
	struct edit e CLEAN(edit_done) = {.dir = -1};
	struct edit_file f CLEAN(edit_file_done) = {0};
	int r = begin(&e, &f, c);

	return r == CLI_DONE && named(&f.lines) > 0 ? disable(&e, &f) : r;
}

int verb_sudo_disable(struct cli *c)
{
	struct edit e CLEAN(edit_done) = {.dir = -1};
	struct edit_file f CLEAN(edit_file_done) = {0};
	int r = begin(&e, &f, c);

	if (r == CLI_DONE && named(&f.lines) > 0)
		r = pam_gate_sudo(c, false);
	return r == CLI_DONE ? disable(&e, &f) : r;
}
