# sudo's approval plugin: libc only, one symbol.  Its place is where sudo looks for plugins that sudo.conf names without a path.
if SUDO_PLUGIN
sudoplugin_LTLIBRARIES = sudo_jit/sudo_jit.la
dist_man_MANS += man/sudo_jit.8
endif

sudo_jit_sources = sudo_jit/abi.h sudo_jit/exact.h sudo_jit/exact.c sudo_jit/sudo_jit.c $(gate_client_sources)
sudo_jit_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -Wl,--version-script=$(srcdir)/sudo_jit/sudo_jit.map \
	-Wl,--as-needed
if !SANITIZERS
sudo_jit_ldflags += -Wl,-z,defs
endif

sudo_jit_sudo_jit_la_SOURCES = $(sudo_jit_sources)
sudo_jit_sudo_jit_la_LDFLAGS = $(sudo_jit_ldflags)
sudo_jit_sudo_jit_la_LIBADD = lib/libjit-base.la
sudo_jit_sudo_jit_la_DEPENDENCIES = lib/libjit-base.la sudo_jit/sudo_jit.map

EXTRA_DIST += sudo_jit/sudo_jit.map

# libtool's .la is of no use to sudo.
install-data-hook: install-sudo-plugin
install-sudo-plugin:
	rm -f $(DESTDIR)$(sudoplugindir)/sudo_jit.la
uninstall-hook: uninstall-sudo-plugin
uninstall-sudo-plugin:
	rm -f $(DESTDIR)$(sudoplugindir)/sudo_jit.so
.PHONY: install-sudo-plugin uninstall-sudo-plugin
