/* jitctl config check, show: the host's configuration, read as jitd reads it. */
#include "config.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/rules.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/policy.h"

/* Reads the configuration; mistakes go to ERRORS (JSON) or the screen.  An exit code. */
static int load(struct cli *c, struct policy **ret, struct json_object *errors)
{
	struct conf_errors e CLEAN(conf_errors_done) = {0};
	const char *given = c->value[OPT_CONFDIR], *dir = given ? given : JIT_CONFDIR;
	struct stat st;
	int r;

	if (c->argc)
		return cli_usage(c, "no words, only options");
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return cli_fail(CLI_NOT_FOUND, "%s is no directory", dir);
	/* Elsewhere than on its place the files may be anybody's: they are only looked at. */
	r = policy_load(dir, given ? (uid_t)-1 : 0, ret, &e);
	if (e.out_of_memory)
		return cli_oom();
	for (size_t i = 0; i < e.n; i++) {
		CLEAN(free_p) char *shown = screen_safe(e.list[i]);

		if (errors)
			json_object_array_add(errors, json_object_new_string(shown ? shown : ""));
		else
			fprintf(stderr, "%s\n", shown ? shown : "");
	}
	return r < 0 ? CLI_MISCONFIGURED : CLI_DONE;
}

int verb_config_check(struct cli *c)
{
	CLEAN(policy_p) struct policy *p = NULL;
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	struct json_object *errors = json_object_new_array();
	int r;

	json_add(o, "errors", errors);
	r = load(c, &p, c->json ? errors : NULL);
	if (r != CLI_DONE && r != CLI_MISCONFIGURED)
		return r;
	if (c->json) {
		json_add_bool(o, "good", r == CLI_DONE);
		if (p) {
			json_add_u64(o, "rules", p->n_rules);
			json_add_u64(o, "people", p->people.n_persons);
			json_add_u64(o, "approvers", p->people.approvers.n);
			json_add_str(o, "digest", p->digest);
		}
		screen_json(stdout, o);
		return r;
	}
	if (r != CLI_DONE)
		return cli_fail(r, "jitd would not take this configuration; rules that are in force stay");
	printf("%sgood%s: %zu rules, %zu people, %zu keys of approvers\ndigest %s\n", paint(GREEN), paint(PLAIN), p->n_rules,
		p->people.n_persons, p->people.approvers.n, p->digest);
	if (p->people.approvers.n == 0)
		cli_warn("there are no approvers: nobody can answer a request");
	return r;
}

int verb_config_show(struct cli *c)
{
	CLEAN(policy_p) struct policy *p = NULL;
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *text = NULL;
	int r;

	r = load(c, &p, NULL);
	if (r == CLI_MISCONFIGURED)
		return cli_fail(r, "this configuration cannot be shown before it is mended");
	if (r != CLI_DONE)
		return r;
	text = policy_show(p);
	if (!text)
		return cli_oom();
	if (!c->json) {
		fputs(text, stdout);
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_add_str(o, "text", text);
	json_add_str(o, "digest", p->digest);
	screen_json(stdout, o);
	return CLI_DONE;
}
