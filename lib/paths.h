/* Where things lie on a host.  JIT_CONFDIR and JIT_HELPERDIR come from configure. */
#pragma once

#define JIT_RUNDIR "/run/jit"
#define JIT_INBOX "/run/jit/inbox"       /* 1770 root:jit-courier, a tmpfs of its own */
#define JIT_GRANTS "/run/jit/grants"     /* 0700: one file per live grant, for jit-expire */
#define JIT_NOTES "/run/jit/notes"       /* 0700: what jit-expire did, for jitd's record */
#define JIT_STATEDIR "/var/lib/jit"
#define JIT_OUTBOX "/var/lib/jit/outbox" /* 0750 root:jit-courier */
#define JIT_HOST_KEY "/var/lib/jit/host_key"
#define JIT_COURIER_USER "jit-courier"
#define JIT_VERIFY_USER "jit-verify"     /* ssh-keygen runs as this one */
#define JIT_CHECK_USER "jit-check"       /* programs of exec: run as this one */
#define JIT_INCIDENT JIT_CONFDIR "/incident" /* this file, or the one in JIT_RUNDIR, is an open incident */
#define JIT_INCIDENT_RUN JIT_RUNDIR "/incident"
#define JIT_OPERATORS "jit-operators"    /* group */
#define JIT_COURIER_STATUS "/run/jit-courier/status.json"
#define SUDO_PATH "/usr/bin/sudo"
#define JIT_BUS_NAME "org.pamjit.Jit1"
#define JIT_BUS_PATH "/org/pamjit/Jit1"
#define JIT_BUS_INTERFACE "org.pamjit.Jit1"
