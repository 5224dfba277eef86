/* SPDX-License-Identifier: MIT */
/* Tables as CSV: one by itself, or all of them as one. A range has two fields. */
#include <errno.h>
#include <string.h>

#include "bench/report/report_parts.h"

#define MOST_FIELDS 256 /* of all tables */

/* A field with a comma, quote or line end is quoted, its quotes doubled. */
static void put_text(FILE *to, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, to);
		return;
	}
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

struct field {
	const struct report_column *column;
	size_t at; /* the column's number in its table */
	bool high; /* the second of a range */
};

/* Room for two of each column; how many there are. */
static size_t fields_of(const struct report *r, struct field *ret_fields)
{
	size_t n = 0;

	for (size_t c = 0; c < r->nr_columns; c++) {
		ret_fields[n++] = (struct field){&r->column[c], c, false};
		if (r->column[c].precision == REPORT_RANGE)
			ret_fields[n++] = (struct field){&r->column[c], c, true};
	}
	return n;
}

static void put_name(const struct field *f, FILE *to)
{
	const bool range = f->column->precision == REPORT_RANGE;

	report_csv_name(f->column, !range ? "" : f->high ? "_high" : "_low", to);
}

/* Whether fields of two tables are one and the same column of both: their names in the header would be the same. */
static bool is_same(const struct field *a, const struct field *b)
{
	const char *unit = a->column->unit ? a->column->unit : "", *other = b->column->unit ? b->column->unit : "";

	return strcmp(a->column->name, b->column->name) == 0 && strcmp(unit, other) == 0 && a->high == b->high &&
	       (a->column->precision == REPORT_RANGE) == (b->column->precision == REPORT_RANGE);
}

/* n/a is empty. */
static void put_cell(const struct field *f, const struct cell *cell, FILE *to)
{
	if (cell->kind == CELL_TEXT && !f->high)
		put_text(to, cell->text);
	else if (cell->kind == CELL_RANGE && f->high)
		fprintf(to, "%.17g", cell->high);
	else if ((cell->kind == CELL_NUMBER || cell->kind == CELL_RANGE) && !f->high)
		fprintf(to, "%.17g", cell->number);
}

void report_csv_name(const struct report_column *column, const char *end, FILE *to)
{
	fprintf(to, "%s%s", column->name, end);
	if (column->unit)
		fprintf(to, "_%s", column->unit);
}

int report_write_csv(const struct report *r, FILE *to)
{
	struct field field[MOST_FIELDS];
	size_t n;

	if (r->error)
		return r->error;
	BUG_ON(2 * r->nr_columns > MOST_FIELDS);
	n = fields_of(r, field);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? "," : "", to);
		put_name(&field[i], to);
	}
	fputc('\n', to);
	for (size_t row = 0; row < r->nr_rows; row++) {
		for (size_t i = 0; i < n; i++) {
			fputs(i ? "," : "", to);
			put_cell(&field[i], report_cell(r, row, field[i].at), to);
		}
		fputc('\n', to);
	}
	return fflush(to) || ferror(to) ? -EIO : 0;
}

/* Each field of any of the tables once, in the order in which they come. */
static size_t fields_of_all(const struct report *const *tables, size_t nr_tables, struct field all[MOST_FIELDS])
{
	size_t n = 0;

	for (size_t t = 0; t < nr_tables; t++) {
		struct field own[MOST_FIELDS];
		const size_t nr_own = fields_of(tables[t], own);

		for (size_t i = 0; i < nr_own; i++) {
			size_t same = 0;

			while (same < n && !is_same(&all[same], &own[i]))
				same++;
			BUG_ON(same == MOST_FIELDS);
			if (same == n)
				all[n++] = own[i];
		}
	}
	return n;
}

static void put_row(const struct report *r, size_t row, const struct field *all, size_t nr_all, FILE *to)
{
	struct field own[MOST_FIELDS];
	const size_t nr_own = fields_of(r, own);

	put_text(to, r->name);
	for (size_t i = 0; i < nr_all; i++) {
		fputc(',', to);
		for (size_t o = 0; o < nr_own; o++)
			if (is_same(&all[i], &own[o]))
				put_cell(&own[o], report_cell(r, row, own[o].at), to);
	}
	fputc('\n', to);
}

int report_write_csv_all(const struct report *const *tables, size_t nr_tables, FILE *to)
{
	struct field all[MOST_FIELDS];
	size_t n;

	if (nr_tables == 1)
		return report_write_csv(tables[0], to);
	for (size_t t = 0; t < nr_tables; t++) {
		if (tables[t]->error)
			return tables[t]->error;
		BUG_ON(2 * tables[t]->nr_columns > MOST_FIELDS);
	}
	n = fields_of_all(tables, nr_tables, all);
	fputs("table", to);
	for (size_t i = 0; i < n; i++) {
		fputc(',', to);
		put_name(&all[i], to);
	}
	fputc('\n', to);
	for (size_t t = 0; t < nr_tables; t++)
		for (size_t row = 0; row < tables[t]->nr_rows; row++)
			put_row(tables[t], row, all, n, to);
	return fflush(to) || ferror(to) ? -EIO : 0;
}
