/* The spool: outbox (written by jitd, read by the courier) and inbox (the other way; everything in it is untrusted).
 *
 * outbox   request-ID.json (while pending; the envelope, jitd unlinks it when settled), receipt-ID-NNN.json (kept a day,
 *          at most 1024 in all), question-HEX.json (an envelope of type question, for as long as jitd waits for its answer).
 *          Mode 0640, the directory's group (jit-courier), written aside as ".tmp-…", synced,
 *          renamed.
 * inbox    any name not beginning with '.', written by the courier as ".tmp-…" and renamed: an envelope of type
 *          decision, revoke or check, at most ENVELOPE_MAX bytes.  Read once, put aside as ".taken-NAME", unlinked when
 *          settled.  Directories are rmdir'ed when empty, everything that is no regular file is unlinked and refused. */
#pragma once
#include <stdbool.h>
#include <systemd/sd-event.h>
#include "lib/envelope.h"
#include "lib/id.h"

int outbox_request(const jit_id id, const char *document); /* 0 or -errno */
void outbox_settle(const jit_id id);                        /* unlinks request-ID.json */
int outbox_receipt(const jit_id id, unsigned n, const char *document, const char *signature);
void outbox_prune(void);                                    /* receipts older than a day, more than 1024; ".tmp-" left over */
/* Calls KEEP for every request-ID.json; unlinks those for which it returns false (after a restart). */
void outbox_sweep(bool (*keep)(const jit_id id, void *userdata), void *userdata);

/* A question to the courier, named by QUESTION_ID_LEN hex digits that nobody can guess.  0 or -errno. */
#define QUESTION_ID_LEN 32
int outbox_question(const char *id, const char *document);
void outbox_question_done(const char *id);
void outbox_questions_sweep(void); /* all of them: those of an earlier life */

struct inbox;
/* One parsed envelope and its NAME as on disk, unescaped; or NULL with the words of the refusal and the escaped name.
 * A parsed envelope stays aside in the inbox until inbox_done() is called with its NAME: after a crash it is handed on
 * once more.  For a refusal (E NULL) nothing is to be done.  The handler must not free the inbox. */
typedef void (*inbox_handler)(const struct envelope *e, const char *name, const char *words, void *userdata);
/* Watches JIT_INBOX by inotify, and sweeps it at start, on overflow, and every 5 s as a belt: at most 64 files a turn of
 * the event loop, so a flood starves nobody. */
int inbox_new(sd_event *event, inbox_handler handler, void *userdata, struct inbox **ret);
/* The envelope called NAME is settled; AGAIN: it is to be handed on once more in some seconds. */
void inbox_done(struct inbox *i, const char *name, bool again);
struct inbox *inbox_free(struct inbox *i);
