/* jitctl pam enable, disable: our lines in the files of five services. */
#include "config.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/bus.h"
#include "cli/cli.h"
#include "cli/pamfile.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"

#define BACKUP ".pam-jit-backup"

static const char *const services[] = {"sudo", "sudo-i", "su", "su-l", "sshd"};

struct editing {
	struct cli *c;
	const char *root; /* "" or --root */
	int dir;          /* ROOT/etc/pam.d */
	bool dry;
	size_t changed;
	bool enabled[ELEMENTS(services)]; /* in this run; with --dry-run the file does not tell */
};

/* Its place in the table, or -1. */
static int service_no(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(services); i++)
		if (strcmp(services[i], name) == 0)
			return (int)i;
	return -1;
}

/* One service's file as it stands. */
struct service_file {
	char *text;
	size_t len;
	struct stat st;
	struct pamfile lines;
};

static void service_file_done(struct service_file *f)
{
	free(f->text);
	pamfile_done(&f->lines);
}

static int load(struct editing *e, const char *service, struct service_file *ret, struct why *w)
{
	CLEAN(close_p) int fd = openat(e->dir, service, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0 || fstat(fd, &ret->st) < 0)
		return why(w, -errno, "%s", errno == ELOOP ? "it is a symbolic link" : strerror(errno));
	if (!S_ISREG(ret->st.st_mode))
		return why(w, -EINVAL, "it is no regular file");
	r = file_read_all(fd, PAMFILE_MAX, &ret->text, &ret->len);
	if (r < 0)
		return why(w, r, "%s", strerror(-r));
	return pamfile_read(ret->text, ret->len, &ret->lines, w);
}

static char *source(const char *service, void *userdata)
{
	struct editing *e = userdata;
	struct service_file f CLEAN(service_file_done) = {0};

	return load(e, service, &f, NULL) < 0 ? NULL : STEAL_PTR(f.text);
}

static void say_result(struct editing *e, const char *service, const char *result, const char *words)
{
	if (e->c->json) {
		CLEAN(json_put_p) struct json_object *o = json_object_new_object();

		json_add_str(o, "service", service);
		json_add_str(o, "result", result);
		json_add_str(o, "words", words);
		json_add_bool(o, "dry_run", e->dry);
		screen_json(stdout, o);
	} else {
		printf("%s: %s\n", service, words);
	}
}

static void path_of(const struct editing *e, const char *service, char *buf, size_t size)
{
	snprintf(buf, size, "%s/etc/pam.d/%s", e->root, service);
}

/* Shows (--dry-run) or writes the edited file.  An exit code. */
static int commit(struct editing *e, const char *service, struct service_file *f, const char *text, size_t len)
{
	char path[PATH_MAX];
	int r;

	path_of(e, service, path, sizeof(path));
	if (e->dry) {
		if (!e->c->json)
			pamfile_diff(stdout, &f->lines, path);
		return CLI_DONE;
	}
	r = file_write_atomic(e->dir, service, text, len, f->st.st_mode & 07777, f->st.st_uid, f->st.st_gid);
	if (r < 0)
		return cli_fail(CLI_REFUSED, "%s cannot be written: %s", path, strerror(-r));
	e->changed++;
	return CLI_DONE;
}

static int backup(struct editing *e, const char *service, const struct service_file *f)
{
	char name[64];
	struct stat st;
	int r;

	snprintf(name, sizeof(name), "%s" BACKUP, service);
	if (e->dry || fstatat(e->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return CLI_DONE;
	r = file_write_atomic(e->dir, name, f->text, f->len, f->st.st_mode & 07777, f->st.st_uid, f->st.st_gid);
	return r < 0 ? cli_fail(CLI_REFUSED, "no backup of %s could be written: %s", service, strerror(-r)) : CLI_DONE;
}

/* Another of the five that SERVICE includes and that has our lines, or that includes SERVICE and has lines of its own. */
static void related(struct editing *e, const char *service, const struct pamfile *f, const char **ret_inside,
	const char **ret_outside)
{
	*ret_inside = *ret_outside = NULL;
	for (size_t i = 0; i < ELEMENTS(services); i++) {
		struct service_file other CLEAN(service_file_done) = {0};

		if (strcmp(services[i], service) == 0 || load(e, services[i], &other, NULL) < 0)
			continue;
		if (pamfile_ours(&other.lines) == 0 && !e->enabled[i])
			continue;
		if (pamfile_includes(f, services[i]))
			*ret_inside = services[i];
		if (pamfile_includes(&other.lines, service))
			*ret_outside = services[i];
	}
}

static int enable_one(struct editing *e, const char *service)
{
	struct service_file f CLEAN(service_file_done) = {0};
	CLEAN(free_p) char *text = NULL;
	const char *inside, *outside;
	char words[300], path[PATH_MAX];
	struct why w;
	size_t len;
	int r;

	path_of(e, service, path, sizeof(path));
	r = load(e, service, &f, &w);
	if (r < 0)
		return cli_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, "%s is left alone: %s", path, w.text);
	related(e, service, &f.lines, &inside, &outside);
	if (inside && pamfile_ours(&f.lines) == 0) {
		snprintf(words, sizeof(words), "gated already, by way of %s, which it includes", inside);
		say_result(e, service, "covered", words);
		return CLI_DONE;
	}
	if (outside && pamfile_ours(&f.lines) == 0)
		return cli_fail(CLI_REFUSED, "%s is left alone: %s includes it and has the lines already (jitctl pam disable %s first)",
			path, outside, outside);
	r = pamfile_enable(&f.lines, service, e->c->value[OPT_INTERACTIVE], source, e, &w);
	if (r < 0)
		return cli_fail(CLI_REFUSED, "%s is left alone: %s", path, w.text);
	if (r == 0) {
		say_result(e, service, "unchanged", "gated already");
		return CLI_DONE;
	}
	text = pamfile_text(&f.lines, &len);
	if (!text)
		return cli_oom();
	r = backup(e, service, &f);
	if (r == CLI_DONE)
		r = commit(e, service, &f, text, len);
	if (r != CLI_DONE)
		return r;
	snprintf(words, sizeof(words), e->dry ? "would be gated" : "gated from now on (the file before: %s" BACKUP ")", path);
	say_result(e, service, "enabled", words);
	e->enabled[service_no(service)] = true;
	return CLI_DONE;
}

/* A backup that says what the file says again is not needed any more. */
static void drop_backup(struct editing *e, const char *service, const char *text, size_t len)
{
	struct service_file old CLEAN(service_file_done) = {0};
	char name[64];

	snprintf(name, sizeof(name), "%s" BACKUP, service);
	if (load(e, name, &old, NULL) == 0 && old.len == len && memcmp(old.text, text, len) == 0)
		unlinkat(e->dir, name, 0);
}

static int disable_one(struct editing *e, const char *service, bool quiet)
{
	struct service_file f CLEAN(service_file_done) = {0};
	CLEAN(free_p) char *text = NULL;
	char path[PATH_MAX];
	size_t len, foreign;
	struct why w;
	int r;

	path_of(e, service, path, sizeof(path));
	r = load(e, service, &f, &w);
	if (r == -ENOENT && quiet)
		return CLI_DONE;
	if (r < 0)
		return cli_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, "%s is left alone: %s", path, w.text);
	foreign = pamfile_foreign(&f.lines);
	if (foreign)
		cli_warn("%s: line %zu names pam_jit.so and was not added by jitctl; it stays", path, foreign);
	if (pamfile_disable(&f.lines) == 0) {
		if (!quiet)
			say_result(e, service, "unchanged", "has no lines of jitctl");
		return foreign && quiet ? CLI_REFUSED : CLI_DONE;
	}
	text = pamfile_text(&f.lines, &len);
	if (!text)
		return cli_oom();
	r = commit(e, service, &f, text, len);
	if (r != CLI_DONE)
		return r;
	if (!e->dry)
		drop_backup(e, service, text, len);
	say_result(e, service, "disabled", e->dry ? "would no longer be gated" : "no longer gated");
	return foreign && quiet ? CLI_REFUSED : CLI_DONE;
}

static int begin(struct editing *e, struct cli *c)
{
	const char *root = c->value[OPT_ROOT];
	char path[PATH_MAX];

	*e = (struct editing){.c = c, .root = root && strcmp(root, "/") != 0 ? root : "", .dir = -1,
		.dry = c->value[OPT_DRY_RUN]};
	for (size_t i = 0; i < c->argc; i++)
		if (service_no(c->argv[i]) < 0)
			return cli_usage(c, "'%s' is none of sudo, sudo-i, su, su-l, sshd", c->argv[i]);
	path_of(e, "", path, sizeof(path));
	e->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dir < 0)
		return cli_fail(CLI_NOT_FOUND, "cannot open %s: %s", path, strerror(errno));
	return CLI_DONE;
}

static void editing_done(struct editing *e)
{
	close_p(&e->dir);
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

		snprintf(pattern, sizeof(pattern), "%s%s/pam_jit.so", e->root, places[i]);
		found = glob(pattern, GLOB_NOSORT, NULL, &g) == 0;
		globfree(&g);
	}
	return found ? CLI_DONE
		     : cli_fail(CLI_MISCONFIGURED, "pam_jit.so is not installed (no %s/lib/*/security/pam_jit.so); nothing is changed",
			       e->root);
}

/* What an operator should know before closing the root shell. */
static void remind(const struct editing *e)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(free_p) char *text = NULL, *words = NULL;
	CLEAN(json_put_p) struct json_object *status = NULL;
	struct json_object *rules = NULL;

	if (!*e->root) {
		if (sd_bus_open_system(&bus) < 0 || bus_try(bus, "Status", &text, &words, NULL) != CLI_DONE ||
			json_parse(text, strlen(text), &status, NULL) < 0)
			cli_warn("jitd cannot be asked: until it runs, sudo and su refuse everybody but root, and sshd root too, where they are gated");
		else
			rules = json_obj(status, "rules");
		if (rules && json_str(rules, "state") && strcmp(json_str(rules, "state"), "in force") != 0)
			cli_warn("jitd has no rules in force: sudo and su refuse everybody but root, and sshd root too, where they are "
				"gated (jitctl config check)");
	}
	if (!e->c->json && !e->dry)
		printf("Keep this root shell open, and try it from another terminal before you close it.\n"
		       "Undo: jitctl pam disable --all\n");
}

/* Without this in sshd's own configuration nobody is ever asked at the client. */
static void remind_sshd(const struct editing *e)
{
	if (!e->c->json)
		printf("sshd asks at the client's terminal only where sshd_config says so:\n"
		       "    KbdInteractiveAuthentication yes\n"
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

int verb_pam_enable(struct cli *c)
{
	struct editing e CLEAN(editing_done) = {.dir = -1};
	int r, result = CLI_DONE;

	if (c->argc == 0)
		return cli_usage(c, "which service? sudo, sudo-i, su, su-l or sshd");
	if (c->value[OPT_INTERACTIVE] && !named(c, "sshd"))
		return cli_usage(c, "--interactive is for sshd");
	r = begin(&e, c);
	if (r == CLI_DONE)
		r = check_module(&e);
	if (r != CLI_DONE)
		return r;
	/* In the order of the table: a file that includes another comes after it. */
	for (size_t i = 0; i < ELEMENTS(services); i++)
		if (named(c, services[i])) {
			r = enable_one(&e, services[i]);
			result = r != CLI_DONE ? r : result;
		}
	if (e.changed || e.dry)
		remind(&e);
	if (e.changed && c->value[OPT_INTERACTIVE])
		remind_sshd(&e);
	return result;
}

int verb_pam_disable(struct cli *c)
{
	struct editing e CLEAN(editing_done) = {.dir = -1};
	bool all = c->value[OPT_ALL];
	int r, result = CLI_DONE;

	if ((c->argc == 0) != all)
		return cli_usage(c, "name services, or say --all");
	r = begin(&e, c);
	if (r != CLI_DONE)
		return r;
	for (size_t i = 0; i < (all ? ELEMENTS(services) : c->argc); i++) {
		r = disable_one(&e, all ? services[i] : c->argv[i], all);
		result = r != CLI_DONE ? r : result;
	}
	return result;
}
