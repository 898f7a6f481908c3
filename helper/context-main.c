/* jit-context: looks at the host for jitd, one question each time it is started.
 *
 *	jit-context package PATH    jit-context writable PATH    jit-context users NAME    jit-context units
 *
 * NAME is the requester's account.  The answer is one message on descriptor 3, a JSON object of the members that the context
 * of a request has for it (lib/envelope.h), for a package with the "sha256" of the bytes that were looked at; for `writable`
 * {"writable":bool}.  Nothing is answered when it cannot be found out.  jitd waits for a second at most, and kills it then. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "helper/context-wire.h"
#include "helper/look.h"
#include "helper/shed.h"
#include "helper/writable.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"

#define USERS_TOLD 6

/* A member of bytes that somebody else chose; left out where there are none. */
static int add_bytes(struct json_object *o, const char *key, const char *s)
{
	return *s ? json_add(o, key, json_bytes(s, strlen(s))) : 0;
}

static int answer_package(const char *path, struct json_object *a)
{
	static const char *const states[] = {
		[LOOK_NONE] = "none", [LOOK_UNLISTED] = "unlisted", [LOOK_SHIPPED] = "shipped", [LOOK_CHANGED] = "changed",
	};
	struct json_object *o;
	struct look_package p;
	int r = look_package(path, &p);

	if (r < 0)
		return r;
	o = json_object_new_object();
	if (!o || json_add(a, "package", o) < 0)
		return -ENOMEM;
	r = json_add_str(o, "state", states[p.state]);
	r |= add_bytes(o, "name", p.name);
	r |= add_bytes(o, "version", p.version);
	r |= json_add_str(a, "sha256", p.sha256);
	return r;
}

static int answer_writable(const char *path, struct json_object *a)
{
	int r = writable_by_others(CONTEXT_ROOT, path);

	return r < 0 ? r : json_add_bool(a, "writable", r > 0);
}

static int add_user(struct json_object *list, const struct look_user *u, bool requester)
{
	struct json_object *o = json_object_new_object();
	uint64_t now = clock_real();
	int r;

	if (!o || json_object_array_add(list, o) < 0)
		return -ENOMEM;
	r = add_bytes(o, "name", u->name);
	r |= json_add_u64(o, "sessions", u->sessions);
	r |= add_bytes(o, "tty", u->tty);
	r |= add_bytes(o, "from", u->from);
	if (u->since && u->since <= now)
		r |= json_add_u64(o, "age", (now - u->since) / USEC_PER_SEC);
	if (requester)
		r |= json_add_bool(o, "requester", true);
	return r;
}

/* The others first: whether anybody else is there is the question. */
static int answer_users(const char *name, struct json_object *a)
{
	static struct look_users users;
	struct json_object *list = json_object_new_array();
	unsigned told = 0;
	int r = look_users(&users);

	if (r < 0)
		return r;
	if (!list || json_add(a, "users", list) < 0)
		return -ENOMEM;
	for (int requester = 0; requester < 2; requester++)
		for (unsigned i = 0; r >= 0 && i < users.n; i++) {
			bool same = strcmp(users.list[i].name, name) == 0;

			if (same != (requester == 1) || (!same && told == USERS_TOLD - 1))
				continue;
			r = add_user(list, &users.list[i], same);
			told++;
		}
	if (r >= 0 && users.n + users.more > told)
		r = json_add_u64(a, "users_more", users.n + users.more - told);
	return r;
}

static int answer_units(const char *unused, struct json_object *a)
{
	struct json_object *o = json_object_new_object(), *names = json_object_new_array();
	struct look_units units;
	int r = look_failed_units(&units);

	if (r < 0)
		return r;
	if (!o || !names || json_add(a, "failed_units", o) < 0)
		return -ENOMEM;
	r = json_add_u64(o, "count", units.count);
	for (unsigned i = 0; i < units.n; i++) {
		struct json_object *s = json_bytes(units.names[i], strlen(units.names[i]));

		r |= s ? json_object_array_add(names, s) : -ENOMEM;
	}
	return r | json_add(o, "names", names);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		int argc;
		int (*answer)(const char *argument, struct json_object *a);
	} questions[] = {
		{ "package", 3, answer_package }, { "writable", 3, answer_writable },
		{ "users", 3, answer_users }, { "units", 2, answer_units },
	};
	CLEAN(json_put_p) struct json_object *a = json_object_new_object();
	const char *text;
	int r;

	log_setup("jit-context", false);
	r = shed(CONTEXT_MEMORY, CONTEXT_FILE);
	if (r < 0) {
		log_error("cannot be confined: %s", strerror(-r));
		return 1;
	}
	for (size_t i = 0; i < ELEMENTS(questions); i++) {
		if (argc != questions[i].argc || strcmp(argv[1], questions[i].word) != 0)
			continue;
		r = a ? questions[i].answer(argc > 2 ? argv[2] : NULL, a) : -ENOMEM;
		if (r < 0) {
			log_debug("%s: %s", argv[1], strerror(-r));
			return 1;
		}
		text = json_text(a);
		return text && strlen(text) <= CONTEXT_ANSWER && send(CONTEXT_FD, text, strlen(text), MSG_NOSIGNAL) > 0 ? 0 : 1;
	}
	fprintf(stderr, "jit-context is started by jitd, with a socket.\n");
	return 2;
}
