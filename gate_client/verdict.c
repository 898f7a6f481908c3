/* What jitd said in the end: read strictly, and held against the clock. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "gate_client/jit.h"

void verdict_own(struct jit_verdict *v, enum gate_result result, const char *fmt, ...)
{
	va_list ap;

	v->result = result;
	v->deadline = 0;
	v->session = false;
	v->target[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

static bool boot_id_valid(const char *s)
{
	return strlen(s) == BOOT_ID_LEN && strspn(s, "0123456789abcdef") == BOOT_ID_LEN;
}

/* A deadline and its boot come together or not at all. */
static int read_deadline(const struct gate_in *in, struct jit_verdict *v)
{
	const char *boot = gate_get(in, "boot");
	uint64_t deadline;
	int r = gate_get_u64(in, "deadline", &deadline);

	if (r == -ENOENT && !boot)
		return 0;
	if (r < 0 || deadline == 0 || !boot || !boot_id_valid(boot))
		return -EPROTO;
	v->deadline = deadline;
	memcpy(v->boot, boot, BOOT_ID_LEN + 1);
	return 0;
}

int verdict_read(const struct gate_in *in, struct jit_verdict *v)
{
	const char *result = gate_get(in, "result"), *id = gate_get(in, "id"), *text = gate_get(in, "text");
	const char *target = gate_get(in, "target"), *session = gate_get(in, "session");
	struct jit_verdict got = { .result = GATE_UNREACHABLE };

	if (!result || (id && !id_valid(id)) || read_deadline(in, &got) < 0 ||
	    (target && (!*target || strlen(target) >= sizeof(got.target))) ||
	    (session && strcmp(session, "yes") && strcmp(session, "no")))
		return -EPROTO;
	if (id)
		memcpy(got.id, id, sizeof(got.id));
	if (target)
		memcpy(got.target, target, strlen(target) + 1);
	if (text)
		snprintf(got.text, sizeof(got.text), "%s", text);
	got.session = session && !strcmp(session, "yes");
	got.result = gate_result_parse(result);
	*v = got;
	return 0;
}

bool verdict_timely(uint64_t deadline, const char *boot)
{
	char now[BOOT_ID_LEN + 1];

	if (clock_boot_id(now) < 0 || strcmp(now, boot))
		return false;
	return clock_boot() < deadline;
}
