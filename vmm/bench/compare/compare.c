/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "bench/compare/compare_parts.h"

static void judge_all(struct comparison *c)
{
	for (size_t i = 0; i < c->nr_items; i++) {
		for (size_t f = 1; f < c->nr_files; f++) {
			struct compare_cell *cell = &c->item[i].cell[f];

			if (!compare_find_table(c->file[f], c->item[i].table))
				continue; /* another choice of workloads is no change */
			compare_judge(&c->item[i], f, c->threshold);
			c->count[f][cell->verdict]++;
			c->by_threshold += cell->by_threshold;
		}
	}
}

/* -EINVAL, logged: not a value is measured in two files, so that "nothing got worse" would be said of nothing. */
static int check_any(const struct comparison *c)
{
	for (size_t f = 1; f < c->nr_files; f++)
		for (enum compare_verdict v = COMPARE_NOISE; v <= COMPARE_BETTER; v++)
			if (c->count[f][v])
				return 0;
	log_error("%s has rows in common with %s, and no value that was measured in both", c->file[1]->name,
	          c->file[0]->name);
	return -EINVAL;
}

int compare_files(const struct compare_file *const *files, size_t nr_files, double threshold,
                  struct comparison **ret_comparison)
{
	struct comparison *c = calloc(1, sizeof(*c));
	int r;

	BUG_ON(nr_files < 2 || nr_files > COMPARE_MAX_FILES);
	if (!c)
		return log_errno(ENOMEM, "the comparison");
	*c = (struct comparison){.file = files, .nr_files = nr_files, .threshold = threshold};
	r = compare_match(c);
	if (r == 0) {
		judge_all(c);
		r = check_any(c);
	}
	if (r < 0) {
		comparison_free(c);
		return r;
	}
	*ret_comparison = c;
	return 0;
}

void comparison_free(struct comparison *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nr_items; i++)
		free(c->item[i].cell);
	for (size_t i = 0; i < c->nr_rows; i++)
		free(c->row[i]);
	free(c->item);
	free(c->row);
	free(c);
}

bool comparison_is_worse(const struct comparison *c)
{
	size_t worse = 0;

	for (size_t f = 1; f < c->nr_files; f++)
		worse += c->count[f][COMPARE_WORSE];
	return worse;
}
