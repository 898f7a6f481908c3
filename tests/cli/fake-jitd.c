/* A jitd that says what a test wants: on the bus that sd-bus calls the system's, it answers METHOD with the text of the file
 * DIR/METHOD, or with the error of DIR/METHOD.error (name, newline, message).  Every call is a line on stdout,
 * "call METHOD" and its arguments, tab between.  A line "emit ID STATE" on stdin sends the signal Changed. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/paths.h"

static char *answer(const char *method, const char *suffix)
{
	CLEAN(free_p) char *name = NULL;
	char *text;
	size_t len;

	if (asprintf(&name, "%s%s", method, suffix) < 0 ||
		file_read_untrusted(AT_FDCWD, name, 16 * 1024 * 1024, &text, &len) < 0)
		return NULL;
	return text;
}

static void say_call(sd_bus_message *m, const char *method)
{
	char type;
	const char *contents;

	printf("call %s", method);
	while (sd_bus_message_peek_type(m, &type, &contents) > 0) {
		const char *s;
		uint64_t t;
		int b;

		if (type == 's' && sd_bus_message_read(m, "s", &s) > 0)
			printf("\t%s", s);
		else if (type == 't' && sd_bus_message_read(m, "t", &t) > 0)
			printf("\t%llu", (unsigned long long)t);
		else if (type == 'b' && sd_bus_message_read(m, "b", &b) > 0)
			printf("\t%s", b ? "true" : "false");
		else
			break;
	}
	printf("\n");
	fflush(stdout);
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *method = sd_bus_message_get_member(m);
	CLEAN(free_p) char *text = NULL, *bad = NULL;
	char *newline;

	if (!sd_bus_message_is_method_call(m, JIT_BUS_INTERFACE, NULL))
		return 0;
	say_call(m, method);
	bad = answer(method, ".error");
	newline = bad ? strchr(bad, '\n') : NULL;
	if (newline) {
		*newline = 0;
		return sd_bus_reply_method_errorf(m, bad, "%s", newline + 1);
	}
	text = answer(method, "");
	return text ? sd_bus_reply_method_return(m, "s", text) : sd_bus_reply_method_return(m, NULL);
}

static int on_stdin(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	char line[256], id[32], state[32];

	if (!fgets(line, sizeof(line), stdin))
		return sd_event_exit(sd_event_source_get_event(s), 0);
	if (sscanf(line, "emit %31s %31s", id, state) == 2)
		return sd_bus_emit_signal(userdata, JIT_BUS_PATH, JIT_BUS_INTERFACE, "Changed", "ss", id, state);
	return 0;
}

int main(int argc, char **argv)
{
	sd_bus *bus = NULL;
	sd_event *event = NULL;
	int r;

	if (argc != 2 || chdir(argv[1]) < 0)
		return 2;
	setvbuf(stdin, NULL, _IONBF, 0);
	r = sd_event_default(&event);
	if (r >= 0)
		r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = sd_bus_add_object(bus, NULL, JIT_BUS_PATH, on_call, NULL);
	if (r >= 0)
		r = sd_bus_request_name(bus, JIT_BUS_NAME, 0);
	if (r >= 0)
		r = sd_bus_attach_event(bus, event, 0);
	if (r >= 0)
		r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, bus);
	if (r >= 0) {
		printf("ready\n");
		fflush(stdout);
		r = sd_event_loop(event);
	}
	if (r < 0)
		fprintf(stderr, "fake-jitd: %s\n", strerror(-r));
	sd_bus_flush_close_unref(bus);
	sd_event_unref(event);
	return r < 0;
}
