# jitctl: what its python tests (tests/cli) need, and its own unit tests.
if CMOCKA
cli_tests = tests/unit/test-screen tests/unit/test-pamfile
check_PROGRAMS += $(cli_tests)
TESTS += $(cli_tests)
endif
check_PROGRAMS += tests/cli/fake-jitd

tests_unit_test_screen_SOURCES = tests/unit/test-screen.c cli/screen.c cli/screen.h cli/table.c
tests_unit_test_screen_LDADD = lib/libjit.la $(JSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_pamfile_SOURCES = tests/unit/test-pamfile.c cli/pamfile.c cli/pamfile.h cli/screen.c cli/screen.h cli/table.c
tests_unit_test_pamfile_CPPFLAGS = $(AM_CPPFLAGS) -DPAM_SAMPLES='"$(abs_top_srcdir)/tests/cli/pam.d"'
tests_unit_test_pamfile_LDADD = lib/libjit.la $(JSON_LIBS) $(CMOCKA_LIBS)
tests_cli_fake_jitd_SOURCES = tests/cli/fake-jitd.c
tests_cli_fake_jitd_LDADD = lib/libjit.la $(SYSTEMD_LIBS)

EXTRA_DIST += tests/cli/pam.d tests/cli/conftest.py tests/cli/clitest.py tests/cli/fakehub.py tests/cli/test_bus.py tests/cli/test_context.py tests/cli/test_hub.py \
	tests/cli/test_audit.py tests/cli/test_pam.py tests/cli/test_sudo.py tests/cli/test_local.py tests/cli/test_real_hub.py
