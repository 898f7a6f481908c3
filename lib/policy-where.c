/* The types of values that say where and when: folders, terminals, networks, hosts, hours. */
#include "lib/policy-keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cidr.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/hours.h"
#include "lib/text.h"

#define BLANKS " \t"

static int check_label(const char *word, struct why *w)
{
	return name_valid(word) ? 0 : why(w, -EINVAL, "'%s' is not a label: write it like prod or dmz-2", word);
}

/* What could never be a folder's path would never match, and nobody would know. */
static int check_folder(const char *word, struct why *w)
{
	const char *path = word + (word[0] == '!');
	size_t len = strlen(path);

	if (path[0] != '/')
		return why(w, -EINVAL, "'%s' is not an absolute path (a '!' in front negates it)", word);
	if (strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../") || (len > 1 && path[len - 1] == '/'))
		return why(w, -EINVAL, "'%s' is never a folder's path: write it without '//', '.', '..' and '/' at the end", word);
	return 0;
}

static int check_terminal(const char *word, struct why *w)
{
	const char *name = word + (word[0] == '!');

	if (!*name || *name == '/')
		return why(w, -EINVAL, "'%s' is not a terminal: write it like pts/*, tty1 or none", word);
	return 0;
}

static int check_network(const char *word, struct why *w)
{
	struct cidr c;

	return cidr_parse(word + (word[0] == '!'), &c, w);
}

static int check_host(const char *word, struct why *w)
{
	if (!word[word[0] == '!'])
		return why(w, -EINVAL, "a '!' negates what stands behind it, without a blank between");
	return 0;
}

static int parse_labels(const char *value, void *object, void *field, struct why *w)
{
	return add_checked(field, value, check_label, w);
}

static int parse_terminals(const char *value, void *object, void *field, struct why *w)
{
	return add_checked(field, value, check_terminal, w);
}

static int parse_networks(const char *value, void *object, void *field, struct why *w)
{
	return add_checked(field, value, check_network, w);
}

static int parse_patterns(const char *value, void *object, void *field, struct why *w)
{
	return add_checked(field, value, check_host, w);
}

/* Puts what FRESH holds behind LIST; FRESH is freed in any case. */
static int append(char ***list, char **fresh, int r, struct why *w)
{
	if (r == 0 && conf_list_len(*list) + conf_list_len(fresh) > CONF_WORDS_MAX)
		r = why(w, -EINVAL, "more than %d entries", CONF_WORDS_MAX);
	for (size_t i = 0; r == 0 && fresh && fresh[i]; i++)
		r = conf_list_add(list, fresh[i], strlen(fresh[i]));
	conf_list_free(fresh);
	return r;
}

/* Words as in Command=: a backslash keeps a blank within one. */
static int parse_folders(const char *value, void *object, void *field, struct why *w)
{
	char **fresh = NULL;
	const char *word;
	size_t len;
	int r = 0;

	while (r == 0 && (word = command_word(&value, &len)))
		r = conf_list_add(&fresh, word, len);
	for (size_t i = 0; r == 0 && fresh && fresh[i]; i++)
		r = check_folder(fresh[i], w);
	return append(field, fresh, r, w);
}

/* One of the hours between '|', in TEXT of LEN bytes. */
static int take_hours(char ***list, const char *text, size_t len, struct why *w)
{
	CLEAN(free_p) char *copy = NULL;
	struct zone *zones = NULL;
	struct hours h;
	int r;

	while (len > 0 && strchr(BLANKS, *text)) {
		text++;
		len--;
	}
	while (len > 0 && strchr(BLANKS, text[len - 1]))
		len--;
	if (len == 0)
		return why(w, -EINVAL, "there is nothing on one side of a '|'");
	copy = strndup(text, len);
	if (!copy)
		return -ENOMEM;
	r = hours_parse(copy + (copy[0] == '!'), &zones, &h, w);
	zone_free(zones);
	return r < 0 ? r : conf_list_add(list, copy, len);
}

static int parse_hours(const char *value, void *object, void *field, struct why *w)
{
	char **fresh = NULL;
	int r = 0;

	for (;;) {
		size_t len = strcspn(value, "|");

		r = take_hours(&fresh, value, len, w);
		if (r < 0 || !value[len])
			return append(field, fresh, r, w);
		value += len + 1;
	}
}

static bool show_hours(FILE *out, const void *object, const void *field)
{
	return show_list(out, " | ", *(char *const *const *)field);
}

const struct value_type type_labels = { .list = true, .parse = parse_labels, .show = show_words };
const struct value_type type_folders = { .list = true, .parse = parse_folders, .show = show_words };
const struct value_type type_terminals = { .list = true, .parse = parse_terminals, .show = show_words };
const struct value_type type_networks = { .list = true, .parse = parse_networks, .show = show_words };
const struct value_type type_patterns = { .list = true, .parse = parse_patterns, .show = show_words };
const struct value_type type_hours = { .list = true, .parse = parse_hours, .show = show_hours };

int rule_compile(struct rule *r, struct zone **zones, struct why *w)
{
	size_t networks = conf_list_len(r->remote), hours = conf_list_len(r->hours);
	int e = 0;

	free(r->network);
	free(r->hour);
	r->network = networks ? calloc(networks, sizeof(*r->network)) : NULL;
	r->hour = hours ? calloc(hours, sizeof(*r->hour)) : NULL;
	if ((networks && !r->network) || (hours && !r->hour))
		return why(w, -ENOMEM, "out of memory");
	for (size_t i = 0; e == 0 && i < networks; i++)
		e = cidr_parse(r->remote[i] + (r->remote[i][0] == '!'), &r->network[i], w);
	for (size_t i = 0; e == 0 && i < hours; i++)
		e = hours_parse(r->hours[i] + (r->hours[i][0] == '!'), zones, &r->hour[i], w);
	return e;
}
