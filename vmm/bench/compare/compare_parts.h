/* SPDX-License-Identifier: MIT */
/*
 * The inside of a comparison: load.c reads files, match.c finds rows and cell.c their values, judge.c judges, print.c
 * and json.c write.
 */
#ifndef GNOMON_BENCH_COMPARE_COMPARE_PARTS_H
#define GNOMON_BENCH_COMPARE_COMPARE_PARTS_H

#include <jansson.h>

#include "bench/compare/compare.h"
#include "bench/compare/rule.h"

/* Into the file's JSON, which load.c has checked: every row is an object with every column. */
struct compare_table {
	const char *name;
	const json_t *list; /* the columns, in their order */
	json_t *columns;    /* name: the column's object. Owned. */
	const json_t *rows;
};

struct compare_file {
	char *name;
	json_t *root;
	json_t *environment;
	json_t *index; /* a table's name: its number */
	struct compare_table *table;
	size_t nr_tables;
};

enum compare_verdict {
	COMPARE_ABSENT, /* neither has the row */
	COMPARE_NOISE,  /* the intervals overlap */
	COMPARE_WITHIN, /* by less than the threshold */
	COMPARE_TOLD,   /* the rule wants no judgement */
	COMPARE_WORSE,
	COMPARE_BETTER,
	COMPARE_NEW,
	COMPARE_GONE,
	COMPARE_NOT_MEASURED,
	COMPARE_NR_VERDICTS,
};

/* One value in one file. */
struct compare_cell {
	bool is_there;     /* the file has the row, and the column */
	bool is_measured;  /* `value` is known */
	bool has_interval; /* and these are */
	double value, low, high;
	const char *na; /* the reason when not measured; into the file's JSON, or constant */
	/* Against the base's cell. */
	enum compare_verdict verdict;
	bool by_threshold; /* judged without intervals */
	double change;     /* percent of the base; infinite when that is 0 */
};

/* One value of one row, in all files. */
struct compare_item {
	const char *table, *value, *unit; /* into a file's JSON; unit NULL: none */
	size_t row;                       /* number in comparison.row */
	const struct compare_rule *rule;
	struct compare_cell *cell; /* one a file, owned */
};

struct comparison {
	const struct compare_file *const *file;
	size_t nr_files;
	double threshold; /* percent */
	char **row;       /* for people: "pages 64, 4k, nested" */
	size_t nr_rows, room_rows;
	struct compare_item *item;
	size_t nr_items, room_items;
	size_t common[COMPARE_MAX_FILES]; /* rows that the file has in common with the base */
	size_t count[COMPARE_MAX_FILES][COMPARE_NR_VERDICTS];
	size_t by_threshold; /* values judged without intervals */
};

/* The table of that name; NULL. */
const struct compare_table *compare_find_table(const struct compare_file *file, const char *name);

/* Fills rows and items, the cells as they are in the files. -errno, logged. */
int must_check compare_match(struct comparison *c);

/* A row's value, not judged yet: with its interval, or why it is not measured. */
struct compare_cell compare_cell_of(const struct compare_table *table, const json_t *row, const char *name);

/* Judges cell `file` of the item against its cell 0. */
void compare_judge(struct compare_item *item, size_t file, double threshold);

/* "worse" and so on; of COMPARE_NOT_MEASURED without the reason. Never changes: it is in the JSON. */
const char *compare_verdict_name(enum compare_verdict verdict);

#endif
