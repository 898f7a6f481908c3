/* The entry points called as libpam calls them: the exact codes, which a stack of modules would blur, and errno. */
#include <dlfcn.h>
#include <errno.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <string.h>
#include "tests/pam/cases.h"

typedef int entry(pam_handle_t *pamh, int flags, int argc, const char **argv);

static void *module;

static entry *find(const char *name)
{
	entry *e;
	void *found = dlsym(module, name);

	assert_non_null(found);
	memcpy(&e, &found, sizeof(e));
	return e;
}

static int say_nothing(int n, const struct pam_message **msg, struct pam_response **resp, void *data)
{
	return PAM_CONV_ERR;
}

static int call(const char *name, const char *service, const char *arg)
{
	struct pam_conv conv = { say_nothing, NULL };
	pam_handle_t *pamh = NULL;
	const char *argv[] = { arg, NULL };
	int code;

	assert_int_equal(pam_start_confdir(service, "alice", &conv, ".", &pamh), PAM_SUCCESS);
	errno = 4711;
	code = find(name)(pamh, 0, arg ? 1 : 0, argv);
	assert_int_equal(errno, 4711);
	pam_end(pamh, code);
	return code;
}

static const char *const services[] = { "sudo", "sudo-i", "su", "su-l", "sshd", "cron", "systemd-user", "login", "polkit-1" };
#define OURS 5
#define ALL (sizeof(services) / sizeof(services[0]))

static void neutral(void **state)
{
	for (size_t i = 0; i < ALL; i++) {
		assert_int_equal(call("pam_sm_authenticate", services[i], NULL), PAM_IGNORE);
		assert_int_equal(call("pam_sm_setcred", services[i], NULL), PAM_IGNORE);
		assert_int_equal(call("pam_sm_authenticate", services[i], "debug"), PAM_IGNORE);
		assert_int_equal(call("pam_sm_setcred", services[i], "nonsense"), PAM_IGNORE);
		/* Not PAM_IGNORE: behind it may stand a line that permits. */
		assert_int_equal(call("pam_sm_authenticate", services[i], "nonsense"), PAM_PERM_DENIED);
		assert_int_equal(call("pam_sm_authenticate", services[i], "after=publickey"), PAM_PERM_DENIED);
	}
}

static void opinions(void **state)
{
	for (size_t i = 0; i < ALL; i++) {
		int other = i < OURS ? PAM_PERM_DENIED : PAM_IGNORE; /* there is no jitd */

		assert_int_equal(call("pam_sm_acct_mgmt", services[i], NULL), other);
		assert_int_equal(call("pam_sm_acct_mgmt", services[i], "nonsense"), PAM_PERM_DENIED);
		assert_int_equal(call("pam_sm_close_session", services[i], NULL), i < OURS ? PAM_SUCCESS : PAM_IGNORE);
		if (i >= OURS)
			assert_int_equal(call("pam_sm_open_session", services[i], NULL), PAM_IGNORE);
	}
	assert_int_equal(call("pam_sm_open_session", "su", NULL), PAM_PERM_DENIED);
	assert_int_equal(call("pam_sm_open_session", "su-l", "nonsense"), PAM_PERM_DENIED);
}

static void root_passes(void **state)
{
	pam_jit_knobs.real_uid = 0;
	for (size_t i = 0; i < OURS; i++) {
		bool sshd = !strcmp(services[i], "sshd");

		assert_int_equal(call("pam_sm_acct_mgmt", services[i], NULL), sshd ? PAM_PERM_DENIED : PAM_SUCCESS);
		if (!sshd)
			assert_int_equal(call("pam_sm_open_session", services[i], NULL), PAM_SUCCESS);
	}
	pam_jit_knobs.real_uid = 1000;
}

static int setup(void **state)
{
	static const uid_t nobody = 4242;

	if (harness_setup(state) < 0 || !(module = dlopen(TEST_MODULE, RTLD_NOW)))
		return -1;
	pam_jit_knobs = (struct pam_jit_knobs){ .socket = "gate.sock", .cmdline = "cmdline", .server_uid = &nobody,
		.real_uid = 1000, .ceiling = 1000000, .open_wait = 1000, .close_wait = 1000 };
	for (size_t i = 0; i < ALL; i++)
		fclose(fopen(services[i], "w"));
	return 0;
}

static int teardown(void **state)
{
	dlclose(module);
	return harness_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neutral),
		cmocka_unit_test(opinions),
		cmocka_unit_test(root_passes),
	};

	return cmocka_run_group_tests_name("direct", tests, setup, teardown);
}
