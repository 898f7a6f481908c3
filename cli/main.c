/* jitctl: reads the command line by the tables of verbs.def and options.def and runs one verb. */
#include "config.h"
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "cli/cli.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/text.h"

#define OPTION(constant, name, letter, argument, words) {name, letter, argument, words},
const struct option_row cli_options[OPT_COUNT] = {
#include "cli/options.def"
};
#undef OPTION

/* Every verb takes --help and --json. */
#define O(x) (UINT64_C(1) << OPT_##x)
#define VERB(group, name, second, function, arguments, options, words) \
	{group, name, second, function, arguments, (options) | O(HELP) | O(JSON), words},
const struct verb cli_verbs[] = {
#include "cli/verbs.def"
};
#undef VERB
const size_t cli_verb_count = ELEMENTS(cli_verbs);

static bool json_errors;

__attribute__((format(printf, 2, 0))) static void say(int exit_code, const char *fmt, va_list ap)
{
	static const char *const code[] = {
#define X(constant, number, word, words) [number] = word,
		CLI_EXITS(X)
#undef X
	};
	char text[4096];
	CLEAN(free_p) char *shown = NULL;

	vsnprintf(text, sizeof(text), fmt, ap);
	fflush(stdout);
	if (json_errors) {
		CLEAN(json_put_p) struct json_object *o = json_object_new_object();
		struct json_object *e = json_object_new_object();

		json_add_str(e, "code", exit_code < 0 ? "warning" : code[exit_code]);
		/* What is not UTF-8 would not be JSON. */
		if (!text_utf8(text, strlen(text)))
			shown = text_escape(text, strlen(text), sizeof(text));
		json_add_str(e, "message", shown ? shown : text);
		json_add(o, exit_code < 0 ? "warning" : "error", e);
		screen_json(stderr, o);
		return;
	}
	shown = screen_safe(text);
	fprintf(stderr, "jitctl: %s\n", shown ? shown : "out of memory");
}

int cli_fail(int exit_code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(exit_code, fmt, ap);
	va_end(ap);
	return exit_code;
}

void cli_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(-1, fmt, ap);
	va_end(ap);
}

int cli_oom(void)
{
	return cli_fail(CLI_REFUSED, "out of memory");
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(CLI_MISUSED, fmt, ap);
	va_end(ap);
	if (!json_errors)
		usage_verb(stderr, c->verb);
	return CLI_MISUSED;
}

const char *cli_next(const struct cli *c, enum cli_option option, size_t *at)
{
	while (*at < c->n_given) {
		size_t i = (*at)++;

		if (c->given[i].option == option)
			return c->given[i].value;
	}
	return NULL;
}

int cli_id(const struct cli *c, jit_id id)
{
	if (c->argc != 1)
		return cli_usage(c, c->argc ? "one id, not %zu words" : "an id is missing", c->argc);
	if (id_parse(c->argv[0], id) < 0)
		return cli_fail(CLI_MISUSED, "'%s' is no request id (such as K7QF-2M9X)", c->argv[0]);
	return CLI_DONE;
}

int cli_span(const struct cli *c, enum cli_option option, uint64_t *ret_usec)
{
	struct why w;

	if (!c->value[option])
		return CLI_DONE;
	if (span_parse(c->value[option], ret_usec, &w) < 0)
		return cli_fail(CLI_MISUSED, "--%s: %s", cli_options[option].name, w.text);
	return CLI_DONE;
}

/* The row of the table that the first words name, and how many words that took. */
static const struct verb *find_verb(int argc, char **argv, int *ret_words, bool *ret_family)
{
	const struct verb *alone = NULL;

	*ret_family = false;
	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct verb *v = &cli_verbs[i];

		if (strcmp(v->name, argv[0]) != 0)
			continue;
		*ret_family = *ret_family || v->second;
		if (v->second && argc > 1 && strcmp(v->second, argv[1]) == 0) {
			*ret_words = 2;
			return v;
		}
		if (!v->second)
			alone = v;
	}
	*ret_words = 1;
	return alone;
}

static int bad_verb(char **argv, bool family)
{
	if (!family)
		return cli_fail(CLI_MISUSED, "there is no verb '%s'; see jitctl help", argv[0]);
	cli_fail(CLI_MISUSED, argv[1] ? "'%s' has no verb '%s'" : "'%s' needs a second word", argv[0],
		argv[1] ? argv[1] : "");
	for (size_t i = 0; i < cli_verb_count; i++)
		if (strcmp(cli_verbs[i].name, argv[0]) == 0)
			usage_verb(stderr, &cli_verbs[i]);
	return CLI_MISUSED;
}

/* getopt's tables for one verb.  A long option's value is its row and 256. */
static void getopt_tables(const struct verb *v, bool stop_at_word, struct option *longs, char *shorts)
{
	*shorts++ = stop_at_word ? '+' : '-';
	if (!stop_at_word)
		shorts--;
	*shorts++ = ':';
	for (size_t i = 0; i < OPT_COUNT; i++) {
		const struct option_row *o = &cli_options[i];

		if (!(v->options & (UINT64_C(1) << i)))
			continue;
		*longs++ = (struct option){o->name, o->argument ? required_argument : no_argument, NULL, 256 + (int)i};
		if (o->letter) {
			*shorts++ = o->letter;
			if (o->argument)
				*shorts++ = ':';
		}
	}
	*longs = (struct option){0};
	*shorts = 0;
}

static int option_of(int got)
{
	if (got >= 256)
		return got - 256;
	for (int i = 0; i < OPT_COUNT; i++)
		if (cli_options[i].letter == got)
			return i;
	return -1;
}

static int bad_option(struct cli *c, int got, char **argv)
{
	char letter[3] = {'-', (char)optopt, 0};
	/* optopt is a letter for a short option, else what stood in the table (or 0). */
	const char *name = optopt > 0 && optopt < 256 ? letter : argv[optind - 1];

	return cli_usage(c, got == ':' ? "%s needs an argument" : "%s is no option of this verb", name);
}

static int read_options(struct cli *c, int argc, char **argv)
{
	struct option longs[OPT_COUNT + 1];
	char shorts[3 * OPT_COUNT + 3];
	/* A command's own options are not ours. */
	bool stop = strstr(c->verb->arguments, "COMMAND") != NULL;
	int got;

	getopt_tables(c->verb, stop, longs, shorts);
	optind = 1;
	opterr = 0;
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		int i = got == '?' || got == ':' ? -1 : option_of(got);

		if (i < 0)
			return bad_option(c, got, argv);
		c->value[i] = optarg ? optarg : "";
		if (!optarg)
			continue;
		if (c->n_given == CLI_REPEATS)
			return cli_usage(c, "more than %d options", CLI_REPEATS);
		c->given[c->n_given].option = (enum cli_option)i;
		c->given[c->n_given++].value = optarg;
	}
	c->argc = (size_t)(argc - optind);
	c->argv = argv + optind;
	return CLI_DONE;
}

/* Options may also stand before the verb: jitctl --json list. */
static int leading_options(struct cli *c, int *argc, char ***argv)
{
	while (*argc > 0 && (*argv)[0][0] == '-') {
		const char *word = (*argv)[0];

		if (strcmp(word, "--json") == 0 || strcmp(word, "-j") == 0)
			c->value[OPT_JSON] = "";
		else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
			c->value[OPT_HELP] = "";
		else if (strcmp(word, "--version") == 0)
			return verb_version(c) == CLI_DONE ? -1 : CLI_REFUSED;
		else
			return cli_fail(CLI_MISUSED, "%s is no option that stands before a verb; see jitctl help", word);
		json_errors = c->value[OPT_JSON] != NULL;
		(*argv)++;
		(*argc)--;
	}
	return CLI_DONE;
}

static int run(struct cli *c, int argc, char **argv)
{
	bool family;
	int words, r;

	r = leading_options(c, &argc, &argv);
	if (r != CLI_DONE)
		return r < 0 ? CLI_DONE : r;
	if (argc == 0) {
		if (c->value[OPT_HELP])
			return verb_help(c);
		return cli_fail(CLI_MISUSED, "a verb is missing; see jitctl help");
	}
	if (strcmp(argv[0], "complete") == 0)
		return verb_complete(argc - 1, argv + 1);
	c->verb = find_verb(argc, argv, &words, &family);
	if (!c->verb)
		return bad_verb(argv, family);
	for (int i = words; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			json_errors = true;
	/* getopt wants a program's name in front: the verb's last word stands there. */
	r = read_options(c, argc - (words - 1), argv + (words - 1));
	if (r != CLI_DONE)
		return r;
	c->json = json_errors = c->value[OPT_JSON] != NULL;
	if (c->value[OPT_HELP]) {
		usage_verb(stdout, c->verb);
		return CLI_DONE;
	}
	return c->verb->run(c);
}

int main(int argc, char **argv)
{
	struct cli c = {0};
	int r;

	setlocale(LC_ALL, "");
	screen_setup();
	/* A hub or ssh-keygen that hangs up is an error to be reported, not an end without words. */
	signal(SIGPIPE, SIG_IGN);
	r = argc > 0 ? run(&c, argc - 1, argv + 1) : CLI_MISUSED;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno != EPIPE)
			cli_fail(CLI_REFUSED, "cannot write: %s", strerror(errno));
		return r == CLI_DONE ? CLI_REFUSED : r;
	}
	return r;
}
