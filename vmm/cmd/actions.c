/* SPDX-License-Identifier: MIT */
#include "cmd/actions.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/options.h"
#include "vm/vm.h"

static void print_help(const char *command, const struct action *actions, size_t nr, const char *sentence)
{
	printf("Usage: gnomon %s ACTION [OPTION...]\n%s\n\n", command, sentence);
	for (size_t i = 0; i < nr; i++)
		printf("  %-8s %s\n", actions[i].name, actions[i].what);
	printf("\n"
	       "  --help\n"
	       "\n"
	       "`gnomon %s ACTION --help` lists the options of each.\n",
	       command);
}

int action_run(int argc, char **argv, const struct action *actions, size_t nr, const char *sentence)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	const char *command = option_command(argv);
	const int opt = option_next(argc, argv, options, true);
	char program[48];

	if (opt == OPTION_HELP) {
		print_help(command, actions, nr, sentence);
		return 0;
	}
	if (opt != OPTION_END)
		return STATUS_USAGE;
	argc -= optind;
	argv += optind;
	optind = 0; /* getopt_long(3) begins anew */
	if (argc == 0) {
		log_error("%s: an action is expected (try `gnomon %s --help`)", command, command);
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < nr; i++) {
		if (strcmp(argv[0], actions[i].name) != 0)
			continue;
		snprintf(program, sizeof(program), "gnomon %s %s", command, actions[i].name);
		argv[0] = program;
		return actions[i].run(argc, argv);
	}
	log_error("%s: there is no action '%s' (try `gnomon %s --help`)", command, argv[0], command);
	return STATUS_USAGE;
}
