/* SPDX-License-Identifier: MIT */
/* The rows of the table `enclave`, which guest/cost/enclave.c does; enclave_native.c the native ones. */
#include "bench/workload/enclave.h"

#define CASE(w, name, number, in_blocks, ...)                                                                          \
	{                                                                                                              \
		.where = BENCH_##w, .row = name, .ops = number, .blocks = in_blocks, __VA_ARGS__                       \
	}

/* In both modes and with both kinds of monitor. */
#define CALLS(name, thread_bar, process_bar, words)                                                                    \
	CASE(NESTED, name, 256, 32, .monitor = "thread", .floors_bar = (thread_bar), .what = (words)),                 \
	    CASE(NESTED, name, 256, 32, .monitor = "process", .floors_bar = (process_bar)),                            \
	    CASE(SHADOW, name, 256, 32, .monitor = "thread", .floors_bar = (thread_bar)),                              \
	    CASE(SHADOW, name, 256, 32, .monitor = "process", .floors_bar = (process_bar))

/* An operation is a page, a block an enclave. */
#define PAGES(w, name, pages, enclaves, ...) CASE(w, name, (pages) * (enclaves), enclaves, .bytes = 4096, __VA_ARGS__)
#define BUILD(name, pages, enclaves, rules, words, once)                                                               \
	PAGES(NATIVE, "enclave-build-" name, pages, enclaves, .what = (words)),                                        \
	    PAGES(NATIVE, "enclave-rules-" name, pages, enclaves, .native_bar = 0.8, .what = (rules)),                 \
	    PAGES(NESTED, "enclave-build-" name, pages, enclaves, .native_bar = 0.8, .monitor = "thread",              \
	          .uncounted = (once)),                                                                                \
	    PAGES(NESTED, "enclave-build-" name, pages, enclaves, .native_bar = 0.8, .monitor = "process",             \
	          .uncounted = (once)),                                                                                \
	    PAGES(SHADOW, "enclave-build-" name, pages, enclaves, .native_bar = 0.8, .monitor = "process",             \
	          .uncounted = (once))

static const struct op_case cases[] = {
    CASE(NESTED, "floor", 256, 32, .what = "OUT to the no-op port at guest CPL 0: the floor itself"),
    CASE(SHADOW, "floor", 256, 32),
    CASE(NESTED, "floor-user", 256, 32, .what = "the same at guest CPL 3"),
    CASE(SHADOW, "floor-user", 256, 32),

    CALLS("enclave-call", 2.5, 4, "ENTER of an enclave that does nothing but EXIT, from CPL 0"),
    CALLS("enclave-call-user", 2.5, 4, "the same from CPL 3, which a kernel may let use the port"),
    CALLS("enclave-out", 0, 0, "RESUME of an enclave that does CALL_OUT next"),
    CALLS("enclave-fault", 0, 0, "RESUME of an enclave that faults next, at an address that it has not: AEX"),

    CASE(NESTED, "enclave-chase-out", 9 << 19, 9, .monitor = "process",
         .what = "dependent load, a line in each of 4096 pages of 4 KiB, by a program of the guest"),
    CASE(SHADOW, "enclave-chase-out", 9 << 19, 9, .monitor = "process"),
    CASE(NESTED, "enclave-chase-in", 9 << 19, 9, .monitor = "process",
         .what = "the same by an enclave, which has these pages; one call for 524288 loads"),
    CASE(SHADOW, "enclave-chase-in", 9 << 19, 9, .monitor = "process"),

    BUILD("4k", 1, 32, "the same calls to the rules of vmm/enclave in a process of the host: no guest, no monitor",
          "a page's part of CREATE, ADD of 128 pages a call that measures them, INIT; native: BLAKE2b of it and "
          "nothing else",
          false),
    BUILD("64k", 16, 8, NULL, NULL, false),
    BUILD("1m", 256, 4, NULL, NULL, false),
    /* Not with --quick: */
    BUILD("16m", 4096, 2, NULL, NULL, false),
    BUILD("256m", 65536, 1, NULL, NULL, true),
};

#define NR       (sizeof(cases) / sizeof(*cases))
#define NR_QUICK (NR - 2 * 5)

_Static_assert(NR <= OP_MAX_CASES, "room for the results");

/* As much memory as guest/cost/enclave.c needs, and room for the largest enclave with its tables. */
const struct op_set enclave_set = {
    .cases = cases, .nr_cases = NR, .memory = "512M", .enclave_memory = "300M", .native = enclave_native};
const struct op_set enclave_quick_set = {
    .cases = cases, .nr_cases = NR_QUICK, .memory = "512M", .enclave_memory = "300M", .native = enclave_native};
