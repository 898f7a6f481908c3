# Keys, approvers, signatures, ledger.
ssh_fuzz = tests/fuzz/fuzz-sshsig tests/fuzz/fuzz-signers tests/fuzz/fuzz-ledger
check_PROGRAMS += $(ssh_fuzz)
if FUZZING
ssh_fuzz_main =
ssh_fuzz_ldflags = -fsanitize=fuzzer
else
TESTS += $(ssh_fuzz)
ssh_fuzz_main = tests/fuzz/replay.c
ssh_fuzz_ldflags =
endif

ssh_fuzz_libs = lib/libjit.la $(CRYPTO_LIBS) $(JSON_LIBS)
tests_fuzz_fuzz_sshsig_SOURCES = tests/fuzz/fuzz-sshsig.c $(ssh_fuzz_main)
tests_fuzz_fuzz_sshsig_LDFLAGS = $(AM_LDFLAGS) $(ssh_fuzz_ldflags)
tests_fuzz_fuzz_sshsig_LDADD = $(ssh_fuzz_libs)
tests_fuzz_fuzz_signers_SOURCES = tests/fuzz/fuzz-signers.c $(ssh_fuzz_main)
tests_fuzz_fuzz_signers_LDFLAGS = $(AM_LDFLAGS) $(ssh_fuzz_ldflags)
tests_fuzz_fuzz_signers_LDADD = $(ssh_fuzz_libs)
tests_fuzz_fuzz_ledger_SOURCES = tests/fuzz/fuzz-ledger.c $(ssh_fuzz_main)
tests_fuzz_fuzz_ledger_LDFLAGS = $(AM_LDFLAGS) $(ssh_fuzz_ldflags)
tests_fuzz_fuzz_ledger_LDADD = $(ssh_fuzz_libs)
EXTRA_DIST += tests/fuzz/corpus/sshsig tests/fuzz/corpus/signers tests/fuzz/corpus/ledger
