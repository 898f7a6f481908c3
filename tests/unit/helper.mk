# What jitd does things with.  units-probe runs on a test host only (tests/host).
check_PROGRAMS += tests/host/units-probe
tests_host_units_probe_SOURCES = tests/host/units-probe.c
tests_host_units_probe_LDADD = helper/libhands.la

if CMOCKA
hands_tests = tests/unit/test-spool tests/unit/test-worker tests/unit/test-identity tests/unit/test-verify tests/unit/test-expire \
	tests/unit/test-look tests/unit/test-writable tests/unit/test-context tests/unit/test-past \
	tests/unit/test-record tests/unit/test-whom tests/unit/test-checks tests/unit/test-delivery
check_PROGRAMS += $(hands_tests)
TESTS += $(hands_tests)
endif

hands_common = tests/unit/hands.h tests/unit/hands.c
hands_libs = helper/libhands.la $(CMOCKA_LIBS)
tests_unit_test_spool_SOURCES = tests/unit/test-spool.c $(hands_common)
tests_unit_test_spool_LDADD = $(hands_libs)
tests_unit_test_worker_SOURCES = tests/unit/test-worker.c $(hands_common)
tests_unit_test_worker_CPPFLAGS = $(AM_CPPFLAGS) -DBUILDDIR='"$(abs_builddir)"'
tests_unit_test_worker_LDADD = $(hands_libs)
tests_unit_test_worker_DEPENDENCIES = helper/libhands.la helper/jit-worker
tests_unit_test_identity_SOURCES = tests/unit/test-identity.c
tests_unit_test_identity_LDADD = $(hands_libs)
tests_unit_test_checks_SOURCES = tests/unit/test-checks.c $(hands_common)
tests_unit_test_checks_CPPFLAGS = $(AM_CPPFLAGS) -DBUILDDIR='"$(abs_builddir)"'
tests_unit_test_checks_LDADD = $(hands_libs) $(JSON_LIBS)
tests_unit_test_checks_DEPENDENCIES = helper/libhands.la helper/jit-check
tests_unit_test_verify_SOURCES = tests/unit/test-verify.c $(hands_common)
tests_unit_test_verify_LDADD = $(hands_libs)
tests_unit_test_expire_SOURCES = tests/unit/test-expire.c $(hands_common)
tests_unit_test_expire_LDADD = $(hands_libs)
tests_unit_test_look_SOURCES = tests/unit/test-look.c $(helper_look)
tests_unit_test_look_LDADD = lib/libjit.la $(CMOCKA_LIBS)
tests_unit_test_context_SOURCES = tests/unit/test-context.c $(hands_common)
tests_unit_test_context_LDADD = helper/libjitd.la $(CMOCKA_LIBS)
tests_unit_test_record_SOURCES = tests/unit/test-record.c tests/unit/no-main.c
tests_unit_test_record_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_boot -Wl,--wrap=ledger_append \
	-Wl,--wrap=sd_journal_send
tests_unit_test_record_LDADD = helper/libjitd.la $(CMOCKA_LIBS)
tests_unit_test_past_SOURCES = tests/unit/test-past.c tests/unit/no-main.c
tests_unit_test_past_LDADD = helper/libjitd.la $(CMOCKA_LIBS)
tests_unit_test_writable_SOURCES = tests/unit/test-writable.c $(helper_writable)
tests_unit_test_writable_LDADD = lib/libjit.la $(CMOCKA_LIBS)
tests_unit_test_whom_SOURCES = tests/unit/test-whom.c tests/unit/no-main.c tests/unit/site.h tests/unit/site.c
tests_unit_test_delivery_SOURCES = tests/unit/test-delivery.c tests/unit/no-main.c
tests_unit_test_delivery_LDADD = helper/libjitd.la $(CMOCKA_LIBS)
tests_unit_test_whom_LDADD = helper/libjitd.la $(CMOCKA_LIBS)
