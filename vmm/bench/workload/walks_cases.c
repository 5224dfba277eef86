/* SPDX-License-Identifier: MIT */
/* What the workload `walks` counts. Pure. */
#include "bench/workload/walks.h"

const char *const walks_page_name[WALKS_NR_PAGES] = {[WALKS_4K] = "4k", [WALKS_2M] = "2m", [WALKS_1G] = "1g"};
const char *const walks_state_name[WALKS_NR_STATES] = {
    [WALKS_PLAIN] = "plain", [WALKS_HOLES] = "holes", [WALKS_JOINED] = "joined"};

/* A process's own pages are those of its memory. */
static enum walks_page native_page(enum backing backing)
{
	return backing == BACKING_4K ? WALKS_4K : backing == BACKING_HUGETLB1G ? WALKS_1G : WALKS_2M;
}

static size_t guest_cases(enum bench_where where, enum backing backing, bool quick, struct walks_case *to)
{
	const bool holes = !quick && !backing_is_pool(backing);
	size_t n = 0;

	for (enum walks_page page = WALKS_4K; page <= WALKS_2M; page++)
		for (enum walks_state state = WALKS_PLAIN; state <= (holes ? WALKS_JOINED : WALKS_PLAIN); state++)
			to[n++] = (struct walks_case){where, page, backing, state};
	return n;
}

size_t walks_cases(unsigned where, bool quick, struct walks_case ret_cases[WALKS_MAX_CASES])
{
	const enum backing last = quick ? BACKING_THP : BACKING_HUGETLB1G;
	size_t n = 0;

	for (enum bench_where w = BENCH_NATIVE; w < BENCH_NR_WHERE; w++)
		for (enum backing b = BACKING_4K; where >> w & 1 && b <= last; b++) {
			if (w == BENCH_NATIVE)
				ret_cases[n++] = (struct walks_case){w, native_page(b), b, WALKS_PLAIN};
			else
				n += guest_cases(w, b, quick, &ret_cases[n]);
		}
	return n;
}

uint64_t walks_counted(const struct walks_result *result)
{
	uint64_t n = 0;

	for (int i = 0; i <= WALK_MAX_READS; i++)
		n += result->reads[i];
	return n;
}

bool walks_any(const void *results)
{
	const struct walks_results *res = results;

	for (size_t i = 0; i < res->nr_cases; i++)
		if (!*res->result[i].na)
			return true;
	return false;
}
