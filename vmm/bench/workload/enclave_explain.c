/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "bench/workload/enclave.h"

static void explain_bar(const struct op_case *c, const struct stats_ratio *ratio, bool more_is_better,
                        const char *words, double bar, FILE *to)
{
	fprintf(to, "%s, %s%s%s: %.3f %s, bar %.2f: %s.\n", c->row, bench_environments[c->where].name,
	        c->monitor ? ", monitor a " : "", c->monitor ? c->monitor : "", ratio->median, words, bar,
	        stats_bar(ratio, bar, more_is_better));
}

static void explain_bars(const struct op_results *res, size_t i, FILE *to)
{
	const struct op_case *c = op_case_of(res, i);
	const struct op_series *s = &res->series[i];
	struct stats_ratio ratio;
	size_t reference;

	if (!op_has_times(res, i))
		return;
	if (c->floors_bar > 0 && stats_paired_ratio(s->us, s->floor_us, res->plan->rounds, STATS_SEED, &ratio) == 0)
		explain_bar(c, &ratio, false, "floors", c->floors_bar, to);
	if (c->native_bar > 0 && enclave_blake2b(res, i, &reference) && op_time_ratio(res, reference, i, &ratio) == 0)
		explain_bar(c, &ratio, true, "of BLAKE2b's rate", c->native_bar, to);
}

/* A load inside by one outside, in the same mode. */
static void explain_loads(const struct op_results *res, enum bench_where where, FILE *to)
{
	size_t in = res->set->nr_cases, out = in;
	struct stats_ratio ratio;
	char words[STATS_WORDS];

	for (size_t i = 0; i < res->set->nr_cases; i++) {
		const struct op_case *c = op_case_of(res, i);

		if (c->where == where && strcmp(c->row, "enclave-chase-in") == 0)
			in = i;
		if (c->where == where && strcmp(c->row, "enclave-chase-out") == 0)
			out = i;
	}
	if (in == res->set->nr_cases || out == in || op_time_ratio(res, in, out, &ratio) < 0)
		return;
	fprintf(to, "A load inside an enclave takes %.2f times one outside in %s mode (%s).\n", ratio.median,
	        bench_environments[where].name, stats_interval(ratio.ci_low, ratio.ci_high, 2, words));
}

static void explain_table(const struct op_results *res, FILE *to)
{
	if (!bench_times_na(res->plan->host))
		fprintf(
		    to,
		    "Times are the guest's own TSC (%.1f MHz): the median block of a run, and of that the median of "
		    "%d rounds.\n"
		    "A floor is an OUT to the no-op port in the same run, at the operation's own CPL.\n",
		    res->tsc_mhz, res->plan->rounds);
	fputs("ENTER and EXIT alone are not measured: only the enclave could say when the one ends and the other "
	      "begins, and "
	      "its\nVM's time-stamp counter has another zero than the guest's. A call has one of each.\n"
	      "The guest's requests are made beforehand. The third stage is composed into the enclave's own tables at "
	      "INIT, so a\nload inside walks what it would walk without it: there is no cost in the steady state.\n",
	      to);
	for (size_t i = 0; i < res->set->nr_cases; i++)
		if (op_case_of(res, i)->what)
			fprintf(to, "  %-18s %s\n", op_case_of(res, i)->row, op_case_of(res, i)->what);
	if (res->plan->host->second_stage == HOST_STAGE_SOFTWARE_PVM)
		fputs("On this host KVM emulates guest CPL 0 instruction by instruction, so the floor there is no trap "
		      "of a "
		      "CPU, in\n"
		      "nested mode. An enclave runs at CPL 3, and its kernel at CPL 3 has a floor of the same kind.\n",
		      to);
	bench_explain_host(res->plan->host, to);
}

void enclave_explain(const void *results, FILE *to)
{
	const struct enclave_results *res = results;

	if (op_any(results)) {
		explain_table(&res->op, to);
		explain_loads(&res->op, BENCH_NESTED, to);
		explain_loads(&res->op, BENCH_SHADOW, to);
		for (size_t i = 0; i < res->op.set->nr_cases; i++)
			explain_bars(&res->op, i, to);
	}
	if (res->nr_runs)
		fputs(
		    "Walks: native by its page size, a guest's from its own tables, an enclave's counted by the "
		    "monitor "
		    "over the\n"
		    "tables that it has, the third stage's own among them, in the second of two sweeps over the first "
		    "pages or all.\n"
		    "No hardware walks a third stage: these are the references of a CPU that would, without its "
		    "caches. "
		    "Of a\n"
		    "second stage the tables, of 4 KiB leaves, are made for the count. cache: the mean with a check "
		    "cache of so many\n"
		    "frames. tables: the third stage's, by 256 MiB of secure memory in use.\n",
		    to);
}
