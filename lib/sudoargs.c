#include "lib/sudoargs.h"

#include <errno.h>
#include <string.h>

enum {
	ARGUMENT = 1, /* takes one */
	ODD = 2,      /* changes what runs, or where, or in which environment */
	NO_EDIT = 4,  /* sudoedit refuses it */
	EMPTY_OK = 8, /* an empty argument is fine */
};

struct option_form {
	char letter;
	unsigned char flags;
	const char *name; /* without the dashes; NULL: has only the letter */
};

/* sudo(8), 1.9.  Missing here, and so not recognised: -K -l -v -V and -h without a host, which run nothing. */
static const struct option_form sudo_options[] = {
	{ 'A', 0, "askpass" },
	{ 'b', NO_EDIT, "background" },
	{ 'B', 0, "bell" },
	{ 'C', ARGUMENT | ODD, "close-from" },
	{ 'D', ARGUMENT | ODD, "chdir" },
	{ 'e', NO_EDIT, "edit" },
	{ 'E', ODD | NO_EDIT, "preserve-env" },
	{ 'g', ARGUMENT | ODD, "group" },
	{ 'h', ARGUMENT | ODD, "host" },
	{ 'H', NO_EDIT, "set-home" },
	{ 'i', NO_EDIT, "login" },
	{ 'k', 0, "reset-timestamp" },
	{ 'n', 0, "non-interactive" },
	{ 'N', 0, "no-update" },
	{ 'p', ARGUMENT | EMPTY_OK, "prompt" },
	{ 'P', NO_EDIT, "preserve-groups" },
	{ 'r', ARGUMENT | ODD, "role" },
	{ 'R', ARGUMENT | ODD, "chroot" },
	{ 's', NO_EDIT, "shell" },
	{ 'S', 0, "stdin" },
	{ 't', ARGUMENT | ODD, "type" },
	{ 'T', ARGUMENT | ODD, "command-timeout" },
	{ 'u', ARGUMENT, "user" },
	{ 'U', ARGUMENT | ODD | NO_EDIT, "other-user" },
	{ 0 },
};

/* su(1) of util-linux.  Missing, and so not recognised: --session-command, -u, -h, -V. */
static const struct option_form su_options[] = {
	{ 'c', ARGUMENT, "command" },
	{ 'f', 0, "fast" },
	{ 'g', ARGUMENT | ODD, "group" },
	{ 'G', ARGUMENT | ODD, "supp-group" },
	{ 'l', 0, "login" },
	{ 'm', ODD, NULL },
	{ 'p', ODD, "preserve-environment" },
	{ 'P', 0, "pty" },
	{ 's', ARGUMENT | ODD, "shell" },
	{ 'T', 0, "no-pty" },
	{ 'w', ARGUMENT | ODD, "whitelist-environment" },
	{ 0 },
};

struct reader {
	const struct option_form *options;
	const char *const *argv;
	size_t argc, at; /* at: the word being read */
	bool edit;
	unsigned given[128]; /* how often each letter with an argument stood there */
	struct host_command *ret;
	/* An option was found; ARGUMENT is NULL for a flag; INDEX is the word that holds the argument. */
	int (*found)(struct reader *r, char letter, const char *argument, size_t index, bool attached);
};

static const struct option_form *by_letter(const struct option_form *o, char letter)
{
	for (; o->letter; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static const struct option_form *by_name(const struct option_form *o, const char *name, size_t len)
{
	for (; o->letter; o++)
		if (o->name && strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

/* ATTACHED: the argument stands in the option's own word; else it is the next word. */
static int take_option(struct reader *r, const struct option_form *o, const char *attached)
{
	const char *argument = attached;

	if (r->edit && (o->flags & NO_EDIT))
		return -EINVAL;
	if (o->flags & ODD)
		r->ret->odd = true;
	if (!(o->flags & ARGUMENT))
		return r->found(r, o->letter, NULL, r->at, false);
	if (r->given[(unsigned char)o->letter]++ > 0)
		return -EINVAL; /* sudo refuses it in one version and takes the last in another */
	if (!argument) {
		if (r->at + 1 >= r->argc)
			return -EINVAL;
		argument = r->argv[++r->at];
		if (o->letter == 'h' && strchr(argument, '='))
			return -EINVAL; /* "-h A=b" is help and a variable */
	}
	/* An argument that looks like an option is how a parser is led astray. */
	if (argument[0] == '-' || (!argument[0] && !(o->flags & EMPTY_OK)))
		return -EINVAL;
	return r->found(r, o->letter, argument, r->at, attached != NULL);
}

static int take_long(struct reader *r, const char *word)
{
	const char *equals = strchr(word, '=');
	const struct option_form *o = by_name(r->options, word, equals ? (size_t)(equals - word) : strlen(word));

	if (!o)
		return -EINVAL;
	if (equals && !(o->flags & ARGUMENT) && o->letter != 'E')
		return -EINVAL; /* only --preserve-env may have a list */
	return take_option(r, o, equals && (o->flags & ARGUMENT) ? equals + 1 : NULL);
}

/* "-n", "-nS", "-u", "-uroot": the word without its dash. */
static int take_short(struct reader *r, const char *letters)
{
	const struct option_form *o = by_letter(r->options, letters[0]);

	if (!o)
		return -EINVAL;
	if (o->flags & ARGUMENT)
		return take_option(r, o, letters[1] ? letters + 1 : NULL);
	for (; *letters; letters++) {
		o = by_letter(r->options, *letters);
		if (!o || (o->flags & ARGUMENT))
			return -EINVAL;
		if (take_option(r, o, NULL) < 0)
			return -EINVAL;
	}
	return 0;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

static int take_word(struct reader *r)
{
	const char *word = r->argv[r->at];
	int err = word[1] == '-' ? take_long(r, word + 2) : take_short(r, word + 1);

	if (err == 0)
		r->at++;
	return err;
}

static void unrecognised(struct host_command *ret, size_t argc, bool edit)
{
	*ret = (struct host_command){
		.words = (unsigned)argc,
		.edit = edit,
		.odd = true,
		.noninteractive = true,
	};
}

/* sudo. */

/* The one option called so or, where that is no name, the one whose name begins so. */
static const struct option_form *by_abbreviation(const char *word, size_t len)
{
	const struct option_form *o = by_name(sudo_options, word, len), *found = NULL;

	for (const struct option_form *p = sudo_options; !o && p->letter; p++)
		if (p->name && strncmp(p->name, word, len) == 0) {
			if (found)
				return NULL;
			found = p;
		}
	return o ? o : found;
}

/* Does WORD, an option or several, hold -b?  SKIP: the next word is the argument of its last one. */
static bool word_says_background(const char *word, bool *skip)
{
	const struct option_form *o;

	*skip = false;
	if (word[1] == '-') {
		o = by_abbreviation(word + 2, strcspn(word + 2, "="));
		*skip = o && (o->flags & ARGUMENT) && !strchr(word, '=');
		return o && o->letter == 'b';
	}
	while (*++word) {
		o = by_letter(sudo_options, *word);
		if (o && o->letter == 'b')
			return true;
		if (o && (o->flags & ARGUMENT)) {
			*skip = !word[1];
			return false;
		}
	}
	return false;
}

/* As getopt_long reads a line, also one of which nothing else is to be believed: at worst a line that sudo refuses is taken for one
 * with -b. */
static bool says_background(const char *const *argv, size_t argc)
{
	for (size_t i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		bool skip = false;

		if (!is_option(argv[i])) {
			/* Else the command; so it is to sudo behind any "--", an option's argument too. */
			if (argv[i][0] == '/' || argv[i][0] == '=' || !strchr(argv[i], '=') ||
			    (i && strcmp(argv[i - 1], "--") == 0))
				return false;
		} else if (word_says_background(argv[i], &skip))
			return true;
		i += skip;
	}
	return false;
}

static int found_sudo(struct reader *r, char letter, const char *argument, size_t index, bool attached)
{
	struct host_command *c = r->ret;

	switch (letter) {
	case 'A':
		c->askpass = true;
		break;
	case 'b':
		c->background = true;
		break;
	case 'e':
		c->edit = true;
		break;
	case 'i':
		c->login = true;
		break;
	case 'n':
		c->noninteractive = true;
		break;
	case 's':
		c->shell = true;
		break;
	case 'S':
		c->stdin_password = true;
		break;
	case 'u':
		c->target = argument[0] == '#' ? NULL : argument; /* a uid has no name without asking for it */
		break;
	default:
		break;
	}
	return 0;
}

/* sudo takes these between its options, until "--".  A word that begins with '=' is one in some versions only. */
static int take_variable(struct reader *r)
{
	if (r->edit || r->argv[r->at][0] == '=')
		return -EINVAL;
	r->ret->odd = true;
	r->at++;
	return 0;
}

static int read_sudo(struct reader *r)
{
	while (r->at < r->argc) {
		const char *word = r->argv[r->at];
		int err;

		if (strcmp(word, "--") == 0) {
			r->at++;
			return 0;
		}
		if (is_option(word))
			err = take_word(r);
		else if (word[0] != '/' && strchr(word, '='))
			err = take_variable(r);
		else
			return 0;
		if (err < 0)
			return err;
	}
	return 0;
}

void sudo_args(const char *const *argv, size_t argc, bool edit, struct host_command *ret)
{
	struct reader r = {
		.options = sudo_options, .argv = argv, .argc = argc, .edit = edit, .ret = ret, .found = found_sudo,
	};

	*ret = (struct host_command){ .edit = edit };
	if (read_sudo(&r) < 0) {
		unrecognised(ret, argc, edit);
		ret->background = says_background(argv, argc);
		return;
	}
	ret->recognised = true;
	ret->command = (unsigned)r.at;
	ret->words = (unsigned)(argc - r.at);
	if (r.given['u'] == 0) {
		ret->target = "root";
		ret->target_default = true;
	}
}

/* su. */

static int found_su(struct reader *r, char letter, const char *argument, size_t index, bool attached)
{
	switch (letter) {
	case 'c':
		if (attached)
			return -EINVAL; /* no word of argv is the command alone */
		r->ret->command = (unsigned)index;
		r->ret->words = 1;
		break;
	case 'l':
		r->ret->login = true;
		break;
	default:
		break;
	}
	return 0;
}

/* getopt lets options stand behind the account, so words that are none are sorted by their order: "-", then the
 * account.  A third one is the shell's. */
static int take_plain_word(struct reader *r, unsigned *seen)
{
	const char *word = r->argv[r->at++];

	if (*seen == 0 && strcmp(word, "-") == 0)
		r->ret->login = true;
	else if (*seen <= 1 && word[0] && word[0] != '-' && !r->ret->target)
		r->ret->target = word;
	else
		return -EINVAL;
	(*seen)++;
	return 0;
}

static int read_su(struct reader *r)
{
	unsigned seen = 0;
	bool options = true;

	while (r->at < r->argc) {
		const char *word = r->argv[r->at];
		int err;

		if (options && strcmp(word, "--") == 0) {
			options = false;
			r->at++;
			continue;
		}
		err = options && is_option(word) ? take_word(r) : take_plain_word(r, &seen);
		if (err < 0)
			return err;
	}
	return 0;
}

void su_args(const char *const *argv, size_t argc, struct host_command *ret)
{
	struct reader r = { .options = su_options, .argv = argv, .argc = argc, .ret = ret, .found = found_su };

	*ret = (struct host_command){ .command = (unsigned)argc };
	if (read_su(&r) < 0) {
		unrecognised(ret, argc, false);
		return;
	}
	ret->recognised = true;
	ret->shell = r.given['c'] == 0;
	if (!ret->target) {
		ret->target = "root";
		ret->target_default = true;
	}
}
