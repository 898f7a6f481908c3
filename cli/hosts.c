/* The keys of hosts, in OpenSSH's allowed_signers format with namespaces="receipt@pam-jit":
 * /etc/jit/known_hosts (the administrator's), ~/.config/jit/hosts (one's own, grown by first use). */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/approver.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/text.h"

#define HOSTS_MAX (1024 * 1024)
#define KNOWN_HOSTS JIT_CONFDIR "/known_hosts"

void host_key_done(struct host_key *k)
{
	free(k->signers);
	k->signers = NULL;
}

/* The signer of HOST in the file PATH.  -ENOENT: not listed; other errors are said. */
static int listed(const char *path, const char *host, struct signers *ret, const struct signer **ret_signer)
{
	struct signers all CLEAN(signers_done) = {0};
	CLEAN(free_p) char *bytes = NULL;
	const struct signer *found = NULL;
	struct why w;
	size_t len;
	int r;

	r = file_read_untrusted(AT_FDCWD, path, HOSTS_MAX, &bytes, &len);
	if (r == -ENOENT)
		return r;
	if (r < 0) {
		cli_warn("cannot read %s: %s", path, strerror(-r));
		return r;
	}
	r = signers_parse(bytes, len, path, NS_RECEIPT, &all, &w);
	if (r < 0) {
		cli_warn("%s", w.text);
		return r;
	}
	for (size_t i = 0; i < all.n; i++)
		for (char **p = all.list[i].principals; !found && p && *p; p++)
			if (strcmp(*p, host) == 0)
				found = &all.list[i];
	if (!found)
		return -ENOENT;
	*ret = all;
	*ret_signer = found;
	all = (struct signers){0};
	return 0;
}

/* The key that the hub says is HOST's; false when it says none. */
static bool hub_key(struct hub *h, const char *host, struct sshkey *ret)
{
	CLEAN(json_put_p) struct json_object *answer = NULL;
	struct json_object *list;

	if (hub_call(h, "GET", "/v1/hosts", NULL, 0, &answer) != CLI_DONE)
		return false;
	list = json_arr(answer, "hosts");
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *name = json_str(o, "host"), *key = json_str(o, "key");

		if (name && key && strcmp(name, host) == 0)
			return sshkey_parse(key, ret, NULL) == 0;
	}
	return false;
}

static char *signer_line(const char *host, const struct sshkey *key)
{
	CLEAN(free_p) char *text = sshkey_format(key);
	char *line;

	if (!text || asprintf(&line, "%s namespaces=\"" NS_RECEIPT "\" %s\n", host, text) < 0)
		return NULL;
	return line;
}

/* Makes the directories above PATH that are missing (~/.config, ~/.config/jit). */
static void make_parents(const char *path)
{
	CLEAN(free_p) char *part = strdup(path);

	for (char *slash = part ? strchr(part + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(part, 0700);
		*slash = '/';
	}
}

static int pin(const char *path, const char *line)
{
	CLEAN(close_p) int fd = -1;
	struct stat st;

	make_parents(path);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* An editor may have left the last line without its end; an empty line harms nobody. */
	if (st.st_size > 0 && write_all(fd, "\n", 1) < 0)
		return -EIO;
	return write_all(fd, line, strlen(line));
}

static int first_seen(const struct settings *s, const char *host, const struct sshkey *key, struct host_key *ret)
{
	char fingerprint[FINGERPRINT_LEN + 1];
	CLEAN(free_p) char *line = signer_line(host, key);
	int r;

	if (!line)
		return cli_oom();
	sshkey_fingerprint(key, fingerprint);
	r = pin(s->hosts, line);
	if (r < 0)
		cli_warn("cannot write %s: %s", s->hosts, strerror(-r));
	cli_warn("first seen: the key of %s is %s %s, says the hub; %s it in %s.  Compare it with the host's own: "
		 "ssh-keygen -lf /var/lib/jit/host_key.pub", host, key->type, fingerprint, r < 0 ? "could not keep" : "kept",
		s->hosts);
	ret->trust = HOST_FIRST_SEEN;
	ret->signers = STEAL_PTR(line);
	snprintf(ret->where, sizeof(ret->where), "%s", s->hosts);
	return CLI_DONE;
}

static void say_changed(const char *host, const char *where, const struct sshkey *ours, const struct sshkey *theirs)
{
	char a[FINGERPRINT_LEN + 1], b[FINGERPRINT_LEN + 1];

	sshkey_fingerprint(ours, a);
	sshkey_fingerprint(theirs, b);
	cli_warn("THE KEY OF %s HAS CHANGED: %s lists %s, the hub says %s.  Either the host was set up again, or somebody "
		 "pretends to be it.  Its receipts count as unverified until you have asked the host's administrator and "
		 "put that line right", host, where, a, b);
}

int host_key_find(struct hub *h, const struct settings *s, const char *host, struct host_key *ret)
{
	const char *const files[] = {KNOWN_HOSTS, s->hosts};
	struct signers all CLEAN(signers_done) = {0};
	struct sshkey theirs CLEAN(sshkey_done) = {0};
	const struct signer *ours = NULL;
	bool given = hub_key(h, host, &theirs);
	int r = -ENOENT;

	*ret = (struct host_key){.trust = HOST_UNKNOWN};
	for (size_t i = 0; i < ELEMENTS(files) && !ours; i++) {
		r = listed(files[i], host, &all, &ours);
		snprintf(ret->where, sizeof(ret->where), "%s", files[i]);
		/* A list that cannot be read is no reason to believe the hub instead. */
		if (r < 0 && r != -ENOENT)
			return CLI_DONE;
	}
	if (!ours) {
		if (!given)
			return CLI_DONE;
		return first_seen(s, host, &theirs, ret);
	}
	if (given && !sshkey_equal(&ours->key, &theirs)) {
		ret->trust = HOST_CHANGED;
		say_changed(host, ret->where, &ours->key, &theirs);
		return CLI_DONE;
	}
	ret->trust = HOST_KNOWN;
	ret->signers = signer_line(host, &ours->key);
	return ret->signers ? CLI_DONE : cli_oom();
}
