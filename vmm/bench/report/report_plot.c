/* SPDX-License-Identifier: MIT */
/* A table as a script for gnuplot. */
#include <errno.h>
#include <string.h>

#include "bench/report/report_parts.h"

#define MOST_VALUES 16 /* of a column: panels, lines, places on an axis of words */

/* A column's different values, in their order; texts, or no texts at all. */
struct values {
	const char *text[MOST_VALUES];
	size_t nr;
	bool words;
};

static size_t column_of(const struct report *r, const char *name)
{
	size_t c = 0;

	while (c < r->nr_columns && strcmp(r->column[c].name, name) != 0)
		c++;
	BUG_ON(c == r->nr_columns);
	return c;
}

static bool has(const struct values *v, const char *text)
{
	for (size_t i = 0; i < v->nr; i++)
		if (strcmp(v->text[i], text) == 0)
			return true;
	return false;
}

static struct values values_of(const struct report *r, const char *name)
{
	const size_t c = column_of(r, name);
	struct values v = {0};

	for (size_t row = 0; row < r->nr_rows; row++) {
		const struct cell *cell = report_cell(r, row, c);

		if (cell->kind != CELL_TEXT)
			continue;
		v.words = true;
		if (v.nr < MOST_VALUES && !has(&v, cell->text))
			v.text[v.nr++] = cell->text;
	}
	return v;
}

static bool has_points(const struct report *r)
{
	const size_t c = column_of(r, r->plot->y);

	for (size_t row = 0; row < r->nr_rows; row++)
		if (report_cell(r, row, c)->kind == CELL_NUMBER)
			return true;
	return false;
}

/* `end`: of the name, in front of the unit. */
static void put_name(const struct report *r, const char *name, const char *end, FILE *to)
{
	const struct report_column *column = &r->column[column_of(r, name)];
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
	put_name(r, r->plot->y, end, to);
	fputs("\"))", to);
}

/* A band from one end of the intervals to the other, and the line above it. */
static void put_line(const struct report *r, bool words, const char *panel, const char *line, size_t colour, FILE *to)
{
	put_points(r, words, panel, line, to);
	put_column(r, "_ci_low", to);
	put_column(r, "_ci_high", to);
	fprintf(to, " with filledcurves fillstyle transparent solid 0.2 noborder linecolor %zu notitle, \\\n     ",
	        colour);
	put_points(r, words, panel, line, to);
	put_column(r, "", to);
	fprintf(to, " with linespoints linecolor %zu title \"%s\"", colour, line);
}

/* Words stand side by side; numbers are sizes, which double. */
static void put_axes(const struct report *r, const struct values *x, FILE *to)
{
	const struct report_column *y = &r->column[column_of(r, r->plot->y)];

	fprintf(to, "set xlabel \"%s\"\nset ylabel \"%s (%s)\"\n", r->column[column_of(r, r->plot->x)].title, y->title,
	        y->unit ? y->unit : "1");
	if (!x->words) {
		fputs("set logscale x 2\nset format x \"%.0f\"\n", to);
		return;
	}
	fprintf(to, "set xrange [-0.5:%zu.5]\nset xtics (", x->nr - 1);
	for (size_t i = 0; i < x->nr; i++)
		fprintf(to, "%s\"%s\" %zu", i ? ", " : "", x->text[i], i);
	fputs(")\nplace(word) = ", to);
	for (size_t i = 0; i < x->nr; i++)
		fprintf(to, "word eq \"%s\" ? %zu : ", x->text[i], i);
	fputs("NaN\n", to);
}

static void put_panel(const struct report *r, bool words, const char *panel, const struct values *lines, FILE *to)
{
	fprintf(to, "\nset title \"%s %s\"\nplot ", r->column[column_of(r, r->plot->panel)].title, panel);
	for (size_t i = 0; i < lines->nr; i++) {
		put_line(r, words, panel, lines->text[i], i + 1, to);
		fputs(i + 1 < lines->nr ? ", \\\n     " : "\n", to);
	}
}

const char *report_name(const struct report *r)
{
	return r->name;
}

int report_write_gnuplot(const struct report *r, FILE *to)
{
	struct values panels, lines, x;

	if (r->error)
		return r->error;
	if (!r->plot || !has_points(r))
		return -ENOENT;
	panels = values_of(r, r->plot->panel);
	lines = values_of(r, r->plot->line);
	x = values_of(r, r->plot->x);
	fprintf(to,
	        "# gnuplot %s.gp draws %s.svg from %s.csv, in this directory.\n"
	        "set terminal svg size 900,%zu font \"sans,13\" background \"white\"\n"
	        "set output \"%s.svg\"\n"
	        "set datafile separator comma\nset datafile missing NaN\n"
	        "set key top left\nset grid\nset yrange [0:*]\n",
	        r->name, r->name, r->name, 60 + 380 * panels.nr, r->name);
	put_axes(r, &x, to);
	fprintf(to, "set multiplot layout %zu,1 title \"%s\"\n", panels.nr, r->plot->title);
	for (size_t i = 0; i < panels.nr; i++)
		put_panel(r, x.words, panels.text[i], &lines, to);
	fputs("\nunset multiplot\n", to);
	return fflush(to) || ferror(to) ? -EIO : 0;
}
