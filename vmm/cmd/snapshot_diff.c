/* SPDX-License-Identifier: MIT */
/* gnomon snapshot diff: what differs between two files. */
#include <errno.h>
#include <gnomon/addr.h>
#include <jansson.h>
#include <stdio.h>

#include "base/output.h"
#include "cmd/options.h"
#include "cmd/put_json.h"
#include "cmd/snapshot.h"
#include "snapshot/compare.h"

/* Statuses as diff(1) has them, unlike those of Gnomon's other commands. */
enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2 };

static const char help[] =
    "Usage: gnomon snapshot diff [OPTION...] FILE FILE\n"
    "Lists the ranges of guest memory, CPUs and devices in which two snapshots of machines of one shape differ. What\n"
    "both have from one file that they build on is not read.\n"
    "\n"
    "  --json  print one JSON object\n"
    "  --help\n"
    "\n"
    "Exit status, as diff(1) has it: 0 nothing differs; 1 something does; 2 a file is damaged, output is lost, or the\n"
    "arguments or files cannot be used.\n";

struct report {
	json_t *ranges, *parts; /* NULL: text is printed at once */
	uint64_t nr_parts;
};

static void page(void *ctx, const struct snapshot_difference *range)
{
	struct report *r = ctx;

	if (r->ranges)
		json_array_append_new(r->ranges, json_pack("{s:I, s:I}", "gpa", (json_int_t)(range->gfn * PAGE_SIZE),
		                                           "pages", (json_int_t)range->pages));
	else
		printf("memory    0x%llx to 0x%llx, %llu page%s\n", (unsigned long long)(range->gfn * PAGE_SIZE),
		       (unsigned long long)((range->gfn + range->pages) * PAGE_SIZE - 1),
		       (unsigned long long)range->pages, range->pages == 1 ? "" : "s");
}

static void part(void *ctx, const char *name)
{
	struct report *r = ctx;

	r->nr_parts++;
	if (r->parts)
		json_array_append_new(r->parts, json_string(name));
	else
		printf("state     %s\n", name);
}

/* The exit status. */
static int compare(struct snapshot s[2], char *const *path, bool json)
{
	struct report report = {.ranges = json ? json_array() : NULL, .parts = json ? json_array() : NULL};
	struct snapshot_comparison c = {.page = page, .part = part, .ctx = &report};
	char why[SNAPSHOT_WHY_MAX];
	const int r = snapshot_compare(&s[0], &s[1], &c, why);

	if (r < 0) {
		log_error("%s, %s: %s", path[0], path[1], why);
		json_decref(report.ranges);
		json_decref(report.parts);
		return TROUBLE;
	}
	if (json) {
		json_t *o = json_pack("{s:I, s:I, s:I, s:o, s:o}", "pages", (json_int_t)c.pages, "compared",
		                      (json_int_t)c.compared, "shared", (json_int_t)c.shared, "ranges", report.ranges,
		                      "state", report.parts);

		put_json(o, 0);
		json_decref(o);
	} else {
		printf("%llu page%s differ%s; %llu were compared, %llu lie in one file for both\n",
		       (unsigned long long)c.pages, c.pages == 1 ? "" : "s", c.pages == 1 ? "s" : "",
		       (unsigned long long)c.compared, (unsigned long long)c.shared);
	}
	if (output_error() < 0)
		return TROUBLE; /* what is lost may have been the difference */
	return c.pages || report.nr_parts ? DIFFERENT : SAME;
}

int snapshot_diff_command(int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot s[2];
	bool json = false;
	int opt, status = TROUBLE, open = 0;

	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP)
			fputs(help, stdout);
		if (opt != 'j')
			return opt == OPTION_HELP ? SAME : TROUBLE;
		json = true;
	}
	if (optind != argc - 2) {
		log_error("snapshot: diff: two files are expected (try `gnomon snapshot diff --help`)");
		return TROUBLE;
	}
	for (; open < 2; open++) {
		if (snapshot_open(argv[optind + open], &s[open], why) < 0) {
			log_error("%s: %s", argv[optind + open], why);
			break;
		}
	}
	if (open == 2)
		status = compare(s, argv + optind, json);
	while (open-- > 0)
		snapshot_close(&s[open]);
	return status;
}
