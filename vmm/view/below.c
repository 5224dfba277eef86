/* SPDX-License-Identifier: MIT */
#include "view/below.h"

json_t *view_below(struct view_below *b, uint64_t gpa, uint64_t bytes)
{
	json_t *sums = json_object();

	for (uint64_t end; bytes; gpa = end) {
		const char *kind;
		uint64_t n;

		if (b->pieces_left == 0) {
			json_decref(sums);
			return NULL;
		}
		b->pieces_left--;
		kind = b->piece(b->ctx, gpa, &end);
		n = end - gpa < bytes ? end - gpa : bytes;
		bytes -= n;
		json_object_set_new(sums, kind,
		                    json_integer(json_integer_value(json_object_get(sums, kind)) + (json_int_t)n));
	}
	return sums;
}

const char *view_below_piece(void *ctx, uint64_t gpa, uint64_t *ret_end)
{
	static const char *const size[] = {"", "4k", "2m", "1g"};
	const struct pt_source *s = ctx;
	const uint64_t linear = pt_linear(s->fmt, gpa);
	struct pt_path path = {0};
	int level = s->fmt->levels;

	if (linear == gpa) /* else wider than the tree */
		pt_path_foreign(s, gpa, &path);
	if (path.nr)
		level = path.step[path.nr - 1].level;
	*ret_end = (gpa | (pt_span(s->fmt, level) - 1)) + 1;
	return path.mapped && level < (int)(sizeof(size) / sizeof(*size)) ? size[level] : "hole";
}
