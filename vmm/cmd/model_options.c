/* SPDX-License-Identifier: MIT */
#include "cmd/model_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../guest/arena.h"
#include "cmd/args.h"
#include "cmd/input.h"
#include "cmd/options.h"
#include "model/design/catalogue.h"
#include "model/run.h"

#define MAX_SEED     1000000000
#define MAX_ACCESSES 1000000000000
#define MAX_THREADS  256
#define LEAST        (64ull << 10)
#define MOST         (1ull << 46)

#define DEFAULT_DESIGNS "radix4,radix5,radix4/radix4"
#define DEFAULT_PRESET  "zen5"
#define DEFAULT_SIZE    (256ull << 20)

static const char help[] =
    "Usage: gnomon model [OPTION...]\n"
    "Simulates page walks reference by reference: designs of page tables, on a CPU's TLBs and caches, for the "
    "addresses\n"
    "of a pattern, a workload of the benchmark or a trace. Needs neither KVM nor root. Without a pattern, a trace or\n"
    "designs it shows how many references walks make, by formula and simulated.\n"
    "\n"
    "  --designs LIST     page tables to compare (default " DEFAULT_DESIGNS "; see --list)\n"
    "  --pattern LIST     addresses to translate: names with commas between them (default uniform; see --list)\n"
    "  --trace FILE       translate those of a trace: what valgrind's lackey writes, or Gnomon's own format; - is "
    "stdin\n"
    "  --from SOCKET|FILE  map what the first vCPU's tables map in the guest behind this control socket or in this\n"
    "                     snapshot, any word of it\n"
    "  --write-trace FILE  write the addresses in Gnomon's own format, and replace FILE when all are there\n"
    "  --cpu-model NAME   the CPU: a preset (default " DEFAULT_PRESET "; see --list)\n"
    "  --shape FILE       the CPU: a file with its TLBs and caches (docs/model.md)\n"
    "  --pages SIZE       pages that are mapped: 4k (default), 2m, 1g\n"
    "  --host-pages SIZE  the host's pages behind them, of nested pairs: 4k (default), 2m, 1g\n"
    "  --ws SIZES         working sets, a size or FROM..TO:xN (1M..1G:x2), from 64K to 64T (default 256M)\n"
    "  --accesses N       how many count (default 4000000; of a trace all)\n"
    "  --warm N           how many come before, and fill the caches (default a quarter of these; of a trace 0)\n"
    "  --churn N          unmap pages of N of each 4096 addresses behind them (default 0); a touch maps them again\n"
    "  --seed S           of the patterns, 0 to 1000000000 (default 1)\n"
    "  --threads N        1 to 256 (default as many as there are CPUs)\n"
    "  --json FILE        all tables as JSON; - is stdout, instead of the text\n"
    "  --csv FILE         all tables as one CSV, named in its first column; - is stdout, instead of the text\n"
    "  --html FILE        one page with pictures and tables; - is stdout, instead of the text\n"
    "  --plot DIR         tables as CSV, and pictures of some: scripts for gnuplot\n"
    "  --list             designs, patterns and CPUs, with the source of each number, and ends\n"
    "  --help\n"
    "\n"
    "Exit status: 0 all was simulated; 1 a design could not map a page, or the host failed; 2 usage, a trace or a "
    "shape\n"
    "that is wrong; 130 interrupted.\n";

static const char *const workloads[MODEL_NR_WORKLOADS] = {[MODEL_UNIFORM] = "uniform",
                                                          [MODEL_ZIPF] = "zipf",
                                                          [MODEL_STRIDE] = "stride",
                                                          [MODEL_SEQUENTIAL] = "sequential",
                                                          [MODEL_CHASE] = "chase",
                                                          [MODEL_APPS + ARENA_GUPS - 1] = "gups",
                                                          [MODEL_APPS + ARENA_SCAN - 1] = "scan",
                                                          [MODEL_APPS + ARENA_BTREE - 1] = "btree",
                                                          [MODEL_APPS + ARENA_JOIN - 1] = "join"};

static const char *const what[MODEL_NR_WORKLOADS] = {
    [MODEL_UNIFORM] = "any word",
    [MODEL_ZIPF] = "any word of a page; the n-th page of a random order comes with a weight of 1/n^0.99",
    [MODEL_STRIDE] = "a line in each page, page after page",
    [MODEL_SEQUENTIAL] = "line after line",
    [MODEL_CHASE] = "the ring of `bench --only miss`, up to 1G",
    [MODEL_APPS + ARENA_GUPS - 1] = "as `bench --only apps`, up to 1G, as the next",
    [MODEL_APPS + ARENA_SCAN - 1] = "every line of a page, page after page",
    [MODEL_APPS + ARENA_BTREE - 1] = "lookups from the root to a leaf",
    [MODEL_APPS + ARENA_JOIN - 1] = "probes of a hash table"};

const char *model_workload_name(size_t i)
{
	return i < MODEL_NR_WORKLOADS ? workloads[i] : NULL;
}

/* A line for each number that belongs to the name. */
static void print_design(const struct model_design *d)
{
	char name[32];

	if (!d->number)
		printf("%-16s design: %s\n", d->name, d->what);
	for (size_t i = 0; d->number && i < MODEL_NUMBERS && d->numbers[i]; i++) {
		snprintf(name, sizeof(name), "%s%u", d->name, d->numbers[i]);
		printf("%-16s design: %s\n", name, d->what);
	}
}

/* For people and for scripts: the first word is the name. */
static void print_list(void)
{
	for (size_t i = 0; model_design(i); i++)
		print_design(model_design(i));
	puts("shadow           design: a guest's and a host's tree composed into one; shadow(GUEST/HOST) of others\n"
	     "agile:2          design: the lowest 2 levels of the guest nested, those above composed; "
	     "agile(GUEST/HOST):N\n"
	     "radix4/radix4    design: a guest's tables on a host's, of any two\n"
	     "radix4+enclave1:once design: any of these with a third stage of 1 to 4 levels; once, or every");
	for (size_t i = 0; i < MODEL_NR_WORKLOADS; i++)
		printf("%-16s pattern: %s\n", workloads[i], what[i]);
	for (size_t i = 0; shape_preset_name(i); i++)
		printf("%-16s CPU\n", shape_preset_name(i));
	for (size_t i = 0; shape_preset_name(i); i++)
		printf("\n# --cpu-model %s, as a file for --shape\n%s", shape_preset_name(i), shape_preset_text(i));
}

/* A word with "=" belongs to the parameters of the design before it. */
static int parse_designs(const char *arg, struct model_options *o)
{
	free(o->designs);
	o->nr_designs = 0;
	o->designs = strdup(arg);
	if (!o->designs)
		return log_errno(ENOMEM, "--designs");
	for (char *at = o->designs; at;) {
		char *comma = strchr(at, ',');

		while (comma && strcspn(comma + 1, "=") < strcspn(comma + 1, ",:(/"))
			comma = strchr(comma + 1, ',');
		if (comma)
			*comma++ = 0;
		if (o->nr_designs == MODEL_MAX_DESIGNS) {
			log_error("--designs: there are more than %d", MODEL_MAX_DESIGNS);
			return -EINVAL;
		}
		o->design[o->nr_designs++] = at;
		at = comma;
	}
	o->simulate = true;
	return 0;
}

/* "FROM", or "FROM..TO" with ":xN" or without. */
static int parse_sizes(const char *arg, struct model_options *o)
{
	char from_text[24], to_text[24], *colon;
	const char *dots = strstr(arg, "..");
	uint64_t from, to;
	long factor = 2;

	snprintf(from_text, sizeof(from_text), "%.*s", dots ? (int)(dots - arg) : (int)strlen(arg), arg);
	snprintf(to_text, sizeof(to_text), "%s", dots ? dots + 2 : from_text);
	colon = strstr(to_text, ":x");
	if (colon && dots) {
		*colon = 0;
		if (parse_count("--ws: the factor", colon + 2, 2, 1024, &factor) < 0)
			return -EINVAL;
	}
	if (strlen(arg) > 40 || parse_size(from_text, &from) < 0 || parse_size(to_text, &to) < 0 || from > to ||
	    from < LEAST || to > MOST || from % 4096 || (uint64_t)factor > MOST / LEAST) {
		log_error("--ws: '%s' is neither a size nor FROM..TO:xN, in whole pages of 4 KiB from 64K to 64T", arg);
		return -EINVAL;
	}
	o->nr_sizes = 0;
	for (uint64_t bytes = from; bytes <= to; bytes *= (uint64_t)factor) {
		if (o->nr_sizes == MODEL_MAX_SIZES) {
			log_error("--ws: there are more than %d sizes", MODEL_MAX_SIZES);
			return -EINVAL;
		}
		o->size[o->nr_sizes++] = bytes;
	}
	return 0;
}

static int parse_pages(const char *option, const char *arg, int *ret_shift)
{
	if (strcmp(arg, "4k") == 0)
		*ret_shift = 12;
	else if (strcmp(arg, "2m") == 0)
		*ret_shift = 21;
	else if (strcmp(arg, "1g") == 0)
		*ret_shift = 30;
	else {
		log_error("%s: '%s' is none of 4k, 2m, 1g", option, arg);
		return -EINVAL;
	}
	return 0;
}

static int take_shape(const char *whose, const char *text, size_t len, struct model_options *o)
{
	free(o->shape_text);
	o->shape_text = malloc(len + 1);
	if (!o->shape_text)
		return log_errno(ENOMEM, "%s", whose);
	memcpy(o->shape_text, text, len);
	o->shape_text[len] = 0;
	o->shape_len = len;
	return shape_parse(whose, text, len, &o->shape);
}

static int parse_preset(const char *arg, struct model_options *o)
{
	unsigned set;

	if (parse_names("--cpu-model", arg, shape_preset_name, "CPUs", &set) < 0)
		return -EINVAL;
	if (set & (set - 1)) {
		log_error("--cpu-model: one CPU is expected, not '%s'", arg);
		return -EINVAL;
	}
	set = (unsigned)__builtin_ctz(set);
	o->preset = shape_preset_name(set);
	return take_shape(o->preset, shape_preset_text(set), strlen(shape_preset_text(set)), o);
}

static int parse_shape(const char *arg, struct model_options *o)
{
	uint8_t *bytes;
	size_t size;
	int r = input_read(arg, INPUT_STREAM, SHAPE_MAX_BYTES, &bytes, &size);

	if (r < 0)
		return r;
	if (size > SHAPE_MAX_BYTES)
		log_error("--shape: %s is longer than 64 KiB", arg);
	o->shape_file = arg;
	r = size > SHAPE_MAX_BYTES ? -EINVAL : take_shape(arg, (const char *)bytes, size, o);
	free(bytes);
	return r;
}

/* What only names a value, or a file to write. */
static bool takes_word(int opt, const char *arg, struct model_options *o)
{
	switch (opt) {
	case 'T':
	case 'F':
		*(opt == 'T' ? &o->trace : &o->from) = arg;
		o->simulate = true;
		return true;
	case 'W':
		o->write_trace = arg;
		return true;
	case 'j':
		o->files.out[REPORT_JSON] = arg;
		return true;
	case 'c':
		o->files.out[REPORT_CSV] = arg;
		return true;
	case 'm':
		o->files.out[REPORT_HTML] = arg;
		return true;
	case 'l':
		o->files.plot = arg;
		return true;
	default:
		return false;
	}
}

/* 0: go on. -EINVAL, logged. */
static int parse_option(int opt, const char *arg, struct model_options *o)
{
	switch (opt) {
	case 'd':
		return parse_designs(arg, o);
	case 'p':
		o->simulate = true;
		return parse_names("--pattern", arg, model_workload_name, "patterns", &o->patterns);
	case 'u':
		return parse_preset(arg, o);
	case 'f':
		return parse_shape(arg, o);
	case 'g':
		return parse_pages("--pages", arg, &o->page_shift);
	case 'k':
		return parse_pages("--host-pages", arg, &o->host_page_shift);
	case 'w':
		return parse_sizes(arg, o);
	case 'a':
		return parse_count("--accesses", arg, 1, MAX_ACCESSES, &o->accesses);
	case 'x':
		return parse_count("--warm", arg, 0, MAX_ACCESSES, &o->warm);
	case 'C':
		return parse_count("--churn", arg, 0, RUN_BATCH, &o->churn);
	case 's':
		return parse_count("--seed", arg, 0, MAX_SEED, &o->seed);
	case 't':
		return parse_count("--threads", arg, 1, MAX_THREADS, &o->threads);
	default:
		return takes_word(opt, arg, o) ? 0 : -EINVAL; /* option_next() logged it */
	}
}

/* What was not given, and what does not go together. */
static int complete(struct model_options *o)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int r = 0;

	if (!!o->trace + !!o->patterns + !!o->from > 1) {
		log_error("--trace, --pattern and --from: the addresses come from one of them");
		return -EINVAL;
	}
	if (o->preset && o->shape_file) {
		log_error("--cpu-model and --shape: the CPU comes from one of them");
		return -EINVAL;
	}
	if (report_is_stdout(o->write_trace)) {
		log_error("--write-trace: a file is expected, as the tables go to stdout");
		return -EINVAL;
	}
	if (o->write_trace && (!o->simulate || __builtin_popcount(o->patterns) > 1 || o->nr_sizes > 1)) {
		log_error("--write-trace: one trace, or one pattern of one size, is expected");
		return -EINVAL;
	}
	for (size_t i = 0; o->patterns >> MODEL_CHASE && i < o->nr_sizes; i++)
		if (o->size[i] > ARENA_PAGES * CHASE_PAGE) {
			log_error("--ws: %s works in memory, up to 1G",
			          workloads[__builtin_ctz(o->patterns >> MODEL_CHASE) + MODEL_CHASE]);
			return -EINVAL;
		}
	if (!o->patterns && !o->trace && !o->from)
		o->patterns = 1 << MODEL_UNIFORM;
	if (!o->nr_designs) {
		const bool simulate = o->simulate;

		r = parse_designs(DEFAULT_DESIGNS, o);
		o->simulate = simulate;
	}
	if (r == 0 && !o->shape_text)
		r = parse_preset(DEFAULT_PRESET, o);
	if (!o->nr_sizes)
		o->size[o->nr_sizes++] = DEFAULT_SIZE;
	if (o->accesses < 0)
		o->accesses = o->trace ? 0 : 4000000;
	if (o->warm < 0)
		o->warm = o->trace ? 0 : o->accesses / 4;
	if (!o->threads)
		o->threads = cpus > 0 && cpus < MAX_THREADS ? cpus : 1;
	return r;
}

int model_options_parse(int argc, char **argv, struct model_options *o)
{
	static const struct option options[] = {
	    {"designs", required_argument, NULL, 'd'},
	    {"pattern", required_argument, NULL, 'p'},
	    {"trace", required_argument, NULL, 'T'},
	    {"write-trace", required_argument, NULL, 'W'},
	    {"from", required_argument, NULL, 'F'},
	    {"cpu-model", required_argument, NULL, 'u'},
	    {"shape", required_argument, NULL, 'f'},
	    {"pages", required_argument, NULL, 'g'},
	    {"host-pages", required_argument, NULL, 'k'},
	    {"ws", required_argument, NULL, 'w'},
	    {"accesses", required_argument, NULL, 'a'},
	    {"warm", required_argument, NULL, 'x'},
	    {"churn", required_argument, NULL, 'C'},
	    {"seed", required_argument, NULL, 's'},
	    {"threads", required_argument, NULL, 't'},
	    {"json", required_argument, NULL, 'j'},
	    {"csv", required_argument, NULL, 'c'},
	    {"html", required_argument, NULL, 'm'},
	    {"plot", required_argument, NULL, 'l'},
	    {"list", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	bool list = false;
	int opt;

	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		list = list || opt == 'n';
		if (opt != 'n' && parse_option(opt, optarg, o) < 0)
			return -EINVAL;
	}
	if (optind < argc) {
		log_error("model: unexpected argument '%s' (try `gnomon model --help`)", argv[optind]);
		return -EINVAL;
	}
	if (list) {
		print_list();
		return 1;
	}
	return report_files_check_stdout(&o->files) < 0 ? -EINVAL : complete(o);
}

void model_options_free(struct model_options *o)
{
	free(o->designs);
	free(o->shape_text);
}
