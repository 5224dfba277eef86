/* SPDX-License-Identifier: MIT */
/* Writes a trace in Gnomon's own format (source.h), as long as it may be. */
#ifndef GNOMON_MODEL_TRACE_WRITE_H
#define GNOMON_MODEL_TRACE_WRITE_H

#include <stdint.h>
#include <stdio.h>

#include "base/log.h"

struct trace_writer {
	FILE *to; /* the caller's, who also finds out whether writing failed (ferror) */
	uint64_t nr;
};

void trace_write_head(struct trace_writer *w);
void trace_write(struct trace_writer *w, const uint64_t *va, size_t nr);
/* The mark of the end, and how many addresses there were. */
void trace_write_end(struct trace_writer *w);

#endif
