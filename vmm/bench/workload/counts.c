/* SPDX-License-Identifier: MIT */
#include "bench/workload/counts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/counter.h"
#include "bench/workload/turn.h"

#define FILE_MAX (1 << 18)

/* -1: there is none. */
static json_int_t counter_value(const json_t *counters, enum counter c)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (counters, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));
		const json_t *value = json_object_get(entry, "value");

		if (name && strcmp(name, counter_desc[c].name) == 0 && json_is_integer(value))
			return json_integer_value(value);
	}
	return -1;
}

/* The sum of all. False: one is missing. */
static bool shadow_events(const json_t *counters, uint64_t *ret_sum)
{
	*ret_sum = 0;
	for (int c = 0; c < CTR_NR; c++) {
		const json_int_t value = counter_is_shadow_event(c) ? counter_value(counters, c) : 0;

		if (value < 0)
			return false;
		*ret_sum += value;
	}
	return true;
}

/* Of an array of objects with a name and a value, which both sources have. */
static int take(const json_t *counters, struct counts *ret_counts)
{
	const json_int_t exits = counter_value(counters, CTR_EXITS);
	const json_int_t built = counter_value(counters, CTR_SHADOW_PAGES_BUILT);
	struct counts c = {.exits = exits, .pages_built = built};

	if (exits < 0 || built < 0 || !shadow_events(counters, &c.shadow_events))
		return -EBADMSG;
	*ret_counts = c;
	return 0;
}

int counts_parse(const char *json, size_t len, struct counts *ret_counts)
{
	json_t *root = json_loadb(json, len, 0, NULL);
	const int r = take(json_object_get(root, "counters"), ret_counts);

	json_decref(root);
	return r;
}

int counts_ask(struct connection *c, struct counts *ret_counts)
{
	json_t *args = json_pack("{s:s, s:[{s:s}]}", "target", "vm", "providers", "provider", "gnomon"), *value;
	int r = connection_ask(c, "query-stats", args, &value);

	if (r < 0)
		return r;
	r = take(json_object_get(json_array_get(value, 0), "stats"), ret_counts);
	json_decref(value);
	return r < 0 ? log_errno(-r, "query-stats") : 0;
}

struct counts counts_between(const struct counts *before, const struct counts *after)
{
	return (struct counts){.exits = after->exits - before->exits,
	                       .pages_built = after->pages_built - before->pages_built,
	                       .shadow_events = after->shadow_events - before->shadow_events};
}

int counts_file_open(struct counts_file *ret_file)
{
	ret_file->fd = memfd_create("stats", 0); /* the child opens it by its number */
	snprintf(ret_file->path, sizeof(ret_file->path), "/proc/self/fd/%d", ret_file->fd);
	return ret_file->fd < 0 ? -errno : 0;
}

int counts_file_read(const struct counts_file *file, struct counts *ret_counts)
{
	char *text = malloc(FILE_MAX);
	const ssize_t len = text ? pread(file->fd, text, FILE_MAX, 0) : -1;
	const int r = len < 0 ? -errno : counts_parse(text, len, ret_counts);

	free(text);
	return r;
}

void counts_file_close(struct counts_file *file)
{
	close(file->fd);
}

bool counts_begin(struct counts_file *ret_file, bench_reason *ret_reason)
{
	const int r = counts_file_open(ret_file);

	if (r < 0)
		snprintf(*ret_reason, sizeof(*ret_reason), "no file for its statistics: %s", strerror(-r));
	return r == 0;
}

int counts_end(struct counts_file *file, int r, bench_reason *ret_reason, struct counts *ret_counts)
{
	if (r == 0 && !**ret_reason && counts_file_read(file, ret_counts) < 0)
		reason_set(ret_reason, "its statistics cannot be read");
	counts_file_close(file);
	return r;
}

void counts_set(struct report *t, bool shadow, double exits, double events, const char *na)
{
	if (na)
		report_set_na(t, "exits", na);
	else
		report_set_number(t, "exits", exits);
	if (na || !shadow)
		report_set_na(t, "shadow_events", na ? na : "only shadow mode has a shadow of ours");
	else
		report_set_number(t, "shadow_events", events);
}
