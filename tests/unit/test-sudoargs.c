/* Command lines of sudo and su: a table, and a comparison with the getopt that they use. */
#include "tests/unit/site.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/sudoargs.h"

#define WORDS_MAX 12

/* Words are separated by one blank; "''" is an empty one. */
static size_t split(const char *line, char *buf, const char **argv)
{
	size_t n = 0;

	strcpy(buf, line);
	for (char *save = NULL, *word = strtok_r(buf, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[n++] = strcmp(word, "''") == 0 ? "" : word;
	return n;
}

/* TARGET: "-" is unknown.  COMMAND: its words, or "-" for a shell or login.  FLAGS: d target by default, s shell, l login,
 * e edit, o odd, n S A, b background.  A line that is not recognised has "?" as target, and only e and b are looked at. */
struct line {
	const char *line, *target, *command, *flags;
};

static const struct line sudo_lines[] = {
	{ "id", "root", "id", "d" },
	{ "", "root", "-", "d" },
	{ "id -u", "root", "id -u", "d" },              /* all behind the command is the command's */
	{ "id -u alice", "root", "id -u alice", "d" },
	{ "-u alice id", "alice", "id", "" },
	{ "-ualice id", "alice", "id", "" },
	{ "--user alice id", "alice", "id", "" },
	{ "--user=alice id", "alice", "id", "" },
	{ "-u=alice id", "=alice", "id", "" },          /* getopt's reading: the name begins with '=' */
	{ "-u #0 id", "-", "id", "" },
	{ "-u #1000 id", "-", "id", "" },
	{ "-u alice", "alice", "-", "" },
	{ "-n id", "root", "id", "dn" },
	{ "-nS id", "root", "id", "dnS" },
	{ "-A -k -b -B -H -P -N id", "root", "id", "dAb" },
	{ "-AkbBHPN id", "root", "id", "dAb" },
	{ "--non-interactive --stdin --askpass id", "root", "id", "dnSA" },
	{ "--background --bell --set-home --preserve-groups --no-update --reset-timestamp id", "root", "id", "db" },
	{ "-b id", "root", "id", "db" },
	{ "-nb id", "root", "id", "dnb" },
	{ "-bn -u alice id", "alice", "id", "nb" },
	{ "--background id", "root", "id", "db" },
	{ "id -b", "root", "id -b", "d" },
	{ "-p b id", "root", "id", "d" },
	{ "-i", "root", "-", "dl" },
	{ "--login", "root", "-", "dl" },
	{ "-iu alice", "?", "", "" },                   /* sudo would understand; certain it is not */
	{ "-i -u alice", "alice", "-", "l" },
	{ "-i id -u", "root", "id -u", "dl" },
	{ "-s", "root", "-", "ds" },
	{ "--shell -- id", "root", "id", "ds" },
	{ "-e /etc/hosts", "root", "/etc/hosts", "de" },
	{ "--edit -u alice /etc/hosts", "alice", "/etc/hosts", "e" },
	{ "-- -x", "root", "-x", "d" },
	{ "-u alice -- -u root id", "alice", "-u root id", "" },
	{ "-- A=b id", "root", "A=b id", "d" },         /* behind "--" it is a command */
	{ "-p prompt id", "root", "id", "d" },
	{ "-pprompt id", "root", "id", "d" },
	{ "-p '' id", "root", "id", "d" },
	{ "--prompt= id", "root", "id", "d" },
	{ "--prompt=x id", "root", "id", "d" },
	{ "- id", "root", "- id", "d" },                /* a lone dash is a word */
	{ "'' id", "root", "'' id", "d" },
	{ "/bin/a=b c", "root", "/bin/a=b c", "d" },    /* a path, no variable */

	/* Understood, but never to be allowed unseen. */
	{ "-E id", "root", "id", "do" },
	{ "-nE id", "root", "id", "don" },
	{ "--preserve-env id", "root", "id", "do" },
	{ "--preserve-env=PATH,HOME id", "root", "id", "do" },
	{ "-R /jail id", "root", "id", "do" },
	{ "--chroot=/jail id", "root", "id", "do" },
	{ "-D /tmp id", "root", "id", "do" },
	{ "--chdir /tmp id", "root", "id", "do" },
	{ "-g disk id", "root", "id", "do" },
	{ "-gdisk -u alice id", "alice", "id", "o" },
	{ "-C 5 id", "root", "id", "do" },
	{ "-h web2 id", "root", "id", "do" },
	{ "-hweb2 id", "root", "id", "do" },
	{ "--host=web2 id", "root", "id", "do" },
	{ "-r role -t type id", "root", "id", "do" },
	{ "-T 5 id", "root", "id", "do" },
	{ "-U alice id", "root", "id", "do" },
	{ "A=b id", "root", "id", "do" },
	{ "A=b -u alice C=d id", "alice", "id", "o" },  /* options go on behind a variable */
	{ "A= id", "root", "id", "do" },

	/* Not recognised: the target is unknown and all words are shown. */
	{ "--us=root id", "?", "", "" },
	{ "--us root id", "?", "", "" },
	{ "--u id", "?", "", "" },
	{ "-nu root id", "?", "", "" },
	{ "-nuroot id", "?", "", "" },
	{ "-p -urvalice id", "?", "", "" },
	{ "-p -- id", "?", "", "" },
	{ "-u -u id", "?", "", "" },
	{ "-u -- id", "?", "", "" },
	{ "-u '' id", "?", "", "" },
	{ "--user= id", "?", "", "" },
	{ "-u", "?", "", "" },
	{ "-n -u", "?", "", "" },
	{ "-u alice -u root id", "?", "", "" },
	{ "-u alice --user=root id", "?", "", "" },
	{ "-p a -p b id", "?", "", "" },
	{ "--login=x id", "?", "", "" },
	{ "--shel id", "?", "", "" },
	{ "--ba id", "?", "", "b" },
	{ "--backg id", "?", "", "b" },
	{ "--b id", "?", "", "" },                      /* --bell as well: sudo refuses it */
	{ "-nbu root id", "?", "", "b" },
	{ "-nu root -b id", "?", "", "b" },
	{ "-nu b id", "?", "", "" },
	{ "-nub id", "?", "", "" },
	{ "--us root A=b -b id", "?", "", "b" },
	{ "--us=root --back id", "?", "", "b" },
	{ "--us=root id -b", "?", "", "" },
	{ "--us=root -- -b", "?", "", "" },
	{ "-x id", "?", "", "" },
	{ "-nx id", "?", "", "" },
	{ "-n- id", "?", "", "" },
	{ "--nosuch id", "?", "", "" },
	{ "-h", "?", "", "" },
	{ "-h A=b id", "?", "", "" },
	{ "-nh web2 id", "?", "", "" },
	{ "-l", "?", "", "" },
	{ "-v", "?", "", "" },
	{ "-K", "?", "", "" },
	{ "-V", "?", "", "" },
	{ "-a type id", "?", "", "" },
	{ "-c class id", "?", "", "" },
	{ "=x id", "?", "", "" },
	{ "--- id", "?", "", "" },
};

static const struct line sudoedit_lines[] = {
	{ "/etc/hosts", "root", "/etc/hosts", "de" },
	{ "-u alice /etc/hosts /etc/motd", "alice", "/etc/hosts /etc/motd", "e" },
	{ "-nS -- -x", "root", "-x", "denS" },
	{ "-R /jail f", "root", "f", "deo" },
	{ "-s f", "?", "", "e" },
	{ "-i f", "?", "", "e" },
	{ "-e f", "?", "", "e" },
	{ "-E f", "?", "", "e" },
	{ "--preserve-env=X f", "?", "", "e" },
	{ "A=b f", "?", "", "e" },
};

static const struct line su_lines[] = {
	{ "", "root", "-", "ds" },
	{ "-", "root", "-", "dsl" },
	{ "-l", "root", "-", "dsl" },
	{ "alice", "alice", "-", "s" },
	{ "- alice", "alice", "-", "sl" },
	{ "--login alice", "alice", "-", "sl" },
	{ "alice -l", "alice", "-", "sl" },
	{ "-fP alice", "alice", "-", "s" },
	{ "--pty alice", "alice", "-", "s" },
	{ "-c id", "root", "id", "d" },
	{ "-c id alice", "alice", "id", "" },
	{ "- alice -c id", "alice", "id", "l" },
	{ "--command id - alice", "alice", "id", "l" },
	{ "-c '' alice", "?", "", "" },
	{ "-- alice", "alice", "-", "s" },
	{ "-c id -- - alice", "alice", "id", "l" },
	{ "-p alice", "alice", "-", "so" },
	{ "-m alice", "alice", "-", "so" },
	{ "--preserve-environment alice", "alice", "-", "so" },
	{ "-s /bin/sh alice", "alice", "-", "so" },
	{ "--shell=/bin/sh alice", "alice", "-", "so" },
	{ "-w A,B - alice", "alice", "-", "slo" },
	{ "-g disk alice", "alice", "-", "so" },

	{ "alice id", "?", "", "" },
	{ "alice -", "?", "", "" },
	{ "alice -- -c id", "?", "", "" },
	{ "-c id alice x", "?", "", "" },
	{ "-cid alice", "?", "", "" },
	{ "--command=id alice", "?", "", "" },
	{ "-lc id alice", "?", "", "" },
	{ "-c id -c ls", "?", "", "" },
	{ "-c -l alice", "?", "", "" },
	{ "-c", "?", "", "" },
	{ "--comm id alice", "?", "", "" },
	{ "--session-command id alice", "?", "", "" },
	{ "-u alice", "?", "", "" },
	{ "-h", "?", "", "" },
	{ "''", "?", "", "" },
	{ "-- -x", "?", "", "" },
	{ "- - alice", "?", "", "" },
};

static void flags_of(const struct host_command *c, char *out)
{
	sprintf(out, "%s%s%s%s%s%s%s%s%s", c->target_default ? "d" : "", c->shell ? "s" : "", c->login ? "l" : "",
		c->edit ? "e" : "", c->odd ? "o" : "", c->noninteractive ? "n" : "", c->stdin_password ? "S" : "",
		c->askpass ? "A" : "", c->background ? "b" : "");
}

static void expect_unrecognised(const struct line *l, const struct host_command *c, size_t n)
{
	if (c->recognised || c->target || c->command != 0 || c->words != n || !c->odd || !c->noninteractive)
		fail_msg("'%s' should not be recognised", l->line);
	if (c->edit != (l->flags[0] == 'e') || c->background != (strchr(l->flags, 'b') != NULL))
		fail_msg("'%s': edit %d, background %d", l->line, c->edit, c->background);
}

static void expect_line(const struct line *l, const struct host_command *c, const char **argv, size_t n)
{
	char command[256] = "", flags[16];

	if (l->target[0] == '?') {
		expect_unrecognised(l, c, n);
		return;
	}
	for (unsigned i = 0; i < c->words; i++)
		sprintf(command + strlen(command), "%s%s", i ? " " : "", *argv[c->command + i] ? argv[c->command + i] : "''");
	if (c->words == 0) {
		strcpy(command, "-");
		assert_int_equal(c->command, n);
	}
	flags_of(c, flags);
	if (!c->recognised || strcmp(c->target ? c->target : "-", l->target) != 0 || strcmp(command, l->command) != 0 ||
	    strcmp(flags, l->flags) != 0)
		fail_msg("'%s': wanted target %s, command '%s', flags '%s'; got %s, target %s, command '%s', flags '%s'",
			l->line, l->target, l->command, l->flags, c->recognised ? "recognised" : "not recognised",
			c->target ? c->target : "-", command, flags);
}

static void table(const struct line *lines, size_t count, bool su, bool edit)
{
	for (size_t i = 0; i < count; i++) {
		const char *argv[WORDS_MAX];
		struct host_command c;
		char buf[256];
		size_t n = split(lines[i].line, buf, argv);

		memset(&c, 0x5a, sizeof(c));
		if (su)
			su_args(argv, n, &c);
		else
			sudo_args(argv, n, edit, &c);
		expect_line(&lines[i], &c, argv, n);
	}
}

static void sudo_table(void **state)
{
	table(sudo_lines, ELEMENTS(sudo_lines), false, false);
}

static void sudoedit_table(void **state)
{
	table(sudoedit_lines, ELEMENTS(sudoedit_lines), false, true);
}

static void su_table(void **state)
{
	table(su_lines, ELEMENTS(su_lines), true, false);
}

/* What the programs themselves would make of a line, by the getopt_long(3) they call with the strings they give it.
 * -1: they would refuse it. */
struct truth {
	const char *target;
	int first;      /* index of the command's first word, without argv[0] */
	const char *command; /* su -c */
	int shell_words;     /* su: words behind the account */
	bool odd, login, shell, edit, noninteractive, stdin_password, askpass, background;
};

enum { OPT_HOST = 256, OPT_SESSION };
static const struct option sudo_long[] = {
	{ "background", 0, NULL, 'b' }, { "preserve-env", 2, NULL, 'E' }, { "edit", 0, NULL, 'e' },
	{ "set-home", 0, NULL, 'H' }, { "login", 0, NULL, 'i' }, { "remove-timestamp", 0, NULL, 'K' },
	{ "list", 0, NULL, 'l' }, { "preserve-groups", 0, NULL, 'P' }, { "shell", 0, NULL, 's' },
	{ "other-user", 1, NULL, 'U' }, { "validate", 0, NULL, 'v' }, { "askpass", 0, NULL, 'A' },
	{ "auth-type", 1, NULL, 'a' }, { "bell", 0, NULL, 'B' }, { "close-from", 1, NULL, 'C' },
	{ "login-class", 1, NULL, 'c' }, { "chdir", 1, NULL, 'D' }, { "group", 1, NULL, 'g' },
	{ "help", 0, NULL, 'h' }, { "host", 1, NULL, OPT_HOST }, { "reset-timestamp", 0, NULL, 'k' },
	{ "no-update", 0, NULL, 'N' }, { "non-interactive", 0, NULL, 'n' }, { "prompt", 1, NULL, 'p' },
	{ "chroot", 1, NULL, 'R' }, { "role", 1, NULL, 'r' }, { "stdin", 0, NULL, 'S' },
	{ "command-timeout", 1, NULL, 'T' }, { "type", 1, NULL, 't' }, { "user", 1, NULL, 'u' },
	{ "version", 0, NULL, 'V' }, { NULL, 0, NULL, 0 },
};

static bool sudo_variable(char *const *argv, int argc)
{
	return optind < argc && argv[optind][0] != '/' && argv[optind][0] != '=' && strchr(argv[optind], '=');
}

/* sudo's loop: options, then a variable, then options again, until something else or "--". */
static int sudo_truth(int argc, char **argv, struct truth *t)
{
	int c;

	*t = (struct truth){ .target = "root" };
	optind = 0;
	opterr = 0;
	for (;;) {
		c = getopt_long(argc, argv, "+Aa:BbC:c:D:Eeg:Hh::iKklNnPp:R:r:SsT:t:U:u:Vv", sudo_long, NULL);
		if (c == -1) {
			if (strcmp(argv[optind - 1], "--") == 0 || !sudo_variable(argv, argc))
				break;
			t->odd = true;
			optind++;
			continue;
		}
		if (c == 'h' && !optarg) {
			if (strcmp(argv[optind - 1], "-h") != 0 || !argv[optind] || argv[optind][0] == '-' ||
			    sudo_variable(argv, argc))
				return -1; /* help */
			optind++;
		}
		if (c == '?' || (c < OPT_HOST && strchr("acKlvV", c)))
			return -1;
		if (c == OPT_HOST || strchr("CDEghRrtTU", c))
			t->odd = true;
		t->target = c == 'u' ? optarg : t->target;
		t->login |= c == 'i';
		t->shell |= c == 's';
		t->edit |= c == 'e';
		t->noninteractive |= c == 'n';
		t->stdin_password |= c == 'S';
		t->askpass |= c == 'A';
		t->background |= c == 'b';
	}
	t->first = optind - 1;
	return 0;
}

static int su_truth(int argc, char **argv, struct truth *t)
{
	static const struct option options[] = {
		{ "command", 1, NULL, 'c' }, { "session-command", 1, NULL, OPT_SESSION }, { "fast", 0, NULL, 'f' },
		{ "login", 0, NULL, 'l' }, { "preserve-environment", 0, NULL, 'p' }, { "pty", 0, NULL, 'P' },
		{ "no-pty", 0, NULL, 'T' }, { "shell", 1, NULL, 's' }, { "group", 1, NULL, 'g' },
		{ "supp-group", 1, NULL, 'G' }, { "user", 1, NULL, 'u' }, { "whitelist-environment", 1, NULL, 'w' },
		{ "help", 0, NULL, 'h' }, { "version", 0, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	int c;

	*t = (struct truth){ .target = "root" };
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:fg:G:lmpPTs:u:hVw:", options, NULL)) != -1) {
		if (c == '?' || (c < OPT_HOST && strchr("uhV", c)))
			return -1;
		if (c == 'c' || c == OPT_SESSION)
			t->command = optarg;
		t->login |= c == 'l';
		t->odd |= c < OPT_HOST && strchr("gGmpsw", c);
	}
	if (optind < argc && strcmp(argv[optind], "-") == 0) {
		t->login = true;
		optind++;
	}
	if (optind < argc)
		t->target = argv[optind++];
	t->shell_words = argc - optind;
	return 0;
}

/* Words that lead parsers astray, in any order. */
static const char *const vocabulary[] = {
	"-u", "alice", "-ualice", "--user", "--user=alice", "--us=alice", "-u=x", "#0", "--", "-", "", "-n", "-nS", "-nu", "-p",
	"-pX", "--prompt", "--prompt=", "-E", "--preserve-env", "--preserve-env=X", "A=b", "=x", "/a=b", "id", "-h", "-hweb",
	"--host", "--host=w", "-g", "-R", "/jail", "-i", "-s", "-e", "-k", "-A", "-C", "5", "--login", "--shel", "-x", "-l",
	"-iu", "-sE", "-T", "-U", "-D", "-r", "-t", "--chdir=/", "--", "-u", "root", "--stdin", "-AbBHkNPn",
	"-b", "-nb", "-nbu", "--ba", "--background",
};
static const char *const su_vocabulary[] = {
	"-", "-", "alice", "root", "-c", "-c", "id", "-l", "--login", "-cid", "--command", "--command=id", "-lc", "--", "-f", "-P", "-p",
	"-m", "-s", "/bin/sh", "-w", "A", "-g", "-G", "-u", "", "-x", "--session-command", "--comm", "-fl", "--shell=/bin/sh",
	"--pty", "-T",
};

/* getopt permutes what it is given, so it gets copies. */
static int random_line(const char *const *words, unsigned count, const char **argv, char **copies)
{
	int n = (int)test_below(8);

	copies[0] = strdup("prog");
	for (int i = 0; i < n; i++) {
		argv[i] = words[test_below(count)];
		copies[i + 1] = strdup(argv[i]);
	}
	copies[n + 1] = NULL;
	return n;
}

static void show_and_fail(const char *what, const char **argv, int n)
{
	fprintf(stderr, "line:");
	for (int i = 0; i < n; i++)
		fprintf(stderr, " '%s'", argv[i]);
	fprintf(stderr, "\n");
	fail_msg("%s", what);
}

static void compare_sudo(const char **argv, int n, const struct host_command *c, const struct truth *t)
{
	const char *target = t->target[0] == '#' ? NULL : t->target;

	if ((c->target == NULL) != (target == NULL) || (target && strcmp(c->target, target) != 0))
		show_and_fail("another target", argv, n);
	if ((int)c->command != t->first || (int)(c->command + c->words) != n)
		show_and_fail("another command", argv, n);
	if (c->odd != t->odd || c->login != t->login || c->shell != t->shell || c->edit != t->edit)
		show_and_fail("other options", argv, n);
	if (c->noninteractive != t->noninteractive || c->stdin_password != t->stdin_password || c->askpass != t->askpass)
		show_and_fail("other ways to prompt", argv, n);
}

/* Whatever is recognised, and -b in every line, sudo reads in the same way, or refuses. */
static void sudo_agrees(void **state)
{
	unsigned recognised = 0;

	for (unsigned i = 0; i < 300000; i++) {
		const char *argv[WORDS_MAX];
		char *copies[WORDS_MAX + 2], *permuted[WORDS_MAX + 2];
		struct host_command c;
		struct truth t;
		int n = random_line(vocabulary, ELEMENTS(vocabulary), argv, copies);

		memcpy(permuted, copies, sizeof(permuted));
		sudo_args(argv, (size_t)n, false, &c);
		if (sudo_truth(n + 1, permuted, &t) == 0) {
			if (c.background != t.background)
				show_and_fail("another mind about the background", argv, n);
			if (c.recognised) {
				compare_sudo(argv, n, &c, &t);
				recognised++;
			}
		}
		for (int k = 0; k <= n; k++)
			free(copies[k]);
	}
	assert_true(recognised > 10000);
}

static void su_agrees(void **state)
{
	unsigned recognised = 0;

	for (unsigned i = 0; i < 300000; i++) {
		const char *argv[WORDS_MAX];
		char *copies[WORDS_MAX + 2], *permuted[WORDS_MAX + 2];
		struct host_command c;
		struct truth t;
		int n = random_line(su_vocabulary, ELEMENTS(su_vocabulary), argv, copies);

		memcpy(permuted, copies, sizeof(permuted));
		su_args(argv, (size_t)n, &c);
		if (c.recognised && su_truth(n + 1, permuted, &t) == 0) {
			if (strcmp(c.target, t.target) != 0 || t.shell_words != 0)
				show_and_fail("another account", argv, n);
			if ((c.words == 0) != (t.command == NULL) || (t.command && strcmp(argv[c.command], t.command) != 0))
				show_and_fail("another command", argv, n);
			if (c.odd != t.odd || c.login != t.login)
				show_and_fail("other options", argv, n);
			recognised++;
		}
		for (int k = 0; k <= n; k++)
			free(copies[k]);
	}
	assert_true(recognised > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sudo_table),
		cmocka_unit_test(sudoedit_table),
		cmocka_unit_test(su_table),
		cmocka_unit_test(sudo_agrees),
		cmocka_unit_test(su_agrees),
	};

	unsetenv("POSIXLY_CORRECT");
	return cmocka_run_group_tests_name("sudoargs", tests, NULL, NULL);
}
