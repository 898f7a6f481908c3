/* What is handed to a program and what comes back from it, as files that have no name. */
#pragma once
#include <stddef.h>

/* A memfd with these bytes, read from the beginning.  It may be opened again by path, so it must be its reader's and,
 * holding maybe a key, nobody else's: mode 0600.  -errno. */
int memfd_with(const char *name, const void *data, size_t len);
/* All of it, at most MAX bytes: -EFBIG beyond.  A NUL stands behind.  Caller frees. */
int memfd_text(int fd, size_t max, char **ret, size_t *ret_len);
