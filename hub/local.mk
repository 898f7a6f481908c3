# jit-hub
if HUB
sbin_PROGRAMS += jit-hub
jit_hub_SOURCES = hub/main.c hub/hub.h hub/host.c hub/conf.h hub/conf.c hub/secret.h hub/secret.c \
	hub/limit.h hub/limit.c hub/listen.c hub/server.h hub/server.c hub/call.h hub/call.c hub/routes.def \
	hub/api.h hub/api-host.c hub/api-approver.c hub/api-answer.c hub/document.h hub/document.c \
	hub/login.h hub/login.c hub/approvers.h hub/approvers.c hub/keygen.h hub/keygen.c \
	hub/store.h hub/store-sqlite.h hub/store-sqlite.c hub/store-request.c hub/store-schema.def hub/store-sql.def
jit_hub_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(SQLITE_CFLAGS)
jit_hub_LDADD = lib/libjit.la $(MHD_LIBS) $(SQLITE_LIBS) $(JSON_LIBS) $(CRYPTO_LIBS) $(SYSTEMD_LIBS)
dist_man_MANS += man/jit-hub.8 man/hub.conf.5
else
EXTRA_DIST += man/jit-hub.8 man/hub.conf.5
endif
EXTRA_DIST += hub/openapi.yaml conf/hub.conf
