/* SPDX-License-Identifier: MIT */
/*
 * A table's plot as figures of HTML: a panel each, with a line for each environment, its intervals as a band behind it.
 * Lines differ in colour and in dashes; every point has its values as a title.
 */
#include <math.h>
#include <string.h>

#include "base/markup.h"
#include "bench/report/report_parts.h"

#define WIDTH  640.0
#define HEIGHT 340.0
#define LEFT   64.0
#define RIGHT  16.0
#define TOP    12.0
#define BOTTOM 48.0
#define TICKS  5 /* of y, about */

/* A panel of a plot. */
struct chart {
	const struct report *r;
	const char *panel;
	size_t panel_column, line_column, x, y, low, high; /* columns */
	struct report_values x_words;
	double x_least, x_most; /* log 2, or places of words */
	double y_least, y_most, y_step; /* multiples of y_step; the least is 0 or below: an interval may be */
};

/* ---- places ---- */

/* On the axis: words stand side by side; numbers are sizes, which double. NaN: it has none. */
static double place(const struct chart *c, size_t row)
{
	const struct cell *cell = report_cell(c->r, row, c->x);

	if (cell->kind == CELL_NUMBER && cell->number > 0)
		return log2(cell->number);
	for (size_t i = 0; cell->kind == CELL_TEXT && i < c->x_words.nr; i++)
		if (strcmp(c->x_words.text[i], cell->text) == 0)
			return i;
	return NAN;
}

static double x_of(const struct chart *c, double at)
{
	const double span = c->x_most > c->x_least ? c->x_most - c->x_least : 1;

	return LEFT + 12 + (at - c->x_least) / span * (WIDTH - LEFT - RIGHT - 24);
}

static double y_of(const struct chart *c, double value)
{
	return HEIGHT - BOTTOM - (value - c->y_least) / (c->y_most - c->y_least) * (HEIGHT - TOP - BOTTOM);
}

/* A point of this panel, and of this line unless that is NULL. */
static bool is_point(const struct chart *c, size_t row, const char *line)
{
	return report_has_text(c->r, row, c->panel_column, c->panel) &&
	       (!line || report_has_text(c->r, row, c->line_column, line)) &&
	       report_cell(c->r, row, c->y)->kind == CELL_NUMBER && isfinite(place(c, row));
}

static double end_of(const struct chart *c, size_t row, size_t column)
{
	const struct cell *cell = report_cell(c->r, row, column);

	return cell->kind == CELL_NUMBER ? cell->number : report_cell(c->r, row, c->y)->number;
}

/* 1, 2 or 5 times a power of ten. */
static double step_of(double most)
{
	const double power = pow(10, floor(log10(most / TICKS))), times = most / TICKS / power;

	return power * (times > 5 ? 10 : times > 2 ? 5 : times > 1 ? 2 : 1);
}

/* False: the panel is empty. */
static bool measure(struct chart *c)
{
	double least = 0, most = 0;

	c->x_least = INFINITY;
	c->x_most = -INFINITY;
	for (size_t row = 0; row < c->r->nr_rows; row++) {
		if (!is_point(c, row, NULL))
			continue;
		c->x_least = fmin(c->x_least, place(c, row));
		c->x_most = fmax(c->x_most, place(c, row));
		least = fmin(least, end_of(c, row, c->low));
		most = fmax(most, end_of(c, row, c->high));
	}
	if (!(most > 0))
		return false;
	c->y_step = step_of(most - least);
	c->y_least = floor(least / c->y_step) * c->y_step;
	c->y_most = ceil(most / c->y_step) * c->y_step;
	return true;
}

/* ---- axes ---- */

static void put_label(double x, double y, const char *anchor, const char *text, FILE *to)
{
	fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	markup_text(text, to);
	fputs("</text>\n", to);
}

static void put_axes(const struct chart *c, FILE *to)
{
	char text[REPORT_CELL];
	double last = -INFINITY;

	for (int n = 0; c->y_least + n * c->y_step <= c->y_most + c->y_step / 2; n++) {
		const double at = c->y_least + n * c->y_step, y = y_of(c, at);

		fprintf(to, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", LEFT, y, WIDTH - RIGHT);
		snprintf(text, sizeof(text), "%.4g", at);
		put_label(LEFT - 8, y + 4, "end", text, to);
	}
	for (size_t row = 0; row < c->r->nr_rows; row++) {
		const double at = is_point(c, row, NULL) ? place(c, row) : -INFINITY;

		if (at <= last || x_of(c, at) - x_of(c, last) < 60) /* room for a number, also in a narrow window */
			continue;
		last = at;
		put_label(x_of(c, at), HEIGHT - BOTTOM + 20, "middle", report_cell_text(c->r, row, c->x, text), to);
	}
	put_label(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 8, "middle",
	          report_column_header(&c->r->column[c->x], text), to);
}

/* ---- lines ---- */

/* Along `column` from the first point to the last, or back. */
static void put_path(const struct chart *c, const char *line, size_t column, bool back, const char *first, FILE *to)
{
	const char *step = first;

	for (size_t i = 0; i < c->r->nr_rows; i++) {
		const size_t row = back ? c->r->nr_rows - 1 - i : i;

		if (!is_point(c, row, line))
			continue;
		fprintf(to, "%s%.1f %.1f", step, x_of(c, place(c, row)), y_of(c, end_of(c, row, column)));
		step = "L";
	}
}

static void put_point(const struct chart *c, size_t row, const char *line, FILE *to)
{
	const char *unit = c->r->column[c->y].unit;
	char x[REPORT_CELL], y[REPORT_CELL], low[REPORT_CELL], high[REPORT_CELL];

	fprintf(to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"><title>", x_of(c, place(c, row)),
	        y_of(c, report_cell(c->r, row, c->y)->number));
	markup_text(line, to);
	fprintf(to, ", %s ", c->r->column[c->x].title);
	markup_text(report_cell_text(c->r, row, c->x, x), to);
	fprintf(to, ": %s %s (%s to %s)</title></circle>\n", report_cell_text(c->r, row, c->y, y), unit ? unit : "",
	        report_cell_text(c->r, row, c->low, low), report_cell_text(c->r, row, c->high, high));
}

static void put_line(const struct chart *c, const char *line, size_t number, FILE *to)
{
	fprintf(to, "<g class=\"s%zu\"><path class=\"band\" d=\"", number);
	put_path(c, line, c->low, false, "M", to);
	put_path(c, line, c->high, true, "L", to);
	fputs("\"/><path class=\"line\" d=\"", to);
	put_path(c, line, c->y, false, "M", to);
	fputs("\"/>\n", to);
	for (size_t row = 0; row < c->r->nr_rows; row++)
		if (is_point(c, row, line))
			put_point(c, row, line, to);
	fputs("</g>\n", to);
}

static bool has_line(const struct chart *c, const char *line)
{
	for (size_t row = 0; row < c->r->nr_rows; row++)
		if (is_point(c, row, line))
			return true;
	return false;
}

static void put_legend(const struct chart *c, const struct report_values *lines, FILE *to)
{
	fputs("<ul class=\"legend\">\n", to);
	for (size_t i = 0; i < lines->nr; i++) {
		if (!has_line(c, lines->text[i]))
			continue;
		fprintf(to,
		        "<li><svg class=\"s%zu\" width=\"34\" height=\"10\" aria-hidden=\"true\"><path class=\"line\" "
		        "d=\"M1 5H33\"/></svg> ",
		        i);
		markup_text(lines->text[i], to);
		fputs("</li>\n", to);
	}
	fputs("</ul>\n", to);
}

static void put_panel(const struct chart *c, const struct report_values *lines, FILE *to)
{
	char text[REPORT_CELL];

	fputs("<figure>\n<figcaption>", to);
	markup_text(c->r->plot->title, to);
	fprintf(to, ", %s ", c->r->column[c->panel_column].title);
	markup_text(c->panel, to);
	fprintf(to, ": %s</figcaption>\n", report_column_header(&c->r->column[c->y], text));
	put_legend(c, lines, to);
	fprintf(to,
	        "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s, %s. The table below has its "
	        "numbers.\">\n",
	        WIDTH, HEIGHT, c->r->plot->title, c->panel);
	put_axes(c, to);
	for (size_t i = 0; i < lines->nr; i++)
		if (has_line(c, lines->text[i]))
			put_line(c, lines->text[i], i, to);
	fputs("</svg>\n</figure>\n", to);
}

void report_charts(const struct report *r, FILE *to)
{
	struct report_values panels, lines;
	struct chart c = {.r = r};

	if (!r->plot || !report_has_points(r))
		return;
	if (r->plot->heat) {
		report_heat_maps(r, to);
		return;
	}
	panels = report_values_of(r, r->plot->panel);
	lines = report_values_of(r, r->plot->line);
	c.panel_column = report_column_of(r, r->plot->panel);
	c.line_column = report_column_of(r, r->plot->line);
	c.x = report_column_of(r, r->plot->x);
	c.y = report_column_of(r, r->plot->y);
	c.x_words = report_values_of(r, r->plot->x);
	c.low = report_end_of(r, "_ci_low");
	c.high = report_end_of(r, "_ci_high");
	fputs("<div class=\"charts\">\n", to);
	for (size_t i = 0; i < panels.nr; i++) {
		c.panel = panels.text[i];
		if (measure(&c))
			put_panel(&c, &lines, to);
	}
	fputs("</div>\n", to);
}
