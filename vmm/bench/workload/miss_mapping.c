/* SPDX-License-Identifier: MIT */
/* Which pages a guest has over which of the host's, and how many; and which applications. Pure. */
#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <string.h>

#include "bench/workload/miss.h"

static const uint32_t quick_sizes[] = {16, 256, 1024, 8192, 65536};
static const uint32_t full_sizes[] = {16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072};

#define APP_QUICK_PAGES 16384 /* 64 MiB */
#define APP_FULL_PAGES  65536

#define WARM_MOST 16384 /* loads */

#define NR(list) (sizeof(list) / sizeof(*(list)))
_Static_assert(NR(full_sizes) <= MISS_MAX_RINGS && BENCH_MAX_SIZES <= MISS_MAX_RINGS, "room for the results");
_Static_assert(2 * ARENA_NR_STRIDES <= MISS_MAX_RINGS, "room for the results");

static const enum arena_kind kinds[BENCH_NR_PAGES] = {
    [BENCH_PAGE_4K] = ARENA_SMALL, [BENCH_PAGE_2M] = ARENA_HUGE, [BENCH_PAGE_1G] = ARENA_GIANT};

static const char *const page_names[ARENA_NR_KINDS] = {
    [ARENA_SMALL] = "4k", [ARENA_HUGE] = "2m", [ARENA_APART] = "4k", [ARENA_GIANT] = "1g"};

static void choose_sizes(struct miss_request *q, const struct bench_plan *plan)
{
	const struct bench_mappings *m = &plan->mappings;
	const uint32_t *sizes = m->nr_sizes ? m->sizes : plan->quick ? quick_sizes : full_sizes;

	q->nr_rings = m->nr_sizes ? m->nr_sizes : plan->quick ? NR(quick_sizes) : NR(full_sizes);
	for (size_t i = 0; i < q->nr_rings; i++)
		q->ring[i] = (struct miss_ring){.pages = sizes[i]};
}

static void choose_strides(struct miss_request *q)
{
	q->nr_rings = 2 * ARENA_NR_STRIDES;
	for (size_t i = 0; i < q->nr_rings; i++)
		q->ring[i] = (struct miss_ring){
		    .pages = ARENA_APART_PAGES, .stride = i % ARENA_NR_STRIDES, .cold = i >= ARENA_NR_STRIDES};
}

struct mapping {
	enum arena_kind kind;
	enum backing backing;
};
#define MAX_MAPPINGS (BENCH_NR_PAGES * BACKING_NR)

static void add(struct miss_results *res, struct mapping mapping)
{
	struct miss_request *q = &res->request[res->nr++];

	q->kind = mapping.kind;
	q->backing = mapping.backing;
	if (q->kind == ARENA_APART)
		choose_strides(q);
	else
		choose_sizes(q, res->plan);
}

/* Those that the plan asks for. 0: it says nothing. */
static size_t wanted(const struct bench_mappings *m, struct mapping ret_mapping[MAX_MAPPINGS])
{
	const unsigned pages = m->pages ? m->pages : 1 << BENCH_PAGE_4K | 1 << BENCH_PAGE_2M;
	const unsigned backings = m->backings ? m->backings : 1 << BACKING_4K | 1 << BACKING_THP;
	size_t n = 0;

	if (!m->pages && !m->backings)
		return 0;
	for (int page = 0; page < BENCH_NR_PAGES; page++)
		for (int backing = 0; backing < BACKING_NR; backing++)
			if (pages >> page & 1 && backings >> backing & 1)
				ret_mapping[n++] = (struct mapping){kinds[page], backing};
	return n;
}

/* Pages of one size in guest and host, and those that lie apart, unless the plan says something else. */
int miss_choose(struct miss_results *res)
{
	struct mapping mapping[MAX_MAPPINGS] = {{ARENA_SMALL, BACKING_4K}, {ARENA_HUGE, BACKING_THP}};
	const struct bench_mappings *m = &res->plan->mappings;
	size_t n = wanted(m, mapping);
	const bool all = n == 0;

	res->nr = 0;
	for (size_t i = 0; i < (all ? 2 : n); i++)
		add(res, mapping[i]);
	if (all && !m->nr_sizes)
		add(res, (struct mapping){ARENA_APART, BACKING_4K});
	return 0;
}

/* An arena holds the data of one application, and of one size of it: each is a case. */
static int add_app(struct miss_results *res, enum arena_app app, struct mapping mapping)
{
	const struct bench_mappings *m = &res->plan->mappings;
	const uint32_t own = res->plan->quick ? APP_QUICK_PAGES : APP_FULL_PAGES;

	for (size_t i = 0; i < (m->nr_sizes ? m->nr_sizes : 1); i++) {
		if (res->nr == MISS_MAX_CASES) {
			log_error("workload apps takes %d cases at most: choose fewer sizes (--ws) or mappings "
			          "(--pages, --backing)",
			          MISS_MAX_CASES);
			return -E2BIG;
		}
		res->request[res->nr++] = (struct miss_request){.app = app,
		                                                .kind = mapping.kind,
		                                                .backing = mapping.backing,
		                                                .ring = {{.pages = m->nr_sizes ? m->sizes[i] : own}},
		                                                .nr_rings = 1};
	}
	return 0;
}

int miss_choose_apps(struct miss_results *res)
{
	struct mapping mapping[MAX_MAPPINGS] = {
	    {ARENA_SMALL, BACKING_4K}, {ARENA_SMALL, BACKING_THP}, {ARENA_HUGE, BACKING_THP}};
	size_t n = wanted(&res->plan->mappings, mapping);
	int r = 0;

	res->nr = 0;
	if (n == 0)
		n = 3;
	for (int app = ARENA_NO_APP + 1; app < ARENA_NR_APPS; app++)
		for (size_t i = 0; r == 0 && i < n; i++)
			r = add_app(res, app, mapping[i]);
	return r;
}

const char *miss_mapping_name(const struct miss_request *q, char buf[MISS_MAPPING_WORDS])
{
	snprintf(buf, MISS_MAPPING_WORDS, "%s on %s", page_names[q->kind], backing_name(q->backing));
	return buf;
}

const char *miss_mapping_words(const struct miss_request *q, char buf[MISS_MAPPING_WORDS])
{
	if (q->kind == ARENA_APART)
		return "pages that lie apart";
	snprintf(buf, MISS_MAPPING_WORDS, "pages of %s on %s", page_names[q->kind], backing_name(q->backing));
	return buf;
}

size_t miss_apart(const struct miss_results *res)
{
	size_t i = 0;

	while (i < res->nr && res->request[i].kind != ARENA_APART)
		i++;
	return i;
}

uint64_t miss_warm_loads(const struct miss_ring *ring)
{
	if (ring->cold)
		return 0;
	return MISS_WHOLE(ring->pages < WARM_MOST ? ring->pages : WARM_MOST);
}

uint64_t miss_arena_bytes(const struct miss_request *q)
{
	const uint64_t unit = q->backing == BACKING_HUGETLB1G ? PAGE_1G : PAGE_2M;
	uint64_t pages = 0;

	for (size_t i = 0; i < q->nr_rings; i++)
		pages = q->ring[i].pages > pages ? q->ring[i].pages : pages;
	return round_up(pages * PAGE_SIZE, unit);
}
