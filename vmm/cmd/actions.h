/* SPDX-License-Identifier: MIT */
/* For a subcommand whose first word is an action with options of its own. */
#ifndef GNOMON_CMD_ACTIONS_H
#define GNOMON_CMD_ACTIONS_H

#include <stddef.h>

struct action {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is "gnomon COMMAND ACTION" */
	const char *what;
};

/* Finds and runs the action, or prints the help that begins with `sentence`. The exit status. */
int action_run(int argc, char **argv, const struct action *actions, size_t nr, const char *sentence);

#endif
