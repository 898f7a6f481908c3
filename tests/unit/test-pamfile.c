/* The edit of PAM files: places, round trip to the byte, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "cli/pamfile.h"
#include "lib/cleanup.h"
#include "lib/file.h"

static char *sample(const char *service, void *userdata)
{
	char path[256], *text;
	size_t len;

	snprintf(path, sizeof(path), PAM_SAMPLES "/%s/%s", (const char *)userdata, service);
	return file_read_untrusted(AT_FDCWD, path, PAMFILE_MAX, &text, &len) < 0 ? NULL : text;
}

static char *no_source(const char *service, void *userdata)
{
	return NULL;
}

static void read_file(const char *text, struct pamfile *f)
{
	struct why w;

	assert_int_equal(pamfile_read(text, strlen(text), f, &w), 0);
}

/* Enables TEXT for SERVICE and gives the new text, or NULL and the error. */
static char *enabled_how(const char *text, const char *service, enum pamfile_shape shape, pamfile_source source, void *userdata, int *ret)
{
	struct pamfile f CLEAN(pamfile_done) = {0};
	struct why w;
	size_t len;

	read_file(text, &f);
	*ret = pamfile_enable(&f, service, shape, source, userdata, &w);
	return *ret < 0 ? NULL : pamfile_text(&f, &len);
}

static char *enabled(const char *text, const char *service, pamfile_source source, void *userdata, int *ret)
{
	return enabled_how(text, service, PAMFILE_GATE, source, userdata, ret);
}

static void round_trip(const char *text, const char *service, pamfile_source source, void *userdata)
{
	struct pamfile f CLEAN(pamfile_done) = {0}, again CLEAN(pamfile_done) = {0};
	int r;
	CLEAN(free_p) char *on = enabled(text, service, source, userdata, &r), *off = NULL;
	struct why w;
	size_t len;

	assert_int_equal(r, 1);
	assert_non_null(on);
	assert_string_not_equal(on, text);
	read_file(on, &f);
	assert_int_equal(pamfile_foreign(&f), 0);
	assert_int_equal(pamfile_ours(&f), strcmp(service, "sshd") ? 2 : 3);
	/* Twice changes nothing. */
	read_file(on, &again);
	assert_int_equal(pamfile_enable(&again, service, PAMFILE_GATE, source, userdata, &w), 0);
	assert_int_equal(pamfile_disable(&f), strcmp(service, "sshd") ? 2 : 3);
	off = pamfile_text(&f, &len);
	assert_string_equal(off, text);
	assert_int_equal(len, strlen(text));
}

static void test_debian(void **state)
{
	static const char *const releases[] = {"debian12", "debian13"};
	static const char *const services[] = {"sudo", "sudo-i", "su", "su-l", "sshd"};

	for (size_t i = 0; i < ELEMENTS(releases); i++)
		for (size_t j = 0; j < ELEMENTS(services); j++) {
			char release[16];

			strcpy(release, releases[i]);
			CLEAN(free_p) char *text = sample(services[j], release);

			assert_non_null(text);
			round_trip(text, services[j], sample, release);
		}
}

static void test_places(void **state)
{
	char release[] = "debian12";
	int r;
	CLEAN(free_p) char *sudo = sample("sudo", release), *sshd = sample("sshd", release);
	CLEAN(free_p) char *sudo_on = enabled(sudo, "sudo", sample, release, &r), *sshd_on = enabled(sshd, "sshd", sample, release, &r);

	/* In front of every account line, behind the session include. */
	assert_non_null(strstr(sudo_on, "@include common-auth\naccount    requisite    pam_jit.so    " PAMFILE_MARK
					"\n@include common-account\n"));
	assert_non_null(strstr(sudo_on, "@include common-session-noninteractive\nsession    required     pam_jit.so    " PAMFILE_MARK
					"\n"));
	assert_non_null(strstr(sshd_on, "account    requisite    pam_jit.so    " PAMFILE_MARK
					"\naccount    required     pam_nologin.so\n"));
	assert_non_null(strstr(sshd_on, "session    required     pam_jit.so phase=before    " PAMFILE_MARK
					"\n@include common-session\nsession    required     pam_jit.so    " PAMFILE_MARK "\n"));
}

/* --interactive: one line more, before every auth line, whether the gate is there already or not; what disable leaves is the file before. */
static void test_interactive(void **state)
{
	static const char *const releases[] = {"debian12", "debian13"};

	for (size_t i = 0; i < ELEMENTS(releases); i++) {
		struct pamfile f CLEAN(pamfile_done) = {0}, again CLEAN(pamfile_done) = {0};
		char release[16];
		int r;
		size_t len;
		struct why w;

		strcpy(release, releases[i]);
		CLEAN(free_p) char *text = sample("sshd", release), *gate = enabled(text, "sshd", sample, release, &r);
		CLEAN(free_p) char *on = enabled_how(text, "sshd", PAMFILE_INTERACTIVE, sample, release, &r);
		CLEAN(free_p) char *later = enabled_how(gate, "sshd", PAMFILE_INTERACTIVE, sample, release, &r), *off = NULL;

		assert_int_equal(r, 1);
		assert_string_equal(on, later);
		assert_non_null(strstr(on, "\nauth       [success=done default=ignore]    pam_jit.so after=publickey    " PAMFILE_MARK
					   "\n@include common-auth\n"));
		read_file(on, &f);
		read_file(on, &again);
		assert_int_equal(pamfile_ours(&f), 4);
		assert_int_equal(pamfile_enable(&f, "sshd", PAMFILE_INTERACTIVE, sample, release, &w), 0);
		assert_int_equal(pamfile_enable(&f, "sshd", PAMFILE_GATE, sample, release, &w), 0);
		assert_int_equal(pamfile_disable(&again), 4);
		off = pamfile_text(&again, &len);
		assert_string_equal(off, text);
	}
}

static void test_interactive_refused(void **state)
{
	static const char *const texts[] = {
		"account required pam_unix.so\nsession required pam_unix.so\n", /* no auth lines */
		"auth [success=done default=ignore] pam_jit.so after=publickey " PAMFILE_MARK "\nauth required pam_unix.so\n"
		"account required pam_unix.so\nsession required pam_unix.so\n", /* half of ours */
		"auth required pam_jit.so\nauth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n",
	};

	for (size_t i = 0; i < ELEMENTS(texts); i++) {
		int r;

		assert_null(enabled_how(texts[i], "sshd", PAMFILE_INTERACTIVE, no_source, NULL, &r));
		assert_int_equal(r, i == 2 ? -EEXIST : -EINVAL);
	}
}

/* Only sshd has it. */
static void test_interactive_elsewhere(void **state)
{
	char release[] = "debian12";
	int r;
	CLEAN(free_p) char *sudo = sample("sudo", release), *on = enabled_how(sudo, "sudo", PAMFILE_INTERACTIVE, sample, release, &r);

	assert_int_equal(r, 1);
	assert_null(strstr(on, "after="));
}

static char *plain(const char *service, void *userdata)
{
	return strdup(strcmp(service, "common-session") == 0 ? "session required pam_unix.so\nsession optional pam_systemd.so\n"
							     : "account required pam_unix.so\n");
}

static void test_without_newline(void **state)
{
	round_trip("@include common-account\n@include common-session", "sudo", plain, NULL);
	round_trip("@include common-account\n@include common-session\n\n\n", "sudo", plain, NULL);
	round_trip("account required pam_unix.so # x\nsession required pam_unix.so", "sudo", no_source, NULL);
}

static void test_no_includes(void **state)
{
	int r;
	CLEAN(free_p) char *on = enabled("session optional pam_systemd.so\nsession required pam_unix.so\naccount sufficient pam_x.so\n",
		"sshd", no_source, NULL, &r);

	assert_int_equal(r, 1);
	assert_string_equal(on, "session    required     pam_jit.so phase=before    " PAMFILE_MARK "\n"
				"session optional pam_systemd.so\nsession required pam_unix.so\n"
				"account    requisite    pam_jit.so    " PAMFILE_MARK "\n"
				"session    required     pam_jit.so    " PAMFILE_MARK "\naccount sufficient pam_x.so\n");
}

static void refused(const char *text, int expected, pamfile_source source)
{
	int r;
	CLEAN(free_p) char *on = enabled(text, "sudo", source, NULL, &r);

	assert_null(on);
	assert_int_equal(r, expected);
}

static char *circle(const char *service, void *userdata)
{
	return strdup("@include common-session\n");
}

static char *with_ours(const char *service, void *userdata)
{
	return strdup("account required pam_jit.so\nsession required pam_unix.so\n");
}

static void test_refused(void **state)
{
	/* What could skip the session line. */
	refused("account required pam_unix.so\nsession sufficient pam_x.so\nsession required pam_unix.so\n", -EINVAL, no_source);
	refused("account required pam_unix.so\nsession [success=done default=bad] pam_x.so\nsession required pam_unix.so\n", -EINVAL,
		no_source);
	refused("account required pam_unix.so\nsession [success=2 default=ignore] pam_x.so\nsession required pam_unix.so\n", -EINVAL,
		no_source);
	refused("account required pam_unix.so\nsession binding pam_x.so\nsession required pam_unix.so\n", -EINVAL, no_source);
	/* No account or session lines at all, unreadable or circular includes, broken lines. */
	refused("session required pam_unix.so\n", -EINVAL, no_source);
	refused("", -EINVAL, no_source);
	refused("account required pam_unix.so\n", -EINVAL, no_source);
	refused("@include common-account\nsession required pam_unix.so\n", -EINVAL, no_source);
	refused("@include ../../tmp/x\nsession required pam_unix.so\n", -EINVAL, plain);
	refused("@include common-session\n", -EINVAL, circle);
	refused("account required\nsession required pam_unix.so\n", -EINVAL, no_source);
	/* Somebody else's line. */
	refused("account required pam_jit.so\nsession required pam_unix.so\n", -EEXIST, no_source);
	refused("account required /usr/lib/security/pam_jit.so # mine\nsession required pam_unix.so\n", -EEXIST, no_source);
	refused("@include common-all\n", -EEXIST, with_ours);
	/* A part of ours. */
	refused("account requisite pam_jit.so " PAMFILE_MARK "\nsession required pam_unix.so\n", -EINVAL, no_source);
}

static void test_jump_inside(void **state)
{
	int r;
	CLEAN(free_p) char *on = enabled("account required pam_unix.so\nsession [success=1 default=ignore] pam_x.so\n"
					 "session requisite pam_deny.so\n", "sudo", no_source, NULL, &r);

	/* The jump lands on our line: nothing is skipped. */
	assert_int_equal(r, 1);
	assert_non_null(on);
}

static void test_unreadable(void **state)
{
	struct pamfile f CLEAN(pamfile_done) = {0};
	struct why w;

	assert_int_equal(pamfile_read("account \\\nrequired x\n", 21, &f, &w), -EINVAL);
	assert_int_equal(pamfile_read("a\0b\n", 4, &f, &w), -EINVAL);
	assert_int_equal(pamfile_read("account required x\r\n", 20, &f, &w), -EINVAL);
}

static void test_disable_only_ours(void **state)
{
	struct pamfile f CLEAN(pamfile_done) = {0};
	const char *text = "account requisite pam_jit.so debug " PAMFILE_MARK "\naccount required pam_jit.so # mine\n"
			   "# account requisite pam_jit.so " PAMFILE_MARK "\nsession required pam_x.so " PAMFILE_MARK "\n";
	CLEAN(free_p) char *off = NULL;
	size_t len;

	read_file(text, &f);
	assert_int_equal(pamfile_foreign(&f), 2);
	assert_int_equal(pamfile_disable(&f), 1);
	off = pamfile_text(&f, &len);
	assert_string_equal(off, strchr(text, '\n') + 1);
}

/* From one shape to the other and back is back to the byte; the session lines stay where they are. */
static void test_shapes(void **state)
{
	static const char *const releases[] = {"debian12", "debian13"}, *const services[] = {"sudo", "sudo-i"};

	for (size_t i = 0; i < 4; i++) {
		char folder[32];
		CLEAN(free_p) char *plain = NULL, *all = NULL, *session = NULL, *again = NULL;
		const char *service = services[i % 2];
		size_t len;
		struct why w;
		int r;

		strcpy(folder, releases[i / 2]);
		plain = sample(service, folder);
		all = enabled(plain, service, sample, folder, &r);
		assert_non_null(all);
		for (unsigned from_plain = 0; from_plain < 2; from_plain++) {
			struct pamfile f CLEAN(pamfile_done) = {0}, g CLEAN(pamfile_done) = {0}, h CLEAN(pamfile_done) = {0};

			read_file(from_plain ? plain : all, &f);
			assert_int_equal(pamfile_enable(&f, service, PAMFILE_SESSION, sample, folder, &w), 1);
			free(session);
			session = pamfile_text(&f, &len);
			assert_null(strstr(session, "account    requisite    pam_jit.so"));
			assert_non_null(strstr(session, "session    required     pam_jit.so"));
			read_file(session, &g);
			assert_int_equal(pamfile_enable(&g, service, PAMFILE_SESSION, sample, folder, &w), 0);
			assert_int_equal(pamfile_enable(&g, service, PAMFILE_GATE, sample, folder, &w), 1);
			free(again);
			again = pamfile_text(&g, &len);
			assert_string_equal(again, all);
			read_file(session, &h);
			assert_int_equal(pamfile_disable(&h), 1);
			free(again);
			again = pamfile_text(&h, &len);
			assert_string_equal(again, plain);
		}
	}
}

static void test_diff(void **state)
{
	struct pamfile f CLEAN(pamfile_done) = {0};
	CLEAN(free_p) char *text = NULL;
	struct why w;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	read_file("#1\n#2\n#3\n#4\naccount required pam_unix.so\n#5\n#6\n#7\n#8\n#9\n#10\n#11\nsession required pam_unix.so\n", &f);
	assert_int_equal(pamfile_enable(&f, "sudo", PAMFILE_GATE, no_source, NULL, &w), 1);
	pamfile_diff(out, &f, "/etc/pam.d/sudo");
	fclose(out);
	assert_string_equal(text, "--- /etc/pam.d/sudo\n+++ /etc/pam.d/sudo\n@@ -2,6 +2,7 @@\n #2\n #3\n #4\n"
				  "+account    requisite    pam_jit.so    " PAMFILE_MARK "\n account required pam_unix.so\n #5\n #6\n"
				  "@@ -11,3 +12,4 @@\n #10\n #11\n session required pam_unix.so\n"
				  "+session    required     pam_jit.so    " PAMFILE_MARK "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_debian),      cmocka_unit_test(test_places),       cmocka_unit_test(test_without_newline),
		cmocka_unit_test(test_no_includes), cmocka_unit_test(test_refused),      cmocka_unit_test(test_jump_inside),
		cmocka_unit_test(test_interactive), cmocka_unit_test(test_interactive_refused),
		cmocka_unit_test(test_interactive_elsewhere),
		cmocka_unit_test(test_unreadable),  cmocka_unit_test(test_disable_only_ours), cmocka_unit_test(test_diff),
		cmocka_unit_test(test_shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
