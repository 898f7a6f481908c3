/* allowed_signers files, read so strictly that ssh-keygen and this reader cannot disagree on what a line means. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/sshkey.h"
#include "lib/text.h"

#define PRINCIPALS_MAX 16 /* on one line */

static void signer_done(struct signer *s)
{
	for (size_t i = 0; s->principals && s->principals[i]; i++)
		free(s->principals[i]);
	free(s->principals);
	sshkey_done(&s->key);
	free(s->text);
	*s = (struct signer){ 0 };
}

void signers_done(struct signers *s)
{
	for (size_t i = 0; i < s->n; i++)
		signer_done(&s->list[i]);
	free(s->list);
	free(s->bytes);
	*s = (struct signers){ 0 };
}

static int digits(const char *s, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (s[i] - '0');
	return v;
}

/* YYYYMMDD[HHMM[SS]][Z] → usec.  timegm tells a day that does not exist: it comes back as another one.  Local time is
 * standard time all the year round (tm_isdst is 0), because ssh-keygen reads it so. */
static int time_parse(const char *s, size_t len, uint64_t *ret)
{
	bool utc = len > 0 && s[len - 1] == 'Z';
	struct tm tm = { 0 }, utc_tm;
	time_t t;

	len -= utc;
	if ((len != 8 && len != 12 && len != 14) || strspn(s, "0123456789") < len)
		return -EINVAL;
	tm.tm_year = digits(s, 4) - 1900;
	tm.tm_mon = digits(s + 4, 2) - 1;
	tm.tm_mday = digits(s + 6, 2);
	if (len > 8) {
		tm.tm_hour = digits(s + 8, 2);
		tm.tm_min = digits(s + 10, 2);
	}
	if (len > 12)
		tm.tm_sec = digits(s + 12, 2);
	utc_tm = tm;
	t = timegm(&utc_tm);
	if (utc_tm.tm_year != tm.tm_year || utc_tm.tm_mon != tm.tm_mon || utc_tm.tm_mday != tm.tm_mday ||
	    utc_tm.tm_hour != tm.tm_hour || utc_tm.tm_min != tm.tm_min || utc_tm.tm_sec != tm.tm_sec)
		return -EINVAL;
	if (!utc)
		t = mktime(&tm);
	if (t <= 0) /* ssh-keygen takes 0 for "not said" */
		return -EINVAL;
	*ret = (uint64_t)t * USEC_PER_SEC;
	return 0;
}

/* One line being read: CP moves on. */
struct line {
	const char *cp;
	const char *path, *ns;
	bool has_namespaces;
	struct signer s;
};

static void line_done(struct line *l)
{
	signer_done(&l->s);
}

/* NAME="VALUE": no escapes, because no value that is allowed needs one.  True: *RET is within the line. */
static bool option_value(struct line *l, const char *name, const char **ret, size_t *ret_len)
{
	size_t n = strlen(name), len;

	if (strncmp(l->cp, name, n) != 0 || l->cp[n] != '=' || l->cp[n + 1] != '"')
		return false;
	len = strcspn(l->cp + n + 2, "\"\\");
	if (l->cp[n + 2 + len] != '"')
		return false;
	*ret = l->cp + n + 2;
	*ret_len = len;
	l->cp += n + 2 + len + 1;
	return true;
}

#define OPTIONS "namespaces=\"…\", valid-after=\"…\", valid-before=\"…\", cert-authority"

static int parse_option(struct line *l, struct why *w)
{
	const char *value;
	size_t len;

	if (strncmp(l->cp, "cert-authority", 14) == 0 && strchr(", \t", l->cp[14])) {
		if (l->s.cert_authority)
			return why(w, -EINVAL, "%s:%u: cert-authority is said twice", l->path, l->s.line);
		l->s.cert_authority = true;
		l->cp += 14;
	} else if (option_value(l, "namespaces", &value, &len)) {
		if (l->has_namespaces)
			return why(w, -EINVAL, "%s:%u: namespaces= is said twice", l->path, l->s.line);
		if (len != strlen(l->ns) || memcmp(value, l->ns, len) != 0)
			return why(w, -EINVAL, "%s:%u: namespaces= must be exactly \"%s\"", l->path, l->s.line,
				l->ns);
		l->has_namespaces = true;
	} else if (option_value(l, "valid-after", &value, &len)) {
		if (l->s.valid_after != 0 || time_parse(value, len, &l->s.valid_after) < 0)
			return why(w, -EINVAL, "%s:%u: valid-after= is not one time as YYYYMMDD[HHMM[SS]][Z]", l->path,
				l->s.line);
	} else if (option_value(l, "valid-before", &value, &len)) {
		if (l->s.valid_before != USEC_INFINITY || time_parse(value, len, &l->s.valid_before) < 0)
			return why(w, -EINVAL, "%s:%u: valid-before= is not one time as YYYYMMDD[HHMM[SS]][Z]", l->path,
				l->s.line);
	} else
		return why(w, -EINVAL, "%s:%u: '%.*s' is not an option (" OPTIONS ")", l->path, l->s.line,
			(int)strcspn(l->cp, ", \t"), l->cp);
	return 0;
}

static int parse_options(struct line *l, struct why *w)
{
	size_t word = strcspn(l->cp, " \t");
	int r;

	if (word == 0 || (!memchr(l->cp, '=', word) && !memchr(l->cp, ',', word) &&
				 strncmp(l->cp, "cert-authority", word) != 0))
		return why(w, -EINVAL, "%s:%u: namespaces=\"%s\" must stand between principal and key", l->path,
			l->s.line, l->ns);
	for (;;) {
		r = parse_option(l, w);
		if (r < 0)
			return r;
		if (*l->cp == ' ' || *l->cp == '\t')
			break;
		if (*l->cp != ',')
			return why(w, -EINVAL, "%s:%u: options are separated by ',' and end before a key", l->path,
				l->s.line);
		l->cp++;
	}
	if (!l->has_namespaces)
		return why(w, -EINVAL, "%s:%u: namespaces=\"%s\" is missing", l->path, l->s.line, l->ns);
	if (l->s.valid_before <= l->s.valid_after)
		return why(w, -EINVAL, "%s:%u: valid-before= is not after valid-after=", l->path, l->s.line);
	return 0;
}

static int parse_principals(struct line *l, struct why *w)
{
	size_t len = strcspn(l->cp, " \t"), n = 1, used;

	for (size_t i = 0; i < len; i++)
		n += l->cp[i] == ',';
	if (n > PRINCIPALS_MAX)
		return why(w, -EINVAL, "%s:%u: more than %d principals", l->path, l->s.line, PRINCIPALS_MAX);
	l->s.principals = calloc(n + 1, sizeof(char *));
	if (!l->s.principals)
		return why(w, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		used = strcspn(l->cp, ", \t");
		l->s.principals[i] = strndup(l->cp, used);
		if (!l->s.principals[i])
			return why(w, -ENOMEM, "out of memory");
		if (!principal_valid(l->s.principals[i]))
			return why(w, -EINVAL, "%s:%u: '%s' is not a principal (a plain name, no pattern)", l->path,
				l->s.line, l->s.principals[i]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(l->s.principals[i], l->s.principals[j]) == 0)
				return why(w, -EINVAL, "%s:%u: principal %s is listed twice", l->path, l->s.line,
					l->s.principals[i]);
		l->cp += used + (l->cp[used] == ',');
	}
	return 0;
}

static int parse_line(struct line *l, struct why *w)
{
	struct why inner;
	int r;

	for (const char *c = l->cp; *c; c++)
		if ((unsigned char)*c < ' ' && *c != '\t')
			return why(w, -EINVAL, "%s:%u: a control byte (\\x%02x)", l->path, l->s.line,
				(unsigned char)*c);
	r = parse_principals(l, w);
	if (r < 0)
		return r;
	l->cp += strspn(l->cp, " \t");
	r = parse_options(l, w);
	if (r < 0)
		return r;
	if (l->s.cert_authority && l->s.principals[1])
		return why(w, -EINVAL, "%s:%u: cert-authority takes exactly one principal", l->path, l->s.line);
	l->cp += strspn(l->cp, " \t");
	r = sshkey_parse(l->cp, &l->s.key, &inner);
	if (r < 0)
		return why(w, r, "%s:%u: %s", l->path, l->s.line, inner.text);
	return 0;
}

static bool lists(const struct signer *s, const char *principal)
{
	for (size_t i = 0; s->principals[i]; i++)
		if (strcmp(s->principals[i], principal) == 0)
			return true;
	return false;
}

static bool share_principal(const struct signer *a, const struct signer *b)
{
	for (size_t i = 0; b->principals[i]; i++)
		if (lists(a, b->principals[i]))
			return true;
	return false;
}

static int check_doubles(const struct signers *all, const struct signer *new, const char *path, struct why *w)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct signer *old = &all->list[i];

		if (sshkey_equal(&old->key, &new->key) &&
		    (!old->cert_authority || !new->cert_authority || share_principal(old, new)))
			return why(w, -EINVAL, "%s:%u: this key is listed in line %u already", path, new->line,
				old->line);
	}
	return 0;
}

static int add_line(struct signers *all, const char *text, unsigned no, const char *path, const char *ns,
	struct why *w)
{
	CLEAN(line_done) struct line l = { .path = path, .ns = ns };
	struct signer *grown;
	int r;

	l.s.line = no;
	l.s.valid_before = USEC_INFINITY;
	l.s.text = strdup(text);
	if (!l.s.text)
		return why(w, -ENOMEM, "out of memory");
	l.cp = l.s.text + strspn(l.s.text, " \t");
	if (*l.cp == '\0' || *l.cp == '#')
		return 0;
	if (all->n >= SIGNERS_MAX)
		return why(w, -EINVAL, "%s:%u: more than %d lines", path, no, SIGNERS_MAX);
	r = parse_line(&l, w);
	if (r < 0)
		return r;
	r = check_doubles(all, &l.s, path, w);
	if (r < 0)
		return r;
	grown = reallocarray(all->list, all->n + 1, sizeof *grown);
	if (!grown)
		return why(w, -ENOMEM, "out of memory");
	all->list = grown;
	all->list[all->n++] = l.s;
	l.s = (struct signer){ 0 };
	return 0;
}

int signers_parse(const char *bytes, size_t len, const char *path, const char *ns, struct signers *ret, struct why *w)
{
	CLEAN(signers_done) struct signers all = { 0 };
	CLEAN(free_p) char *lines = NULL;
	char *next, *line;
	unsigned no = 0;
	int r;

	if (len > 0 && memchr(bytes, 0, len))
		return why(w, -EINVAL, "%s: the file holds a NUL byte", path);
	all.bytes = malloc(len + 1);
	if (!all.bytes)
		return why(w, -ENOMEM, "out of memory");
	if (len > 0)
		memcpy(all.bytes, bytes, len);
	all.bytes[len] = '\0';
	all.len = len;
	lines = strdup(all.bytes);
	if (!lines)
		return why(w, -ENOMEM, "out of memory");
	next = lines;
	while ((line = strsep(&next, "\n"))) {
		r = add_line(&all, line, ++no, path, ns, w);
		if (r < 0)
			return r;
	}
	*ret = all;
	all = (struct signers){ 0 };
	return 0;
}

const struct signer *signers_find(const struct signers *s, const char *principal, const struct sshkey *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (sshkey_equal(&s->list[i].key, key) && lists(&s->list[i], principal))
			return &s->list[i];
	return NULL;
}
