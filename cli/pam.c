/* jitctl pam enable, disable: our lines in the files of five services. */
#include "config.h"
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "cli/cli.h"
#include "cli/edit.h"
#include "cli/gated.h"
#include "cli/pamfile.h"
#include "cli/screen.h"
#include "lib/cleanup.h"

struct editing {
	struct edit edit;
	bool plugin;                      /* sudo's plugin asks for sudo: its files have session lines only */
	bool enabled[GATED_SERVICES]; /* in this run; with --dry-run the file does not tell */
};

static bool of_sudo(const char *service)
{
	return strcmp(service, "sudo") == 0 || strcmp(service, "sudo-i") == 0;
}

/* Its place in the table, or -1. */
static int service_no(const char *name)
{
	for (size_t i = 0; i < GATED_SERVICES; i++)
		if (strcmp(gated_services[i], name) == 0)
			return (int)i;
	return -1;
}

static char *source(const char *service, void *userdata)
{
	struct editing *e = userdata;
	struct edit_file f CLEAN(edit_file_done) = {0};

	return edit_load(&e->edit, service, &f, NULL) < 0 ? NULL : STEAL_PTR(f.text);
}

/* Another of the five that SERVICE includes and that has our lines, or that includes SERVICE and has lines of its own. */
static void related(struct editing *e, const char *service, const struct pamfile *f, const char **ret_inside,
	const char **ret_outside)
{
	*ret_inside = *ret_outside = NULL;
	for (size_t i = 0; i < GATED_SERVICES; i++) {
		struct edit_file other CLEAN(edit_file_done) = {0};

		if (strcmp(gated_services[i], service) == 0 || edit_load(&e->edit, gated_services[i], &other, NULL) < 0)
			continue;
		if (pamfile_ours(&other.lines) == 0 && !e->enabled[i])
			continue;
		if (pamfile_includes(f, gated_services[i]))
			*ret_inside = gated_services[i];
		if (pamfile_includes(&other.lines, service))
			*ret_outside = gated_services[i];
	}
}

static int enable_one(struct editing *e, const char *service)
{
	struct edit_file f CLEAN(edit_file_done) = {0};
	bool plugin = e->plugin && of_sudo(service);
	bool interactive = e->edit.c->value[OPT_INTERACTIVE];
	enum pamfile_shape shape = plugin ? PAMFILE_SESSION : interactive ? PAMFILE_INTERACTIVE : PAMFILE_GATE;
	const char *inside, *outside;
	char words[PATH_MAX + 100], path[PATH_MAX];
	struct why w;
	int r;

	edit_path(&e->edit, service, path, sizeof(path));
	r = edit_load(&e->edit, service, &f, &w);
	if (r < 0)
		return cli_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, "%s is left alone: %s", path, w.text);
	related(e, service, &f.lines, &inside, &outside);
	if (inside && pamfile_ours(&f.lines) == 0) {
		snprintf(words, sizeof(words), "gated already, by way of %s, which it includes", inside);
		edit_say(&e->edit, service, "covered", words);
		return CLI_DONE;
	}
	if (outside && pamfile_ours(&f.lines) == 0)
		return cli_fail(CLI_REFUSED, "%s is left alone: %s includes it and has the lines already (jitctl pam disable %s first)",
			path, outside, outside);
	r = pamfile_enable(&f.lines, service, shape, source, e, &w);
	if (r < 0)
		return cli_fail(CLI_REFUSED, "%s is left alone: %s", path, w.text);
	if (r == 0) {
		edit_say(&e->edit, service, "unchanged", plugin ? "gated already, by sudo's plugin" : "gated already");
		return CLI_DONE;
	}
	r = edit_commit(&e->edit, service, &f, true);
	if (r != CLI_DONE)
		return r;
	if (plugin)
		snprintf(words, sizeof(words), "sudo's plugin %s, PAM reports the sessions", e->edit.dry ? "would ask" : "asks");
	else
		snprintf(words, sizeof(words), "gated from now on (the file before: %s" EDIT_BACKUP ")", path);
	if (!plugin && e->edit.dry)
		strcpy(words, "would be gated");
	edit_say(&e->edit, service, "enabled", words);
	e->enabled[service_no(service)] = true;
	return CLI_DONE;
}

/* QUIET: nothing is said of a file that is not there or has no lines. */
static int disable_one(struct editing *e, const char *service, bool quiet)
{
	bool all = e->edit.c->value[OPT_ALL];
	struct edit_file f CLEAN(edit_file_done) = {0};
	char path[PATH_MAX];
	struct why w;
	size_t foreign;
	int r;

	edit_path(&e->edit, service, path, sizeof(path));
	r = edit_load(&e->edit, service, &f, &w);
	if (r == -ENOENT && quiet)
		return CLI_DONE;
	if (r < 0)
		return cli_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, "%s is left alone: %s", path, w.text);
	foreign = pamfile_foreign(&f.lines);
	if (foreign)
		cli_warn("%s: line %zu names pam_jit.so and was not added by jitctl; it stays", path, foreign);
	if (pamfile_disable(&f.lines) == 0) {
		if (!quiet)
			edit_say(&e->edit, service, "unchanged", "has no lines of jitctl");
		return foreign && all ? CLI_REFUSED : CLI_DONE;
	}
	r = edit_commit(&e->edit, service, &f, false);
	if (r != CLI_DONE)
		return r;
	edit_say(&e->edit, service, "disabled", e->edit.dry ? "would no longer be gated" : "no longer gated");
	if (e->plugin && of_sudo(service) && !quiet)
		cli_warn("sudo's plugin still asks (jitctl sudo disable); without the session line, what sudo -i starts is not "
			"put where its time ends it");
	return foreign && all ? CLI_REFUSED : CLI_DONE;
}

/* A service that names a module which is not there refuses everybody, root too. */
static int check_module(const struct editing *e)
{
	static const char *const places[] = {"/lib/security", "/lib/*/security", "/usr/lib/security", "/usr/lib/*/security",
		"/lib64/security", "/usr/lib64/security"};
	bool found = false;

	for (size_t i = 0; i < ELEMENTS(places) && !found; i++) {
		char pattern[PATH_MAX];
		glob_t g;

		snprintf(pattern, sizeof(pattern), "%s%s/pam_jit.so", e->edit.root, places[i]);
		found = glob(pattern, GLOB_NOSORT, NULL, &g) == 0;
		globfree(&g);
	}
	return found ? CLI_DONE
		     : cli_fail(CLI_MISCONFIGURED, "pam_jit.so is not installed (no %s/lib/*/security/pam_jit.so); nothing is changed",
			       e->edit.root);
}

/* What an operator should know before closing the root shell. */
static void remind(const struct editing *e)
{
	if (!e->edit.c->json && !e->edit.dry)
		printf("Keep this root shell open, and try it from another terminal before you close it.\n"
		       "Undo: jitctl pam disable --all\n");
}

/* Without this in sshd's own configuration nobody is ever asked at the client. */
static void remind_sshd(const struct editing *e)
{
	if (!e->edit.c->json)
		printf("sshd asks at the client's terminal only where sshd_config says so:\n"
		       "    KbdInteractiveAuthentication yes\n"
		       "    LoginGraceTime 180    # more than Hold= of jitd.conf: at its end sshd closes without a word\n"
		       "    Match User *,!root\n"
		       "        AuthenticationMethods publickey,keyboard-interactive\n"
		       "Root and accounts of programs stay with their key alone. More: man pam_jit, ON THE CLIENT'S TERMINAL\n");
}

static bool named(const struct cli *c, const char *service)
{
	for (size_t i = 0; i < c->argc; i++)
		if (strcmp(c->argv[i], service) == 0)
			return true;
	return false;
}

/* sudo -i is sudo to whoever names it, and else an open root shell beside a closed gate. */
static bool implied(const struct cli *c, const char *service)
{
	return strcmp(service, "sudo-i") == 0 && !named(c, service) && named(c, "sudo");
}

static int begin(struct editing *e, struct cli *c)
{
	for (size_t i = 0; i < c->argc; i++)
		if (service_no(c->argv[i]) < 0)
			return cli_usage(c, "'%s' is none of sudo, sudo-i, su, su-l, sshd", c->argv[i]);
	e->plugin = sudo_plugin_named(c);
	return edit_begin(&e->edit, c, "/etc/pam.d");
}

static void editing_done(struct editing *e)
{
	edit_done(&e->edit);
}

int pam_gate_sudo(struct cli *c, bool plugin)
{
	struct editing e CLEAN(editing_done) = {.edit = {.dir = -1}};
	int r, result = CLI_DONE;

	r = edit_begin(&e.edit, c, "/etc/pam.d");
	if (r == CLI_DONE)
		r = check_module(&e);
	if (r != CLI_DONE)
		return r;
	e.plugin = plugin;
	for (size_t i = 0; i < GATED_SERVICES; i++) {
		struct edit_file f CLEAN(edit_file_done) = {0};

		if (!of_sudo(gated_services[i]))
			continue;
		if (!plugin && (edit_load(&e.edit, gated_services[i], &f, NULL) < 0 || pamfile_ours(&f.lines) == 0))
			continue;
		r = enable_one(&e, gated_services[i]);
		result = r != CLI_DONE ? r : result;
	}
	return result;
}

/* In the order of the table: a file that includes another comes after it. */
static int enable_all(struct editing *e, const struct cli *c)
{
	int r, sudo = CLI_DONE, result = CLI_DONE;

	for (size_t i = 0; i < GATED_SERVICES; i++) {
		bool along = implied(c, gated_services[i]);

		/* What is not done for sudo is not done by half. */
		if (!named(c, gated_services[i]) && !(along && sudo == CLI_DONE))
			continue;
		r = enable_one(e, gated_services[i]);
		if (along && r != CLI_DONE)
			cli_warn("sudo -i stays open: it has a service of its own, sudo-i, which is not gated");
		sudo = i == 0 ? r : sudo;
		result = r != CLI_DONE ? r : result;
	}
	return result;
}

int verb_pam_enable(struct cli *c)
{
	struct editing e CLEAN(editing_done) = {.edit = {.dir = -1}};
	const char *list[GATED_SERVICES + 1];
	size_t n = 0;
	int r;

	if (c->argc == 0)
		return cli_usage(c, "which service? sudo, sudo-i, su, su-l or sshd");
	if (c->value[OPT_INTERACTIVE] && !named(c, "sshd"))
		return cli_usage(c, "--interactive is for sshd");
	r = begin(&e, c);
	if (r == CLI_DONE)
		r = check_module(&e);
	if (r != CLI_DONE)
		return r;
	for (size_t i = 0; i < GATED_SERVICES; i++)
		if (named(c, gated_services[i]))
			list[n++] = gated_services[i];
	list[n] = NULL;
	gates_warn(c, list);
	r = enable_all(&e, c);
	if (e.edit.changed || e.edit.dry)
		remind(&e);
	if (e.edit.changed && c->value[OPT_INTERACTIVE])
		remind_sshd(&e);
	return r;
}

int verb_pam_disable(struct cli *c)
{
	struct editing e CLEAN(editing_done) = {.edit = {.dir = -1}};
	bool all = c->value[OPT_ALL];
	int r, result = CLI_DONE;

	if ((c->argc == 0) != all)
		return cli_usage(c, "name services, or say --all");
	r = begin(&e, c);
	if (r != CLI_DONE)
		return r;
	for (size_t i = 0; i < GATED_SERVICES; i++) {
		bool quiet = all || implied(c, gated_services[i]);

		if (!quiet && !named(c, gated_services[i]))
			continue;
		r = disable_one(&e, gated_services[i], quiet);
		result = r != CLI_DONE ? r : result;
	}
	/* All gates: sudo's plugin is one. */
	r = all ? sudo_plugin_drop(c) : CLI_DONE;
	return r != CLI_DONE ? r : result;
}
