/* SPDX-License-Identifier: MIT */
#include "bench/workload/walks_line.h"

#include <errno.h>
#include <string.h>

#include "bench/line_parts.h"

/* Each page's walk has from low to high references; sums that do not fit are none of such pages. */
static bool is_possible(uint64_t pages, uint64_t low, uint64_t high, uint64_t sum_low, uint64_t sum_high)
{
	if (pages == 0)
		return !low && !high && !sum_low && !sum_high;
	return low && low <= high && high <= LINE_MAX_REFS && pages <= INT64_MAX / LINE_MAX_REFS &&
	       sum_low >= pages * low && sum_low <= sum_high && sum_high <= pages * high;
}

int walks_output_parse(const char *text, size_t len, const struct op_request *request, struct walks_model *ret_model)
{
	struct line_cursor c = {text, text + len};
	uint64_t pages, low, high, sum_low, sum_high;
	struct op_ticks ticks;
	int r;

	if (!line_field(&c, "walks pages=", &pages) || !line_field(&c, " low=", &low) ||
	    !line_field(&c, " high=", &high) || !line_field(&c, " sum_low=", &sum_low) ||
	    !line_field(&c, " sum_high=", &sum_high) || !line_skip(&c, "\n"))
		return -EBADMSG;
	if (!is_possible(pages, low, high, sum_low, sum_high))
		return -ERANGE;
	r = op_output_parse(c.p, c.end - c.p, request, &ticks);
	if (r < 0)
		return r;
	*ret_model = (struct walks_model){.low = low, .high = high};
	if (pages) {
		ret_model->mean_low = (double)sum_low / pages;
		ret_model->mean_high = (double)sum_high / pages;
	}
	return 0;
}
