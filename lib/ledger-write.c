/* Writing the ledger: one write() a record, all of it or nothing; a reserve for the records that close privilege. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/ledger-scan.h"

#define RESERVE_PAUSE (60 * USEC_PER_SEC) /* between two tries to take the reserve again, in passing */
#define RESERVE_PAUSE_ASKED USEC_PER_SEC  /* the same when somebody waits for it */

struct ledger {
	int dirfd, lock, file, reserve; /* file: -1 until the first append; reserve: open also when given up */
	bool reserve_held;
	uint64_t reserve_tried; /* CLOCK_MONOTONIC */
	uint64_t reserve_pause, reserve_pause_asked;
	struct ledger_head head;
	off_t size, file_max;
	char boot[BOOT_ID_LEN + 1];
	struct json_object *repair; /* a repaired record that is still to be written */
	bool chain_broken, write_broken;
	struct why broken;
};

static void ledger_close_p(struct ledger **l)
{
	ledger_close(*l);
}

struct ledger *ledger_close(struct ledger *l)
{
	if (!l)
		return NULL;
	close_p(&l->file);
	close_p(&l->reserve);
	close_p(&l->dirfd);
	close_p(&l->lock);
	json_put_p(&l->repair);
	free(l);
	return NULL;
}

bool ledger_broken(const struct ledger *l, struct why *w)
{
	if (!l->chain_broken && !l->write_broken)
		return false;
	why(w, 0, "%s", l->broken.text);
	return true;
}

const struct ledger_head *ledger_head(const struct ledger *l)
{
	return &l->head;
}

void ledger_tune(struct ledger *l, off_t file_max, uint64_t reserve_pause_usec)
{
	l->file_max = file_max;
	l->reserve_pause = l->reserve_pause_asked = reserve_pause_usec;
}

static bool opens_privilege(enum jit_event e)
{
	return e == EV_REQUESTED || e == EV_ALLOWED || e == EV_GRANTED || e == EV_OPENED || e == EV_USED;
}

static bool closes_privilege(enum jit_event e)
{
	return e == EV_CLOSED || e == EV_EXPIRED || e == EV_REVOKED || e == EV_WITHDRAWN || e == EV_DENIED ||
	       e == EV_REFUSED || e == EV_LEFTOVER || e == EV_REPAIRED;
}

static bool out_of_space(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

/* ---- the reserve ---- */

static int take_reserve(struct ledger *l, uint64_t pause)
{
	uint64_t now = clock_mono();
	struct stat st;
	int r;

	if (l->reserve_held)
		return 0;
	if (l->reserve_tried != 0 && now - l->reserve_tried < pause)
		return -ENOSPC;
	l->reserve_tried = now;
	if (l->reserve < 0) {
		l->reserve = openat(l->dirfd, "reserve",
			O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
		if (l->reserve < 0)
			return -errno;
	}
	if (fstat(l->reserve, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size != LEDGER_RESERVE || (off_t)st.st_blocks * 512 < LEDGER_RESERVE) {
		r = posix_fallocate(l->reserve, 0, LEDGER_RESERVE);
		if (r != 0) {
			/* half a reserve would only take away what the last records need */
			(void)!ftruncate(l->reserve, 0);
			return -r;
		}
	}
	l->reserve_held = true;
	return 0;
}

int ledger_release_reserve(struct ledger *l)
{
	if (!l->reserve_held)
		return -ENOENT;
	if (ftruncate(l->reserve, 0) < 0)
		return -errno;
	l->reserve_held = false;
	l->reserve_tried = clock_mono();
	return 0;
}

/* ---- one record ---- */

static int make_record(const struct ledger *l, enum jit_event event, struct json_object *fields,
	struct json_object **ret)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	char time[TIME_RFC3339_LEN + 1];

	if (!o)
		return -ENOMEM;
	if (json_add_u64(o, "seq", l->head.seq + 1) < 0 || json_add_str(o, "prev", l->head.hash) < 0 ||
	    json_add_str(o, "time", time_rfc3339(clock_real(), time)) < 0 || json_add_str(o, "boot", l->boot) < 0 ||
	    json_add_u64(o, "clock", clock_boot()) < 0 || json_add_str(o, "event", event_name(event)) < 0)
		return -ENOMEM;
	if (fields) {
		json_object_object_foreach(fields, key, value)
		{
			if (json_object_object_get_ex(o, key, NULL))
				return -EINVAL;
			if (json_object_object_add(o, key, json_object_get(value)) < 0) {
				json_object_put(value);
				return -ENOMEM;
			}
		}
	}
	*ret = STEAL_PTR(o);
	return 0;
}

/* The line with its newline.  What the reader would refuse must not be written: it would break the chain for good. */
static int make_line(const struct ledger *l, enum jit_event event, struct json_object *fields, char **ret,
	size_t *ret_len, struct why *w)
{
	CLEAN(json_put_p) struct json_object *o = NULL, *again = NULL;
	const char *text;
	struct why inner;
	size_t len;
	char *line;
	int r;

	r = make_record(l, event, fields, &o);
	if (r < 0)
		return why(w, r, r == -EINVAL ? "a field has the name of one of every record's" : "out of memory");
	text = json_text(o);
	if (!text)
		return why(w, -ENOMEM, "out of memory");
	len = strlen(text);
	if (len + 1 > LEDGER_LINE_MAX)
		return why(w, -EMSGSIZE, "the record is longer than %d bytes", LEDGER_LINE_MAX);
	r = json_parse(text, len, &again, &inner);
	if (r < 0 || strchr(text, '\n'))
		return why(w, r == -ENOMEM ? r : -EINVAL, "the record could not be read again: %s",
			r < 0 ? inner.text : "a newline");
	line = malloc(len + 2);
	if (!line)
		return why(w, -ENOMEM, "out of memory");
	memcpy(line, text, len);
	memcpy(line + len, "\n", 2);
	*ret = line;
	*ret_len = len + 1;
	return 0;
}

/* ---- the file ---- */

static int set_broken(struct ledger *l, int err, const char *what)
{
	l->write_broken = true;
	why(&l->broken, 0, "%s: %s; the ledger takes no record until jitd is started again", what, strerror(-err));
	return err;
}

/* Makes the file whose first record comes next.  The one before is synced first, so that no record can be on disk
 * whose predecessor is not. */
static int next_file(struct ledger *l)
{
	CLEAN(close_p) int fd = -1;
	char name[LEDGER_NAME_LEN + 1];

	if (l->head.seq >= LEDGER_SEQ_MAX)
		return -EOVERFLOW;
	if (l->file >= 0 && fdatasync(l->file) < 0)
		return out_of_space(-errno) ? -errno : set_broken(l, -errno, "the ledger's file cannot be synced");
	ledger_name(l->head.seq + 1, name);
	fd = openat(l->dirfd, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (fsync(l->dirfd) < 0) {
		int r = -errno;

		unlinkat(l->dirfd, name, 0);
		return r;
	}
	close_p(&l->file);
	l->file = steal_fd(&fd);
	l->size = 0;
	return 0;
}

static int cut_back(struct ledger *l, int err)
{
	if (ftruncate(l->file, l->size) < 0)
		set_broken(l, -errno, "a failed record cannot be cut off the ledger");
	return err;
}

static int write_record(struct ledger *l, const char *line, size_t len, bool sync)
{
	ssize_t n;
	int r;

	if (l->file < 0 || (l->size > 0 && l->size + (off_t)len > l->file_max)) {
		r = next_file(l);
		if (r < 0)
			return r;
	}
	do
		n = write(l->file, line, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return cut_back(l, -errno);
	if ((size_t)n < len) /* a regular file takes less only when there is no room for more */
		return cut_back(l, -ENOSPC);
	if (sync && fdatasync(l->file) < 0) {
		r = -errno;
		cut_back(l, r);
		(void)!fdatasync(l->file); /* else a whole record that was refused may be found after a crash */
		/* the kernel forgets what it could not write: nobody knows what of the earlier records is on disk */
		return out_of_space(r) || l->write_broken ? r : set_broken(l, r, "the ledger cannot be synced");
	}
	return 0;
}

static int append(struct ledger *l, enum jit_event event, struct json_object *fields, bool sync, struct why *w)
{
	CLEAN(free_p) char *line = NULL;
	char hash[SHA256_HEX + 1];
	size_t len = 0;
	int r;

	r = make_line(l, event, fields, &line, &len, w);
	if (r < 0)
		return r;
	r = sha256_hex(line, len - 1, hash);
	if (r < 0)
		return why(w, r, "the digest cannot be computed");
	r = write_record(l, line, len, sync);
	if (out_of_space(r) && !l->write_broken && closes_privilege(event) && ledger_release_reserve(l) == 0)
		r = write_record(l, line, len, sync);
	if (r < 0)
		return why(w, r, "the ledger cannot be written: %s", strerror(-r));
	l->size += (off_t)len;
	l->head.seq++;
	memcpy(l->head.hash, hash, sizeof hash);
	return 0;
}

static int may_append(struct ledger *l, enum jit_event event, struct why *w)
{
	int r;

	if (l->write_broken)
		return why(w, -EIO, "%s", l->broken.text);
	if (!opens_privilege(event))
		return 0;
	if (l->chain_broken)
		return why(w, -EBADMSG, "%s", l->broken.text);
	r = take_reserve(l, l->reserve_pause_asked);
	if (r < 0)
		return why(w, out_of_space(r) ? -ENOSPC : r, "the ledger has no reserve for the records of an end: %s",
			strerror(-r));
	return 0;
}

int ledger_append(struct ledger *l, enum jit_event event, struct json_object *fields, bool sync, struct why *w)
{
	CLEAN(json_put_p) struct json_object *taken = fields;
	int r;

	r = may_append(l, event, w);
	if (r < 0)
		return r;
	if (l->repair) {
		r = append(l, EV_REPAIRED, l->repair, true, w);
		if (r < 0)
			return r;
		json_put_p(&l->repair);
		l->repair = NULL;
	}
	r = append(l, event, taken, sync, w);
	if (r == 0 && !l->reserve_held)
		take_reserve(l, l->reserve_pause);
	return r;
}

/* ---- opening ---- */

/* Tells a handler that gives up from a chain that is broken. */
struct replay {
	ledger_handler handler;
	void *userdata;
	bool failed;
};

static int replay_line(struct json_object *line, const char *text, size_t len, void *userdata)
{
	struct replay *p = userdata;
	int r = p->handler ? p->handler(line, text, len, p->userdata) : 0;

	p->failed = r < 0;
	return r;
}

static int open_dir(struct ledger *l, const char *dir, struct why *w)
{
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return why(w, -errno, "%s cannot be made: %m", dir);
	l->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (l->dirfd < 0 || fstat(l->dirfd, &st) < 0)
		return why(w, -errno, "%s cannot be opened: %m", dir);
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return why(w, -EPERM, "%s must be jitd's own and closed to others (chown root, chmod 0700)", dir);
	l->lock = openat(l->dirfd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (l->lock < 0)
		return why(w, -errno, "%s/lock cannot be opened: %m", dir);
	if (flock(l->lock, LOCK_EX | LOCK_NB) < 0)
		return why(w, -errno, errno == EWOULDBLOCK ? "%s is locked: another jitd runs" : "%s cannot be locked",
			dir);
	return 0;
}

static int note_repair(struct ledger *l, const struct ledger_scan *s)
{
	l->repair = json_object_new_object();
	if (!l->repair || json_add_str(l->repair, "file", s->file) < 0 ||
	    json_add_u64(l->repair, "cut", s->torn_len) < 0 || json_add_str(l->repair, "sha256", s->torn_hash) < 0)
		return -ENOMEM;
	return 0;
}

/* Opens the last file behind its last whole line, and cuts what is torn. */
static int open_last(struct ledger *l, const struct ledger_scan *s, struct why *w)
{
	struct stat st;
	int r;

	l->head = s->head;
	if (s->file[0] == '\0')
		return 0;
	l->size = s->good;
	l->file = openat(l->dirfd, s->file, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (l->file < 0 || fstat(l->file, &st) < 0)
		return why(w, -errno, "%s cannot be opened: %m", s->file);
	if (st.st_size != s->good + (off_t)s->torn_len)
		return why(w, -EBUSY, "%s was changed while it was read", s->file);
	if (!s->torn)
		return 0;
	r = note_repair(l, s);
	if (r < 0)
		return why(w, r, "out of memory");
	if (ftruncate(l->file, s->good) < 0)
		return why(w, -errno, "the torn last line of %s cannot be cut: %m", s->file);
	r = append(l, EV_REPAIRED, l->repair, true, w);
	if (r == 0) {
		json_put_p(&l->repair);
		l->repair = NULL;
	}
	return 0; /* else it is written before the next record */
}

static int check_chain(struct ledger *l, ledger_handler handler, void *userdata, struct why *w)
{
	struct replay replay = { .handler = handler, .userdata = userdata };
	struct ledger_scan s = { 0 };
	struct why inner;
	int r;

	r = ledger_scan(l->dirfd, replay_line, &replay, &s, &inner);
	if (r == 0)
		return open_last(l, &s, w);
	if (r != -EBADMSG || replay.failed)
		return why(w, r, "%s", inner.text);
	l->chain_broken = true;
	l->broken = inner;
	return ledger_scan_broken(l->dirfd, &l->head, w);
}

int ledger_open(const char *dir, ledger_handler handler, void *userdata, struct ledger **ret, struct why *w)
{
	CLEAN(ledger_close_p) struct ledger *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return why(w, -ENOMEM, "out of memory");
	l->dirfd = l->lock = l->file = l->reserve = -1;
	l->file_max = LEDGER_FILE_MAX;
	l->reserve_pause = RESERVE_PAUSE;
	l->reserve_pause_asked = RESERVE_PAUSE_ASKED;
	r = clock_boot_id(l->boot);
	if (r < 0)
		return why(w, r, "the boot id cannot be read: %s", strerror(-r));
	if ((r = open_dir(l, dir, w)) < 0)
		return r;
	take_reserve(l, 0); /* failing is no error here: what opens privilege asks again */
	if ((r = check_chain(l, handler, userdata, w)) < 0)
		return r;
	*ret = STEAL_PTR(l);
	return 0;
}
