/* What the tests of the helper's hands share: a directory of their own, an event loop with a patience. */
#pragma once
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#include <cmocka.h>
#include <systemd/sd-event.h>

extern char hands_dir[256];
extern sd_event *hands_event;

/* A new directory (0755), its sub-directories outbox, inbox, grants, notes, cgroup set in `dirs`, SIGCHLD blocked, a new
 * loop. */
int hands_setup(void **state);
int hands_teardown(void **state);
/* DIR/NAME of the test's directory; good until the eighth next call. */
const char *hands_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void hands_write(const char *path, const void *data, size_t len, mode_t mode);
char *hands_read(const char *path); /* NULL: there is none; caller frees */
bool hands_exists(const char *path);
/* Lets the loop run until *FLAG; fails the test after 10 s. */
void hands_until(const bool *flag);
/* Lets the loop do what it can do now without waiting. */
void hands_idle(void);
