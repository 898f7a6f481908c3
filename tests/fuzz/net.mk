# What comes over the network: the hub's answers, documents for the hub.
net_fuzz = tests/fuzz/fuzz-answers tests/fuzz/fuzz-documents
check_PROGRAMS += $(net_fuzz)
if FUZZING
net_fuzz_main =
net_fuzz_ldflags = -fsanitize=fuzzer
else
TESTS += $(net_fuzz)
net_fuzz_main = tests/fuzz/replay.c
net_fuzz_ldflags =
endif

tests_fuzz_fuzz_answers_SOURCES = tests/fuzz/fuzz-answers.c courier/answers.c $(net_fuzz_main)
tests_fuzz_fuzz_answers_LDFLAGS = $(AM_LDFLAGS) $(net_fuzz_ldflags)
tests_fuzz_fuzz_answers_LDADD = lib/libjit.la $(JSON_LIBS)
tests_fuzz_fuzz_documents_SOURCES = tests/fuzz/fuzz-documents.c hub/document.c $(net_fuzz_main)
tests_fuzz_fuzz_documents_LDFLAGS = $(AM_LDFLAGS) $(net_fuzz_ldflags)
tests_fuzz_fuzz_documents_LDADD = lib/libjit.la $(JSON_LIBS)
EXTRA_DIST += tests/fuzz/corpus/answers tests/fuzz/corpus/documents
