/* sshsig_parse: armored text, or the blob inside (which is then armored, so that mutations reach what is behind the base64). */
#include "config.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/sshsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* What was read is whole, and the rest of the library takes it. */
static void use(const struct sshsig *s)
{
	const char *const origins[] = { "https://hub.example.com:8443", NULL };
	const struct sshsig_policy policy = { .ns = "decision@pam-jit", .origins = origins };
	CLEAN(free_p) char *text = sshkey_format(&s->key);
	CLEAN(sshkey_done) struct sshkey again = { 0 };
	char principal[] = "bob", fingerprint[FINGERPRINT_LEN + 1];
	char *principals[] = { principal, NULL };
	const struct signer signer = { .principals = principals, .cert_authority = s->certificate,
		.key = s->certificate ? s->cert_ca : s->key };
	struct why w = { "" };
	int r;

	must(text && sshkey_parse(text, &again, &w) == 0 && sshkey_equal(&again, &s->key));
	sshkey_fingerprint(&s->key, fingerprint);
	must(strlen(fingerprint) == FINGERPRINT_LEN);
	must(s->certificate == (s->cert_principal != NULL));
	must((s->kind == SSHSIG_BROWSER) == (s->origin != NULL) && (s->origin != NULL) == (s->challenge != NULL));
	must((s->kind != SSHSIG_KEY) == sshkey_is_sk(&s->key));
	r = sshsig_check(s, &policy, &signer, &w);
	must(r == 0 || w.text[0] != '\0');
	if (r == 0 && s->kind == SSHSIG_BROWSER)
		must((s->flags & 5) == 5 && !s->cross_origin && strcmp(s->origin, origins[0]) == 0);
	if (r == 0 && s->kind == SSHSIG_HW_KEY)
		must((s->flags & 1) == 1);
	sshsig_check_challenge(s, "hello", 5, &w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(sshsig_done) struct sshsig s = { 0 };
	CLEAN(free_p) char *base64 = NULL;
	CLEAN(free_p) char *armored = NULL;
	struct why w = { "" };
	int r;

	if (size > 0 && data[0] == '-') {
		armored = malloc(size); /* without a NUL behind */
		memcpy(armored, data, size);
		r = sshsig_parse(armored, size, &s, &w);
	} else {
		base64 = base64_encode(data, size);
		if (!base64 || asprintf(&armored, "-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH SIGNATURE-----\n", base64) < 0)
			return 0;
		r = sshsig_parse(armored, strlen(armored), &s, &w);
	}
	must(r == 0 || w.text[0] != '\0');
	if (r == 0)
		use(&s);
	return 0;
}
