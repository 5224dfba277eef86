/* SPDX-License-Identifier: MIT */
/* One value as it is in a file. */
#include <stdio.h>

#include "bench/compare/compare_parts.h"

/* A finite number of the row. */
static bool number_of(const json_t *row, const char *name, const char *end, double *ret_number)
{
	char key[128];
	const json_t *cell;

	snprintf(key, sizeof(key), "%.100s%s", name, end);
	cell = json_object_get(row, key);
	if (!json_is_number(cell))
		return false;
	*ret_number = json_number_value(cell);
	return true;
}

struct compare_cell compare_cell_of(const struct compare_table *t, const json_t *row, const char *name)
{
	struct compare_cell cell = {.is_there = json_object_get(t->columns, name)};
	const json_t *value = json_object_get(row, name);

	if (!cell.is_there)
		return cell;
	if (json_is_number(value)) {
		cell.is_measured = true;
		cell.value = json_number_value(value);
		cell.has_interval = number_of(row, name, "_ci_low", &cell.low) &&
		                    number_of(row, name, "_ci_high", &cell.high) && cell.low <= cell.high;
		return cell;
	}
	cell.na = json_string_value(json_object_get(json_object_get(row, "na"), name));
	if (!cell.na)
		cell.na = json_is_string(value) ? "it is a text" : "not measured";
	return cell;
}
