# Clocks, ids, text, files, the gate's messages, digests, JSON, envelopes.
if CMOCKA
lib_tests = tests/unit/test-clock tests/unit/test-id tests/unit/test-text tests/unit/test-file tests/unit/test-gate \
	tests/unit/test-digest tests/unit/test-json tests/unit/test-envelope tests/unit/test-code
check_PROGRAMS += $(lib_tests)
TESTS += $(lib_tests)
endif

# The first four and the gate's must do with what the PAM module may link.
lib_base_libs = lib/libjit-base.la $(CMOCKA_LIBS)
lib_libs = lib/libjit.la $(CMOCKA_LIBS) $(JSON_LIBS)
tests_unit_test_clock_SOURCES = tests/unit/test-clock.c tests/unit/unit.h
tests_unit_test_clock_LDADD = $(lib_base_libs)
tests_unit_test_id_SOURCES = tests/unit/test-id.c tests/unit/unit.h
tests_unit_test_id_LDADD = $(lib_base_libs)
tests_unit_test_text_SOURCES = tests/unit/test-text.c tests/unit/unit.h
tests_unit_test_text_LDADD = $(lib_base_libs)
# What a disk can do to a write is done by these calls.
tests_unit_test_file_SOURCES = tests/unit/test-file.c tests/unit/unit.h
tests_unit_test_file_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=write -Wl,--wrap=read -Wl,--wrap=fsync -Wl,--wrap=renameat
tests_unit_test_file_LDADD = $(lib_base_libs)
tests_unit_test_gate_SOURCES = tests/unit/test-gate.c tests/unit/unit.h
tests_unit_test_gate_LDADD = $(lib_base_libs)
tests_unit_test_digest_SOURCES = tests/unit/test-digest.c tests/unit/unit.h
tests_unit_test_digest_LDADD = $(lib_libs)
tests_unit_test_json_SOURCES = tests/unit/test-json.c tests/unit/unit.h
tests_unit_test_json_LDADD = $(lib_libs)
tests_unit_test_envelope_SOURCES = tests/unit/test-envelope.c tests/unit/unit.h
tests_unit_test_envelope_LDADD = $(lib_libs)
tests_unit_test_code_SOURCES = tests/unit/test-code.c tests/unit/unit.h
tests_unit_test_code_LDADD = $(lib_libs)
