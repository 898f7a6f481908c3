# libjit-base: libc only, for the PAM module as well.  libjit: json-c, libcrypto, libsystemd.
noinst_LTLIBRARIES += lib/libjit-base.la lib/libjit.la

lib_libjit_base_la_SOURCES = lib/cleanup.h lib/cleanup.c lib/why.h lib/why.c lib/clock.h lib/clock.c \
	lib/id.h lib/id.c lib/text.h lib/text.c lib/text-tables.h lib/file.h lib/file.c lib/gate.h lib/gate.c \
	lib/sudoargs.h lib/sudoargs.c lib/paths.h
lib_libjit_la_SOURCES = lib/digest.h lib/digest.c lib/memfd.h lib/memfd.c lib/json.h lib/json.c lib/json-scan.h \
	lib/json-scan.c lib/envelope.h lib/envelope.c lib/code.h lib/code.c \
	lib/sshkey.h lib/sshkey.c lib/signers.c lib/sshwire.h lib/sshsig.h lib/sshsig.c lib/sshcert.h lib/sshcert.c \
	lib/conf.h lib/conf.c \
	lib/need.h lib/need.c lib/people.h lib/people.c lib/policy.h lib/policy.c lib/policy-load.c \
	lib/policy-keys.def lib/policy-keys.h lib/policy-keys.c lib/policy-explain.c lib/policy-match.h \
	lib/policy-match.c lib/policy-where.c lib/policy-check.c lib/check.h lib/check.c lib/policy-case.h lib/policy-case.c lib/zone.h lib/zone.c lib/hours.h lib/hours.c lib/cidr.h lib/cidr.c \
	lib/event.h lib/event.c lib/ledger.h lib/ledger.c lib/ledger-scan.h lib/ledger-write.c \
	lib/log.h lib/log.c
lib_libjit_la_LIBADD = lib/libjit-base.la $(JSON_LIBS) $(CRYPTO_LIBS) $(SYSTEMD_LIBS)
EXTRA_DIST += lib/text-tables.py
