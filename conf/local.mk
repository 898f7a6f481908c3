# What is installed from here: units, accounts, folders, the bus, the journal's catalog; and the shipped configuration.
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
catalogdir = $(prefix)/lib/systemd/catalog
buspolicydir = $(datadir)/dbus-1/system.d
busservicedir = $(datadir)/dbus-1/system-services

conf_units_in = conf/jitd.service.in conf/jit-expire@.service.in conf/jit-courier.service.in
conf_units = conf/jitd.socket conf/run-jit-inbox.mount
conf_hub_units_in = conf/jit-hub.service.in
conf_hub_units = conf/jit-hub.socket
conf_users = conf/pam-jit.sysusers
conf_hub_users = conf/pam-jit-hub.sysusers

dist_jitconf_DATA = conf/jitd.conf conf/courier.conf
hubconfdir = $(sysconfdir)/jit-hub
conf_examples = conf/examples/approvers conf/examples/people.conf conf/examples/rules.conf

unit_DATA = $(conf_units) $(conf_units_in:.in=)
buspolicy_DATA = conf/org.pamjit.Jit1.conf
busservice_DATA = conf/org.pamjit.Jit1.service
catalog_DATA = conf/pam-jit.catalog
conf_all_users = $(conf_users)
if HUB
unit_DATA += $(conf_hub_units) $(conf_hub_units_in:.in=)
conf_all_users += $(conf_hub_users)
hubconf_DATA = conf/hub.conf
endif

EXTRA_DIST += $(conf_units) $(conf_units_in) $(conf_hub_units) $(conf_hub_units_in) $(conf_users) $(conf_hub_users) \
	conf/pam-jit.tmpfiles $(conf_examples) $(buspolicy_DATA) $(busservice_DATA) $(catalog_DATA)
CLEANFILES += $(conf_units_in:.in=) $(conf_hub_units_in:.in=)

$(conf_units_in:.in=) $(conf_hub_units_in:.in=): Makefile
	$(AM_V_GEN)$(MKDIR_P) conf && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@helperdir[@]|$(helperdir)|g' \
		$(srcdir)/$@.in >$@.tmp && mv $@.tmp $@
conf/jitd.service: conf/jitd.service.in
conf/jit-expire@.service: conf/jit-expire@.service.in
conf/jit-courier.service: conf/jit-courier.service.in
conf/jit-hub.service: conf/jit-hub.service.in

# Names that two packages share a folder under, and folders that hold what an administrator writes.
install-data-hook: install-conf
install-conf:
	$(MKDIR_P) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir) $(DESTDIR)$(jitconfdir)/jitd.conf.d \
		$(DESTDIR)$(jitconfdir)/rules.d $(DESTDIR)$(jitconfdir)/people.d
	for f in $(conf_all_users); do \
		$(INSTALL_DATA) $(srcdir)/$$f $(DESTDIR)$(sysusersdir)/`basename $$f .sysusers`.conf || exit 1; \
	done
	$(INSTALL_DATA) $(srcdir)/conf/pam-jit.tmpfiles $(DESTDIR)$(tmpfilesdir)/pam-jit.conf
uninstall-hook: uninstall-conf
uninstall-conf:
	rm -f $(DESTDIR)$(sysusersdir)/pam-jit.conf $(DESTDIR)$(sysusersdir)/pam-jit-hub.conf \
		$(DESTDIR)$(tmpfilesdir)/pam-jit.conf
	-rmdir $(DESTDIR)$(jitconfdir)/jitd.conf.d $(DESTDIR)$(jitconfdir)/rules.d $(DESTDIR)$(jitconfdir)/people.d 2>/dev/null
.PHONY: install-conf uninstall-conf

AM_DISTCHECK_CONFIGURE_FLAGS = --with-systemdsystemunitdir='$${prefix}/lib/systemd/system'
