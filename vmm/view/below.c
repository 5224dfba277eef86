/* SPDX-License-Identifier: MIT */
#include "view/below.h"

#include <string.h>

#include "base/log.h"

#define MAX_KINDS 8 /* more than any source of pieces has words */

json_t *view_below(struct view_below *b, uint64_t gpa, uint64_t bytes)
{
	const char *kind[MAX_KINDS];
	uint64_t sum[MAX_KINDS], end;
	json_t *sums;
	int nr = 0;

	for (; bytes; gpa = end) {
		const char *is;
		uint64_t n;
		int i = 0;

		if (b->pieces_left == 0)
			return NULL;
		b->pieces_left--;
		is = b->piece(b->ctx, gpa, &end);
		n = end - gpa < bytes ? end - gpa : bytes;
		bytes -= n;
		while (i < nr && strcmp(kind[i], is) != 0)
			i++;
		if (i == nr) {
			BUG_ON(nr == MAX_KINDS);
			kind[nr] = is;
			sum[nr++] = 0;
		}
		sum[i] += n;
	}
	sums = json_object();
	for (int i = 0; i < nr; i++)
		json_object_set_new(sums, kind[i], json_integer((json_int_t)sum[i]));
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
