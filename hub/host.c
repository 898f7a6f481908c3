/* `jit-hub host …`: on the store itself, beside a running hub. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "hub/hub.h"
#include "hub/secret.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/text.h"

static void store_close_p(struct store **s)
{
	store_close(*s);
}

/* Root works as the owner of the state directory, so that every file in it stays the hub's. */
static int become_owner(const char *statedir)
{
	struct stat st;

	if (stat(statedir, &st) < 0) {
		fprintf(stderr, "jit-hub: %s: %s%s\n", statedir, strerror(errno),
			errno == ENOENT ? " (jit-hub.service makes it when it starts)" : "");
		return -errno;
	}
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0) {
		fprintf(stderr, "jit-hub: cannot become the owner of %s: %s\n", statedir, strerror(errno));
		return -errno;
	}
	return 0;
}

static int add(struct store *s, const char *name)
{
	char token[SECRET_LEN + 1];
	uint8_t hash[SHA256_LEN];
	int r = secret_new(token, hash);

	if (r >= 0)
		r = store_host_offer(s, name, hash, clock_real() + HUB_TOKEN_USEC);
	if (r < 0)
		return r;
	fprintf(stderr, "Valid for one hour and one enrollment. On %s, as root:\n"
		"  jit-courier enroll --hub https://… --host %s TOKEN\n", name, name);
	printf("%s\n", token);
	explicit_bzero(token, sizeof(token));
	return 0;
}

static int print_host(const struct stored_host *h, void *userdata)
{
	char seen[TIME_RFC3339_LEN + 1] = "never";

	if (h->seen)
		time_rfc3339(h->seen, seen);
	printf("%-32s %-10s %-20s %s\n", h->name, h->machine ? "enrolled" : "invited", seen, h->machine ? h->machine : "-");
	return 0;
}

static int list(struct store *s)
{
	printf("%-32s %-10s %-20s %s\n", "HOST", "STATE", "SEEN", "MACHINE");
	return store_host_list(s, print_host, NULL);
}

static int run(struct store *s, const char *verb, const char *name)
{
	if (!strcmp(verb, "add"))
		return add(s, name);
	if (!strcmp(verb, "remove"))
		return store_host_remove(s, name);
	return list(s);
}

int host_command(const char *statedir, int argc, char **argv)
{
	CLEAN(store_close_p) struct store *s = NULL;
	bool named = argc == 2 && (!strcmp(argv[0], "add") || !strcmp(argv[0], "remove"));
	char path[4096];
	struct why w;
	int r;

	if (!named && !(argc == 1 && !strcmp(argv[0], "list"))) {
		fputs("usage: jit-hub host add NAME | host list | host remove NAME\n", stderr);
		return 2;
	}
	if (named && !name_valid(argv[1])) {
		fputs("jit-hub: a host's name is 1 to 64 of letters, digits, '.', '_' and '-'\n", stderr);
		return 2;
	}
	if (become_owner(statedir) < 0)
		return EXIT_FAILURE;
	snprintf(path, sizeof(path), "%s/%s", statedir, HUB_DB);
	if (store_open(path, &s, &w) < 0) {
		fprintf(stderr, "jit-hub: %s\n", w.text);
		return EXIT_FAILURE;
	}
	r = run(s, argv[0], named ? argv[1] : NULL);
	if (r == -ENOENT) {
		fprintf(stderr, "jit-hub: there is no host %s\n", argv[1]);
		return 5;
	}
	if (r < 0)
		fprintf(stderr, "jit-hub: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
