/* The built-in checks: how each of them looks at the host.  Whatever cannot be found out is said so, and has failed. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>
#include <unistd.h>
#include "helper/check-wire.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/paths.h"

#define FILE_READ_MAX 16384
#define BUS_USEC (5 * USEC_PER_SEC)
#define PRIVATE_BUS "unix:path=/run/systemd/private"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define FUTURE_MAX USEC_PER_MIN

__attribute__((format(printf, 2, 3))) static void failed(struct check_found *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(f->error, sizeof(f->error), fmt, ap);
	va_end(ap);
	f->reading.error = f->error;
}

/* A file of /proc; NULL after saying why. */
static char *slurp(struct check_found *f, const char *path)
{
	CLEAN(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len;
	int r = fd < 0 ? -errno : file_read_all(fd, FILE_READ_MAX, &text, &len);

	if (r < 0)
		failed(f, "%s: %s", path, strerror(-r));
	return r < 0 ? NULL : text;
}

static void read_load(const struct check *c, struct check_found *f)
{
	CLEAN(free_p) char *text = slurp(f, "/proc/loadavg");
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned whole, part;

	if (!text)
		return;
	/* "0.42 …": always two digits behind the point */
	if (sscanf(text, "%u.%2u", &whole, &part) != 2 || cores < 1) {
		failed(f, "/proc/loadavg is not understood");
		return;
	}
	f->reading.number = (uint64_t)whole * 1000 + part * 10;
	f->reading.total = (uint64_t)cores;
}

static bool meminfo(const char *text, const char *key, uint64_t *ret)
{
	const char *at = strstr(text, key);
	char *end;

	if (!at)
		return false;
	*ret = strtoull(at + strlen(key), &end, 10) * 1024;
	return end != at + strlen(key);
}

static void read_memory(const struct check *c, struct check_found *f)
{
	CLEAN(free_p) char *text = slurp(f, "/proc/meminfo");

	if (text && (!meminfo(text, "MemAvailable:", &f->reading.number) || !meminfo(text, "MemTotal:", &f->reading.total)))
		failed(f, "/proc/meminfo is not understood");
}

static void read_disk(const struct check *c, struct check_found *f)
{
	struct statvfs s;

	if (statvfs(c->argument, &s) < 0) {
		failed(f, "%s: %s", c->argument, strerror(errno));
		return;
	}
	f->reading.number = (uint64_t)s.f_bavail * s.f_frsize;
	f->reading.total = (uint64_t)s.f_blocks * s.f_frsize;
}

/* ---- systemd ---- */

static void bus_close(sd_bus **bus)
{
	sd_bus_close_unref(*bus);
}

static void message_free(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}

/* PID 1's own socket, which is there also where the system bus is not; else the bus. */
static int open_bus(struct check_found *f, sd_bus **ret)
{
	CLEAN(bus_close) sd_bus *bus = NULL;
	int r = geteuid() == 0 ? sd_bus_new(&bus) : -EACCES;

	if (r >= 0)
		r = sd_bus_set_address(bus, PRIVATE_BUS);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		bus = sd_bus_close_unref(bus);
		r = sd_bus_open_system(&bus);
	}
	if (r < 0) {
		failed(f, "systemd cannot be asked: %s", strerror(-r));
		return r;
	}
	sd_bus_set_method_call_timeout(bus, BUS_USEC);
	*ret = STEAL_PTR(bus);
	return 0;
}

static void bus_failed(struct check_found *f, const sd_bus_error *e, int r)
{
	failed(f, "systemd says: %s", e->message ? e->message : strerror(-r));
}

static void take_state(sd_bus *bus, const char *path, struct check_found *f)
{
	CLEAN(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
	CLEAN(free_p) char *load = NULL, *active = NULL;
	int r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Unit", "LoadState", &e,
		&load);

	if (r >= 0)
		r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Unit",
			"ActiveState", &e, &active);
	if (r < 0)
		bus_failed(f, &e, r);
	else if (strcmp(load, "not-found") == 0)
		failed(f, "there is no such unit");
	else {
		(void)snprintf(f->text, sizeof(f->text), "%s", active);
		f->reading.word = f->text;
	}
}

static void read_unit(const struct check *c, struct check_found *f)
{
	CLEAN(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
	CLEAN(message_free) sd_bus_message *reply = NULL;
	CLEAN(bus_close) sd_bus *bus = NULL;
	const char *path = NULL;
	int r;

	if (open_bus(f, &bus) < 0)
		return;
	r = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", MANAGER, "LoadUnit", &e, &reply, "s",
		c->argument);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		bus_failed(f, &e, r);
	else
		take_state(bus, path, f);
}

static int count_units(sd_bus_message *reply, struct check_found *f)
{
	const char *unit;
	size_t len = 0;
	int r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");

	while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'r', "ssssssouso")) > 0) {
		r = sd_bus_message_read(reply, "s", &unit);
		if (r >= 0)
			r = sd_bus_message_skip(reply, "sssssouso");
		if (r >= 0)
			r = sd_bus_message_exit_container(reply);
		if (r >= 0 && len < sizeof(f->text))
			len += (size_t)snprintf(f->text + len, sizeof(f->text) - len, "%s%s", f->reading.number ? ", " : "", unit);
		f->reading.number++;
	}
	f->reading.text = f->text;
	return r;
}

static void read_failed_units(const struct check *c, struct check_found *f)
{
	CLEAN(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
	CLEAN(message_free) sd_bus_message *reply = NULL;
	CLEAN(bus_close) sd_bus *bus = NULL;
	int r;

	if (open_bus(f, &bus) < 0)
		return;
	r = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", MANAGER, "ListUnitsFiltered", &e,
		&reply, "as", 1, "failed");
	if (r >= 0)
		r = count_units(reply, f);
	if (r < 0)
		bus_failed(f, &e, r);
}

/* ---- files ---- */

static bool is_missing(int err)
{
	return err == ENOENT || err == ENOTDIR;
}

static void read_age(const struct check *c, struct check_found *f)
{
	uint64_t now = clock_real(), then;
	struct stat st;

	if (stat(c->argument, &st) < 0) {
		failed(f, "%s: %s", c->argument, strerror(errno));
		return;
	}
	then = st.st_mtim.tv_sec < 0 ? 0 : (uint64_t)st.st_mtim.tv_sec * USEC_PER_SEC + (uint64_t)st.st_mtim.tv_nsec / 1000;
	if (then > now + FUTURE_MAX)
		failed(f, "%s: its time lies in the future", c->argument);
	else
		f->reading.number = now > then ? now - then : 0;
}

static void read_file(const struct check *c, struct check_found *f)
{
	struct stat st;

	f->reading.present = lstat(c->argument, &st) == 0;
	if (!f->reading.present && !is_missing(errno))
		failed(f, "%s: %s", c->argument, strerror(errno));
	else if (f->reading.present && !c->word)
		read_age(c, f);
}

/* The first line of what is open; a file that cannot be read is open all the same. */
static void read_incident(const struct check *c, struct check_found *f)
{
	static const char *const paths[] = { JIT_INCIDENT, JIT_INCIDENT_RUN };
	CLEAN(free_p) char *text = NULL;
	struct stat st;
	size_t len;

	for (size_t i = 0; i < ELEMENTS(paths) && !f->reading.present; i++) {
		if (lstat(paths[i], &st) < 0) {
			if (is_missing(errno))
				continue;
			failed(f, "%s: %s", paths[i], strerror(errno));
			return;
		}
		f->reading.present = true;
		if (file_read_untrusted(AT_FDCWD, paths[i], FILE_READ_MAX, &text, &len) < 0)
			return;
		(void)snprintf(f->text, sizeof(f->text), "%.*s", (int)strcspn(text, "\n"), text);
		f->reading.text = f->text;
	}
}

/* ---- people ---- */

/* People only: no greeters, no managers; and nobody who is on the way out. */
static bool is_login(const char *session, uid_t *uid)
{
	CLEAN(free_p) char *class = NULL, *state = NULL;

	return sd_session_get_uid(session, uid) >= 0 && sd_session_get_class(session, &class) >= 0 &&
		strncmp(class, "user", 4) == 0 && sd_session_get_state(session, &state) >= 0 && strcmp(state, "closing") != 0;
}

#define LOGINS_MAX 4096

static int logins(struct check_found *f, uid_t *uids, size_t *n)
{
	char **sessions = NULL;
	uid_t uid;
	/* Where logind is not, nobody would seem to be logged in. */
	int r = access("/run/systemd/sessions", F_OK) < 0 ? -errno : sd_get_sessions(&sessions);

	if (r < 0) {
		failed(f, "logind: %s", strerror(-r));
		return r;
	}
	for (char **s = sessions; s && *s; s++) {
		size_t i = 0;

		if (is_login(*s, &uid) && *n < LOGINS_MAX) {
			while (i < *n && uids[i] != uid)
				i++;
			if (i == *n)
				uids[(*n)++] = uid;
		}
		free(*s);
	}
	free(sessions);
	return 0;
}

static void read_users(const struct check *c, struct check_found *f)
{
	static uid_t uids[LOGINS_MAX];
	size_t n = 0;

	if (logins(f, uids, &n) >= 0)
		f->reading.number = n;
}

static void read_user(const struct check *c, struct check_found *f)
{
	static uid_t uids[LOGINS_MAX];
	const struct passwd *pw;
	size_t n = 0;

	errno = 0;
	pw = getpwnam(c->argument);
	if (!pw) {
		failed(f, "%s", errno ? strerror(errno) : "there is no such account");
		return;
	}
	if (logins(f, uids, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		f->reading.present |= uids[i] == pw->pw_uid;
}

static void read_up(const struct check *c, struct check_found *f)
{
	f->reading.number = clock_boot();
}

void check_read(const struct check *c, struct check_found *ret)
{
	static void (*const readers[CHECK_KIND_COUNT])(const struct check *c, struct check_found *f) = {
		[CHECK_LOAD] = read_load, [CHECK_LOAD_PER_CORE] = read_load, [CHECK_MEMORY] = read_memory,
		[CHECK_DISK] = read_disk, [CHECK_FAILED_UNITS] = read_failed_units, [CHECK_UNIT] = read_unit,
		[CHECK_FILE] = read_file, [CHECK_USERS] = read_users, [CHECK_USER] = read_user, [CHECK_UP] = read_up,
		[CHECK_INCIDENT] = read_incident,
	};

	*ret = (struct check_found){ .reading = { .error = NULL } };
	if (readers[c->kind])
		readers[c->kind](c, ret);
	else
		failed(ret, "it is not looked at here");
}
