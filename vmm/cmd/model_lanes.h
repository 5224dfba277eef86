/* SPDX-License-Identifier: MIT */
/* The designs that `gnomon model` compares, each with a CPU of its own. */
#ifndef GNOMON_CMD_MODEL_LANES_H
#define GNOMON_CMD_MODEL_LANES_H

#include "cmd/model_options.h"
#include "model/run.h"

/*
 * Each design's walker and MMU, for `bytes` that are touched. *ret_limit: bytes that the tables of a dimension may take.
 * -errno, logged: a design that cannot be had says why. model_lanes_free() undoes it in any case.
 */
int must_check model_lanes_make(const struct model_options *o, uint64_t bytes, struct run_lane *lane,
                                uint64_t *ret_limit);
void model_lanes_free(struct run_lane *lane, size_t nr);

/* After a trace. -EINVAL, logged: it ended before an access counted. */
int must_check model_lanes_check(const struct model_options *o, const struct run_lane *lane);

/* A sentence: why the lane stopped. */
void model_lane_say(const struct run_lane *lane, uint64_t limit, char *ret_why, size_t size);

#endif
