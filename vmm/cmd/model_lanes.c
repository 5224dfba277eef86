/* SPDX-License-Identifier: MIT */
#include "cmd/model_lanes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "model/design/catalogue.h"
#include "model/design/memory.h"

/*
 * Simulated memory for pages. Only those that are touched take any of ours, but an inverted table has an entry for each
 * frame. All addresses stay below LINES_LIMIT.
 */
#define DATA_LEAST (1ull << 30)
#define DATA_TRACE (64ull << 30) /* of a trace nobody knows how much it touches */
#define DATA_MOST  (4ull << 40)
#define DATA_GIANT (8ull << 30)

/* Address space: of a dimension's tables at least, and what the rest of the process needs. */
#define LIMIT_LEAST (16ull << 20)
#define SPARE       (128ull << 20)

/* Twice what can be touched, as some of it is lost between pages of several sizes. */
static uint64_t data_bytes(const struct model_options *o, uint64_t bytes)
{
	const uint64_t accesses = (uint64_t)(o->accesses + o->warm), page = 1ull << o->page_shift;
	uint64_t touched = (bytes + page - 1) / page * page, data = DATA_LEAST;

	if (o->trace)
		return DATA_TRACE;
	if (accesses && touched / page > accesses)
		touched = accesses * page;
	while (data < 2 * touched && data < DATA_MOST)
		data *= 2;
	/* The first GiB has no page of 1 GiB, and others are cut up (design/memory.c): there are some more, or none. */
	return o->from || o->page_shift == 30 || o->host_page_shift == 30 ? data + DATA_GIANT : data - 4096;
}

/* Each design's walker and MMU. A design that cannot be had says why. -errno, not logged. */
static int try_lanes(const struct model_options *o, const struct model_config *config, struct run_lane *all,
                     char ret_why[MODEL_WHY_MAX])
{
	for (size_t i = 0; i < o->nr_designs; i++) {
		struct run_lane *const lane = &all[i];
		const int r = model_design_parse(o->design[i], config, &lane->walker, ret_why);

		if (r < 0)
			return r;
		lane->mmu = model_mmu_new(&o->shape);
		if (!lane->mmu) {
			snprintf(ret_why, MODEL_WHY_MAX, "%s: there is no memory for its CPU", o->design[i]);
			return -ENOMEM;
		}
	}
	return 0;
}

void model_lanes_free(struct run_lane *lane, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (lane[i].walker)
			walker_destroy(lane[i].walker);
		model_mmu_free(lane[i].mmu);
		run_lane_end(&lane[i]);
	}
	memset(lane, 0, nr * sizeof(*lane));
}

/*
 * As try_lanes(), logged. Room for tables is address space, which a limit (ulimit -v) may keep short: then there is less
 * of it for each design, and some is left for the rest of the process.
 */
int model_lanes_make(const struct model_options *o, uint64_t bytes, struct run_lane *lane, uint64_t *ret_limit)
{
	struct model_config config = MODEL_CONFIG_DEFAULT;
	struct rlimit space;
	char why[MODEL_WHY_MAX] = "";
	int r = -ENOMEM;

	config.backing.page_shift = o->host_page_shift;
	config.data = data_bytes(o, bytes);
	for (; r == -ENOMEM && config.limit >= LIMIT_LEAST; config.limit /= 2) {
		void *spare = model_reserve(SPARE);

		model_lanes_free(lane, o->nr_designs);
		r = try_lanes(o, &config, lane, why);
		if (r == 0 && !spare && config.limit > LIMIT_LEAST)
			r = -ENOMEM;
		model_unreserve(spare, SPARE);
		*ret_limit = config.limit;
	}
	if (r == -ENOMEM && getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
		log_error("--designs: %s: %llu MiB of address space are too little (ulimit -v)", why,
		          (unsigned long long)space.rlim_cur >> 20);
	else if (r < 0)
		log_error("--designs: %s", why);
	return r;
}

void model_lane_say(const struct run_lane *lane, uint64_t limit, char *ret_why, size_t size)
{
	const char *why = lane->error == -EINVAL ? "the design has no such address" : strerror(-lane->error);
	char text[120];

	if (lane->error == -ENOMEM) {
		snprintf(text, sizeof(text), "the tables would exceed the %llu MiB that each dimension has for them%s",
		         (unsigned long long)(limit >> 20),
		         limit < MODEL_CONFIG_DEFAULT.limit ? " under this limit of memory (ulimit -v)" : "");
		why = text;
	} else if (lane->error == -ENOSPC) {
		why = "the simulated memory has no page left";
	}
	snprintf(ret_why, size, "the page of 0x%llx could not be mapped: %s", (unsigned long long)lane->error_at, why);
}

int model_lanes_check(const struct model_options *o, const struct run_lane *lane)
{
	for (size_t i = 0; i < o->nr_designs; i++)
		if (!lane[i].error && !model_mmu_counts(lane[i].mmu)->accesses) {
			log_error("--warm: the trace has no more than %ld accesses: all were warm, and none is left to "
			          "count",
			          o->warm);
			return -EINVAL;
		}
	return 0;
}
