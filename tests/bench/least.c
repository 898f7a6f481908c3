/* The least that a PAM module can do and still ask somebody, and a module that only notes the time.
 *	rtt=PATH	connect to a SOCK_SEQPACKET socket, 1 KiB out, 1 KiB back, close
 *	stamp=PATH	write CLOCK_BOOTTIME in nanoseconds to PATH */
#include <fcntl.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "trip.h"

static int stamp(const char *path)
{
	struct timespec ts;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	clock_gettime(CLOCK_BOOTTIME, &ts);
	if (fd >= 0) {
		dprintf(fd, "%lld\n", (long long)ts.tv_sec * 1000000000 + ts.tv_nsec);
		close(fd);
	}
	return PAM_SUCCESS;
}

int pam_sm_acct_mgmt(pam_handle_t *h, int flags, int argc, const char **argv)
{
	(void)h;
	(void)flags;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "rtt=", 4))
			return trip_once(argv[i] + 4) == 0 ? PAM_SUCCESS : PAM_AUTHINFO_UNAVAIL;
		if (!strncmp(argv[i], "stamp=", 6))
			return stamp(argv[i] + 6);
	}
	return PAM_SERVICE_ERR;
}
