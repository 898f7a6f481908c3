# jit-courier.
if CMOCKA
courier_tests = tests/unit/test-courier
check_PROGRAMS += $(courier_tests)
TESTS += $(courier_tests)
endif

tests_unit_test_courier_SOURCES = tests/unit/test-courier.c courier/answers.c courier/backoff.c courier/conf.c \
	courier/inbox.c courier/set.c courier/state.c
tests_unit_test_courier_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
tests_unit_test_courier_LDADD = lib/libjit.la $(CMOCKA_LIBS) $(CURL_LIBS) $(JSON_LIBS) $(SYSTEMD_LIBS)
