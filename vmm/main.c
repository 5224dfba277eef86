/* SPDX-License-Identifier: MIT */
/* gnomon: prepares the process, finds the subcommand, and ends its output. Nothing else. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/output.h"
#include "base/process.h"
#include "cmd/cmd.h"
#include "vm/vm.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
    {"host", cmd_host, "report what this host can do, and what is missing"},
    {"run", cmd_run, "boot a guest image with a chosen paging mode"},
    {"bench", cmd_bench, "measure what a translation costs, side by side"},
    {"compare", cmd_compare, "tell what changed between results of bench"},
    {"model", cmd_model, "simulate page walks of any design, on any CPU"},
    {"ctl", cmd_ctl, "send a command to a running guest's control socket"},
    {"balloon", cmd_balloon, "take memory from a running guest, or give it back"},
    {"top", cmd_top, "show what a running guest costs, live"},
    {"walk", cmd_walk, "show how a running guest's address is translated, step by step"},
    {"tables", cmd_tables, "show the page tables of a running guest"},
    {"fingerprint", cmd_fingerprint, "print the hash of a running guest's memory, and what changed"},
    {"dedup", cmd_dedup, "keep what running guests have in common once"},
    {"diff", cmd_diff, "compare the memories of two running guests"},
    {"enclave", cmd_enclave, "measure enclaves, check their reports, list those of a running guest"},
    {"snapshot", cmd_snapshot, "save a running guest to a file, go on from it, check it"},
};

static void usage(FILE *to)
{
	fputs("Usage: gnomon COMMAND [OPTION...]\n\n"
	      "Runs one guest image under nested or shadow paging and measures what every translation costs.\n\n",
	      to);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].what);
	fputs("\n`gnomon COMMAND --help` lists the options of each.\n", to);
}

static int run_command(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("gnomon " GNOMON_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		static char program[32]; /* what getopt_long's messages begin with */

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(program, sizeof(program), "gnomon %s", commands[i].name);
		argv[1] = program;
		return commands[i].run(argc - 1, argv + 1);
	}
	log_error("there is no command '%s' (try `gnomon --help`)", argv[1]);
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	process_prepare();
	output_prepare();
	return output_end(process_enlarge_stack() < 0 ? STATUS_HOST_FAILURE : run_command(argc, argv));
}
