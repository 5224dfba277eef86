/* SPDX-License-Identifier: MIT */
#include "cmd/bench_options.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/plain.h"
#include "bench/workload/workload.h"
#include "boot/boot.h"
#include "cmd/args.h"
#include "cmd/bench_mappings.h"
#include "cmd/compare_files.h"
#include "cmd/files.h"
#include "cmd/options.h"

#define MAX_RUNS 1000
#define MAX_SEED 1000000000
#define MAX_TIME 3600
#define MAX_LABEL 80

#define IMAGE_MEMORY (256ull << 20) /* an image that needs more is told by what runs it */

static const char help[] =
    "Usage: gnomon bench [OPTION...]\n"
    "Runs workloads as a process of the host and in a guest, in turn. Prints tables on stdout, and progress on\n"
    "stderr when that is a terminal.\n"
    "\n"
    "  --quick          less than a minute: fewer workloads, sizes and rounds. On a busy host it measures less, but\n"
    "                   6 rounds of all but the largest size, and says what it left out\n"
    "  --only LIST      workloads to run: names with commas between them\n"
    "  --paging LIST    guests to compare with the process: nested, shadow, or both (default)\n"
    "  --runs N         rounds, 1 to 1000; also with --quick, however long they take (of ablation, auto, costs and\n"
    "                   nano, --quick then leaves out more rows)\n"
    "  --seed S         order of runs and rings, 0 to 1000000000 (default 1)\n"
    "  --precision P    miss, apps: over when each ratio's 95% interval is within +-P %, 1 to 50 (default 2)\n"
    "  --max-time S     miss, apps: or after S seconds for each mapping (default miss 90, apps 20 for each\n"
    "                   application; with --quick 4 and 2)\n"
    "  --ws SIZES       miss, apps: working sets, a size or FROM..TO:xN (1M..1G:x2), from 64K to 1G\n"
    "  --pages LIST     miss, apps: the guest's pages: 4k, 2m, 1g\n"
    "  --backing LIST   miss, apps: the host's behind them: 4k, thp, hugetlb2m, hugetlb1g\n"
    "  --aa             miss, apps: each environment twice in each turn, compared with itself\n"
    "  --cpu N          miss, apps: the CPU to stay on (default: where it starts)\n"
    "  --emulated-times in an emulated machine: measure times, which compare its walks and say nothing about a CPU\n"
    "  --label TEXT     in the results: what this run is called, a line of up to 80 bytes\n"
    "  --image KERNEL   guest kernel (default: the kernel.elf that comes with Gnomon)\n"
    "  --json FILE      all tables and the environment as JSON; - is stdout, instead of the text\n"
    "  --csv FILE       all tables as one CSV, named in its first column; - is stdout, instead of the text\n"
    "  --html FILE      one page with pictures, tables and how to read them; - is stdout, instead of the text\n"
    "  --plot DIR       tables as CSV, and pictures of some: scripts for gnuplot, which draws them where there is one\n"
    "  --baseline FILE  compare with results that --json wrote, as `gnomon compare` does\n"
    "  --threshold P    for --baseline: a change up to P % is none, 0 to 1000 (default 5)\n"
    "  --list           names the workloads and the environments, a line each, and ends\n"
    "  --help\n"
    "\n"
    "Workloads:\n";

static const char help_end[] =
    "\n"
    "Exit status: 0 something was measured (what was not is n/a, with its reason); 1 nothing was, or the host\n"
    "failed; 2 usage; 3 a value is worse than in the baseline; 130 interrupted.\n";

static void print_help(void)
{
	fputs(help, stdout);
	for (const struct workload *const *w = workload_catalogue; *w; w++)
		printf("  %-16s %s%s\n", (*w)->name, (*w)->what,
		       (*w)->in_quick  ? " (also with --quick)"
		       : (*w)->in_full ? ""
		                       : " (only by --only)");
	fputs(help_end, stdout);
}

/* The native row always takes part. */
static const char *paging_name(size_t i)
{
	return i + 1 < BENCH_NR_WHERE ? bench_environments[i + 1].paging : NULL;
}

/* For people and for scripts: the first word is the name. */
static void print_list(void)
{
	for (const struct workload *const *w = workload_catalogue; *w; w++)
		printf("%-10s workload: %s\n", (*w)->name, (*w)->what);
	for (int e = 0; e < BENCH_NR_WHERE; e++)
		printf("%-10s environment: %s\n", bench_environments[e].name,
		       bench_environments[e].paging ? "a guest in this paging mode (--paging)"
		                                    : "a process of the host");
}

static int parse_paging(const char *arg, unsigned *ret_where)
{
	unsigned set;

	if (parse_names("--paging", arg, paging_name, "paging modes", &set) < 0)
		return -EINVAL;
	*ret_where = set << 1 | 1 << BENCH_NATIVE;
	return 0;
}

/* What runs when --only does not say. */
static unsigned default_workloads(bool quick)
{
	unsigned set = 0;

	for (size_t i = 0; workload_catalogue[i]; i++)
		if (quick ? workload_catalogue[i]->in_quick : workload_catalogue[i]->in_full)
			set |= 1u << i;
	return set;
}

/* "2" or "2%". */
static int parse_precision(const char *arg, long *ret_percent)
{
	char number[8];
	const size_t len = strlen(arg);

	snprintf(number, sizeof(number), "%.*s", (int)(len && arg[len - 1] == '%' ? len - 1 : len), arg);
	return parse_count("--precision", number, 1, 50, ret_percent);
}

/* One that this process may run on. */
static int parse_cpu(const char *arg, long *ret_cpu)
{
	cpu_set_t set;

	if (parse_count("--cpu", arg, 0, CPU_SETSIZE - 1, ret_cpu) < 0)
		return -EINVAL;
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && !CPU_ISSET(*ret_cpu, &set)) {
		log_error("--cpu: this process may not run on CPU %ld", *ret_cpu);
		return -EINVAL;
	}
	return 0;
}

/* It is printed, and goes into JSON. */
static int parse_label(const char *arg, const char **ret_label)
{
	char plain[MAX_LABEL + 1];

	snprintf(plain, sizeof(plain), "%s", arg);
	plain_string(plain);
	if (!*arg || strcmp(plain, arg) != 0) {
		log_error("--label: not a line of 1 to %d bytes", MAX_LABEL);
		return -EINVAL;
	}
	*ret_label = arg;
	return 0;
}

/* An option that would change nothing is refused, not ignored. -EINVAL, logged. */
static int check_arena(const struct bench_options *o)
{
	if (!o->arena_option)
		return 0;
	for (size_t i = 0; workload_catalogue[i]; i++)
		if (o->workloads >> i & 1 && workload_catalogue[i]->has_arena)
			return 0;
	log_error("--%s: none of the workloads that shall run takes it; miss and apps do", o->arena_option);
	return -EINVAL;
}

/* 0: go on. -EINVAL, logged. */
static int parse_option(int opt, const char *arg, struct bench_options *o)
{
	switch (opt) {
	case 'q':
		o->quick = true;
		return 0;
	case 'j':
		o->files.out[REPORT_JSON] = arg;
		return 0;
	case 'c':
		o->files.out[REPORT_CSV] = arg;
		return 0;
	case 'm':
		o->files.out[REPORT_HTML] = arg;
		return 0;
	case 'i':
		return image_file(arg, o->file[BENCH_KERNEL]);
	case 'r':
		return parse_count("--runs", arg, 1, MAX_RUNS, &o->runs);
	case 's':
		return parse_count("--seed", arg, 0, MAX_SEED, &o->seed);
	case 'o':
		return parse_names("--only", arg, workload_name, "workloads", &o->workloads);
	case 'p':
		return parse_paging(arg, &o->where);
	case 'e':
		return parse_precision(arg, &o->precision);
	case 't':
		return parse_count("--max-time", arg, 1, MAX_TIME, &o->max_seconds);
	case 'w':
		return bench_parse_sizes(arg, &o->mappings);
	case 'g':
		return bench_parse_pages(arg, &o->mappings);
	case 'k':
		return bench_parse_backings(arg, &o->mappings);
	case 'u':
		return parse_cpu(arg, &o->cpu);
	case 'a':
		o->aa = true;
		return 0;
	case 'x':
		o->emulated_times = true;
		return 0;
	case 'y':
		return parse_label(arg, &o->label);
	case 'l':
		o->files.plot = arg;
		return 0;
	case 'b':
		o->baseline = arg;
		return 0;
	case 'd':
		return compare_parse_threshold(arg, &o->threshold);
	default:
		return -EINVAL; /* option_next() logged it */
	}
}

int bench_options_parse(int argc, char **argv, struct bench_options *o)
{
	static const struct option options[] = {
	    {"quick", no_argument, NULL, 'q'},
	    {"json", required_argument, NULL, 'j'},
	    {"csv", required_argument, NULL, 'c'},
	    {"html", required_argument, NULL, 'm'},
	    {"image", required_argument, NULL, 'i'},
	    {"runs", required_argument, NULL, 'r'},
	    {"seed", required_argument, NULL, 's'},
	    {"only", required_argument, NULL, 'o'},
	    {"paging", required_argument, NULL, 'p'},
	    {"precision", required_argument, NULL, 'e'},
	    {"max-time", required_argument, NULL, 't'},
	    {"ws", required_argument, NULL, 'w'},
	    {"pages", required_argument, NULL, 'g'},
	    {"backing", required_argument, NULL, 'k'},
	    {"aa", no_argument, NULL, 'a'},
	    {"cpu", required_argument, NULL, 'u'},
	    {"emulated-times", no_argument, NULL, 'x'},
	    {"label", required_argument, NULL, 'y'},
	    {"plot", required_argument, NULL, 'l'},
	    {"baseline", required_argument, NULL, 'b'},
	    {"threshold", required_argument, NULL, 'd'},
	    {"list", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int opt;

	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP || opt == 'n') {
			(opt == 'n' ? print_list : print_help)();
			return 1;
		}
		if (parse_option(opt, optarg, o) < 0)
			return -EINVAL;
		for (size_t i = 0; strchr("etwgkau", opt) && options[i].name; i++)
			if (options[i].val == opt)
				o->arena_option = options[i].name;
	}
	if (optind < argc) {
		log_error("bench: unexpected argument '%s' (try `gnomon bench --help`)", argv[optind]);
		return -EINVAL;
	}
	if (report_files_check_stdout(&o->files) < 0)
		return -EINVAL;
	if (o->threshold >= 0 && !o->baseline) {
		log_error("--threshold: there is nothing to compare with (see --baseline)");
		return -EINVAL;
	}
	if (o->threshold < 0)
		o->threshold = COMPARE_THRESHOLD;
	if (!o->workloads)
		o->workloads = default_workloads(o->quick);
	return check_arena(o);
}

/* Whether --image is one, before a workload that needs it comes to its turn. -errno, logged. */
static int check_image(const char *path)
{
	const struct boot_params p = {.image = path, .cpus = 1};
	struct boot_image image;
	struct guest_mem mem;
	int r = guest_mem_init(&mem, IMAGE_MEMORY, BACKING_4K);

	if (r < 0)
		return r;
	r = boot_read(&p, &mem, &image);
	if (r == 0)
		boot_image_free(&image);
	guest_mem_destroy(&mem);
	return r;
}

/* The files that the chosen workloads cannot do without. -errno, logged. */
static int check_files(struct bench_options *o)
{
	static const char *const built[BENCH_NR_FILES] = {
	    [BENCH_KERNEL] = FILES_KERNEL, [BENCH_COST] = FILES_COST, [BENCH_SHORTEST] = FILES_SHORTEST};
	unsigned needs = *o->file[BENCH_KERNEL] ? 1 << BENCH_KERNEL : 0; /* --image: right, even if nobody needs it */
	const bool named = *o->file[BENCH_KERNEL];
	int r = 0;

	for (size_t i = 0; workload_catalogue[i]; i++)
		if (o->workloads >> i & 1)
			needs |= workload_catalogue[i]->needs;
	for (int f = 0; r == 0 && f < BENCH_NR_FILES; f++) {
		if (!*o->file[f])
			r = own_file(built[f], o->file[f]);
		if (r == 0 && needs >> f & 1 && access(o->file[f], R_OK) < 0)
			r = log_errno(errno, f == BENCH_KERNEL ? "guest image %s (see --image)" : "%s", o->file[f]);
	}
	return r == 0 && named ? check_image(o->file[BENCH_KERNEL]) : r;
}

/* -errno, logged. */
static int check_outputs(const struct bench_options *o, const char *const *input)
{
	const size_t room = (size_t)__builtin_popcount(o->workloads) * REPORT_FILE_ROOM;
	const int r = report_files_check(&o->files, input, "run", room);

	return r < 0 || !o->baseline ? r : report_files_check_apart(&o->files, o->baseline, "the baseline");
}

int bench_options_check(struct bench_options *o)
{
	const char *input[BENCH_NR_FILES + 1] = {NULL};
	const int r = check_files(o);

	for (int f = 0; f < BENCH_NR_FILES; f++)
		input[f] = o->file[f];
	return r < 0 ? r : check_outputs(o, input);
}
