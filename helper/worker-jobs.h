/* The jobs of jit-worker: each reads its question and fills the answer; 0 or -errno.  They may block. */
#pragma once
#include <json-c/json.h>

int job_account(const struct json_object *q, struct json_object *a);
int job_identity(const struct json_object *q, struct json_object *a);
int job_file(const struct json_object *q, struct json_object *a);
int job_lookup(const struct json_object *q, struct json_object *a);
int job_terminal(const struct json_object *q, struct json_object *a);
int job_flush(const struct json_object *q, struct json_object *a);
