/* For tests that link jitd without its main(). */
#include <errno.h>
#include "helper/jitd.h"

/* Of main.c, which is not linked; none of it is called. */
int jitd_reload(struct jitd *jitd)
{
	return -ENOSYS;
}

void jitd_fd_keep(const struct use *u)
{
}

void jitd_fd_drop(const struct use *u)
{
}

int jitd_fd_take(pid_t pid, uint64_t start)
{
	return -1;
}
