/* jit-check: looks at the host for the checks of one rule.  See check-wire.h for what it is asked. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helper/check-wire.h"
#include "helper/shed.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/policy.h"

#define ENV_MAX 32

/* jitd is spared when memory runs out; what it looks at the host with is not. */
static void be_killable(void)
{
	CLEAN(close_p) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write_all(fd, "0", 1) < 0)
		log_warning("oom_score_adj: %s", strerror(errno));
}

static int confine(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	be_killable();
	/* To look at any file, to become another user and to end what that one runs. */
	shed_privileges(1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH | 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL);
	return 0;
}

static int read_jobs(struct json_object *list, struct check_job *jobs, size_t *n, struct why *w)
{
	size_t count = list ? json_object_array_length(list) : 0;

	if (!list || count > RULE_CHECKS_MAX)
		return why(w, -EINVAL, "no list of checks");
	for (; *n < count; ++*n) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, *n));
		int r = check_parse(text ? text : "", &jobs[*n].check, w);

		if (r < 0)
			return r;
	}
	return 0;
}

/* PATH and LANG, and behind them the facts. */
static int read_env(struct json_object *facts, char *env[ENV_MAX + 1], struct why *w)
{
	size_t n = 0, len;

	env[n++] = strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env[n++] = strdup("LANG=C.UTF-8");
	if (!facts)
		return why(w, -EINVAL, "no facts");
	json_object_object_foreach(facts, key, value) {
		CLEAN(free_p) char *bytes = NULL;
		int r = json_bytes_get(value, &bytes, &len);

		if (r < 0 || n == ENV_MAX || strncmp(key, "JIT_", 4) != 0)
			return why(w, r < 0 ? r : -E2BIG, "facts that are not understood");
		if (asprintf(&env[n++], "%s=%s", key, bytes) < 0)
			return why(w, -ENOMEM, "out of memory");
	}
	return 0;
}

static int print_answer(const struct check_job *jobs, size_t n)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	const char *text;
	int e = o && list ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && e == 0; i++) {
		struct json_object *line = json_object_new_object();

		e |= json_add_bool(line, "holds", jobs[i].holds);
		e |= json_add_str(line, "text", jobs[i].text);
		e |= json_object_array_add(list, line);
	}
	if (e == 0)
		e = json_add(o, "results", list);
	text = e == 0 ? json_text(o) : NULL;
	return text ? write_all(STDOUT_FILENO, text, strlen(text)) : -ENOMEM;
}

static int answer(void)
{
	static struct check_job jobs[RULE_CHECKS_MAX];
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(free_p) char *text = NULL;
	char *env[ENV_MAX + 1] = { NULL };
	struct why w = { "" };
	size_t len, n = 0;
	uint64_t within;
	int r = file_read_all(STDIN_FILENO, CHECK_QUESTION_MAX, &text, &len);

	if (r >= 0)
		r = json_parse(text, len, &o, &w);
	if (r >= 0)
		r = json_u64(o, "within", &within);
	if (r >= 0)
		r = read_jobs(json_arr(o, "checks"), jobs, &n, &w);
	if (r >= 0)
		r = read_env(json_obj(o, "facts"), env, &w);
	if (r >= 0)
		r = check_run_all(jobs, n, env, within);
	if (r >= 0)
		r = print_answer(jobs, n);
	if (r < 0)
		log_error("%s", w.text[0] ? w.text : strerror(-r));
	for (char **e = env; *e; e++)
		free(*e);
	for (size_t i = 0; i < n; i++)
		check_done(&jobs[i].check);
	return r;
}

int main(int argc, char **argv)
{
	struct stat st;
	int r;

	log_setup("jit-check", false);
	if (argc != 1 || fstat(STDIN_FILENO, &st) < 0 || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "jit-check is started by jitd, with a list of checks.\n");
		return 2;
	}
	r = confine();
	if (r < 0)
		log_error("cannot be confined: %s", strerror(-r));
	else
		r = answer();
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
