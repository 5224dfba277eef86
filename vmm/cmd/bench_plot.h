/* SPDX-License-Identifier: MIT */
/* gnomon bench --plot: pictures for papers, as scripts for gnuplot with their data. */
#ifndef GNOMON_CMD_BENCH_PLOT_H
#define GNOMON_CMD_BENCH_PLOT_H

#include <stdbool.h>

#include "base/log.h"
#include "bench/child.h"
#include "bench/report/report.h"

/* Makes the directory if it is not there, and sees that so many bytes can be written in it. -errno, logged. */
int must_check bench_plot_check(const char *dir, size_t room);

/* How the names of its files end. */
#define BENCH_PLOT_FILES "*.csv, *.gp and *.svg"

/* Whether `path` leads to a file of this directory that could be one of them, by whatever name. */
bool bench_plot_takes(const char *dir, const char *path);

/*
 * Writes NAME.csv for each table, NAME.gp for each that can be drawn, and has gnuplot draw NAME.svg where there is one.
 * A failure costs the other tables nothing. `text` gets a sentence on what came of it if all went well; NULL: nobody
 * reads it. The first -errno, logged; -EINTR.
 */
int must_check bench_plot_write(const char *dir, const struct report *const *tables, size_t nr_tables,
                                const struct child_limits *limits, FILE *text);

#endif
