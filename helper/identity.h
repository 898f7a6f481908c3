/* What a file is that will be run: the program itself and, for a script, what runs it.  Taken when a request is made and
 * again before a use of it is let go; what people approve is what runs. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/why.h"

/* Linux follows at most five interpreters; one more for the program that env(1) looks up, one more for its own. */
#define IDENTITY_FILES 8

struct identity_file {
	char *path;
	char sha256[SHA256_HEX + 1]; /* "": not to be had, ERROR says why */
	int error;                   /* -errno; 0 */
	bool known;                  /* what follows was read */
	uint64_t dev, ino, size;
	uint64_t mtime, ctime;       /* nanoseconds since 1970 */
	uint32_t mode, uid;
};

struct identity {
	unsigned n; /* 0: nothing was read */
	struct identity_file file[IDENTITY_FILES]; /* [0] is the program, behind it come its interpreters */
	bool untold; /* which program the last interpreter runs cannot be told (env with options, a relative path, …) */
};

void identity_done(struct identity *id); /* releases and clears; accepts the cleared one */
/* The digest of the program itself, NULL when it is not known. */
const char *identity_sha256(const struct identity *id);
/* The same paths with the same contents, all of them.  What has no digest is compared by place, size and times.  Two of which
 * nothing is known are the same. */
bool identity_same(const struct identity *a, const struct identity *b);

enum identity_verdict {
	IDENTITY_CHANGED,  /* a file is not what was approved */
	IDENTITY_UNKNOWN,  /* it cannot be read now, so that cannot be told */
	IDENTITY_SAME,
	IDENTITY_REPLACED, /* another file (device, inode) with the same bytes, which REQUESTER cannot write */
};
/* NOW against what was APPROVED.  Where it is not the same, W says what differs ("/x/deploy.sh was changed (…)"), and *RET_FILE is
 * the number of the file that decided. */
enum identity_verdict identity_compare(const struct identity *approved, const struct identity *now, uid_t requester,
	unsigned *ret_file, struct why *w);

/* {"files":[{"path":bytes,"sha256"?,"errno"?,"dev"?,"ino"?,"size"?,"mtime"?,"ctime"?,"mode"?,"uid"?}],"untold"?:true}: in the
 * ledger and in the answer of jit-worker.  New object; NULL: out of memory. */
struct json_object *identity_json(const struct identity *id);
/* -EINVAL for anything else; then *RET is untouched. */
int identity_parse(const struct json_object *o, struct identity *ret);
