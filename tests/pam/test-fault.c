/* Each call of the module to the outside fails once: nothing crashes, nothing stays behind in the host, and above all
 * no failure makes a yes of a no. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/clock.h"
#include "tests/pam/cases.h"
#include "tests/pam/fault.h"

#define ROUND(type, verdict) ACCEPT, EXPECT("type=" type), SEND(verdict)

static char granted[256];

static void short_retry(struct pam_jit_knobs *k)
{
	k->retry_for = k->first_wait = k->open_wait = USEC_PER_SEC / 10;
	k->close_wait = USEC_PER_SEC / 20;
}

/* Runs R as it is, then once with each of its calls failing; CHECK judges every outcome. */
static void every_fault(struct run *r, void (*check)(const struct outcome *o))
{
	unsigned n;

	r->tune = short_retry;
	r->lenient = r->warm = true;
	fault->at = 0;
	fault->calls = 0;
	harness_run(r);
	n = fault->calls;
	assert_true(n > 10);
	for (unsigned at = 1; at <= n; at++) {
		fault->at = at;
		fault->calls = 0;
		fault->name[0] = '\0';
		harness_run(r);
		if (outcome->signal && !outcome->killed)
			fail_msg("signal %d with call %u (%s) failing", outcome->signal, at, fault->name);
		if (!outcome->killed && !outcome->left_alone)
			fail_msg("changed %s, with call %u (%s) failing", outcome->changed, at, fault->name);
		check(outcome);
	}
	fault->at = 0;
}

static void never_success(const struct outcome *o)
{
	if (o->code == PAM_SUCCESS || o->code == PAM_IGNORE)
		fail_msg("passed, with call %u (%s) failing", fault->at, fault->name);
}

static void one_or_the_other(const struct outcome *o)
{
	if (o->code != PAM_SUCCESS && o->code != PAM_PERM_DENIED && !o->killed)
		fail_msg("code %d, with call %u (%s) failing", o->code, fault->at, fault->name);
}

/* The session was refused: the process has ended (sudo), or open_session has failed (su). */
static void session_never_begins(const struct outcome *o)
{
	if (o->opened == PAM_SUCCESS)
		fail_msg("the session began, with call %u (%s) failing", fault->at, fault->name);
}

static void denied(void **state)
{
	struct run r = { .service = "sudo", .user = "alice", .tty = "/dev/pts/7", .permit = true, .steps = STEPS(
		ROUND("account", "type=verdict|result=denied"), ROUND("account", "type=verdict|result=denied")) };

	every_fault(&r, never_success);
}

static void allowed(void **state)
{
	struct run r = { .service = "sudo", .user = "alice", .tty = "/dev/pts/7", .permit = true, .steps = STEPS(
		ROUND("account", "type=verdict|result=allow"), ROUND("account", "type=verdict|result=allow")) };

	every_fault(&r, one_or_the_other);
}

static void asked(void **state)
{
	struct run r = { .service = "sudo", .user = "alice", .tty = "/dev/pts/7", .typed = "x", .permit = true, .steps = STEPS(
		ROUND("account", "type=progress|text=x|id=" ID "|wait=1000000"),
		SEND("type=ask|what=reason|text=Reason: |wait=1000000"), EXPECT("type=answer"),
		SEND("type=verdict|result=denied"), ROUND("account", "type=verdict|result=denied")) };

	every_fault(&r, never_success);
}

static void over(void **state)
{
	struct run r = { .service = "sudo", .user = "alice", .permit = true, .steps = STEPS(
		ROUND("account", granted), ROUND("account", granted)) };

	snprintf(granted, sizeof(granted), "type=verdict|result=allow|id=" ID "|deadline=%llu|boot=%s",
		(unsigned long long)clock_boot(), harness_boot());
	every_fault(&r, never_success);
}

static void session_refused(void **state)
{
	struct run r = { .service = "sudo", .user = "alice", .account = true, .open = true, .permit = true, .steps = STEPS(
		ROUND("account", "type=verdict|result=allow|id=" ID "|session=yes"),
		ROUND("open", "type=verdict|result=refused"), ROUND("open", "type=verdict|result=refused")) };

	every_fault(&r, session_never_begins);
	r.service = "su";
	every_fault(&r, session_never_begins);
}

static void another_target(void **state)
{
	struct run r = { .service = "su", .user = "alice", .session_user = "root", .account = true, .open = true, .permit = true,
		.steps = STEPS(ROUND("account", "type=verdict|result=allow|target=postgres"),
			ROUND("account", "type=verdict|result=allow|target=postgres")) };

	every_fault(&r, session_never_begins);
}

static void whole_life(void **state)
{
	struct run r = { .service = "sshd", .user = "alice", .account = true, .open = true, .close = true, .tcp = true,
		.session_args = "phase=before\nphase=attach", .permit = true, .steps = STEPS(ROUND("account", granted),
			ROUND("open", "type=verdict|result=allow"), ROUND("close", "type=verdict|result=allow")) };

	snprintf(granted, sizeof(granted), "type=verdict|result=allow|id=" ID "|session=yes|deadline=%llu|boot=%s",
		(unsigned long long)(clock_boot() + 60 * USEC_PER_SEC), harness_boot());
	every_fault(&r, one_or_the_other);
}

static int setup(void **state)
{
	fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return fault == MAP_FAILED ? -1 : harness_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied),
		cmocka_unit_test(allowed),
		cmocka_unit_test(asked),
		cmocka_unit_test(over),
		cmocka_unit_test(session_refused),
		cmocka_unit_test(another_target),
		cmocka_unit_test(whole_life),
	};

	return cmocka_run_group_tests_name("faults", tests, setup, harness_teardown);
}
