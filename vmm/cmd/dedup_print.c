/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plain.h"
#include "cmd/dedup.h"
#include "cmd/put_json.h"

#define PAGES_IN_MIB 256.0

static const char ksm_runs_file[] = "/sys/kernel/mm/ksm/run";

/* The kernel merges only while somebody has it run. */
static bool ksm_runs(void)
{
	FILE *f = fopen(ksm_runs_file, "re");
	int c = f ? getc(f) : '0';

	if (f)
		fclose(f);
	return c == '1';
}

/* Of all guests: what was given, freed and zero. */
static struct merge_sum sum_up(const struct dedup *d, uint64_t *ret_requests)
{
	struct merge_sum s = {0};

	*ret_requests = 0;
	for (unsigned i = 0; i < d->n; i++) {
		const struct merge_sum *g = &d->guest[i].sum.pages;

		*ret_requests += d->guest[i].f.requests;
		s.given += g->given;
		s.freed += g->freed;
		s.zero += g->zero;
	}
	return s;
}

static int64_t saved(const struct merge_sum *s)
{
	return (int64_t)(s->freed + s->zero) - (int64_t)s->given;
}

static void print_text(const struct dedup *d)
{
	uint64_t requests;
	const struct merge_sum s = sum_up(d, &requests);

	for (unsigned i = 0; i < d->n; i++) {
		const struct dedup_sum *g = &d->guest[i].sum;

		printf(
		    "%-24s  %8.1f MiB %s, %.1f MiB of zeroes given back, %llu pages changed meanwhile; stood still for "
		    "%.1f ms, %.1f ms at once\n",
		    d->guest[i].path, g->pages.merged / PAGES_IN_MIB, d->ksm ? "advised" : "merged",
		    g->pages.zero / PAGES_IN_MIB, (unsigned long long)g->pages.differ, g->pause_us / 1e3,
		    g->longest_pause_us / 1e3);
		if (g->pages.full)
			printf("%-24s  %8.1f MiB stay: the host has no mappings left for them (vm.max_map_count)\n", "",
			       g->pages.full / PAGES_IN_MIB);
	}
	if (!d->ksm) /* what was merged before costs nothing, but lies in an older store until all have left it */
		printf("%s %.1f MiB: %.1f MiB that cost the host memory are %.1f MiB in the store\n",
		       saved(&s) < 0 ? "costs for now" : "saved", (double)llabs(saved(&s)) / PAGES_IN_MIB,
		       (s.freed + s.zero) / PAGES_IN_MIB, s.given / PAGES_IN_MIB);
	else if (!ksm_runs())
		printf("KSM does not run: it merges what it was told once %s is 1\n", ksm_runs_file);
	printf("%llu pages were hashed in %.1f ms; %llu hashes asked for and %llu compared in %.1f ms; merged in %.1f "
	       "ms, %llu requests\n",
	       (unsigned long long)d->hashed, d->update_us / 1e3, (unsigned long long)d->hashes,
	       (unsigned long long)d->comparisons, d->find_us / 1e3, d->work_us / 1e3, (unsigned long long)requests);
}

static json_t *guest_json(const struct dedup_client *g)
{
	const struct merge_sum *s = &g->sum.pages;
	char socket[PATH_MAX]; /* a path may hold anything, JSON may not */

	snprintf(socket, sizeof(socket), "%s", g->path);
	plain_string(socket);
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "socket", socket, "gone", g->gone,
	                 "given", (json_int_t)s->given, "merged", (json_int_t)s->merged, "freed", (json_int_t)s->freed,
	                 "differ", (json_int_t)s->differ, "absent", (json_int_t)s->absent, "zero", (json_int_t)s->zero,
	                 "full", (json_int_t)s->full, "pause_us", (json_int_t)g->sum.pause_us, "longest_pause_us",
	                 (json_int_t)g->sum.longest_pause_us);
}

static void print_json(const struct dedup *d)
{
	uint64_t requests;
	const struct merge_sum s = sum_up(d, &requests);
	json_t *guests = json_array();
	json_t *out = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "with", d->ksm ? "ksm" : "gnomon",
	                        "saved", (json_int_t)saved(&s), "hashed", (json_int_t)d->hashed, "hashes",
	                        (json_int_t)d->hashes, "comparisons", (json_int_t)d->comparisons, "requests",
	                        (json_int_t)requests, "update_us", (json_int_t)d->update_us, "find_us",
	                        (json_int_t)d->find_us, "work_us", (json_int_t)d->work_us, "guests", guests);

	for (unsigned i = 0; i < d->n; i++)
		json_array_append_new(guests, guest_json(&d->guest[i]));
	put_json(out, JSON_INDENT(2));
	json_decref(out);
}

void dedup_print(const struct dedup *d)
{
	(d->json ? print_json : print_text)(d);
}
