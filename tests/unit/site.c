#include "tests/unit/site.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/file.h"

const char site_people[] =
	"[Person alice]\nUser=alice\n"
	"[Person bob]\nUser=bob bob-admin\nPrincipal=bob bob-yubi\n"
	"[Person carol]\nUser=carol\nPrincipal=carol\n"
	"[Person dora]\nUser=dora\nPrincipal=dora@example.com\n"
	"[Team sre]\nMember=bob carol\n"
	"[Team security]\nMember=dora\n"
	"[Team nobody-home]\nMember=alice\n";
const char site_approvers[] =
	SIGNER("bob", KEY_BOB) SIGNER("bob-yubi", KEY_YUBI) SIGNER("carol", KEY_CAROL) SIGNER("dora@example.com", KEY_PHONE);

static char folder[64];

const char *site_begin(void)
{
	strcpy(folder, "/tmp/jit-site-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return folder;
}

const char *site_path(const char *name)
{
	static char path[512];

	assert_true(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
	return path;
}

void site_write_bytes(const char *name, const void *data, size_t len)
{
	const char *slash = strrchr(name, '/');
	int fd;

	if (slash) {
		char dir[128];

		assert_true(snprintf(dir, sizeof(dir), "%.*s", (int)(slash - name), name) < (int)sizeof(dir));
		assert_true(mkdir(site_path(dir), 0755) == 0 || errno == EEXIST);
	}
	fd = open(site_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, len), 0);
	assert_int_equal(close(fd), 0);
}

void site_write(const char *name, const char *text)
{
	if (text)
		site_write_bytes(name, text, strlen(text));
	else
		assert_true(unlink(site_path(name)) == 0 || errno == ENOENT);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void site_end(void)
{
	assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	folder[0] = '\0';
}

const char *site_error(const struct conf_errors *e, size_t i)
{
	const char *text = i < e->n ? e->list[i] : "";
	size_t len = strlen(folder);

	return strncmp(text, folder, len) == 0 && text[len] == '/' ? text + len + 1 : text;
}

uint64_t test_random(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

unsigned test_below(unsigned n)
{
	return (unsigned)(test_random() % n);
}
