#include "config.h"
#include "lib/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/conf.h"
#include "lib/file.h"
#include "lib/text.h"

#define BLANKS " \t"
#define COUNT_MAX 1000000
#define SHOWN_MAX 100 /* bytes of a check in front of its mistake: the mistake must not be cut */

enum argument { ARGUMENT_NONE, ARGUMENT_PATH, ARGUMENT_UNIT, ARGUMENT_NAME, ARGUMENT_PROGRAM, ARGUMENT_URL };
enum values { VALUE_DECIMAL, VALUE_SIZE, VALUE_COUNT, VALUE_SPAN, VALUE_UNIT_STATE, VALUE_PRESENCE, VALUE_PRESENCE_OR_AGE,
	VALUE_YES_NO, VALUE_NOTHING };

static const struct kind {
	const char *word;
	enum argument argument;
	enum values values;
	const char *verb;
} kinds[] = {
#define X(constant, word, argument, value, verb) { word, ARGUMENT_##argument, VALUE_##value, verb },
	CHECK_KINDS(X)
#undef X
};

static const char *const op_signs[] = { "<", "<=", ">", ">=", "=", "!=" };

/* What may stand on the right. */
static const struct {
	const char *const *words; /* NULL: none */
	bool numbers, equal;      /* numbers may stand there; they may be compared with = and != */
	const char *example;
} values[] = {
	[VALUE_DECIMAL] = { NULL, true, false, "8 or 1.5" },
	[VALUE_SIZE] = { NULL, true, false, "500M, 2G or 10%" },
	[VALUE_COUNT] = { NULL, true, true, "3" },
	[VALUE_SPAN] = { NULL, true, false, "10min or 2h" },
	[VALUE_UNIT_STATE] = { (const char *const[]){ "active", "reloading", "inactive", "failed", "activating", "deactivating",
		"maintenance", NULL }, false, false, "active, inactive or failed" },
	[VALUE_PRESENCE] = { (const char *const[]){ "present", "absent", NULL }, false, false, "present or absent" },
	[VALUE_PRESENCE_OR_AGE] = { (const char *const[]){ "present", "absent", NULL }, true, false,
		"present, absent, or an age such as <1h" },
	[VALUE_YES_NO] = { (const char *const[]){ "yes", "no", NULL }, false, false, "yes or no" },
	[VALUE_NOTHING] = { NULL, false, false, "" },
};

static void free_list(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

void check_done(struct check *c)
{
	free(c->text);
	free(c->argument);
	free_list(c->argv);
	*c = (struct check){ 0 };
}

bool check_by_courier(const struct check *c)
{
	return c->kind == CHECK_HTTP || c->kind == CHECK_HTTPS;
}

/* ---- words ---- */

/* The end of the word that begins at S: a blank that no backslash stands before. */
static const char *word_end(const char *s)
{
	while (*s && !strchr(BLANKS, *s))
		s += s[0] == '\\' && s[1] ? 2 : 1;
	return s;
}

static bool is_exec(const char *s)
{
	return strncmp(s, "exec:", 5) == 0;
}

const char *check_next(const char **at, size_t *len)
{
	const char *begin = *at + strspn(*at, BLANKS), *end;

	if (!*begin)
		return NULL;
	end = is_exec(begin) ? begin + strlen(begin) : word_end(begin);
	*at = end;
	while (end > begin && strchr(BLANKS, end[-1]) && !(end - 1 > begin && end[-2] == '\\'))
		end--;
	*len = (size_t)(end - begin);
	return begin;
}

/* Without its backslashes. */
static char *plain(const char *s, size_t len)
{
	char *copy = malloc(len + 1), *out = copy;

	for (size_t i = 0; copy && i < len; i++) {
		if (s[i] == '\\' && i + 1 < len)
			i++;
		*out++ = s[i];
	}
	if (copy)
		*out = '\0';
	return copy;
}

/* … and with them again.  A backslash also stands before a word of a program that would be something else without. */
static void put_escaped(FILE *f, const char *s, bool first)
{
	for (; *s; s++, first = false) {
		if (first || strchr(BLANKS "\\", *s))
			fputc('\\', f);
		fputc(*s, f);
	}
}

/* ---- arguments ---- */

static int judge_path(const char *path, struct why *w)
{
	if (path[0] != '/' || strstr(path, "//") || strstr(path, "/../") || strstr(path, "/./"))
		return why(w, -EINVAL, "'%s' is not an absolute path without '//', '.' and '..'", path);
	/* PrivateTmp= of jitd.service: a flag there would never be seen. */
	if (strncmp(path, "/tmp/", 5) == 0 || strncmp(path, "/var/tmp/", 9) == 0)
		return why(w, -EINVAL, "'%s' lies in a folder of which jitd sees its own: put it elsewhere", path);
	return 0;
}

static int judge_unit(const char *unit, struct why *w)
{
	static const char *const types[] = { ".service", ".socket", ".mount", ".automount", ".target", ".timer", ".path", ".swap",
		".slice", ".scope", ".device" };
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@";
	size_t len = strlen(unit);

	for (size_t i = 0; i < ELEMENTS(types) && len < 256 && strspn(unit, letters) == len; i++)
		if (len > strlen(types[i]) && strcmp(unit + len - strlen(types[i]), types[i]) == 0)
			return 0;
	return why(w, -EINVAL, "'%s' is not the name of a unit: write it like nginx.service", unit);
}

static int judge_url(const char *url, struct why *w)
{
	const char *host = strstr(url, "://") + 3;

	if (strchr("/?:", *host)) /* also at the end */
		return why(w, -EINVAL, "'%s' names no host", url);
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"<>\\^`{|}#", *c))
			return why(w, -EINVAL, "'%s' is no URL as it is sent: write blanks and other signs as %%20, and no '#'",
				url);
	if (memchr(host, '@', strcspn(host, "/?")))
		return why(w, -EINVAL, "'%s' holds a name or a password: anybody who reads the ledger would read it", url);
	return 0;
}

static int judge_argument(const struct kind *k, const char *argument, struct why *w)
{
	switch (k->argument) {
	case ARGUMENT_PATH:
		return judge_path(argument, w);
	case ARGUMENT_UNIT:
		return judge_unit(argument, w);
	case ARGUMENT_NAME:
		return name_valid(argument) ? 0 : why(w, -EINVAL, "'%s' is not the name of an account", argument);
	case ARGUMENT_URL:
		return judge_url(argument, w);
	case ARGUMENT_NONE:
	case ARGUMENT_PROGRAM:
		break;
	}
	return 0;
}

/* ---- values ---- */

/* "12", "1.5", in thousandths; *REST stands behind it. */
static int decimal(const char *s, uint64_t *ret, const char **rest)
{
	uint64_t n = 0, unit = 100;
	const char *begin = s;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > UINT64_C(1000000000000))
			return -ERANGE;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	if (s == begin)
		return -EINVAL;
	n *= 1000;
	if (*s == '.') {
		begin = ++s;
		for (; *s >= '0' && *s <= '9'; s++, unit /= 10)
			n += (uint64_t)(*s - '0') * unit;
		if (s == begin || s - begin > 3)
			return -EINVAL;
	}
	*ret = n;
	*rest = s;
	return 0;
}

static int size_value(struct check *c, const char *value)
{
	static const char units[] = "KMGT";
	const char *rest, *unit;
	uint64_t n;

	if (decimal(value, &n, &rest) < 0)
		return -EINVAL;
	if (strcmp(rest, "%") == 0) {
		c->percent = true;
		c->number = n / 1000;
		return n % 1000 || c->number > 100 ? -EINVAL : 0;
	}
	unit = *rest && !rest[1] ? strchr(units, *rest) : NULL;
	if (*rest && !unit)
		return -EINVAL;
	for (const char *u = units; unit && u <= unit; u++) {
		if (n > UINT64_MAX / 1024)
			return -ERANGE;
		n *= 1024;
	}
	c->number = n / 1000;
	return 0;
}

static int number_value(struct check *c, enum values kind, const char *value)
{
	unsigned long long n;
	const char *rest;
	int r;

	switch (kind) {
	case VALUE_DECIMAL:
		r = decimal(value, &c->number, &rest);
		return r < 0 || *rest ? -EINVAL : 0;
	case VALUE_SIZE:
		return size_value(c, value);
	case VALUE_COUNT:
		r = number_parse(value, COUNT_MAX, &n);
		c->number = n;
		return r;
	default:
		return span_parse(value, &c->number, NULL);
	}
}

/* 10 of what?  Bytes and seconds are what hardly anybody means. */
static bool lacks_unit(enum values kind, const char *value)
{
	if (kind != VALUE_SIZE && kind != VALUE_SPAN && kind != VALUE_PRESENCE_OR_AGE)
		return false;
	return *value && !value[strspn(value, "0123456789.")] && value[strspn(value, "0.")];
}

static int take_value(struct check *c, const struct kind *k, const char *value, struct why *w)
{
	bool equal = c->op == CHECK_EQUAL || c->op == CHECK_NOT_EQUAL;
	const char *const *words = values[k->values].words;

	for (size_t i = 0; words && words[i]; i++)
		if (strcmp(words[i], value) == 0) {
			if (!equal)
				return why(w, -EINVAL, "before '%s' stands = or !=, not '%s'", value, op_signs[c->op]);
			c->word = true;
			c->number = i;
			c->value = words[i];
			return 0;
		}
	if (lacks_unit(k->values, value))
		return why(w, -EINVAL, "'%s' has no unit: write it like %s", value,
			values[k->values == VALUE_SIZE ? VALUE_SIZE : VALUE_SPAN].example);
	if (!values[k->values].numbers || number_value(c, k->values, value) < 0)
		return why(w, -EINVAL, "'%s' is nothing that %s can be: write %s", value, k->word, values[k->values].example);
	if (equal && !values[k->values].equal)
		return why(w, -EINVAL, "%s is compared with < or >: it is never exactly %s", k->word, value);
	return 0;
}

/* ---- the whole ---- */

static const struct kind *find_kind(const char *s, size_t len)
{
	for (size_t i = 0; i < ELEMENTS(kinds); i++)
		if (strlen(kinds[i].word) == len && strncmp(kinds[i].word, s, len) == 0)
			return &kinds[i];
	return NULL;
}

static int unknown_kind(const char *s, size_t len, struct why *w)
{
	char known[256] = "";
	size_t n = 0;

	for (size_t i = 0; i < ELEMENTS(kinds) && n < sizeof(known); i++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, " %s", kinds[i].word);
	return why(w, -EINVAL, "'%.*s' is no check; there are:%s", (int)(len > 60 ? 60 : len), s, known);
}

/* The last sign of comparison in S, so that an argument may hold some; the value never does. */
static bool find_op(const char *s, size_t *ret_at, enum check_op *ret_op, const char **ret_value)
{
	size_t at = strlen(s);
	bool two;

	while (at > 0 && !strchr("<>=", s[at - 1]))
		at--;
	if (at == 0)
		return false;
	*ret_value = s + at;
	at--;
	two = s[at] == '=' && at > 0 && strchr("<>!", s[at - 1]);
	if (two)
		at--;
	for (size_t i = 0; i < ELEMENTS(op_signs); i++)
		if (strlen(op_signs[i]) == (two ? 2 : 1) && strncmp(op_signs[i], s + at, strlen(op_signs[i])) == 0)
			*ret_op = (enum check_op)i;
	*ret_at = at;
	return true;
}

static bool is_check(const char *word)
{
	struct check c = { 0 };
	bool is = check_parse(word, &c, NULL) == 0;

	check_done(&c);
	return is;
}

static int print_text(struct check *c, const struct kind *k, const char *value)
{
	CLEAN(free_p) char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	if (k->argument == ARGUMENT_URL)
		fputs(c->argument, f);
	else
		fputs(k->word, f);
	if (k->argument != ARGUMENT_NONE && k->argument != ARGUMENT_URL)
		fputc(':', f);
	for (size_t i = 0; c->argv && c->argv[i]; i++) {
		fputs(i ? " " : "", f);
		put_escaped(f, c->argv[i], i > 0 && (strcmp(c->argv[i], "|") == 0 || is_check(c->argv[i])));
	}
	if (c->argument && k->argument != ARGUMENT_URL)
		put_escaped(f, c->argument, false);
	if (value)
		fprintf(f, "%s%s", op_signs[c->op], value);
	if (ferror(f) | fclose(f))
		return -ENOMEM;
	c->text = STEAL_PTR(text);
	return 0;
}

/* A check behind exec: would silently be no check any more. */
static int judge_exec_word(const char *raw, const char *word, struct why *w)
{
	if (raw[0] != '\\' && is_check(word))
		return why(w, -EINVAL, "'%s' behind exec: would be an argument of the program: write it in front of exec: or in a "
			"line of its own (\\%s when the program wants it)", word, word);
	if (strcmp(word, "|") == 0 && raw[0] != '\\')
		return why(w, -EINVAL, "a lone '|' behind exec: (\\| when the program wants the sign itself)");
	return 0;
}

static int take_program(struct check *c, const char *at, struct why *w)
{
	size_t n = 0;
	int r = 0;

	c->argv = calloc(CHECK_ARGS_MAX + 1, sizeof(char *));
	if (!c->argv)
		return why(w, -ENOMEM, "out of memory");
	for (at += strspn(at, BLANKS); *at; at += strspn(at, BLANKS)) {
		const char *end = word_end(at);

		if (n == CHECK_ARGS_MAX)
			return why(w, -EINVAL, "a program with more than %d words", CHECK_ARGS_MAX);
		c->argv[n] = plain(at, (size_t)(end - at));
		if (!c->argv[n])
			return why(w, -ENOMEM, "out of memory");
		r = n ? judge_exec_word(at, c->argv[n], w) : judge_path(c->argv[0], w);
		if (r < 0)
			return r;
		n++;
		at = end;
	}
	return n ? 0 : why(w, -EINVAL, "exec: what? write it like exec:/usr/local/lib/site/may-restart");
}

/* LEFT is what stands before the comparison, in LEN bytes; K's word, or that and ":ARGUMENT". */
static int take_left(struct check *c, const struct kind *k, const char *left, size_t len, struct why *w)
{
	size_t word = strlen(k->word);

	c->kind = (enum check_kind)(k - kinds);
	if (k->argument == ARGUMENT_NONE)
		return word == len ? 0 : why(w, -EINVAL, "%s stands alone, without '%.*s'", k->word, (int)(len - word),
			left + word);
	if (word >= len || left[word] != ':' || word + 1 == len)
		return why(w, -EINVAL, "%s needs to know of what: write it like %s:…", k->word, k->word);
	c->argument = plain(left + word + 1, len - word - 1);
	return c->argument ? judge_argument(k, c->argument, w) : why(w, -ENOMEM, "out of memory");
}

static int parse_comparison(const char *text, struct check *c, struct why *w)
{
	size_t word = strcspn(text, ":<>=!\\"), at;
	const struct kind *k = find_kind(text, word);
	const char *value;
	struct why part = { "" };
	int r;

	if (!k)
		return unknown_kind(text, word, w);
	if (k->values == VALUE_NOTHING)
		return why(w, -EINVAL, "'%s' is no URL: write it like https://status.example.com/open", text);
	if (*word_end(text))
		return why(w, -EINVAL, "'%s' is more than one check", text);
	if (!find_op(text, &at, &c->op, &value))
		return why(w, -EINVAL, "'%s' compares with nothing: behind it stands <, >, = or != and %s", text,
			values[k->values].example);
	r = take_left(c, k, text, at, &part);
	if (r == 0)
		r = take_value(c, k, value, &part);
	if (r < 0)
		return why(w, r, "'%.*s%s': %s", SHOWN_MAX, text, strlen(text) > SHOWN_MAX ? "..." : "", part.text);
	return print_text(c, k, value) < 0 ? why(w, -ENOMEM, "out of memory") : 0;
}

static int parse_url(const char *text, struct check *c, struct why *w)
{
	int r;

	c->kind = strncmp(text, "https", 5) == 0 ? CHECK_HTTPS : CHECK_HTTP;
	c->argument = strdup(text);
	if (!c->argument)
		return why(w, -ENOMEM, "out of memory");
	r = judge_url(text, w);
	if (r == 0 && print_text(c, &kinds[c->kind], NULL) < 0)
		r = why(w, -ENOMEM, "out of memory");
	return r;
}

static int parse_exec(const char *text, struct check *c, struct why *w)
{
	int r;

	c->kind = CHECK_EXEC;
	r = take_program(c, text + 5, w);
	if (r == 0 && print_text(c, &kinds[CHECK_EXEC], NULL) < 0)
		r = why(w, -ENOMEM, "out of memory");
	return r;
}

int check_parse(const char *text, struct check *ret, struct why *w)
{
	CLEAN(check_done) struct check c = { 0 };
	int r;

	if (strlen(text) > CHECK_TEXT_MAX)
		return why(w, -EINVAL, "a check of more than %d bytes", CHECK_TEXT_MAX);
	if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0)
		r = parse_url(text, &c, w);
	else if (is_exec(text))
		r = parse_exec(text, &c, w);
	else
		r = parse_comparison(text, &c, w);
	if (r < 0)
		return r;
	*ret = c;
	c = (struct check){ 0 };
	return 0;
}

/* ---- judging ---- */

static bool compare(enum check_op op, uint64_t a, uint64_t b)
{
	switch (op) {
	case CHECK_LESS:
		return a < b;
	case CHECK_LESS_EQUAL:
		return a <= b;
	case CHECK_MORE:
		return a > b;
	case CHECK_MORE_EQUAL:
		return a >= b;
	case CHECK_EQUAL:
		return a == b;
	case CHECK_NOT_EQUAL:
		return a != b;
	}
	return false;
}

/* A*B, at most UINT64_MAX. */
static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* Of a total that is not known nothing holds. */
static bool compare_share(const struct check *c, const struct check_reading *r)
{
	if (c->percent)
		return r->total > 0 && compare(c->op, times(r->number, 100), times(c->number, r->total));
	return compare(c->op, r->number, c->number);
}

static bool compare_presence(const struct check *c, bool there)
{
	bool wanted = c->kind == CHECK_INCIDENT ? strcmp(c->value, "yes") == 0 : strcmp(c->value, "present") == 0;

	return (wanted == there) == (c->op == CHECK_EQUAL);
}

static const char *bytes(uint64_t n, char *buf, size_t size)
{
	static const char units[] = "BKMGTPE";
	unsigned u = 0;
	uint64_t tenths = n > UINT64_MAX / 10 ? UINT64_MAX : n * 10;

	while (tenths >= 10240 && u + 2 < sizeof(units)) {
		tenths /= 1024;
		u++;
	}
	if (tenths < 100 && u > 0)
		(void)snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, units[u]);
	else
		(void)snprintf(buf, size, "%" PRIu64 "%c", tenths / 10, units[u]);
	return buf;
}

static const char *hundredths(uint64_t thousandths, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%" PRIu64 ".%02" PRIu64, thousandths / 1000, thousandths % 1000 / 10);
	return buf;
}

struct words {
	char *text;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *t, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_line(t->text, t->size, line, n < 0 ? 0 : strlen(line));
}

/* " (15%)" or nothing. */
static const char *share(const struct check_reading *r, char *buf, size_t size)
{
	buf[0] = '\0';
	if (r->total > 0)
		(void)snprintf(buf, size, " (%" PRIu64 "%%)", r->number / (r->total / 100 ? r->total / 100 : 1));
	return buf;
}

static bool judge_number(const struct check *c, const struct check_reading *r, struct words *t)
{
	char a[32], b[32], s[32];

	switch (c->kind) {
	case CHECK_LOAD:
		say(t, "load is %s", hundredths(r->number, a, sizeof(a)));
		return compare(c->op, r->number, c->number);
	case CHECK_LOAD_PER_CORE:
		say(t, "load is %s on %" PRIu64 " cores", hundredths(r->number, a, sizeof(a)), r->total);
		return r->total > 0 && compare(c->op, r->number, times(c->number, r->total));
	case CHECK_MEMORY:
		say(t, "%s of %s available%s", bytes(r->number, a, sizeof(a)), bytes(r->total, b, sizeof(b)),
			share(r, s, sizeof(s)));
		return compare_share(c, r);
	default:
		say(t, "%s has %s of %s free%s", c->argument, bytes(r->number, a, sizeof(a)), bytes(r->total, b, sizeof(b)),
			share(r, s, sizeof(s)));
		return compare_share(c, r);
	}
}

static bool judge_count(const struct check *c, const struct check_reading *r, struct words *t)
{
	bool one = r->number == 1;

	if (c->kind == CHECK_USERS)
		say(t, "%" PRIu64 " user%s logged in", r->number, one ? "" : "s");
	else
		say(t, "%" PRIu64 " failed unit%s%s%s", r->number, one ? "" : "s", r->text && *r->text ? ": " : "",
			r->text ? r->text : "");
	return compare(c->op, r->number, c->number);
}

static bool judge_file(const struct check *c, const struct check_reading *r, struct words *t)
{
	char age[64];

	if (c->word || !r->present) {
		say(t, "%s is %sthere", c->argument, r->present ? "" : "not ");
		return c->word && compare_presence(c, r->present);
	}
	say(t, "%s is %s old", c->argument, span_format(r->number, age, sizeof(age)));
	return compare(c->op, r->number, c->number);
}

static bool judge_unit_state(const struct check *c, const struct check_reading *r, struct words *t)
{
	const char *is = r->word ? r->word : "unknown";

	say(t, "%s is %s", c->argument, is);
	return (strcmp(is, c->value) == 0) == (c->op == CHECK_EQUAL);
}

static bool judge_answer(const struct check *c, const struct check_reading *r, struct words *t)
{
	bool http = check_by_courier(c), holds = http ? r->number >= 200 && r->number < 300 : r->number == 0;
	const char *line = r->text ? r->text : "";

	if (holds && *line && !http)
		say(t, "%s", line);
	else
		say(t, "%s %" PRIu64 "%s%s", http ? "answer" : "exit status", r->number, *line ? ": " : "", line);
	return holds;
}

static bool judge(const struct check *c, const struct check_reading *r, struct words *t)
{
	char span[64];

	switch (c->kind) {
	case CHECK_LOAD:
	case CHECK_LOAD_PER_CORE:
	case CHECK_MEMORY:
	case CHECK_DISK:
		return judge_number(c, r, t);
	case CHECK_FAILED_UNITS:
	case CHECK_USERS:
		return judge_count(c, r, t);
	case CHECK_UNIT:
		return judge_unit_state(c, r, t);
	case CHECK_FILE:
		return judge_file(c, r, t);
	case CHECK_USER:
		say(t, "%s is %slogged in", c->argument, r->present ? "" : "not ");
		return compare_presence(c, r->present);
	case CHECK_UP:
		say(t, "up for %s", span_format(r->number, span, sizeof(span)));
		return compare(c->op, r->number, c->number);
	case CHECK_INCIDENT:
		say(t, "%s%s%s", r->present ? "an incident is open" : "no incident is open", r->text && *r->text ? ": " : "",
			r->text ? r->text : "");
		return compare_presence(c, r->present);
	case CHECK_EXEC:
	case CHECK_HTTP:
	case CHECK_HTTPS:
		return judge_answer(c, r, t);
	case CHECK_KIND_COUNT:
		break;
	}
	say(t, "unknown");
	return false;
}

bool check_judge(const struct check *c, const struct check_reading *r, char *text, size_t size)
{
	struct words t = { text, size };

	if (!r->error)
		return judge(c, r, &t);
	say(&t, "cannot be %s: %s", kinds[c->kind].verb, r->error);
	return false;
}
