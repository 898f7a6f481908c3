# Keys, approvers, signatures, ledger.
if CMOCKA
ssh_tests = tests/unit/test-sshkey tests/unit/test-signers tests/unit/test-sshsig tests/unit/test-ledger \
	tests/unit/test-ledger-disk tests/unit/test-match
check_PROGRAMS += $(ssh_tests)
TESTS += $(ssh_tests)
endif

ssh_fixture = tests/unit/ssh-fixture.h tests/unit/ssh-fixture.c
ssh_libs = lib/libjit.la $(CMOCKA_LIBS) $(CRYPTO_LIBS) $(JSON_LIBS)
tests_unit_test_sshkey_SOURCES = tests/unit/test-sshkey.c $(ssh_fixture)
tests_unit_test_sshkey_LDADD = $(ssh_libs)
tests_unit_test_signers_SOURCES = tests/unit/test-signers.c $(ssh_fixture)
tests_unit_test_signers_LDADD = $(ssh_libs)
tests_unit_test_sshsig_SOURCES = tests/unit/test-sshsig.c $(ssh_fixture)
tests_unit_test_sshsig_LDADD = $(ssh_libs)
# What a disk can do to the ledger is done by these calls.
ledger_fixture = tests/unit/ledger-fixture.h tests/unit/ledger-fixture.c
ledger_wraps = $(AM_LDFLAGS) -Wl,--wrap=write -Wl,--wrap=ftruncate -Wl,--wrap=fdatasync -Wl,--wrap=fsync \
	-Wl,--wrap=posix_fallocate
tests_unit_test_ledger_SOURCES = tests/unit/test-ledger.c $(ledger_fixture)
tests_unit_test_ledger_LDFLAGS = $(ledger_wraps)
tests_unit_test_ledger_LDADD = $(ssh_libs)
tests_unit_test_ledger_disk_SOURCES = tests/unit/test-ledger-disk.c $(ledger_fixture)
tests_unit_test_ledger_disk_LDFLAGS = $(ledger_wraps)
tests_unit_test_ledger_disk_LDADD = $(ssh_libs)
# Answers are judged; ssh-keygen's word, the ledger and the receipts are the test's.
tests_unit_test_match_SOURCES = tests/unit/test-match.c tests/unit/no-main.c tests/unit/site.h tests/unit/site.c $(ssh_fixture)
tests_unit_test_match_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=verify_signature -Wl,--wrap=record_refusal -Wl,--wrap=receipt \
	-Wl,--wrap=lives_vote -Wl,--wrap=inbox_done
tests_unit_test_match_LDADD = helper/libjitd.la $(ssh_libs)
