/* SPDX-License-Identifier: MIT */
/* The inside of a table. report.c fills it, report_text.c and report_json.c write it out. */
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

static inline const char *report_na_reason(const struct cell *cell)
{
	return cell->text ? cell->text : "not measured";
}

#endif
