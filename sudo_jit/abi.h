/* What an approval plugin must know of sudo's plugin interface, after sudo_plugin(5); declared here so that the module is built
 * wherever sudo's own header is not installed.  Within major version 1 sudo only adds; tests/sudo compares this with
 * sudo's header where there is one. */
#pragma once

#define SUDO_ABI_MAJOR 1U
#define SUDO_ABI_MINOR 15U /* the first with approval plugins */
#define SUDO_ABI_VERSION (SUDO_ABI_MAJOR << 16 | SUDO_ABI_MINOR)
#define SUDO_ABI_APPROVAL 4U /* type of a plugin */

/* Message types of the conversation. */
#define SUDO_CONV_PROMPT_ECHO_ON 0x0002
#define SUDO_CONV_ERROR_MSG 0x0003
#define SUDO_CONV_INFO_MSG 0x0004
#define SUDO_CONV_PREFER_TTY 0x2000 /* flag: the terminal, wherever the output goes */

struct sudo_conv_message {
	int msg_type;
	int timeout; /* seconds; 0: none */
	const char *msg;
};

struct sudo_conv_reply {
	char *reply; /* malloc'ed by sudo, ours to free */
};

struct sudo_conv_callback; /* not used */

typedef int (*sudo_conv_t)(int n, const struct sudo_conv_message messages[], struct sudo_conv_reply replies[],
	struct sudo_conv_callback *callback); /* 0, or -1 */
typedef int (*sudo_printf_t)(int msg_type, const char *fmt, ...);

/* All vectors end with NULL and hold "name=value", but for argv and the plugin's options.  open: 1 success, 0 "not needed": sudo
 * then forgets the plugin and goes on without it; anything else and sudo refuses.  check: 1 accepted, anything else is
 * a refusal, of which sudo itself shows nothing. */
struct approval_plugin {
	unsigned type, version;
	int (*open)(unsigned version, sudo_conv_t conversation, sudo_printf_t plugin_printf, char *const settings[],
		char *const user_info[], int submit_optind, char *const submit_argv[], char *const submit_envp[],
		char *const plugin_options[], const char **errstr);
	void (*close)(void);
	int (*check)(char *const command_info[], char *const run_argv[], char *const run_envp[], const char **errstr);
	int (*show_version)(int verbose);
};
