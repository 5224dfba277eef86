/* SPDX-License-Identifier: MIT */
#include "cmd/bench_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "base/outfile.h"
#include "bench/environment.h"
#include "cmd/args.h"
#include "cmd/files.h"
#include "cmd/options.h"

#define MAX_RUNS 1000
#define MAX_SEED 1000000000

static const char help[] =
    "Usage: gnomon bench [OPTION...]\n"
    "Measures what a TLB miss costs, as a process of the host and in a guest, run by run in turn; how long a guest\n"
    "takes to start; what the events of nested and of shadow paging cost: faults, CR3 loads, writes to page tables;\n"
    "and what it costs to take memory from a guest and to give it back. Tables on stdout, progress on stderr when\n"
    "that is a terminal.\n"
    "\n"
    "  --quick          less than a minute: fewer sizes and rounds, only the chase. On a busy host even fewer, but\n"
    "                   6 rounds of all but the largest size; what was left out is said\n"
    "  --only WORKLOAD  chase, startup, costs or balloon; or walks, else never run: what page walks really read,\n"
    "                   where an emulator counts it (tools/ept-host)\n"
    "  --paging LIST    guests to compare with the process: nested, shadow, or both (default)\n"
    "  --runs N         rounds, 1 to 1000; with --quick, too, however long they take\n"
    "  --seed S         order of runs and rings, 0 to 1000000000 (default 1)\n"
    "  --image KERNEL   guest kernel (default: the kernel.elf that comes with Gnomon)\n"
    "  --json FILE      all tables and the environment as JSON; - is stdout, instead of the text\n"
    "  --csv FILE       all tables as CSV, an empty line between two; - is stdout, instead of the text\n"
    "  --help\n"
    "\n"
    "Exit status: 0 something was measured (what was not is n/a, with its reason); 1 nothing was, or the host\n"
    "failed; 2 usage; 130 interrupted.\n";

/* The native row always takes part. */
static const char *paging_name(size_t i)
{
	return i + 1 < BENCH_NR_WHERE ? bench_environments[i + 1].paging : NULL;
}

static int parse_paging(const char *arg, unsigned *ret_where)
{
	char known[64];
	unsigned set;

	if (names_parse(arg, paging_name, &set) < 0) {
		names_join(paging_name, known, sizeof(known));
		log_error("--paging: '%s' is not a list of paging modes (%s)", arg, known);
		return -EINVAL;
	}
	*ret_where = set << 1 | 1 << BENCH_NATIVE;
	return 0;
}

static int parse_workload(const char *arg, unsigned *ret_workloads)
{
	static const struct {
		const char *name;
		enum bench_workload workload;
	} workloads[] = {{"chase", BENCH_CHASE},
	                 {"startup", BENCH_STARTUP},
	                 {"costs", BENCH_COSTS},
	                 {"balloon", BENCH_BALLOON},
	                 {"walks", BENCH_WALKS}};

	for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (strcmp(arg, workloads[i].name) == 0) {
			*ret_workloads = workloads[i].workload;
			return 0;
		}
	log_error("--only: '%s' is not a workload (chase, startup, costs, balloon, walks)", arg);
	return -EINVAL;
}

/* 0: go on; otherwise -EINVAL, said. */
static int parse_option(int opt, const char *arg, struct bench_options *o)
{
	switch (opt) {
	case 'q':
		o->quick = true;
		return 0;
	case 'j':
		o->json = arg;
		return 0;
	case 'c':
		o->csv = arg;
		return 0;
	case 'i':
		return image_file(arg, o->image);
	case 'r':
		return parse_count("--runs", arg, 1, MAX_RUNS, &o->runs);
	case 's':
		return parse_count("--seed", arg, 0, MAX_SEED, &o->seed);
	case 'o':
		return parse_workload(arg, &o->workloads);
	case 'p':
		return parse_paging(arg, &o->where);
	default:
		return -EINVAL; /* option_next() logged it */
	}
}

int bench_options_parse(int argc, char **argv, struct bench_options *o)
{
	static const struct option options[] = {
	    {"quick", no_argument, NULL, 'q'},      {"json", required_argument, NULL, 'j'},
	    {"csv", required_argument, NULL, 'c'},  {"image", required_argument, NULL, 'i'},
	    {"runs", required_argument, NULL, 'r'}, {"seed", required_argument, NULL, 's'},
	    {"only", required_argument, NULL, 'o'}, {"paging", required_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'},       {0},
	};
	int opt;

	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (parse_option(opt, optarg, o) < 0)
			return -EINVAL;
	}
	if (optind < argc) {
		log_error("bench: '%s' is one word too many (try `gnomon bench --help`)", argv[optind]);
		return -EINVAL;
	}
	if (o->json && o->csv && strcmp(o->json, "-") == 0 && strcmp(o->csv, "-") == 0) {
		log_error("--json and --csv cannot both go to stdout");
		return -EINVAL;
	}
	if (!o->workloads)
		o->workloads = o->quick ? BENCH_CHASE : BENCH_CHASE | BENCH_STARTUP | BENCH_COSTS | BENCH_BALLOON;
	return 0;
}

bool bench_is_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

/* Before minutes are spent. -errno, logged. */
static int check_outputs(const struct bench_options *o)
{
	int r = 0;

	if (o->json && o->csv && !bench_is_stdout(o->json) && !bench_is_stdout(o->csv) &&
	    outfile_same(o->json, o->csv)) {
		log_error("--json and --csv cannot both go to %s", o->csv);
		return -EINVAL;
	}
	if (o->json && !bench_is_stdout(o->json))
		r = outfile_check("--json", o->json);
	if (r == 0 && o->csv && !bench_is_stdout(o->csv))
		r = outfile_check("--csv", o->csv);
	return r;
}

int bench_options_check(struct bench_options *o)
{
	int r = 0;

	if (!*o->image)
		r = own_file(FILES_KERNEL, o->image);
	if (r == 0)
		r = own_file(FILES_SHORTEST, o->shortest);
	if (r == 0)
		r = own_file(FILES_COST, o->cost);
	if (r < 0)
		return r;
	if (access(o->image, R_OK) < 0)
		return log_errno(errno, "guest image %s (see --image)", o->image);
	return check_outputs(o);
}
