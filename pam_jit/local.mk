# The PAM module: libc and libpam only, its entry points exported and nothing else.  No -z nodelete: it leaves the
# host with pam_end(), and nothing of it stays behind.
pam_LTLIBRARIES = pam_jit/pam_jit.la

pam_jit_sources = pam_jit/jit.h pam_jit/pam_jit.c pam_jit/args.c pam_jit/host.c pam_jit/session.c $(gate_client_sources)
pam_jit_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -Wl,--version-script=$(srcdir)/pam_jit/pam_jit.map \
	-Wl,--as-needed
if !SANITIZERS
pam_jit_ldflags += -Wl,-z,defs
endif

pam_jit_pam_jit_la_SOURCES = $(pam_jit_sources)
pam_jit_pam_jit_la_LDFLAGS = $(pam_jit_ldflags)
pam_jit_pam_jit_la_LIBADD = lib/libjit-base.la $(PAM_LIBS)
pam_jit_pam_jit_la_DEPENDENCIES = lib/libjit-base.la pam_jit/pam_jit.map

EXTRA_DIST += pam_jit/pam_jit.map
dist_man_MANS += man/pam_jit.8

# libtool's .la is of no use to libpam.
install-data-hook: install-pam
install-pam:
	rm -f $(DESTDIR)$(pamdir)/pam_jit.la
uninstall-hook: uninstall-pam
uninstall-pam:
	rm -f $(DESTDIR)$(pamdir)/pam_jit.so
.PHONY: install-pam uninstall-pam
