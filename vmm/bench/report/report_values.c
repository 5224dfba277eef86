/* SPDX-License-Identifier: MIT */
/* What a drawing asks of a table. */
#include <string.h>

#include "bench/report/report_parts.h"

size_t report_column_of(const struct report *r, const char *name)
{
	size_t c = 0;

	while (c < r->nr_columns && strcmp(r->column[c].name, name) != 0)
		c++;
	BUG_ON(c == r->nr_columns);
	return c;
}

static bool has(const struct report_values *v, const char *text)
{
	for (size_t i = 0; i < v->nr; i++)
		if (strcmp(v->text[i], text) == 0)
			return true;
	return false;
}

/* It is a line that only the table has. */
static bool is_undrawn(const struct report *r, const char *column, const char *text)
{
	const char *const *name = strcmp(column, r->plot->line) == 0 ? r->plot->undrawn : NULL;

	while (name && *name && strcmp(*name, text) != 0)
		name++;
	return name && *name;
}

struct report_values report_values_of(const struct report *r, const char *name)
{
	const size_t c = report_column_of(r, name);
	struct report_values v = {0};

	for (size_t row = 0; row < r->nr_rows; row++) {
		const struct cell *cell = report_cell(r, row, c);

		if (cell->kind != CELL_TEXT)
			continue;
		v.words = true;
		if (v.nr < REPORT_MOST_VALUES && !has(&v, cell->text) && !is_undrawn(r, name, cell->text))
			v.text[v.nr++] = cell->text;
	}
	return v;
}

size_t report_end_of(const struct report *r, const char *end)
{
	char name[REPORT_CELL];

	snprintf(name, sizeof(name), "%s%s", r->plot->y, r->plot->exact ? "" : end);
	return report_column_of(r, name);
}

bool report_has_text(const struct report *r, size_t row, size_t column, const char *text)
{
	const struct cell *cell = report_cell(r, row, column);

	return cell->kind == CELL_TEXT && strcmp(cell->text, text) == 0;
}

void report_gnuplot_places(const struct report_values *words, const char *function, FILE *to)
{
	fputc('(', to);
	for (size_t i = 0; i < words->nr; i++)
		fprintf(to, "%s\"%s\" %zu", i ? ", " : "", words->text[i], i);
	fprintf(to, ")\n%s(word) = ", function);
	for (size_t i = 0; i < words->nr; i++)
		fprintf(to, "word eq \"%s\" ? %zu : ", words->text[i], i);
	fputs("NaN\n", to);
}

bool report_has_points(const struct report *r)
{
	const size_t c = report_column_of(r, r->plot->y);

	for (size_t row = 0; row < r->nr_rows; row++)
		if (report_cell(r, row, c)->kind == CELL_NUMBER)
			return true;
	return false;
}

bool report_is_new_reason(const struct report *r, size_t cell)
{
	if (r->cell[cell].kind != CELL_NA)
		return false;
	for (size_t i = 0; i < cell; i++)
		if (r->cell[i].kind == CELL_NA &&
		    strcmp(report_na_reason(&r->cell[i]), report_na_reason(&r->cell[cell])) == 0)
			return false;
	return true;
}
