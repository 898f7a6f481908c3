#include "lib/cleanup.h"

#include <errno.h>

void close_quietly(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}
