/* The table of keys as policy's own files see it.  Nobody else includes this. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "lib/policy.h"

enum policy_section { IN_HOST = 1, IN_DEFAULT = 2, IN_RULE = 4, TERMS = 8 /* says something only where somebody is asked */ };

enum policy_key {
#define HOST(key, field, type, fallback, text) HOST_##key, /* [Host] and [Rule] may have keys of one name */
#define MATCH(key, field, type, text) KEY_##key,
#define RULE(key, field, type, fallback, text) KEY_##key,
#define CHECK(key, field, type, fallback, text) KEY_##key,
#define TERM(key, field, type, fallback, text) KEY_##key,
#include "lib/policy-keys.def"
	KEY_COUNT
};
_Static_assert(KEY_COUNT <= 64, "the loader keeps sets of keys in 64 bits");

/* How the values of a key are read and written.  OBJECT is the struct policy or struct rule, FIELD the key's field in it. */
struct value_type {
	bool list; /* assignments add, an empty one clears; the field is a char ** */
	/* 0, -EINVAL with words, -ENOMEM; what was there stays on failure. */
	int (*parse)(const char *value, void *object, void *field, struct why *w);
	bool (*show)(FILE *out, const void *object, const void *field); /* false: there is nothing to show */
};

struct key_info {
	const char *name;
	unsigned sections; /* of enum policy_section */
	bool matcher;
	size_t offset;
	const struct value_type *type;
	const char *fallback, *text;
};
extern const struct key_info policy_key_table[KEY_COUNT];

int policy_key_find(const char *name, unsigned section); /* enum policy_key or -ENOENT */
void *policy_key_field(enum policy_key key, void *object);

/* Types of lists: of policy-keys.c, and made of these, of policy-where.c. */
typedef int (*word_check)(const char *word, struct why *w);
/* Adds the words of VALUE to *FIELD when CHECK takes them all. */
int add_checked(char ***field, const char *value, word_check check, struct why *w);
bool show_list(FILE *out, const char *between, char *const *list);
bool show_words(FILE *out, const void *object, const void *field);
extern const struct value_type type_labels, type_folders, type_terminals, type_networks, type_patterns, type_hours,
	type_checks, type_escalations;

void rule_done(struct rule *r);
/* Sets `elsewhere` of all rules, once they, the host's name and its labels are complete. */
void policy_settle(struct policy *p);
/* What the matchers need of the lists' texts, once they are complete.  0, -ENOMEM, -EINVAL with words. */
int rule_compile(struct rule *r, struct zone **zones, struct why *w);
/* What the checks' texts say; *BAD_KEY is the key whose values do not go together.  0, -ENOMEM, -EINVAL with words. */
int rule_compile_checks(struct rule *r, enum policy_key *bad_key, struct why *w);
void rule_checks_done(struct rule *r);
/* The next word of a command pattern at *AT, which moves behind it; NULL at the end.  A backslash takes the character
 * behind it along, so "\ " is part of the word. */
const char *command_word(const char **at, size_t *len);
