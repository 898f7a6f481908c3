# Configuration, people, rules, needs, command lines.
if CMOCKA
policy_tests = tests/unit/test-conf tests/unit/test-check tests/unit/test-policy-check tests/unit/test-need tests/unit/test-people tests/unit/test-policy \
	tests/unit/test-policy-load tests/unit/test-sudoargs tests/unit/test-hours \
	tests/unit/test-policy-manual tests/unit/test-policy-laws \
	tests/unit/test-call
check_PROGRAMS += $(policy_tests)
TESTS += $(policy_tests)
endif

policy_site = tests/unit/site.h tests/unit/site.c
policy_libs = lib/libjit.la $(CMOCKA_LIBS)
tests_unit_test_conf_SOURCES = tests/unit/test-conf.c $(policy_site)
tests_unit_test_conf_LDADD = $(policy_libs)
tests_unit_test_check_SOURCES = tests/unit/test-check.c
tests_unit_test_check_LDADD = $(policy_libs)
tests_unit_test_policy_check_SOURCES = tests/unit/test-policy-check.c $(policy_site)
tests_unit_test_policy_check_LDADD = $(policy_libs)
tests_unit_test_need_SOURCES = tests/unit/test-need.c $(policy_site)
tests_unit_test_need_LDADD = $(policy_libs)
tests_unit_test_people_SOURCES = tests/unit/test-people.c $(policy_site)
tests_unit_test_people_LDADD = $(policy_libs)
tests_unit_test_policy_SOURCES = tests/unit/test-policy.c $(policy_site)
tests_unit_test_policy_LDADD = $(policy_libs) $(JSON_LIBS)
# The shipped files are read where they lie.
tests_unit_test_policy_load_SOURCES = tests/unit/test-policy-load.c $(policy_site)
tests_unit_test_policy_load_CPPFLAGS = $(AM_CPPFLAGS) -DCONF_SOURCES='"$(abs_top_srcdir)/conf"'
tests_unit_test_policy_load_LDADD = $(policy_libs)
tests_unit_test_sudoargs_SOURCES = tests/unit/test-sudoargs.c $(policy_site)
tests_unit_test_sudoargs_LDADD = $(policy_libs)
tests_unit_test_hours_SOURCES = tests/unit/test-hours.c $(policy_site)
tests_unit_test_hours_LDADD = $(policy_libs)
tests_unit_test_policy_manual_SOURCES = tests/unit/test-policy-manual.c $(policy_site)
tests_unit_test_policy_manual_CPPFLAGS = $(AM_CPPFLAGS) -DPOLICY_MANUAL='"$(abs_top_srcdir)/tests/unit/policy-manual.txt"'
tests_unit_test_policy_manual_LDADD = $(policy_libs) $(JSON_LIBS)
EXTRA_DIST += tests/unit/policy-manual.txt
tests_unit_test_policy_laws_SOURCES = tests/unit/test-policy-laws.c $(policy_site)
tests_unit_test_policy_laws_LDADD = $(policy_libs)
tests_unit_test_call_SOURCES = tests/unit/test-call.c
tests_unit_test_call_LDADD = helper/libjitd.la $(policy_libs) $(JSON_LIBS)
