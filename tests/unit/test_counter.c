/* SPDX-License-Identifier: MIT */
/* A counter without a name, a unit or words is noise in every report: the table has no holes. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "base/counter.h"

Test(counter, table_is_complete)
{
	for (int c = 0; c < CTR_NR; c++) {
		cr_assert(counter_desc[c].name && *counter_desc[c].name, "counter %d has no name", c);
		cr_assert(counter_desc[c].unit && *counter_desc[c].unit, "%s has no unit", counter_desc[c].name);
		cr_assert(counter_desc[c].what && *counter_desc[c].what, "%s has no words", counter_desc[c].name);
	}
}

/* Names are keys in JSON and in scripts. */
Test(counter, names_are_keys)
{
	for (int c = 0; c < CTR_NR; c++) {
		for (const char *p = counter_desc[c].name; *p; p++)
			cr_assert(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_', "%s",
			          counter_desc[c].name);
		for (int d = 0; d < c; d++)
			cr_assert_str_neq(counter_desc[c].name, counter_desc[d].name);
	}
}

/* Each counter counts for itself. */
Test(counter, adds)
{
	struct counters set = {0};

	counter_inc(&set, CTR_EXIT_IO);
	counter_inc(&set, CTR_EXIT_IO);
	counter_add(&set, CTR_CONSOLE_BYTES, 1ull << 40);
	for (int c = 0; c < CTR_NR; c++)
		cr_assert_eq(counter_read(&set, c), c == CTR_EXIT_IO ? 2 : c == CTR_CONSOLE_BYTES ? 1ull << 40 : 0);
}
