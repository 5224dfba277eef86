/* SPDX-License-Identifier: MIT */
/* The dice: what a CPU does next in the arena that it is in. */
#include <gnomon/x86.h>

#include "stress.h"

#define ENTRIES 512

extern char user_page[];

static unsigned pick_page(struct arena *a)
{
	if (dice(a, 4))
		return a->favourite[dice(a, FAVOURITES)];
	return dice(a, PAGES);
}

/* The level of the tables that a frame mostly serves as; 0: data. */
static int level_of(const struct arena *a, unsigned frame)
{
	for (int level = 4; level > 0; level--)
		for (unsigned i = 0; i < a->homes[level]; i++)
			if (a->home[level][i] == frame)
				return level;
	return 0;
}

static struct access pick_store(struct arena *a, unsigned page)
{
	struct access x = {.page = page, .op = OP_MOV + dice(a, OP_FETCH - OP_MOV), .width = dice(a, 8)};

	if (dice(a, 3) == 0)
		x.op = OP_MOV;
	if (x.width > 3)
		x.width = 3;
	if (x.width == 0 && x.op >= OP_BTS && x.op <= OP_LOCK_BTR)
		x.width = 1; /* there is no 8-bit form */
	x.offset = dice(a, SLOTS) * 8 + (dice(a, 8) & ~((1u << x.width) - 1));
	if (x.op == OP_MOV && dice(a, 4) == 0)
		x.offset = dice(a, 25); /* any byte of the words that lie side by side */
	return x;
}

static void store(struct cpu *cpu, word_t word)
{
	struct arena *a = cpu->arena;
	struct access x = pick_store(a, 0);
	int level = level_of(a, word / SLOTS);

	x.offset = x.offset % 8;
	access_direct(cpu, &x, word, dice(a, 2) ? vary_value(a, *want_pointer(a, word), level) : make_value(a, level));
}

void step_touch(struct cpu *cpu, unsigned page)
{
	struct arena *a = cpu->arena;
	struct access x = {.page = page};
	unsigned kind = dice(a, 8);

	if (kind < 4) {
		x = pick_store(a, page);
	} else {
		x.op = kind < 6 ? OP_READ : OP_FETCH;
		x.width = dice(a, 4);
		x.offset = dice(a, SLOTS) * 8 + (dice(a, 8) & ~((1u << x.width) - 1));
		if (x.op == OP_FETCH)
			x.width = 0;
	}
	x.user = dice(a, 2);
	x.ac = !x.user && cpu->mode.smap && (cpu->mode.wp || !options.kvm_shadow) && options.ac != AC_NEVER &&
	       dice(a, 2);
	access_paged(cpu, &x, make_value(a, dice(a, 5)));
}

/* A word on the way to a page, or any of a table. */
static word_t pick_word(struct cpu *cpu, unsigned page)
{
	struct arena *a = cpu->arena;
	struct access x = {.page = page, .op = OP_READ};
	struct end ends[ENDS];
	bool exact;

	if (dice(a, 3) == 0)
		return pick_frame(a, dice(a, 5)) * SLOTS + dice(a, SLOTS);
	predict(cpu, &x, ends, &exact);
	return ends[0].path[dice(a, 4) ? ends[0].length - 1 : dice(a, ends[0].length)];
}

void step_invalidate(struct cpu *cpu, unsigned page)
{
	cpu_invlpg(page_address(page) + dice(cpu->arena, 4096));
	arena_invalidated(cpu->arena, cpu->id, page);
	arena_record(cpu, "invlpg of page", page, page_address(page));
}

/* In the shared arena the other CPUs forget it, too. */
void step_invalidate_everywhere(struct cpu *cpu, unsigned page)
{
	step_invalidate(cpu, page);
	if (cpu->arena->id != SHARED)
		return;
	cpu_shoot_down(cpu, page);
	for (unsigned id = 0; id < cpus; id++)
		if (id != cpu->id)
			arena_invalidated(cpu->arena, id, page);
}

static void store_some(struct cpu *cpu)
{
	unsigned page = pick_page(cpu->arena);

	for (unsigned n = 1 + dice(cpu->arena, 4); n > 0; n--)
		store(cpu, pick_word(cpu, page));
}

/* The order that an operating system keeps: change, invalidate, use. */
static void change_and_use(struct cpu *cpu)
{
	unsigned page = pick_page(cpu->arena);

	if (dice(cpu->arena, 2))
		step_touch(cpu, page);
	for (unsigned n = 1 + dice(cpu->arena, 2); n > 0; n--)
		store(cpu, pick_word(cpu, page));
	step_invalidate_everywhere(cpu, page);
	step_touch(cpu, page);
}

static void load_root(struct cpu *cpu)
{
	unsigned root = dice(cpu->arena, ROOTS);

	arena_switch_root(cpu, root);
	arena_record(cpu, "root", root, 0);
}

static void change_mode(struct cpu *cpu)
{
	struct arena *a = cpu->arena;
	struct mode m = cpu->mode;
	bool nxe = m.nxe;

	m.wp ^= dice(a, 2);
	m.smep ^= dice(a, 3) == 0;
	m.smap ^= dice(a, 3) == 0;
	m.nxe = options.kvm_shadow || (m.nxe ? dice(a, 6) : dice(a, 2));
	cpu_set_mode(cpu, &m);
	arena_record(cpu, "mode WP NXE, SMEP SMAP", m.wp << 1 | m.nxe, m.smep << 1 | m.smap);
	if (m.nxe != nxe) { /* what was reserved is a right now, or the other way round */
		cpu_flush(cpu);
		arena_flushed(a, cpu->id, true);
	}
}

static void toggle_global(struct cpu *cpu)
{
	struct mode m = cpu->mode;

	m.pge ^= 1;
	cpu_set_mode(cpu, &m);
	arena_flushed(cpu->arena, cpu->id, true);
	arena_record(cpu, "PGE", m.pge, 0);
}

/* Two frames change places: what was a table of one level becomes one of another, or data. */
static void swap_homes(struct cpu *cpu)
{
	struct arena *a = cpu->arena;
	int x = dice(a, 4), y = dice(a, 4);
	unsigned i = dice(a, a->homes[x]), j = dice(a, a->homes[y]);
	uint16_t frame = a->home[x][i];

	a->home[x][i] = a->home[y][j];
	a->home[y][j] = frame;
	arena_record(cpu, "frames change places", a->home[x][i], frame);
}

/* A whole table that maps 2 MiB of neighbours, by one `rep movsq`. */
static void fill_table(struct cpu *cpu)
{
	static uint64_t tables[MAX_CPUS][ENTRIES];
	struct arena *a = cpu->arena;
	const unsigned frame = pick_frame(a, 1), block = dice(a, 2) * BLOCK_FRAMES;
	uint64_t *table = tables[cpu->id], count = ENTRIES - slot_index[0];
	uint64_t flags = make_value(a, 1) & (PTE_W | PTE_U | PTE_A | PTE_D | PTE_G);
	const void *from = table + slot_index[0];
	volatile uint64_t *to = word_pointer(a, frame * SLOTS);

	arena_reserve(cpu, SLOTS);
	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = (a->base + ((uint64_t)(block + i) << 12)) | flags | PTE_P;
	for (unsigned slot = 0; slot < SLOTS; slot++)
		arena_store(a, frame * SLOTS + slot, table[slot_index[slot]]);
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	arena_record(cpu, "fill table, block", frame, block);
}

/* ... and a way to it, for one of the favourites. */
static void fill_and_use(struct cpu *cpu)
{
	struct arena *a = cpu->arena;
	unsigned page;

	fill_table(cpu);
	page = pick_page(a);
	for (unsigned i = 0; i < 8; i++) {
		step_invalidate_everywhere(cpu, page);
		step_touch(cpu, page);
		page = (page & ~(SLOTS - 1)) | dice(a, SLOTS);
	}
}

static void link_anew(struct cpu *cpu)
{
	scene_link_anew(cpu, pick_page(cpu->arena));
}

static void bystander(struct cpu *cpu)
{
	scene_bystander(cpu, pick_page(cpu->arena));
}

static void new_favourite(struct cpu *cpu)
{
	struct arena *a = cpu->arena;

	a->favourite[dice(a, FAVOURITES)] = dice(a, PAGES);
}

static void flush_all(struct cpu *cpu)
{
	arena_flush_all(cpu);
	arena_record(cpu, "all CPUs flush", 0, 0);
}

void throw_dice(struct cpu *cpu)
{
	static const struct {
		uint8_t weight; /* of 128 */
		void (*run)(struct cpu *cpu);
	} kinds[] = {{36, change_and_use}, {30, store_some}, {8, load_root},    {5, change_mode},
	             {3, toggle_global},   {2, swap_homes},  {1, fill_and_use}, {3, new_favourite},
	             {2, flush_all},       {2, link_anew},   {2, bystander}};
	struct arena *a = cpu->arena;
	unsigned n;

	a->rng = (options.seed * 0x9e3779b97f4a7c15) ^ (a->id + 1ull) << 56 ^ a->throw *0xd6e8feb86659fd93;
	n = dice(a, 128);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (n < kinds[i].weight) {
			kinds[i].run(cpu);
			a->throw ++;
			return;
		}
		n -= kinds[i].weight;
	}
	n = pick_page(a);
	if (dice(a, 5) == 0)
		step_invalidate(cpu, n);
	else
		step_touch(cpu, n);
	a->throw ++;
}
