/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "bench/line_parts.h"
#include "bench/workload/switch.h"

#define NS_PER_US 1e3

const char *const switch_mode[SWITCH_NR_TO] = {[SWITCH_TO_SHADOW] = "shadow", [SWITCH_TO_NESTED] = "nested"};

/* A number of the line. */
static bool take(struct line_cursor *c, const char *name, uint64_t *ret)
{
	return line_skip(c, name) && line_number(c, ret) && *ret <= INT64_MAX;
}

int switch_output_parse(const char *text, size_t len, double *const ret_us[SWITCH_NR_TO],
                        struct switch_counts *ret_counts)
{
	struct line_cursor c = {text, text + len};
	double us[SWITCH_NR_TO][SWITCH_PAIRS];
	uint64_t ns, exits, events;
	struct switch_counts sum = {0};

	for (int n = 0; n < SWITCH_PAIRS; n++)
		for (enum switch_to to = 0; to < SWITCH_NR_TO; to++) {
			if (!line_skip(&c, "switch to=") || !line_skip(&c, switch_mode[to]) || !take(&c, " ns=", &ns) ||
			    !take(&c, " exits=", &exits) || !take(&c, " shadow-events=", &events) ||
			    !line_skip(&c, "\n"))
				return -EBADMSG;
			us[to][n] = ns / NS_PER_US;
			sum.of[to].exits += exits;
			sum.of[to].shadow_events += events;
		}
	if (c.p != c.end)
		return -EBADMSG;
	for (enum switch_to to = 0; to < SWITCH_NR_TO; to++)
		memcpy(ret_us[to], us[to], sizeof(us[to]));
	*ret_counts = sum;
	return 0;
}
