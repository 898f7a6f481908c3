/* Ownership by cleanup attribute and explicit take.  A variable marked CLEAN(x) is released when it goes out
 * of scope; STEAL() hands it over.  Every cleaner accepts the empty value (NULL, -1). */
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEAN(cleaner) __attribute__((cleanup(cleaner)))

/* Take what a cleaned variable holds; the variable is left empty. */
#define STEAL_PTR(p) ({ __typeof__(p) *steal_ = &(p); __typeof__(p) got_ = *steal_; *steal_ = NULL; got_; })
static inline int steal_fd(int *fd)
{
	int got = *fd;

	*fd = -1;
	return got;
}

static inline void free_p(void *p)
{
	free(*(void **)p);
}

/* close(2) without touching errno, so that it may stand on an error path. */
void close_quietly(int fd);

static inline void close_p(int *fd)
{
	if (*fd >= 0)
		close_quietly(*fd);
}

static inline void fclose_p(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void closedir_p(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
