/* SPDX-License-Identifier: MIT */
/* Tables and their environment as one JSON object. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "bench/report/report_parts.h"

static json_t *environment_json(const struct report_environment *e)
{
	json_t *cpus = e->cpus ? json_integer(e->cpus) : json_null();

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:s*, s:s*}", "date", e->date,
	                 "gnomon", e->gnomon, "host", e->host, "kernel", e->kernel, "cpu", e->cpu, "cpus", cpus,
	                 "second_stage", e->second_stage, "thp", e->thp, "thp_shmem", e->thp_shmem, "seed",
	                 (json_int_t)e->seed, "loads", (json_int_t)e->loads, "emulator", e->emulator, "label",
	                 e->label);
}

static void add_column(json_t *list, const struct report_column *column, const char *end)
{
	json_array_append_new(list, json_pack("{s:s+, s:s, s:s?}", "name", column->name, end, "title", column->title,
	                                      "unit", column->unit));
}

static json_t *columns_json(const struct report *r)
{
	json_t *list = json_array();

	for (size_t c = 0; c < r->nr_columns; c++) {
		const bool range = r->column[c].precision == REPORT_RANGE;

		add_column(list, &r->column[c], range ? "_low" : "");
		if (range)
			add_column(list, &r->column[c], "_high");
	}
	return list;
}

/* One key, of a column's name and an end; what is n/a goes into both objects. */
static int add_value(json_t *object, json_t *na, const char *name, const char *end, const struct cell *cell,
                     double number)
{
	char key[64];

	snprintf(key, sizeof(key), "%s%s", name, end);
	if (cell->kind == CELL_TEXT)
		return json_object_set_new(object, key, json_string(cell->text));
	if (cell->kind != CELL_NA)
		return json_object_set_new(object, key, json_real(number));
	return json_object_set_new(object, key, json_null()) |
	       json_object_set_new(na, key, json_string(report_na_reason(cell)));
}

/* 0 or -1, as jansson: a text that is not UTF-8 is refused. */
static int add_row(json_t *rows, const struct report *r, size_t row)
{
	json_t *object = json_object(), *na = json_object();
	int bad = 0;

	for (size_t c = 0; c < r->nr_columns; c++) {
		const struct cell *cell = report_cell(r, row, c);
		const char *name = r->column[c].name;

		if (r->column[c].precision == REPORT_RANGE) {
			bad |= add_value(object, na, name, "_low", cell, cell->number);
			bad |= add_value(object, na, name, "_high", cell, cell->high);
		} else {
			bad |= add_value(object, na, name, "", cell, cell->number);
		}
	}
	if (json_object_size(na))
		bad |= json_object_set(object, "na", na);
	json_decref(na);
	return bad | json_array_append_new(rows, object);
}

static int add_table(json_t *tables, const struct report *r)
{
	json_t *rows = json_array();
	int bad = 0;

	for (size_t row = 0; row < r->nr_rows; row++)
		bad |= add_row(rows, r, row);
	return bad | json_array_append_new(tables, json_pack("{s:s, s:o, s:o}", "name", r->name, "columns",
	                                                     columns_json(r), "rows", rows));
}

int report_write_json(const struct report_environment *env, const struct report *const *tables, size_t nr_tables,
                      FILE *to)
{
	json_t *list = json_array(), *root;
	int r = 0;

	for (size_t i = 0; i < nr_tables; i++) {
		if (tables[i]->error)
			r = tables[i]->error;
		else if (add_table(list, tables[i]))
			r = log_errno(EINVAL, "table %s as JSON", tables[i]->name);
	}
	root = json_pack("{s:i, s:o, s:o}", "version", 1, "environment", environment_json(env), "tables", list);
	if (!root)
		r = log_errno(EINVAL, "the results as JSON");
	if (r == 0 && (json_dumpf(root, to, JSON_INDENT(2)) < 0 || fputc('\n', to) == EOF || fflush(to)))
		r = -EIO;
	json_decref(root);
	return r;
}
