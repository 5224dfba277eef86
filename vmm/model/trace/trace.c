/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "model/trace/trace_parts.h"

/* At least `size` bytes, or all that there are. */
static int fill_up_to(struct trace_source *t, size_t size)
{
	int r = 0;

	while (r == 0 && !t->eof && t->end - t->at < size)
		r = trace_fill(t);
	return r;
}

static void destroy(struct model_source *s)
{
	free(s);
}

int model_source_trace(const struct trace_input *input, struct model_source **ret_source)
{
	static const struct model_source_ops text = {lackey_next, destroy}, binary = {binary_next, destroy};
	struct trace_source *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return log_errno(ENOMEM, "%s", input->name);
	t->input = input;
	r = fill_up_to(t, sizeof(struct trace_head));
	if (r == 0 && t->end == 0) {
		log_error("%s: the trace is empty", input->name);
		r = -EINVAL;
	}
	if (r == 0 && (uint8_t)t->buffer[0] == (uint8_t)TRACE_MAGIC[0]) {
		t->source.ops = &binary;
		r = binary_begin(t);
	} else {
		t->source.ops = &text;
	}
	if (r < 0)
		free(t);
	else
		*ret_source = &t->source;
	return r;
}
