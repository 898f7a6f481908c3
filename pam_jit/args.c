/* The module's arguments.  Few and strict: a line with a mistake refuses, because nobody knows what it was to mean. */
#include <string.h>
#include "lib/cleanup.h"
#include "lib/text.h"
#include "pam_jit/jit.h"

/* Waiting in these stalls logind, the console or every authorisation of the desktop, so they are never gated. */
static bool never_gated(const char *service)
{
	return !strcmp(service, "systemd-user") || !strcmp(service, "login") || !strcmp(service, "polkit-1");
}

static bool parse_service(struct jit_args *a, const char *service, const char *name)
{
	if (!name_valid(name) || never_gated(name))
		return false;
	if (service && !strcmp(service, name))
		a->named = true;
	return true;
}

/* phase=before is for sshd alone: elsewhere it would stand in the place of the line that attaches. */
static bool parse_phase(struct jit_args *a, enum jit_phase phase, const char *service, const char *which, bool *seen)
{
	if (phase != PHASE_SESSION || *seen)
		return false;
	*seen = true;
	if (!strcmp(which, "attach"))
		return true;
	a->before = true;
	return !strcmp(which, "before") && service && !strcmp(service, "sshd");
}

/* In auth of sshd alone: what it proves nothing else can. */
static bool parse_after(struct jit_args *a, enum jit_phase phase, const char *service, const char *which)
{
	if (phase != PHASE_AUTH || a->after_key)
		return false;
	a->after_key = !strcmp(which, "publickey") && service && !strcmp(service, "sshd");
	return a->after_key;
}

void args_parse(struct jit_args *a, enum jit_phase phase, const char *service, int argc, const char **argv)
{
	bool seen = false;

	*a = (struct jit_args){ .bad = NULL };
	for (int i = 0; i < argc && !a->bad; i++) {
		const char *arg = argv[i];
		bool good = false;

		if (!strcmp(arg, "debug"))
			good = a->debug = true;
		else if (!strncmp(arg, "service=", 8))
			good = parse_service(a, service, arg + 8);
		else if (!strncmp(arg, "phase=", 6))
			good = parse_phase(a, phase, service, arg + 6, &seen);
		else if (!strncmp(arg, "after=", 6))
			good = parse_after(a, phase, service, arg + 6);
		if (!good)
			a->bad = arg;
	}
}

enum jit_kind args_kind(const struct jit_args *a, const char *service)
{
	if (!service)
		return KIND_NONE;
	if (!strcmp(service, "sudo") || !strcmp(service, "sudo-i"))
		return KIND_SUDO;
	if (!strcmp(service, "su") || !strcmp(service, "su-l"))
		return KIND_SU;
	if (!strcmp(service, "sshd"))
		return KIND_SSHD;
	return a->named ? KIND_NAMED : KIND_NONE;
}
