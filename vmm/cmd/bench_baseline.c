/* SPDX-License-Identifier: MIT */
#include "cmd/bench_baseline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/workload.h"

#define MAX_NAMES 512 /* characters */

/* Appends a name to a list of them. */
static void append(char names[MAX_NAMES], const char *name)
{
	const size_t len = strlen(names);

	snprintf(names + len, MAX_NAMES - len, "%s%s", len ? ", " : "", name);
}

int bench_baseline_check(const struct compare_file *base, const char *path, unsigned workloads)
{
	char ours[MAX_NAMES] = "", theirs[MAX_NAMES] = "";
	const char *name;

	for (size_t i = 0; (name = workload_name(i)); i++) {
		if (!(workloads >> i & 1))
			continue;
		if (compare_has_table(base, name))
			return 0;
		append(ours, name);
	}
	for (size_t i = 0; (name = compare_table_name(base, i)); i++)
		append(theirs, name);
	log_error("--baseline %s: nothing to compare with: it has results of %.200s, and this run measures %.200s",
	          path, *theirs ? theirs : "nothing", ours);
	return -EINVAL;
}

/* As if it had been written and read. -errno, logged. */
static int load_run(const struct report_environment *env, const struct report *const *tables, size_t nr_tables,
                    struct compare_file **ret_file)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int r = f ? report_write_json(env, tables, nr_tables, f) : -ENOMEM;

	if (f && fclose(f) && r == 0)
		r = -ENOMEM;
	if (r == 0)
		r = compare_load("this run", text, len, ret_file);
	else if (r != -EINVAL)
		log_errno(-r, "--baseline");
	free(text);
	return r;
}

int bench_baseline_compare(const struct compare_file *base, double threshold, const struct report_environment *env,
                           const struct report *const *tables, size_t nr_tables, FILE *to, bool *ret_worse)
{
	struct compare_file *run = NULL;
	struct comparison *c = NULL;
	int r = load_run(env, tables, nr_tables, &run);

	if (r == 0) {
		const struct compare_file *const files[] = {base, run};

		r = compare_files(files, 2, threshold, &c);
		if (r == 0) {
			fputc('\n', to);
			r = comparison_print(c, false, to);
			*ret_worse = comparison_is_worse(c);
		}
		comparison_free(c);
	}
	compare_file_free(run);
	return r;
}
