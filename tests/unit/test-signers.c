/* The approvers file: what is accepted means the same to ssh-keygen; everything doubtful rejects the whole file. */
#include "config.h"
#include "tests/unit/ssh-fixture.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lib/cleanup.h"
#include "lib/clock.h"

#define OPTION "namespaces=\"" NS "\""

static char *key_text[4]; /* "ssh-ed25519 AAAA…" */
static const char *const names[] = { "k0", "k1", "k2", "k3" };

static int begin(void **state)
{
	if (fixture_begin(state) < 0)
		return -1;
	for (size_t i = 0; i < ELEMENTS(names); i++) {
		CLEAN(sshkey_done) struct sshkey k = { 0 };

		keygen(names[i], "ed25519", NULL);
		public_key(names[i], &k);
		key_text[i] = sshkey_format(&k);
	}
	return 0;
}

static int end(void **state)
{
	for (size_t i = 0; i < ELEMENTS(names); i++)
		free(key_text[i]);
	return fixture_end(state);
}

/* "$0" … "$3" in TEMPLATE are the keys. */
static char *expand(const char *template)
{
	size_t size = strlen(template) + 8 * 256, n = 0;
	char *out = malloc(size);

	for (const char *c = template; *c; c++) {
		if (*c == '$')
			n += (size_t)snprintf(out + n, size - n, "%s", key_text[*++c - '0']);
		else
			out[n++] = *c;
	}
	out[n] = '\0';
	return out;
}

static int parse(const char *template, struct signers *ret, struct why *w)
{
	CLEAN(free_p) char *text = expand(template);

	return signers_parse(text, strlen(text), "approvers", NS, ret, w);
}

static void test_accepted(void **state)
{
	CLEAN(signers_done) struct signers s = { 0 };
	CLEAN(sshkey_done) struct sshkey k0 = { 0 }, k3 = { 0 };
	const struct signer *bob;
	struct why w = { "" };

	if (parse("# approvers\n\n"
		  "bob,bob@example.com " OPTION " $0 bob's laptop # $1\n"
		  "\t carol\t" OPTION ",valid-after=\"20260101Z\",valid-before=\"20270630123015Z\"  $1\n"
		  "  # carol " OPTION " $1\n"
		  "dave cert-authority," OPTION " $2\n"
		  "erin " OPTION ",cert-authority $2",
		    &s, &w) < 0)
		fail_msg("%s", w.text);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.bytes[s.len], 0);
	assert_int_equal(strlen(s.bytes), s.len);

	public_key("k0", &k0);
	public_key("k3", &k3);
	bob = signers_find(&s, "bob@example.com", &k0);
	assert_ptr_equal(bob, &s.list[0]);
	assert_ptr_equal(signers_find(&s, "bob", &k0), bob);
	assert_null(signers_find(&s, "bob", &k3));
	assert_null(signers_find(&s, "bo", &k0));
	assert_null(signers_find(&s, "carol", &k0));
	assert_string_equal(bob->principals[0], "bob");
	assert_null(bob->principals[2]);
	assert_int_equal(bob->line, 3);
	assert_int_equal(strncmp(bob->text, "bob,bob@example.com " OPTION " ssh-ed25519 ", 20), 0);
	assert_non_null(strstr(bob->text, "bob's laptop"));
	assert_false(bob->cert_authority);
	assert_int_equal(bob->valid_after, 0);
	assert_true(bob->valid_before == USEC_INFINITY);

	assert_true(s.list[1].valid_after == UINT64_C(1767225600) * USEC_PER_SEC);
	assert_true(s.list[1].valid_before == UINT64_C(1814358615) * USEC_PER_SEC);
	assert_true(s.list[2].cert_authority && s.list[3].cert_authority);
	assert_ptr_equal(signers_find(&s, "erin", &s.list[2].key), &s.list[3]);
}

static void test_empty(void **state)
{
	static const char *const files[] = { "", "\n", "\n\n", "# nobody\n", "  \t\n#", "   " };

	for (size_t i = 0; i < ELEMENTS(files); i++) {
		CLEAN(signers_done) struct signers s = { 0 };
		struct why w;

		assert_int_equal(parse(files[i], &s, &w), 0);
		assert_int_equal(s.n, 0);
		assert_string_equal(s.bytes, files[i]);
	}
}

static const struct {
	const char *file, *word;
} bad[] = {
	/* no namespace, or another */
	{ "bob $0\n", "approvers:1: namespaces=" },
	{ "bob cert-authority $0\n", "is missing" },
	{ "bob namespaces=\"*\" $0\n", "exactly" },
	{ "bob namespaces=\"decision@pam-jit,file\" $0\n", "exactly" },
	{ "bob namespaces=\"decision@pam-ji?\" $0\n", "exactly" },
	{ "bob namespaces=\"Decision@pam-jit\" $0\n", "exactly" },
	{ "bob namespaces=\"\" $0\n", "exactly" },
	{ "bob namespaces=decision@pam-jit $0\n", "not an option" },
	{ "bob namespaces=\"decision@pam-jit $0\n", "not an option" },
	{ "bob namespaces=\"decision@pam-\\\"jit\" $0\n", "not an option" },
	{ "bob NAMESPACES=\"decision@pam-jit\" $0\n", "not an option" },
	{ "bob " OPTION "," OPTION " $0\n", "twice" },
	/* principals */
	{ "bob* " OPTION " $0\n", "not a principal" },
	{ "b?b " OPTION " $0\n", "not a principal" },
	{ "!bob " OPTION " $0\n", "not a principal" },
	{ "*,!carol " OPTION " $0\n", "not a principal" },
	{ "\"bob\" " OPTION " $0\n", "not a principal" },
	{ "bob, " OPTION " $0\n", "not a principal" },
	{ ",bob " OPTION " $0\n", "not a principal" },
	{ "bob,,carol " OPTION " $0\n", "not a principal" },
	{ "b\xc3\xb6" "b " OPTION " $0\n", "not a principal" },
	{ "bob,bob " OPTION " $0\n", "listed twice" },
	{ "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q " OPTION " $0\n", "more than 16" },
	{ "bob,carol cert-authority," OPTION " $0\n", "exactly one principal" },
	/* doubles */
	{ "bob " OPTION " $0\ncarol " OPTION " $0\n", "approvers:2: this key is listed in line 1" },
	{ "bob " OPTION " $0\ncarol cert-authority," OPTION " $0\n", "this key is listed" },
	{ "bob cert-authority," OPTION " $0\nbob cert-authority," OPTION " $0\n", "this key is listed in line 1" },
	/* options */
	{ "bob " OPTION ",restrict $0\n", "'restrict' is not an option" },
	{ "bob " OPTION ", $0\n", "not an option" },
	{ "bob " OPTION "x $0\n", "separated by ','" },
	{ "bob " OPTION "\n", "separated by ','" },
	{ "bob " OPTION " \n", "not accepted" },
	{ "bob\n", "must stand between" },
	{ "bob cert-authority,cert-authority," OPTION " $0\n", "twice" },
	{ "bob cert-authorityx," OPTION " $0\n", "not an option" },
	{ "bob " OPTION " cert-authority $0\n", "not accepted" },
	/* times */
	{ "bob " OPTION ",valid-after=\"2026\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"Z\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"20260101z\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"20260101 \" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"2026010112\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"2026010112000\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"-0260101\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"20260229Z\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"20261301Z\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"20260100Z\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"202601012400Z\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-after=\"202601011260Z\" $0\n", "valid-after=" },
	{ "bob " OPTION ",valid-before=\"20260101120061Z\" $0\n", "valid-before=" },
	{ "bob " OPTION ",valid-before=\"19700101Z\" $0\n", "valid-before=" },
	{ "bob " OPTION ",valid-before=\"19601231Z\" $0\n", "valid-before=" },
	{ "bob " OPTION ",valid-before=\"always\" $0\n", "valid-before=" },
	{ "bob " OPTION ",valid-after=\"20260101\",valid-after=\"20260101\" $0\n", "not one time" },
	{ "bob " OPTION ",valid-before=\"20260101\",valid-before=\"20260101\" $0\n", "not one time" },
	{ "bob " OPTION ",valid-after=\"20260102Z\",valid-before=\"20260101Z\" $0\n", "not after" },
	{ "bob " OPTION ",valid-after=\"20260101Z\",valid-before=\"20260101Z\" $0\n", "not after" },
	/* keys and bytes */
	{ "bob " OPTION " ssh-ed25519\n", "no key follows" },
	{ "bob " OPTION " ssh-dss AAAA\n", "not accepted" },
	{ "bob " OPTION " ssh-ed25519 AAAA\n", "approvers:1: the key is cut short" },
	{ "bob " OPTION " $0\r\n", "control byte" },
	{ "bob " OPTION " $0\x1b[2J\n", "control byte" },
	{ "carol " OPTION " $1\nbob " OPTION " $0\f\n", "approvers:2: a control byte" },
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		struct signers s = { .n = 7 };
		struct why w = { "" };
		int r = parse(bad[i].file, &s, &w);

		if (r != -EINVAL || !strstr(w.text, bad[i].word))
			fail_msg("row %zu '%.60s': %d '%s', not '%s'", i, bad[i].file, r, w.text, bad[i].word);
		assert_int_equal(s.n, 7);
		assert_null(s.list);
	}
}

/* One bad line rejects a file of good ones, wherever it stands. */
static void test_one_bad_line(void **state)
{
	struct signers s = { 0 };
	struct why w;

	assert_int_equal(parse("a " OPTION " $0\nb " OPTION " $1\nc $2\n", &s, &w), -EINVAL);
	assert_non_null(strstr(w.text, "approvers:3:"));
	assert_int_equal(parse("c $2\na " OPTION " $0\nb " OPTION " $1\n", &s, &w), -EINVAL);
	assert_non_null(strstr(w.text, "approvers:1:"));
}

static void test_too_many(void **state)
{
	CLEAN(free_p) char *text = NULL;
	CLEAN(signers_done) struct signers s = { 0 };
	struct why w;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (int i = 0; i < SIGNERS_MAX; i++)
		fprintf(f, "p%d cert-authority," OPTION " %s\n", i, key_text[0]);
	fflush(f);
	assert_int_equal(signers_parse(text, len, "approvers", NS, &s, &w), 0);
	assert_int_equal(s.n, SIGNERS_MAX);
	signers_done(&s);
	fprintf(f, "one-more " OPTION " %s\n", key_text[1]);
	fclose(f);
	assert_int_equal(signers_parse(text, len, "approvers", NS, &s, &w), -EINVAL);
	assert_non_null(strstr(w.text, "approvers:4097: more than 4096"));
}

static void test_nul(void **state)
{
	CLEAN(free_p) char *text = expand("bob " OPTION " $0\n#x\n");
	struct signers s = { 0 };
	struct why w;

	text[strlen(text) - 2] = '\0';
	assert_int_equal(signers_parse(text, strlen(text) + 2, "approvers", NS, &s, &w), -EINVAL);
	assert_non_null(strstr(w.text, "NUL"));
}

static bool verified_at(const char *line, const char *signature, uint64_t seconds)
{
	char when[64], stamp[32];
	time_t t = (time_t)seconds;
	struct tm tm;

	strftime(stamp, sizeof stamp, "%Y%m%d%H%M%SZ", gmtime_r(&t, &tm));
	snprintf(when, sizeof when, "-Overify-time=%s", stamp);
	spill_text("times", line);
	spill_text("times.sig", signature);
	return RUN("to-sign", SSH_KEYGEN, "-Y", "verify", "-f", "times", "-I", "bob", "-n", NS, "-s", "times.sig", when) ==
	       0;
}

/* Both readers have the same second in mind, in every form and zone, in summer too. */
static void test_times_agree(void **state)
{
	static const char *const forms[] = { "20260315", "202603151234", "20260315123456", "20260315Z", "202603151234Z",
		"20260701023005Z", "20260701023005" };
	static const char *const zones[] = { "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0" };
	CLEAN(free_p) char *signature = keygen_sign("k0", NS, "hello");

	for (size_t z = 0; z < ELEMENTS(zones); z++) {
		setenv("TZ", zones[z], 1);
		tzset();
		for (size_t i = 0; i < ELEMENTS(forms); i++) {
			CLEAN(signers_done) struct signers s = { 0 };
			char template[256];
			CLEAN(free_p) char *line = NULL;
			uint64_t t;
			struct why w;

			snprintf(template, sizeof template, "bob " OPTION ",valid-after=\"%s\" $0\n", forms[i]);
			assert_int_equal(parse(template, &s, &w), 0);
			t = s.list[0].valid_after / USEC_PER_SEC;
			line = expand(template);
			assert_false(verified_at(line, signature, t - 1));
			assert_true(verified_at(line, signature, t));
		}
	}
	unsetenv("TZ");
	tzset();
}

/* What is accepted here is what ssh-keygen reads. */
static void test_keygen_agrees(void **state)
{
	CLEAN(free_p) char *signature = keygen_sign("k1", NS, "hello");
	CLEAN(signers_done) struct signers s = { 0 };
	struct why w;

	assert_int_equal(parse("# x\nbob " OPTION " $0\n\tcarol,c@x " OPTION ",valid-after=\"20200101\" $1 comment\n", &s, &w),
		0);
	assert_true(keygen_verify(s.bytes, "carol", NS, signature, "hello"));
	assert_true(keygen_verify(s.bytes, "c@x", NS, signature, "hello"));
	assert_false(keygen_verify(s.bytes, "bob", NS, signature, "hello"));
	assert_false(keygen_verify(s.bytes, "carol", NS, signature, "hello!"));
	assert_false(keygen_verify(s.bytes, "carol", "login@pam-jit", signature, "hello"));
	/* one line alone is enough for an auditor */
	assert_true(keygen_verify(s.list[1].text, "carol", NS, signature, "hello"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_one_bad_line),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_times_agree),
		cmocka_unit_test(test_keygen_agrees),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
