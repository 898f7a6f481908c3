# jit-hub.
if HUB
if CMOCKA
hub_tests = tests/unit/test-hub-store tests/unit/test-hub-limit tests/unit/test-hub-document
check_PROGRAMS += $(hub_tests)
TESTS += $(hub_tests)
endif
endif

tests_unit_test_hub_store_SOURCES = tests/unit/test-hub-store.c hub/store-sqlite.c hub/store-request.c
tests_unit_test_hub_store_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_hub_store_LDADD = lib/libjit.la $(CMOCKA_LIBS) $(SQLITE_LIBS)
tests_unit_test_hub_limit_SOURCES = tests/unit/test-hub-limit.c hub/limit.c
tests_unit_test_hub_limit_LDADD = lib/libjit.la $(CMOCKA_LIBS)
tests_unit_test_hub_document_SOURCES = tests/unit/test-hub-document.c hub/document.c
tests_unit_test_hub_document_LDADD = lib/libjit.la $(CMOCKA_LIBS) $(JSON_LIBS)

# With a hub, a courier and those that lie to them (pytest; the programs are in $JIT_BUILD).
EXTRA_DIST += tests/hub/conftest.py tests/hub/hubtest.py tests/hub/test_api.py tests/hub/test_courier.py \
	tests/hub/test_courier_tls.py tests/hub/test_daemon.py tests/hub/test_liar.py tests/hub/test_limits.py \
	tests/hub/test_login.py tests/hub/test_openapi.py tests/hub/test_questions.py tests/hub/test_wait.py
