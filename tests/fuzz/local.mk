# Fuzz targets.  With --enable-fuzzing they are libFuzzer's (`make fuzz`), else replay.c runs every file of
# tests/fuzz/corpus/NAME through fuzz-NAME once, as a test.
lib_fuzz = tests/fuzz/fuzz-gate tests/fuzz/fuzz-envelope tests/fuzz/fuzz-text \
	tests/fuzz/fuzz-look tests/fuzz/fuzz-shebang tests/fuzz/fuzz-call
check_PROGRAMS += $(lib_fuzz)
if FUZZING
lib_fuzz_main =
lib_fuzz_ldflags = -fsanitize=fuzzer
else
TESTS += $(lib_fuzz)
lib_fuzz_main = tests/fuzz/replay.c
lib_fuzz_ldflags =
endif

tests_fuzz_fuzz_gate_SOURCES = tests/fuzz/fuzz-gate.c $(lib_fuzz_main)
tests_fuzz_fuzz_gate_LDFLAGS = $(AM_LDFLAGS) $(lib_fuzz_ldflags)
tests_fuzz_fuzz_gate_LDADD = lib/libjit-base.la
tests_fuzz_fuzz_envelope_SOURCES = tests/fuzz/fuzz-envelope.c $(lib_fuzz_main)
tests_fuzz_fuzz_envelope_LDFLAGS = $(AM_LDFLAGS) $(lib_fuzz_ldflags)
tests_fuzz_fuzz_envelope_LDADD = lib/libjit.la $(JSON_LIBS)
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz-text.c $(lib_fuzz_main)
tests_fuzz_fuzz_text_LDFLAGS = $(AM_LDFLAGS) $(lib_fuzz_ldflags)
tests_fuzz_fuzz_text_LDADD = lib/libjit-base.la
tests_fuzz_fuzz_look_SOURCES = tests/fuzz/fuzz-look.c $(helper_look) $(lib_fuzz_main)
tests_fuzz_fuzz_look_LDFLAGS = $(AM_LDFLAGS) $(lib_fuzz_ldflags)
tests_fuzz_fuzz_look_LDADD = lib/libjit.la $(JSON_LIBS)
tests_fuzz_fuzz_shebang_SOURCES = tests/fuzz/fuzz-shebang.c $(lib_fuzz_main)
tests_fuzz_fuzz_shebang_LDFLAGS = $(AM_LDFLAGS) $(lib_fuzz_ldflags)
tests_fuzz_fuzz_shebang_LDADD = helper/libfiles.la
tests_fuzz_fuzz_call_SOURCES = tests/fuzz/fuzz-call.c $(lib_fuzz_main)
tests_fuzz_fuzz_call_LDFLAGS = $(AM_LDFLAGS) $(lib_fuzz_ldflags)
tests_fuzz_fuzz_call_LDADD = helper/libjitd.la lib/libjit.la $(JSON_LIBS)
EXTRA_DIST += tests/fuzz/corpus/look tests/fuzz/corpus/gate tests/fuzz/corpus/envelope tests/fuzz/corpus/text \
	tests/fuzz/corpus/shebang tests/fuzz/corpus/call

include $(srcdir)/tests/fuzz/policy.mk
include $(srcdir)/tests/fuzz/ssh.mk
include $(srcdir)/tests/fuzz/net.mk

# Every target for FUZZ_SECONDS; what is found new grows in the build tree, what breaks stops the run and leaves a file.
FUZZ_SECONDS = 60
if FUZZING
fuzz: $(check_PROGRAMS)
	@for t in $(lib_fuzz) $(policy_fuzz) $(ssh_fuzz) $(net_fuzz); do \
		name=$${t##*/fuzz-}; echo "fuzz $$name for $(FUZZ_SECONDS) s"; \
		$(MKDIR_P) fuzz-found/$$name || exit 1; \
		./$$t -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=fuzz-found/$$name- -print_final_stats=1 \
			fuzz-found/$$name $(srcdir)/tests/fuzz/corpus/$$name || exit 1; \
	done
else
fuzz:
	@echo "make fuzz needs CC=clang ./configure --enable-fuzzing --enable-sanitizers" >&2; exit 1
endif
clean-local: clean-fuzz
clean-fuzz:
	rm -rf fuzz-found
.PHONY: fuzz clean-fuzz
