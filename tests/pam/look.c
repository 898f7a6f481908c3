/* A module that stands behind ours and tells what pam_systemd would find there. */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stddef.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const void *limit = NULL;

	if (pam_get_data(pamh, "systemd.runtime_max_sec", &limit) == PAM_SUCCESS && limit)
		pam_info(pamh, "limit=%s", (const char *)limit);
	return PAM_SUCCESS;
}

EXPORTED int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return PAM_SUCCESS;
}
