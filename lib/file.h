/* Files: judged by their descriptor after opening, read once and bounded, written aside, synced and renamed. */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include "lib/why.h"

/* Opens PATH (relative to DIRFD) for reading with O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC|O_NOCTTY and judges the descriptor:
 * regular, owned by root or by OWNER ((uid_t)-1: by root only), not writable by group or others.  fd, or -errno
 * with words that name the path and the remedy (chown root, chmod go-w): -EPERM for owner and mode, -EINVAL for no
 * regular file, -ELOOP for a link. */
int file_open_trusted(int dirfd, const char *path, uid_t owner, struct why *w);
/* Reads the rest of FD, at most MAX bytes: -EFBIG beyond.  A NUL stands behind the *RET_LEN bytes.  Caller frees. */
int file_read_all(int fd, size_t max, char **ret, size_t *ret_len);
/* Opens an untrusted regular file (O_NOFOLLOW|O_NONBLOCK), reads it once, bounded.  -ELOOP, -EFBIG, -EINVAL (not regular). */
int file_read_untrusted(int dirfd, const char *name, size_t max, char **ret, size_t *ret_len);
/* Writes DATA as DIRFD/NAME (one component): a temporary name beside it (".tmp-…"), mode MODE whatever the umask, owner
 * UID:GID where not -1, fsync, rename, fsync of the directory.  Nothing is left on failure; only when that last fsync fails
 * NAME is new already and merely not sure to outlive a crash. */
int file_write_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode, uid_t uid, gid_t gid);
/* A decimal number without sign, blank or tail, at most MAX.  0, -EINVAL or -ERANGE. */
int number_parse(const char *text, unsigned long long max, unsigned long long *ret);
/* All of LEN bytes, however many writes it takes.  0 or -errno (then an unknown part is written). */
int write_all(int fd, const void *data, size_t len);
