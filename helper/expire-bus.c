#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helper/dirs.h"
#include "helper/expire-bus.h"
#include "helper/units-op.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define CALL_USEC UINT64_C(2000000)
#define LOGIN "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
#define MANAGER MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE

void expire_bus_done(struct expire_bus *b)
{
	b->bus = sd_bus_close_unref(b->bus);
	b->via = VIA_NONE;
}

/* PID 1 listens itself: this works while the bus is dead. */
static int open_private(sd_bus **ret)
{
	sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);

	if (r >= 0)
		r = sd_bus_set_address(bus, dirs.private_bus);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_close_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

/* The next way, after the one in use failed.  0, or -ENOTCONN when none is left. */
static int next_way(struct expire_bus *b)
{
	while (b->via < VIA_PRIVATE) {
		int r;

		b->bus = sd_bus_close_unref(b->bus);
		b->via++;
		r = b->via == VIA_BUS ? sd_bus_open_system(&b->bus) : open_private(&b->bus);
		if (r >= 0)
			r = sd_bus_set_method_call_timeout(b->bus, CALL_USEC);
		if (r >= 0)
			return 0;
		log_warning("%s: %s", b->via == VIA_BUS ? "system bus" : dirs.private_bus, strerror(-r));
	}
	b->bus = sd_bus_close_unref(b->bus);
	b->via = VIA_PRIVATE; /* there is nothing behind it */
	return -ENOTCONN;
}

/* An answer of systemd itself; anything else means that this way is dead. */
static bool answered(const sd_bus_error *e)
{
	return strncmp(e->name, "org.freedesktop.systemd1.", 25) == 0 ||
		strncmp(e->name, "org.freedesktop.login1.", 23) == 0;
}

static bool absent(const sd_bus_error *e)
{
	return sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit") ||
		sd_bus_error_has_name(e, "org.freedesktop.login1.NoSuchSession");
}

static int unit_call(struct expire_bus *b, const char *member, const char *unit, const char *mode, int sig)
{
	for (;;) {
		sd_bus_error e = SD_BUS_ERROR_NULL;
		int r;

		if (!b->bus && next_way(b) < 0)
			return -ENOTCONN;
		if (sig)
			r = sd_bus_call_method(b->bus, MANAGER, member, &e, NULL, "ssi", unit, mode, sig);
		else
			r = sd_bus_call_method(b->bus, MANAGER, member, &e, NULL, "ss", unit, mode);
		if (r >= 0)
			return 1;
		if (sd_bus_error_is_set(&e) && answered(&e)) {
			r = absent(&e) ? 0 : r;
			if (r < 0)
				log_warning("%s: %s", unit, e.message);
			sd_bus_error_free(&e);
			return r;
		}
		log_warning("%s: %s", unit, e.message ? e.message : strerror(-r));
		sd_bus_error_free(&e);
		if (next_way(b) < 0)
			return -ENOTCONN;
	}
}

int expire_stop_unit(struct expire_bus *b, const char *unit)
{
	return unit_call(b, "StopUnit", unit, "replace", 0);
}

int expire_kill_unit(struct expire_bus *b, const char *unit, int sig)
{
	return unit_call(b, "KillUnit", unit, "all", sig);
}

void expire_stop_timers(struct expire_bus *b, const char *unit)
{
	char first[UNIT_NAME_SIZE], others[UNIT_NAME_SIZE];
	sd_bus_message *m = NULL;
	const char *name;
	int r;

	if (!b->bus && next_way(b) < 0)
		return;
	snprintf(first, sizeof(first), "jit-expire@%s.timer", unit);
	snprintf(others, sizeof(others), "jit-expire@%s-*.timer", unit);
	r = sd_bus_call_method(b->bus, MANAGER, "ListUnitsByPatterns", NULL, &m, "asas", 0, 2, first, others);
	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
	while (r >= 0 && (r = sd_bus_message_read(m, "(ssssssouso)", &name, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL)) > 0)
		expire_stop_unit(b, name);
	if (r < 0)
		log_warning("the timers of the grant stay: %s", strerror(-r));
	sd_bus_message_unref(m);
}

int expire_session(struct expire_bus *b, const char *session, int sig)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	char scope[UNIT_NAME_SIZE];
	bool known;
	int r;

	if (!b->bus && next_way(b) < 0)
		return -ENOTCONN;
	if (b->via == VIA_BUS) {
		r = sig ? sd_bus_call_method(b->bus, LOGIN, "KillSession", &e, NULL, "ssi", session, "all", sig) :
			sd_bus_call_method(b->bus, LOGIN, "TerminateSession", &e, NULL, "s", session);
		known = r >= 0 || (sd_bus_error_is_set(&e) && absent(&e));
		if (!known)
			log_warning("session %s: %s", session, e.message ? e.message : strerror(-r));
		sd_bus_error_free(&e);
		if (known)
			return r >= 0;
	}
	snprintf(scope, sizeof(scope), "session-%.40s.scope", session);
	return sig ? expire_kill_unit(b, scope, sig) : expire_stop_unit(b, scope);
}
