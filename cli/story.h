/* The ledger's records in plain words. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include "cli/cli.h"

/* What the records so far said about each request: who asked for what. */
struct story {
	struct json_object *requests; /* id → {"user","who","command"} */
	char day[32];                 /* the last day that was printed as a heading */
};
int story_init(struct story *s); /* 0 or -ENOMEM */
void story_done(struct story *s);
/* To be called for every record in order, shown or not. */
void story_learn(struct story *s, struct json_object *record);
/* The requester of a record: its own field or the request's; NULL. */
const char *story_user(const struct story *s, struct json_object *record);
/* One line about RECORD, escaped; caller frees.  NULL: out of memory. */
char *story_words(const struct story *s, struct json_object *record);
/* Prints it with its time: on a terminal under a heading for each day, else with the whole date.  WITH_ID: the request's id in
 * front. */
void story_print(struct story *s, struct json_object *record, bool with_id);
/* RECORD as JSON for programs to read, without the code of a pending request: what is kept elsewhere, or read by an approver, is
 * not to tell it.  Changes RECORD. */
struct json_object *story_public(struct json_object *record);
/* "alice → root: systemctl restart nginx"; caller frees. */
char *story_title(const struct story *s, const char *id);

/* Which records are wanted. */
struct filter {
	const struct cli *c;
	jit_id id; /* "" : all */
	const char *user;
	uint64_t since, until; /* real usec */
};
/* Reads --id --user --since --until --event.  An exit code. */
int filter_read(const struct cli *c, struct filter *ret);
bool filter_wants(const struct filter *f, const struct story *s, struct json_object *record);
/* Opens the ledger's directory (--dir).  An exit code. */
int audit_open(const struct cli *c, int *ret_fd);
