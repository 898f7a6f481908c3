/* Programs that jitd starts to do what may block: they keep no more power than that takes. */
#pragma once
#include <stddef.h>

/* From now on this process dies with jitd, gains no privilege, maps at most MEMORY bytes, writes no file beyond FILE_SIZE, and
 * of root's capabilities it keeps those to read any file and to write to a terminal whose owner said mesg n.  0 or -errno. */
int shed(size_t memory, size_t file_size);
/* Of root's capabilities those in KEEP, a mask of 1U << CAP_…, all below 32; none can be had again. */
void shed_privileges(unsigned keep);
