/* Who is who: files in, people or every mistake out. */
#include "tests/unit/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/people.h"

static int load(struct people *ret, struct conf_errors *e)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s", site_path(""));
	dir[strlen(dir) - 1] = '\0';
	return people_load(dir, getuid(), ret, e);
}

static void finds(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	CLEAN(people_done) struct people p = { 0 };

	site_begin();
	site_write("people.d/a.conf", site_people);
	site_write("approvers", site_approvers);
	assert_int_equal(load(&p, &e), 0);
	assert_int_equal(e.n, 0);
	assert_int_equal(p.n_persons, 4);
	assert_string_equal(people_by_principal(&p, "bob")->name, "bob");
	assert_string_equal(people_by_principal(&p, "bob-yubi")->name, "bob");
	assert_string_equal(people_by_principal(&p, "dora@example.com")->name, "dora");
	assert_null(people_by_principal(&p, "dora"));
	assert_null(people_by_principal(&p, "alice")); /* a user, no principal */
	assert_string_equal(people_by_user(&p, "bob-admin")->name, "bob");
	assert_null(people_by_user(&p, "bob-yubi"));
	assert_null(people_by_user(&p, "Bob"));
	assert_string_equal(people_find(&p, "carol")->name, "carol");
	assert_null(people_find(&p, "sre"));
	assert_string_equal(people_team(&p, "sre")->members[1], "carol");
	assert_null(people_team(&p, "bob"));
	assert_true(people_member(&p, "bob", "sre"));
	assert_false(people_member(&p, "alice", "sre"));
	assert_false(people_member(&p, "bob", "security"));
	assert_false(people_member(&p, "bob", "none"));
	site_end();
}

/* The strongest of all their lines. */
static void strengths(void **state)
{
	static const struct {
		const char *approvers;
		int strength; /* of bob */
	} cases[] = {
		{ "", -ENOENT },
		{ SIGNER("carol", KEY_YUBI), -ENOENT },
		{ SIGNER("bob", KEY_BOB), STRENGTH_KEY },
		{ SIGNER("bob-yubi", KEY_BOB2), STRENGTH_KEY },
		{ SIGNER("bob", KEY_YUBI), STRENGTH_HW_KEY },
		{ SIGNER("bob", KEY_PHONE), STRENGTH_HW_KEY },
		{ SIGNER("bob", KEY_BOB) SIGNER("bob-yubi,bob", KEY_YUBI), STRENGTH_HW_KEY },
		{ SIGNER("bob-yubi", KEY_YUBI) SIGNER("bob", KEY_BOB), STRENGTH_HW_KEY },
		{ SIGNER("bob", KEY_BOB) SIGNER("carol", KEY_YUBI), STRENGTH_KEY },
		{ "bob cert-authority,namespaces=\"decision@pam-jit\" " KEY_DORA "\n", STRENGTH_HW_KEY },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		CLEAN(conf_errors_done) struct conf_errors e = { 0 };
		CLEAN(people_done) struct people p = { 0 };

		site_begin();
		site_write("people.d/a.conf", site_people);
		site_write("approvers", cases[i].approvers);
		assert_int_equal(load(&p, &e), 0);
		if (people_strength(&p, "bob") != cases[i].strength)
			fail_msg("case %zu: %d, not %d", i, people_strength(&p, "bob"), cases[i].strength);
		assert_int_equal(people_strength(&p, "alice"), -ENOENT);
		assert_int_equal(people_strength(&p, "none"), -ENOENT);
		site_end();
	}
}

/* A folder and an approvers file that are not there are nobody. */
static void nobody(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	CLEAN(people_done) struct people p = { 0 };

	site_begin();
	assert_int_equal(load(&p, &e), 0);
	assert_int_equal(p.n_persons + p.n_teams + p.approvers.n, 0);
	site_end();
}

#define BOB "[Person bob]\nPrincipal=bob\nUser=bob\n"
#define CAROL "[Person carol]\nPrincipal=carol\nUser=carol\n"

static const struct {
	const char *people, *approvers;
	const char *mistakes; /* one line each, in order; "" loads */
} sites[] = {
	{ BOB CAROL "[Team sre]\nMember=bob\nMember=carol\n", SIGNER("bob", KEY_BOB), "" },
	{ BOB CAROL "[Team sre]\nMember=bob\nMember=\nMember=carol\n", "", "" },
	{ "[Person bob]\nPrincipal=bob b2\n", SIGNER("bob,b2", KEY_BOB), "" },
	{ BOB, SIGNER("bob", KEY_BOB) SIGNER("bob", KEY_BOB2), "" }, /* two keys of one principal */
	{ "", "# nobody yet\n", "" },
	{ "[Person]\n[Person -x]\n[Person a b]\n[Team]\n", NULL,
		"people.d/p.conf:1: [Person] needs a name of letters, digits, '.', '_', '-'\n"
		"people.d/p.conf:2: [Person -x] needs a name of letters, digits, '.', '_', '-'\n"
		"people.d/p.conf:3: [Person a b] needs a name of letters, digits, '.', '_', '-'\n"
		"people.d/p.conf:4: [Team] needs a name of letters, digits, '.', '_', '-'\n" },
	{ BOB "[Rule x]\nUser=bob\n", NULL,
		"people.d/p.conf:4: unknown section [Rule]: here stand [Person NAME] and [Team NAME]\n" },
	{ BOB "Member=x\n[Team sre]\nMember=bob\nUser=bob\n", NULL,
		"people.d/p.conf:4: unknown key 'Member' in [Person bob]; known: Principal User\n"
		"people.d/p.conf:7: unknown key 'User' in [Team sre]; known: Member\n" },
	{ BOB BOB "[Team t]\nMember=bob\n[Team t]\nMember=bob\n", NULL,
		"people.d/p.conf:4: [Person bob] stands here for the second time: join the two\n"
		"people.d/p.conf:9: [Team t] stands here for the second time: join the two\n" },
	{ "[Person bob]\n", NULL, "people.d/p.conf:1: [Person bob] has neither Principal= nor User=\n" },
	{ BOB "[Team t]\n", NULL, "people.d/p.conf:4: [Team t] has no Member=\n" },
	{ BOB "[Team t]\nMember=bob carol dora\n", NULL,
		"people.d/p.conf:4: [Team t]: there is no [Person carol]\n"
		"people.d/p.conf:4: [Team t]: there is no [Person dora]\n" },
	{ "[Team t]\nMember=t\n", NULL, "people.d/p.conf:1: [Team t]: there is no [Person t]\n" },
	{ "[Person bob]\nUser=bob b*b\nPrincipal=bob b,c\n[Team t]\nMember=!bob\n", NULL,
		"people.d/p.conf:2: User=: 'b*b' is not the name of a user\n"
		"people.d/p.conf:3: Principal=: 'b,c' is not the name of a principal\n"
		"people.d/p.conf:5: Member=: '!bob' is not the name of a person\n"
		"people.d/p.conf:4: [Team t]: there is no [Person !bob]\n" },
	{ "[Person bob]\nUser=bob bob\nPrincipal=x\nPrincipal=y x\n", NULL,
		"people.d/p.conf:2: User=: 'bob' stands there twice\n"
		"people.d/p.conf:4: Principal=: 'x' stands there twice\n" },
	/* One person each. */
	{ BOB "[Person carol]\nUser=carol bob\nPrincipal=bob\n", NULL,
		"people.d/p.conf:4: principal 'bob' of [Person carol] belongs to [Person bob] already (SITE/people.d/p.conf:1)\n"
		"people.d/p.conf:4: user 'bob' of [Person carol] belongs to [Person bob] already (SITE/people.d/p.conf:1)\n" },
	{ BOB CAROL, SIGNER("bob", KEY_BOB) SIGNER("mallory", KEY_CAROL),
		"approvers:2: principal 'mallory' belongs to no [Person]: add it to one's Principal=\n" },
	{ BOB CAROL, SIGNER("bob,carol", KEY_BOB),
		"approvers:1: one key for two people, bob and carol: a key belongs to one person\n" },
	{ BOB "[Team t]\nMember=x\nbad line\n", SIGNER("mallory", KEY_BOB),
		"people.d/p.conf:6: neither [Section] nor Key=value nor a comment ('#')\n"
		"people.d/p.conf:4: [Team t]: there is no [Person x]\n"
		"approvers:1: principal 'mallory' belongs to no [Person]: add it to one's Principal=\n" },
};

/* The words of a mistake with the site's own path taken out. */
static void neutral(char *text, const char *site)
{
	char *at;

	while ((at = strstr(text, site))) {
		memcpy(at, "SITE", 4);
		memmove(at + 4, at + strlen(site), strlen(at + strlen(site)) + 1);
	}
}

static void judges(void **state)
{
	for (size_t i = 0; i < ELEMENTS(sites); i++) {
		CLEAN(conf_errors_done) struct conf_errors e = { 0 };
		CLEAN(people_done) struct people p = { 0 };
		const char *site = site_begin();
		char got[4096] = "";
		int r;

		site_write("people.d/p.conf", sites[i].people);
		if (sites[i].approvers)
			site_write("approvers", sites[i].approvers);
		r = load(&p, &e);
		for (size_t k = 0; k < e.n; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s\n", site_error(&e, k));
		neutral(got, site);
		if (strcmp(got, sites[i].mistakes) != 0)
			fail_msg("site %zu:\n--- wanted\n%s--- got\n%s", i, sites[i].mistakes, got);
		assert_int_equal(r, *got ? -EINVAL : 0);
		if (r < 0)
			assert_int_equal(p.n_persons + p.n_teams + p.approvers.n, 0);
		site_end();
	}
}

/* What signers_parse() refuses is told in its words; here only that it is told. */
static void bad_approvers(void **state)
{
	static const char *const lines[] = {
		"bob " KEY_BOB "\n",                                        /* no namespaces= */
		"b* namespaces=\"decision@pam-jit\" " KEY_BOB "\n",         /* a pattern */
		"bob namespaces=\"git\" " KEY_BOB "\n",
		SIGNER("bob", KEY_BOB) SIGNER("carol", KEY_BOB),            /* one key, two lines */
		"junk\n",
	};

	for (size_t i = 0; i < ELEMENTS(lines); i++) {
		CLEAN(conf_errors_done) struct conf_errors e = { 0 };
		CLEAN(people_done) struct people p = { 0 };

		site_begin();
		site_write("people.d/p.conf", BOB CAROL);
		site_write("approvers", lines[i]);
		assert_int_equal(load(&p, &e), -EINVAL);
		assert_int_equal(e.n, 1);
		if (strncmp(site_error(&e, 0), "approvers:", 10) != 0)
			fail_msg("%s", e.list[0]);
		site_end();
	}
}

static void untrusted_approvers(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	CLEAN(people_done) struct people p = { 0 };

	site_begin();
	site_write("people.d/p.conf", BOB);
	site_write("approvers", SIGNER("bob", KEY_BOB));
	assert_int_equal(chmod(site_path("approvers"), 0666), 0);
	assert_int_equal(load(&p, &e), -EINVAL);
	assert_int_equal(e.n, 1);
	assert_non_null(strstr(e.list[0], "approvers"));
	site_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(strengths),
		cmocka_unit_test(nobody),
		cmocka_unit_test(judges),
		cmocka_unit_test(bad_approvers),
		cmocka_unit_test(untrusted_approvers),
	};

	return cmocka_run_group_tests_name("people", tests, NULL, NULL);
}
