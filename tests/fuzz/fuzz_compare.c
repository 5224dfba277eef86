/* SPDX-License-Identifier: MIT */
/*
 * Any two texts as results: refused, or compared and written, as text that is fit for a terminal and as JSON that
 * parses. A result against itself is never worse.
 *
 * Input: a byte that is the threshold, then two texts with a zero byte between them.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_text(const struct comparison *c, bool all)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	require(f && comparison_print(c, all, f) == 0);
	fclose(f);
	for (size_t i = 0; i < len; i++)
		require((unsigned char)text[i] >= ' ' || text[i] == '\n');
	free(text);
}

static void check_json(const struct comparison *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	json_t *root;

	require(f && comparison_write_json(c, f) == 0);
	fclose(f);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	require(root && json_is_true(json_object_get(root, "worse")) == comparison_is_worse(c));
	json_decref(root);
	free(text);
}

static void run(const struct compare_file *base, const struct compare_file *other, double threshold)
{
	const struct compare_file *const files[] = {base, other};
	struct comparison *c;

	if (compare_files(files, 2, threshold, &c) < 0)
		return;
	check_text(c, false);
	check_text(c, true);
	check_json(c);
	require(base != other || !comparison_is_worse(c));
	comparison_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size ? memchr(data + 1, 0, size - 1) : NULL;
	struct compare_file *a = NULL, *b = NULL;
	double threshold;

	if (!zero)
		return 0;
	threshold = data[0];
	if (compare_load("a", (const char *)data + 1, zero - data - 1, &a) == 0 &&
	    compare_load("b", (const char *)zero + 1, data + size - zero - 1, &b) == 0) {
		run(a, a, threshold);
		run(a, b, threshold);
		run(b, a, threshold);
	}
	compare_file_free(a);
	compare_file_free(b);
	return 0;
}
