/* SPDX-License-Identifier: MIT */
/* A table as a script for gnuplot. */
#include <errno.h>
#include <string.h>

#include "bench/report/report_parts.h"

/* `end`: of the name, in front of the unit. */
static void put_name(const struct report *r, const char *name, const char *end, FILE *to)
{
	const struct report_column *column = &r->column[report_column_of(r, name)];
	char whole[64];
	const struct report_column with = {whole, column->title, column->unit, 0};

	snprintf(whole, sizeof(whole), "%s%s", name, end);
	report_csv_name(&with, "", to);
}

/* The points of one line: those of other lines are no numbers. */
static void put_points(const struct report *r, bool words, const char *panel, const char *line, FILE *to)
{
	fprintf(to, "\"%s.csv\" using (strcol(\"%s\") eq \"%s\" && strcol(\"%s\") eq \"%s\" ? ", r->name,
	        r->plot->panel, panel, r->plot->line, line);
	fprintf(to, words ? "place(strcol(\"" : "column(\"");
	put_name(r, r->plot->x, "", to);
	fprintf(to, words ? "\")) : NaN)" : "\") : NaN)");
}

static void put_column(const struct report *r, const char *end, FILE *to)
{
	fputs(":(column(\"", to);
	put_name(r, r->plot->y, r->plot->exact ? "" : end, to);
	fputs("\"))", to);
}

/* Whether the line has a number there; without one gnuplot warns, and without any it fails. NULL: whichever line. */
static bool has_number(const struct report *r, const char *panel, const char *line, size_t column)
{
	const size_t p = report_column_of(r, r->plot->panel), l = report_column_of(r, r->plot->line);

	for (size_t row = 0; row < r->nr_rows; row++)
		if (report_has_text(r, row, p, panel) && (!line || report_has_text(r, row, l, line)) &&
		    report_cell(r, row, column)->kind == CELL_NUMBER)
			return true;
	return false;
}

/* A band from one end of the intervals to the other, and the line above it. */
static void put_line(const struct report *r, bool words, const char *panel, const char *line, size_t colour, FILE *to)
{
	if (has_number(r, panel, line, report_end_of(r, "_ci_low"))) {
		put_points(r, words, panel, line, to);
		put_column(r, "_ci_low", to);
		put_column(r, "_ci_high", to);
		fprintf(to,
		        " with filledcurves fillstyle transparent solid 0.2 noborder linecolor %zu notitle, \\\n     ",
		        colour);
	}
	put_points(r, words, panel, line, to);
	put_column(r, "", to);
	fprintf(to, " with linespoints linecolor %zu title \"%s\"", colour, line);
}

/* Words stand side by side; numbers are sizes, which double. */
static void put_axes(const struct report *r, const struct report_values *x, FILE *to)
{
	const struct report_column *y = &r->column[report_column_of(r, r->plot->y)];

	fprintf(to, "set xlabel \"%s\"\nset ylabel \"%s (%s)\"\n", r->column[report_column_of(r, r->plot->x)].title,
	        y->title, y->unit ? y->unit : "1");
	if (!x->words) {
		fputs("set logscale x 2\nset format x \"%.0f\"\n", to);
		return;
	}
	fprintf(to, "set xrange [-0.5:%zu.5]\nset xtics ", x->nr - 1);
	report_gnuplot_places(x, "place", to);
}

static void put_panel(const struct report *r, bool words, const char *panel, const struct report_values *lines,
                      FILE *to)
{
	const char *before = "";

	fprintf(to, "\nset title \"%s: %s\"\nplot ", r->column[report_column_of(r, r->plot->panel)].title, panel);
	for (size_t i = 0; i < lines->nr; i++) {
		if (!has_number(r, panel, lines->text[i], report_column_of(r, r->plot->y)))
			continue;
		fputs(before, to);
		put_line(r, words, panel, lines->text[i], i + 1, to);
		before = ", \\\n     ";
	}
	fputc('\n', to);
}

const char *report_name(const struct report *r)
{
	return r->name;
}

int report_write_gnuplot(const struct report *r, FILE *to)
{
	struct report_values panels, lines, x;
	size_t columns, rows;

	if (r->error)
		return r->error;
	if (!r->plot || !report_has_points(r))
		return -ENOENT;
	panels = report_values_of(r, r->plot->panel);
	lines = report_values_of(r, r->plot->line);
	x = report_values_of(r, r->plot->x);
	columns = panels.nr > 1 && !r->plot->heat ? 2 : 1; /* heat maps have long names across */
	rows = (panels.nr + columns - 1) / columns;
	fprintf(to,
	        "# gnuplot %s.gp draws %s.svg from %s.csv, in this directory.\n"
	        "set terminal svg size %zu,%zu font \"sans,13\" background \"white\"\n"
	        "set output \"%s.svg\"\n"
	        "set datafile separator comma\nset datafile missing NaN\n",
	        r->name, r->name, r->name, columns == 1 ? 900 : 600 * columns, 60 + 380 * rows, r->name);
	if (r->plot->heat) {
		report_heat_gnuplot(r, to);
		return fflush(to) || ferror(to) ? -EIO : 0;
	}
	fputs("set key top left\nset grid\nset yrange [0:*]\n", to);
	put_axes(r, &x, to);
	fprintf(to, "set multiplot layout %zu,%zu title \"%s\"\n", rows, columns, r->plot->title);
	for (size_t i = 0; i < panels.nr; i++)
		if (has_number(r, panels.text[i], NULL, report_column_of(r, r->plot->y)))
			put_panel(r, x.words, panels.text[i], &lines, to);
	fputs("\nunset multiplot\n", to);
	return fflush(to) || ferror(to) ? -EIO : 0;
}
