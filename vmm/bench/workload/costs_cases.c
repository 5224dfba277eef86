/* SPDX-License-Identifier: MIT */
/* The rows of the table `costs`, which guest/cost/rows.c does. Pure. */
#include "bench/workload/costs.h"

/* Blocks are short beside the slices in which the host runs something else on the CPU. */
#define CASE(w, name, number, in_blocks, ...)                                                                          \
	{                                                                                                              \
		.where = BENCH_##w, .row = name, .ops = number, .blocks = in_blocks, __VA_ARGS__                       \
	}

static const struct op_case cases[] = {
    CASE(NESTED, "floor", 256, 32, .what = "OUT to the no-op port at guest CPL 0: the floor itself"),
    CASE(SHADOW, "floor", 256, 32),

    CASE(NESTED, "floor-user", 256, 32, .what = "the same at guest CPL 3"),
    CASE(SHADOW, "floor-user", 256, 32),

    CASE(NESTED, "fault", 512, 64, .what = "first store to a page whose guest entry is there, with A and D set"),
    CASE(SHADOW, "fault", 512, 64, .without = {"prefetch"}, .floors_bar = 1.25, .exits_bar = 1),

    CASE(NESTED, "cr3-load", 256, 32, .what = "CR3 load, of two roots in turn"),
    CASE(SHADOW, "cr3-load", 256, 32, .needs = "root-cache", .exits_bar = 1, .builds_none = true),
    CASE(SHADOW, "cr3-load", 256, 32, .without = {"root-cache"}),

    CASE(NESTED, "invlpg", 256, 32, .what = "INVLPG of a page and a load from it"),
    CASE(SHADOW, "invlpg", 256, 32),

    CASE(NESTED, "table-write", 512, 64, .what = "store to an entry of a leaf table in use"),
    CASE(SHADOW, "table-write", 512, 64, .needs = "emulate-update", .without = {"flood", "unsync"}, .exits_bar = 1),

    CASE(NESTED, "table-flush", 16, 16, .what = "512 stores to one leaf table in use, a CR3 load, a load through it"),
    CASE(SHADOW, "table-flush", 16, 16, .needs = "unsync", .exits_bar = 3),
    CASE(SHADOW, "table-flush", 16, 16, .without = {"unsync"}),

    CASE(NESTED, "touch-4k", 32, 32, .what = "first store to each 4 KiB page of 2 MiB that the host has"),
    CASE(SHADOW, "touch-4k", 32, 32, .needs = "prefetch", .exits_bar = 1, .nested_bar = 1.5),
    CASE(SHADOW, "touch-4k", 32, 32, .needs = "prefetch", .without = {"promote"}, .exits_bar = 1, .nested_bar = 1.5),

    CASE(NESTED, "touch-4k-cold", 32, 32, .what = "the same, the host allocates as well"),
    CASE(SHADOW, "touch-4k-cold", 32, 32, .needs = "prefetch", .exits_bar = 1, .nested_bar = 1.5),

    CASE(NESTED, "touch-2m", 32, 32, .thp = true, .what = "as touch-4k, by one 2 MiB guest page on one of the host's"),
    CASE(SHADOW, "touch-2m", 32, 32, .thp = true),
    CASE(SHADOW, "touch-2m", 32, 32, .thp = true, .without = {"large"}),

    CASE(NESTED, "syscall", 256, 32, .what = "INT3 at guest CPL 3 to the guest's kernel, and IRETQ"),
    CASE(SHADOW, "syscall", 256, 32),

    CASE(NESTED, "interrupt", 256, 32, .what = "interrupt sent to oneself, and IRETQ"),
    CASE(SHADOW, "interrupt", 256, 32),
};

const struct op_set costs_set = {.cases = cases, .nr_cases = sizeof(cases) / sizeof(*cases), .memory = "128M"};

_Static_assert(sizeof(cases) / sizeof(*cases) <= OP_MAX_CASES, "room for the results");
