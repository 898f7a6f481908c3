/* Whom a request is put to, as the requester reads it, and whether there is anybody. */
#include "tests/unit/site.h"
#include "tests/unit/unit.h"

#include <unistd.h>
#include "helper/jitd.h"

static struct jitd j;

static int begin(void **state)
{
	struct conf_errors e = { 0 };
	char people[8192] = "[Person alice]\nUser=alice\n[Person bob]\nPrincipal=bob\n[Person carol]\nPrincipal=carol\n";
	char members[1024] = "", approvers[16384] = SIGNER("bob", KEY_BOB) SIGNER("bob", KEY_YUBI) SIGNER("carol", KEY_CAROL);

	for (unsigned i = 0; i < 60; i++) {
		snprintf(people + strlen(people), sizeof(people) - strlen(people), "[Person member%02u]\nPrincipal=m%02u\n", i, i);
		snprintf(approvers + strlen(approvers), sizeof(approvers) - strlen(approvers),
			"m%02u cert-authority,namespaces=\"decision@pam-jit\" " KEY_DORA "\n", i);
		snprintf(members + strlen(members), sizeof(members) - strlen(members), " member%02u", i);
	}
	snprintf(people + strlen(people), sizeof(people) - strlen(people),
		"[Team sre]\nMember=bob carol\n[Team ops]\nMember=carol alice\n[Team many]\nMember=bob%s\n"
		"[Team crowd]\nMember=%s bob carol\n", members, members);
	site_begin();
	site_write("approvers", approvers);
	site_write("people.d/p.conf", people);
	site_write("jitd.conf", "[Host]\nHost=web1\nDefault=deny\n");
	if (policy_load(site_path(""), getuid(), &j.policy, &e) < 0) {
		print_error("%s\n", e.n ? e.list[0] : "?");
		return -1;
	}
	return 0;
}

static int end(void **state)
{
	j.policy = policy_free(j.policy);
	site_end();
	return 0;
}

/* Each person once, the requester and who has no key that would do never, and what does not fit is said to be missing. */
static void whom(void **state)
{
	static const struct {
		const char *need, *text, *end; /* an end: the text only begins as TEXT does */
	} cases[] = {
		{ "1 of sre", "1 of sre (bob, carol)", NULL },
		{ "1 of ops", "1 of ops (carol)", NULL },
		{ "1 of sre, 1 of ops", "1 of sre, 1 of ops (bob, carol)", NULL },
		{ "1 of sre with key", "1 of sre with key (bob, carol)", NULL },
		{ "1 of sre with hw-key", "1 of sre with hw-key (bob)", NULL },
		{ "1 of sre with hw-key, 1 of ops", "1 of sre with hw-key, 1 of ops (bob, carol)", NULL },
		{ "1 of ops with hw-key", "1 of ops with hw-key", NULL },
		{ "1 of many", "1 of many (bob, member00, member01, ", "member19, and 40 more)" },
		{ "1 of sre, 1 of many", "1 of sre, 1 of many (bob, carol, member00, ", " and 41 more)" },
	};
	char alice[] = "alice", *requesters[] = { alice, NULL };

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct request r = { .jitd = &j, .requesters = requesters };
		CLEAN(free_p) char *text = NULL;

		assert_int_equal(need_parse(cases[i].need, &r.terms.need, NULL), 0);
		text = request_whom(&r);
		check_case(text && !strncmp(text, cases[i].text, strlen(cases[i].text)), "%s: %s", cases[i].need, text);
		if (cases[i].end)
			check_case(strlen(text) > strlen(cases[i].end) &&
				!strcmp(text + strlen(text) - strlen(cases[i].end), cases[i].end), "%s: %s", cases[i].need, text);
		else
			check_case(!strcmp(text, cases[i].text), "%s: %s", cases[i].need, text);
	}
}

/* A call whose need nobody but the requester could meet is refused at once. */
static void satisfiable(void **state)
{
	static const struct {
		const char *need;
		const char *requester;
		bool could;
	} cases[] = {
		{ "1 of sre with hw-key", "alice", true },
		{ "1 of sre with hw-key", "bob", false }, /* carol's key is a plain one */
		{ "1 of sre with hw-key", "carol", true },
		{ "1 of sre with key", "bob", true },
		{ "1 of sre", "bob", true },
		{ "2 of sre", "bob", false },
		{ "1 of sre with hw-key or 1 of ops", "bob", true },
		{ "1 of sre with hw-key, 1 of sre", "alice", true },
		{ "1 of sre with hw-key, 1 of ops with hw-key", "alice", false },
		{ "1 of ops", "carol", false }, /* alice has no key */
		/* However many stand before whom it takes. */
		{ "16 of many with hw-key, 16 of crowd, 1 of ops", "alice", true },
		{ "16 of many with hw-key, 16 of crowd, 1 of ops", "carol", false },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		char name[16], *requesters[] = { name, NULL };
		struct need need;

		snprintf(name, sizeof(name), "%s", cases[i].requester);
		assert_int_equal(need_parse(cases[i].need, &need, NULL), 0);
		check_case(request_satisfiable(j.policy, &need, requesters) == cases[i].could, "%s asks for %s", name, cases[i].need);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(whom), cmocka_unit_test(satisfiable) };

	return cmocka_run_group_tests_name("whom", tests, begin, end);
}
