/* A call for privilege: the message's claims and the kernel's facts, put together.  What cannot be told for sure is
 * marked, and what is marked never matches an `allow`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "helper/call.h"
#include "lib/cleanup.h"
#include "lib/sudoargs.h"
#include "lib/text.h"

#define JUDGED_ARGV_MAX 4096 /* of a call that nobody is asked about, so much goes into the ledger */
#define SUDO_COMMAND_CUT 4096 /* sudo cuts the arguments in SUDO_COMMAND there */

static void strv_free(char **v)
{
	for (char **p = v; p && *p; p++)
		free(*p);
	free(v);
}

struct call *call_free(struct call *c)
{
	if (!c)
		return NULL;
	free(c->user);
	strv_free(c->groups);
	free(c->login_user);
	free(c->session_user);
	free(c->service);
	free(c->target);
	free(c->tty);
	free(c->session);
	free(c->remote);
	free(c->cwd);
	free(c->binary);
	identity_done(&c->file);
	strv_free(c->argv);
	free(c->line);
	free(c->command);
	free(c->reason);
	free(c->within);
	free(c->marks);
	free(c);
	return NULL;
}

static int dup_to(char **ret, const char *s)
{
	*ret = s ? strdup(s) : NULL;
	return s && !*ret ? -ENOMEM : 0;
}

int call_mark(struct call *c, const char *mark, bool never_allow)
{
	char *marks;

	if (never_allow)
		c->marked = true;
	if (asprintf(&marks, "%s%s%s", c->marks ? c->marks : "", c->marks && *c->marks ? " " : "", mark) < 0)
		return -ENOMEM;
	free(c->marks);
	c->marks = marks;
	return 0;
}

/* TEXT ends at LEN; less of it, where that would be within a character. */
static size_t whole_characters(const char *text, size_t len)
{
	size_t n = len;

	while (n > 0 && len - n < 4 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

int call_set_reason(struct call *c, const char *reason)
{
	const char *text = reason ? reason + strspn(reason, " \t\r\n") : "";
	CLEAN(free_p) char *fresh = NULL;
	size_t len = strlen(text);
	bool cut = len > REASON_MAX;
	char *marked;

	if (cut)
		len = whole_characters(text, REASON_MAX);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		len--;
	if (len > 0) {
		fresh = text_utf8(text, len) ? strndup(text, len) : text_escape(text, len, 4 * REASON_MAX);
		if (!fresh)
			return -ENOMEM;
		if (strlen(fresh) > REASON_MAX) {
			fresh[whole_characters(fresh, REASON_MAX)] = '\0';
			cut = true;
		}
		if (cut && asprintf(&marked, "%s...(cut)", fresh) < 0)
			return -ENOMEM;
		if (cut) {
			free(fresh);
			fresh = marked;
		}
	}
	free(c->reason);
	c->reason = STEAL_PTR(fresh);
	return 0;
}

/* argv of the command: COUNT words. */
static int take_argv(struct call *c, const char *const *words, size_t count)
{
	c->argv = calloc(count + 1, sizeof(char *));
	if (!c->argv)
		return -ENOMEM;
	for (c->argc = 0; c->argc < count; c->argc++) {
		c->argv[c->argc] = strdup(words[c->argc]);
		if (!c->argv[c->argc])
			return -ENOMEM;
	}
	return 0;
}

static int take_line(struct call *c, const char *const *args, size_t n)
{
	size_t len = 0;
	char *at;

	for (size_t i = 0; i < n; i++)
		len += strlen(args[i]) + 1;
	c->line = at = malloc(len + 1);
	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, args[i]) + 1;
	c->line[len] = '\0';
	c->line_len = len;
	return 0;
}

/* The first LEN bytes of SUDO_COMMAND as an absolute path: sudo leaves "./x" as it was typed.  Rules take a path with "." or
 * ".." in it for unknown. */
static char *absolute_path(const struct call *c, size_t len)
{
	const char *path = c->command;
	char *joined;

	if (path[0] == '/')
		return strndup(path, len);
	while (len > 2 && path[0] == '.' && path[1] == '/') {
		path += 2;
		len -= 2;
	}
	if (!c->cwd || asprintf(&joined, "%s/%.*s", strcmp(c->cwd, "/") ? c->cwd : "", (int)len, path) < 0)
		return NULL;
	return joined;
}

/* The resolved path: SUDO_COMMAND without the arguments that we know from the command line.  A disagreement between the two is
 * a mark; so is a cut. */
static int resolve_binary(struct call *c)
{
	CLEAN(free_p) char *tail = NULL;
	size_t total = 0, have = strlen(c->command), path_len;
	char *at;

	for (size_t i = 1; i < c->argc; i++)
		total += strlen(c->argv[i]) + 1;
	tail = at = malloc(total + 1);
	if (!tail)
		return -ENOMEM;
	*at = '\0';
	for (size_t i = 1; i < c->argc; i++) {
		*at++ = ' ';
		at = stpcpy(at, c->argv[i]);
	}
	if (total >= SUDO_COMMAND_CUT - 1) {
		path_len = strcspn(c->command, " ");
		if (strncmp(c->command + path_len, tail, have - path_len) != 0)
			return call_mark(c, "disagreement", true);
		call_mark(c, "cut", true);
	} else {
		if (have <= total || strcmp(c->command + have - total, tail) != 0)
			return call_mark(c, "disagreement", true);
		path_len = have - total;
	}
	c->binary = absolute_path(c, path_len);
	return c->binary ? 0 : call_mark(c, "disagreement", true);
}

/* sudo -i and -s run the user's shell: SUDO_COMMAND is "/bin/bash" or "/bin/bash -c words". */
static int shell_argv(struct call *c)
{
	size_t path = strcspn(c->command, " ");
	CLEAN(free_p) char *shell = strndup(c->command, path);
	const char *words[3] = { shell, "-c", NULL };

	if (!shell)
		return -ENOMEM;
	if (shell[0] != '/')
		return call_mark(c, "disagreement", true);
	c->binary = strdup(shell);
	if (!c->binary)
		return -ENOMEM;
	if (c->command[path] == '\0')
		return take_argv(c, words, 1);
	if (strncmp(c->command + path, " -c ", 4) != 0)
		return call_mark(c, "disagreement", true);
	if (strlen(c->command + path) >= SUDO_COMMAND_CUT)
		call_mark(c, "cut", true);
	words[2] = c->command + path + 4;
	return take_argv(c, words, 3);
}

/* argv[0] is "sudoedit", so that the files are arguments as those of any command are. */
static int edit_call(struct call *c, const struct host_command *hc, const char *const *args)
{
	const char *words[GATE_FIELDS + 1] = { "sudoedit" };
	size_t n = 0;

	while (n < hc->words && n < GATE_FIELDS) {
		words[n + 1] = args[hc->command + n];
		n++;
	}
	c->binary = strdup("sudoedit");
	if (!c->binary || call_mark(c, "edit", false) < 0)
		return -ENOMEM;
	return hc->recognised ? take_argv(c, words, n + 1) : take_argv(c, (const char *const *)&c->command, 1);
}

static int sudo_call(struct call *c, const char *const *args, size_t n)
{
	struct host_command hc = { 0 };
	bool edit = false;
	int r = 0;

	/* sudoedit is a link to sudo: what tells them apart for sure is SUDO_COMMAND. */
	if (c->command && (!strncmp(c->command, "sudoedit ", 9) || !strcmp(c->command, "sudoedit"))) {
		sudo_args(args, n, false, &hc);
		if (!hc.edit)
			sudo_args(args, n, true, &hc);
		edit = true;
	} else
		sudo_args(args, n, false, &hc);

	c->background = hc.background;
	if (hc.target && dup_to(&c->target, hc.target) < 0)
		return -ENOMEM;
	if (!hc.recognised) {
		free(c->target);
		c->target = NULL;
		r = call_mark(c, "options", true);
	}
	if (!c->target)
		r = call_mark(c, "target-unknown", true);
	if (hc.odd)
		r = call_mark(c, "environment", true);
	if (!c->command || r < 0)
		return r < 0 ? r : call_mark(c, "disagreement", true);
	if (edit)
		return edit_call(c, &hc, args);
	if (hc.shell || hc.login) {
		r = call_mark(c, hc.login ? "login-shell" : "shell", false);
		return r < 0 ? r : shell_argv(c);
	}
	if (!hc.recognised || hc.command >= n) {
		const char *one = c->command;

		return take_argv(c, &one, 1);
	}
	r = take_argv(c, args + hc.command, n - hc.command);
	return r < 0 ? r : resolve_binary(c);
}

int call_make_command(struct call *c, const char *path)
{
	size_t len = strlen(path) + 1;
	char *at;

	for (size_t i = 1; i < c->argc; i++)
		len += strlen(c->argv[i]) + 1;
	c->command = at = malloc(len);
	if (!at)
		return -ENOMEM;
	at = stpcpy(at, path);
	for (size_t i = 1; i < c->argc; i++) {
		*at++ = ' ';
		at = stpcpy(at, c->argv[i]);
	}
	return 0;
}

/* sudo -i and -s: the shell that sudo starts, "-bash --login -c words", is shown and judged as shell_argv() has it. */
static int exact_shell(struct call *c, const char *path, const char *const *run, size_t n)
{
	const char *words[GATE_FIELDS + 1] = { path };
	size_t from = 1, count = 1;

	if (n > 1 && run[0][0] == '-' && !strcmp(run[1], "--login"))
		from = 2;
	while (from < n && count < GATE_FIELDS)
		words[count++] = run[from++];
	return take_argv(c, words, count);
}

/* What a path means that sudo leaves as it was typed: it starts from where sudo was called. */
static int exact_binary(struct call *c, const char *path, const char *cwd)
{
	if (path[0] != '/' && cwd)
		return call_mark(c, "disagreement", true);
	if (call_make_command(c, path) < 0)
		return -ENOMEM;
	c->binary = absolute_path(c, strlen(path));
	return c->binary ? 0 : call_mark(c, "disagreement", true);
}

static int exact_command(struct call *c, const struct gate_in *in, const char *const *own, size_t n, const char *kind)
{
	const char *run[GATE_FIELDS], *path = gate_get(in, "command"), *cwd = gate_get(in, "cwd");
	const char *words[GATE_FIELDS + 1] = { "sudoedit" };
	size_t runs = gate_get_all(in, "run", run);
	int r;

	if (!strcmp(kind, "edit")) { /* the files; the editor runs as the user */
		memcpy(words + 1, own, n * sizeof(own[0]));
		c->binary = strdup("sudoedit");
		if (!c->binary || call_mark(c, "edit", false) < 0 || take_argv(c, words, n + 1) < 0)
			return -ENOMEM;
		return call_make_command(c, "sudoedit");
	}
	if (!runs) {
		memcpy(run, own, n * sizeof(own[0]));
		runs = n;
	}
	if (!runs)
		return -EINVAL;
	if (strcmp(kind, "command") != 0) {
		r = call_mark(c, !strcmp(kind, "login") ? "login-shell" : "shell", false);
		if (r >= 0)
			r = exact_shell(c, path, run, runs);
	} else
		r = take_argv(c, run, runs);
	if (r >= 0)
		r = exact_binary(c, path, cwd);
	/* A login shell begins at home, which the account says already. */
	if (r >= 0 && cwd && strcmp(kind, "login") != 0) {
		free(c->cwd);
		r = dup_to(&c->cwd, cwd);
	}
	return r;
}

/* Each word is a mark of its own; what they have in common is that no rule may have foreseen it. */
static int exact_marks(struct call *c, const char *odd)
{
	static const char *const known[] = { "environment", "group", "chroot", "directory" };
	bool other = false;
	int r = 0;

	for (const char *at = odd; r >= 0 && *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " "), i = 0;

		while (i < ELEMENTS(known) && (strlen(known[i]) != len || strncmp(known[i], at, len) != 0))
			i++;
		if (i < ELEMENTS(known))
			r = call_mark(c, known[i], true);
		else if (!other) {
			other = true;
			r = call_mark(c, "options", true);
		}
		at += len;
	}
	return r;
}

/* sudo's own word on everything.  -EINVAL: it is not all there. */
static int exact_call(struct call *c, const struct gate_in *in, const char *const *args, size_t n)
{
	const char *kind = gate_get(in, "kind"), *path = gate_get(in, "command"), *target = gate_get(in, "target");
	const char *odd = gate_get(in, "odd"), *inner = gate_get(in, "inner");
	struct host_command hc = { 0 };
	uint64_t own;
	int r;

	if (!kind || !path || !*path || gate_get_u64(in, "own", &own) < 0 || own > n)
		return -EINVAL;
	if (strcmp(kind, "command") && strcmp(kind, "shell") && strcmp(kind, "login") && strcmp(kind, "edit"))
		return -EINVAL;
	c->exact = true;
	c->inner = inner && !strcmp(inner, "yes");
	sudo_args(args, n, false, &hc); /* of its options sudo tells all but this one */
	c->background = hc.background && !c->inner;
	/* A name that cannot stand in a document is as good as none. */
	c->target_certain = target && *target && strlen(target) < 256 && text_utf8(target, strlen(target));
	r = c->target_certain ? dup_to(&c->target, target) : call_mark(c, "target-unknown", true);
	free(c->command);
	c->command = NULL; /* made anew, from what runs */
	if (r >= 0)
		r = exact_command(c, in, args + own, n - own, kind);
	if (r >= 0 && odd)
		r = exact_marks(c, odd);
	return r;
}

static int su_call(struct call *c, const char *const *args, size_t n, const char *user)
{
	struct host_command hc = { 0 };
	const char *words[GATE_FIELDS + 1] = { "su" };

	su_args(args, n, &hc);
	c->target_certain = true;
	for (size_t i = 0; i < n && i < GATE_FIELDS; i++)
		words[i + 1] = args[i];
	if (dup_to(&c->target, user) < 0 || take_argv(c, words, n + 1) < 0)
		return -ENOMEM;
	return hc.login ? call_mark(c, "login-shell", false) : 0;
}

static int common_fields(struct call *c, const struct gate_in *in, const struct process *p)
{
	const char *conn = gate_get(in, "conn");

	c->uid = p->uid;
	c->loginuid = p->loginuid;
	c->session_uid = p->session_uid;
	c->pid = p->pid;
	c->ppid = p->ppid;
	c->start = p->start;
	c->interactive = gate_get(in, "interactive") && strcmp(gate_get(in, "interactive"), "no") != 0;
	if (dup_to(&c->service, gate_get(in, "service")) < 0 || dup_to(&c->tty, p->tty) < 0 ||
	    dup_to(&c->session, p->session) < 0 || dup_to(&c->cwd, p->cwd) < 0 ||
	    dup_to(&c->command, gate_get(in, "command")) < 0 || call_set_reason(c, gate_get(in, "reason")) < 0 ||
	    dup_to(&c->remote, gate_get(in, "rhost")) < 0 || dup_to(&c->within, p->within) < 0)
		return -ENOMEM;
	/* For sshd the connection stands for the session, which does not exist yet. */
	if (!c->session && conn)
		return dup_to(&c->session, conn);
	return 0;
}

int call_from_message(const struct gate_in *in, const struct process *p, struct call **ret, struct why *w)
{
	CLEAN(call_free_p) struct call *c = calloc(1, sizeof(*c));
	const char *args[GATE_FIELDS], *service = gate_get(in, "service"), *user = gate_get(in, "user");
	size_t n = gate_get_all(in, "arg", args);
	bool sudo;
	int r;

	if (!c || dup_to(&c->marks, "") < 0)
		return why(w, -ENOMEM, "out of memory");
	if (!service || !name_valid(service) || !user || !*user || strlen(user) > 256)
		return why(w, -EINVAL, "the request names no service or user");
	if (gate_get(in, "cut"))
		return why(w, -E2BIG, "the command line is longer than %d KiB and cannot be shown and signed whole; "
			"put it into a script and run that", GATE_ARGS_MAX / 1024);
	r = common_fields(c, in, p);
	if (r >= 0)
		r = take_line(c, args, n);
	if (r < 0)
		return why(w, r, "out of memory");
	sudo = !strcmp(service, "sudo") || !strcmp(service, "sudo-i");
	if (!strcmp(in->type, "approval"))
		r = sudo ? exact_call(c, in, args, n) : -EINVAL;
	else if (sudo)
		r = sudo_call(c, args, n);
	else if (!strcmp(service, "su") || !strcmp(service, "su-l"))
		r = su_call(c, args, n, user);
	else {
		/* sshd and services named by the administrator: PAM_USER is who logs in, and as whom. */
		c->target_certain = true;
		r = dup_to(&c->target, user);
	}
	if (r == -EINVAL)
		return why(w, r, "sudo has not said all of what it will run");
	if (r >= 0 && !c->argv)
		r = take_argv(c, NULL, 0);
	if (r < 0)
		return why(w, r, "out of memory");
	*ret = STEAL_PTR(c);
	return 0;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Asked from the same place?  A login has no session yet, and each connection has its port: whoever connects again comes from the
 * same address.  Approvers have seen no more of the place than that. */
static bool same_place(const struct call *a, const struct call *b)
{
	if (!strcmp(a->service, "sshd") && a->remote && b->remote)
		return !strcmp(a->remote, b->remote);
	return same(a->session, b->session) && (a->session || same(a->tty, b->tty));
}

bool call_same_words(const struct call *a, const struct call *b, enum scope scope, bool join_user)
{
	if (a->uid != b->uid || !same(a->user, b->user) || !same(a->service, b->service) || !same(a->target, b->target))
		return false;
	if (!join_user && !same_place(a, b))
		return false;
	/* What people read of a wide scope is the rule; nobody has read that its program is to be started in some odd way. */
	if (scope == SCOPE_SERVICE && !b->marked)
		return a->target != NULL; /* two unknown targets are not the same target */
	return a->line_len == b->line_len && (!a->line_len || !memcmp(a->line, b->line, a->line_len)) && same(a->binary, b->binary) &&
		same(a->cwd, b->cwd) && same(a->command, b->command);
}

bool call_same(const struct call *a, const struct call *b, enum scope scope, bool join_user)
{
	return call_same_words(a, b, scope, join_user) && (scope == SCOPE_SERVICE || identity_same(&a->file, &b->file));
}

void call_facts(const struct call *c, struct facts *ret)
{
	*ret = (struct facts){
		.service = c->service,
		.user = c->user,
		.groups = (const char *const *)c->groups,
		.target = c->target,
		.binary = c->binary,
		.argv = (const char *const *)c->argv,
		.argc = c->argc,
		.cwd = c->cwd,
		.tty = c->tty ? c->tty : POLICY_NO_TTY,
		.remote = c->remote,
		.session = c->session,
		.marked = c->marked,
	};
}

static int add_groups(struct json_object *o, char *const *groups)
{
	struct json_object *list = groups ? json_object_new_array() : NULL;
	int r = 0;

	if (!groups)
		return 0;
	for (; list && *groups; groups++)
		r |= json_object_array_add(list, json_bytes(*groups, strlen(*groups)));
	return r | json_add(o, "groups", list);
}

static int add_bytes(struct json_object *o, const char *key, const char *s)
{
	return s ? json_add(o, key, json_bytes(s, strlen(s))) : 0;
}

struct json_object *call_judged_json(const struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	struct json_object *argv;
	size_t len = 0;
	int r = 0;

	for (size_t i = 0; i < c->argc; i++)
		len += strlen(c->argv[i]) + 1;
	r |= json_add_str(o, "user", c->user);
	r |= add_groups(o, c->groups);
	r |= json_add_str(o, "service", c->service);
	r |= json_add_str(o, "target", c->target);
	r |= json_add_str(o, "tty", c->tty);
	r |= json_add_bool(o, "marked", c->marked);
	r |= add_bytes(o, "remote", c->remote);
	r |= add_bytes(o, "cwd", c->cwd);
	r |= add_bytes(o, "binary", c->binary);
	if (len <= JUDGED_ARGV_MAX) {
		argv = json_object_new_array();
		for (size_t i = 0; argv && i < c->argc; i++)
			r |= json_object_array_add(argv, json_bytes(c->argv[i], strlen(c->argv[i])));
		r |= json_add(o, "argv", argv);
	}
	return r ? NULL : STEAL_PTR(o);
}

struct json_object *call_json(const struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	struct json_object *argv = json_object_new_array();
	int r = 0;

	if (!o || !argv)
		return NULL;
	for (size_t i = 0; i < c->argc; i++)
		r |= json_object_array_add(argv, json_bytes(c->argv[i], strlen(c->argv[i])));
	r |= json_add_u64(o, "uid", c->uid);
	r |= json_add_str(o, "user", c->user);
	r |= add_groups(o, c->groups);
	r |= json_add_str(o, "login_user", c->login_user);
	r |= json_add_str(o, "session_user", c->session_user);
	r |= json_add_str(o, "service", c->service);
	r |= json_add_str(o, "target", c->target);
	r |= json_add_bool(o, "target_certain", c->target_certain);
	r |= json_add_str(o, "tty", c->tty);
	r |= json_add_str(o, "session", c->session);
	r |= json_add_str(o, "remote", c->remote);
	r |= json_add(o, "file", identity_json(&c->file));
	r |= json_add_str(o, "marks", c->marks);
	r |= json_add_bool(o, "marked", c->marked);
	r |= json_add(o, "argv", STEAL_PTR(argv));
	r |= json_add(o, "line", json_bytes(c->line, c->line_len));
	if (c->cwd)
		r |= json_add(o, "cwd", json_bytes(c->cwd, strlen(c->cwd)));
	if (c->binary)
		r |= json_add(o, "binary", json_bytes(c->binary, strlen(c->binary)));
	if (c->command)
		r |= json_add(o, "command", json_bytes(c->command, strlen(c->command)));
	if (c->reason)
		r |= json_add(o, "reason", json_bytes(c->reason, strlen(c->reason)));
	return r ? NULL : STEAL_PTR(o);
}

static int get_bytes(const struct json_object *o, const char *key, char **ret)
{
	struct json_object *v;
	size_t len;

	if (!json_object_object_get_ex((struct json_object *)(uintptr_t)o, key, &v))
		return 0;
	return json_bytes_get(v, ret, &len);
}

static int parse_argv(struct call *c, const struct json_object *o)
{
	struct json_object *argv = json_arr(o, "argv");
	size_t n = argv ? json_object_array_length(argv) : 0, len;

	c->argv = calloc(n + 1, sizeof(char *));
	if (!c->argv)
		return -ENOMEM;
	for (; c->argc < n; c->argc++)
		if (json_bytes_get(json_object_array_get_idx(argv, c->argc), &c->argv[c->argc], &len) < 0)
			return -EINVAL;
	return 0;
}

int call_parse(const struct json_object *o, struct call **ret)
{
	CLEAN(call_free_p) struct call *c = calloc(1, sizeof(*c));
	struct json_object *line, *file = json_obj(o, "file");
	uint64_t uid;

	if (!c)
		return -ENOMEM;
	if (json_u64(o, "uid", &uid) < 0 || uid >= UID_NONE)
		return -EINVAL;
	c->uid = (uid_t)uid;
	c->loginuid = c->session_uid = UID_NONE;
	c->target_certain = json_true(o, "target_certain");
	c->marked = json_true(o, "marked");
	if (file && identity_parse(file, &c->file) < 0)
		return -EINVAL;
	if (dup_to(&c->user, json_str(o, "user")) < 0 || dup_to(&c->login_user, json_str(o, "login_user")) < 0 ||
	    dup_to(&c->session_user, json_str(o, "session_user")) < 0 || dup_to(&c->service, json_str(o, "service")) < 0 ||
	    dup_to(&c->target, json_str(o, "target")) < 0 || dup_to(&c->tty, json_str(o, "tty")) < 0 ||
	    dup_to(&c->session, json_str(o, "session")) < 0 || dup_to(&c->remote, json_str(o, "remote")) < 0 ||
	    dup_to(&c->marks, json_str(o, "marks") ? json_str(o, "marks") : "") < 0 || parse_argv(c, o) < 0 ||
	    get_bytes(o, "cwd", &c->cwd) < 0 || get_bytes(o, "binary", &c->binary) < 0 ||
	    get_bytes(o, "command", &c->command) < 0 || get_bytes(o, "reason", &c->reason) < 0)
		return -EINVAL;
	if (!json_object_object_get_ex((struct json_object *)(uintptr_t)o, "line", &line) ||
	    json_bytes_get(line, &c->line, &c->line_len) < 0 || !c->service)
		return -EINVAL;
	*ret = STEAL_PTR(c);
	return 0;
}
