include $(srcdir)/helper/hands.mk

# What the daemon is made of but its main(), so that tests can link it.
noinst_LTLIBRARIES += helper/libjitd.la
helper_libjitd_la_SOURCES = helper/account.c helper/account-checks.c helper/call.c helper/call.h helper/context.c \
	helper/context.h helper/context-wire.h helper/past.c helper/past.h \
	helper/control.c helper/control.h helper/delivery.c helper/ends.c helper/explain.h helper/explain.c helper/gate.c helper/intake.c helper/jitd.h helper/lives.c \
	helper/lives.h helper/methods.c helper/process.c helper/record.c helper/release.c helper/release-checks.c helper/release.h \
	helper/replay.c helper/request.c \
	helper/exact.c helper/session.c helper/show.c helper/sudoers.c helper/uses.c
helper_libjitd_la_LIBADD = helper/libhands.la lib/libjit.la

sbin_PROGRAMS += jitd
jitd_SOURCES = helper/main.c
jitd_LDADD = helper/libjitd.la
