/* SPDX-License-Identifier: MIT */
/* The rows of the table `nano`, which guest/cost/nano.c does; and what others published. Pure. */
#include <math.h>

#include "bench/workload/nano.h"

#define CASE(w, name, number, in_blocks, ...)                                                                          \
	{                                                                                                              \
		.where = BENCH_##w, .row = name, .ops = number, .blocks = in_blocks, __VA_ARGS__                       \
	}
#define BOTH(name, number, in_blocks, words)                                                                           \
	CASE(NESTED, name, number, in_blocks, .what = (words)), CASE(SHADOW, name, number, in_blocks)

#define CALLS  (1 << 20) /* so many that they take longer than to read the clock */
#define STORES (1 << 18)

static const struct op_case cases[] = {
    BOTH("syscall", 256, 32, "INT3 at guest CPL 3 to the guest's kernel, and IRETQ"),
    BOTH("in", 256, 32, "IN from a port of the VMM, at guest CPL 0"),
    BOTH("cr8wr", 256, 32, "MOV to CR8 of the value that it has, at guest CPL 0"),

    CASE(NATIVE, "callret", CALLS, 32, .what = "CALL of a RET, at guest CPL 0; native in a process"),
    CASE(NESTED, "callret", 8192, 32),
    CASE(SHADOW, "callret", CALLS, 32),
    BOTH("callret-user", CALLS, 32, "the same at guest CPL 3"),

    BOTH("pgfault", 256, 32, "store at guest CPL 3 to a page that is not there; the guest's handler skips it"),
    BOTH("divzero", 256, 32, "DIV by 0 at guest CPL 3; the guest's handler skips it"),

    CASE(NESTED, "ptemod", 512, 64, .what = "store to an entry of a leaf table in use, at guest CPL 0"),
    CASE(SHADOW, "ptemod", STORES, 64),
    CASE(SHADOW, "ptemod", 512, 64, .without = {"flood", "unsync"}),

    BOTH("hypercall", 256, 32, "OUT to the no-op port at guest CPL 0: the floor itself"),
    BOTH("protfault", 256, 32, "as pgfault, to a page that is read-only"),
    BOTH("demand-fill", 512, 64, "first store to a page: the guest's handler maps it, the store runs again"),

    BOTH("munmap", 32, 32, "INT3, 64 entries of a table cleared, a CR3 load, IRETQ, a store beside the 64 pages"),
    CASE(SHADOW, "munmap", 32, 32, .without = {"flood", "unsync"}),
    BOTH("mprotect", 32, 32, "the same, the entries made read-only; nobody stores there"),
    CASE(SHADOW, "mprotect", 32, 32, .without = {"flood", "unsync"}),

    BOTH("fork-1", 16, 16, "64 pages copied on write; the child writes 4, exits, and the parent writes 4"),
    CASE(SHADOW, "fork-1", 16, 16, .without = {"flood", "unsync"}),
    BOTH("fork-32", 16, 16, "the same by 32 processes in turn, with a switch to each"),

    BOTH("ctx-2", 256, 32, "INT3, a CR3 load, IRETQ, and a store to 4 pages: a ring of 2 address spaces"),
    BOTH("ctx-8", 256, 32, "the same with 8"),
    CASE(SHADOW, "ctx-8", 256, 32, .without = {"root-cache"}),
    BOTH("ctx-64", 256, 32, "the same with 64"),
};

const struct op_set nano_set = {
    .cases = cases, .nr_cases = sizeof(cases) / sizeof(*cases), .memory = "128M", .native = nano_native};

_Static_assert(sizeof(cases) / sizeof(*cases) <= OP_MAX_CASES, "room for the results");

const struct nano_published nano_adams_agesen[] = {
    {"syscall", "syscall", {NAN, NAN, NAN}},     {"in", "in", {3209, 214, 15826}},
    {"cr8wr", "cr8wr", {NAN, NAN, NAN}},         {"callret", "call/ret", {11, 51, 11}},
    {"pgfault", "pgfault", {1093, 3927, 11242}}, {"divzero", "divzero", {889, 3223, 1014}},
    {"ptemod", "ptemod", {1, 391, 12733}},
};
const size_t nano_nr_adams_agesen = sizeof(nano_adams_agesen) / sizeof(*nano_adams_agesen);

const struct nano_published nano_pvm[] = {
    {"syscall", "getpid", {0.22, 2.09, 0.29}},
    {"hypercall", "no-op hypercall", {0.46, 0.46, 0.54}},
    {"in", "PIO", {3.79, 3.79, 4.91}},
    {"demand-fill", "page fault", {0.15, 0.93, 0.88}},
    {"protfault", "protection fault", {0.66, 3.17, 2.65}},
    {"fork-1", "fork", {82, 505, 437}},
    {"fork-32", "fork, 32 processes", {513, 32000, 5380}},
};
const size_t nano_nr_pvm = sizeof(nano_pvm) / sizeof(*nano_pvm);
