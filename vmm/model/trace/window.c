/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "model/trace/trace_parts.h"

int trace_fill(struct trace_source *t)
{
	ssize_t n;

	if (t->at == t->end)
		t->at = t->end = 0;
	if (t->at) {
		memmove(t->buffer, t->buffer + t->at, t->end - t->at);
		t->end -= t->at;
		t->at = 0;
	}
	BUG_ON(t->end == sizeof(t->buffer));
	n = t->input->read(t->input->ctx, t->buffer + t->end, sizeof(t->buffer) - t->end);
	if (n < 0)
		return n == -EINTR ? -EINTR : log_errno((int)-n, "%s", t->input->name);
	t->end += (size_t)n;
	t->eof = n == 0;
	return 0;
}
