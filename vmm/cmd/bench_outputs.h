/* SPDX-License-Identifier: MIT */
/* The outputs of `gnomon bench`, looked at before minutes are spent. */
#ifndef GNOMON_CMD_BENCH_OUTPUTS_H
#define GNOMON_CMD_BENCH_OUTPUTS_H

#include "cmd/bench_options.h"

/*
 * Each can be written as far as that is known, and none is another one, or in the place of what is read or run. After
 * bench_options_check(), which finds that. Makes the directory of --plot. -errno, logged.
 */
int must_check bench_outputs_check(const struct bench_options *o);

#endif
