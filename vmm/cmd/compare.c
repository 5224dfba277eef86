/* SPDX-License-Identifier: MIT */
/* gnomon compare: what changed between results of `gnomon bench --json`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"
#include "base/output.h"
#include "cmd/cmd.h"
#include "cmd/compare_files.h"
#include "cmd/options.h"
#include "vm/vm.h"

struct options {
	double threshold;
	bool all;
	const char *json;
};

static const char help[] =
    "Usage: gnomon compare [OPTION...] BASE FILE...\n"
    "Compares results that `gnomon bench --json` wrote: each FILE with BASE, row by row. Prints what differs between\n"
    "the environments, the rows that changed, and totals. At most 16 files; - is standard input.\n"
    "\n"
    "  --threshold PERCENT  a change up to this is none, 0 to 1000 (default 5)\n"
    "  --all                also print rows that did not change\n"
    "  --json FILE          the comparison as JSON; - is stdout, instead of the text\n"
    "  --help\n"
    "\n"
    "A value with an interval changed when the intervals do not overlap and the change exceeds the threshold. For a\n"
    "value without one the threshold alone decides, and the row says so.\n"
    "Exit status: 0 nothing got worse; 3 something did; 1 a file cannot be read or compared; 2 usage.\n";

/* 0: go on; 1: help was shown; -EINVAL, logged. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"threshold", required_argument, NULL, 't'},
	                                        {"all", no_argument, NULL, 'a'},
	                                        {"json", required_argument, NULL, 'j'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {0}};
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == 't')
			r = compare_parse_threshold(optarg, &o->threshold);
		else if (opt == 'a')
			o->all = true;
		else if (opt == 'j')
			o->json = optarg;
		else
			r = opt == OPTION_HELP ? 1 : -EINVAL;
	}
	if (r == 1)
		fputs(help, stdout);
	if (r == 0 && (argc - optind < 2 || argc - optind > COMPARE_MAX_FILES)) {
		log_error("compare: 2 to %d files are expected (try `gnomon compare --help`)", COMPARE_MAX_FILES);
		r = -EINVAL;
	}
	return r;
}

/* -EINVAL, logged: the result cannot be written, or would replace what is compared. */
static int check_output(const char *json, char **files)
{
	if (!json || strcmp(json, "-") == 0)
		return 0;
	for (; *files; files++) {
		if (outfile_same(json, compare_place(*files))) {
			log_error("--json: %s is compared", json);
			return -EINVAL;
		}
	}
	return outfile_check("--json", json);
}

static int write_json(const struct comparison *c, const char *path)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int r = to ? comparison_write_json(c, to) : -ENOMEM;

	if (to && fclose(to) && r == 0)
		r = -ENOMEM;
	if (r < 0)
		log_errno(-r, "compare");
	else
		r = outfile_write("--json", path, text, len, -1);
	free(text);
	return r;
}

/* The exit status. What stdout loses is output_end()'s to tell. */
static int show(const struct comparison *c, const struct options *o)
{
	const bool to_stdout = o->json && strcmp(o->json, "-") == 0;
	int r = to_stdout ? comparison_write_json(c, stdout) : comparison_print(c, o->all, stdout);

	if (r < 0 && !output_error())
		log_errno(-r, "compare");
	if (o->json && !to_stdout && write_json(c, o->json) < 0)
		r = -EIO;
	return r < 0 ? STATUS_HOST_FAILURE : comparison_is_worse(c) ? STATUS_WORSE : 0;
}

int cmd_compare(int argc, char **argv)
{
	struct options o = {.threshold = COMPARE_THRESHOLD};
	struct compare_file *file[COMPARE_MAX_FILES] = {NULL};
	struct comparison *c = NULL;
	size_t nr = 0;
	int r = parse_options(argc, argv, &o), status = STATUS_HOST_FAILURE;

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	argv += optind;
	if (check_output(o.json, argv) < 0)
		return STATUS_USAGE;
	for (; r == 0 && argv[nr]; nr++)
		r = compare_read(argv[nr], &file[nr]);
	if (r == 0)
		r = compare_files((const struct compare_file *const *)file, nr, o.threshold, &c);
	if (r == 0)
		status = show(c, &o);
	comparison_free(c);
	for (size_t i = 0; i < nr; i++)
		compare_file_free(file[i]);
	return status;
}
