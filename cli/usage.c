/* Help and completion, made from the tables of verbs and options. */
#include "config.h"
#include <stdio.h>
#include <string.h>
#include "cli/bus.h"
#include "cli/cli.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static const char *const group_title[GROUP_COUNT] = {
	[GROUP_ASK] = "Asking, on the host (jitd)",
	[GROUP_ANSWER] = "Answering, as an approver (hub)",
	[GROUP_HOST] = "Looking after a host",
	[GROUP_SELF] = "jitctl itself",
};

static int option_left(const struct option_row *o, char *buf, size_t size)
{
	char letter[5] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	return snprintf(buf, size, "%s--%s%s%s", letter, o->name, o->argument ? " " : "", o->argument ? o->argument : "");
}

void usage_verb(FILE *f, const struct verb *v)
{
	char left[64];

	fprintf(f, "usage: jitctl %s%s%s [OPTION]...%s%s\n", v->name, v->second ? " " : "", v->second ? v->second : "",
		*v->arguments ? " " : "", v->arguments);
	fprintf(f, "%s\n", v->words);
	for (size_t i = 0; i < OPT_COUNT; i++) {
		if (!(v->options & (UINT64_C(1) << i)))
			continue;
		option_left(&cli_options[i], left, sizeof(left));
		fprintf(f, "  %-22s %s\n", left, cli_options[i].words);
	}
}

static void help_page(void)
{
	char left[64];

	printf("jitctl: just-in-time approval for sudo, su and ssh\n\nusage: jitctl VERB [OPTION]... [WORD]...\n");
	for (int g = 0; g < GROUP_COUNT; g++) {
		printf("\n%s%s%s\n", paint(BOLD), group_title[g], paint(PLAIN));
		for (size_t i = 0; i < cli_verb_count; i++) {
			const struct verb *v = &cli_verbs[i];

			if ((int)v->group != g || (v->second && strcmp(v->second, "show") == 0 &&
				strcmp(v->name, "audit") == 0))
				continue;
			snprintf(left, sizeof(left), "%s%s%s %s", v->name, v->second ? " " : "",
				v->second ? v->second : "", v->arguments);
			printf("  %-30s %s\n", left, v->words);
		}
	}
	printf("\nEvery verb takes --help and --json.  Exit codes:\n");
#define X(constant, number, word, words) printf("  %d  %s\n", number, words);
	CLI_EXITS(X)
#undef X
	printf("\nMore in jitctl(1).\n");
}

static struct json_object *verb_object(const struct verb *v)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	json_add_str(o, "verb", v->name);
	json_add_str(o, "second", v->second);
	json_add_str(o, "arguments", v->arguments);
	json_add_str(o, "words", v->words);
	for (size_t i = 0; i < OPT_COUNT; i++) {
		struct json_object *option;

		if (!(v->options & (UINT64_C(1) << i)))
			continue;
		option = json_object_new_object();
		json_add_str(option, "name", cli_options[i].name);
		json_add_str(option, "argument", cli_options[i].argument);
		json_object_array_add(list, option);
	}
	json_add(o, "options", list);
	return o;
}

int verb_help(struct cli *c)
{
	bool found = false;

	if (c->argc == 0 && !c->json) {
		help_page();
		return CLI_DONE;
	}
	if (c->argc > 2)
		return cli_usage(c, "one verb, please");
	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct verb *v = &cli_verbs[i];

		if (c->argc > 0 && strcmp(v->name, c->argv[0]) != 0)
			continue;
		if (c->argc > 1 && (!v->second || strcmp(v->second, c->argv[1]) != 0))
			continue;
		if (c->json) {
			CLEAN(json_put_p) struct json_object *o = verb_object(v);

			screen_json(stdout, o);
		} else {
			printf("%s", found ? "\n" : "");
			usage_verb(stdout, v);
		}
		found = true;
	}
	if (!found)
		return cli_fail(CLI_MISUSED, "there is no verb '%s'", c->argv[0]);
	return CLI_DONE;
}

int verb_version(struct cli *c)
{
	if (c->json)
		printf("{\"version\":\"%s\"}\n", PACKAGE_VERSION);
	else
		printf("jitctl (pam-jit) %s\n", PACKAGE_VERSION);
	return CLI_DONE;
}

/* Completion.  completion.bash calls `jitctl complete WORD...` with all words before and the one under the cursor; every
 * candidate is a line. */

static void candidate(const char *text, const char *begin)
{
	if (text && strncmp(text, begin, strlen(begin)) == 0)
		puts(text);
}

/* Ids of jitd's requests, quietly and only if it answers at once. */
static void candidate_ids(const char *begin)
{
	CLEAN(json_put_p) struct json_object *list = bus_list_quietly();

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *id = json_str(json_object_array_get_idx(list, i), "id");

		if (id && id_valid(id))
			candidate(id, begin);
	}
}

static void candidate_verbs(const char *first, const char *begin)
{
	const char *last = "";

	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct verb *v = &cli_verbs[i];

		if (!first && strcmp(last, v->name) != 0)
			candidate(v->name, begin);
		else if (first && strcmp(first, v->name) == 0)
			candidate(v->second, begin);
		last = v->name;
	}
}

/* The words of an option's argument that we know; true when COMPLETE should say nothing else. */
static bool candidate_values(const char *before, const char *begin)
{
	static const struct {
		const char *option, *words[8];
	} known[] = {
		{"--service", {"sudo", "sudo-i", "su", "su-l", "sshd"}},
		{"--scope", {"command", "session", "service"}},
		{"--for", {"5min", "15min", "30min", "1h", "4h"}},
	};

	for (size_t i = 0; i < ELEMENTS(known); i++) {
		if (strcmp(before, known[i].option) != 0)
			continue;
		for (size_t j = 0; j < ELEMENTS(known[i].words); j++)
			candidate(known[i].words[j], begin);
		return true;
	}
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (cli_options[i].argument && strncmp(before, "--", 2) == 0 && strcmp(before + 2, cli_options[i].name) == 0)
			return true;
	return false;
}

static const struct verb *verb_of(int argc, char **argv)
{
	const struct verb *found = NULL;

	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct verb *v = &cli_verbs[i];

		if (strcmp(v->name, argv[0]) != 0)
			continue;
		if (!v->second && !found)
			found = v;
		if (v->second && argc > 2 && strcmp(v->second, argv[1]) == 0)
			found = v;
	}
	return found;
}

int verb_complete(int argc, char **argv)
{
	static const char *const services[] = {"sudo", "sudo-i", "su", "su-l", "sshd"};
	const char *begin = argc ? argv[argc - 1] : "";
	const struct verb *v;

	if (argc <= 1) {
		candidate_verbs(NULL, begin);
		return CLI_DONE;
	}
	if (candidate_values(argv[argc - 2], begin))
		return CLI_DONE;
	v = verb_of(argc, argv);
	if (argc == 2)
		candidate_verbs(argv[0], begin);
	if (v && *begin == '-')
		for (size_t i = 0; i < OPT_COUNT; i++) {
			char name[64];

			snprintf(name, sizeof(name), "--%s", cli_options[i].name);
			if (v->options & (UINT64_C(1) << i))
				candidate(name, begin);
		}
	else if (v && strncmp(v->arguments, "ID", 2) == 0 && v->group == GROUP_ASK)
		candidate_ids(begin);
	else if (v && strncmp(v->arguments, "SERVICE", 7) == 0)
		for (size_t i = 0; i < ELEMENTS(services); i++)
			candidate(services[i], begin);
	else if (v && strcmp(v->name, "help") == 0 && argc == 2)
		candidate_verbs(NULL, begin);
	return CLI_DONE;
}
