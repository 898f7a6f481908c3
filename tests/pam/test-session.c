/* open_session and close_session: attached or not begun at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/clock.h"
#include "tests/pam/cases.h"

#define SUDO .service = "sudo", .user = "alice", .ruser = "alice", .session_user = "root", .account = true, .open = true
#define SU .service = "su-l", .user = "root", .ruser = "alice", .account = true, .open = true
#define SSHD .service = "sshd", .user = "alice", .account = true, .open = true
#define GRANTED(more) ACCEPT, EXPECT("type=account"), SEND("type=verdict|result=allow|id=" ID more), GONE
#define OPENED(more) ACCEPT, EXPECT("type=open|id=" ID more), SEND("type=verdict|result=allow"), GONE
#define REFUSED ACCEPT, EXPECT("type=open"), SEND("type=verdict|result=refused|text=the grant has ended"), GONE
#define CLOSED ACCEPT, EXPECT("type=close|service|user|id=" ID "|!ruser|!conn|!session"), SEND("type=verdict|result=allow"), GONE
#define REFUSAL "E:pam-jit: the session is refused"

static void session_id(pam_handle_t *pamh)
{
	pam_putenv(pamh, "XDG_SESSION_ID=c7");
}

static void short_open(struct pam_jit_knobs *k)
{
	k->open_wait = USEC_PER_SEC / 5;
}

static void outage(void)
{
	usleep(60 * 1000); /* how long jitd is away */
}

static void ask_again(pam_handle_t *pamh)
{
	pam_acct_mgmt(pamh, 0);
}

static const struct test_case cases[] = {
	/* ---- confirmed ---- */
	{ "sudo", { SUDO, .close = true, .steps = STEPS(GRANTED("|target=root|session=yes"),
		OPENED("|service=sudo|user=root|ruser=alice|!session|!command|!arg"), CLOSED) }, PAM_SUCCESS, .quiet = true },
	{ "su -", { SU, .close = true, .before = session_id, .steps = STEPS(GRANTED("|target=root|session=yes"),
		OPENED("|service=su-l|user=root|session=c7"), CLOSED) }, PAM_SUCCESS },
	{ "sshd", { SSHD, .close = true, .before = session_id, .steps = STEPS(GRANTED("|session=yes"),
		OPENED("|service=sshd|user=alice|session=c7"), CLOSED) }, PAM_SUCCESS },
	{ "allowed without a grant", { SUDO, .close = true, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=verdict|result=allow|target=root"), GONE) }, PAM_SUCCESS, .quiet = true },
	{ "session=no", { SUDO, .close = true, .steps = STEPS(GRANTED("|session=no")) }, PAM_SUCCESS },
	{ "phase=attach", { SUDO, .session_args = "phase=attach", .steps = STEPS(GRANTED("|session=yes"), OPENED("")) },
		PAM_SUCCESS },
	{ "jitd restarted in between", { SUDO, .steps = STEPS(GRANTED("|session=yes"), ACCEPT, EXPECT("type=open"), CLOSE,
		OPENED("")) }, PAM_SUCCESS },
	{ "jitd on its way back", { SUDO, .steps = STEPS(ACCEPT, EXPECT("type=account"), { FAKE_UNLISTEN },
		SEND("type=verdict|result=allow|id=" ID "|session=yes"), GONE, ACT(outage), { FAKE_LISTEN }, OPENED("")) },
		PAM_SUCCESS },
	{ "close is a courtesy: nonsense", { SUDO, .close = true, .steps = STEPS(GRANTED("|session=yes"), OPENED(""), ACCEPT,
		EXPECT("type=close"), RAW("x"), GONE) }, PAM_SUCCESS },
	{ "close is a courtesy: no jitd", { SUDO, .close = true, .steps = STEPS(GRANTED("|session=yes"), ACCEPT,
		EXPECT("type=open"), { FAKE_UNLISTEN }, SEND("type=verdict|result=allow"), GONE) }, PAM_SUCCESS },
	{ "close is a courtesy: silence", { SUDO, .close = true, .steps = STEPS(GRANTED("|session=yes"), OPENED(""), ACCEPT,
		EXPECT("type=close"), GONE) }, PAM_SUCCESS },

	/* ---- refused ---- */
#define FAILS(name, scenario) \
	{ "sudo: " name, { SUDO, .tune = short_open, .steps = scenario }, 0, { REFUSAL }, .killed = true }, \
	{ "su: " name, { SU, .tune = short_open, .steps = scenario }, PAM_PERM_DENIED, { REFUSAL } }, \
	{ "sshd: " name, { SSHD, .session_user = "root", .tune = short_open, .steps = scenario }, 0, { REFUSAL }, .killed = true }
	FAILS("not confirmed", STEPS(GRANTED("|session=yes"), REFUSED)),
	FAILS("silence", STEPS(GRANTED("|session=yes"), ACCEPT, EXPECT("type=open"), GONE)),
	FAILS("no jitd", STEPS(ACCEPT, EXPECT("type=account"), { FAKE_UNLISTEN },
		SEND("type=verdict|result=allow|session=yes"), GONE)),
	FAILS("nonsense", STEPS(GRANTED("|session=yes"), ACCEPT, EXPECT("type=open"), SEND("type=verdict|result=yes"), GONE)),
	FAILS("progress where a verdict is due", STEPS(GRANTED("|session=yes"), ACCEPT, EXPECT("type=open"),
		SEND("type=progress|text=x|wait=1"), GONE)),
	FAILS("another's session", STEPS(GRANTED("|target=postgres|session=yes"))),
	FAILS("another's session, allowed without a grant", STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=verdict|result=allow|target=postgres"), GONE)),
	FAILS("another's session, as the confirmation says", STEPS(GRANTED("|session=yes"), ACCEPT, EXPECT("type=open"),
		SEND("type=verdict|result=allow|target=postgres"), GONE)),
	FAILS("another root answers", STEPS(ACCEPT, EXPECT("type=account"), ACT(harness_impostor),
		SEND("type=verdict|result=allow|session=yes"), GONE, ACCEPT, GONE)),

	{ "allowed, then denied", { SU, .before = ask_again, .steps = STEPS(ACCEPT, EXPECT("type=account"),
		SEND("type=verdict|result=allow"), GONE, ACCEPT, EXPECT("type=account"), SEND("type=verdict|result=denied"), GONE) },
		PAM_PERM_DENIED, { "E:pam-jit: denied", REFUSAL } },

	/* ---- account has not run ---- */
	{ "sudo without account", { .service = "sudo", .user = "root", .open = true, .no_server = true }, 0, { REFUSAL },
		.killed = true },
	{ "sudo-i without account", { .service = "sudo-i", .user = "root", .open = true, .no_server = true }, 0, { REFUSAL },
		.killed = true },
	/* Its plugin may have asked instead, and then jitd knows. */
	{ "sudo without account, let go by jitd", { .service = "sudo", .user = "root", .ruser = "alice", .open = true, .close = true,
		.steps = STEPS(ACCEPT, EXPECT("type=open|service=sudo|user=root|ruser=alice|!id"), SEND("type=verdict|result=allow|id=" ID),
		GONE, CLOSED) }, PAM_SUCCESS, .quiet = true },
	{ "sudo without account, not let go", { .service = "sudo", .user = "root", .open = true, .steps = STEPS(REFUSED) }, 0,
		{ "E:pam-jit: the grant has ended", REFUSAL }, .killed = true },
	{ "sudo without account, for another", { .service = "sudo-i", .user = "root", .open = true, .steps = STEPS(ACCEPT,
		EXPECT("type=open|service=sudo-i"), SEND("type=verdict|result=allow|target=postgres"), GONE) }, 0, { REFUSAL }, .killed = true },
	{ "su without account", { .service = "su", .user = "root", .open = true, .no_server = true }, PAM_PERM_DENIED,
		{ REFUSAL } },
	{ "a named service without account", { .service = "doas", .user = "root", .open = true, .no_server = true,
		.root = true, .session_args = "service=doas" }, PAM_PERM_DENIED, { REFUSAL } },
	{ "root's sudo", { .service = "sudo", .user = "root", .account = true, .open = true, .close = true, .root = true,
		.no_server = true }, PAM_SUCCESS, .quiet = true },
	{ "root's su", { .service = "su", .user = "postgres", .account = true, .open = true, .close = true, .root = true,
		.no_server = true }, PAM_SUCCESS, .quiet = true },
	{ "root's sudo, !pam_acct_mgmt", { .service = "sudo", .user = "root", .open = true, .root = true, .no_server = true },
		PAM_SUCCESS, .quiet = true },
	{ "sshd, account in a child", { .service = "sshd", .user = "alice", .open = true, .close = true, .tcp = true,
		.before = session_id, .steps = STEPS(ACCEPT, EXPECT("type=open|user=alice|session=c7|conn|!id"),
		SEND("type=verdict|result=allow|id=" ID "|session=yes"), GONE, CLOSED) }, PAM_SUCCESS },
	{ "sshd, account nowhere", { .service = "sshd", .user = "alice", .open = true, .steps = STEPS(REFUSED) }, 0,
		{ "E:pam-jit: the grant has ended", REFUSAL }, .killed = true },
	{ "another service is none of ours", { .service = "cron", .user = "alice", .open = true, .close = true,
		.permit = true, .no_server = true }, PAM_SUCCESS, .quiet = true },

	/* ---- arguments ---- */
	{ "sudo: wrong argument", { SUDO, .session_args = "phase=later", .steps = STEPS(GRANTED("|session=yes")) }, 0,
		{ REFUSAL }, .killed = true },
	{ "su: wrong argument", { SU, .session_args = "attach", .steps = STEPS(GRANTED("|session=yes")) }, PAM_PERM_DENIED,
		{ REFUSAL } },
	{ "phase=before in sudo", { SUDO, .session_args = "phase=before", .steps = STEPS(GRANTED("|session=yes")) }, 0,
		{ REFUSAL }, .killed = true },
	{ "phase= twice", { SSHD, .session_args = "phase=before phase=before", .steps = STEPS(GRANTED("|session=yes")) }, 0,
		{ REFUSAL }, .killed = true },
	{ "phase= empty", { SSHD, .session_args = "phase=", .steps = STEPS(GRANTED("|session=yes")) }, 0, { REFUSAL },
		.killed = true },
	{ "root on the console", { .service = "login", .user = "root", .open = true, .session_args = "x", .permit = true,
		.no_server = true }, PAM_SUCCESS, .quiet = true },

	/* ---- sshd's two lines ---- */
	{ "before and attach", { SSHD, .session_args = "phase=before\nphase=attach", .close = true, .steps = STEPS(
		GRANTED("|session=yes"), OPENED(""), CLOSED) }, PAM_SUCCESS },
	{ "before and attach, account in a child", { .service = "sshd", .user = "alice", .open = true,
		.session_args = "phase=before\nphase=attach", .steps = STEPS(ACCEPT, EXPECT("type=open|!id"),
		SEND("type=verdict|result=allow|id=" ID), GONE, OPENED("")) }, PAM_SUCCESS },
	{ "before: another's session", { SSHD, .session_args = "phase=before", .steps = STEPS(GRANTED("|target=bob")) }, 0,
		{ REFUSAL }, .killed = true },
};

/* ---- deadlines ---- */

static char granted[256], opened[256];

static void deadline(char text[256], int64_t in, const char *boot, const char *more)
{
	snprintf(text, 256, "type=verdict|result=allow|id=" ID "|deadline=%llu|boot=%s%s",
		(unsigned long long)((int64_t)clock_boot() + in), boot, more);
}

static uint64_t over_at;

static void until_over(pam_handle_t *pamh)
{
	while (clock_boot() <= over_at)
		usleep(1000);
}

#define LATER (60 * (int64_t)USEC_PER_SEC)

/* In time in account, over when the session opens: jitd is not even asked. */
static void over_before_open(void **state)
{
	struct run r = { SUDO, .before = until_over, .steps = STEPS(ACCEPT, EXPECT("type=account"), SEND(granted), GONE) };

	over_at = clock_boot() + 2 * USEC_PER_SEC;
	deadline(granted, 2 * USEC_PER_SEC, harness_boot(), "|session=yes");
	assert_int_equal(harness_run(&r)->fake, 0);
	assert_true(outcome->killed);
	assert_int_equal(outcome->account, PAM_SUCCESS);
	assert_true(harness_said_part("the time of grant " ID " is over"));
}

/* jitd confirms a grant whose deadline has passed, or one of another boot. */
static void confirmed_too_late(void **state)
{
	const struct {
		int64_t in;
		const char *boot;
		bool ok;
	} rows[] = {
		{ LATER, harness_boot(), true },
		{ -1, harness_boot(), false },
		{ LATER, "0123456789abcdef0123456789abcdef", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run r = { SUDO, .steps = STEPS(GRANTED("|session=yes"), ACCEPT, EXPECT("type=open"), SEND(opened), GONE) };

		deadline(opened, rows[i].in, rows[i].boot, "");
		assert_int_equal(harness_run(&r)->fake, 0);
		assert_int_equal(outcome->killed, !rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(outcome->code, PAM_SUCCESS);
	}
}

/* pam_systemd finds the rest of the time. */
static void limit_for_pam_systemd(void **state)
{
	struct run r = { SSHD, .session_args = "phase=before", .look = true,
		.steps = STEPS(ACCEPT, EXPECT("type=account"), SEND(granted), GONE) };
	unsigned long long usec = 0;

	deadline(granted, LATER, harness_boot(), "|session=yes");
	assert_int_equal(harness_run(&r)->fake, 0);
	assert_int_equal(outcome->code, PAM_SUCCESS);
	assert_int_equal(outcome->n_said, 1);
	assert_int_equal(sscanf(outcome->said[0], "I:limit=%lluus", &usec), 1);
	assert_in_range(usec, LATER - 10 * (int64_t)USEC_PER_SEC, LATER);
}

int main(void)
{
	const struct CMUnitTest more[] = {
		cmocka_unit_test(over_before_open),
		cmocka_unit_test(confirmed_too_late),
		cmocka_unit_test(limit_for_pam_systemd),
	};
	int failed = cases_run("session", cases, sizeof(cases) / sizeof(cases[0]));

	return failed + cmocka_run_group_tests_name("session, more", more, harness_setup, harness_teardown);
}
