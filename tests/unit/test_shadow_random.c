/* SPDX-License-Identifier: MIT */
/*
 * The shadow under everything at once, in random order: faults of both views, changes of the guest's tables by the
 * guest and by devices, slices of its memory that go and come back, and a stub that is interrupted between two edits.
 * After the edits are stored the CPU must see what the guest's tables and the second stage say: the audit compares.
 */
#include <criterion/criterion.h>
#include <gnomon/x86.h>
#include <stdlib.h>
#include <string.h>

#include "shadow_alone.h"

#define BLOCKS     8 /* of 2 MiB; the first has the guest's tables, of which one page at a time goes */
#define MEMORY     (BLOCKS * PAGE_2M)
#define POOL_PAGES 32
#define POOL_BASE  0xe0000000
#define PML4       0x1000
#define PDPT       0x2000
#define PD         0x3000
#define PT(n)      (0x4000 + (n)*PAGE_SIZE)
#define RW         (PTE_P | PTE_W | PTE_U)
#define SEEDS      30
#define STEPS      600
#define SLICES     8

static struct guest_mem mem;
static struct stage2 s2;
static struct shadow *sh;
static struct counters counters;
static uint8_t *pool;
static uint64_t seen[POOL_PAGES * PAGE_SIZE / 8]; /* by the CPU, and by KVM where it shadows */
static uint64_t state;
static struct {
	uint64_t gpa, size;
} taken[SLICES];

static uint64_t pick(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static int forget(void *ctx)
{
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	memset(seen, 0, sizeof(seen));
	return 0;
}

static const struct shadow_ops ops = {.quiesce = alone_quiesce, .oldest_flush = alone_oldest_flush, .recycle_pool = forget};

/* One of a few, so that faults meet changes. */
static uint64_t pick_index(void)
{
	return pick(16) * 511 / 15;
}

static uint64_t *guest_word(uint64_t at)
{
	return guest_mem_ptr(&mem, maddr_init(at), 8);
}

static bool is_mapped(uint64_t gpa)
{
	struct stage2_mapping m;

	return stage2_lookup(&s2, gpa_init(gpa), &m);
}

/* The guest wrote a table: the VMM sees it, unless it may be written unseen. */
static void written(uint64_t at, uint64_t size)
{
	if (!(sh->opts & SHADOW_OPT_LAZY) && !sh->track[at / PAGE_SIZE].unsync)
		shadow_written(sh, &counters, gpa_init(at), size);
}

/* The tables above the one that changes, which may have been taken and be zero. */
static void lead_to_pd(void)
{
	if (is_mapped(PML4)) {
		*guest_word(PML4) = PDPT | RW | PTE_A;
		shadow_written(sh, &counters, gpa_init(PML4), 8);
	}
	if (is_mapped(PDPT)) {
		*guest_word(PDPT) = PD | RW | PTE_A;
		shadow_written(sh, &counters, gpa_init(PDPT), 8);
	}
}

static void begin(unsigned opts, uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15 + 1;
	memset(taken, 0, sizeof(taken));
	cr_assert_eq(guest_mem_init(&mem, MEMORY, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&s2, &mem), 0);
	pool = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
	cr_assert_not_null(pool);
	forget(NULL);
	sh = shadow_create(&(struct shadow_params){
	    .s2 = &s2,
	    .pool = pool,
	    .pool_base = maddr_init(POOL_BASE),
	    .nr_frames = POOL_PAGES,
	    .ops = &ops,
	    .opts = opts,
	    .audited = true,
	    .maxphyaddr = 40,
	});
	cr_assert_not_null(sh);
	lead_to_pd();
}

static void end(void)
{
	shadow_destroy(sh);
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
	free(pool);
}

/* The stub stores the first `n` edits, and will do so again unless they are taken off the queue. */
static void store(unsigned n)
{
	const uint64_t *now = (const uint64_t *)(void *)pool;

	for (size_t i = 0; i < POOL_PAGES * PAGE_SIZE / 8; i++) {
		cr_assert(!seen[i] || seen[i] == now[i], "the VMM stored into a live entry");
		seen[i] = now[i];
	}
	for (unsigned i = 0; i < n; i++) {
		const uint64_t at = maddr_raw(sh->edit[i].entry) - POOL_BASE;

		memcpy(pool + at, &sh->edit[i].value, 8);
		seen[at / 8] = sh->edit[i].value.raw;
	}
}

static void audit(uint64_t seed, int step)
{
	char text[512] = "";

	store(sh->nr_edits);
	shadow_edits_stored(sh, sh->nr_edits);
	cr_assert(shadow_audit(sh, text, sizeof(text)), "options 0x%x, seed %lu, step %d: %s", sh->opts, seed, step,
	          text);
}

static void touch(uint64_t gva, bool user, bool write)
{
	const struct shadow_view view = {.walk = {.cr3 = {PML4}, .wp = true, .nxe = true, .maxphyaddr = 40},
	                                 .user = user};
	struct walk walk;
	maddr_t root;
	bool built;

	if (!is_mapped(PML4))
		return; /* the guest's end */
	cr_assert(shadow_root(sh, &counters, &view, &root, &built));
	(void)!shadow_fault(sh, &counters, &view, gva_init(gva), (struct walk_access){.user = user, .write = write},
	                   &walk);
}

static uint64_t random_rights(void)
{
	return PTE_P | PTE_U | (pick(4) ? PTE_W : 0) | (pick(4) ? PTE_A : 0) | (pick(2) ? PTE_D : 0);
}

/* An entry of the guest's becomes another. A table that the guest may write unseen it writes so. */
static void change_table(void)
{
	const uint64_t table = pick(3) ? PT(pick(BLOCKS)) : PD;
	const uint64_t at = table + 8 * (table == PD ? pick(BLOCKS) : pick_index());
	uint64_t value = pick(8) * PAGE_2M | random_rights();

	if (!is_mapped(at))
		return;
	if (table != PD && pick(4) == 0)
		value = PT(pick(BLOCKS)) | random_rights(); /* the guest's way to its tables */
	else if (table != PD)
		value = pick(MEMORY / PAGE_SIZE) * PAGE_SIZE | random_rights();
	else if (pick(2))
		value = PT(pick(BLOCKS)) | RW | PTE_A;
	else
		value |= PTE_PS;
	*guest_word(at) = pick(8) ? value : 0;
	written(at, 8);
}

/*
 * The guest changes a table that it may write unseen, does not flush, and leads another 2 MiB through it: no TLB holds
 * anything of that place, so all that the table says now counts there. The audit of new links looks.
 */
static void link_anew(void)
{
	const uint64_t block = pick(BLOCKS), table = sh->opts & SHADOW_OPT_LAZY ? PT(pick(BLOCKS))
	                                             : sh->nr_unsync
	                                                 ? sh->unsync[pick(sh->nr_unsync)]->gfn.raw << PAGE_SHIFT
	                                                 : 0;

	if (!table || !is_mapped(PD) || !is_mapped(table))
		return;
	for (uint64_t i = 1 + pick(20); i; i--)
		*guest_word(table + 8 * pick_index()) = pick(MEMORY / PAGE_SIZE) * PAGE_SIZE | random_rights();
	*guest_word(PD + 8 * block) = 0;
	written(PD + 8 * block, 8);
	*guest_word(PD + 8 * block) = table | RW | PTE_A;
	written(PD + 8 * block, 8);
	touch(block * PAGE_2M + pick_index() * PAGE_SIZE, pick(2), pick(2));
}

/* An entry of a table that may be written unseen changes, is used, and is what it was again when the guest flushes. */
static void come_and_go(void)
{
	const uint64_t table = sh->nr_unsync ? sh->unsync[pick(sh->nr_unsync)]->gfn.raw << PAGE_SHIFT : 0;
	uint64_t block = 0, before, index = pick_index();

	while (block < BLOCKS && (!is_mapped(PD) || (*guest_word(PD + 8 * block) & PTE_ADDR) != table))
		block++;
	if (!table || block == BLOCKS || !is_mapped(table))
		return;
	before = *guest_word(table + 8 * index);
	*guest_word(table + 8 * index) = pick(MEMORY / PAGE_SIZE) * PAGE_SIZE | random_rights();
	touch(block * PAGE_2M + index * PAGE_SIZE, pick(2), pick(2));
	if (pick(8) && is_mapped(table))
		*guest_word(table + 8 * index) = before;
	written(table + 8 * index, 8);
	shadow_flushed(sh, &counters, gpa_init(PML4));
}

/* A whole leaf table at once: 512 pages in a row, which may be promoted. */
static void fill_table(void)
{
	const uint64_t table = PT(pick(BLOCKS)), block = (1 + pick(BLOCKS - 1)) * PAGE_2M;
	const uint64_t rights = RW | PTE_A | PTE_D;

	if (!is_mapped(table))
		return;
	for (uint64_t i = 0; i < 512; i++)
		guest_word(table)[i] = (block + i * PAGE_SIZE) | rights;
	for (uint64_t i = 0; i < 512; i += 64)
		written(table + 8 * i, 8 * 64);
}

static void take(void)
{
	const unsigned i = pick(SLICES);
	const bool table = pick(8) == 0;
	const uint64_t pages = table ? 1 : pick(3) ? 1 + pick(16) : 512, block = (1 + pick(BLOCKS - 1)) * PAGE_2M;
	const uint64_t gpa = table ? PML4 + pick(3 + BLOCKS) * PAGE_SIZE : block + pick(513 - pages) * PAGE_SIZE;
	struct pt_gather g = PT_GATHER_INIT;
	bool mapped;

	if (taken[i].size || stage2_range_state(&s2, gpa_init(gpa), pages * PAGE_SIZE, &mapped) < 0 || !mapped)
		return;
	cr_assert_eq(stage2_unmap(&s2, gpa_init(gpa), pages * PAGE_SIZE, &g), 0);
	shadow_zap_gpa(sh, &counters, gpa_init(gpa), maddr_init(gpa), pages * PAGE_SIZE);
	pt_gather_finish(&s2.pt, &g);
	if (table)
		memset(guest_word(gpa), 0, PAGE_SIZE);
	taken[i].gpa = gpa;
	taken[i].size = pages * PAGE_SIZE;
}

static void give_back(void)
{
	const unsigned i = pick(SLICES);
	const uint64_t gpa = taken[i].gpa;
	struct pt_gather g = PT_GATHER_INIT;
	struct stage2_mapping m;

	if (!taken[i].size)
		return;
	cr_assert_eq(stage2_map(&s2, gpa_init(gpa), taken[i].size, &g), 0);
	(void)!stage2_collapse(&s2, gpa_init(gpa), &g);
	pt_gather_finish(&s2.pt, &g);
	if (stage2_lookup(&s2, gpa_init(gpa & ~(PAGE_2M - 1)), &m) && m.level == 2)
		shadow_join_gpa(sh, &counters, gpa_init(gpa & ~(PAGE_2M - 1)));
	taken[i].size = 0;
	lead_to_pd();
}

/* The guest maps a leaf table of its own, and writes to it through that. */
static void write_table(void)
{
	const uint64_t block = pick(BLOCKS), index = pick_index();
	const uint64_t e = is_mapped(PD) ? *guest_word(PD + 8 * block) : 0, at = (e & PTE_ADDR) + 8 * index;

	if (!(e & PTE_P) || e & PTE_PS || !is_mapped(at))
		return;
	*guest_word(at) = PT(pick(BLOCKS)) | RW | PTE_A | PTE_D;
	written(at, 8);
	touch(block * PAGE_2M + index * PAGE_SIZE, pick(2), true);
}

/* What others do while the stub is interrupted. */
static void from_outside(void)
{
	const unsigned what = pick(3);

	if (what == 0)
		take();
	else if (what == 1)
		give_back();
	else
		change_table();
}

static void step(uint64_t seed, int n)
{
	switch (pick(16)) {
	case 0:
		change_table();
		break;
	case 1:
		fill_table();
		break;
	case 2:
	case 3:
		take();
		break;
	case 4:
	case 5:
		give_back();
		break;
	case 6:
		shadow_flushed(sh, &counters, gpa_init(PML4));
		break;
	case 7:
		store(sh->nr_edits ? pick(sh->nr_edits) : 0);
		for (uint64_t i = pick(3); i; i--)
			from_outside();
		audit(seed, n);
		break;
	case 8:
		audit(seed, n);
		break;
	case 9:
	case 10:
		write_table();
		break;
	case 11:
		link_anew();
		break;
	case 12:
		come_and_go();
		break;
	default:
		touch(pick(BLOCKS) * PAGE_2M + pick_index() * PAGE_SIZE, pick(2), pick(2));
	}
}

static void run(unsigned opts)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		begin(opts, seed);
		for (int n = 0; n < STEPS; n++)
			step(seed, n);
		audit(seed, STEPS);
		end();
	}
}

Test(shadow_random, all_options)
{
	run(SHADOW_OPT_ALL);
	cr_assert_gt(counter_read(&counters, CTR_SHADOW_JOINS), 0);
	cr_assert_gt(counter_read(&counters, CTR_SHADOW_PROMOTIONS), 0);
	cr_assert_gt(counter_read(&counters, CTR_SHADOW_DEMOTIONS), 0);
	cr_assert_gt(counter_read(&counters, CTR_SHADOW_UNSYNCS), 0);
}

/* The audit of each flush looks at all that it has to bring up to date. */
Test(shadow_random, lazy)
{
	run(SHADOW_OPT_ALL | SHADOW_OPT_LAZY);
	cr_assert_gt(counter_read(&counters, CTR_SHADOW_SYNCS), 0);
	cr_assert_eq(counter_read(&counters, CTR_SHADOW_WRITE_PROTECTS), 0);
	cr_assert_eq(counter_read(&counters, CTR_SHADOW_UNSYNCS), 0);
}

Test(shadow_random, each_option_left_out)
{
	for (int i = 0; i < SHADOW_OPTS_ON; i++) {
		unsigned opts = SHADOW_OPT_ALL & ~shadow_opt_desc[i].opt;

		for (int j = 0; j < SHADOW_OPTS_ON; j++)
			if (shadow_opt_desc[j].needs & ~opts)
				opts &= ~shadow_opt_desc[j].opt;
		run(opts);
	}
}

Test(shadow_random, no_option)
{
	run(0);
	run(SHADOW_OPT_LARGE);
}
