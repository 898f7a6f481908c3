# One page for every program, file and module.  jitd.conf(5) gets its lists of keys from the table of the parser.
dist_man_MANS += man/approvers.5 man/jitd.8 man/pam-jit.7 man/people.d.5

man_generated = man/jitd.conf.5
man_MANS = $(man_generated)
EXTRA_DIST += man/jitd.conf.5.in man/keys.sh
CLEANFILES += $(man_generated)

man/jitd.conf.5: man/jitd.conf.5.in man/keys.sh lib/policy-keys.def Makefile
	$(AM_V_GEN)$(MKDIR_P) man && $(SHELL) $(srcdir)/man/keys.sh '$(CC)' $(srcdir)/lib/policy-keys.def \
		$(srcdir)/man/jitd.conf.5.in >$@.tmp && mv $@.tmp $@
