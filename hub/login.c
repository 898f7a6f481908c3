#include <endian.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "hub/api.h"
#include "hub/approvers.h"
#include "hub/keygen.h"
#include "hub/login.h"
#include "hub/secret.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/text.h"

#define USED_MAX 4096

/* A challenge, in base64: when it ends, random bytes, and the hub's seal over both and the principal.  So the hub keeps
 * nothing for those who only ask; what was signed is remembered until its end. */
struct challenge {
	uint8_t until[8]; /* real usec, big-endian */
	uint8_t random[32];
	uint8_t seal[SHA256_LEN];
};

struct used {
	uint8_t random[32];
	uint64_t until;
};

struct login {
	struct hub *hub;
	struct approvers *approvers;
	struct keygen *keygen;
	uint8_t key[32];
	struct used used[USED_MAX];
	size_t n_used;
};

struct attempt {
	struct login *login;
	struct call *call; /* NULL: gone */
	bool done;
	int result;
	char *principal;
	char key[FINGERPRINT_LEN + 1];
	uint8_t random[32];
};

int login_new(struct hub *hub, struct login **ret)
{
	struct login *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (l) {
		l->hub = hub;
		r = getrandom(l->key, sizeof(l->key), 0) == sizeof(l->key) ? 0 : -EIO;
		if (r >= 0)
			r = approvers_new(hub->conf.approvers, &l->approvers);
		if (r >= 0)
			r = keygen_new(hub->event, &l->keygen);
	}
	if (r < 0) {
		login_free(l);
		return r;
	}
	(void)approvers_get(l->approvers);
	*ret = l;
	return 0;
}

struct login *login_free(struct login *l)
{
	if (!l)
		return NULL;
	keygen_free(l->keygen);
	approvers_free(l->approvers);
	explicit_bzero(l->key, sizeof(l->key));
	free(l);
	return NULL;
}

static bool valid_now(const struct signer *s, uint64_t now)
{
	return now >= s->valid_after && now < s->valid_before;
}

bool login_listed(struct login *l, const char *principal, const char *key)
{
	const struct signers *s = approvers_get(l->approvers);
	char fingerprint[FINGERPRINT_LEN + 1];
	uint64_t now = clock_real();

	for (size_t i = 0; s && i < s->n; i++)
		for (char **p = s->list[i].principals; *p; p++) {
			if (strcmp(*p, principal) || !valid_now(&s->list[i], now))
				continue;
			sshkey_fingerprint(&s->list[i].key, fingerprint);
			if (!strcmp(fingerprint, key))
				return true;
		}
	return false;
}

static void attempt_free(struct attempt *a)
{
	free(a->principal);
	free(a);
}

void login_forget(struct login *l, struct call *c)
{
	struct attempt *a = c->work;

	if (!a)
		return;
	c->work = NULL;
	if (a->done)
		attempt_free(a);
	else
		a->call = NULL;
}

static int seal(const struct login *l, const struct challenge *ch, const char *principal, uint8_t out[static SHA256_LEN])
{
	uint8_t text[sizeof(ch->until) + sizeof(ch->random) + 128];
	size_t len = strlen(principal), at = sizeof(ch->until) + sizeof(ch->random);
	unsigned n = SHA256_LEN;

	if (len > 128)
		return -EINVAL;
	memcpy(text, ch->until, sizeof(ch->until));
	memcpy(text + sizeof(ch->until), ch->random, sizeof(ch->random));
	memcpy(text + at, principal, len);
	return HMAC(EVP_sha256(), l->key, sizeof(l->key), text, at + len, out, &n) ? 0 : -EIO;
}

void on_challenge(struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = NULL, *answer = json_object_new_object();
	CLEAN(free_p) char *text = NULL;
	struct challenge ch;
	uint64_t until = htobe64(clock_real() + LOGIN_CHALLENGE_SEC * USEC_PER_SEC);
	const char *principal;

	if (!call_json(c, &o) || !(principal = call_str(c, o, "principal")))
		return;
	if (!principal_valid(principal)) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "this is no principal");
		return;
	}
	memcpy(ch.until, &until, sizeof(until));
	if (getrandom(ch.random, sizeof(ch.random), 0) == sizeof(ch.random) &&
	    seal(c->hub->login, &ch, principal, ch.seal) >= 0)
		text = base64_encode(&ch, sizeof(ch));
	if (!text || !answer || json_add_str(answer, "challenge", text) < 0)
		call_reply(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	else
		call_reply(c, MHD_HTTP_OK, STEAL_PTR(answer));
}

static bool was_used(struct login *l, const uint8_t random[static 32], uint64_t now)
{
	for (size_t i = 0; i < l->n_used;) {
		if (l->used[i].until <= now) {
			l->used[i] = l->used[--l->n_used];
			continue;
		}
		if (!CRYPTO_memcmp(l->used[i].random, random, 32))
			return true;
		i++;
	}
	return false;
}

static void forget_use(struct login *l, const uint8_t random[static 32])
{
	for (size_t i = 0; i < l->n_used; i++)
		if (!memcmp(l->used[i].random, random, 32)) {
			l->used[i] = l->used[--l->n_used];
			return;
		}
}

/* Takes the challenge out of use.  False: answered. */
static bool take_challenge(struct call *c, const char *text, const char *principal, uint8_t random[static 32])
{
	struct login *l = c->hub->login;
	CLEAN(free_p) uint8_t *bytes = NULL;
	struct challenge ch;
	uint8_t right[SHA256_LEN];
	uint64_t until, now = clock_real();
	size_t len = 0;

	if (strlen(text) > 256 || base64_decode(text, strlen(text), &bytes, &len) < 0 || len != sizeof(ch)) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "this is no challenge");
		return false;
	}
	memcpy(&ch, bytes, sizeof(ch));
	memcpy(&until, ch.until, sizeof(until));
	until = be64toh(until);
	if (seal(l, &ch, principal, right) < 0 || CRYPTO_memcmp(right, ch.seal, sizeof(right)))
		call_error(c, MHD_HTTP_UNAUTHORIZED, "challenge", "this challenge is not of this hub, or not for %s", principal);
	else if (until <= now || until > now + LOGIN_CHALLENGE_SEC * USEC_PER_SEC)
		call_error(c, MHD_HTTP_UNAUTHORIZED, "challenge", "this challenge is over; ask for a new one");
	else if (was_used(l, ch.random, now))
		call_error(c, MHD_HTTP_UNAUTHORIZED, "challenge", "this challenge was used; ask for a new one");
	else if (l->n_used == USED_MAX)
		call_busy(c, 10, "too many sign in");
	if (c->status)
		return false;
	memcpy(l->used[l->n_used].random, ch.random, 32);
	l->used[l->n_used++].until = until;
	memcpy(random, ch.random, 32);
	return true;
}

/* All that ssh-keygen does not look at.  False: answered. */
static bool check_signature(struct call *c, const struct signers *signers, const char *principal, const char *signature,
	char key[static FINGERPRINT_LEN + 1])
{
	static const char *const no_origin[] = { NULL };
	const struct sshsig_policy policy = { .ns = NS_LOGIN, .origins = no_origin };
	CLEAN(sshsig_done) struct sshsig sig = { 0 };
	const struct signer *signer;
	struct why w;

	if (strlen(signature) > SSHSIG_MAX || sshsig_parse(signature, strlen(signature), &sig, &w) < 0) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "\"signature\": %s",
			strlen(signature) > SSHSIG_MAX ? "too long" : w.text);
		return false;
	}
	signer = approvers_find(signers, principal, &sig);
	if (!signer || !valid_now(signer, clock_real())) {
		call_error(c, MHD_HTTP_UNAUTHORIZED, "signature", "%s with this key is not listed as an approver", principal);
		return false;
	}
	if (sshsig_check(&sig, &policy, signer, &w) < 0) {
		call_error(c, MHD_HTTP_UNAUTHORIZED, "signature", "%s", w.text);
		return false;
	}
	sshkey_fingerprint(&signer->key, key);
	return true;
}

static void on_verified(int result, void *userdata)
{
	struct attempt *a = userdata;

	a->done = true;
	a->result = result;
	if (result < 0)
		forget_use(a->login, a->random); /* it signed nobody in */
	if (a->call)
		call_resume(a->call);
	else
		attempt_free(a);
}

static void verify(struct call *c, const struct signers *signers, const char *challenge, const char *signature,
	struct attempt *taken)
{
	struct login *l = c->hub->login;
	int r = taken->principal ? keygen_verify(l->keygen, signers->bytes, signers->len, taken->principal, NS_LOGIN,
		challenge, strlen(challenge), signature, on_verified, taken) : -ENOMEM;

	if (r >= 0) {
		c->work = taken;
		call_suspend(c);
		return;
	}
	forget_use(l, taken->random);
	attempt_free(taken);
	if (r == -EAGAIN)
		call_busy(c, 1, "too many sign in");
	else
		call_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "verify", "the signature cannot be verified: %s", strerror(-r));
}

static void begin(struct call *c)
{
	CLEAN(json_put_p) struct json_object *o = NULL;
	const struct signers *signers = approvers_get(c->hub->login->approvers);
	const char *principal, *challenge, *signature;
	char key[FINGERPRINT_LEN + 1];
	uint8_t random[32];
	struct attempt *a;

	if (!call_json(c, &o) || !(principal = call_str(c, o, "principal")) ||
	    !(challenge = call_str(c, o, "challenge")) || !(signature = call_str(c, o, "signature")))
		return;
	if (!principal_valid(principal)) {
		call_error(c, MHD_HTTP_BAD_REQUEST, "malformed", "this is no principal");
		return;
	}
	if (!signers) {
		call_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "misconfigured", "this hub has no list of approvers");
		return;
	}
	if (!check_signature(c, signers, principal, signature, key) || !take_challenge(c, challenge, principal, random))
		return;
	a = calloc(1, sizeof(*a));
	if (!a) {
		call_reply(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
		return;
	}
	*a = (struct attempt){ .login = c->hub->login, .call = c, .principal = strdup(principal) };
	memcpy(a->key, key, sizeof(key));
	memcpy(a->random, random, sizeof(random));
	verify(c, signers, challenge, signature, a);
}

static void sign_in(struct call *c, const struct attempt *a)
{
	CLEAN(json_put_p) struct json_object *o = json_object_new_object();
	char token[SECRET_LEN + 1], expires[TIME_RFC3339_LEN + 1];
	uint64_t until = clock_real() + c->hub->conf.session_for;
	uint8_t hash[SHA256_LEN];
	int r = secret_new(token, hash);

	if (r >= 0)
		r = store_session_put(c->hub->store, hash, a->principal, a->key, until);
	if (r < 0) {
		call_store_error(c, r);
		return;
	}
	log_info("%s signed in with %s", a->principal, a->key);
	if (o) {
		json_add_str(o, "token", token);
		json_add_str(o, "expires", time_rfc3339(until, expires));
	}
	explicit_bzero(token, sizeof(token));
	call_reply(c, MHD_HTTP_OK, STEAL_PTR(o));
}

void on_login(struct call *c)
{
	const struct attempt *a = c->work;

	if (!a)
		begin(c);
	else if (!a->done || a->result == -ECANCELED)
		call_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping", "the hub is stopping");
	else if (a->result == 0)
		sign_in(c, a);
	else if (a->result == -EACCES) {
		log_notice("a signature of %s was not good", a->principal);
		call_error(c, MHD_HTTP_UNAUTHORIZED, "signature", "the signature is not good");
	} else
		call_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "verify", "the signature could not be verified: %s",
			strerror(-a->result));
}
