/* SPDX-License-Identifier: MIT */
/* The rows of the table `balloon`, and the native ones themselves. guest/cost/balloon.c does the others. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../guest/chase_core.h"
#include "bench/workload/balloon.h"
#include "bench/workload/op_native.h"

#define KIB_4  0x1000ull
#define MIB_2  0x200000ull
#define BLOCKS 128 /* most there are */

#define CASE(w, name, number, in_blocks, size, ...)                                                                    \
	{                                                                                                              \
		.where = BENCH_##w, .row = name, .ops = number, .blocks = in_blocks, .bytes = size, __VA_ARGS__        \
	}
#define SINGLES(w, name, ...) CASE(w, name, 5 * 1024, 5, KIB_4, __VA_ARGS__)
#define RUNS(w, name, ...)    CASE(w, name, 3 * 16, 3, MIB_2, __VA_ARGS__)

static const struct op_case cases[] = {
    SINGLES(NATIVE, "reclaim-4k", .what = "touched pages, every other one: 1024 to a request"),
    SINGLES(NESTED, "reclaim-4k", .exits_bar = 1.0 / 256),
    SINGLES(SHADOW, "reclaim-4k", .exits_bar = 1.0 / 256),

    SINGLES(NATIVE, "reclaim-4k-untouched", .what = "the same, without memory of the host behind them"),
    SINGLES(NESTED, "reclaim-4k-untouched", .exits_bar = 1.0 / 256),
    SINGLES(SHADOW, "reclaim-4k-untouched", .exits_bar = 1.0 / 256),

    SINGLES(NESTED, "return-4k", .what = "such pages back"),
    SINGLES(SHADOW, "return-4k"),

    SINGLES(NESTED, "return-touch-4k", .what = "such pages back and touched"),
    SINGLES(SHADOW, "return-touch-4k"),

    RUNS(NATIVE, "reclaim-2m", .what = "touched, every other 2 MiB: 16 to a request"),
    RUNS(NESTED, "reclaim-2m", .native_bar = 0.8),
    RUNS(SHADOW, "reclaim-2m", .native_bar = 0.8),

    RUNS(NATIVE, "reclaim-2m", .thp = true),
    RUNS(NESTED, "reclaim-2m", .thp = true, .native_bar = 0.8),
    RUNS(SHADOW, "reclaim-2m", .thp = true, .native_bar = 0.8),

    RUNS(NATIVE, "reclaim-2m-untouched", .what = "the same, without memory of the host behind it"),
    RUNS(NESTED, "reclaim-2m-untouched"),
    RUNS(SHADOW, "reclaim-2m-untouched"),

    RUNS(NESTED, "reclaim-2m-report", .what = "touched, reported free instead: only the host's own discard of it"),
    RUNS(SHADOW, "reclaim-2m-report"),
    RUNS(NESTED, "reclaim-2m-report", .thp = true),
    RUNS(SHADOW, "reclaim-2m-report", .thp = true),

    RUNS(NESTED, "return-2m", .what = "such runs back"),
    RUNS(SHADOW, "return-2m"),

    RUNS(NESTED, "return-touch-2m", .what = "such runs back, and each page touched"),
    RUNS(SHADOW, "return-touch-2m"),

    CASE(NESTED, "slice-split", 33, 33, 0,
         .what = "64 KiB out of the middle of 2 MiB, and the other 496 pages touched"),
    CASE(SHADOW, "slice-split", 33, 33, 0),
    CASE(NESTED, "slice-split", 33, 33, 0, .thp = true),
    CASE(SHADOW, "slice-split", 33, 33, 0, .thp = true),

    CASE(NESTED, "slice-zap", 33, 33, 0, .what = "the same end by taking all 2 MiB and giving the 496 pages back"),
    CASE(SHADOW, "slice-zap", 33, 33, 0),

    CASE(NESTED, "load-dense", 17 << 14, 17, 0, .thp = true,
         .what = "dependent load, as many lines as below, side by side"),
    CASE(SHADOW, "load-dense", 17 << 14, 17, 0, .thp = true),

    CASE(NESTED, "load", 17 << 14, 17, 0, .thp = true,
         .what = "dependent load, a line in each page of 192 MiB of 2 MiB mappings"),
    CASE(SHADOW, "load", 17 << 14, 17, 0, .thp = true),

    CASE(NESTED, "load-holes", 17 << 14, 17, 0, .thp = true,
         .what = "the same after 4 KiB of each 2 MiB were reclaimed"),
    CASE(SHADOW, "load-holes", 17 << 14, 17, 0, .thp = true),

    CASE(NESTED, "load-joined", 17 << 14, 17, 0, .thp = true,
         .what = "the same after they came back and the second stage collapsed"),
    CASE(SHADOW, "load-joined", 17 << 14, 17, 0, .thp = true),
};
_Static_assert(sizeof(cases) / sizeof(*cases) <= OP_MAX_CASES, "room for the results");

int balloon_native(const void *native)
{
	const struct op_native *n = native;
	const struct op_request *q = n->request;
	const uint64_t size = 2 * q->most * n->bytes;
	uint64_t tsc[BLOCKS], floor_tsc[BLOCKS];
	char *p = mmap(NULL, size + MIB_2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	BUG_ON(q->blocks > BLOCKS);
	if (p == MAP_FAILED)
		return 1;
	p += -(uintptr_t)p & (MIB_2 - 1);
	madvise(p, size, n->thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (uint64_t at = 0; !strstr(q->row, "untouched") && at < size; at += KIB_4)
		p[at] = 1;
	for (uint32_t b = 0; b < q->blocks; b++) {
		uint64_t begin;

		floor_tsc[b] = op_native_floors();
		begin = chase_tsc();
		for (uint32_t i = 0; i < q->ops / q->blocks; i++)
			if (madvise(p + 2 * (b * (q->ops / q->blocks) + i) * n->bytes, n->bytes, MADV_DONTNEED) < 0)
				return 1;
		tsc[b] = chase_tsc() - begin;
	}
	op_native_print(q, tsc, floor_tsc);
	return 0;
}

const struct op_set balloon_set = {
    .cases = cases,
    .nr_cases = sizeof(cases) / sizeof(*cases),
    .memory = "256M", /* guest/cost/cost.h: COST_MEMORY */
    .native = balloon_native,
};
