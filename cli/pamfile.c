/* Files of /etc/pam.d and their edit: see pamfile.h. */
#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "cli/pamfile.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/text.h"

#define INCLUDE_DEPTH 8
#define MODULE "pam_jit.so"

/* ---- one line ---- */

enum rule_kind { RULE_NONE, RULE_MODULE, RULE_INCLUDE, RULE_INCLUDE_ALL };

/* What a line says.  WORDS is the storage. */
struct rule {
	enum rule_kind kind;
	const char *type, *control, *what; /* "account", "required" or "[…]", module or included service */
	char words[1024];
};

static char *word(char **at)
{
	char *begin, *p = *at + strspn(*at, " \t");

	if (!*p || *p == '#')
		return NULL;
	begin = p;
	if (*p == '[') {
		while (*p && *p != ']')
			p++;
		if (*p)
			p++;
	} else {
		p += strcspn(p, " \t#");
	}
	/* A '#' begins a comment wherever it stands. */
	if (*p == '#')
		p[1] = 0;
	*at = *p && *p != '#' ? p + 1 : p + strlen(p);
	*p = 0;
	return begin;
}

/* Reads one line.  A line that is too long or broken is RULE_NONE with words in *RET_BAD. */
static void rule_read(const char *text, struct rule *r, const char **ret_bad)
{
	char *at = r->words, *type, *control, *what;

	*ret_bad = NULL;
	r->kind = RULE_NONE;
	if (strlen(text) >= sizeof(r->words)) {
		*ret_bad = "it is too long";
		return;
	}
	strcpy(r->words, text);
	type = word(&at);
	if (!type)
		return;
	control = word(&at);
	if (strcmp(type, "@include") == 0) {
		r->what = control;
		r->kind = control ? RULE_INCLUDE_ALL : RULE_NONE;
		*ret_bad = control ? NULL : "@include of nothing";
		return;
	}
	type += *type == '-';
	what = control ? word(&at) : NULL;
	if (!what) {
		*ret_bad = "it has no module";
		return;
	}
	for (char *p = type; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	r->type = type;
	r->control = control;
	r->what = what;
	r->kind = strcmp(control, "include") == 0 || strcmp(control, "substack") == 0 ? RULE_INCLUDE : RULE_MODULE;
}

static bool names_module(const char *what)
{
	const char *slash = strrchr(what, '/');

	return strcmp(slash ? slash + 1 : what, MODULE) == 0;
}

static bool line_ours(const struct pamfile_line *l)
{
	const char *bad, *hash = strchr(l->text, '#');
	struct rule r;

	rule_read(l->text, &r, &bad);
	return r.kind == RULE_MODULE && names_module(r.what) && hash && strcmp(hash, PAMFILE_MARK) == 0;
}

static bool line_type(const struct pamfile_line *l, const char *type)
{
	const char *bad;
	struct rule r;

	rule_read(l->text, &r, &bad);
	return r.kind == RULE_MODULE && strcmp(r.type, type) == 0;
}

/* ---- the file ---- */

void pamfile_done(struct pamfile *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->line[i].text);
	free(f->line);
	*f = (struct pamfile){0};
}

int pamfile_read(const char *text, size_t len, struct pamfile *ret, struct why *w)
{
	struct pamfile f CLEAN(pamfile_done) = {0};
	const char *end = text + len;

	if (memchr(text, 0, len))
		return why(w, -EINVAL, "it is no text");
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;
		struct pamfile_line *grown = reallocarray(f.line, f.n + 1, sizeof(*grown));

		if (!grown)
			return why(w, -ENOMEM, "out of memory");
		f.line = grown;
		grown[f.n] = (struct pamfile_line){strndup(text, (size_t)(stop - text)), newline != NULL, ' '};
		if (!grown[f.n].text)
			return why(w, -ENOMEM, "out of memory");
		f.n++;
		/* Lines continued by a backslash would have to be taken for one; no service of ours has any. */
		if (stop > text && (stop[-1] == '\\' || stop[-1] == '\r'))
			return why(w, -EINVAL, "line %zu ends in a backslash or a carriage return", f.n);
		text = newline ? newline + 1 : end;
	}
	*ret = f;
	f = (struct pamfile){0};
	return 0;
}

size_t pamfile_ours(const struct pamfile *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += line_ours(&f->line[i]);
	return n;
}

size_t pamfile_foreign(const struct pamfile *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const char *bad;
		struct rule r;

		rule_read(f->line[i].text, &r, &bad);
		if (r.kind == RULE_MODULE && names_module(r.what) && !line_ours(&f->line[i]))
			return i + 1;
	}
	return 0;
}

bool pamfile_includes(const struct pamfile *f, const char *service)
{
	for (size_t i = 0; i < f->n; i++) {
		const char *bad;
		struct rule r;

		rule_read(f->line[i].text, &r, &bad);
		if ((r.kind == RULE_INCLUDE || r.kind == RULE_INCLUDE_ALL) && strcmp(r.what, service) == 0)
			return true;
	}
	return false;
}

size_t pamfile_disable(struct pamfile *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (line_ours(&f->line[i])) {
			f->line[i].op = '-';
			n++;
		}
	/* Ours was the last line and has no newline: the one before gave its newline for it, see pamfile_insert(). */
	return n;
}

char *pamfile_text(const struct pamfile *f, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);
	bool last_ours = f->n > 0 && f->line[f->n - 1].op == '-' && !f->line[f->n - 1].newline;
	size_t kept = 0, n = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < f->n; i++)
		kept += f->line[i].op != '-';
	for (size_t i = 0; i < f->n; i++) {
		if (f->line[i].op == '-')
			continue;
		n++;
		fprintf(out, "%s%s", f->line[i].text, f->line[i].newline && !(last_ours && n == kept) ? "\n" : "");
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- where ours go ---- */

/* One module line of a type with includes followed, and the line of the file that brought it in. */
struct flat {
	char *control;
	bool systemd, jit;
	size_t from;
};
struct stack {
	struct flat *rule;
	size_t n;
};

static void stack_done(struct stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->rule[i].control);
	free(s->rule);
	*s = (struct stack){0};
}

struct walk {
	const char *type;
	pamfile_source source;
	void *userdata;
	struct stack *stack;
	struct why *w;
};

static int walk_line(struct walk *k, const char *text, const char *file, size_t no, size_t from, unsigned depth);

static int walk_file(struct walk *k, const char *service, size_t from, unsigned depth)
{
	CLEAN(free_p) char *text = NULL;
	char *save = NULL;
	size_t no = 0;

	if (depth > INCLUDE_DEPTH)
		return why(k->w, -EINVAL, "includes go round in a circle (%s)", service);
	/* The name goes into a path. */
	if (!name_valid(service))
		return why(k->w, -EINVAL, "line %zu includes '%s', which is no plain name", from + 1, service);
	text = k->source(service, k->userdata);
	if (!text)
		return why(k->w, -EINVAL, "line %zu includes %s, which cannot be read", from + 1, service);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int r = walk_line(k, line, service, ++no, from, depth);

		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_line(struct walk *k, const char *text, const char *file, size_t no, size_t from, unsigned depth)
{
	struct flat *grown;
	const char *bad;
	struct rule r;

	rule_read(text, &r, &bad);
	if (bad)
		return why(k->w, -EINVAL, "%s, line %zu: %s", file, no, bad);
	if (r.kind == RULE_NONE || (r.kind != RULE_INCLUDE_ALL && strcmp(r.type, k->type) != 0))
		return 0;
	if (r.kind != RULE_MODULE)
		return walk_file(k, r.what, from, depth + 1);
	if (depth > 0 && names_module(r.what))
		return why(k->w, -EEXIST, "%s, which it includes, names " MODULE " already", file);
	grown = reallocarray(k->stack->rule, k->stack->n + 1, sizeof(*grown));
	if (!grown)
		return why(k->w, -ENOMEM, "out of memory");
	k->stack->rule = grown;
	grown[k->stack->n] = (struct flat){strdup(r.control), strstr(r.what, "pam_systemd.so") != NULL,
		names_module(r.what), from};
	return grown[k->stack->n++].control ? 0 : why(k->w, -ENOMEM, "out of memory");
}

static int walk(const struct pamfile *f, const char *service, const char *type, pamfile_source source, void *userdata,
	struct stack *ret, struct why *w)
{
	struct walk k = {type, source, userdata, ret, w};

	for (size_t i = 0; i < f->n; i++) {
		int r = walk_line(&k, f->line[i].text, service, i + 1, i, 0);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Could this control end the stack, or jump over more than NEXT lines, when its module succeeds? */
static bool may_skip(const char *control, size_t next)
{
	char copy[256], *save = NULL;

	if (strcmp(control, "sufficient") == 0)
		return true;
	if (*control != '[')
		return strcmp(control, "required") != 0 && strcmp(control, "requisite") != 0 && strcmp(control, "optional") != 0;
	if (strlen(control) >= sizeof(copy))
		return true;
	strcpy(copy, control + 1);
	for (char *pair = strtok_r(copy, " \t]", &save); pair; pair = strtok_r(NULL, " \t]", &save)) {
		const char *action = strchr(pair, '=');

		if (!action || strcmp(action, "=done") == 0)
			return true;
		if (isdigit((unsigned char)action[1]) && strtoul(action + 1, NULL, 10) > next)
			return true;
	}
	return false;
}

/* Nothing that comes from a line before BEFORE may skip what stands there. */
static int none_skips(const struct stack *s, size_t before, struct why *w)
{
	size_t count = 0;

	while (count < s->n && s->rule[count].from < before)
		count++;
	for (size_t i = 0; i < count; i++)
		if (may_skip(s->rule[i].control, count - i - 1))
			return why(w, -EINVAL, "line %zu: a session module with '%s' could skip the line to be added",
				s->rule[i].from + 1, s->rule[i].control);
	return 0;
}

static bool is_include(const struct pamfile *f, size_t i)
{
	const char *bad;
	struct rule r;

	rule_read(f->line[i].text, &r, &bad);
	return r.kind == RULE_INCLUDE || r.kind == RULE_INCLUDE_ALL;
}

int pamfile_insert(struct pamfile *f, size_t at, const char *text, struct why *w)
{
	struct pamfile_line *grown = reallocarray(f->line, f->n + 1, sizeof(*grown));
	char *copy = strdup(text);
	bool newline = true;

	if (grown)
		f->line = grown;
	if (!grown || !copy) {
		free(copy);
		return why(w, -ENOMEM, "out of memory");
	}
	/* Behind a last line without a newline ours becomes the one without. */
	if (at == f->n && at > 0 && !f->line[at - 1].newline) {
		f->line[at - 1].newline = true;
		newline = false;
	}
	memmove(&f->line[at + 1], &f->line[at], (f->n - at) * sizeof(*f->line));
	f->line[at] = (struct pamfile_line){copy, newline, '+'};
	f->n++;
	return 0;
}

int pamfile_gated(const struct pamfile *f, const char *service, pamfile_source source, void *userdata, struct why *w)
{
	struct stack account CLEAN(stack_done) = {0};
	int r = walk(f, service, "account", source, userdata, &account, w);

	/* It stands in an included file. */
	if (r == -EEXIST)
		return 1;
	for (size_t i = 0; r == 0 && i < account.n; i++)
		if (account.rule[i].jit)
			return 1;
	return r;
}

struct places {
	size_t account, session, before;
};

static int find_places(const struct pamfile *f, const char *service, pamfile_source source, void *userdata,
	struct places *ret, struct why *w)
{
	struct stack account CLEAN(stack_done) = {0}, session CLEAN(stack_done) = {0};
	size_t first = f->n, last = f->n, first_systemd = f->n;
	int r;

	r = walk(f, service, "account", source, userdata, &account, w);
	if (r == 0)
		r = walk(f, service, "session", source, userdata, &session, w);
	if (r < 0)
		return r;
	if (account.n == 0 || session.n == 0)
		return why(w, -EINVAL, "it has no %s lines; that is not a file of %s as it is shipped",
			account.n == 0 ? "account" : "session", service);
	for (size_t i = 0; i < session.n; i++) {
		size_t from = session.rule[i].from;

		if (is_include(f, from)) {
			first = first == f->n ? from : first;
			last = from;
		}
		if (session.rule[i].systemd && first_systemd == f->n)
			first_systemd = from;
	}
	/* Without includes: around everything. */
	ret->account = account.rule[0].from;
	ret->session = last == f->n ? session.rule[session.n - 1].from + 1 : last + 1;
	ret->before = first_systemd < f->n ? first_systemd : first < f->n ? first : session.rule[0].from;
	if (first_systemd < f->n && first_systemd >= ret->session)
		ret->session = first_systemd + 1;
	return none_skips(&session, ret->session, w);
}

struct addition {
	size_t at;
	const char *text;
};

/* From the last place to the first, so that none moves; of two at one place the first in the list comes to stand behind. */
static int insert_all(struct pamfile *f, struct addition *add, size_t n, struct why *w)
{
	while (n > 0) {
		size_t last = 0;
		int r;

		for (size_t i = 1; i < n; i++)
			if (add[i].at > add[last].at)
				last = i;
		r = pamfile_insert(f, add[last].at, add[last].text, w);
		if (r < 0)
			return r;
		n--;
		memmove(&add[last], &add[last + 1], (n - last) * sizeof(*add));
	}
	return 1;
}

static size_t ours_of(const struct pamfile *f, const char *type)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += line_ours(&f->line[i]) && line_type(&f->line[i], type);
	return n;
}

static void take_out(struct pamfile *f, const char *type)
{
	for (size_t i = 0; i < f->n; i++)
		if (line_ours(&f->line[i]) && line_type(&f->line[i], type))
			f->line[i].op = '-';
}

static int auth_place(const struct pamfile *f, const char *service, pamfile_source source, void *userdata, size_t *ret,
	struct why *w)
{
	struct stack auth CLEAN(stack_done) = {0};
	int r = walk(f, service, "auth", source, userdata, &auth, w);

	if (r < 0)
		return r;
	if (auth.n == 0)
		return why(w, -EINVAL, "it has no auth lines; that is not a file of %s as it is shipped", service);
	*ret = auth.rule[0].from;
	return 0;
}

int pamfile_enable(struct pamfile *f, const char *service, enum pamfile_shape shape, pamfile_source source, void *userdata,
	struct why *w)
{
	bool sshd = strcmp(service, "sshd") == 0;
	size_t auth = ours_of(f, "auth"), account = ours_of(f, "account"), session = ours_of(f, "session");
	size_t foreign = pamfile_foreign(f), accounts = shape != PAMFILE_SESSION, sessions = sshd ? 2 : 1, n = 0;
	struct addition add[4];
	struct places at = {0};
	int r = 0;

	if (foreign)
		return why(w, -EEXIST, "line %zu names " MODULE " already and was not added by jitctl", foreign);
	/* What another shape has is a whole as well; anything else is somebody's edit. */
	if (auth + account + session > 0 && (session != sessions || account > 1))
		return why(w, -EINVAL, "only %zu of the %zu lines are there; jitctl pam disable %s, then enable it again",
			account + session, accounts + sessions, service);
	if (session == 0 || account < accounts)
		r = find_places(f, service, source, userdata, &at, w);
	if (session == 0)
		add[n++] = (struct addition){at.session, "session    required     " MODULE "    " PAMFILE_MARK};
	if (account < accounts)
		add[n++] = (struct addition){at.account, "account    requisite    " MODULE "    " PAMFILE_MARK};
	if (session == 0 && sshd)
		add[n++] = (struct addition){at.before, "session    required     " MODULE " phase=before    " PAMFILE_MARK};
	if (r == 0 && shape == PAMFILE_INTERACTIVE && sshd && auth == 0) {
		add[n].text = "auth       [success=done default=ignore]    " MODULE " after=publickey    " PAMFILE_MARK;
		r = auth_place(f, service, source, userdata, &add[n++].at, w);
	}
	if (r < 0)
		return r;
	if (account > accounts)
		take_out(f, "account");
	else if (n == 0)
		return 0;
	return insert_all(f, add, n, w);
}

/* ---- diff ---- */

static bool near_change(const struct pamfile *f, size_t i)
{
	for (size_t j = i > 3 ? i - 3 : 0; j <= i + 3 && j < f->n; j++)
		if (f->line[j].op != ' ')
			return true;
	return false;
}

static void hunk(FILE *out, const struct pamfile *f, size_t begin, size_t end, size_t old_no, size_t new_no)
{
	size_t old_count = 0, new_count = 0;

	for (size_t i = begin; i < end; i++) {
		old_count += f->line[i].op != '+';
		new_count += f->line[i].op != '-';
	}
	fprintf(out, "@@ -%zu,%zu +%zu,%zu @@\n", old_no, old_count, new_no, new_count);
	for (size_t i = begin; i < end; i++) {
		CLEAN(free_p) char *shown = screen_safe(f->line[i].text);
		enum style s = f->line[i].op == '+' ? GREEN : f->line[i].op == '-' ? RED : PLAIN;

		fprintf(out, "%s%c%s%s\n", s == PLAIN ? "" : paint(s), f->line[i].op, shown ? shown : "",
			s == PLAIN ? "" : paint(PLAIN));
	}
}

void pamfile_diff(FILE *out, const struct pamfile *f, const char *path)
{
	size_t old_no = 1, new_no = 1;

	fprintf(out, "--- %s\n+++ %s\n", path, path);
	for (size_t i = 0; i < f->n;) {
		size_t end = i;

		while (end < f->n && near_change(f, end))
			end++;
		if (end > i)
			hunk(out, f, i, end, old_no, new_no);
		else
			end = i + 1;
		for (; i < end; i++) {
			old_no += f->line[i].op != '+';
			new_no += f->line[i].op != '-';
		}
	}
}
