#include <stddef.h>
#if __has_include(<sudo_plugin.h>)
#include <sudo_plugin.h>
#include "tests/sudo/abi-table.h"

const struct abi_table *abi_real(void)
{
	static const struct abi_table real = ABI_TABLE;

	return SUDO_API_VERSION_MAJOR == 1 && SUDO_API_VERSION_MINOR >= 15 && SUDO_APPROVAL_PLUGIN == 4 ? &real : NULL;
}
#else
#include "tests/sudo/abi-table.h"

const struct abi_table *abi_real(void)
{
	return NULL;
}
#endif
