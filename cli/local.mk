# jitctl
bin_PROGRAMS += jitctl
jitctl_SOURCES = cli/answer.c cli/approver.h cli/ask.c cli/audit.c cli/audit-follow.c cli/audit-verify.c cli/bus.c cli/bus.h \
	cli/cli.h cli/config.c cli/document.c cli/document.h cli/document-context.c cli/document-context.h cli/edit.c cli/edit.h cli/explain.c cli/explain-past.c cli/fetched.c cli/gated.h cli/gates.c cli/hosts.c cli/http.c cli/http.h \
	cli/hub.c cli/inbox.c cli/keygen.c cli/main.c cli/options.def cli/pam.c cli/pamfile.c cli/pamfile.h cli/past.c cli/past.h cli/receipt.c \
	cli/replay.c \
	cli/request-view.c cli/request-view.h cli/requests.c cli/rules.c cli/rules.h cli/screen.c cli/screen.h cli/settings.c cli/status.c \
	cli/story.c cli/story.h cli/sudo.c cli/table.c cli/terminal.c cli/terminal.h cli/usage.c cli/verbs.def
jitctl_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) -DSUDO_PLUGINDIR='"$(sudoplugindir)"'
jitctl_LDADD = lib/libjit.la $(CURL_LIBS) $(SYSTEMD_LIBS) $(JSON_LIBS)

dist_man_MANS += man/jitctl.1 man/jitctl.conf.5
jitctlconfdir = $(jitconfdir)
dist_jitctlconf_DATA = conf/jitctl.conf

# It is installed under the command's name, as bash wants it.
completionsdir = $(datadir)/bash-completion/completions
EXTRA_DIST += cli/completion.bash
install-data-hook: install-completion
install-completion:
	$(MKDIR_P) $(DESTDIR)$(completionsdir)
	$(INSTALL_DATA) $(srcdir)/cli/completion.bash $(DESTDIR)$(completionsdir)/jitctl
uninstall-hook: uninstall-completion
uninstall-completion:
	rm -f $(DESTDIR)$(completionsdir)/jitctl
.PHONY: install-completion uninstall-completion
