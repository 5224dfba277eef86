/* SPDX-License-Identifier: MIT */
/* What the readers of both formats share: a window on the input. */
#ifndef GNOMON_MODEL_TRACE_TRACE_PARTS_H
#define GNOMON_MODEL_TRACE_TRACE_PARTS_H

#include "model/trace/source.h"

struct trace_source {
	struct model_source source;
	const struct trace_input *input;
	bool eof;        /* there is nothing behind the buffer */
	size_t at, end;  /* what is left of the buffer */
	uint64_t line;   /* text: lines before `at` */
	bool skips;      /* text: `at` is inside a line that does not count */
	uint64_t second; /* text: the other page of an access that crosses two; 0: none */
	uint64_t offset; /* binary: of `at` in the trace */
	uint64_t nr;     /* addresses so far */
	bool ended;      /* binary: the end was there */
	char buffer[65536];
};

/* Reads behind what is left, for which there must be room. At the input's end `eof` is set. -errno, logged; -EINTR. */
int must_check trace_fill(struct trace_source *t);

int must_check lackey_next(struct model_source *s, size_t max, uint64_t *ret_va, size_t *ret_nr);
int must_check binary_next(struct model_source *s, size_t max, uint64_t *ret_va, size_t *ret_nr);

/* Takes the head. -EINVAL, logged. */
int must_check binary_begin(struct trace_source *t);

#endif
