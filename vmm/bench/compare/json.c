/* SPDX-License-Identifier: MIT */
/* A comparison for programs. */
#include <errno.h>
#include <math.h>

#include "bench/compare/compare_parts.h"

static json_t *number_or_null(bool is_known, double value)
{
	return is_known && isfinite(value) ? json_real(value) : json_null();
}

static json_t *cell_json(const struct compare_item *item, size_t file)
{
	const struct compare_cell *cell = &item->cell[file];
	json_t *object = json_object();

	json_object_set_new(object, "value", number_or_null(cell->is_measured, cell->value));
	json_object_set_new(object, "ci_low", number_or_null(cell->has_interval, cell->low));
	json_object_set_new(object, "ci_high", number_or_null(cell->has_interval, cell->high));
	if (cell->na)
		json_object_set_new(object, "na", json_string(cell->na));
	if (file == 0)
		return object;
	json_object_set_new(object, "change",
	                    number_or_null(cell->is_measured && item->cell[0].is_measured, cell->change));
	json_object_set_new(object, "by_threshold", json_boolean(cell->by_threshold));
	json_object_set_new(object, "verdict", json_string(compare_verdict_name(cell->verdict)));
	return object;
}

static json_t *item_json(const struct comparison *c, const struct compare_item *item)
{
	json_t *results = json_array();

	for (size_t f = 0; f < c->nr_files; f++)
		json_array_append_new(results, cell_json(item, f));
	return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:o}", "table", item->table, "row", c->row[item->row], "value",
	                 item->value, "unit", item->unit, "better", item->rule->more_is_better ? "more" : "less",
	                 "results", results);
}

static json_t *files_json(const struct comparison *c)
{
	json_t *files = json_array();

	for (size_t f = 0; f < c->nr_files; f++) {
		json_t *totals = json_object();

		for (int v = COMPARE_ABSENT + 1; f && v < COMPARE_NR_VERDICTS; v++)
			json_object_set_new(totals, compare_verdict_name(v), json_integer((json_int_t)c->count[f][v]));
		json_array_append_new(files, json_pack("{s:s, s:O, s:o}", "file", c->file[f]->name, "environment",
		                                       c->file[f]->environment, "totals", totals));
	}
	return files;
}

int comparison_write_json(const struct comparison *c, FILE *to)
{
	json_t *items = json_array(), *root;
	int r = 0;

	for (size_t i = 0; i < c->nr_items; i++)
		r |= json_array_append_new(items, item_json(c, &c->item[i]));
	root = json_pack("{s:i, s:f, s:b, s:o, s:o}", "version", 1, "threshold", c->threshold, "worse",
	                 comparison_is_worse(c), "files", files_json(c), "values", items);
	if (!root || r)
		r = -ENOMEM;
	else if (json_dumpf(root, to, JSON_INDENT(2)) < 0 || fputc('\n', to) == EOF || fflush(to))
		r = -EIO;
	json_decref(root);
	return r;
}
