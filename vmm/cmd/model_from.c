/* SPDX-License-Identifier: MIT */
#include "cmd/model_from.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/connection.h"
#include "view/file.h"

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

static int ask_socket(const char *socket, json_t **ret_lines, bool *ret_cut)
{
	const int r =
	    connection_ask_once(socket, ANSWER_MS, "dump-tables", json_pack("{s:s}", "stage", "guest"), ret_lines);

	if (r == 0)
		*ret_cut = is_cut(*ret_lines);
	return r;
}

static void keep_line(void *lines, const char *line)
{
	json_array_append_new(lines, json_string(line));
}

static int read_file(const char *path, json_t **ret_lines, bool *ret_cut)
{
	struct control_error err = {0};
	json_t *lines = json_array();
	struct view_file f;
	int r = view_file_open(&f, path);

	if (r == 0) {
		r = view_file_dump(&f, keep_line, lines, ret_cut, &err);
		view_file_close(&f);
		if (r < 0)
			log_error("--from: %s", err.desc);
	}
	if (r < 0)
		json_decref(lines);
	else
		*ret_lines = lines;
	return r;
}

int model_from(const char *from, struct model_range **ret_range, size_t *ret_nr, bool *ret_cut)
{
	const bool is_file = view_is_file(from);
	struct model_range *range;
	json_t *lines;
	size_t nr;
	int r = is_file ? read_file(from, &lines, ret_cut) : ask_socket(from, &lines, ret_cut);

	if (r < 0)
		return r;
	range = calloc(json_array_size(lines) + 1, sizeof(*range));
	nr = range ? parse_lines(lines, range) : 0;
	json_decref(lines);
	if (!range)
		return log_errno(ENOMEM, "--from");
	if (!nr) {
		log_error("--from: the guest %s %s has no page mapped", is_file ? "in" : "behind", from);
		free(range);
		return -ENODATA;
	}
	if (*ret_cut)
		log_error("--from: only a part of the guest is modelled: %s",
		          is_file ? "its tables are linked in circles, or there are too many"
		                  : "dump-tables left out what is more than it tells");
	*ret_range = range;
	*ret_nr = nr;
	return 0;
}
