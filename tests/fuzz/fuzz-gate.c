/* gate_parse: what is accepted keeps every rule of lib/gate.h and, written again, reads the same. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void write_again(const struct gate_in *in, const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *buf = malloc(GATE_MAX);
	struct gate_out out;

	must(buf != NULL);
	gate_begin(&out, buf, GATE_MAX, in->type);
	for (unsigned i = 2; i < in->fields; i++)
		gate_put(&out, in->key[i], in->value[i]);
	must(gate_finish(&out) == (ssize_t)size && memcmp(buf, data, size) == 0);
}

static void check_fields(const struct gate_in *in)
{
	const char *args[GATE_FIELDS], *runs[GATE_FIELDS];
	unsigned n_args = gate_get_all(in, "arg", args), n_runs = gate_get_all(in, "run", runs), arg = 0, run = 0;

	must(in->fields >= 2 && in->fields <= GATE_FIELDS);
	must(!strcmp(in->key[0], "v") && !strcmp(in->value[0], GATE_VERSION) && !strcmp(in->key[1], "type"));
	for (unsigned i = 0; i < in->fields; i++) {
		uint64_t number;
		size_t n = strspn(in->key[i], "abcdefghijklmnopqrstuvwxyz-");

		must(n >= 1 && n <= 32 && !in->key[i][n]);
		must(gate_get(in, in->key[i]) != NULL);
		if (!strcmp(in->key[i], "arg"))
			must(args[arg++] == in->value[i]);
		else if (!strcmp(in->key[i], "run"))
			must(runs[run++] == in->value[i]);
		else
			must(gate_get(in, in->key[i]) == in->value[i]);
		if (gate_get_u64(in, in->key[i], &number) == 0)
			must(strspn(gate_get(in, in->key[i]), "0123456789") == strlen(gate_get(in, in->key[i])));
	}
	must(arg == n_args && run == n_runs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *buf = malloc(size > 0 ? size : 1);
	struct gate_in in = { 0 };
	int r;

	must(buf != NULL);
	if (size > 0)
		memcpy(buf, data, size);
	r = gate_parse(buf, size, &in);
	if (r < 0) {
		must((r == -EPROTO || r == -EPROTONOSUPPORT) && in.fields == 0 && in.type == NULL);
		return 0;
	}
	check_fields(&in);
	write_again(&in, data, size);
	return 0;
}
