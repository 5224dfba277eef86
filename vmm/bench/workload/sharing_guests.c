/* SPDX-License-Identifier: MIT */
#include "bench/workload/sharing_guests.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/workload/turn.h"

struct sharing_guest_size sharing_guest_size(enum sharing_what what, bool quick)
{
	if (quick)
		return (struct sharing_guest_size){.memory = 64, .set = 16, .guests = 2};
	return what == SHARING_SNAPSHOT ? (struct sharing_guest_size){.memory = 1024, .set = 512, .guests = 1}
	                                : (struct sharing_guest_size){.memory = 256, .set = 128, .guests = 4};
}

int sharing_guests_begin(struct sharing_guests *g, const struct bench_plan *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SHARING_GUEST_CASES; i++) {
		if (plan->host)
			reason_without_kvm(&g->na[i], plan->host);
		for (int v = 0; r == 0 && v < SHARING_VALUES; v += 2)
			r = series_pair(plan->rounds, &g->value[i][v], &g->value[i][v + 1]);
	}
	return r;
}

void sharing_guests_release(struct sharing_guests *g)
{
	for (size_t i = 0; i < SHARING_GUEST_CASES; i++)
		for (int v = 0; v < SHARING_VALUES; v += 2)
			free(g->value[i][v]);
}

void sharing_guests_describe(size_t i, char *ret_text, size_t size)
{
	static const char *const words[SHARING_NR_WHAT] = {"save and restore", "merge equal guests",
	                                                   "restore guests from one file"};

	snprintf(ret_text, size, "%s, %s", words[sharing_what(i)], bench_environments[sharing_where(i)].name);
}

int sharing_guests_turn(struct sharing_guests *g, const struct bench_plan *plan, size_t i, const struct turn *turn)
{
	struct sharing_drive d = {.what = sharing_what(i),
	                          .mode = bench_environments[sharing_where(i)].paging,
	                          .kernel = plan->file[BENCH_KERNEL],
	                          .size = sharing_guest_size(sharing_what(i), plan->quick)};
	double value[SHARING_VALUES] = {0};
	char path[SHARING_PATH];
	int r = socket_place_make(&d.place);

	if (r < 0) {
		snprintf(g->na[i], sizeof(g->na[i]), "no place for sockets and snapshots: %s", strerror(-r));
		return 0;
	}
	r = turn_call(turn, sharing_guests_drive, &d, &g->na[i]);
	for (size_t n = 0; n < SHARING_FILES; n++)
		unlink(sharing_file(&d, sharing_file_names[n], path));
	socket_place_remove(&d.place);
	if (r < 0 || *g->na[i])
		return r;
	if (sharing_guests_parse(turn->child->out, turn->child->out_len, d.what, value) < 0)
		reason_set(&g->na[i], "its output is no result");
	for (int v = 0; v < SHARING_VALUES; v++)
		g->value[i][v][turn->round] = value[v];
	return 0;
}
