# sudo's plugin in a small front end of our own, against the fake jitd of tests/pam; sudo_jit_test is the same sources with
# other bounds.
if CMOCKA
if SUDO_PLUGIN
sudo_tests = tests/sudo/test-plugin tests/sudo/test-abi
check_PROGRAMS += $(sudo_tests)
check_LTLIBRARIES += tests/sudo/sudo_jit_test.la
TESTS += $(sudo_tests)
endif
endif

tests_sudo_sudo_jit_test_la_SOURCES = $(sudo_jit_sources) tests/pam/knobs.h
tests_sudo_sudo_jit_test_la_CPPFLAGS = $(AM_CPPFLAGS) -DJIT_KNOBS='"tests/pam/knobs.h"'
tests_sudo_sudo_jit_test_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere \
	-Wl,--version-script=$(srcdir)/sudo_jit/sudo_jit.map \
	-Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=socket -Wl,--wrap=connect -Wl,--wrap=getsockopt -Wl,--wrap=send \
	-Wl,--wrap=recv -Wl,--wrap=signalfd -Wl,--wrap=ppoll -Wl,--wrap=open -Wl,--wrap=read -Wl,--wrap=pthread_sigmask
tests_sudo_sudo_jit_test_la_LIBADD = lib/libjit-base.la

tests_sudo_test_plugin_SOURCES = tests/sudo/test-plugin.c tests/sudo/front.h tests/sudo/front.c $(pam_test_common)
tests_sudo_test_plugin_CPPFLAGS = $(pam_test_cppflags) \
	-DPLUGIN='"$(abs_builddir)/tests/sudo/.libs/sudo_jit_test.so"' -DREAL_PLUGIN='"$(abs_builddir)/sudo_jit/.libs/sudo_jit.so"'
tests_sudo_test_plugin_LDFLAGS = $(pam_test_ldflags)
tests_sudo_test_plugin_LDADD = $(pam_test_libs)

tests_sudo_test_abi_SOURCES = tests/sudo/test-abi.c tests/sudo/abi-real.c tests/sudo/abi-table.h
tests_sudo_test_abi_LDADD = $(CMOCKA_LIBS)
