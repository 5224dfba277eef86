/* SPDX-License-Identifier: MIT */
/*
 * A table of ratios as a heat map: lines down, x across, a map for each panel. 1 has no colour, and each doubling or
 * halving has more of one, up to fourfold. A value whose interval includes 1 has none either.
 */
#include <math.h>

#include "base/markup.h"
#include "bench/report/report_parts.h"

#define MOST_DOUBLINGS 2.0
#define MOST_ALPHA     0.7 /* text stays readable on it */

/* The row of this place; NULL: there is none. */
static const struct cell *find(const struct report *r, const char *panel, const char *line, const char *x,
                               size_t *ret_row)
{
	const size_t panels = report_column_of(r, r->plot->panel), lines = report_column_of(r, r->plot->line),
	             xs = report_column_of(r, r->plot->x);

	for (size_t row = 0; row < r->nr_rows; row++) {
		if (!report_has_text(r, row, panels, panel) || !report_has_text(r, row, lines, line) ||
		    !report_has_text(r, row, xs, x))
			continue;
		*ret_row = row;
		return report_cell(r, row, report_column_of(r, r->plot->y));
	}
	return NULL;
}

static double end_of(const struct report *r, size_t row, const char *end)
{
	const struct cell *cell = report_cell(r, row, report_end_of(r, end));

	return cell->kind == CELL_NUMBER ? cell->number : NAN;
}

/* Orange above 1, blue below. */
static void put_value(const struct report *r, size_t row, const struct cell *cell, FILE *to)
{
	const double low = end_of(r, row, "_ci_low"), high = end_of(r, row, "_ci_high");
	char text[REPORT_CELL];

	fputs("<td class=\"n\"", to);
	if (cell->kind == CELL_NUMBER && cell->number > 0 && (low > 1 || high < 1))
		fprintf(to, " style=\"background:rgb(%s/%.2f)\"", low > 1 ? "224 112 0" : "0 114 178",
		        fmin(fabs(log2(cell->number)) / MOST_DOUBLINGS, 1) * MOST_ALPHA);
	fputs(" title=\"", to);
	if (cell->kind != CELL_NUMBER)
		markup_text(report_na_reason(cell), to);
	else if (isfinite(low) && isfinite(high))
		fprintf(to, "%.4g to %.4g", low, high);
	else
		fputs("no interval", to);
	fputs("\">", to);
	markup_text(report_cell_text(r, row, report_column_of(r, r->plot->y), text), to);
	fputs("</td>", to);
}

/* Whether the map has a number in this line, or in any (`line` NULL). */
static bool has_number(const struct report *r, const char *panel, const char *line)
{
	const size_t panels = report_column_of(r, r->plot->panel), lines = report_column_of(r, r->plot->line),
	             y = report_column_of(r, r->plot->y);

	for (size_t row = 0; row < r->nr_rows; row++)
		if (report_has_text(r, row, panels, panel) && (!line || report_has_text(r, row, lines, line)) &&
		    report_cell(r, row, y)->kind == CELL_NUMBER)
			return true;
	return false;
}

/* What was not measured at all is left to the table. */
static void put_map(const struct report *r, const char *panel, FILE *to)
{
	const struct report_values lines = report_values_of(r, r->plot->line), xs = report_values_of(r, r->plot->x);
	const struct report_column *name = &r->column[report_column_of(r, r->plot->line)];
	size_t row;

	fprintf(to, "<figure>\n<figcaption>%s, %s: %s</figcaption>\n", r->plot->title, panel,
	        r->column[report_column_of(r, r->plot->y)].title);
	fprintf(to,
	        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s, %s\">\n<table>\n<thead><tr><th "
	        "scope=\"col\">%s</th>",
	        r->plot->title, panel, name->title);
	for (size_t x = 0; x < xs.nr; x++)
		if (find(r, panel, lines.text[0], xs.text[x], &row))
			fprintf(to, "<th scope=\"col\">%s</th>", xs.text[x]);
	fputs("</tr></thead>\n<tbody>\n", to);
	for (size_t l = 0; l < lines.nr; l++) {
		if (!has_number(r, panel, lines.text[l]))
			continue;
		fprintf(to, "<tr><th scope=\"row\">%s</th>", lines.text[l]);
		for (size_t x = 0; x < xs.nr; x++) {
			const struct cell *cell = find(r, panel, lines.text[l], xs.text[x], &row);

			if (cell)
				put_value(r, row, cell, to);
		}
		fputs("</tr>\n", to);
	}
	fputs("</tbody>\n</table>\n</div>\n</figure>\n", to);
}

void report_heat_maps(const struct report *r, FILE *to)
{
	const struct report_values panels = report_values_of(r, r->plot->panel);

	for (size_t i = 0; i < panels.nr; i++)
		if (has_number(r, panels.text[i], NULL))
			put_map(r, panels.text[i], to);
	fputs("<p class=\"dim\">Orange is above 1, blue below; without colour the 95 % interval includes 1, or there "
	      "is none. Lines without a number are "
	      "in the table alone.</p>\n",
	      to);
}

/* ---- gnuplot ---- */

static void put_cells(const struct report *r, const char *panel, FILE *to)
{
	fprintf(to, "\"%s.csv\" using (strcol(\"%s\") eq \"%s\" ? across(strcol(\"%s\")) : NaN):(down(strcol(\"%s\")))",
	        r->name, r->plot->panel, panel, r->plot->x, r->plot->line);
}

void report_heat_gnuplot(const struct report *r, FILE *to)
{
	struct report_values panels = report_values_of(r, r->plot->panel);
	const struct report_values lines = report_values_of(r, r->plot->line), xs = report_values_of(r, r->plot->x);
	size_t maps = 0;

	for (size_t i = 0; i < panels.nr; i++)
		if (has_number(r, panels.text[i], NULL))
			panels.text[maps++] = panels.text[i];
	panels.nr = maps;
	fprintf(to, "set xrange [-0.5:%zu.5]\nset xtics scale 0 rotate by -30 ", xs.nr - 1);
	report_gnuplot_places(&xs, "across", to);
	fprintf(to, "set yrange [%zu.5:-0.5]\nset ytics scale 0 ", lines.nr - 1);
	report_gnuplot_places(&lines, "down", to);
	fprintf(to,
	        "set palette defined (-2 \"#0072b2\", 0 \"white\", 2 \"#e07000\")\nset cbrange [-2:2]\n"
	        "set cblabel \"%s, log2\"\nunset key\n"
	        "set multiplot layout %zu,1 title \"%s\"\n",
	        r->column[report_column_of(r, r->plot->y)].title, panels.nr, r->plot->title);
	for (size_t i = 0; i < panels.nr; i++) {
		fprintf(to, "\nset title \"%s\"\nplot ", panels.text[i]);
		put_cells(r, panels.text[i], to);
		fprintf(to, ":(log(column(\"%s\")) / log(2)) with points pointtype 5 pointsize 5 palette, \\\n     ",
		        r->plot->y);
		put_cells(r, panels.text[i], to);
		fprintf(to, ":(sprintf(\"%%.2f\", column(\"%s\"))) with labels\n", r->plot->y);
	}
	fputs("\nunset multiplot\n", to);
}
