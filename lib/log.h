/* The log of the daemons and tools: to the journal with fields where stderr is the journal, else to stderr.  Never secrets,
 * never argv. */
#pragma once
#include <stdbool.h>
#include <syslog.h>

void log_setup(const char *identifier, bool debug);
/* PRIORITY as in syslog(3). Control bytes are escaped. */
void log_msg(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The last words of a daemon: to stderr as a stream, which the journal knows for the unit's when the process is gone already. */
void log_last(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define log_error(...) log_msg(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_msg(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)
