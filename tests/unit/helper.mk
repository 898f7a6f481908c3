# What jitd does things with.  units-probe runs on a test host only (tests/host).
check_PROGRAMS += tests/host/units-probe
tests_host_units_probe_SOURCES = tests/host/units-probe.c
tests_host_units_probe_LDADD = helper/libhands.la
