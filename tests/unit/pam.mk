# The PAM module under a real libpam, against a fake jitd.  tests/pam/pam_jit_test is the same sources with other bounds.
if CMOCKA
pam_tests = tests/pam/test-account tests/pam/test-wait tests/pam/test-session tests/pam/test-fault \
	tests/pam/test-direct
check_PROGRAMS += $(pam_tests)
check_LTLIBRARIES = tests/pam/pam_jit_test.la tests/pam/pam_look.la
TESTS += $(pam_tests) tests/pam/symbols.sh
endif

tests_pam_pam_jit_test_la_SOURCES = $(pam_jit_sources) tests/pam/knobs.h
tests_pam_pam_jit_test_la_CPPFLAGS = $(AM_CPPFLAGS) -DJIT_KNOBS='"tests/pam/knobs.h"'
# The bounds are the test program's, and so is the way to the outside (tests/pam/fault.c): undefined here.
tests_pam_pam_jit_test_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere \
	-Wl,--version-script=$(srcdir)/pam_jit/pam_jit.map \
	-Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=socket -Wl,--wrap=connect -Wl,--wrap=getsockopt -Wl,--wrap=send \
	-Wl,--wrap=recv -Wl,--wrap=signalfd -Wl,--wrap=ppoll -Wl,--wrap=open -Wl,--wrap=read -Wl,--wrap=pthread_sigmask \
	-Wl,--wrap=pam_set_data -Wl,--wrap=pam_get_data -Wl,--wrap=pam_get_item
tests_pam_pam_jit_test_la_LIBADD = lib/libjit-base.la $(PAM_LIBS)

tests_pam_pam_look_la_SOURCES = tests/pam/look.c
tests_pam_pam_look_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
tests_pam_pam_look_la_LIBADD = $(PAM_LIBS)

pam_test_common = tests/pam/fake.h tests/pam/fake.c tests/pam/harness.h tests/pam/harness.c tests/pam/cases.h \
	tests/pam/cases.c tests/pam/knobs.h tests/pam/fault.h tests/pam/fault.c
pam_test_cppflags = $(AM_CPPFLAGS) -DTEST_MODULE='"$(abs_builddir)/tests/pam/.libs/pam_jit_test.so"' \
	-DLOOK_MODULE='"$(abs_builddir)/tests/pam/.libs/pam_look.so"' \
	-DREAL_MODULE='"$(abs_builddir)/pam_jit/.libs/pam_jit.so"'
pam_test_ldflags = $(AM_LDFLAGS) -export-dynamic
pam_test_libs = lib/libjit-base.la $(PAM_LIBS) $(CMOCKA_LIBS)

tests_pam_test_account_SOURCES = tests/pam/test-account.c $(pam_test_common)
tests_pam_test_account_CPPFLAGS = $(pam_test_cppflags)
tests_pam_test_account_LDFLAGS = $(pam_test_ldflags)
tests_pam_test_account_LDADD = $(pam_test_libs)

tests_pam_test_wait_SOURCES = tests/pam/test-wait.c $(pam_test_common)
tests_pam_test_wait_CPPFLAGS = $(pam_test_cppflags)
tests_pam_test_wait_LDFLAGS = $(pam_test_ldflags)
tests_pam_test_wait_LDADD = $(pam_test_libs)

tests_pam_test_session_SOURCES = tests/pam/test-session.c $(pam_test_common)
tests_pam_test_session_CPPFLAGS = $(pam_test_cppflags)
tests_pam_test_session_LDFLAGS = $(pam_test_ldflags)
tests_pam_test_session_LDADD = $(pam_test_libs)

tests_pam_test_fault_SOURCES = tests/pam/test-fault.c $(pam_test_common)
tests_pam_test_fault_CPPFLAGS = $(pam_test_cppflags)
tests_pam_test_fault_LDFLAGS = $(pam_test_ldflags)
tests_pam_test_fault_LDADD = $(pam_test_libs)

tests_pam_test_direct_SOURCES = tests/pam/test-direct.c $(pam_test_common)
tests_pam_test_direct_CPPFLAGS = $(pam_test_cppflags)
tests_pam_test_direct_LDFLAGS = $(pam_test_ldflags)
tests_pam_test_direct_LDADD = $(pam_test_libs)

EXTRA_DIST += tests/pam/symbols.sh
