/* Who can change what a path leads to.  Needs root, to make what is another account's. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/writable.h"
#include "lib/cleanup.h"

#define OTHER 12345

static int slash = -1; /* the root directory */
static char top[] = "/run/jit-writable-XXXXXX", before[4096];

static int setup(void **state)
{
	slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (geteuid() != 0)
		return 0;
	return getcwd(before, sizeof(before)) && mkdtemp(top) && chmod(top, 0755) == 0 && chdir(top) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[100];

	if (geteuid() != 0)
		return 0;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return chdir(before) == 0 && system(command) == 0 ? 0 : -1;
}

enum kind { DIR_, FILE_, LINK_ };

struct thing {
	enum kind kind;
	const char *path, *to;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

static const struct thing things[] = {
	{ DIR_, "root", NULL, 0755, 0, 0 }, { FILE_, "root/tool", NULL, 0755, 0, 0 }, { FILE_, "root/theirs", NULL, 0755, OTHER, 0 },
	{ FILE_, "root/group", NULL, 0775, 0, OTHER }, { FILE_, "root/roots-group", NULL, 0775, 0, 0 },
	{ FILE_, "root/world", NULL, 0757, 0, 0 }, { FILE_, "root/set", NULL, 04755, 0, 0 },
	{ FILE_, "root/gid-only", NULL, 0755, 0, OTHER },
	{ DIR_, "home", NULL, 0755, OTHER, OTHER }, { FILE_, "home/tool", NULL, 0755, 0, 0 }, { DIR_, "home/bin", NULL, 0755, 0, 0 },
	{ FILE_, "home/bin/tool", NULL, 0755, 0, 0 },
	{ DIR_, "shared", NULL, 0775, 0, OTHER }, { FILE_, "shared/tool", NULL, 0755, 0, 0 },
	{ DIR_, "tmp", NULL, 01777, 0, 0 }, { FILE_, "tmp/tool", NULL, 0755, 0, 0 }, { FILE_, "tmp/theirs", NULL, 0755, OTHER, 0 },
	{ LINK_, "tmp/link", "../root/tool", 0, 0, 0 }, { LINK_, "tmp/their-link", "../root/tool", 0, OTHER, 0 },
	{ DIR_, "their-tmp", NULL, 01777, OTHER, 0 }, { FILE_, "their-tmp/tool", NULL, 0755, 0, 0 },
	{ LINK_, "root/good", "tool", 0, OTHER, OTHER }, { LINK_, "root/away", "../home/tool", 0, 0, 0 },
	{ LINK_, "home/back", "../root/tool", 0, 0, 0 }, { LINK_, "root/through", "../home/back", 0, 0, 0 },
	{ LINK_, "root/up", "..", 0, 0, 0 }, { LINK_, "root/loop", "loop", 0, 0, 0 }, { LINK_, "root/nowhere", "none", 0, 0, 0 },
};

static void make(void)
{
	for (size_t i = 0; i < ELEMENTS(things); i++) {
		const struct thing *t = &things[i];

		if (t->kind == DIR_)
			check_case(mkdir(t->path, 0700) == 0, "%s", t->path);
		else if (t->kind == FILE_)
			check_case(mknod(t->path, S_IFREG | 0600, 0) == 0, "%s", t->path);
		else
			check_case(symlink(t->to, t->path) == 0, "%s", t->path);
		check_case(lchown(t->path, t->uid, t->gid) == 0, "%s", t->path);
		if (t->kind != LINK_)
			check_case(chmod(t->path, t->mode) == 0, "%s", t->path);
	}
}

static void cases(void **state)
{
	static const struct {
		const char *path;
		int result;
	} table[] = {
		{ "root/tool", 0 }, { "root/theirs", 1 }, { "root/group", 1 }, { "root/roots-group", 0 }, { "root/world", 1 },
		{ "root/set", 0 }, { "root/gid-only", 0 }, { "home/tool", 1 }, { "home/bin/tool", 1 }, { "shared/tool", 1 },
		{ "tmp/tool", 0 }, { "tmp/theirs", 1 }, { "tmp/link", 0 }, { "tmp/their-link", 1 }, { "their-tmp/tool", 1 },
		{ "root/good", 0 }, { "root/away", 1 }, { "root/through", 1 }, { "root/up/root/tool", 0 }, { "root/up/home/tool", 1 },
		{ "root//./tool", 0 }, { "home/../root/tool", 1 }, { "root/../root/tool", 0 },
		{ "root/loop", -ELOOP }, { "root/nowhere", -ENOENT }, { "none", -ENOENT }, { "root/tool/x", -ENOTDIR },
	};
	char path[300];

	if (geteuid() != 0)
		skip();
	make();
	for (size_t i = 0; i < ELEMENTS(table); i++) {
		int r;

		snprintf(path, sizeof(path), "%s/%s", top, table[i].path);
		r = writable_by_others(slash, path);
		check_case(r == table[i].result, "%s: %d", table[i].path, r);
	}
}

static void odd_paths(void **state)
{
	static char longer[5000], name[400];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[0] = '/';
	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	assert_int_equal(writable_by_others(slash, "relative"), -EINVAL);
	assert_int_equal(writable_by_others(slash, ""), -EINVAL);
	assert_int_equal(writable_by_others(slash, longer), -ENAMETOOLONG);
	assert_int_equal(writable_by_others(slash, name), -ENAMETOOLONG);
	assert_int_equal(writable_by_others(slash, "/bin/sh"), 0);
}

/* A path, and a link's absolute text, begin at the root of who asks. */
static void below_another_root(void **state)
{
	char path[300];
	CLEAN(close_p) int fd = -1;

	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "%s/other", top);
	assert_int_equal(mkdir(path, 0755), 0);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(mknodat(fd, "tool", S_IFREG | 0755, 0), 0);
	assert_int_equal(mknodat(fd, "theirs", S_IFREG | 0755, 0), 0);
	assert_int_equal(fchownat(fd, "theirs", 1000, 1000, 0), 0);
	assert_int_equal(symlinkat("/theirs", fd, "link"), 0);
	assert_int_equal(writable_by_others(fd, "/tool"), 0);
	assert_int_equal(writable_by_others(fd, "/theirs"), 1);
	assert_int_equal(writable_by_others(fd, "/link"), 1);
	assert_int_equal(writable_by_others(fd, "/bin/sh"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cases), cmocka_unit_test(odd_paths),
		cmocka_unit_test(below_another_root) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
