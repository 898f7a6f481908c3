/* The hub's API as an approver: signing in (a challenge, signed in the namespace login@pam-jit), the token kept until it expires,
 * calls. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/approver.h"
#include "cli/http.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/text.h"

#define TOKEN_MAX 4096
#define CHALLENGE_MAX 512
/* A token that ends this soon is not used any more. */
#define TOKEN_SPARE (30 * USEC_PER_SEC)

struct hub {
	const struct settings *s;
	struct http *http;
	char *token;
};

static int exit_of_errno(int r)
{
	return r == -ENOMEM ? CLI_REFUSED : CLI_UNREACHABLE;
}

/* The directory of tokens, $XDG_RUNTIME_DIR/pam-jit: ours and closed to others, or -errno (then nothing is kept). */
static int token_dir(void)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	CLEAN(close_p) int parent = -1;
	CLEAN(close_p) int fd = -1;
	struct stat st;

	if (!run || *run != '/')
		return -ENOENT;
	parent = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return -errno;
	if (mkdirat(parent, "pam-jit", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent, "pam-jit", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != getuid() || (st.st_mode & 077))
		return -EPERM;
	return steal_fd(&fd);
}

/* One file for each hub and principal. */
static int token_name(const struct settings *s, char name[static 32])
{
	CLEAN(free_p) char *text = NULL;
	char hex[SHA256_HEX + 1];

	if (asprintf(&text, "%s\n%s", s->url, s->principal) < 0 || sha256_hex(text, strlen(text), hex) < 0)
		return -ENOMEM;
	snprintf(name, 32, "token-%.16s", hex);
	return 0;
}

static bool token_valid(struct json_object *o)
{
	const char *token = json_str(o, "token"), *expires = json_str(o, "expires");
	uint64_t t;

	if (!token || !*token || strlen(token) > TOKEN_MAX || !expires || time_rfc3339_parse(expires, &t) < 0)
		return false;
	for (const char *p = token; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return t > clock_real() + TOKEN_SPARE;
}

static void token_load(struct hub *h)
{
	CLEAN(close_p) int dir = token_dir();
	CLEAN(free_p) char *text = NULL;
	CLEAN(json_put_p) struct json_object *o = NULL;
	char name[32];
	size_t len;

	if (dir < 0 || token_name(h->s, name) < 0 || file_read_untrusted(dir, name, 2 * TOKEN_MAX, &text, &len) < 0)
		return;
	if (json_parse(text, len, &o, NULL) < 0 || !token_valid(o)) {
		unlinkat(dir, name, 0);
		return;
	}
	h->token = strdup(json_str(o, "token"));
}

static void token_save(struct hub *h, struct json_object *o)
{
	CLEAN(close_p) int dir = token_dir();
	const char *text = json_text(o);
	char name[32];

	if (dir >= 0 && token_name(h->s, name) == 0)
		(void)file_write_atomic(dir, name, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1);
}

static void token_drop(struct hub *h)
{
	CLEAN(close_p) int dir = token_dir();
	char name[32];

	free(h->token);
	h->token = NULL;
	if (dir >= 0 && token_name(h->s, name) == 0)
		unlinkat(dir, name, 0);
}

/* One exchange; *RET is the answer's object where there is one. */
static int exchange(struct hub *h, const char *method, const char *path, struct json_object *body, unsigned wait,
	long *ret_status, struct json_object **ret)
{
	CLEAN(free_p) char *text = NULL;
	CLEAN(json_put_p) struct json_object *o = NULL;
	struct why w;
	size_t len;
	int r;

	r = http_call(h->http, method, path, h->token, body ? json_text(body) : NULL, wait, ret_status, &text, &len, &w);
	if (r < 0)
		return cli_fail(exit_of_errno(r), "%s", w.text);
	r = json_parse(text, len, &o, &w);
	if (r < 0 && *ret_status >= 200 && *ret_status < 300 && *ret_status != 204)
		return cli_fail(CLI_UNREACHABLE, "the hub's answer to %s cannot be read: %s", path, w.text);
	*ret = STEAL_PTR(o);
	return CLI_DONE;
}

/* What a status of the hub means; its words are shown, they are not ours. */
static int refused(const char *path, long status, struct json_object *o)
{
	struct json_object *error = o ? json_obj(o, "error") : NULL, *hosts = o ? json_arr(o, "hosts") : NULL;
	const char *words = error ? json_str(error, "message") : NULL;
	CLEAN(free_p) char *shown = words ? text_escape(words, strlen(words), 300) : NULL;
	int exit = status == 404 || status == 410 ? CLI_NOT_FOUND : status >= 500 || status < 400 ? CLI_UNREACHABLE : CLI_REFUSED;

	if (!hosts && error)
		hosts = json_arr(error, "hosts");
	if (status == 409 && hosts) {
		const char *list = json_text(hosts);

		return cli_fail(CLI_MISUSED, "several hosts have a request with this id, choose one with --host: %s",
			list ? list : "");
	}
	if (shown)
		return cli_fail(exit, "the hub says: %s", shown);
	return cli_fail(exit, "the hub answered %ld to %s%s", status, path, status < 400 ? "; is URL= right?" : "");
}

static bool challenge_valid(const char *s)
{
	size_t len = s ? strlen(s) : 0;

	if (len < 16 || len > CHALLENGE_MAX)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int challenge(struct hub *h, struct json_object **ret)
{
	CLEAN(json_put_p) struct json_object *ask = json_object_new_object(), *answer = NULL;
	long status = 0;
	int r;

	json_add_str(ask, "principal", h->s->principal);
	r = exchange(h, "POST", "/v1/login/challenge", ask, 0, &status, &answer);
	if (r != CLI_DONE)
		return r;
	if (status != 200 && status != 201)
		return refused("/v1/login/challenge", status, answer);
	if (!answer || !challenge_valid(json_str(answer, "challenge")))
		return cli_fail(CLI_UNREACHABLE, "the hub's challenge is none");
	*ret = STEAL_PTR(answer);
	return CLI_DONE;
}

static int sign_in(struct hub *h)
{
	CLEAN(json_put_p) struct json_object *given = NULL, *login = json_object_new_object(), *answer = NULL;
	CLEAN(free_p) char *signature = NULL;
	const char *text, *key = h->s->login_key ? h->s->login_key : h->s->key;
	struct why w;
	long status = 0;
	int r;

	r = challenge(h, &given);
	if (r != CLI_DONE)
		return r;
	text = json_str(given, "challenge");
	if (keygen_sign(key, NS_LOGIN, text, strlen(text), &signature, &w) < 0)
		return cli_fail(CLI_REFUSED, "cannot sign in: %s", w.text);
	json_add_str(login, "principal", h->s->principal);
	json_add_str(login, "challenge", text);
	json_add_str(login, "signature", signature);
	r = exchange(h, "POST", "/v1/login", login, 0, &status, &answer);
	if (r != CLI_DONE)
		return r;
	if (status != 200 && status != 201)
		return refused("/v1/login", status, answer);
	if (!answer || !token_valid(answer))
		return cli_fail(CLI_UNREACHABLE, "the hub's token is none, or has expired (are both clocks right?)");
	token_save(h, answer);
	h->token = strdup(json_str(answer, "token"));
	return h->token ? CLI_DONE : cli_oom();
}

int hub_open(const struct settings *s, struct hub **ret)
{
	CLEAN(hub_p) struct hub *h = calloc(1, sizeof(*h));
	struct why w;
	int r;

	if (!h)
		return cli_oom();
	h->s = s;
	r = http_open(s, &h->http, &w);
	if (r < 0)
		return cli_fail(r == -ENOMEM ? CLI_REFUSED : CLI_MISCONFIGURED, "%s", w.text);
	token_load(h);
	*ret = STEAL_PTR(h);
	return CLI_DONE;
}

struct hub *hub_close(struct hub *h)
{
	if (h) {
		http_close(h->http);
		free(h->token);
		free(h);
	}
	return NULL;
}

int hub_call(struct hub *h, const char *method, const char *path, struct json_object *body, unsigned wait,
	struct json_object **ret)
{
	CLEAN(json_put_p) struct json_object *answer = NULL;
	long status = 401;
	int r = CLI_DONE;

	/* A token that the hub forgot is replaced once. */
	for (int attempt = 0; attempt < 2 && status == 401; attempt++) {
		if (!h->token)
			r = sign_in(h);
		if (r != CLI_DONE)
			return r;
		json_put_p(&answer);
		answer = NULL;
		r = exchange(h, method, path, body, wait, &status, &answer);
		if (r != CLI_DONE)
			return r;
		if (status == 401)
			token_drop(h);
	}
	if (status < 200 || status > 299)
		return refused(path, status, answer);
	if (ret && !answer)
		return cli_fail(CLI_UNREACHABLE, "the hub's answer to %s is empty", path);
	if (ret)
		*ret = STEAL_PTR(answer);
	return CLI_DONE;
}
