# Configuration and the values of its keys, needs, command lines.
policy_fuzz = tests/fuzz/fuzz-conf tests/fuzz/fuzz-check tests/fuzz/fuzz-need tests/fuzz/fuzz-sudoargs tests/fuzz/fuzz-policy \
	tests/fuzz/fuzz-zone
check_PROGRAMS += $(policy_fuzz)
if FUZZING
policy_fuzz_main =
policy_fuzz_ldflags = -fsanitize=fuzzer
else
TESTS += $(policy_fuzz)
policy_fuzz_main = tests/fuzz/replay.c
policy_fuzz_ldflags =
endif

tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz-conf.c $(policy_fuzz_main)
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(policy_fuzz_ldflags)
tests_fuzz_fuzz_conf_LDADD = lib/libjit.la
tests_fuzz_fuzz_check_SOURCES = tests/fuzz/fuzz-check.c $(policy_fuzz_main)
tests_fuzz_fuzz_check_LDFLAGS = $(AM_LDFLAGS) $(policy_fuzz_ldflags)
tests_fuzz_fuzz_check_LDADD = lib/libjit.la
tests_fuzz_fuzz_need_SOURCES = tests/fuzz/fuzz-need.c $(policy_fuzz_main)
tests_fuzz_fuzz_need_LDFLAGS = $(AM_LDFLAGS) $(policy_fuzz_ldflags)
tests_fuzz_fuzz_need_LDADD = lib/libjit.la
tests_fuzz_fuzz_sudoargs_SOURCES = tests/fuzz/fuzz-sudoargs.c $(policy_fuzz_main)
tests_fuzz_fuzz_sudoargs_LDFLAGS = $(AM_LDFLAGS) $(policy_fuzz_ldflags)
tests_fuzz_fuzz_sudoargs_LDADD = lib/libjit-base.la
tests_fuzz_fuzz_policy_SOURCES = tests/fuzz/fuzz-policy.c $(policy_fuzz_main)
tests_fuzz_fuzz_policy_LDFLAGS = $(AM_LDFLAGS) $(policy_fuzz_ldflags)
tests_fuzz_fuzz_policy_LDADD = lib/libjit.la $(JSON_LIBS)
tests_fuzz_fuzz_zone_SOURCES = tests/fuzz/fuzz-zone.c $(policy_fuzz_main)
tests_fuzz_fuzz_zone_LDFLAGS = $(AM_LDFLAGS) $(policy_fuzz_ldflags)
tests_fuzz_fuzz_zone_LDADD = lib/libjit.la
EXTRA_DIST += tests/fuzz/corpus/check tests/fuzz/corpus/policy tests/fuzz/corpus/zone tests/fuzz/corpus/conf tests/fuzz/corpus/need tests/fuzz/corpus/sudoargs
