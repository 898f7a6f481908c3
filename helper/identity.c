#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "helper/identity.h"
#include "lib/cleanup.h"

#define SHOWN_DIGEST 16 /* hex digits: as many as jitctl --digest wants */

void identity_done(struct identity *id)
{
	for (unsigned i = 0; i < id->n; i++)
		free(id->file[i].path);
	*id = (struct identity){ 0 };
}

const char *identity_sha256(const struct identity *id)
{
	return id->n && id->file[0].sha256[0] ? id->file[0].sha256 : NULL;
}

static bool same_place(const struct identity_file *a, const struct identity_file *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/* Of a file without a digest.  Weaker than a digest: what is mapped writable changes without a new time. */
static bool same_looks(const struct identity_file *a, const struct identity_file *b)
{
	return same_place(a, b) && a->size == b->size && a->mtime == b->mtime && a->ctime == b->ctime;
}

static bool same_file(const struct identity_file *a, const struct identity_file *b)
{
	if (strcmp(a->path, b->path) != 0)
		return false;
	if (a->sha256[0] || b->sha256[0])
		return !strcmp(a->sha256, b->sha256);
	return a->known == b->known && (!a->known || same_looks(a, b));
}

bool identity_same(const struct identity *a, const struct identity *b)
{
	if (a->n != b->n || a->untold != b->untold)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!same_file(&a->file[i], &b->file[i]))
			return false;
	return true;
}

/* Errors that say what stands at the path now: nothing, or no program any more. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EISDIR || error == -EINVAL || error == -EFBIG;
}

static enum identity_verdict unreadable(const struct identity_file *now, struct why *w)
{
	bool gone = is_gone(now->error);

	why(w, now->error, "%s %s (%s)", now->path, gone ? "is not what it was" : "cannot be read now", strerror(-now->error));
	return gone ? IDENTITY_CHANGED : IDENTITY_UNKNOWN;
}

/* The bytes are those that were approved.  A new file is what a package's reinstallation leaves; of one that the requester can
 * write nobody but the requester says why it was put there. */
static enum identity_verdict same_bytes(const struct identity_file *a, const struct identity_file *b, uid_t requester,
	struct why *w)
{
	/* Of which groups the requester is does not matter: that a file is not its owner's alone is enough. */
	bool writable = (b->uid == requester && requester != 0) || b->mode & 022;

	if (!a->known || same_place(a, b))
		return IDENTITY_SAME;
	why(w, 0, "%s was replaced since it was asked for by another file with the same bytes%s", b->path,
		writable ? ", one that can be written without being root" : "");
	return writable ? IDENTITY_CHANGED : IDENTITY_REPLACED;
}

static enum identity_verdict compare_file(const struct identity_file *a, const struct identity_file *b, uid_t requester,
	struct why *w)
{
	if (a->sha256[0] && !b->sha256[0])
		return unreadable(b, w);
	if (a->sha256[0] && strcmp(a->sha256, b->sha256) != 0) {
		why(w, 0, "%s was changed since it was asked for (its SHA-256 was %.*s..., now it is %.*s...)", b->path, SHOWN_DIGEST, a->sha256,
			SHOWN_DIGEST, b->sha256);
		return IDENTITY_CHANGED;
	}
	if (a->sha256[0])
		return same_bytes(a, b, requester, w);
	if (a->known && !b->known)
		return unreadable(b, w);
	if (a->known && !same_looks(a, b)) {
		why(w, 0, "%s was changed since it was asked for (it has no digest, and its %s)", b->path, !same_place(a, b) ? "inode is another" :
			a->size != b->size ? "size is another" : "times are others");
		return IDENTITY_CHANGED;
	}
	if (!a->known && b->known) {
		why(w, 0, "%s could not be read when it was asked for, so nobody can tell whether it is the same", b->path);
		return IDENTITY_CHANGED;
	}
	return IDENTITY_SAME;
}

/* File I of both, one of which may have no such file. */
static enum identity_verdict compare_at(const struct identity *approved, const struct identity *now, unsigned i, uid_t requester,
	struct why *w)
{
	const struct identity_file *a = i < approved->n ? &approved->file[i] : NULL, *b = i < now->n ? &now->file[i] : NULL;

	if (a && b && !strcmp(a->path, b->path))
		return compare_file(a, b, requester, w);
	if (a && b)
		why(w, 0, "%s runs it instead of %s", b->path, a->path);
	else if (a && i > 0)
		why(w, 0, "%s does not run it any more", a->path);
	else if (a) {
		why(w, 0, "%s could not be read", a->path);
		return IDENTITY_UNKNOWN;
	} else if (i == 0)
		why(w, 0, "%s could not be read when it was asked for, so nobody can tell whether it is the same", b->path);
	else
		why(w, 0, "%s runs it now", b->path);
	return IDENTITY_CHANGED;
}

enum identity_verdict identity_compare(const struct identity *approved, const struct identity *now, uid_t requester,
	unsigned *ret_file, struct why *w)
{
	enum identity_verdict all = IDENTITY_SAME;

	for (unsigned i = 0; i < approved->n || i < now->n; i++) {
		struct why words = { "" };
		enum identity_verdict v = compare_at(approved, now, i, requester, &words);

		if (v == IDENTITY_SAME || (v == IDENTITY_REPLACED && all == IDENTITY_REPLACED))
			continue;
		all = v;
		*w = words;
		*ret_file = i;
		if (v != IDENTITY_REPLACED)
			return v;
	}
	if (approved->untold != now->untold) {
		why(w, 0, "what its interpreter runs is another program than before");
		*ret_file = 0;
		return IDENTITY_CHANGED;
	}
	return all;
}

static struct json_object *file_json(const struct identity_file *f)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	int r = 0;

	if (!o)
		return NULL;
	r |= json_add(o, "path", json_bytes(f->path, strlen(f->path)));
	r |= json_add_str(o, "sha256", f->sha256[0] ? f->sha256 : NULL);
	if (f->error)
		r |= json_add_u64(o, "errno", (uint64_t)-f->error);
	if (f->known) {
		r |= json_add_u64(o, "dev", f->dev);
		r |= json_add_u64(o, "ino", f->ino);
		r |= json_add_u64(o, "size", f->size);
		r |= json_add_u64(o, "mtime", f->mtime);
		r |= json_add_u64(o, "ctime", f->ctime);
		r |= json_add_u64(o, "mode", f->mode);
		r |= json_add_u64(o, "uid", f->uid);
	}
	return r ? NULL : STEAL_PTR(o);
}

struct json_object *identity_json(const struct identity *id)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	if (!o || !list)
		return NULL;
	for (unsigned i = 0; i < id->n; i++) {
		struct json_object *f = file_json(&id->file[i]);

		if (!f || json_object_array_add(list, f) < 0) {
			json_object_put(f);
			return NULL;
		}
	}
	if (json_add(o, "files", STEAL_PTR(list)) < 0 || (id->untold && json_add_bool(o, "untold", true) < 0))
		return NULL;
	return STEAL_PTR(o);
}

static int parse_digest(const struct json_object *o, char sha256[static SHA256_HEX + 1])
{
	const char *s = json_str(o, "sha256");

	if (!s)
		return 0;
	if (strlen(s) != SHA256_HEX || strspn(s, "0123456789abcdef") != SHA256_HEX)
		return -EINVAL;
	memcpy(sha256, s, SHA256_HEX + 1);
	return 0;
}

static int parse_file(struct json_object *o, struct identity_file *ret)
{
	CLEAN(free_p) char *path = NULL;
	struct identity_file f = { 0 };
	struct json_object *p;
	uint64_t error = 0, mode = 0, uid = 0;
	size_t len;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, "path", &p) ||
	    json_bytes_get(p, &path, &len) < 0 || strlen(path) != len || len == 0)
		return -EINVAL;
	if (parse_digest(o, f.sha256) < 0 || json_u64(o, "errno", &error) == -EINVAL || error > 4095)
		return -EINVAL;
	f.error = -(int)error;
	f.known = json_u64(o, "dev", &f.dev) == 0;
	if (f.known && (json_u64(o, "ino", &f.ino) < 0 || json_u64(o, "size", &f.size) < 0 || json_u64(o, "mtime", &f.mtime) < 0 ||
	    json_u64(o, "ctime", &f.ctime) < 0 || json_u64(o, "mode", &mode) < 0 || mode > UINT32_MAX ||
	    json_u64(o, "uid", &uid) < 0 || uid > UINT32_MAX))
		return -EINVAL;
	if (!f.sha256[0] && !f.error)
		return -EINVAL; /* neither a digest nor why there is none */
	f.mode = (uint32_t)mode;
	f.uid = (uint32_t)uid;
	f.path = STEAL_PTR(path);
	*ret = f;
	return 0;
}

int identity_parse(const struct json_object *o, struct identity *ret)
{
	struct json_object *list = json_arr(o, "files");
	CLEAN(identity_done) struct identity id = { 0 };
	size_t n = list ? json_object_array_length(list) : 0;

	if (!list || n > IDENTITY_FILES)
		return -EINVAL;
	for (; id.n < n; id.n++)
		if (parse_file(json_object_array_get_idx(list, id.n), &id.file[id.n]) < 0)
			return -EINVAL;
	id.untold = json_true(o, "untold");
	*ret = id;
	id = (struct identity){ 0 };
	return 0;
}
