/* SPDX-License-Identifier: MIT */
/* gnomon enclave: finds the action. */
#include "cmd/enclave.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "vm/vm.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} actions[] = {
    {"measure", enclave_measure_file, "compute the measurement of an enclave from its file"},
    {"verify", enclave_verify_report, "check a report, without any guest"},
    {"list", enclave_list, "list the enclaves of a running guest"},
};

#define ACTIONS (sizeof(actions) / sizeof(*actions))

static void print_help(void)
{
	fputs("Usage: gnomon enclave ACTION [OPTION...]\n"
	      "Looks at enclaves from outside: before they are built, at what they report, and while they run.\n"
	      "\n",
	      stdout);
	for (size_t i = 0; i < ACTIONS; i++)
		printf("  %-8s %s\n", actions[i].name, actions[i].what);
	fputs("\n"
	      "  --help\n"
	      "\n"
	      "`gnomon enclave ACTION --help` lists the options of each.\n",
	      stdout);
}

int cmd_enclave(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	const int opt = option_next(argc, argv, options, true);
	char program[48];

	if (opt == OPTION_HELP) {
		print_help();
		return 0;
	}
	if (opt != OPTION_END)
		return STATUS_USAGE;
	argc -= optind;
	argv += optind;
	optind = 0; /* getopt_long(3) begins anew */
	if (argc == 0) {
		log_error("enclave: an action is expected (try `gnomon enclave --help`)");
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < ACTIONS; i++) {
		if (strcmp(argv[0], actions[i].name) != 0)
			continue;
		snprintf(program, sizeof(program), "gnomon enclave %s", actions[i].name);
		argv[0] = program;
		return actions[i].run(argc, argv);
	}
	log_error("enclave: there is no action '%s' (try `gnomon enclave --help`)", argv[0]);
	return STATUS_USAGE;
}
