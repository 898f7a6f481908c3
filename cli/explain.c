/* jitctl explain: which rule would decide, and why the earlier ones did not match. */
#include "config.h"
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/bus.h"
#include "cli/cli.h"
#include "cli/document-context.h"
#include "cli/document.h"
#include "cli/rules.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/hours.h"
#include "lib/json.h"
#include "lib/policy.h"
#include "lib/text.h"

/* Where sudo would find NAME; NULL when nowhere. */
static char *find_binary(const char *name, const char *const *path)
{
	static const char *const usual[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", NULL};
	struct stat st;
	char *full;

	if (strchr(name, '/'))
		return strdup(name);
	for (path = path && *path ? path : usual; *path; path++) {
		if (asprintf(&full, "%s/%s", *path, name) < 0)
			return NULL;
		if (stat(full, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
			return full;
		free(full);
	}
	return NULL;
}

static const char *own_name(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : NULL;
}

#define GROUPS_MAX 256

/* Names of groups, NULL-terminated. */
struct groups {
	char *name[GROUPS_MAX + 1];
	bool known;
};

static void groups_done(struct groups *g)
{
	for (size_t i = 0; g->name[i]; i++)
		free(g->name[i]);
}

/* --groups a,b, or those that USER has here. */
static void find_groups(const struct cli *c, const char *user, struct groups *g)
{
	CLEAN(free_p) char *list = c->value[OPT_GROUPS] ? strdup(c->value[OPT_GROUPS]) : NULL;
	const struct passwd *pw = list || !user ? NULL : getpwnam(user);
	gid_t gid[GROUPS_MAX];
	int n = GROUPS_MAX;
	size_t used = 0;
	char *save = NULL;

	g->known = list || (pw && getgrouplist(user, pw->pw_gid, gid, &n) >= 0);
	for (char *word = list ? strtok_r(list, ", ", &save) : NULL; word && used < GROUPS_MAX; word = strtok_r(NULL, ", ", &save))
		if ((g->name[used] = strdup(word)))
			used++;
	for (int i = 0; pw && g->known && i < n; i++) {
		const struct group *gr = getgrgid(gid[i]);

		if (gr && (g->name[used] = strdup(gr->gr_name)))
			used++;
	}
}

/* Where and when the call would be made. */
struct place {
	char *cwd, tty[64];
	const char *remote;
	uint64_t real_usec;
};

static void place_done(struct place *p)
{
	free(p->cwd);
}

/* "pts/0" of "/dev/pts/0". */
static void own_tty(char *buf, size_t size)
{
	char path[64];

	if (ttyname_r(STDIN_FILENO, path, sizeof(path)) == 0 && strncmp(path, "/dev/", 5) == 0)
		snprintf(buf, size, "%s", path + 5);
	else
		snprintf(buf, size, "%s", POLICY_NO_TTY);
}

static int find_place(const struct cli *c, struct place *p)
{
	struct zone *zones = NULL;
	struct why w;
	int r = 0;

	if (c->value[OPT_TTY] && strlen(c->value[OPT_TTY]) >= sizeof(p->tty))
		return cli_fail(CLI_MISUSED, "--tty: '%s' is no terminal", c->value[OPT_TTY]);
	p->real_usec = clock_real();
	if (c->value[OPT_AT])
		r = hours_moment(c->value[OPT_AT], &zones, &p->real_usec, &w);
	zone_free(zones);
	if (r < 0)
		return cli_fail(CLI_MISUSED, "--at: %s", w.text);
	p->cwd = c->value[OPT_CWD] ? strdup(c->value[OPT_CWD]) : getcwd(NULL, 0);
	if (c->value[OPT_TTY])
		strcpy(p->tty, c->value[OPT_TTY]);
	else
		own_tty(p->tty, sizeof(p->tty));
	p->remote = c->value[OPT_REMOTE];
	return CLI_DONE;
}

static int explain_local(struct cli *c, const struct place *place, struct json_object **ret)
{
	CLEAN(policy_p) struct policy *p = NULL;
	CLEAN(free_p) char *binary = NULL;
	struct groups groups CLEAN(groups_done) = {0};
	struct facts f = {0};
	int r = rules_load(c, &p);

	if (r != CLI_DONE)
		return r;
	binary = c->argc ? find_binary(c->argv[0], (const char *const *)p->secure_path) : NULL;
	f.service = c->value[OPT_SERVICE] ? c->value[OPT_SERVICE] : "sudo";
	f.user = c->value[OPT_USER] ? c->value[OPT_USER] : own_name();
	f.target = c->value[OPT_TARGET] ? c->value[OPT_TARGET] : "root";
	find_groups(c, f.user, &groups);
	f.groups = groups.known ? (const char *const *)groups.name : NULL;
	f.binary = binary;
	f.argv = (const char *const *)c->argv;
	f.argc = c->argc;
	f.cwd = place->cwd;
	f.tty = place->tty;
	f.remote = place->remote;
	f.real_usec = place->real_usec;
	*ret = policy_explain(p, &f);
	return *ret ? CLI_DONE : cli_oom();
}

static int explain_jitd(struct cli *c, const struct place *place, struct json_object **ret)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *binary = c->argc ? find_binary(c->argv[0], NULL) : NULL;
	const char *user = c->value[OPT_USER] ? c->value[OPT_USER] : own_name();
	struct json_object *argv = json_object_new_array(), *list = json_object_new_array();
	struct groups groups CLEAN(groups_done) = {0};
	int r;

	for (size_t i = 0; i < c->argc; i++)
		json_object_array_add(argv, json_bytes(c->argv[i], strlen(c->argv[i])));
	find_groups(c, user, &groups);
	for (size_t i = 0; groups.name[i]; i++)
		json_object_array_add(list, json_object_new_string(groups.name[i]));
	json_add_str(o, "service", c->value[OPT_SERVICE] ? c->value[OPT_SERVICE] : "sudo");
	json_add_str(o, "user", user);
	if (groups.known)
		json_add(o, "groups", list);
	else
		json_object_put(list);
	json_add_str(o, "target", c->value[OPT_TARGET] ? c->value[OPT_TARGET] : "root");
	if (binary)
		json_add(o, "binary", json_bytes(binary, strlen(binary)));
	json_add(o, "argv", argv);
	json_add_str(o, "cwd", place->cwd);
	json_add_str(o, "tty", place->tty);
	json_add_str(o, "remote", place->remote);
	json_add_str(o, "reason", c->value[OPT_REASON]);
	json_add_u64(o, "real_usec", place->real_usec);
	r = bus_open(&bus);
	return r == CLI_DONE ? bus_call_json(bus, "Explain", ret, false, "s", json_text(o)) : r;
}

/* What the rule looks at, and where jitd has done so, what it comes to now. */
static void print_checks(struct json_object *o)
{
	CLEAN(free_p) char *whom = document_text(o, "whom", SHOWN_LINE), *unchecked = document_text(o, "unchecked", SHOWN_LINE),
		*outcome = document_text(o, "outcome", 16);
	const char *by = json_str(o, "refused_by"); /* escaped already */
	const char *unless = json_true(o, "partial") ? ", if what was not looked at holds" : "";

	document_view_checks(o);
	if (unchecked)
		fieldf("now", YELLOW, "the host could not be looked at: %s", unchecked);
	else if (by) {
		CLEAN(free_p) char *words = screen_safe(by);

		fieldf("now", RED, "it would be refused by %s", words ? words : "a check");
	} else if (whom)
		fieldf(outcome ? "now" : "asks", PLAIN, "%s%s%s", outcome ? "it would ask " : "", whom, unless);
	else if (outcome)
		fieldf("now", GREEN, "it would pass%s", unless);
}

void explain_print(struct json_object *o)
{
	CLEAN(free_p) char *rule = document_text(o, "rule", 64), *need = document_text(o, "need", 300),
		*decision = document_text(o, "decision", 16), *unknown = document_text(o, "unknown", 400),
		*reason = json_str(o, "reason") ? screen_safe(json_str(o, "reason")) : NULL; /* escaped already */
	struct json_object *list = json_arr(o, "passed_over");

	printf("%s%s%s by rule %s%s%s\n", paint(BOLD), decision ? decision : "?", paint(PLAIN), rule ? rule : "?",
		need ? ", needs " : "", need ? need : "");
	field("", PLAIN, reason);
	if (json_true(o, "match"))
		field("", PLAIN, "whoever approves needs the code that will stand on the requester's terminal");
	if (unknown)
		fieldf("", YELLOW, "the call %s", unknown);
	print_checks(o);
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *line = json_object_array_get_idx(list, i);
		CLEAN(free_p) char *name = document_text(line, "rule", 64), *words = document_text(line, "why", 400);

		if (words)
			fieldf("", PLAIN, "%s does not match: %s", name ? name : "?", words);
		else
			fieldf("", PLAIN, "%s would allow it, were it not for that", name ? name : "?");
	}
}

/* What is judged all the same, and should not be taken for more than it is. */
static void remark(const struct cli *c)
{
	const char *user = c->value[OPT_USER], *service = c->value[OPT_SERVICE] ? c->value[OPT_SERVICE] : "sudo";
	CLEAN(free_p) char *name = user ? text_escape(user, strlen(user), 64) : NULL;
	const struct passwd *pw = user ? getpwnam(user) : NULL;

	if (pw && pw->pw_uid == 0 && (!strcmp(service, "sudo") || !strcmp(service, "sudo-i") || !strcmp(service, "su") ||
	    !strcmp(service, "su-l")))
		cli_warn("root itself is never asked in sudo and su: it passes, whatever the rules say");
	else if (user && !pw && !c->value[OPT_GROUPS])
		cli_warn("there is no user %s here, so the groups are unknown (--groups says them)", name ? name : "?");
}

int verb_explain(struct cli *c)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct place place CLEAN(place_done) = {0};
	jit_id id;
	int r;

	/* With its dash, lest iptables is an id. */
	if (c->argc == 1 && strchr(c->argv[0], '-') && id_parse(c->argv[0], id) == 0)
		return explain_past(c, id);
	if (c->value[OPT_DIR])
		return cli_fail(CLI_MISUSED, "--dir goes with a request's id");
	r = find_place(c, &place);
	if (r == CLI_DONE)
		r = c->value[OPT_CONFDIR] ? explain_local(c, &place, &o) : explain_jitd(c, &place, &o);
	if (r != CLI_DONE)
		return r;
	remark(c);
	if (c->json)
		screen_json(stdout, o);
	else
		explain_print(o);
	return CLI_DONE;
}
