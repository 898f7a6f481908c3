/* systemd and logind, asked synchronously and within 2 s a call: over the system bus, else over PID 1's own socket. */
#pragma once
#include <stdbool.h>
#include <systemd/sd-bus.h>

enum via { VIA_NONE, VIA_BUS, VIA_PRIVATE };
struct expire_bus {
	sd_bus *bus;
	enum via via;
};
void expire_bus_done(struct expire_bus *b);
/* StopUnit.  1: it was there; 0: no such unit; -errno: systemd cannot be reached at all. */
int expire_stop_unit(struct expire_bus *b, const char *unit);
int expire_kill_unit(struct expire_bus *b, const char *unit, int sig);
/* All timers of the grant, best effort. */
void expire_stop_timers(struct expire_bus *b, const char *unit);
/* Ends a login session: by logind, and where it cannot be reached by its scope.  SIG 0: as logind ends one. */
int expire_session(struct expire_bus *b, const char *session, int sig);
