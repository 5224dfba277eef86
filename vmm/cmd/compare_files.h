/* SPDX-License-Identifier: MIT */
/* What `gnomon compare` and `gnomon bench --baseline` share: results in files, and a threshold. */
#ifndef GNOMON_CMD_COMPARE_FILES_H
#define GNOMON_CMD_COMPARE_FILES_H

#include "base/log.h"
#include "bench/compare/compare.h"

#define STATUS_WORSE      3 /* a value got worse by more than the threshold */
#define COMPARE_THRESHOLD 5 /* percent, where --threshold does not say */

/* "5" or "5%", 0 to 1000, with decimals. -EINVAL, logged. */
int must_check compare_parse_threshold(const char *arg, double *ret_percent);

/* A file of results, `-` being stdin. -errno, logged. */
int must_check compare_read(const char *path, struct compare_file **ret_file);

/* What such a path is to outfile_same(). */
const char *compare_place(const char *path);

#endif
