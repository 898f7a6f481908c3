# Unit tests, each part's list beside its tests.
include $(srcdir)/tests/unit/ssh.mk
include $(srcdir)/tests/unit/pam.mk
