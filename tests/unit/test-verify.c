#include "tests/unit/hands.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "helper/child.h"
#include "helper/dirs.h"
#include "helper/verify.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define NS "decision@pam-jit"
#define DOCUMENT "{\"v\":1}"

static struct verify *verify;

static struct {
	bool came;
	unsigned n;
	int result;
	char words[1024], signature[16384];
} got;

static int setup(void **state)
{
	hands_setup(state);
	memset(&got, 0, sizeof(got));
	dirs.keygen = SSH_KEYGEN;
	dirs.verify_user = "nobody"; /* every host has it */
	return verify_new(hands_event, &verify);
}

static int teardown(void **state)
{
	verify = verify_free(verify);
	for (int i = 0; i < 100 && child_abandoned() > 0; i++)
		sd_event_run(hands_event, 100000);
	assert_int_equal(child_abandoned(), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
	return hands_teardown(state);
}

static void on_verified(int result, const char *words, void *userdata)
{
	got.came = true;
	got.n++;
	got.result = result;
	assert_non_null(words);
	snprintf(got.words, sizeof(got.words), "%s", words);
}

static void on_signed(int result, const char *signature, void *userdata)
{
	got.came = true;
	got.n++;
	got.result = result;
	assert_true((result == 0) == (signature != NULL));
	snprintf(got.signature, sizeof(got.signature), "%s", signature ? signature : "");
}

static int answer(int taken)
{
	assert_int_equal(taken, 0);
	assert_false(got.came);
	hands_until(&got.came);
	got.came = false;
	return got.result;
}

static void make_key(void)
{
	struct why w = { { 0 } };

	if (verify_host_key(hands_path("key"), "host.example", &w) < 0)
		fail_msg("%s", w.text);
}

static char *signers_of(const char *principal)
{
	CLEAN(free_p) char *key = hands_read(hands_path("key.pub"));
	char *line;

	assert_non_null(key);
	assert_true(asprintf(&line, "%s namespaces=\"" NS "\" %s", principal, key) > 0);
	return line;
}

static int check(const char *signers, const char *principal, const char *ns, const char *document)
{
	return answer(verify_signature(verify, signers, strlen(signers), principal, ns, document, strlen(document),
		got.signature, on_verified, NULL));
}

static int sign(const char *ns)
{
	return answer(verify_sign(verify, hands_path("key"), ns, DOCUMENT, strlen(DOCUMENT), on_signed, NULL));
}

static void test_host_key(void **state)
{
	CLEAN(free_p) char *before = NULL, *after = NULL, *public = NULL;
	struct why w = { { 0 } };
	struct stat st;

	make_key();
	assert_int_equal(stat(hands_path("key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	before = hands_read(hands_path("key"));
	public = hands_read(hands_path("key.pub"));
	assert_int_equal(strncmp(public, "ssh-ed25519 ", 12), 0);
	assert_non_null(strstr(public, "host.example"));
	assert_int_equal(unlink(hands_path("key.pub")), 0);
	make_key();
	after = hands_read(hands_path("key"));
	assert_string_equal(before, after);
	assert_true(hands_exists(hands_path("key.pub")));
	assert_false(hands_exists(hands_path("key.tmp")));
	assert_false(hands_exists(hands_path("key.tmp.pub")));
	assert_true(verify_host_key(hands_path("nowhere/key"), "x", &w) < 0);
	assert_true(w.text[0]);
}

static void test_host_key_broken(void **state)
{
	struct why w = { { 0 } };

	hands_write(hands_path("key"), "no key\n", 7, 0600);
	assert_true(verify_host_key(hands_path("key"), "x", &w) < 0);
	assert_non_null(strstr(w.text, "ssh-keygen"));
	assert_false(hands_exists(hands_path("key.pub")));
}

static void test_good(void **state)
{
	CLEAN(free_p) char *signers = NULL;

	make_key();
	signers = signers_of("bob@example.org");
	assert_int_equal(sign(NS), 0);
	assert_int_equal(check(signers, "bob@example.org", NS, DOCUMENT), 0);
	assert_non_null(strstr(got.words, "Good"));
}

static void test_bad(void **state)
{
	CLEAN(free_p) char *signers = NULL;

	make_key();
	signers = signers_of("bob@example.org");
	assert_int_equal(sign(NS), 0);
	assert_int_equal(check(signers, "bob@example.org", NS, "{\"v\":2}"), -EACCES);
	assert_true(got.words[0]);
	assert_int_equal(check(signers, "carol@example.org", NS, DOCUMENT), -EACCES);
	assert_int_equal(check(signers, "bob@example.org", "file", DOCUMENT), -EACCES);
	assert_int_equal(check("", "bob@example.org", NS, DOCUMENT), -EACCES);
	assert_int_equal(sign("file"), 0);
	assert_int_equal(check(signers, "bob@example.org", NS, DOCUMENT), -EACCES);
	strcpy(got.signature, "junk");
	assert_int_equal(check(signers, "bob@example.org", NS, DOCUMENT), -EACCES);
	strcpy(got.signature, "");
	assert_int_equal(check(signers, "bob@example.org", NS, DOCUMENT), -EACCES);
}

static void test_sign_refuses(void **state)
{
	assert_int_equal(verify_sign(verify, hands_path("none"), NS, "x", 1, on_signed, NULL), -ENOENT);
	hands_write(hands_path("junk"), "junk\n", 5, 0600);
	assert_int_equal(answer(verify_sign(verify, hands_path("junk"), NS, "x", 1, on_signed, NULL)), -EIO);
	hands_write(hands_path("open"), "junk\n", 5, 0666);
	assert_int_equal(verify_sign(verify, hands_path("open"), NS, "x", 1, on_signed, NULL), -EPERM);
}

static void test_queue(void **state)
{
	CLEAN(free_p) char *signers = NULL;

	make_key();
	signers = signers_of("bob");
	assert_int_equal(sign(NS), 0);
	got.n = 0;
	dirs.keygen = "/bin/true"; /* "Good" is not all that is asked for */
	for (int i = 0; i < 256; i++)
		assert_int_equal(verify_signature(verify, signers, strlen(signers), "bob", NS, "x", 1, got.signature,
			on_verified, NULL), 0);
	assert_int_equal(verify_signature(verify, signers, strlen(signers), "bob", NS, "x", 1, got.signature,
		on_verified, NULL), -EAGAIN);
	while (got.n < 256) {
		got.came = false;
		hands_until(&got.came);
		assert_int_equal(got.result, -EACCES);
	}
}

static void fake_keygen(const char *script)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/keygen", hands_dir);
	hands_write(path, script, strlen(script), 0755);
	dirs.keygen = path;
}

static int run_fake(const char *script)
{
	fake_keygen(script);
	strcpy(got.signature, "the signature");
	return check("the signers", "bob", NS, "the document");
}

/* What the program is given: three inputs and nothing else, of the machine and of us. */
static void test_confined(void **state)
{
	assert_int_equal(run_fake("#!/bin/sh\n"
		"read -r a; read -r b </proc/self/fd/3; read -r c </proc/self/fd/4; echo \"$a|$b|$c|$*\" >&2; exit 1\n"),
		-EACCES);
	assert_string_equal(got.words, "the document|the signers|the signature|"
		"-Y verify -f /proc/self/fd/3 -I bob -n " NS " -s /proc/self/fd/4");
	assert_int_equal(run_fake("#!/bin/sh\nexec env >&2\n"), -EACCES);
	/* What the shell itself sets. */
	assert_string_equal(got.words, "PWD=/");
	assert_int_equal(run_fake("#!/bin/sh\nexec ls /proc/self/fd >&2\n"), -EACCES);
	assert_string_equal(got.words, "0 1 2 3 4 5");
	assert_int_equal(run_fake("#!/bin/sh\nulimit -t >&2; ulimit -n >&2; ulimit -f >&2; ulimit -c >&2; exit 1\n"), -EACCES);
	assert_string_equal(got.words, "2 16 128 0");
	/* glibc keeps signals 32 and 33 to itself; what was started by its posix_spawn(3), as make does, has them ignored. */
	assert_int_equal(run_fake("#!/bin/sh\nexec sed -n -e '/^SigIgn/s/000180000000$/000000000000/' "
		"-e '/^NoNewPrivs\\|^SigBlk\\|^SigIgn/p' /proc/self/status >&2\n"), -EACCES);
	assert_string_equal(got.words, "SigBlk:\\t0000000000000000 SigIgn:\\t0000000000000000 NoNewPrivs:\\t1");
}

static void test_user(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(run_fake("#!/bin/sh\nexec grep -E '^(Uid|Gid|Groups|CapEff)' /proc/self/status >&2\n"), -EACCES);
	assert_string_equal(got.words, "Uid:\\t65534\\t65534\\t65534\\t65534 Gid:\\t65534\\t65534\\t65534\\t65534 Groups:\\t  "
		"CapEff:\\t0000000000000000");
	/* Not one process of its own. */
	assert_int_equal(run_fake("#!/bin/sh\n(echo child >&2)\n"), -EACCES);
	assert_null(strstr(got.words, "child\n"));
	assert_non_null(strstr(got.words, "fork"));
	dirs.verify_user = "no-such-user-of-ours";
	assert_int_equal(run_fake("#!/bin/sh\nexit 0\n"), -ESRCH);
	assert_non_null(strstr(got.words, "no-such-user-of-ours does not exist"));
	dirs.verify_user = "root"; /* never as root, whatever the file says */
	assert_int_equal(run_fake("#!/bin/sh\nexit 0\n"), -ESRCH);
}

/* A success that does not say what was verified is none. */
static void test_success_without_words(void **state)
{
	assert_int_equal(run_fake("#!/bin/sh\nexit 0\n"), -EACCES);
	assert_int_equal(run_fake("#!/bin/sh\necho 'Good \"" NS "\" signature for carol with x'\n"), -EACCES);
	assert_int_equal(run_fake("#!/bin/sh\necho 'Good \"" NS "\" signature for bob with x'\n"), 0);
	assert_int_equal(run_fake("#!/bin/sh\necho 'Good \"" NS "\" signature for bob with x'; exit 255\n"), -EACCES);
}

static void test_cannot_run(void **state)
{
	dirs.keygen = "/nonexistent/ssh-keygen";
	strcpy(got.signature, "s");
	assert_int_equal(check("a", "bob", NS, "d"), -EIO);
	assert_non_null(strstr(got.words, "/nonexistent/ssh-keygen"));
	assert_int_equal(run_fake("#!/bin/sh\nkill -9 $$\n"), -EIO);
	assert_non_null(strstr(got.words, "signal 9"));
}

static void test_too_much(void **state)
{
	/* More than the output's limit: the program is ended by it. */
	assert_int_equal(run_fake("#!/bin/sh\nwhile echo 0123456789012345678901234567890123456789; do :; done\n"), -EIO);
	assert_int_equal(run_fake("#!/bin/sh\nprintf 'a\\033[31m\\342\\200\\256b\\nc\\n' >&2; exit 1\n"), -EACCES);
	assert_null(strchr(got.words, 0x1b));
	assert_null(strchr(got.words, '\n'));
}

static void test_late(void **state)
{
	uint64_t begin = clock_mono();

	assert_int_equal(run_fake("#!/bin/sh\nexec sleep 1000\n"), -ETIMEDOUT);
	assert_true(clock_mono() - begin >= VERIFY_TIMEOUT_USEC);
}

static void test_freed(void **state)
{
	fake_keygen("#!/bin/sh\nexec sleep 1000\n");
	for (int i = 0; i < 4; i++)
		assert_int_equal(verify_signature(verify, "a", 1, "bob", NS, "d", 1, "s", on_verified, NULL), 0);
	hands_idle();
	verify = verify_free(verify);
	hands_idle();
	assert_int_equal(got.n, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_host_key), T(test_host_key_broken), T(test_good), T(test_bad), T(test_sign_refuses), T(test_queue),
		T(test_confined), T(test_user), T(test_success_without_words), T(test_cannot_run), T(test_too_much),
		T(test_late), T(test_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
