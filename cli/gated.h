/* sudo is gated by its PAM files or by its own plugin, and the two verbs keep them in step. */
#pragma once
#include <stdbool.h>
#include "cli/cli.h"

/* Brings the files of sudo and sudo-i into shape.  PLUGIN: sudo's plugin asks, so they get the session line only; else those
 * that have lines of ours get all of them.  An exit code. */
int pam_gate_sudo(struct cli *c, bool plugin);
/* Does sudo.conf (below --root) name the plugin? */
bool sudo_plugin_named(struct cli *c);
/* Takes the plugin out of it, where it is named.  An exit code. */
int sudo_plugin_drop(struct cli *c);
