/* SPDX-License-Identifier: MIT */
/* gnomon snapshot: finds the action. `restore` is `gnomon run --restore`. */
#include "cmd/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/actions.h"
#include "cmd/cmd.h"
#include "vm/vm.h"

static int restore(int argc, char **argv)
{
	static char option[] = "--restore";
	char **args;
	int status;

	if (argc < 2 || (*argv[1] == '-' && strcmp(argv[1], "--help") != 0)) {
		log_error("snapshot: restore: a file is expected first, then options of `gnomon run`");
		return STATUS_USAGE;
	}
	if (*argv[1] == '-')
		return cmd_run(argc, argv);
	args = calloc(argc + 2, sizeof(*args));
	if (!args)
		return STATUS_HOST_FAILURE;
	args[0] = argv[0];
	args[1] = option;
	for (int i = 1; i < argc; i++)
		args[i + 1] = argv[i];
	status = cmd_run(argc + 1, args);
	free(args);
	return status;
}

int cmd_snapshot(int argc, char **argv)
{
	static const struct action actions[] = {
	    {"save", snapshot_save_command, "save the guest behind a control socket to a file, while it runs"},
	    {"restore", restore, "go on from a file: FILE [OPTION...] is `gnomon run --restore FILE [OPTION...]`"},
	    {"verify", snapshot_verify_command, "read all of a file, and name each block that is damaged"},
	    {"merge", snapshot_merge_command, "make one file of a snapshot and all that it builds on"},
	    {"diff", snapshot_diff_command, "list the pages, CPUs and devices in which two files differ"},
	};

	return action_run(argc, argv, actions, sizeof(actions) / sizeof(*actions),
	                  "Whole machines in files: memory, CPUs and devices (docs/snapshot.md).");
}
