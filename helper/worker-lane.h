/* A lane: one jit-worker process and the jobs that wait for it.  Lanes share nothing, so what holds one up, or kills its
 * process, is not felt in another.
 *
 * Within a lane those for whom jobs are done take turns, one job each: whoever queues a hundred is in the way of another
 * for one job, the one that is being done.  Only worker.c (what is asked) uses this (how it is brought to an answer). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include <systemd/sd-event.h>
#include "helper/worker.h"

enum lane_kind {
	LANE_NAMES,   /* name service: every call needs it, and nothing that a user can slow down goes here */
	LANE_FILES,   /* what touches a path that a user named */
	LANE_ERRANDS, /* what no call waits for, or can do without */
	LANES,
};

struct job {
	struct job *next;
	int ticket;
	uint64_t whose;      /* who takes a turn with it: a uid, or any number above those */
	uint64_t limit_usec; /* for the work itself, from when it is begun */
	uint64_t queued;     /* set by lane_queue() */
	struct json_object *question;
	int root;            /* goes with the question, owned; -1: none */
	/* Called once, with the worker's answer A, or with -errno and NULL.  NULL: cancelled, or nobody wants to know. */
	void (*answer)(struct job *j, int result, const struct json_object *a);
	union {
		worker_account_done account;
		worker_identity_done identity;
		worker_file_done file;
		worker_path_done path;
	} done;
	void *userdata;
};
struct job *job_free(struct job *j);

struct lane;
int lane_new(sd_event *event, enum lane_kind kind, struct lane **ret);
/* The jobs that wait are dropped without a word. */
struct lane *lane_free(struct lane *l);
/* Starts the process before there is work for it. */
void lane_warm(struct lane *l);
/* Takes J.  -EAGAIN: as many wait as may (of that one, or in all), -E2BIG, -ENOMEM; J is freed then.  Nothing is called
 * from in here. */
int lane_queue(struct lane *l, struct job *j);
/* True: it was here.  One that waits is gone; what is being done is done, and told to nobody. */
bool lane_cancel(struct lane *l, int ticket);
