/* main() of a fuzz target without a fuzzer: runs files once each through LLVMFuzzerTestOneInput().
 *
 *	fuzz-NAME [FILE|DIR...]
 *
 * Without arguments, all of SRCDIR/tests/fuzz/corpus/NAME (srcdir is in the environment under make check).  A crash or an
 * abort() is the failure; so is a corpus that holds nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"

#define INPUT_MAX (4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int complain(const char *path, int r)
{
	fprintf(stderr, "%s: %s\n", path, strerror(-r));
	return r;
}

/* Exactly as many bytes as the file has, so that a sanitizer sees the first one read beyond. */
static int replay_file(int dirfd, const char *name)
{
	CLEAN(free_p) char *text = NULL;
	CLEAN(free_p) uint8_t *exact = NULL;
	size_t len;
	int r = file_read_untrusted(dirfd, name, INPUT_MAX, &text, &len);

	if (r < 0)
		return complain(name, r);
	exact = malloc(len > 0 ? len : 1);
	if (!exact)
		return complain(name, -ENOMEM);
	memcpy(exact, text, len);
	fprintf(stderr, "%s (%zu bytes)\n", name, len);
	(void)LLVMFuzzerTestOneInput(exact, len);
	return 1;
}

static int replay_dir(const char *path)
{
	CLEAN(closedir_p) DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return complain(path, -errno);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		int r;

		if (e->d_name[0] == '.')
			continue;
		r = replay_file(dirfd(dir), e->d_name);
		if (r < 0)
			return r;
		n += r;
	}
	return n;
}

static int replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return complain(path, -errno);
	return S_ISDIR(st.st_mode) ? replay_dir(path) : replay_file(AT_FDCWD, path);
}

static int replay_corpus(void)
{
	const char *srcdir = getenv("srcdir"), *name = strstr(program_invocation_short_name, "fuzz-");
	char path[4096];

	if (!name || (size_t)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".",
			     name + strlen("fuzz-")) >= sizeof path)
		return complain(program_invocation_short_name, -EINVAL);
	return replay(path);
}

int main(int argc, char **argv)
{
	int n = 0;

	if (argc < 2)
		n = replay_corpus();
	for (int i = 1; i < argc; i++) {
		int r = replay(argv[i]);

		if (r < 0)
			return 1;
		n += r;
	}
	if (n == 0)
		fprintf(stderr, "nothing to replay\n");
	return n > 0 ? 0 : 1;
}
