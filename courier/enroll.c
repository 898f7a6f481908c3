/* `jit-courier enroll`: a one-time token for a secret. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include "courier/courier.h"
#include "courier/secret.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/sshkey.h"
#include "lib/text.h"

#define TOKEN_MAX 200
#define SECONDS 30

struct enrollment {
	const struct courier_paths *paths;
	struct courier_conf conf;
	const char *host, *key_file;
	bool named; /* courier.conf names a hub */
	char token[TOKEN_MAX];
	sd_event *event;
	int exit;
};

static int fail(int exit_code, const char *words)
{
	fprintf(stderr, "jit-courier: %s\n", words);
	return exit_code;
}

static int read_token(struct enrollment *e, const char *arg)
{
	size_t len = strlen(arg);

	if (!strcmp(arg, "-")) {
		if (!fgets(e->token, sizeof(e->token), stdin))
			return -EINVAL;
		e->token[strcspn(e->token, "\n")] = '\0';
		return e->token[0] ? 0 : -EINVAL;
	}
	if (!len || len >= sizeof(e->token))
		return -EINVAL;
	memcpy(e->token, arg, len + 1);
	return 0;
}

/* 0: go on; else the exit code. */
static int read_options(struct enrollment *e, int argc, char **argv)
{
	enum { OPT_HUB = 1, OPT_CA, OPT_PIN, OPT_HOST, OPT_KEY, OPT_INSECURE };
	static const struct option options[] = {
		{ "hub", required_argument, NULL, OPT_HUB }, { "ca", required_argument, NULL, OPT_CA },
		{ "pin", required_argument, NULL, OPT_PIN }, { "host", required_argument, NULL, OPT_HOST },
		{ "key", required_argument, NULL, OPT_KEY }, { "insecure", no_argument, NULL, OPT_INSECURE }, { 0 },
	};
	static const char *const key_of[] = { [OPT_HUB] = "Hub", [OPT_CA] = "CA", [OPT_PIN] = "Pin" };
	struct why w;
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (opt == OPT_HOST)
			e->host = optarg;
		else if (opt == OPT_KEY)
			e->key_file = optarg;
		else if (opt == OPT_INSECURE)
			e->conf.insecure = true;
		else if (opt == '?')
			return fail(2, "enroll --hub URL --host NAME [--ca FILE] [--pin PIN] [--key FILE] TOKEN");
		else if (courier_conf_set(&e->conf, key_of[opt], optarg, &w) < 0) {
			fprintf(stderr, "jit-courier: %s= %s\n", key_of[opt], w.text);
			return 2;
		}
	if (optind + 1 != argc || read_token(e, argv[optind]) < 0)
		return fail(2, "enroll needs one token ('-' reads it from standard input)");
	if (!e->host || !name_valid(e->host))
		return fail(2, "enroll needs --host, the name that the hub was told");
	if (courier_conf_check(&e->conf, &w) < 0)
		return fail(2, w.text);
	return 0;
}

static char *read_key(const char *path)
{
	CLEAN(free_p) char *text = NULL;
	CLEAN(sshkey_done) struct sshkey key = { 0 };
	struct why w;
	size_t len;
	int r = file_read_untrusted(AT_FDCWD, path, 16384, &text, &len);

	if (r < 0) {
		fprintf(stderr, "jit-courier: %s: %s%s\n", path, strerror(-r), r == -ENOENT ? " (jitd makes it)" : "");
		return NULL;
	}
	text[strcspn(text, "\n")] = '\0';
	if (sshkey_parse(text, &key, &w) < 0) {
		fprintf(stderr, "jit-courier: %s is no public key: %s\n", path, w.text);
		return NULL;
	}
	return sshkey_format(&key);
}

static struct json_object *body_of(const struct enrollment *e)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	CLEAN(free_p) char *key = read_key(e->key_file);
	char machine[SD_ID128_STRING_MAX];
	sd_id128_t id;
	int r;

	if (!key)
		return NULL;
	r = sd_id128_get_machine(&id);
	if (r < 0) {
		fprintf(stderr, "jit-courier: /etc/machine-id: %s\n", strerror(-r));
		return NULL;
	}
	if (!o || json_add_str(o, "token", e->token) < 0 || json_add_str(o, "host", e->host) < 0 ||
	    json_add_str(o, "machine", sd_id128_to_string(id, machine)) < 0 || json_add_str(o, "key", key) < 0)
		return NULL;
	return STEAL_PTR(o);
}

static int keep_secret(const struct enrollment *e, const struct web_answer *a)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	const char *secret;
	struct why w;

	if (json_parse(a->body, a->len, &o, &w) < 0 || !(secret = json_str(o, "secret")))
		return fail(4, "the hub's answer cannot be read");
	if (secret_write(&e->conf, e->paths->statedir, secret, &w) < 0)
		return fail(1, w.text);
	printf("%s is enrolled at %s.\n", e->host, e->conf.hub);
	if (!e->named)
		printf("The courier still has to be told of it, in %s:\n[Courier]\nHub=%s\n%s%s%s%s%s%s", e->paths->config,
			e->conf.hub, e->conf.ca ? "CA=" : "", e->conf.ca ? e->conf.ca : "", e->conf.ca ? "\n" : "",
			e->conf.pin ? "Pin=" : "", e->conf.pin ? e->conf.pin : "", e->conf.pin ? "\n" : "");
	return 0;
}

static void on_done(const struct web_answer *a, void *userdata)
{
	struct enrollment *e = userdata;

	if (a->error) {
		fprintf(stderr, "jit-courier: %s cannot be reached: %s\n", e->conf.hub, a->words);
		e->exit = 4;
	} else if (a->status == 201)
		e->exit = keep_secret(e, a);
	else {
		fprintf(stderr, "jit-courier: the hub answered %ld%s%s\n", a->status, a->words ? ": " : "",
			a->words ? a->words : "");
		e->exit = 1;
	}
	sd_event_exit(e->event, 0);
}

static int post(struct enrollment *e, struct json_object *body)
{
	struct transfer *transfer;
	struct web *web = NULL;
	const char *text = json_text(body);
	struct web_call call = {
		.conf = &e->conf, .method = "POST", .path = "/v1/enroll", .body = text, .len = text ? strlen(text) : 0,
		.seconds = SECONDS, .done = on_done, .userdata = e,
	};
	int r = sd_event_new(&e->event);

	e->exit = 1;
	if (r >= 0)
		r = web_new(e->event, COURIER_ANSWER_MAX, &web);
	if (r >= 0)
		r = text ? web_start(web, &call, &transfer) : -ENOMEM;
	if (r >= 0)
		r = sd_event_loop(e->event);
	web_free(web);
	sd_event_unref(e->event);
	return r < 0 ? fail(1, strerror(-r)) : e->exit;
}

int enroll_command(const struct courier_paths *paths, int argc, char **argv)
{
	struct enrollment e = { .paths = paths, .key_file = JIT_HOST_KEY ".pub" };
	CLEAN(json_put_p) struct json_object *body = NULL;
	struct conf_errors errors = { 0 };
	int r;

	/* courier.conf serves for what is not said; a mistake in it is for the daemon to tell. */
	if (courier_conf_load(paths->config, &e.conf, &errors) < 0)
		for (size_t i = 0; i < errors.n; i++)
			fprintf(stderr, "jit-courier: %s\n", errors.list[i]);
	conf_errors_done(&errors);
	e.named = e.conf.hub != NULL;
	r = read_options(&e, argc, argv);
	if (r == 0) {
		body = body_of(&e);
		r = body ? post(&e, body) : 1;
	}
	explicit_bzero(e.token, sizeof(e.token));
	courier_conf_done(&e.conf);
	return r;
}
