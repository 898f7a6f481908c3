#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helper/sanitized.h"
#include "helper/shed.h"
#include "lib/log.h"

static void limit(int resource, rlim_t value)
{
	struct rlimit l = { .rlim_cur = value, .rlim_max = value };

	if (setrlimit(resource, &l) < 0)
		log_warning("limit %d: %s", resource, strerror(errno));
}

void shed_privileges(unsigned keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (geteuid() != 0)
		return;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (cap > 31 || !(keep & 1U << cap))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (syscall(SYS_capget, &head, data) < 0)
		return;
	data[0].effective &= keep;
	data[0].permitted &= keep;
	data[0].inheritable = data[1].effective = data[1].permitted = data[1].inheritable = 0;
	if (syscall(SYS_capset, &head, data) < 0)
		log_warning("capabilities are not dropped: %s", strerror(errno));
}

int shed(size_t memory, size_t file_size)
{
	/* jitd's end of the socket says the same, if this should be overtaken by its death. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_FSIZE, file_size);
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_CORE, 0);
	if (!SANITIZED)
		limit(RLIMIT_AS, memory);
	/* Reading any file and writing to a terminal whose owner said mesg n is all that root is needed for. */
	shed_privileges(1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH);
	return 0;
}
