# jit-courier
sbin_PROGRAMS += jit-courier
jit_courier_SOURCES = courier/main.c courier/courier.h courier/conf.h courier/conf.c courier/secret.h courier/secret.c \
	courier/set.h courier/set.c courier/state.h courier/state.c courier/status.h courier/status.c \
	courier/web.h courier/web.c courier/backoff.c courier/sender.c courier/collector.c courier/questions.c \
	courier/answers.h courier/answers.c courier/inbox.h courier/inbox.c courier/enroll.c
jit_courier_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
jit_courier_LDADD = lib/libjit.la $(CURL_LIBS) $(JSON_LIBS) $(CRYPTO_LIBS) $(SYSTEMD_LIBS)
dist_man_MANS += man/jit-courier.8 man/courier.conf.5
EXTRA_DIST += conf/courier.conf
