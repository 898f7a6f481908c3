/* jitctl list, show: what jitd knows. */
#include "config.h"
#include <stdio.h>
#include <string.h>
#include "cli/bus.h"
#include "cli/cli.h"
#include "cli/document.h"
#include "cli/request-view.h"
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/text.h"

static void list_row(struct table *t, struct json_object *request)
{
	struct json_object *doc = json_obj(request, "document");
	CLEAN(free_p) char *id = document_text(request, "id", 16), *state = document_text(request, "state", 16),
		*who = document_who(doc ? doc : request), *command = document_command(doc ? doc : request, SHOWN_LINE),
		*given = NULL;
	char now[512], when[64];

	if (!doc)
		given = document_text(request, "command", SHOWN_LINE);
	table_row(t);
	table_set(t, 0, BOLD, id);
	table_set(t, 1, state_style(json_str(request, "state")), state);
	table_set(t, 2, PLAIN, who);
	table_set(t, 3, PLAIN, given ? given : command);
	table_set(t, 4, DIM, doc ? when_text(json_str(doc, "created"), when, sizeof(when)) : "");
	table_set(t, 5, PLAIN, request_now(request, now, sizeof(now)));
}

int verb_list(struct cli *c)
{
	static const struct column column[] = {
		{"ID", 0, false}, {"STATE", 0, false}, {"WHO", 2, true}, {"COMMAND", 0, true}, {"ASKED", 3, false},
		{"NOW", 1, true},
	};
	struct table t CLEAN(table_done) = {.column = column, .columns = ELEMENTS(column)};
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(json_put_p) struct json_object *list = NULL;
	bool all = c->value[OPT_ALL];
	int r;

	if (c->argc)
		return cli_usage(c, "list takes no words");
	r = bus_open(&bus);
	if (r == CLI_DONE)
		r = bus_call_json(bus, "List", &list, true, "b", (int)all);
	if (r != CLI_DONE)
		return r;
	if (c->json) {
		screen_json(stdout, list);
		return CLI_DONE;
	}
	for (size_t i = 0; i < json_object_array_length(list); i++)
		list_row(&t, json_object_array_get_idx(list, i));
	if (t.failed)
		return cli_oom();
	if (t.rows == 0)
		printf(all ? "No requests.\n" : "No requests of yours.\n");
	table_print(&t);
	return CLI_DONE;
}

int verb_show(struct cli *c)
{
	CLEAN(bus_p) sd_bus *bus = NULL;
	CLEAN(json_put_p) struct json_object *request = NULL;
	jit_id id;
	int r;

	r = cli_id(c, id);
	if (r == CLI_DONE)
		r = bus_open(&bus);
	if (r == CLI_DONE)
		r = bus_call_json(bus, "Show", &request, false, "s", id);
	if (r != CLI_DONE)
		return r;
	if (c->json)
		screen_json(stdout, request);
	else
		request_view(request);
	return CLI_DONE;
}
