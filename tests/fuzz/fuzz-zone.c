/* The reader of time zones: whatever the file, an offset that a zone can have, at any time. */
#include <stdint.h>
#include <stdlib.h>
#include "lib/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t times[] = { INT64_C(-70000000000), -1, 0, 1, 1780272000, INT64_C(4000000000), INT64_C(253402300800),
		INT64_C(18446744073709) };
	struct zone *z = NULL;

	if (zone_parse("Fuzz", data, size, &z, NULL) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int32_t offset = zone_offset(z, times[i]);

		if (offset < -26 * 3600 || offset > 26 * 3600)
			abort();
	}
	zone_free(z);
	return 0;
}
