/* The jobs of jit-worker: each reads its question and fills the answer; 0 or -errno.  They may block. */
#pragma once
#include <json-c/json.h>
#include <sys/stat.h>

/* The root directory that the question's paths are meant in; -1: our own. */
extern int job_root;

/* KEY of Q: a string of bytes without NUL, of a path's length at most.  -EINVAL. */
int get_path(const struct json_object *q, const char *key, char **ret);
/* PATH in that root, O_PATH, links followed as execve() would.  A descriptor or -errno. */
int root_open(const char *path, struct stat *st);
/* NAME along "search" of Q, as sudo along secure_path.  -ENOENT. */
int search_path(const struct json_object *q, const char *name, char **ret);

int job_account(const struct json_object *q, struct json_object *a);
int job_identity(const struct json_object *q, struct json_object *a);
int job_file(const struct json_object *q, struct json_object *a);
int job_lookup(const struct json_object *q, struct json_object *a);
int job_terminal(const struct json_object *q, struct json_object *a);
int job_flush(const struct json_object *q, struct json_object *a);
