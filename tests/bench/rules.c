/* How judging grows with the number of rules: the pure function alone, without jitd, disk or socket.
 *
 *	rules [ROUNDS]
 *
 * Writes rule files as a fleet has them into a temporary folder, loads them with the program's own loader, and asks for each
 * size and each kind of call what one verdict costs.  Lines: kind, rules, nanoseconds for one verdict, milliseconds for
 * loading.  tests/bench/run builds it and makes the table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/policy.h"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static FILE *create(const char *dir, const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

enum kind {
	KIND_PEOPLE,  /* one rule for each of many users, all else alike */
	KIND_HOSTS,   /* one for each command of each host of a fleet */
	KIND_GLOBS,   /* nothing but wildcards: nothing can be told from the first letters */
	KINDS,
};
static const char *const kinds[] = { "people", "hosts", "globs" };

/* None of the rules but the last matches the call that is asked about. */
static void write_rules(const char *dir, enum kind kind, unsigned n)
{
	FILE *f = create(dir, "rules.d/50-many.conf");

	for (unsigned i = 0; i < n; i++) {
		bool last = i + 1 == n;

		fprintf(f, "[Rule r%u]\nService=sudo\n", i);
		if (kind == KIND_PEOPLE)
			fprintf(f, last ? "User=alice\n" : "User=user%u\n", i);
		else if (kind == KIND_HOSTS)
			fprintf(f, last ? "User=%%admin\nHost=web*\n" : "User=%%admin\nCommand=/usr/bin/tool%u --restart *\nHost=db%u-*\n", i, i % 97);
		else
			fprintf(f, last ? "Command=/usr/*/systemctl *\n" : "Command=/usr/*/tool%u* restart [a-z]*%u*\n", i, i);
		fputs("Decision=deny\n", f);
	}
	if (fclose(f) != 0)
		exit(1);
}

static struct policy *load(const char *dir, double *ret_ms)
{
	struct conf_errors e = { 0 };
	struct policy *p = NULL;
	uint64_t start = now_ns();

	if (policy_load(dir, getuid(), &p, &e) < 0) {
		fprintf(stderr, "rules: %s\n", e.n ? e.list[0] : "out of memory");
		exit(1);
	}
	*ret_ms = (double)(now_ns() - start) / 1e6;
	return p;
}

static uint64_t one_verdict(const struct policy *p, unsigned rounds)
{
	const char *const argv[] = { "systemctl", "restart", "nginx", NULL }, *const groups[] = { "admin", "alice", NULL };
	struct facts f = { .service = "sudo", .user = "alice", .groups = groups, .target = "root", .binary = "/usr/bin/systemctl",
		.argv = argv, .argc = 3, .cwd = "/", .tty = "pts/0", .real_usec = UINT64_C(1780272000) * 1000000 };
	uint64_t start = now_ns();

	for (unsigned i = 0; i < rounds; i++) {
		struct verdict v;

		policy_decide(p, &f, &v);
		if (v.decision != DECISION_DENY || v.rule != &p->rule[p->n_rules - 1]) {
			fprintf(stderr, "rules: another verdict than the last rule's\n");
			exit(1);
		}
	}
	return (now_ns() - start) / rounds;
}

int main(int argc, char **argv)
{
	static const unsigned sizes[] = { 10, 1000, 10000 };
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 200;
	char dir[] = "/tmp/jit-rules.XXXXXX", path[256];
	FILE *f;

	if (!rounds || !mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/rules.d", dir);
	mkdir(path, 0755);
	f = create(dir, "jitd.conf");
	fputs("[Host]\nHost=web1\nDefault=deny\n", f);
	fclose(f);
	for (int k = 0; k < KINDS; k++)
		for (size_t i = 0; i < ELEMENTS(sizes); i++) {
			struct policy *p;
			double ms;

			write_rules(dir, (enum kind)k, sizes[i]);
			p = load(dir, &ms);
			printf("%s %u %llu %.2f\n", kinds[k], sizes[i], (unsigned long long)one_verdict(p, rounds), ms);
			policy_free(p);
		}
	snprintf(path, sizeof(path), "%s/rules.d/50-many.conf", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/rules.d", dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/jitd.conf", dir);
	unlink(path);
	rmdir(dir);
	return 0;
}
