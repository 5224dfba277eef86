/* SPDX-License-Identifier: MIT */
/* The sources of addresses that `gnomon model` is asked for. */
#ifndef GNOMON_CMD_MODEL_SOURCES_H
#define GNOMON_CMD_MODEL_SOURCES_H

#include "cmd/model_options.h"

struct model_input {
	struct model_source *source;
	struct trace_input trace;
	struct model_range *range; /* of a guest; NULL: none */
	size_t nr_ranges;
	bool cut;     /* the ranges are a part of what the guest has */
	void *memory; /* of a workload that works in it; NULL: none */
	uint64_t bytes;
	int fd, give_up_fd; /* fd negative: none */
};

/*
 * Workload `n` with a working set of `bytes`, or the trace or the guest if there is one. Nothing is waited for once `give_up_fd` is
 * readable. -errno, logged. Undone by model_input_close(), in any case; *ret_input stays where it is.
 */
int must_check model_input_open(const struct model_options *o, size_t n, uint64_t bytes, int give_up_fd,
                                struct model_input *ret_input);
void model_input_close(struct model_input *input);

#endif
