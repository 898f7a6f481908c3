/* call_from_message: what modules say of a call becomes one that survives the ledger, and in which nothing unknown looks
 * known. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "helper/call.h"
#include "lib/cleanup.h"
#include "lib/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool has_mark(const struct call *c, const char *mark)
{
	size_t len = strlen(mark);

	for (const char *at = c->marks; (at = strstr(at, mark)); at += len)
		if ((at == c->marks || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

static void whole(const struct call *c)
{
	must(c->argv && c->marks && c->service && c->line);
	for (size_t i = 0; i < c->argc; i++)
		must(c->argv[i] != NULL);
	must(!c->argv[c->argc]);
	must(!c->exact || !strcmp(c->service, "sudo") || !strcmp(c->service, "sudo-i"));
	/* An account that nobody can tell never matches an `allow`. */
	must(c->target ? *c->target : !c->exact || (has_mark(c, "target-unknown") && c->marked));
	must(!c->exact || c->argc > 0);
	if (c->exact && !c->binary)
		must(c->marked);
	for (size_t i = 0; c->exact && i < 4; i++) {
		static const char *const odd[] = { "environment", "group", "chroot", "directory" };

		must(!has_mark(c, odd[i]) || c->marked);
	}
}

static bool text(const char *s)
{
	return !s || text_utf8(s, strlen(s));
}

/* What the ledger keeps is the same call. */
static void kept(const struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = call_json(c);
	CLEAN(call_free_p) struct call *again = NULL;

	if (!text(c->remote) || !text(c->session) || (!c->exact && !text(c->target)))
		return; /* cannot be recorded, so nothing follows from it */
	must(o != NULL);
	if (call_parse(o, &again) < 0)
		return; /* bytes where text belongs: never recorded */
	if (c->target)
		must(call_same(c, again, SCOPE_SERVICE, true) == call_same(again, c, SCOPE_SERVICE, true));
	must(again->argc == c->argc && again->line_len == c->line_len && !memcmp(again->line, c->line, c->line_len));
	for (size_t i = 0; i < c->argc; i++)
		must(!strcmp(again->argv[i], c->argv[i]));
	must(again->marked == c->marked && again->target_certain == c->target_certain && !strcmp(again->marks, c->marks));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char cwd[] = "/home/alice", tty[] = "pts/3", session[] = "1";
	struct process p = { .pid = 42, .ppid = 1, .pidfd = -1, .start = 7, .uid = 1000, .loginuid = UID_NONE,
		.session_uid = UID_NONE, .tty = tty, .cwd = cwd, .session = session };
	CLEAN(free_p) char *buf = malloc(size > 0 ? size : 1);
	CLEAN(call_free_p) struct call *c = NULL;
	struct why w = { "" };
	struct gate_in in;

	must(buf != NULL);
	if (size > 0)
		memcpy(buf, data, size);
	if (gate_parse(buf, size, &in) < 0)
		return 0;
	if (call_from_message(&in, &p, &c, &w) < 0) {
		must(!c && *w.text);
		return 0;
	}
	whole(c);
	kept(c);
	return 0;
}
