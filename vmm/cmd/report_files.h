/* SPDX-License-Identifier: MIT */
/* Where the tables of a command go besides the text: --json, --csv, --html and --plot. */
#ifndef GNOMON_CMD_REPORT_FILES_H
#define GNOMON_CMD_REPORT_FILES_H

#include <stdbool.h>

#include "base/log.h"
#include "bench/child.h"
#include "bench/report/report.h"

enum report_format { REPORT_JSON, REPORT_CSV, REPORT_HTML, REPORT_NR_FORMATS };

struct report_files {
	const char *out[REPORT_NR_FORMATS]; /* files; "-" is stdout; NULL: none */
	const char *plot;                   /* directory; NULL: none */
};

/* What is written. */
struct report_results {
	const char *command; /* for messages */
	const struct report_environment *env;
	const struct report *const *table;
	size_t nr_tables;
	const struct report_section *section; /* of the page */
	size_t nr_sections;
	const struct child_limits *limits; /* of gnuplot, and of readers */
	FILE *text;                        /* where people look; NULL: nowhere */
};

/* True for "-". NULL is not. */
bool report_is_stdout(const char *path);

/* Tables go to stdout, in place of the text. */
bool report_files_use_stdout(const struct report_files *f);

/* Tables go somewhere else than to stdout, too. */
bool report_files_any(const struct report_files *f);

/* Not two of them to stdout. -EINVAL, logged. */
int must_check report_files_check_stdout(const struct report_files *f);

/*
 * Before minutes are spent: none replaces another, or one of the files that are read (`input`: NULL behind the last; `what`
 * says what those are), and all can be written, with so many bytes of `room` for each. -errno, logged.
 */
int must_check report_files_check(const struct report_files *f, const char *const *input, const char *what,
                                  size_t room);

/* What a workload writes to one of them, at most: the longest tables have some 50 KiB of JSON. */
#define REPORT_FILE_ROOM (64u << 10)

/* After that: none is this file, which is `what` ("the baseline"; "-": standard input). -EINVAL, logged. */
int must_check report_files_check_apart(const struct report_files *f, const char *path, const char *what);

/* Writes all that were asked for: one that cannot be written costs none of the others. The first -errno, logged; -EINTR. */
int must_check report_files_write(const struct report_files *f, const struct report_results *results);

#endif
