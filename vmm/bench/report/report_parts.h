/* SPDX-License-Identifier: MIT */
/*
 * The inside of a table. report.c fills it; report_text.c, report_json.c and report_html.c write it out, report_plot.c,
 * report_chart.c and report_heat.c draw it.
 */
#ifndef GNOMON_BENCH_REPORT_REPORT_PARTS_H
#define GNOMON_BENCH_REPORT_REPORT_PARTS_H

#include "bench/report/report.h"

enum cell_kind { CELL_NA, CELL_TEXT, CELL_NUMBER, CELL_RANGE };

struct cell {
	enum cell_kind kind;
	char *text; /* CELL_TEXT: the text; CELL_NA: the reason, NULL for "not measured". Owned. */
	double number;
	double high; /* CELL_RANGE: from `number` to this */
};

struct report {
	const char *name;
	const struct report_plot *plot;
	const struct report_column *column;
	size_t nr_columns, nr_rows, room; /* room: rows that `cell` can hold */
	struct cell *cell;                /* nr_rows x nr_columns */
	int error;                        /* sticky: the first -errno */
};

static inline const struct cell *report_cell(const struct report *r, size_t row, size_t column)
{
	return &r->cell[row * r->nr_columns + column];
}

/* A column's name in CSV; `end` is "", or that of a range's field. */
void report_csv_name(const struct report_column *column, const char *end, FILE *to);

/* report_text.c: as people see it. */

#define REPORT_CELL 64 /* a printed number or a header */

/* The cell, in buf unless it is text. */
const char *report_cell_text(const struct report *r, size_t row, size_t column, char buf[REPORT_CELL]);
/* "title" or "title (unit)", then in buf. */
const char *report_column_header(const struct report_column *column, char buf[REPORT_CELL]);
/* No text is in it: it stands to the right. */
bool report_is_numeric(const struct report *r, size_t column);

/* report_values.c: what a drawing asks. */

#define REPORT_MOST_VALUES 16 /* of a column: panels, lines, places on an axis of words */

/* A column's different texts, in their order. */
struct report_values {
	const char *text[REPORT_MOST_VALUES];
	size_t nr;
	bool words; /* false: it has no texts at all */
};

struct report_values report_values_of(const struct report *r, const char *name);
/* The number of a column that is there. */
size_t report_column_of(const struct report *r, const char *name);
/* That of NAME_ci_low or NAME_ci_high (`end`: from the underscore on), NAME being the plot's `y`. */
size_t report_end_of(const struct report *r, const char *end);
/* Whether the cell has this text. */
bool report_has_text(const struct report *r, size_t row, size_t column, const char *text);
/* For gnuplot, behind "set xtics ": the words at 0, 1, ...; and a function of that name that gives a word's place. */
void report_gnuplot_places(const struct report_values *words, const char *function, FILE *to);
/* Whether cell number `cell` of the table, row by row, is n/a for a reason that none before it has. */
bool report_is_new_reason(const struct report *r, size_t cell);
/* Whether the plot has anything to draw. */
bool report_has_points(const struct report *r);

/* report_chart.c: a figure in HTML for each panel. Nothing, where there is nothing to draw. */
void report_charts(const struct report *r, FILE *to);
/* report_heat.c: the same for heat maps, and the lines of gnuplot's script that draw them. There is something to draw. */
void report_heat_maps(const struct report *r, FILE *to);
void report_heat_gnuplot(const struct report *r, FILE *to);

static inline const char *report_na_reason(const struct cell *cell)
{
	return cell->text ? cell->text : "not measured";
}

#endif
