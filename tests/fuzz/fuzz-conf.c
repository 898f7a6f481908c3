/* The reader of configuration, and behind it the parser of every key.  What a handler is told is whole: trimmed, without control
 * bytes, within bounds; what a key takes can be printed, and what was printed is taken again and prints the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/policy-keys.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct seen {
	unsigned section_no, line;
};

static void plain(const char *s)
{
	size_t len = strlen(s);

	must(len <= CONF_LINE_MAX && text_utf8(s, len));
	must(len == 0 || (!strchr(" \t", s[0]) && !strchr(" \t", s[len - 1])));
	for (; *s; s++)
		must((unsigned char)*s >= 0x20 || *s == '\t');
}

static void *new_object(unsigned section)
{
	void *o = calloc(1, section == IN_HOST ? sizeof(struct policy) : sizeof(struct rule));

	must(o != NULL);
	return o;
}

static void free_object(unsigned section, void *object)
{
	if (section == IN_HOST) {
		policy_free(object);
		return;
	}
	rule_done(object);
	free(object);
}

/* What KEY of OBJECT prints; NULL when there is nothing. */
static char *show(enum policy_key key, void *object)
{
	CLEAN(free_p) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool any = policy_key_table[key].type->show(out, object, policy_key_field(key, object));

	must(fclose(out) == 0);
	return any ? STEAL_PTR(text) : NULL;
}

static void try_key(enum policy_key key, const char *value)
{
	const struct key_info *k = &policy_key_table[key];
	unsigned section = k->sections & IN_HOST ? IN_HOST : IN_RULE;
	void *first = new_object(section), *second = new_object(section);
	CLEAN(free_p) char *printed = NULL, *again = NULL;
	struct why w = { "" };

	if (k->type->parse(value, first, policy_key_field(key, first), &w) < 0) {
		must(w.text[0]);
	} else if ((printed = show(key, first))) {
		must(k->type->parse(printed, second, policy_key_field(key, second), &w) == 0);
		again = show(key, second);
		must(again && strcmp(printed, again) == 0);
	}
	free_object(section, first);
	free_object(section, second);
}

static void take_line(const struct conf_line *l, struct conf_errors *e, void *userdata)
{
	struct seen *seen = userdata;

	must(l->line >= seen->line && l->section[0]);
	seen->line = l->line;
	plain(l->section);
	if (l->name)
		plain(l->name);
	if (!l->key) {
		must(!l->value && l->section_no == seen->section_no + 1);
		seen->section_no++;
		return;
	}
	must(l->section_no == seen->section_no && l->key[0]);
	plain(l->key);
	plain(l->value);
	for (int i = 0; i < KEY_COUNT; i++)
		if (*l->value && strcmp(l->key, policy_key_table[i].name) == 0)
			try_key((enum policy_key)i, l->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	CLEAN(free_p) char *text = malloc(size ? size : 1);
	struct seen seen = { 0 };
	struct conf_reading r = { .handler = take_line, .userdata = &seen };

	if (size > 0)
		memcpy(text, data, size);
	conf_parse(&r, text, size, "f", &e);
	must(e.n <= CONF_ERRORS_MAX && !e.out_of_memory && r.section_no == seen.section_no);
	for (size_t i = 0; i < e.n; i++)
		must(strncmp(e.list[i], "f:", 2) == 0 || i == CONF_ERRORS_MAX - 1);
	return 0;
}
