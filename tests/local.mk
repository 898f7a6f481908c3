# Unit tests (cmocka) and fuzz targets; each part lists its own beside the others.
if CMOCKA
AM_CFLAGS += $(CMOCKA_CFLAGS)
endif

include $(srcdir)/tests/unit/lib.mk
include $(srcdir)/tests/unit/policy.mk
include $(srcdir)/tests/unit/ssh.mk
include $(srcdir)/tests/unit/helper.mk
include $(srcdir)/tests/unit/hub.mk
include $(srcdir)/tests/unit/courier.mk
include $(srcdir)/tests/unit/cli.mk
include $(srcdir)/tests/unit/pam.mk
include $(srcdir)/tests/unit/sudo.mk
include $(srcdir)/tests/fuzz/local.mk
