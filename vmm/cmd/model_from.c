/* SPDX-License-Identifier: MIT */
#include "cmd/model_from.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/connection.h"

#define ANSWER_MS 10000

/* A line of dump-tables (pgtable/dump.c). False: it is none of pages. */
static bool parse_line(const char *line, struct model_range *ret_range)
{
	uint64_t first, last, pa;
	char attrs[16], size[4];

	if (sscanf(line, "%16" SCNx64 "-%16" SCNx64 " -> %16" SCNx64 " %15s %3s", &first, &last, &pa, attrs, size) != 5)
		return false;
	*ret_range = (struct model_range){.first = first, .bytes = last - first + 1};
	ret_range->page_shift = strcmp(size, "1G") == 0 ? 30 : strcmp(size, "2M") == 0 ? 21 : 12;
	return first <= last && ret_range->bytes && ret_range->bytes % (1ull << ret_range->page_shift) == 0;
}

/* Those below the first root. Runs come in ascending order; what does not is another root's, or a guest's trick. */
static size_t parse_lines(const json_t *lines, struct model_range *range)
{
	uint64_t behind = 0;
	size_t nr = 0;

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const char *line = json_string_value(json_array_get(lines, i));

		if (line && i && strncmp(line, "vCPU", 4) == 0)
			break;
		if (!line || !parse_line(line, &range[nr]) || range[nr].first < behind)
			continue;
		behind = range[nr].first + range[nr].bytes;
		nr++;
		if (!behind)
			break;
	}
	return nr;
}

/* What machine/dump.c ends with. */
static bool is_cut(const json_t *lines)
{
	const size_t nr = json_array_size(lines);
	const char *last = nr ? json_string_value(json_array_get(lines, nr - 1)) : NULL;

	return last && strcmp(last, "more was left out") == 0;
}

int model_from_socket(const char *socket, struct model_range **ret_range, size_t *ret_nr, bool *ret_cut)
{
	struct model_range *range;
	struct connection c;
	json_t *lines;
	size_t nr;
	int r = connection_open(&c, socket, ANSWER_MS);

	if (r < 0)
		return r;
	r = connection_ask(&c, "dump-tables", json_pack("{s:s}", "stage", "guest"), &lines);
	connection_close(&c);
	if (r < 0)
		return r;
	range = calloc(json_array_size(lines) + 1, sizeof(*range));
	nr = range ? parse_lines(lines, range) : 0;
	*ret_cut = is_cut(lines);
	json_decref(lines);
	if (!range)
		return log_errno(ENOMEM, "--from");
	if (!nr) {
		log_error("--from: the guest behind %s has no page mapped", socket);
		free(range);
		return -ENODATA;
	}
	if (*ret_cut)
		log_error(
		    "--from: only a part of the guest is modelled: dump-tables left out what is more than it tells");
	*ret_range = range;
	*ret_nr = nr;
	return 0;
}
