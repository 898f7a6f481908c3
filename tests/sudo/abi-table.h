/* The numbers that make the interface between sudo and its plugin, out of whichever header was included before. */
#pragma once
#include <stddef.h>

struct abi_table {
	size_t value[20];
};
#define ABI_TABLE                                                                                                          \
	{                                                                                                                  \
		{                                                                                                          \
			sizeof(struct approval_plugin), offsetof(struct approval_plugin, type),                            \
			offsetof(struct approval_plugin, version), offsetof(struct approval_plugin, open),                 \
			offsetof(struct approval_plugin, close), offsetof(struct approval_plugin, check),                  \
			offsetof(struct approval_plugin, show_version), sizeof(struct sudo_conv_message),                  \
			offsetof(struct sudo_conv_message, msg_type), offsetof(struct sudo_conv_message, timeout),         \
			offsetof(struct sudo_conv_message, msg), sizeof(struct sudo_conv_reply),                           \
			offsetof(struct sudo_conv_reply, reply), SUDO_CONV_PROMPT_ECHO_ON, SUDO_CONV_ERROR_MSG,            \
			SUDO_CONV_INFO_MSG, SUDO_CONV_PREFER_TTY                                                           \
		}                                                                                                          \
	}

/* NULL where sudo's header is not installed. */
const struct abi_table *abi_real(void);
