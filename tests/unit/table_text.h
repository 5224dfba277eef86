/* SPDX-License-Identifier: MIT */
/* A table as text, for tests of reports. */
#ifndef TESTS_UNIT_TABLE_TEXT_H
#define TESTS_UNIT_TABLE_TEXT_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "bench/report/report.h"

/* What `write` makes of the table, which is freed. The caller frees the text. */
static inline char *table_text(struct report *table, int (*write)(const struct report *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	cr_assert_eq(write(table, to), 0);
	fclose(to);
	report_free(table);
	return text;
}

#endif
