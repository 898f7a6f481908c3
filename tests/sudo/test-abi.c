/* sudo_jit/abi.h against the header of the sudo that is installed, if any (Debian: package sudo). */
#include "tests/unit/unit.h"

#include "sudo_jit/abi.h"
#include "tests/sudo/abi-table.h"

static void as_sudo_has_it(void **state)
{
	static const struct abi_table ours = ABI_TABLE;

	if (!abi_real())
		skip();
	assert_memory_equal(&ours, abi_real(), sizeof(ours));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_sudo_has_it) };

	return cmocka_run_group_tests_name("abi", tests, NULL, NULL);
}
