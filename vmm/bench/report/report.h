/* SPDX-License-Identifier: MIT */
/*
 * A table of results: named columns, rows of text, numbers and "not available, because". The same table prints for
 * people, as JSON and as CSV, together with the environment that it was measured in.
 *
 * The functions that fill a table do not fail. A lack of memory is remembered, and reported by the function that writes
 * the table out, as stdio does.
 */
#ifndef GNOMON_BENCH_REPORT_REPORT_H
#define GNOMON_BENCH_REPORT_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "base/log.h"
#include "bench/stats.h"
#include "host/host.h"

/* A range of whole numbers: "21-22" for people, NAME_low and NAME_high for programs. */
#define REPORT_RANGE (-1)

struct report_column {
	const char *name;  /* key in JSON and CSV: never changes, lower case, no blanks */
	const char *title; /* for people */
	const char *unit;  /* "ns", "MiB", ...; NULL for text and plain counts */
	int precision;     /* decimals for people, or REPORT_RANGE; JSON and CSV have all digits */
};

struct report; /* one table */

/* What the results depend on. */
struct report_environment {
	char date[32]; /* ISO 8601, UTC */
	const char *gnomon;
	char host[96]; /* the host's name */
	char kernel[96];
	char cpu[80];
	int cpus;                 /* 0: unknown */
	const char *second_stage; /* host_second_stage_label() */
	const char *emulator;     /* host_emulator_name() */
	char thp[24], thp_shmem[24];
	long seed;  /* of the order of runs and of the rings; filled in by the caller, as the next */
	long loads; /* of each measurement of the chase */
	const char *label; /* what the user calls this run; NULL: nothing */
};

/* An empty table. `name`, `columns` and what they point to must outlive it. NULL: no memory. */
struct report *report_new(const char *name, const struct report_column *columns, size_t nr_columns);
void report_free(struct report *report);

/*
 * How a table is drawn: a panel for each value of one column, in it a line for each value of another, with the interval
 * of its points. All are names of columns; `y` has NAME_ci_low and NAME_ci_high beside it.
 */
struct report_plot {
	const char *title;
	const char *panel, *line;
	const char *x, *y;
	const char *const *undrawn; /* lines that are in the table alone, NULL behind the last; NULL: all are drawn */
	bool heat;                  /* `y` is a ratio: a heat map of lines by x, both of which are words */
	bool exact;                 /* `y` has no interval */
};

/* A table's name and columns. */
struct report_layout {
	const char *name;
	const struct report_column *columns;
	size_t nr_columns;
	const struct report_plot *plot; /* NULL: it is not drawn */
};

/* Adds what entry i of the results gives: a row, or none. 0 or -errno. */
typedef int report_add(struct report *report, const void *results, size_t i);

/* A table of entries 0 to nr - 1, which the caller frees. -ENOMEM, or what `add` failed with. */
int must_check report_build(const struct report_layout *layout, const void *results, size_t nr, report_add *add,
                            struct report **ret_report);

/*
 * Begins a row whose cells are all "not measured". The setters below fill the newest row. A column that the table does
 * not have is a bug of the caller (BUG_ON), and so is a cell before the first row.
 */
void report_row(struct report *report);
void report_set_text(struct report *report, const char *column, const char *text);
/* A value that is not finite becomes n/a. */
void report_set_number(struct report *report, const char *column, double value);
/* Of a column with REPORT_RANGE. */
void report_set_range(struct report *report, const char *column, unsigned low, unsigned high);
void report_set_na(struct report *report, const char *column, const char *reason);
/* Sets every cell of the newest row that has no value and no reason yet. */
void report_set_rest_na(struct report *report, const char *reason);
/* The columns NAME_ci_low and NAME_ci_high: n/a with the reason where there are too few samples (STATS_FEWEST). */
void report_set_interval(struct report *report, const char *name, double low, double high);
/* The columns NAME, NAME_ci_low and NAME_ci_high. */
void report_set_ratio(struct report *report, const char *name, const struct stats_ratio *ratio);

/* Fills *ret_env from the clock, uname and what host_detect() found. */
void report_environment_capture(const struct host_info *info, struct report_environment *ret_env);

/* Prints a few lines for people, above the tables. */
void report_environment_print(const struct report_environment *env, FILE *to);

/* Prints aligned columns with a header, and a line for each reason behind an n/a. -ENOMEM, -EIO. */
int must_check report_print(const struct report *report, FILE *to);

/*
 * Writes a script for gnuplot 5 that draws the table from a file of its own CSV, in the current directory, to NAME.svg.
 * It is for people to change. -ENOENT: the table is not drawn, or has nothing to draw. -ENOMEM, -EIO.
 */
int must_check report_write_gnuplot(const struct report *report, FILE *to);

/* What one workload gave. */
struct report_section {
	const char *name, *what;
	const char *finding; /* the main one, in a sentence or two; may be empty */
	const char *words;   /* the other sentences below its tables */
	const struct report *const *table;
	size_t nr_tables;
};

/*
 * Writes one page of HTML that needs nothing else: what each workload found in words, its pictures, and all tables. Light
 * or dark as the reader's system is; for printers, keyboards and screen readers, too. -ENOMEM, -EIO.
 */
int must_check report_write_html(const struct report_environment *env, const struct report_section *sections,
                                 size_t nr_sections, FILE *to);

/* The table's name, which is that of its files, too. */
const char *report_name(const struct report *report);

/* Writes RFC 4180 with LF. The header has "name" or "name_unit"; n/a is an empty cell. -ENOMEM, -EIO. */
int must_check report_write_csv(const struct report *report, FILE *to);

/*
 * All tables as one: a first column "table" has their names, the others are those of any of them, and cells of a column
 * that a table does not have are empty. One table is written as it is. -ENOMEM, -EIO.
 */
int must_check report_write_csv_all(const struct report *const *tables, size_t nr_tables, FILE *to);

/*
 * {"version": 1, "environment": {...}, "tables": [{"name", "columns": [{"name", "unit"}], "rows": [{...}]}]}
 * n/a is null, and the "na" object of the row has its reason. -ENOMEM, -EIO; -EINVAL, logged.
 */
int must_check report_write_json(const struct report_environment *env, const struct report *const *tables,
                                 size_t nr_tables, FILE *to);

#endif
