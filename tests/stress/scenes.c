/* SPDX-License-Identifier: MIT */
/*
 * Sequences that chance alone would hardly find: a table is linked at a place where it was not, without a flush; a
 * frame becomes a table while another CPU, which does not trap, still knows a way to write it.
 */
#include <gnomon/x86.h>

#include "stress.h"

#define LOOSE_FIRST 16 /* entries of a table that no address of the arena leads through */
#define LOOSE_LAST  39
#define FLOODS      6 /* stores after which a table counts as data */

/* Frames of the tables on a way, by level; 0: where it leads to. */
struct way {
	unsigned frame[5];
};

static uint64_t entry_to(const struct arena *a, unsigned frame)
{
	return (a->base + ((uint64_t)frame << 12)) | PTE_P | PTE_W | PTE_A | PTE_D;
}

static void put(struct cpu *cpu, unsigned frame, unsigned slot, uint64_t value)
{
	struct access x = {.op = OP_MOV, .width = 3};

	access_direct(cpu, &x, frame * SLOTS + slot, value);
}

static volatile uint64_t *loose_entry(const struct arena *a, unsigned frame, unsigned index)
{
	return word_pointer(a, frame * SLOTS) - slot_index[0] + index;
}

/* The slot of `page` at one level becomes another one. */
static unsigned other_slot(struct arena *a, unsigned page, int level)
{
	const unsigned old = page_slot(page, level), slot = (old + 1 + dice(a, SLOTS - 1)) % SLOTS;

	return page ^ (old ^ slot) << 3 * (level - 1);
}

/* Makes a way to `page` from this root, through tables of `homes`' parity, and has all CPUs forget what was there. */
static struct way make_way(struct cpu *cpu, unsigned root, unsigned page, unsigned parity)
{
	struct arena *a = cpu->arena;
	struct way way = {.frame[4] = root};

	for (int level = 3; level >= 0; level--) {
		const unsigned pairs = a->homes[level] / 2;

		way.frame[level] = a->home[level][2 * dice(a, pairs) + parity];
		put(cpu, way.frame[level + 1], page_slot(page, level + 1), entry_to(a, way.frame[level]));
	}
	step_invalidate_everywhere(cpu, page);
	return way;
}

void scene_link_anew(struct cpu *cpu, unsigned page)
{
	struct arena *a = cpu->arena;
	const struct way way = make_way(cpu, a->tlb[cpu->id].root, page, dice(a, 2));
	const int level = 2 + dice(a, 2); /* of the table that gets another link */
	const unsigned anew = other_slot(a, page, level), table = way.frame[level];

	put(cpu, table, page_slot(anew, level), 0);
	step_invalidate_everywhere(cpu, anew);
	step_touch(cpu, page);
	for (unsigned n = 1 + dice(a, 3); n > 0; n--)
		put(cpu, way.frame[1], dice(a, 2) ? page_slot(page, 1) : dice(a, SLOTS), make_value(a, 1));
	put(cpu, table, page_slot(anew, level), entry_to(a, way.frame[level - 1]));
	for (unsigned n = 3; n > 0; n--)
		step_touch(cpu, n == 3 ? anew : (anew & ~(SLOTS - 1)) | dice(a, SLOTS));
}

/* Ends the shadow of the tables above the leaf table, as if they were data; perhaps of each, perhaps of none. */
static void flood(struct cpu *cpu, const struct way *way)
{
	for (int level = 4; level >= 2; level--)
		for (unsigned n = dice(cpu->arena, 8) ? FLOODS : 0; n > 0; n--)
			*loose_entry(cpu->arena, way->frame[level], LOOSE_FIRST) = 0;
}

/* What a read by the kernel finds at `page` must be `frame`. */
static void expect_frame(struct cpu *cpu, unsigned page, unsigned frame)
{
	uint64_t seen;

	if (access_reads(cpu, page_address(page) + CODE_SLOT * 8, &seen) &&
	    seen == frame_code(cpu->arena, frame, false))
		return;
	arena_record(cpu, "page, wanted frame", page, frame);
	fail(cpu, "a page leads elsewhere than the table says that another CPU wrote");
}

/*
 * Memory behind the arenas, of which each scene uses two pages: no entry of an arena leads there otherwise. The kernel
 * has it by 4 KiB pages, one of which it takes away for a while.
 */
#define STAGE       (ARENAS_BASE + ((uint64_t)MAX_ARENAS << ARENA_SHIFT))
#define STAGE_PAGES 512

static uint64_t window[STAGE_PAGES] __attribute__((aligned(4096)));

static uint64_t *stage(unsigned n)
{
	return (uint64_t *)(STAGE + ((uint64_t)n << 12));
}

/* Counts when the CPU flushes. */
static void show(const uint64_t *page, bool shown)
{
	const uint64_t entry = (uint64_t)page | PTE_P | PTE_W | PTE_A | PTE_D;

	*(volatile uint64_t *)&window[((uint64_t)page - STAGE) >> 12] = shown ? entry : 0;
}

void scenes_init(void)
{
	const uint64_t *pdpt = (uint64_t *)(*(uint64_t *)(boot_cr3 & PTE_ADDR) & PTE_ADDR);
	volatile uint64_t *pd = (volatile uint64_t *)(*pdpt & PTE_ADDR);

	for (unsigned n = 0; n < STAGE_PAGES; n++)
		window[n] = (uint64_t)stage(n) | PTE_P | PTE_W | PTE_A | PTE_D;
	pd[STAGE >> 21] = (uint64_t)window | PTE_P | PTE_W | PTE_A;
	cpu_load_cr3(boot_cr3);
}

/* A leaf table with a way to `page` of the stage, and loose entries that lead there as well, or nowhere. */
static void set_leaf_table(volatile uint64_t *table, unsigned index, const uint64_t *page, bool loose)
{
	const uint64_t entry = (uint64_t)page | PTE_P | PTE_W | PTE_A | PTE_D;

	for (unsigned i = LOOSE_FIRST; i <= LOOSE_LAST; i++)
		table[i] = loose ? entry : 0;
	table[index] = entry;
}

/*
 * Another CPU alone knows a way to write a page, for the kernel's own mapping of it is taken away; and it does not
 * trap, while the tables on its way change in ways that end their shadow. Then the page becomes a table.
 */
void scene_bystander(struct cpu *cpu, unsigned page)
{
	static unsigned scenes;
	struct arena *a = cpu->arena;
	struct cpu *other;
	const unsigned mine = page ^ 1 << 9; /* another slot at level 4 */
	const unsigned index = slot_index[page_slot(mine, 1)];
	const uint64_t address = page_address(page) + index * 8;
	uint64_t *leaf, *becomes;
	struct way his, way;

	if (a->id != SHARED || cpus == 1)
		return;
	other = cpu_area((cpu->id + 1 + (cpus > 2 ? dice(a, cpus - 1) : 0)) % cpus);
	leaf = stage(scenes * 2 % STAGE_PAGES);
	becomes = stage(scenes++ * 2 % STAGE_PAGES + 1);
	arena_flush_all(cpu); /* room for what changes below */
	way = make_way(cpu, a->tlb[cpu->id].root, mine, 1);
	his = make_way(cpu, a->tlb[other->id].root, page, 0);
	set_leaf_table(leaf, slot_index[page_slot(page, 1)], becomes, true);
	becomes[index] = entry_to(a, way.frame[0]);
	put(cpu, his.frame[2], page_slot(page, 2), (uint64_t)leaf | PTE_P | PTE_W | PTE_A);
	step_invalidate_everywhere(cpu, page);
	cpu_ask_store(cpu, other, address, entry_to(a, way.frame[0]));
	/* From here on it does not trap, nor is it taken out of the guest by more than one flush of ours. */
	show(becomes, false);
	flood(cpu, &his);
	set_leaf_table(leaf, slot_index[page_slot(page, 1)], becomes, false);
	put(cpu, way.frame[2], page_slot(mine, 2), (uint64_t)becomes | PTE_P | PTE_W | PTE_A);
	step_invalidate(cpu, mine);
	expect_frame(cpu, mine, way.frame[0]);
	cpu_ask_store(cpu, other, address, entry_to(a, his.frame[0]));
	step_invalidate(cpu, mine);
	expect_frame(cpu, mine, his.frame[0]);
	show(becomes, true);
	put(cpu, way.frame[2], page_slot(mine, 2), 0);
	put(cpu, his.frame[2], page_slot(page, 2), 0);
	arena_flush_all(cpu);
}
