/* Looking at the host: what the tools of packages said, and a tool run. */
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "helper/look-run.h"
#include "helper/look.h"

/* ---- whose is it ---- */

#define DASH "diversion by dash from: /bin/sh\ndiversion by dash to: /bin/sh.distrib\n"
#define LOCAL "local diversion from: /usr/bin/top\nlocal diversion to: /usr/bin/top.real\n"

static void owners(void **state)
{
	static const struct {
		const char *what, *text, *path, *except;
		enum look_owner owner;
		const char *name, *origin;
	} cases[] = {
		{ "one package", "coreutils: /bin/ls\n", "/bin/ls", NULL, LOOK_OWNER_PACKAGE, "coreutils", NULL },
		{ "no newline at the end", "coreutils: /bin/ls", "/bin/ls", NULL, LOOK_OWNER_PACKAGE, "coreutils", NULL },
		{ "the second name", "coreutils: /bin/ls\n", "/usr/bin/ls", NULL, LOOK_OWNER_NONE, NULL, NULL },
		{ "a longer path", "x: /bin/ls.old\n", "/bin/ls", NULL, LOOK_OWNER_NONE, NULL, NULL },
		{ "a shorter path", "x: /bin/l\n", "/bin/ls", NULL, LOOK_OWNER_NONE, NULL, NULL },
		{ "nothing", "", "/bin/ls", NULL, LOOK_OWNER_NONE, NULL, NULL },
		{ "two packages", "libc6:amd64, libc6:i386: /usr/x\n", "/usr/x", NULL, LOOK_OWNER_PACKAGE, "libc6:amd64", NULL },
		{ "a blank and a colon in the path", "x: /srv/a: /b\n", "/srv/a: /b", NULL, LOOK_OWNER_PACKAGE, "x", NULL },
		{ "the end of a path is no path", "x: /srv/a: /b\n", "/b", NULL, LOOK_OWNER_NONE, NULL, NULL },
		{ "the one that diverts counts", DASH "bash, dash: /bin/sh\n", "/bin/sh", NULL, LOOK_OWNER_PACKAGE, "dash", NULL },
		{ "the one that was diverted does not", DASH "bash: /bin/sh\n", "/bin/sh", NULL, LOOK_OWNER_NONE, NULL, NULL },
		{ "an architecture's name diverts", DASH "bash, dash:amd64: /bin/sh\n", "/bin/sh", NULL, LOOK_OWNER_PACKAGE,
		  "dash:amd64", NULL },
		{ "a name that begins alike", DASH "dashboard: /bin/sh\n", "/bin/sh", NULL, LOOK_OWNER_NONE, NULL, NULL },
		{ "where it was diverted to", DASH, "/bin/sh.distrib", NULL, LOOK_OWNER_DIVERTED, "dash", "/bin/sh" },
		{ "whose it was before", DASH "bash, dash: /bin/sh\n", "/bin/sh", "dash", LOOK_OWNER_PACKAGE, "bash", NULL },
		{ "the administrator's own file", LOCAL "procps: /usr/bin/top\n", "/usr/bin/top", NULL, LOOK_OWNER_NONE, NULL, NULL },
		{ "where the administrator put it", LOCAL, "/usr/bin/top.real", NULL, LOOK_OWNER_DIVERTED, "", "/usr/bin/top" },
		{ "whose the administrator put aside", LOCAL "procps: /usr/bin/top\n", "/usr/bin/top", "", LOOK_OWNER_PACKAGE,
		  "procps", NULL },
		{ "a diversion of something else", DASH "coreutils: /bin/ls\n", "/bin/ls", NULL, LOOK_OWNER_PACKAGE, "coreutils", NULL },
		{ "half a diversion", "diversion by dash from: /bin/sh\nbash: /bin/sh\n", "/bin/sh", NULL, LOOK_OWNER_PACKAGE, "bash",
		  NULL },
		{ "no sense", "\n\n: \n: /\n, , : /bin/ls\n", "/bin/ls", NULL, LOOK_OWNER_PACKAGE, "", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		char name[LOOK_NAME] = "untouched", origin[256] = "";
		enum look_owner got = look_dpkg_owner(cases[i].text, cases[i].path, cases[i].except, name, origin, sizeof(origin));

		check_case(got == cases[i].owner, "%s: %d", cases[i].what, (int)got);
		if (cases[i].name)
			check_case(!strcmp(name, cases[i].name), "%s: %s", cases[i].what, name);
		if (cases[i].origin)
			check_case(!strcmp(origin, cases[i].origin), "%s: %s", cases[i].what, origin);
	}
}

/* ---- its digest ---- */

#define M "0123456789abcdef0123456789abcdef"
#define N "ffffffffffffffffffffffffffffffff"

static void dpkg_digests(void **state)
{
	static const struct {
		const char *text, *path, *md5;
	} cases[] = {
		{ M "  bin/ls\n", "/bin/ls", M },
		{ N "  bin/l\n" M "  bin/ls\n", "/bin/ls", M },
		{ N "  bin/ls.old\n", "/bin/ls", NULL },
		{ M "  /bin/ls\n", "/bin/ls", NULL },
		{ M " bin/ls\n", "/bin/ls", NULL },
		{ M "bin/ls", "/bin/ls", NULL },
		{ "0123  bin/ls\n", "/bin/ls", NULL },
		{ " /etc/init.d/x " M "\n", "/etc/init.d/x", M },
		{ " /etc/init.d/x " M " obsolete\n", "/etc/init.d/x", M },
		{ " /etc/init.d/x " M "0\n", "/etc/init.d/x", NULL },
		{ " /etc/init.d/x newconffile\n", "/etc/init.d/x", NULL },
		{ " /etc/init.d/x y " M "\n", "/etc/init.d/x", NULL },
		{ " /etc/init.d/x", "/etc/init.d/x", NULL },
		{ " /etc/init.d/x-" M "\n", "/etc/init.d/x", NULL },
		{ "", "/bin/ls", NULL },
		{ "\n \n  \n", "/", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		char md5[MD5_HEX + 1] = "";
		bool got = look_dpkg_digest(cases[i].text, cases[i].path, md5);

		check_case(got == (cases[i].md5 != NULL), "%s", cases[i].text);
		if (got)
			check_case(!strcmp(md5, cases[i].md5), "%s: %s", cases[i].text, md5);
	}
}

static void rpm_digests(void **state)
{
	static const struct {
		const char *text, *path, *digest;
	} cases[] = {
		{ "bash\n5.1-2\n" M M " /usr/bin/bash\n " "/usr/bin/sh\n", "/usr/bin/bash", M M },
		{ "bash\n5.1-2\n" M M " /usr/bin/bash\n " "/usr/bin/sh\n", "/usr/bin/sh", "" },
		{ "bash\n5.1-2\n" M " /usr/bin/bash\n", "/usr/bin/bash", M },
		{ "bash\n5.1-2\n" M M " /usr/bin/bash.old\n", "/usr/bin/bash", NULL },
		{ "bash\n5.1-2\nzz /usr/bin/bash\n", "/usr/bin/bash", NULL },
		{ "bash\n5.1-2\n" M M "00 /usr/bin/bash\n", "/usr/bin/bash", NULL },
		{ "file /x is not owned by any package\n", "/x", NULL },
		{ "", "/x", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		char name[LOOK_NAME], version[LOOK_NAME], digest[SHA256_HEX + 1] = "";
		bool got = look_rpm_digest(cases[i].text, cases[i].path, name, version, digest);

		check_case(got == (cases[i].digest != NULL), "%s", cases[i].text);
		if (!got)
			continue;
		check_case(!strcmp(digest, cases[i].digest), "%s: %s", cases[i].text, digest);
		check_case(!strcmp(name, "bash") && !strcmp(version, "5.1-2"), "%s: %s %s", cases[i].text, name, version);
	}
}

/* ---- a tool ---- */

static int sh(const char *script, size_t max, char **ret)
{
	char *argv[] = { (char *)(uintptr_t)"/bin/sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)script, NULL };

	return look_run(argv, max, ret);
}

static void tools(void **state)
{
	static const struct {
		const char *script;
		int result;
		const char *text; /* NULL: none is given */
	} cases[] = {
		{ "echo hello; echo no >&2; exit 3", 3, "hello\n" },
		{ "", 0, "" },
		{ "kill -9 $$", 128 + 9, "" },
		{ "cat; echo $LC_ALL", 0, "C\n" },
		{ "ls /proc/self/fd | wc -l", 0, "4\n" }, /* 0, 1, 2, and the one of ls itself */
		{ "while :; do echo yes; done", -EFBIG, NULL },
	};
	char *none[] = { (char *)(uintptr_t)"/nonexistent", NULL };
	CLEAN(free_p) char *text = NULL;

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		CLEAN(free_p) char *out = NULL;
		int r = sh(cases[i].script, 1000, &out);

		check_case(r == cases[i].result, "%s: %d", cases[i].script, r);
		check_case((out != NULL) == (cases[i].text != NULL), "%s", cases[i].script);
		if (out)
			check_case(!strcmp(out, cases[i].text), "%s: %s", cases[i].script, out);
	}
	assert_int_equal(look_run(none, 10, &text), 126);
}

/* ---- this machine's own packages, where it has any ---- */

static void own_shell(void **state)
{
	struct look_package p;
	char path[] = "/tmp/jit-look-XXXXXX";
	int fd, r = look_package("/bin/sh", &p);

	if (r == -EOPNOTSUPP)
		skip();
	assert_int_equal(r, 0);
	assert_int_not_equal(p.state, LOOK_NONE);
	assert_true(p.name[0] && p.version[0]);
	assert_int_equal(strlen(p.sha256), SHA256_HEX);
	fd = mkstemp(path);
	assert_true(fd >= 0 && close(fd) == 0);
	r = look_package(path, &p);
	unlink(path);
	assert_int_equal(r, 0);
	assert_int_equal(p.state, LOOK_NONE);
	assert_string_equal(p.name, "");
	assert_true(look_package("/", &p) < 0 && look_package("relative", &p) < 0 && look_package("/dev/null", &p) < 0);
}

/* ---- users ---- */

static void put_line(FILE *f, short type, const char *user, const char *line, const char *host, int when, pid_t pid)
{
	struct utmp u = { .ut_type = type, .ut_pid = pid };

	memcpy(u.ut_user, user, strnlen(user, sizeof(u.ut_user)));
	memcpy(u.ut_line, line, strnlen(line, sizeof(u.ut_line)));
	memcpy(u.ut_host, host, strnlen(host, sizeof(u.ut_host)));
	u.ut_tv.tv_sec = when;
	assert_int_equal(fwrite(&u, sizeof(u), 1, f), 1);
}

static void utmp(void **state)
{
	static struct look_users users;
	char path[] = "/tmp/jit-utmp-XXXXXX", host[300];
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	memset(host, 'h', sizeof(host) - 1);
	host[299] = '\0';
	put_line(f, BOOT_TIME, "reboot", "~", "", 1, 0);
	put_line(f, USER_PROCESS, "alice", "pts/0", "10.0.0.1", 100, getpid());
	put_line(f, USER_PROCESS, "bob", "tty1", "", 200, getpid());
	put_line(f, USER_PROCESS, "alice", "pts/1", host, 300, getpid());
	put_line(f, USER_PROCESS, "alice", "pts/2", "", 50, getpid());
	put_line(f, USER_PROCESS, "ghost", "pts/9", "", 400, gone);
	put_line(f, DEAD_PROCESS, "carol", "pts/8", "", 500, getpid());
	put_line(f, USER_PROCESS, "a-name-as-long-as-the-field-is--", "pts/3", "", 10, getpid());
	fputs("torn", f);
	fclose(f);
	assert_int_equal(look_users_utmp(path, &users), 0);
	unlink(path);
	assert_int_equal(users.n, 3);
	assert_int_equal(users.more, 0);
	assert_string_equal(users.list[0].name, "alice");
	assert_int_equal(users.list[0].sessions, 3);
	assert_string_equal(users.list[0].tty, "pts/1");
	assert_int_equal(strlen(users.list[0].from), LOOK_NAME - 1);
	assert_string_equal(users.list[0].from + LOOK_NAME - 5, "h...");
	assert_int_equal(users.list[0].since, 300000000);
	assert_string_equal(users.list[1].name, "bob");
	assert_string_equal(users.list[2].name, "a-name-as-long-as-the-field-is--");
	assert_true(look_users_utmp(path, &users) < 0);
}

/* Of a crowd, the ones that have no place are counted. */
static void crowd(void **state)
{
	static struct look_users users;
	char path[] = "/tmp/jit-utmp-XXXXXX", name[32];
	FILE *f = fdopen(mkstemp(path), "w");

	for (int i = 0; i < LOOK_USERS + 7; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		put_line(f, USER_PROCESS, name, "pts/0", "", i, getpid());
	}
	fclose(f);
	assert_int_equal(look_users_utmp(path, &users), 0);
	unlink(path);
	assert_int_equal(users.n, LOOK_USERS);
	assert_int_equal(users.more, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners), cmocka_unit_test(dpkg_digests), cmocka_unit_test(rpm_digests), cmocka_unit_test(tools),
		cmocka_unit_test(own_shell), cmocka_unit_test(utmp), cmocka_unit_test(crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
