/* jitctl rules test: a table of cases, judged by a configuration, as a site does in its own tests. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/rules.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/policy-case.h"
#include "lib/zone.h"

#define FILE_MAX (4 * 1024 * 1024)

void policy_p(struct policy **p)
{
	*p = policy_free(*p);
}

int rules_load(struct cli *c, struct policy **ret)
{
	const char *given = c->value[OPT_CONFDIR], *dir = given ? given : JIT_CONFDIR;
	struct conf_errors e CLEAN(conf_errors_done) = {0};
	struct stat st;

	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return cli_fail(CLI_NOT_FOUND, "%s is no directory", dir);
	if (policy_load(dir, given ? (uid_t)-1 : 0, ret, &e) == 0)
		return CLI_DONE;
	for (size_t i = 0; i < e.n; i++)
		cli_fail(CLI_MISCONFIGURED, "%s", e.list[i]);
	return e.out_of_memory ? cli_oom() : CLI_MISCONFIGURED;
}

struct testing {
	const struct policy *policy;
	struct zone *zones;
	struct json_object *failures; /* --json; NULL: they are printed */
	const char *file;
	unsigned line, lines, cases, failed; /* lines: cases, and those that should have been some */
};

/* EXPECTED NULL: the line is no case. */
static void tell(struct testing *t, const char *expected, const char *got, const char *reason)
{
	CLEAN(free_p) char *file = screen_safe(t->file), *want = expected ? screen_safe(expected) : NULL, *why = screen_safe(reason);
	struct json_object *o;

	t->failed++;
	if (t->failures) {
		o = json_object_new_object();
		json_add_str(o, "file", file);
		json_add_u64(o, "line", t->line);
		json_add_str(o, "expected", want);
		json_add_str(o, "got", got);
		json_add_str(o, "why", why);
		json_object_array_add(t->failures, o);
	} else if (expected) {
		printf("%s:%u: expected %s, got %s%s%s: %s\n", file, t->line, want, paint(BOLD), got, paint(PLAIN), why);
	} else {
		printf("%s:%u: %s\n", file, t->line, why);
	}
}

static void judge(struct testing *t, const char *line)
{
	struct policy_case k CLEAN(policy_case_done);
	char got[128], expected[8300];
	struct verdict v;
	struct need need;
	struct why w;
	int r = policy_case_parse(line, &t->zones, &k, &w);

	t->lines += r != 0;
	if (r < 0)
		tell(t, NULL, NULL, w.text);
	if (r <= 0)
		return;
	t->cases++;
	r = policy_case_decide(t->policy, &k, &v, &need, &w);
	if (r < 0) {
		tell(t, NULL, NULL, w.text);
		return;
	}
	if (policy_case_met(t->policy, &k, &v, &need, &w))
		return;
	snprintf(expected, sizeof(expected), "%s%s%s%s%s", k.decision, k.rule ? " " : "", k.rule ? k.rule : "", k.need ? " " : "",
		k.need ? k.need : "");
	tell(t, expected, policy_verdict_words(&v, got, sizeof(got)), w.text);
}

static int read_file(const char *path, char **ret, size_t *ret_len)
{
	CLEAN(close_p) int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : file_read_all(fd, FILE_MAX, ret, ret_len);
}

static int test_file(struct testing *t, const char *path)
{
	CLEAN(free_p) char *text = NULL;
	char *rest, *line;
	size_t len;
	int r = read_file(path, &text, &len);

	if (r < 0)
		return cli_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_MISUSED, "cannot read %s: %s", path, strerror(-r));
	if (strlen(text) != len)
		return cli_fail(CLI_MISUSED, "%s is no text", path);
	t->file = path;
	t->line = 0;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		t->line++;
		len = strlen(line);
		if (len > 0 && line[len - 1] == '\r')
			line[len - 1] = '\0';
		judge(t, line);
	}
	return CLI_DONE;
}

static int conclude(struct testing *t)
{
	CLEAN(json_put_p) struct json_object *o = NULL;

	if (t->failures) {
		o = json_object_new_object();
		json_add_u64(o, "cases", t->cases);
		json_add_u64(o, "failed", t->failed);
		json_add(o, "failures", json_object_get(t->failures));
		json_add_str(o, "digest", t->policy->digest);
		screen_json(stdout, o);
	} else if (t->failed) {
		printf("%s%u%s of %u lines failed\n", paint(RED), t->failed, paint(PLAIN), t->lines);
	} else {
		printf("%sgood%s: %u cases\n", paint(GREEN), paint(PLAIN), t->cases);
	}
	return t->failed ? CLI_REFUSED : CLI_DONE;
}

int verb_rules_test(struct cli *c)
{
	CLEAN(policy_p) struct policy *p = NULL;
	CLEAN(json_put_p) struct json_object *failures = NULL;
	struct testing t = {0};
	int r;

	if (c->argc == 0)
		return cli_usage(c, "a file of cases is missing");
	r = rules_load(c, &p);
	if (r != CLI_DONE)
		return r;
	t.policy = p;
	t.failures = failures = c->json ? json_object_new_array() : NULL;
	for (size_t i = 0; r == CLI_DONE && i < c->argc; i++)
		r = test_file(&t, c->argv[i]);
	/* A table in which nothing stands tests nothing. */
	if (r == CLI_DONE && t.cases == 0 && t.failed == 0)
		r = cli_fail(CLI_MISUSED, "there is no case in %s", c->argv[0]);
	if (r == CLI_DONE)
		r = conclude(&t);
	zone_free(t.zones);
	return r;
}
