/* SPDX-License-Identifier: MIT */
/* The operations, one for each row of the benchmark's table. The README.md at the top says what they mean. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>
#include <stddef.h>

#include "balloon.h"
#include "cost.h"
#include "enclave.h"
#include "mmu.h"
#include "nano.h"
#include "walks.h"

#define PAGE      4096ull
#define USED      (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D) /* a leaf as a kernel builds it for memory that is in use */
#define FAULTS    256                                     /* in each leaf table */
#define ENTRIES   512
#define COST_MANY (1 << 20)
#define COST_LOADS (1 << 23)
#define STAMP(n)  (0x5354414d50000000ull + (n))

volatile uint32_t cost_interrupts;
static bool wrong;

static inline void touch(uint64_t at)
{
	__asm__ volatile("movb $1, (%0)" : : "r"(at) : "memory");
}

/* Page `n` of the region, and frame `n`, which is mapped at its own address as well. */
static inline uint64_t page(uint64_t n)
{
	return COST_REGION + n * PAGE;
}

static inline uint64_t frame(uint64_t n)
{
	return COST_FRAMES + n * PAGE;
}

/* The host provides its memory before the clock runs. */
static void have_memory(uint32_t tables)
{
	for (uint32_t i = 0; i < tables * ENTRIES; i++)
		touch(frame(i));
}

void cost_floor(uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".rept 8\n\tout %%al, %%dx\n\t.endr" : : "a"(0), "d"(GNOMON_PORT_NOP));
}

static void run_floor(uint32_t from, uint32_t n)
{
	cost_floor(n);
}

/* The tables are already in use. */
static void prepare_fault(uint32_t most)
{
	const uint32_t tables = most / FAULTS;

	cost_map_falling(tables, USED);
	for (uint32_t t = 0; t < tables; t++)
		touch(page(t * ENTRIES));
}

static void run_fault(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++)
		touch(page(i / FAULTS * ENTRIES + 1 + i % FAULTS));
}

static void prepare_touch(uint32_t most)
{
	have_memory(most);
	cost_map_region(most);
}

static void prepare_touch_cold(uint32_t most)
{
	cost_map_region(most);
}

/* Brings in the host's memory by 4 KiB pages behind the large ones, so that the large pages' own tables are new. */
static void prepare_touch_large(uint32_t most)
{
	cost_map_region(most);
	for (uint32_t t = 0; t < most; t++) {
		cost_pd[t + COST_TABLES] = cost_pd[t];
		cost_pd[t] = frame(t * ENTRIES) | USED | PTE_PS;
	}
	for (uint32_t i = 0; i < most * ENTRIES; i++)
		touch(page(COST_TABLES * ENTRIES + i));
}

static void run_touch(uint32_t from, uint32_t n)
{
	for (uint32_t i = from * ENTRIES; i < (from + n) * ENTRIES; i++)
		touch(page(i));
}

static void run_cr3_load(uint32_t from, uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".rept 4\n\tmov %0, %%cr3\n\tmov %1, %%cr3\n\t.endr"
		                 :
		                 : "r"(cost_pml4[1]), "r"(cost_pml4[0])
		                 : "memory");
}

static void prepare_one_table(uint32_t most)
{
	cost_map_region(2); /* the second for its frames */
	have_memory(2);
	*(uint64_t *)frame(0) = STAMP(0);
	*(uint64_t *)frame(ENTRIES) = STAMP(1);
}

static void run_invlpg(uint32_t from, uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".rept 8\n\tinvlpg (%0)\n\tmov (%0), %%rax\n\t.endr"
		                 :
		                 : "r"(page(0))
		                 : "rax", "memory");
}

/* What pass `pass` over the first table writes into entry `i`: frames of the first 2 MiB, and of the second. */
static uint64_t rewritten(uint32_t pass, uint32_t i)
{
	return frame(((pass & 1) ^ 1) * ENTRIES + i) | USED;
}

static void write_entries(uint64_t *to, uint64_t value, uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".rept 8\n\tmov %1, (%0)\n\tadd $8, %0\n\tadd $4096, %1\n\t.endr"
		                 : "+r"(to), "+r"(value)
		                 :
		                 : "memory");
}

/* 8 entries at a time: `from` and `n` are multiples of that, and no such group crosses the table's end. */
static void run_table_write(uint32_t from, uint32_t n)
{
	if (from == 0) /* the table is in use, by the CPL that writes it */
		*(volatile uint8_t *)page(0);
	for (uint32_t i = from; i < from + n; i += 8)
		write_entries(&cost_pt[0][i % ENTRIES], rewritten(i / ENTRIES, i % ENTRIES), 8);
}

static bool check_table_write(uint32_t n)
{
	for (uint32_t i = 0; i < ENTRIES; i++)
		if (*(uint64_t *)&cost_pt[0][i] != (i < n % ENTRIES ? rewritten(n / ENTRIES, i)
		                                    : n < ENTRIES   ? (frame(i) | USED)
		                                                    : rewritten(n / ENTRIES - 1, i)))
			return false;
	return true;
}

static void run_table_flush(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++) {
		write_entries(cost_pt[0], rewritten(i, 0), ENTRIES);
		__asm__ volatile("mov %0, %%cr3" : : "r"(cost_pml4[0]) : "memory");
		wrong |= *(volatile uint64_t *)page(0) != STAMP((i & 1) ^ 1);
	}
}

static bool check_table_flush(uint32_t n)
{
	return !wrong;
}

static void run_syscall(uint32_t from, uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".rept 8\n\tint3\n\t.endr" : : "a"(0) : "memory");
}

static void run_interrupt(uint32_t from, uint32_t n)
{
	__asm__ volatile("sti");
	for (; n; n -= 8)
		__asm__ volatile(".rept 8\n\tout %%eax, %%dx\n\t.endr"
		                 :
		                 : "a"(GNOMON_IPI(0, COST_VECTOR)), "d"(GNOMON_PORT_IPI)
		                 : "memory");
	__asm__ volatile("cli");
}

static bool check_interrupt(uint32_t n)
{
	return cost_interrupts == n;
}

#define WALKS(NAME, PREPARE)                                                                                           \
	{                                                                                                              \
		.name = NAME, .unit = 16, .most = COST_MANY, .prepare = PREPARE, .run = run_walks,                     \
		.check = check_walks                                                                                   \
	}
#define BUILD(NAME, PAGES, PREPARE)                                                                                    \
	{                                                                                                              \
		.name = NAME, .kernel = true, .unit = PAGES, .most = ENCLAVE_MOST, .prepare = PREPARE,                 \
		.run = run_enclave_build, .check = check_enclave_build                                                 \
	}
#define CALL(NAME, KERNEL, PREPARE, RUN)                                                                               \
	{                                                                                                              \
		.name = NAME, .kernel = KERNEL, .unit = 8, .most = COST_MANY, .prepare = PREPARE, .run = RUN,          \
		.check = check_enclave                                                                                 \
	}
#define BALLOON(NAME, UNIT, MOST, PREPARE, RUN)                                                                        \
	{                                                                                                              \
		.name = NAME, .unit = UNIT, .most = MOST, .prepare = PREPARE, .run = RUN, .check = check_balloon       \
	}
#define NANO(NAME, UNIT, MOST, PREPARE, RUN, CHECK)                                                                    \
	{                                                                                                              \
		.name = NAME, .unit = UNIT, .most = MOST, .prepare = PREPARE, .run = RUN, .check = CHECK               \
	}
#define NANO_KERNEL(NAME, UNIT, MOST, PREPARE, RUN, CHECK)                                                             \
	{                                                                                                              \
		.name = NAME, .kernel = true, .unit = UNIT, .most = MOST, .prepare = PREPARE, .run = RUN,              \
		.check = CHECK                                                                                         \
	}

const struct cost_row cost_rows[] = {
    {.name = "floor", .kernel = true, .unit = 8, .most = COST_MANY, .run = run_floor},
    {.name = "floor-user", .unit = 8, .most = COST_MANY, .run = run_floor},
    {.name = "fault", .unit = 1, .most = COST_TABLES * FAULTS, .prepare = prepare_fault, .run = run_fault},
    {.name = "cr3-load", .kernel = true, .unit = 8, .most = COST_MANY, .run = run_cr3_load},
    {.name = "invlpg", .kernel = true, .unit = 8, .most = COST_MANY, .prepare = prepare_one_table, .run = run_invlpg},
    {.name = "table-write",
     .kernel = true,
     .unit = 8,
     .most = COST_MANY,
     .prepare = prepare_one_table,
     .run = run_table_write,
     .check = check_table_write},
    {.name = "table-flush",
     .kernel = true,
     .unit = 1,
     .most = COST_MANY,
     .prepare = prepare_one_table,
     .run = run_table_flush,
     .check = check_table_flush},
    {.name = "touch-4k", .unit = 1, .most = COST_TABLES, .prepare = prepare_touch, .run = run_touch},
    {.name = "touch-4k-cold", .unit = 1, .most = COST_TABLES, .prepare = prepare_touch_cold, .run = run_touch},
    {.name = "touch-2m", .unit = 1, .most = COST_TABLES, .prepare = prepare_touch_large, .run = run_touch},
    {.name = "first-write",
     .unit = 1,
     .most = MMU_PAGES,
     .prepare = prepare_first_write,
     .run = run_first_write,
     .check = check_first_write},
    {.name = "table-data",
     .kernel = true,
     .unit = 1,
     .most = MMU_TABLES,
     .prepare = prepare_table_data,
     .run = run_table_data,
     .check = check_table_data},
    {.name = "syscall", .unit = 8, .most = COST_MANY, .run = run_syscall},
    {.name = "interrupt", .kernel = true, .unit = 8, .most = COST_MANY, .run = run_interrupt, .check = check_interrupt},
    BALLOON("reclaim-4k", 1, COST_SINGLES, prepare_singles, run_reclaim_4k),
    BALLOON("reclaim-4k-untouched", 1, COST_SINGLES, prepare_untouched, run_reclaim_4k),
    BALLOON("return-4k", 1, COST_SINGLES, prepare_singles_away, run_return_4k),
    BALLOON("return-touch-4k", 1, COST_SINGLES, prepare_singles_away, run_return_touch_4k),
    BALLOON("reclaim-2m", 1, COST_BLOCKS, prepare_blocks, run_reclaim_2m),
    BALLOON("reclaim-2m-untouched", 1, COST_BLOCKS, prepare_untouched, run_reclaim_2m),
    BALLOON("reclaim-2m-report", 1, COST_BLOCKS, prepare_blocks, run_report_2m),
    BALLOON("return-2m", 1, COST_BLOCKS, prepare_blocks_away, run_return_2m),
    BALLOON("return-touch-2m", 1, COST_BLOCKS, prepare_blocks_away, run_return_touch_2m),
    BALLOON("slice-split", 1, COST_BLOCKS, prepare_blocks, run_split),
    BALLOON("slice-zap", 1, COST_BLOCKS, prepare_blocks, run_zap),
    BALLOON("load-dense", 16, COST_MANY, prepare_load_dense, run_load),
    BALLOON("load", 16, COST_MANY, prepare_load, run_load),
    BALLOON("load-holes", 16, COST_MANY, prepare_load_holes, run_load),
    BALLOON("load-joined", 16, COST_MANY, prepare_load_joined, run_load),
    WALKS("walks-4k", prepare_walks_4k),
    WALKS("walks-4k-holes", prepare_walks_4k_holes),
    WALKS("walks-4k-joined", prepare_walks_4k_joined),
    WALKS("walks-2m", prepare_walks_2m),
    WALKS("walks-2m-holes", prepare_walks_2m_holes),
    WALKS("walks-2m-joined", prepare_walks_2m_joined),
    CALL("enclave-call", true, prepare_enclave_call, run_enclave_call),
    CALL("enclave-call-user", false, prepare_enclave_call, run_enclave_call),
    CALL("enclave-out", true, prepare_enclave_out, run_enclave_resume),
    CALL("enclave-fault", true, prepare_enclave_fault, run_enclave_resume),
    BUILD("enclave-build-4k", ENCLAVE_PAGES_4K, prepare_enclave_build_4k),
    BUILD("enclave-build-64k", ENCLAVE_PAGES_64K, prepare_enclave_build_64k),
    BUILD("enclave-build-1m", ENCLAVE_PAGES_1M, prepare_enclave_build_1m),
    BUILD("enclave-build-16m", ENCLAVE_PAGES_16M, prepare_enclave_build_16m),
    BUILD("enclave-build-256m", ENCLAVE_PAGES_256M, prepare_enclave_build_256m),
    {.name = "enclave-chase-in",
     .unit = 16,
     .most = COST_LOADS,
     .prepare = prepare_enclave_chase,
     .run = run_enclave_chase,
     .check = check_enclave},
    {.name = "enclave-chase-out",
     .unit = 16,
     .most = COST_LOADS,
     .prepare = prepare_enclave_outside,
     .run = run_enclave_outside},
    {.name = "enclave-walks",
     .unit = 16,
     .most = COST_LOADS,
     .prepare = prepare_enclave_chase,
     .run = run_enclave_chase,
     .check = check_enclave_walks},
    NANO_KERNEL("hypercall", 8, COST_MANY, NULL, run_floor, NULL),
    NANO_KERNEL("in", 8, COST_MANY, NULL, run_in, NULL),
    NANO_KERNEL("cr8wr", 8, COST_MANY, NULL, run_cr8wr, NULL),
    NANO_KERNEL("callret", 8, COST_MANY, NULL, run_callret, NULL),
    NANO("callret-user", 8, COST_MANY, NULL, run_callret, NULL),
    NANO("pgfault", 1, COST_MANY, prepare_pgfault, run_store, check_faults),
    NANO("protfault", 1, COST_MANY, prepare_protfault, run_store, check_faults),
    NANO("divzero", 1, COST_MANY, prepare_divzero, run_divzero, check_faults),
    NANO_KERNEL("ptemod", 8, COST_MANY, prepare_one_table, run_table_write, check_table_write),
    NANO("demand-fill", 1, COST_TABLES *NANO_FILLS, prepare_fill, run_fill, check_faults),
    NANO("munmap", 1, COST_TABLES, prepare_ranges, run_munmap, check_ranges),
    NANO("mprotect", 1, COST_TABLES, prepare_ranges, run_mprotect, check_ranges),
    NANO("fork-1", 1, COST_MANY, prepare_fork_1, run_fork, check_spaces),
    NANO("fork-32", 1, COST_MANY, prepare_fork_32, run_fork, check_spaces),
    NANO("ctx-2", 1, COST_MANY, prepare_ctx_2, run_ctx, check_spaces),
    NANO("ctx-8", 1, COST_MANY, prepare_ctx_8, run_ctx, check_spaces),
    NANO("ctx-64", 1, COST_MANY, prepare_ctx_64, run_ctx, check_spaces),
};
const uint32_t cost_nr_rows = sizeof(cost_rows) / sizeof(*cost_rows);
