/* From sudo's vectors to `approval`.  sudo has parsed its options and found the command: what it found is sent, and nothing is
 * parsed here again but what sudo does not tell, such as variables between the options. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/sudoargs.h"
#include "sudo_jit/exact.h"

#define WORDS_MAX (GATE_FIELDS - 32) /* of arg and run together; leaves fields for everything else */

const char *exact_get(char *const *vector, const char *name)
{
	size_t len = strlen(name);

	for (; vector && *vector; vector++)
		if (!strncmp(*vector, name, len) && (*vector)[len] == '=')
			return *vector + len + 1;
	return NULL;
}

bool exact_true(char *const *vector, const char *name)
{
	const char *value = exact_get(vector, name);

	return value && !strcmp(value, "true");
}

static size_t count(char *const *words)
{
	size_t n = 0;

	while (words && words[n])
		n++;
	return n;
}

int exact_check(const struct exact *e, const char **words)
{
	const char *command = exact_get(e->command_info, "command");

	if (!e->argv || !e->argv[0] || e->own < 1 || (size_t)e->own > count(e->argv))
		*words = "sudo has not told how it was called";
	else if (!command || !*command || !e->run || !e->run[0])
		*words = "sudo has not told what it will run";
	else
		return 0;
	return -EINVAL;
}

static const char *kind(const struct exact *e)
{
	if (exact_true(e->command_info, "sudoedit"))
		return "edit";
	if (e->inner)
		return "command"; /* the settings are those of the command that has started it */
	if (exact_true(e->settings, "login_shell"))
		return "login";
	if (exact_true(e->settings, "run_shell") || exact_true(e->settings, "implied_shell"))
		return "shell";
	return "command";
}

/* Variables and --preserve-env=LIST are told to the policy only.  A word that looks like one is taken for one, also where it
 * is another option's argument: that costs a match of an `allow`, never more. */
static bool sets_environment(const struct exact *e)
{
	for (int i = 1; i < e->own; i++) {
		const char *word = e->argv[i];

		if (word[0] != '-' && strchr(word, '='))
			return true;
		if (!strncmp(word, "--preserve-e", strlen("--preserve-e")))
			return true;
	}
	return false;
}

enum { ODD_ENVIRONMENT = 1, ODD_GROUP = 2, ODD_CHROOT = 4, ODD_DIRECTORY = 8, ODD_OPTIONS = 16 };

/* sudo's settings, sudo_plugin(5).  One that is not listed counts as odd: a later sudo may know an option that changes what
 * runs. */
static unsigned setting_odd(const char *setting)
{
	static const struct {
		const char *name;
		unsigned odd;
	} known[] = {
		{ "preserve_environment", ODD_ENVIRONMENT }, { "runas_group", ODD_GROUP }, { "cmnd_chroot", ODD_CHROOT },
		{ "cmnd_cwd", ODD_DIRECTORY }, { "runas_user", 0 }, { "prompt", 0 }, { "set_home", 0 }, { "preserve_groups", 0 },
		{ "implied_shell", 0 }, { "run_shell", 0 }, { "login_shell", 0 }, { "sudoedit", 0 }, { "noninteractive", 0 },
		{ "update_ticket", 0 }, { "ignore_ticket", 0 }, { "reset_ticket", 0 }, { "askpass", 0 }, { "progname", 0 },
		{ "plugin_path", 0 }, { "plugin_dir", 0 }, { "network_addrs", 0 }, { "max_groups", 0 }, { "debug_flags", 0 },
		{ "intercept_setid", 0 }, { "intercept_ptrace", 0 },
	};
	size_t len = strcspn(setting, "=");

	for (size_t i = 0; i < ELEMENTS(known); i++)
		if (strlen(known[i].name) == len && !strncmp(known[i].name, setting, len))
			return known[i].odd;
	return ODD_OPTIONS;
}

/* What changes the surroundings of a command, by the caller's options or by sudoers. */
static void find_odd(const struct exact *e, char *buf, size_t size)
{
	unsigned odd = sets_environment(e) ? ODD_ENVIRONMENT : 0;

	for (char *const *s = e->settings; s && *s; s++)
		odd |= setting_odd(*s);
	if (exact_get(e->command_info, "chroot"))
		odd |= ODD_CHROOT;
	if (exact_get(e->command_info, "runas_group"))
		odd |= ODD_GROUP;
	(void)snprintf(buf, size, "%s%s%s%s%s", odd & ODD_ENVIRONMENT ? "environment " : "", odd & ODD_GROUP ? "group " : "",
		odd & ODD_CHROOT ? "chroot " : "", odd & ODD_DIRECTORY ? "directory " : "", odd & ODD_OPTIONS ? "options " : "");
	if (*buf)
		buf[strlen(buf) - 1] = '\0';
}

/* Puts words up to the bounds; false: not all of them. */
static bool put_words(struct gate_out *o, const char *key, char *const *words, size_t *left, size_t *bytes)
{
	for (; words && *words; words++) {
		size_t len = strlen(*words) + 1;

		if (!*left || *bytes < len)
			return false;
		gate_put(o, key, *words);
		(*left)--;
		*bytes -= len;
	}
	return true;
}

/* The plain case: what runs is what was typed. */
static bool run_as_typed(const struct exact *e)
{
	size_t n = count(e->argv + e->own);

	if (e->inner || count(e->run) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(e->run[i], e->argv[e->own + (int)i]) != 0)
			return false;
	return true;
}

/* As in pam_jit.so: every option known, and none of them feeds prompts from elsewhere. */
static bool may_prompt(const struct exact *e)
{
	struct host_command h = { .recognised = false };

	if (e->inner || exact_true(e->settings, "noninteractive"))
		return false;
	sudo_args((const char *const *)e->argv + 1, count(e->argv + 1), exact_true(e->settings, "sudoedit"), &h);
	return h.recognised && !h.noninteractive && !h.stdin_password && !h.askpass;
}

void exact_put(const struct exact *e, struct gate_out *o, bool *ret_prompt)
{
	const char *what = kind(e), *cwd = exact_get(e->command_info, "cwd");
	size_t left = WORDS_MAX, bytes = GATE_ARGS_MAX;
	bool whole = put_words(o, "arg", e->argv + 1, &left, &bytes);
	char odd[128];

	/* An editor's command line is not the question: it runs as the user. */
	if (strcmp(what, "edit") != 0 && !run_as_typed(e))
		whole = put_words(o, "run", e->run, &left, &bytes) && whole;
	if (!whole)
		gate_put(o, "cut", "yes");
	gate_put_u64(o, "own", (uint64_t)(e->own - 1));
	gate_put(o, "kind", what);
	gate_put(o, "command", exact_get(e->command_info, "command"));
	gate_put(o, "target", exact_get(e->command_info, "runas_user"));
	gate_put(o, "cwd", cwd && *cwd ? cwd : NULL);
	find_odd(e, odd, sizeof(odd));
	gate_put(o, "odd", *odd ? odd : NULL);
	gate_put(o, "inner", e->inner ? "yes" : NULL);
	*ret_prompt = whole && may_prompt(e);
}
