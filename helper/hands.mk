# What jitd does things with: systemd, ssh-keygen, the spool, and the small programs.
noinst_LTLIBRARIES += helper/libhands.la
helper_PROGRAMS += helper/jit-worker helper/jit-expire helper/jit-context helper/jit-check

helper_libhands_la_SOURCES = helper/dirs.h helper/dirs.c helper/watch.h helper/watch.c \
	helper/spool.h helper/spool.c helper/inbox.c helper/notes.h helper/notes.c \
	helper/grantfile.h helper/grantfile.c helper/child.h helper/child.c helper/sanitized.h \
	helper/units.h helper/units.c helper/units-op.h helper/units-op.c helper/units-timer.c \
	helper/units-attach.c helper/units-sudo.c helper/units-cgroup.h helper/units-cgroup.c \
	helper/worker.h helper/worker.c helper/worker-lane.h helper/worker-lane.c helper/worker-wire.h helper/verify.h helper/verify.c helper/verify-key.c \
	helper/checks.h helper/checks.c helper/check-wire.h \
	helper/expire.h helper/expire.c helper/expire-bus.c helper/expire-bus.h
helper_libhands_la_LIBADD = helper/libfiles.la lib/libjit.la

# What a file is that will be run: jit-worker looks, jitd compares.
noinst_LTLIBRARIES += helper/libfiles.la
helper_libfiles_la_SOURCES = helper/identity.h helper/identity.c helper/shebang.h helper/shebang.c
helper_libfiles_la_LIBADD = lib/libjit.la

helper_jit_worker_SOURCES = helper/worker-main.c helper/shed.h helper/shed.c helper/sanitized.h helper/worker-jobs.h helper/worker-jobs.c \
	helper/worker-file.c helper/worker-root.c helper/worker-wire.h
helper_jit_worker_LDADD = helper/libfiles.la lib/libjit.la

helper_look = helper/look.h helper/look-host.c helper/look-package.c helper/look-run.h helper/look-run.c
helper_writable = helper/writable.h helper/writable.c
helper_jit_context_SOURCES = helper/context-main.c helper/context-wire.h helper/shed.h helper/shed.c helper/sanitized.h $(helper_look) \
	$(helper_writable)
helper_jit_context_LDADD = lib/libjit.la

helper_jit_expire_SOURCES = helper/expire-main.c
helper_jit_expire_LDADD = helper/libhands.la

helper_jit_check_SOURCES = helper/check-main.c helper/shed.h helper/shed.c helper/sanitized.h helper/check-wire.h helper/check-run.c helper/check-read.c helper/check-exec.c
helper_jit_check_LDADD = helper/libhands.la
