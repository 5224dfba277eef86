/* SPDX-License-Identifier: MIT */
#include "bench/workload/sharing.h"

#define US_PER_S  1e6
#define US_PER_MS 1e3
#define MIB       1048576.0
#define GIB       1073741824.0
#define PERCENT   100.0
#define FIRST_BAR 80 /* percent of the hash's own speed */

const uint64_t sharing_k[SHARING_KS] = {0, 1, 10, 100, 1000, 10000, 30000, UINT64_MAX};

static const struct report_column first_columns[] = {
    {"hash", "hash", NULL, 0},
    {"memory", "memory", "MiB", 0},
    {"hash_alone", "hash alone", "GiB/s", 2},
    {"fingerprint", "first fingerprint", "GiB/s", 2},
    {"of_hash", "of the hash", "percent", 1},
    {"of_hash_ci_low", "from", "percent", 1},
    {"of_hash_ci_high", "to", "percent", 1},
    {"n", "n", NULL, 0},
};
static const struct report_layout first_layout = {"sharing", first_columns,
                                                  sizeof(first_columns) / sizeof(*first_columns), NULL};

static const struct report_column diff_columns[] = {
    {"hash", "hash", NULL, 0},
    {"changed", "pages changed", NULL, 0},
    {"compared", "comparisons", NULL, 0},
    {"update", "update", "ms", 3},
    {"descent", "descent", "ms", 3},
    {"memcmp", "memcmp of all", "ms", 3},
    {"bitmap", "by a bitmap", "ms", 3},
    {"n", "n", NULL, 0},
};
static const struct report_layout diff_layout = {"sharing-diff", diff_columns,
                                                 sizeof(diff_columns) / sizeof(*diff_columns), NULL};

static double median(const double *us, int n)
{
	struct stats_summary s;

	return stats_summarise(us, (size_t)n, STATS_SEED, &s) == 0 ? s.median : 0;
}

static int add_first(struct report *t, const void *results, size_t i)
{
	const struct sharing_results *res = results;
	struct stats_ratio ratio;
	int r;

	if (sharing_index(i) >= 0)
		return 0;
	r = stats_paired_ratio(res->other[i], res->update[i], (size_t)res->rounds, STATS_SEED, &ratio);
	if (r < 0)
		return r;
	report_row(t);
	report_set_text(t, "hash", share_algorithm_name(sharing_hash(i)));
	report_set_number(t, "memory", res->size / MIB);
	report_set_number(t, "hash_alone", res->size / GIB * US_PER_S / median(res->other[i], res->rounds));
	report_set_number(t, "fingerprint", res->size / GIB * US_PER_S / median(res->update[i], res->rounds));
	report_set_number(t, "of_hash", ratio.median * PERCENT);
	report_set_interval(t, "of_hash", ratio.ci_low * PERCENT, ratio.ci_high * PERCENT);
	report_set_number(t, "n", res->rounds);
	return 0;
}

static uint64_t changed(const struct sharing_results *res, size_t i)
{
	const uint64_t k = sharing_k[sharing_index(i)], all = res->size / PAGE_SIZE;

	return k < all ? k : all;
}

/* A small memory has several of them that are all its pages: one row. */
static bool is_row(const struct sharing_results *res, size_t i)
{
	return sharing_index(i) == 0 || (sharing_index(i) > 0 && changed(res, i) != changed(res, i - 1));
}

static int add_diff(struct report *t, const void *results, size_t i)
{
	const struct sharing_results *res = results;
	const int n = res->rounds;

	if (!is_row(res, i))
		return 0;
	report_row(t);
	report_set_text(t, "hash", share_algorithm_name(sharing_hash(i)));
	report_set_number(t, "changed", changed(res, i));
	report_set_number(t, "compared", res->comparisons[i]);
	report_set_number(t, "update", median(res->update[i], n) / US_PER_MS);
	report_set_number(t, "descent", median(res->descent[i], n) / US_PER_MS);
	report_set_number(t, "memcmp", median(res->other[i], n) / US_PER_MS);
	report_set_number(t, "bitmap", median(res->bitmap[i], n) / US_PER_MS);
	report_set_number(t, "n", n);
	return 0;
}

int sharing_report_first(const void *results, struct report **ret_table)
{
	return report_build(&first_layout, results, SHARING_CASES, add_first, ret_table);
}

int sharing_report_diff(const void *results, struct report **ret_table)
{
	return report_build(&diff_layout, results, SHARING_CASES, add_diff, ret_table);
}

/* Between which numbers of pages update and descent begin to take longer than memcmp() of everything. */
static void explain_crossover(const struct sharing_results *res, enum share_algorithm hash, FILE *to)
{
	const size_t first = hash * (1 + SHARING_KS) + 1;
	const unsigned long long all = res->size / PAGE_SIZE;

	for (size_t i = first; i < first + SHARING_KS; i++) {
		const double ours = median(res->update[i], res->rounds) + median(res->descent[i], res->rounds);

		if (ours <= median(res->other[i], res->rounds))
			continue;
		fprintf(to,
		        "With %s, update and descent take longer than memcmp of everything from %llu to %llu of %llu "
		        "changed "
		        "pages on.\n",
		        share_algorithm_name(hash), i == first ? 0 : (unsigned long long)changed(res, i - 1),
		        (unsigned long long)changed(res, i), all);
		return;
	}
	fprintf(to, "With %s, update and descent take less than memcmp of everything whatever changed.\n",
	        share_algorithm_name(hash));
}

void sharing_explain(const void *results, FILE *to)
{
	const struct sharing_results *res = results;

	if (!res->rounds)
		return;
	for (size_t i = 0; i < SHARING_CASES; i++) {
		struct stats_ratio ratio;

		if (sharing_index(i) < 0 &&
		    stats_paired_ratio(res->other[i], res->update[i], (size_t)res->rounds, STATS_SEED, &ratio) == 0)
			fprintf(to, "The first fingerprint has %.0f %% of the speed of %s alone%s.\n",
			        ratio.median * PERCENT, share_algorithm_name(sharing_hash(i)),
			        ratio.median * PERCENT < FIRST_BAR ? ": less than 80 %" : "");
	}
	for (int hash = 0; hash < SHARING_HASHES; hash++)
		explain_crossover(res, hash, to);
	fputs("memcmp needs both memories at one place; a descent needs their hashes.\n", to);
	sharing_guests_explain(res, to);
}
