/* SPDX-License-Identifier: MIT */
/*
 * Memory of the model: what each word must hold, and which older values a TLB or a CPU's paging-structure cache may
 * still work with. A translation of a page made since the page's last flush uses of each entry on its way the value
 * of now or one that was overwritten since that flush (SDM 3 4.10). Entries that were not present or had A=0 were not
 * cached, and are not remembered. A CPU reads an entry no earlier than the one above it: so a value that was
 * overwritten before the one above it was there is not used below it. A table that is linked at a new place counts
 * there as it is.
 */
#include <gnomon/x86.h>

#include "stress.h"

#define ANCHOR_FRAMES 60 /* four: levels 3, 2, 1, data */

extern uint64_t user_page[512];

struct arena arenas[MAX_ARENAS];
bool upper_global_reserved;
/* 4 to 7 lie side by side, for stores of several words and across two; 508 is the VMM's, 256 kvm_pvm's. */
const uint16_t slot_index[SLOTS] = {4, 5, 6, 7, 128, 272, 300, 511};

static uint64_t user_tables[3][512] __attribute__((aligned(4096)));

unsigned page_slot(unsigned page, int level)
{
	return page >> 3 * (level - 1) & (SLOTS - 1);
}

uint64_t page_address(unsigned page)
{
	uint64_t va = 0;

	for (int level = 4; level >= 1; level--)
		va |= (uint64_t)slot_index[page_slot(page, level)] << (3 + 9 * level);
	return (uint64_t)((int64_t)(va << 16) >> 16);
}

static volatile uint64_t *frame_pointer(const struct arena *a, unsigned frame)
{
	return (volatile uint64_t *)(a->base + ((uint64_t)frame << 12));
}

volatile uint64_t *word_pointer(const struct arena *a, word_t word)
{
	return frame_pointer(a, word / SLOTS) + slot_index[word % SLOTS];
}

uint64_t *want_pointer(struct arena *a, word_t word)
{
	return &a->want[word / SLOTS][word % SLOTS];
}

uint32_t frame_tag(const struct arena *a, unsigned frame)
{
	return 0x60000000 | a->id << 16 | frame;
}

/* mov $tag, %eax; ret or int3 */
uint64_t frame_code(const struct arena *a, unsigned frame, bool user)
{
	return 0xb8 | (uint64_t)frame_tag(a, frame) << 8 | (user ? 0xccull : 0xc3ull) << 40;
}

/* A present entry leads into the arena; bits that must be 0 may be set, as they lead nowhere. */
bool value_is_safe(const struct arena *a, uint64_t value)
{
	uint64_t address = value & PTE_ADDR & ((1ull << maxphyaddr) - 1);

	return !(value & PTE_P) || address >> ARENA_SHIFT == a->base >> ARENA_SHIFT;
}

static void make_user_tables(void)
{
	user_tables[0][0] = (uint64_t)user_tables[1] | PTE_P | PTE_W | PTE_U | PTE_A;
	user_tables[1][0] = (uint64_t)user_tables[2] | PTE_P | PTE_W | PTE_U | PTE_A;
	user_tables[2][0] = (uint64_t)user_page | PTE_P | PTE_U | PTE_A;
}

/* What the guest itself needs in each address space, in words that no step changes. */
static void make_roots(struct arena *a)
{
	const uint64_t rights = PTE_P | PTE_W | PTE_A | PTE_D;

	for (unsigned root = 0; root < ROOTS; root++) {
		volatile uint64_t *table = frame_pointer(a, root);

		table[KERNEL_SLOT] = *(uint64_t *)(boot_cr3 & PTE_ADDR);
		table[USER_SLOT] = (uint64_t)user_tables[0] | PTE_P | PTE_W | PTE_U | PTE_A;
		table[ANCHOR_SLOT] = (a->base + ((uint64_t)ANCHOR_FRAMES << 12)) | rights;
	}
	for (unsigned i = 0; i < 3; i++)
		frame_pointer(a, ANCHOR_FRAMES + i)[ANCHOR_SLOT] =
		    (a->base + ((uint64_t)(ANCHOR_FRAMES + i + 1) << 12)) | rights;
}

/* 4 roots, 4 + 6 + 10 tables, 24 frames of data, some of which lie where a large page is touched, too. */
static void make_homes(struct arena *a)
{
	static const uint16_t count[5] = {24, 10, 6, 4, ROOTS};
	unsigned next = 0;

	for (int level = 4; level >= 0; level--) {
		a->homes[level] = count[level];
		for (unsigned i = 0; i < count[level]; i++)
			a->home[level][i] = next++;
	}
	for (unsigned i = 0; i < 4; i++)
		a->home[0][i] = slot_index[4 + i];
}

void arena_init(struct arena *a, unsigned id, uint64_t base)
{
	a->id = id;
	a->base = base;
	make_user_tables();
	make_homes(a);
	make_roots(a);
	for (unsigned frame = 0; frame < FRAMES; frame++) {
		frame_pointer(a, frame)[CODE_SLOT] = frame_code(a, frame, false);
		frame_pointer(a, frame)[CODE_SLOT + 1] = frame_code(a, frame, true);
		for (unsigned slot = 0; slot < SLOTS; slot++)
			a->want[frame][slot] = (uint64_t)(frame << 3 | slot) << 9; /* absent; tells itself */
	}
	a->rng = options.seed ^ (uint64_t)id << 56;
	for (int level = 4; level >= 0; level--)
		for (unsigned i = 0; i < a->homes[level]; i++)
			for (unsigned slot = 0; slot < SLOTS; slot++)
				a->want[a->home[level][i]][slot] = make_value(a, level);
	for (word_t word = 0; word < FRAMES * SLOTS; word++)
		*word_pointer(a, word) = *want_pointer(a, word);
	for (unsigned i = 0; i < FAVOURITES; i++)
		a->favourite[i] = dice(a, PAGES);
}

void arena_store(struct arena *a, word_t word, uint64_t now)
{
	uint64_t *want = want_pointer(a, word), old = *want;
	uint32_t *since = &a->since[word / SLOTS][word % SLOTS];

	if (old == now)
		return;
	*want = now;
	a->time++;
	if ((old & PTE_P) && (old & PTE_A))
		a->change[a->changes++] = (struct change){.word = word, .from = *since, .time = a->time, .old = old};
	*since = a->time;
}

static uint32_t oldest(const struct tlb *tlb)
{
	return tlb->full < tlb->global ? tlb->full : tlb->global;
}

static void forget_changes(struct arena *a)
{
	uint32_t seen = oldest(&a->tlb[a->id == SHARED ? 0 : a->id]);
	unsigned kept = 0;

	for (unsigned id = 1; a->id == SHARED && id < cpus; id++)
		if (oldest(&a->tlb[id]) < seen)
			seen = oldest(&a->tlb[id]);
	for (unsigned i = 0; i < a->changes; i++)
		if (a->change[i].time > seen)
			a->change[kept++] = a->change[i];
	a->changes = kept;
}

void arena_flushed(struct arena *a, unsigned cpu, bool global_too)
{
	a->tlb[cpu].full = ++a->time;
	if (global_too)
		a->tlb[cpu].global = a->time;
	forget_changes(a);
}

void arena_invalidated(struct arena *a, unsigned cpu, unsigned page)
{
	a->tlb[cpu].page[page] = ++a->time;
}

static uint64_t root_address(const struct arena *a, unsigned root)
{
	return a->base + ((uint64_t)root << 12);
}

void arena_enter(struct cpu *cpu, struct arena *a, unsigned root)
{
	cpu->arena = a;
	cpu_load_cr3(root_address(a, root));
	if (cpu->mode.pge)
		cpu_flush(cpu);
	a->tlb[cpu->id].root = root;
	arena_flushed(a, cpu->id, true);
}

void arena_switch_root(struct cpu *cpu, unsigned root)
{
	struct arena *a = cpu->arena;
	struct tlb *tlb = &a->tlb[cpu->id];

	tlb->left[tlb->root] = ++a->time;
	tlb->root = root;
	cpu_load_cr3(root_address(a, root));
	arena_flushed(a, cpu->id, !cpu->mode.pge);
}

void arena_flush_all(struct cpu *cpu)
{
	struct arena *a = cpu->arena;

	if (a->id == SHARED) {
		cpu_shoot_down(cpu, PAGES);
		for (unsigned id = 0; id < cpus; id++)
			if (id != cpu->id)
				arena_flushed(a, id, true);
	}
	cpu_flush(cpu);
	arena_flushed(a, cpu->id, true);
}

void arena_reserve(struct cpu *cpu, unsigned n)
{
	if (CHANGES - cpu->arena->changes < n)
		arena_flush_all(cpu);
}

void arena_check(struct cpu *cpu, struct arena *a, unsigned frames)
{
	for (word_t word = 0; word < frames * SLOTS; word++)
		if (*word_pointer(a, word) != *want_pointer(a, word)) {
			arena_record(cpu, "memory differs at frame, slot", word / SLOTS, word % SLOTS);
			fail(cpu, "a word that no access led to has changed");
		}
}

static uint64_t anchor_address(unsigned index4)
{
	return (uint64_t)index4 << 39 | (uint64_t)ANCHOR_SLOT << 30 | (uint64_t)ANCHOR_SLOT << 21 |
	       (uint64_t)ANCHOR_SLOT << 12;
}

void arena_probe(struct cpu *cpu)
{
	struct arena *a = &arenas[cpu->id];
	volatile uint64_t *root = frame_pointer(a, 0);
	uint64_t ignored;

	arena_enter(cpu, a, 0);
	root[ANCHOR_SLOT + 1] = root[ANCHOR_SLOT] | PTE_G;
	upper_global_reserved = !access_reads(cpu, anchor_address(ANCHOR_SLOT + 1), &ignored);
	root[ANCHOR_SLOT + 1] = 0;
}

/* The page that stays mapped whatever stands beside it in its tables; each CPU has a word in it. */
void arena_check_anchor(struct cpu *cpu)
{
	volatile uint64_t *word = (volatile uint64_t *)anchor_address(ANCHOR_SLOT) + ANCHOR_SLOT + cpu->id;
	const uint64_t seen = *word;

	if (seen != cpu->anchor) {
		arena_record(cpu, "anchor: seen, wanted", seen, cpu->anchor);
		fail(cpu, "a page whose tables did not change for it holds something else");
	}
	*word = ++cpu->anchor;
}
