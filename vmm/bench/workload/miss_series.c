/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/percentile.h"
#include "bench/workload/miss.h"
#include "bench/workload/turn.h"

const struct miss_who_is miss_who[MISS_NR_WHO] = {
    [MISS_REFERENCE] = {"reference", BENCH_NATIVE, MISS_REFERENCE, false},
    [MISS_NATIVE] = {"native", BENCH_NATIVE, MISS_REFERENCE, false},
    [MISS_NATIVE_AGAIN] = {"native again", BENCH_NATIVE, MISS_NATIVE, true},
    [MISS_NESTED] = {"nested", BENCH_NESTED, MISS_NATIVE, false},
    [MISS_NESTED_AGAIN] = {"nested again", BENCH_NESTED, MISS_NESTED, true},
    [MISS_SHADOW] = {"shadow", BENCH_SHADOW, MISS_NATIVE, false},
    [MISS_SHADOW_AGAIN] = {"shadow again", BENCH_SHADOW, MISS_SHADOW, true}};

bool miss_is_done(const struct arena_block *b, uint64_t loads)
{
	return b->loads == loads && b->parts >= 1 && b->parts <= ARENA_PARTS;
}

double miss_ticks(const struct arena_block *b)
{
	double part[ARENA_PARTS];

	for (uint32_t i = 0; i < b->parts; i++)
		part[i] = (double)b->part[i];
	percentile_sort(part, b->parts);
	return percentile(part, b->parts, 50) * b->parts / (double)b->loads;
}

void miss_scale(struct miss_samples *s)
{
	if (s->scaled)
		return;
	s->scaled = true;
	for (size_t i = 0; i < MISS_MAX_RINGS; i++)
		for (int who = 0; who < MISS_NR_WHO; who++)
			for (uint32_t n = 0; n < s->turns; n++)
				s->series[i].ns[who][n] *= 1e3 / s->rate;
}

enum miss_who miss_base(const struct miss_request *q, enum miss_who who)
{
	return q->who >> miss_who[who].of & 1 ? miss_who[who].of : who;
}

int miss_ratio(const struct miss_request *q, size_t ring, enum miss_who who, uint32_t turns,
               struct stats_ratio *ret_ratio)
{
	const struct miss_series *s = &q->samples->series[ring];

	return stats_paired_ratio(s->ns[who], s->ns[miss_base(q, who)], turns, STATS_SEED, ret_ratio);
}

void miss_count_again(const struct miss_request *q, unsigned *rows, unsigned *held)
{
	for (size_t ring = 0; ring < q->nr_rings; ring++) {
		for (int who = 0; who < MISS_NR_WHO; who++) {
			struct stats_ratio ratio;

			if (!miss_who[who].again || !(q->who >> who & 1) ||
			    miss_ratio(q, ring, who, q->samples->turns, &ratio) < 0)
				continue;
			(*rows)++;
			*held += ratio.ci_low <= 1 && 1 <= ratio.ci_high;
		}
	}
}

/* A case that was under way has the turns that were complete by then. */
void miss_interrupted(void *results)
{
	struct miss_results *res = results;

	for (size_t i = 0; i < res->nr; i++) {
		if (*res->na[i])
			continue;
		miss_scale(res->request[i].samples);
		if (!res->request[i].samples->turns)
			reason_set(&res->na[i], "the run was interrupted before");
	}
}

bool miss_any(const void *results)
{
	const struct miss_results *res = results;

	for (size_t i = 0; i < res->nr; i++)
		if (!*res->na[i])
			return true;
	return false;
}

int miss_precision(const struct miss_request *q, uint32_t turns, double *ret_precision)
{
	struct stats_ratio ratio;
	double widest = 0;

	for (size_t i = 0; i < q->nr_rings; i++) {
		for (unsigned who = 0; who < MISS_NR_WHO; who++) {
			int r;

			if (!(q->who >> who & 1) || miss_base(q, who) == who)
				continue;
			r = miss_ratio(q, i, who, turns, &ratio);
			if (r < 0)
				return r;
			widest = fmax(widest, (ratio.ci_high - ratio.ci_low) / 2 / ratio.median);
		}
	}
	*ret_precision = widest;
	return 0;
}

/* Levels that a walk of a process has less over such memory. */
static const int levels_less[BACKING_NR] = {[BACKING_THP] = 1, [BACKING_HUGETLB2M] = 1, [BACKING_HUGETLB1G] = 2};

/* What a miss reads by the model: of a process by its page size, of a guest by its tables. */
static void set_refs(struct report *t, const struct host_info *host, const struct miss_request *q, size_t ring,
                     enum miss_who who)
{
	const struct walk_refs *guest = &q->samples->series[ring].refs[who];
	const int native = bench_native_refs(host, false) - levels_less[q->backing];

	if (miss_who[who].where == BENCH_NATIVE)
		report_set_range(t, "walk_refs", native, native);
	else if (guest->low)
		report_set_range(t, "walk_refs", guest->low, guest->high);
	else
		report_set_na(t, "walk_refs", "the second stage is not known");
}

const char *const miss_undrawn[] = {"reference", "native again", "nested again", "shadow again", NULL};
const char miss_unable_words[] = "KVM's own shadow MMU takes no 1 GiB pages of a guest here";

void miss_set_place(struct report *t, const struct host_info *host, const struct miss_request *q, size_t ring,
                    enum miss_who who)
{
	char words[MISS_MAPPING_WORDS];

	report_set_number(t, "pages", q->ring[ring].pages);
	report_set_text(t, "mapping", miss_mapping_name(q, words));
	report_set_text(t, "environment", miss_who[who].name);
	report_set_text(t, "second_stage", host_second_stage_label(host));
	report_set_text(t, "walk", bench_walk_words(host, miss_who[who].where));
}

/* Columns: of loads, and of an application's operations. */
static const struct {
	const char *time, *p99, *exits, *events, *dtlb;
} names[] = {{"load", "load_p99", "exits_load", "shadow_events_load", "dtlb_load"},
             {"time", "time_p99", "exits", "shadow_events", "dtlb"}};

static void set_dtlb(struct report *t, const char *column, const struct miss_request *q, size_t ring, enum miss_who who)
{
	const struct miss_series *s = &q->samples->series[ring];
	const int error = q->samples->pmu_error;
	char reason[160];

	if (!error && s->counted[who]) {
		report_set_number(t, column, (double)s->dtlb[who] / s->counted[who]);
		return;
	}
	snprintf(reason, sizeof(reason), "no counter of dTLB misses: %s",
	         error == ENOENT || error == EOPNOTSUPP || !error ? "the CPU shows none here" : strerror(error));
	report_set_na(t, column, reason);
}

/* A turn that was taken anew, or cut short, is none of them. */
static uint32_t disturbed_turns(const struct miss_series *s, enum miss_who who, uint32_t turns)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < turns; n++)
		nr += s->disturbed[who][n];
	return nr;
}

/* What hit the row's turns, and what that makes of them. */
static void set_noise(struct report *t, const struct miss_samples *samples, uint32_t disturbed,
                      const struct stats_summary *ns)
{
	const double stolen = samples->stolen / samples->seconds;

	report_set_number(t, "disturbed", disturbed);
	if (isfinite(stolen))
		report_set_number(t, "stolen", 100 * stolen);
	else
		report_set_na(t, "stolen", "the kernel does not say");
	turn_set_noise(t, ns, disturbed, stolen);
}

int miss_set_samples(struct report *t, const struct host_info *host, const struct miss_request *q, size_t ring,
                     enum miss_who who)
{
	const struct miss_series *s = &q->samples->series[ring];
	static const char what_it_is[] = "it is what the others are compared with";
	const enum miss_who base = miss_base(q, who);
	const int kind = q->app != ARENA_NO_APP;
	const uint32_t turns = q->samples->turns;
	struct stats_summary ns;
	struct stats_ratio ratio;
	int r = stats_summarise(s->ns[who], turns, STATS_SEED, &ns);

	if (r == 0)
		r = miss_ratio(q, ring, who, turns, &ratio);
	if (r < 0)
		return r;
	set_refs(t, host, q, ring, who);
	report_set_number(t, names[kind].time, ns.median);
	report_set_interval(t, names[kind].time, ns.ci_low, ns.ci_high);
	report_set_number(t, names[kind].p99, ns.p99);
	if (base == who) {
		report_set_na(t, "ratio_to", what_it_is);
		report_set_na(t, "ratio", what_it_is);
		report_set_na(t, "ratio_ci_low", what_it_is);
		report_set_na(t, "ratio_ci_high", what_it_is);
	} else {
		report_set_text(t, "ratio_to", miss_who[base].name);
		report_set_ratio(t, "ratio", &ratio);
	}
	report_set_number(t, names[kind].exits, (double)s->exits[who] / s->loads[who]);
	if (miss_who[who].where == BENCH_SHADOW)
		report_set_number(t, names[kind].events, (double)s->shadow_events[who] / s->loads[who]);
	else
		report_set_na(t, names[kind].events, "only shadow mode has a shadow of ours");
	set_dtlb(t, names[kind].dtlb, q, ring, who);
	set_noise(t, q->samples, disturbed_turns(s, who, turns), &ns);
	report_set_number(t, "n", turns);
	return 0;
}
