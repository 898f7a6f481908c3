/* A folder of configuration for a test: files by name, removed at the end. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "lib/conf.h"

/* Public keys; nobody has their other halves. */
#define KEY_BOB "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINSHs429eC/T/pCzeyXMvIOAiGqks/K1yyXDKe02fSxi"
#define KEY_BOB2 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAmWzeIx+wST6iST8IifcgebhvVDYfWi4WRIlD8K+NXw"
#define KEY_CAROL "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKVV+MfP0mj2ekjNbU9bsmNGD89vHKEevLtfSPRbVHgA"
#define KEY_DORA "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIARiLEcPW9BD0QYDz6ngSER8jBDy8euR5KDKmOSb/6DJ"
/* A security key, and a passkey. */
#define KEY_YUBI "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIMyTmkShS2vs+xLL4xH3ZPHAba9QskW9WX4zoyNMuUo0AAAABHNzaDo="
#define KEY_PHONE \
	"sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBDw" \
	"iMe8cRQ+a0S459P65AoaUTuAilh8yThizyey1xI67YigR/hMHPNGEqyfgk7dumMZKWKI+zNs/F4iSjeI0AFoAAAAPaml0LmV4YW1wbGUuY29t"
#define SIGNER(principals, key) principals " namespaces=\"decision@pam-jit\" " key "\n"

/* alice, bob (a key and a security key), carol (a key), dora (a passkey); teams sre (bob carol), security (dora), nobody-home (alice, who has no key). */
extern const char site_people[], site_approvers[];

const char *site_begin(void); /* its path; files and folders there are the caller's own */
void site_write(const char *name, const char *text); /* NULL text: removes it.  Folders are made as needed. */
void site_write_bytes(const char *name, const void *data, size_t len);
const char *site_path(const char *name); /* valid until the next call */
void site_end(void);
/* What is left of mistake I without the folder's path in front; "" beyond the last. */
const char *site_error(const struct conf_errors *e, size_t i);

/* The same numbers every time (xorshift). */
uint64_t test_random(void);
unsigned test_below(unsigned n); /* 0 … n-1 */
