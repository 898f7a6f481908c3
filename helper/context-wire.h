/* Between jitd and jit-context (see context-main.c for what it is asked). */
#pragma once

#define CONTEXT_FD 3
#define CONTEXT_ROOT 4 /* the root directory of who asks, in which `writable` finds its path */
#define CONTEXT_ANSWER 4096 /* bytes of an answer; a longer one is none */
#define CONTEXT_FILE (1024 * 1024) /* rpm keeps a small file beside its database, and fails without */
#define CONTEXT_MEMORY (256UL * 1024 * 1024)
