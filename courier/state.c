#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "courier/state.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"

#define STATE_FILE "state.json"
#define STATE_MAX (1024 * 1024)

void state_done(struct state *s)
{
	set_done(&s->requests);
	set_done(&s->receipts);
	*s = (struct state){ 0 };
}

static int read_set(const struct json_object *o, const char *key, struct set *ret)
{
	struct json_object *list = json_arr(o, key);
	int r = list ? 0 : -EINVAL;

	for (size_t i = 0; r >= 0 && i < json_object_array_length(list); i++) {
		struct json_object *name = json_object_array_get_idx(list, i);

		r = json_object_is_type(name, json_type_string) ? set_add(ret, json_object_get_string(name)) : -EINVAL;
	}
	return r;
}

static int open_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int state_load(const char *dir, struct state *ret, struct why *w)
{
	CLEAN(close_p) int fd = open_dir(dir);
	CLEAN(free_p) char *text = NULL;
	CLEAN(json_put_p) struct json_object *o = NULL;
	CLEAN(state_done) struct state s = { 0 };
	const char *enrollment;
	uint64_t v;
	size_t len;
	int r;

	if (fd < 0)
		return why(w, fd, "%s: %s", dir, strerror(-fd));
	r = file_read_untrusted(fd, STATE_FILE, STATE_MAX, &text, &len);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return why(w, r, "%s/%s: %s", dir, STATE_FILE, strerror(-r));
	r = json_parse(text, len, &o, w);
	if (r < 0)
		return r;
	enrollment = json_str(o, "enrollment");
	if (json_u64(o, "v", &v) < 0 || v != 1 || !enrollment || strlen(enrollment) != SHA256_HEX ||
	    json_u64(o, "cursor", &s.cursor) < 0 || read_set(o, "requests", &s.requests) < 0 ||
	    read_set(o, "receipts", &s.receipts) < 0)
		return why(w, -EINVAL, "%s/%s is not the courier's", dir, STATE_FILE);
	memcpy(s.enrollment, enrollment, SHA256_HEX);
	*ret = s;
	s = (struct state){ 0 };
	return 0;
}

static int add_set(struct json_object *o, const char *key, const struct set *s)
{
	CLEAN(json_put_p) struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < s->n; i++) {
		struct json_object *name = json_object_new_string(s->name[i]);

		if (!name || json_object_array_add(list, name) < 0) {
			json_put_p(&name);
			return -ENOMEM;
		}
	}
	return list ? json_add(o, key, STEAL_PTR(list)) : -ENOMEM;
}

int state_save(const char *dir, const struct state *s)
{
	CLEAN(close_p) int fd = open_dir(dir);
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	const char *text;

	if (fd < 0)
		return fd;
	if (!o || json_add_u64(o, "v", 1) < 0 || json_add_str(o, "enrollment", s->enrollment) < 0 ||
	    json_add_u64(o, "cursor", s->cursor) < 0 || add_set(o, "requests", &s->requests) < 0 ||
	    add_set(o, "receipts", &s->receipts) < 0)
		return -ENOMEM;
	text = json_text(o);
	return text ? file_write_atomic(fd, STATE_FILE, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1) : -ENOMEM;
}

int state_bind(struct state *s, const char *secret)
{
	char enrollment[SHA256_HEX + 1];
	int r = sha256_hex(secret, strlen(secret), enrollment);

	if (r < 0 || !strcmp(enrollment, s->enrollment))
		return r;
	state_done(s);
	memcpy(s->enrollment, enrollment, sizeof(enrollment));
	return 0;
}
