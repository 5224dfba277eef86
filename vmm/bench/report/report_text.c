/* SPDX-License-Identifier: MIT */
/* A table for people. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report_parts.h"

#define FIXED_MAX 1e15 /* from here on numbers are printed with an exponent */

const char *report_cell_text(const struct report *r, size_t row, size_t c, char buf[REPORT_CELL])
{
	const struct cell *cell = report_cell(r, row, c);

	if (cell->kind == CELL_TEXT)
		return cell->text;
	if (cell->kind == CELL_NA)
		return "n/a";
	if (cell->kind == CELL_RANGE) {
		snprintf(buf, REPORT_CELL, cell->number < cell->high ? "%.0f-%.0f" : "%.0f", cell->number, cell->high);
		return buf;
	}
	snprintf(buf, REPORT_CELL, fabs(cell->number) < FIXED_MAX ? "%.*f" : "%.*g", r->column[c].precision,
	         cell->number);
	return buf;
}

const char *report_column_header(const struct report_column *column, char buf[REPORT_CELL])
{
	if (!column->unit)
		return column->title;
	snprintf(buf, REPORT_CELL, "%s (%s)", column->title, column->unit);
	return buf;
}

bool report_is_numeric(const struct report *r, size_t c)
{
	for (size_t row = 0; row < r->nr_rows; row++)
		if (report_cell(r, row, c)->kind == CELL_TEXT)
			return false;
	return true;
}

static void print_cell(FILE *to, const char *text, int width, bool right, bool last)
{
	if (right)
		fprintf(to, "%*s", width, text);
	else
		fprintf(to, "%-*s", last ? 0 : width, text); /* no blanks at a line's end */
	fputs(last ? "\n" : "  ", to);
}

static int column_width(const struct report *r, size_t c)
{
	char buf[REPORT_CELL];
	size_t width = strlen(report_column_header(&r->column[c], buf));

	for (size_t row = 0; row < r->nr_rows; row++) {
		const size_t len = strlen(report_cell_text(r, row, c, buf));

		width = len > width ? len : width;
	}
	return width;
}

static int written(FILE *to)
{
	return fflush(to) || ferror(to) ? -EIO : 0;
}

int report_print(const struct report *r, FILE *to)
{
	char buf[REPORT_CELL];
	int *width;

	if (r->error)
		return r->error;
	width = calloc(r->nr_columns, sizeof(*width));
	if (!width)
		return -ENOMEM;
	for (size_t c = 0; c < r->nr_columns; c++) {
		width[c] = column_width(r, c);
		print_cell(to, report_column_header(&r->column[c], buf), width[c], report_is_numeric(r, c),
		           c + 1 == r->nr_columns);
	}
	for (size_t row = 0; row < r->nr_rows; row++)
		for (size_t c = 0; c < r->nr_columns; c++)
			print_cell(to, report_cell_text(r, row, c, buf), width[c], report_is_numeric(r, c),
			           c + 1 == r->nr_columns);
	for (size_t i = 0; i < r->nr_rows * r->nr_columns; i++)
		if (report_is_new_reason(r, i))
			fprintf(to, "n/a: %s\n", report_na_reason(&r->cell[i]));
	free(width);
	return written(to);
}

void report_environment_print(const struct report_environment *env, FILE *to)
{
	fprintf(to, "gnomon %s on %s, %s\n", env->gnomon, env->host, env->date);
	if (env->cpus)
		fprintf(to, "%d x ", env->cpus);
	fprintf(to, "%s, Linux %s\n", env->cpu, env->kernel);
	fprintf(to, "second stage: %s; THP %s, shmem %s\n", env->second_stage, env->thp, env->thp_shmem);
	if (env->emulator)
		fprintf(to, "emulated by %s: times say nothing about a CPU\n", env->emulator);
	if (env->label)
		fprintf(to, "label: %s\n", env->label);
}
