/* What jit-expire leaves for jitd: JIT_NOTES/ID, a JSON object of one expiry.
 *
 *	{"v":1,"id","time":RFC 3339,"boot":boot id,"at":boot usec,"action":"terminate|drain|none",
 *	 "grant":"read|missing|unreadable","via":"bus|private|hand|none","sessions":["12"],"signalled":[pid],
 *	 "killed":N,"left":[{"pid","name"}],"errors":["words"]} */
#pragma once
#include <stdbool.h>
#include <systemd/sd-event.h>
#include "lib/id.h"

#define NOTE_MAX (64 * 1024)

/* Writes TEXT as the note of ID, whole or not at all. 0 or -errno. */
int note_write(const jit_id id, const char *text);

struct notes;
/* TEXT is what stands in the file.  True: it was recorded and the note is unlinked; false: it comes again in 5 s. */
typedef bool (*notes_handler)(const jit_id id, const char *text, void *userdata);
/* Notes that lie there already are handed on as well. The handler must not free the notes. */
int notes_new(sd_event *event, notes_handler handler, void *userdata, struct notes **ret);
struct notes *notes_free(struct notes *n);
