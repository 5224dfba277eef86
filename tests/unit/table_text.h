/* SPDX-License-Identifier: MIT */
/* A table or sentences as text, and what is in it, for tests of reports. */
#ifndef TESTS_UNIT_TABLE_TEXT_H
#define TESTS_UNIT_TABLE_TEXT_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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

/* What `say` has to say of the results. The caller frees the text. */
static inline char *said_text(void (*say)(const void *results, FILE *to), const void *results)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	say(results, to);
	fclose(to);
	return text;
}

/* How often a word is in a text. */
static inline size_t text_count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

#endif
