#include "tests/unit/hands.h"

#include <fcntl.h>
#include <ftw.h>

#include "helper/dirs.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"

char hands_dir[256];
sd_event *hands_event;
static char paths[8][512];
static unsigned path_no;
static char sub[5][300];

const char *hands_path(const char *fmt, ...)
{
	char *p = paths[path_no++ % ELEMENTS(paths)];
	int n = snprintf(p, sizeof(paths[0]), "%s/", hands_dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p + n, sizeof(paths[0]) - (size_t)n, fmt, ap);
	va_end(ap);
	return p;
}

int hands_setup(void **state)
{
	static const char *const names[] = { "outbox", "inbox", "grants", "notes", "cgroup" };
	const char *tmp = getenv("TMPDIR");
	sigset_t chld;

	snprintf(hands_dir, sizeof(hands_dir), "%s/jit-hands-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(hands_dir));
	assert_int_equal(chmod(hands_dir, 0755), 0);
	for (size_t i = 0; i < ELEMENTS(names); i++) {
		snprintf(sub[i], sizeof(sub[i]), "%s/%s", hands_dir, names[i]);
		assert_int_equal(mkdir(sub[i], 0755), 0);
	}
	dirs.outbox = sub[0];
	dirs.inbox = sub[1];
	dirs.grants = sub[2];
	dirs.notes = sub[3];
	dirs.cgroup = sub[4];
	dirs.private_bus = "unix:path=/nonexistent/private";
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	assert_true(sd_event_new(&hands_event) >= 0);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

int hands_teardown(void **state)
{
	hands_event = sd_event_unref(hands_event);
	return nftw(hands_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void hands_write(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, len), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

char *hands_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len;

	if (fd < 0)
		return NULL;
	assert_int_equal(file_read_all(fd, 1024 * 1024, &text, &len), 0);
	close(fd);
	return text;
}

bool hands_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

void hands_until(const bool *flag)
{
	uint64_t end = clock_mono() + 10 * USEC_PER_SEC;

	while (!*flag) {
		uint64_t now = clock_mono();

		if (now >= end)
			fail_msg("nothing came in 10 s");
		assert_true(sd_event_run(hands_event, end - now) >= 0);
	}
}

void hands_idle(void)
{
	int r;

	while ((r = sd_event_run(hands_event, 0)) > 0)
		;
	assert_int_equal(r, 0);
}
