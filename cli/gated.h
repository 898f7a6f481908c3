/* What is gated on this host, and what its jitd would say of it.
 *
 * sudo is gated by its PAM files or by its own plugin, and the two verbs keep them in step. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include "cli/cli.h"

/* Brings the files of sudo and sudo-i into shape.  PLUGIN: sudo's plugin asks, so they get the session line only; else those
 * that have lines of ours get all of them.  An exit code. */
int pam_gate_sudo(struct cli *c, bool plugin);
/* Does sudo.conf (below --root) name the plugin? */
bool sudo_plugin_named(struct cli *c);
/* Takes the plugin out of it, where it is named.  An exit code. */
int sudo_plugin_drop(struct cli *c);

#define GATED_SERVICES 5
extern const char *const gated_services[GATED_SERVICES];

/* Which of them are gated (below --root), as {"sudo":"pam|plugin|open|unknown"}; one without a file is left out.  NULL: out of
 * memory. */
struct json_object *gates_read(struct cli *c);
void gates_view(struct json_object *gates);
/* Before SERVICES (NULL ends them) are gated: on stderr, what will be refused because jitd or rules are missing, and what becomes
 * of root's ssh logins.  A host below --root is not asked. */
void gates_warn(struct cli *c, const char *const *services);
