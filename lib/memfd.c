#include "lib/memfd.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/file.h"

int memfd_with(const char *name, const void *data, size_t len)
{
	CLEAN(close_p) int fd = memfd_create(name, MFD_CLOEXEC);
	int r;

	if (fd < 0 || fchmod(fd, 0600) < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return steal_fd(&fd);
}

int memfd_text(int fd, size_t max, char **ret, size_t *ret_len)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return file_read_all(fd, max, ret, ret_len);
}
