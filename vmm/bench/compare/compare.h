/* SPDX-License-Identifier: MIT */
/*
 * Compares results of `gnomon bench --json`: the first file is the base, each other is held against it. Rows are
 * matched by their tables' names and by what identifies them; compare_rules (rule.h) says which columns do that, which
 * are measured values, and which way is worse. Pure: texts in, texts out. Any text may come in.
 *
 *   both intervals known     they overlap: same; apart and by more than the threshold: better or worse
 *   no interval, or only one by more than the threshold: better or worse
 */
#ifndef GNOMON_BENCH_COMPARE_COMPARE_H
#define GNOMON_BENCH_COMPARE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/log.h"

#define COMPARE_MAX_BYTES (64ul << 20) /* of a file */
#define COMPARE_MAX_FILES 16           /* with the base */

struct compare_file;
struct comparison;

/*
 * Parses what was read from `name`, which messages use and which is copied. -EINVAL, logged: it is no JSON, no result
 * of a bench, of another version, or contradicts itself. -ENOMEM, logged.
 */
int must_check compare_load(const char *name, const char *text, size_t len, struct compare_file **ret_file);
void compare_file_free(struct compare_file *file);
/* The name of table i, NULL behind the last; and whether there is one of that name. */
const char *compare_table_name(const struct compare_file *file, size_t i);
bool compare_has_table(const struct compare_file *file, const char *name);

/*
 * Compares 2 to COMPARE_MAX_FILES files, which must outlive the comparison. `threshold` is in percent. -EINVAL, logged:
 * a file has no row in common with the base, two rows that cannot be told apart, or a column in another unit; or no value
 * at all was measured in two of them. -ENOMEM, logged.
 */
int must_check compare_files(const struct compare_file *const *files, size_t nr_files, double threshold,
                             struct comparison **ret_comparison);
void comparison_free(struct comparison *comparison);

/* True when any value of any file got worse. */
bool comparison_is_worse(const struct comparison *comparison);

/* For people: what differs between the environments, the rows that changed, or `all`, and totals. -ENOMEM, -EIO. */
int must_check comparison_print(const struct comparison *comparison, bool all, FILE *to);

/* All of it for programs; docs/gnomon.1 describes the object. -ENOMEM, -EIO. */
int must_check comparison_write_json(const struct comparison *comparison, FILE *to);

#endif
