/* Questions that a person answers on the terminal, wherever output goes. */
#pragma once
#include <stdbool.h>

/* Is there a terminal to ask on, and output that is seen there? */
bool terminal_there(void);
/* Asks, and reads one line into *RET (new, without blanks at its end).  What was typed ahead, before the question could be read,
 * does not count.  -ENOTTY without a terminal; -ENODATA at the end of file. */
int terminal_ask(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
