/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "bench/line_parts.h"
#include "bench/workload/switch.h"

#define NS_PER_US 1e3

const char *const switch_mode[SWITCH_NR_TO] = {[SWITCH_TO_SHADOW] = "shadow", [SWITCH_TO_NESTED] = "nested"};

int switch_output_parse(const char *text, size_t len, double *const ret_us[SWITCH_NR_TO])
{
	struct line_cursor c = {text, text + len};
	double us[SWITCH_NR_TO][SWITCH_PAIRS];

	for (int n = 0; n < SWITCH_PAIRS; n++)
		for (enum switch_to to = 0; to < SWITCH_NR_TO; to++) {
			uint64_t ns;

			if (!line_skip(&c, "switch to=") || !line_skip(&c, switch_mode[to]) || !line_skip(&c, " ns=") ||
			    !line_number(&c, &ns) || ns > INT64_MAX || !line_skip(&c, "\n"))
				return -EBADMSG;
			us[to][n] = ns / NS_PER_US;
		}
	if (c.p != c.end)
		return -EBADMSG;
	for (enum switch_to to = 0; to < SWITCH_NR_TO; to++)
		memcpy(ret_us[to], us[to], sizeof(us[to]));
	return 0;
}
