/* Users and units: see look.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>
#include <utmp.h>
#include "helper/look.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define CALL_USEC USEC_PER_SEC
#define SESSIONS_MAX 256 /* looked at; the rest of a crowd is counted by name only */
#define LOGIN "org.freedesktop.login1"
#define MANAGER "org.freedesktop.systemd1"

static void bus_p(sd_bus **b)
{
	sd_bus_flush_close_unref(*b);
}

static void message_p(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}

static int open_bus(sd_bus **ret)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, CALL_USEC);
	if (r >= 0)
		*ret = STEAL_PTR(bus);
	return r;
}

/* N bytes at S, which need not end in a NUL. */
static void put(char to[static LOOK_NAME], const char *s, size_t n)
{
	n = strnlen(s, n);
	if (n >= LOOK_NAME) {
		memcpy(to, s, LOOK_NAME - 4);
		strcpy(to + LOOK_NAME - 4, "...");
		return;
	}
	memcpy(to, s, n);
	to[n] = '\0';
}

/* ---- users ---- */

static void add_session(struct look_users *users, const char *name, size_t name_size, const struct look_user *session)
{
	struct look_user *u = users->list;
	char shown[LOOK_NAME];

	put(shown, name, name_size);
	while (u < users->list + users->n && strcmp(u->name, shown) != 0)
		u++;
	if (u == users->list + LOOK_USERS) {
		users->more++;
		return;
	}
	if (u == users->list + users->n) {
		users->n++;
		*u = (struct look_user){ 0 };
		strcpy(u->name, shown);
	}
	u->sessions++;
	if (u->sessions == 1 || session->since > u->since) {
		strcpy(u->tty, session->tty);
		strcpy(u->from, session->from);
		u->since = session->since;
	}
}

static int later_first(const void *a, const void *b)
{
	const struct look_user *x = a, *y = b;

	if (x->since != y->since)
		return x->since < y->since ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int session_text(sd_bus *bus, const char *path, const char *property, char to[static LOOK_NAME])
{
	char *s = NULL;
	int r = sd_bus_get_property_string(bus, LOGIN, path, LOGIN ".Session", property, NULL, &s);

	if (r >= 0)
		put(to, s, strlen(s));
	free(s);
	return r;
}

/* A session may end while it is looked at: it is left out then. */
static void read_session(sd_bus *bus, const char *name, const char *path, struct look_users *users)
{
	struct look_user s = { 0 };
	char class[LOOK_NAME] = "";

	if (session_text(bus, path, "Class", class) < 0 || strcmp(class, "user") != 0 ||
	    session_text(bus, path, "TTY", s.tty) < 0 || session_text(bus, path, "RemoteHost", s.from) < 0)
		return;
	sd_bus_get_property_trivial(bus, LOGIN, path, LOGIN ".Session", "Timestamp", NULL, 't', &s.since);
	add_session(users, name, strlen(name), &s);
}

static int users_of_logind(struct look_users *users)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(message_p) sd_bus_message *m = NULL;
	const char *name, *path;
	unsigned n = 0;
	int r = open_bus(&bus);

	if (r >= 0)
		r = sd_bus_call_method(bus, LOGIN, "/org/freedesktop/login1", LOGIN ".Manager", "ListSessions", NULL, &m, "");
	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "(susso)");
	while (r >= 0 && (r = sd_bus_message_read(m, "(susso)", NULL, NULL, &name, NULL, &path)) > 0) {
		if (n++ < SESSIONS_MAX)
			read_session(bus, name, path, users);
		else
			users->more++;
	}
	return r < 0 ? r : 0;
}

int look_users_utmp(const char *path, struct look_users *ret)
{
	CLEAN(fclose_p) FILE *f = fopen(path, "re");
	CLEAN(free_p) struct look_users *users = calloc(1, sizeof(*users));
	struct utmp u;

	if (!users)
		return -ENOMEM;
	if (!f)
		return -errno;
	for (unsigned n = 0; n < 65536 && fread(&u, sizeof(u), 1, f) == 1; n++) {
		struct look_user s = { .since = (uint64_t)u.ut_tv.tv_sec * USEC_PER_SEC };

		/* The line of a process that is no more may stand there for long. */
		if (u.ut_type != USER_PROCESS || (u.ut_pid > 0 && kill(u.ut_pid, 0) < 0 && errno == ESRCH))
			continue;
		put(s.tty, u.ut_line, sizeof(u.ut_line));
		put(s.from, u.ut_host, sizeof(u.ut_host));
		add_session(users, u.ut_user, sizeof(u.ut_user), &s);
	}
	qsort(users->list, users->n, sizeof(users->list[0]), later_first);
	*ret = *users;
	return 0;
}

int look_users(struct look_users *ret)
{
	CLEAN(free_p) struct look_users *users = calloc(1, sizeof(*users));
	int r;

	if (!users)
		return -ENOMEM;
	r = users_of_logind(users);
	if (r < 0)
		return look_users_utmp(_PATH_UTMP, ret) < 0 ? r : 0;
	qsort(users->list, users->n, sizeof(users->list[0]), later_first);
	*ret = *users;
	return 0;
}

/* ---- units ---- */

/* The first ones by name; any more are only counted. */
static void add_unit(struct look_units *units, const char *name)
{
	char shown[LOOK_NAME];
	unsigned at = 0;

	put(shown, name, strlen(name));
	units->count++;
	while (at < units->n && strcmp(units->names[at], shown) < 0)
		at++;
	if (at == LOOK_UNIT_NAMES)
		return;
	if (units->n < LOOK_UNIT_NAMES)
		units->n++;
	memmove(units->names[at + 1], units->names[at], (units->n - at - 1) * sizeof(units->names[0]));
	strcpy(units->names[at], shown);
}

int look_failed_units(struct look_units *ret)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(message_p) sd_bus_message *question = NULL, *m = NULL;
	struct look_units units = { 0 };
	const char *name;
	int r = open_bus(&bus);

	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, &question, MANAGER, "/org/freedesktop/systemd1", MANAGER ".Manager",
			"ListUnitsFiltered");
	if (r >= 0)
		r = sd_bus_message_append(question, "as", 1, "failed");
	if (r >= 0)
		r = sd_bus_call(bus, question, CALL_USEC, NULL, &m);
	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
	while (r >= 0 && (r = sd_bus_message_read(m, "(ssssssouso)", &name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
				  NULL)) > 0)
		add_unit(&units, name);
	if (r >= 0)
		*ret = units;
	return r < 0 ? r : 0;
}
