/* SPDX-License-Identifier: MIT */
/*
 * Any page tables, any mode, any access. The walk ends, reads and writes nothing but entries inside memory (the
 * sanitizer watches what is around it), sets nothing but A and D, and its outcome fits the entries that it saw. A
 * second walk of the same access agrees with the first; without set_ad memory stays as it was. The walk reference by
 * reference agrees, too, and names the rule that was broken.
 *
 * Input: a header, then words. Each word goes to a slot of one of the few table frames, so that paths through four
 * levels are likely; its kind says where its address field points: one of the tables (itself too), some page, or
 * wherever its bits lead.
 */
#include <stdlib.h>
#include <string.h>

#include "walk/rule.h"
#include "walk/trace.h"

#define MEMORY_SIZE  PAGE_2M
#define TABLES       8 /* frames 0-7 are tables */
#define SLOTS        8 /* of each table, the first entries are filled */
#define TABLES_BYTES (TABLES * PAGE_SIZE)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest_mem mem;
static struct stage2 s2;

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* What one input chooses beside the tables' content. */
struct header {
	uint8_t mode, access, maxphyaddr, cr3_kind;
	uint8_t index[4]; /* of the address at each level, from the top */
	uint64_t cr3, gva;
} __attribute__((packed));

struct word {
	uint8_t table, slot, kind, to;
	uint64_t raw;
} __attribute__((packed));

static uint64_t entry_of(const struct word *w)
{
	uint64_t frame = w->to % TABLES;

	switch (w->kind % 4) {
	case 0: /* a good entry that leads to a table */
		return frame << PAGE_SHIFT | PTE_P | PTE_W | PTE_U | (w->raw & (PTE_A | PTE_D));
	case 1: /* any flags, a table */
		return frame << PAGE_SHIFT | (w->raw & ~PTE_ADDR) | PTE_P;
	case 2: /* any flags, a page of memory or just beyond its end */
		return (w->raw % (MEMORY_SIZE + 2 * PAGE_SIZE) & PAGE_MASK) | (w->raw & ~PTE_ADDR);
	default:
		return w->raw;
	}
}

static void build_tables(const uint8_t *data, size_t size)
{
	uint64_t *tables = guest_mem_ptr(&mem, maddr_init(0), TABLES_BYTES);
	struct word w;

	memset(tables, 0, TABLES_BYTES);
	for (; size >= sizeof(w); data += sizeof(w), size -= sizeof(w)) {
		memcpy(&w, data, sizeof(w));
		tables[w.table % TABLES * 512 + w.slot % SLOTS] = entry_of(&w);
	}
}

static uint64_t address_of(const struct header *h)
{
	uint64_t gva = h->gva & 0xfff;

	if (h->access & 0x80)
		return h->gva;
	for (int i = 0; i < 4; i++)
		gva |= (uint64_t)(h->index[i] % SLOTS) << (39 - 9 * i);
	return gva;
}

/* What the entries that were seen say by the manual, level by level. */
static void check_path(const struct walk_mode *mode, const struct walk *w, uint64_t gva)
{
	uint64_t table = gpa_raw(mode->cr3);
	bool writable = true, user = true, fetch = true;

	for (int level = 4; level >= w->level; level--) {
		const gpte_t e = w->gpte[level];
		const bool last = level == w->level;

		require(w->table[level].raw == table >> PAGE_SHIFT);
		require(w->index[level] == (gva >> (12 + 9 * (level - 1)) & 511));
		if (last && w->outcome == WALK_TABLE_OUTSIDE) {
			require(!guest_mem_ptr(&mem, maddr_init(table + w->index[level] * 8ull), 8));
			return;
		}
		require(last || (e.raw & PTE_P && !gpte_is_leaf(e, level)));
		require(!!(e.raw & PTE_P) == !(last && w->outcome == WALK_NOT_PRESENT));
		if (e.raw & PTE_P)
			require(!(e.raw & gpte_reserved(mode, e, level)) == !(last && w->outcome == WALK_RESERVED));
		writable &= !!(e.raw & PTE_W);
		user &= !!(e.raw & PTE_U);
		fetch &= !(e.raw & PTE_NX);
		table = e.raw & PTE_ADDR;
	}
	if (w->outcome != WALK_OK && w->outcome != WALK_DENIED)
		return;
	const uint64_t size = PAGE_SIZE << 9 * (w->level - 1);

	require(gpte_is_leaf(w->gpte[w->level], w->level));
	require(w->w == writable && w->u == user && w->x == fetch);
	require((gpa_raw(w->gpa) & (size - 1)) == (gva & (size - 1)));
	require((gpa_raw(w->gpa) & ~(size - 1)) == (table & ~(size - 1)));
}

static void check_error_code(const struct walk_mode *mode, struct walk_access a, const struct walk *w)
{
	if (w->outcome == WALK_OK || w->outcome == WALK_NON_CANONICAL || w->outcome == WALK_TABLE_OUTSIDE)
		return;
	require(!!(w->error_code & PFEC_P) == (w->outcome != WALK_NOT_PRESENT));
	require(!!(w->error_code & PFEC_RSVD) == (w->outcome == WALK_RESERVED));
	require(!!(w->error_code & PFEC_W) == a.write && !!(w->error_code & PFEC_U) == a.user);
	require(!!(w->error_code & PFEC_I) == (a.fetch && (mode->nxe || mode->smep)));
}

/* Only A of the path's entries and D of its leaf may have been set, and only if the access is allowed. */
static void check_memory(const uint64_t *before, const struct walk *w, bool write)
{
	const uint64_t *now = guest_mem_ptr(&mem, maddr_init(0), TABLES_BYTES);

	for (unsigned i = 0; i < TABLES_BYTES / 8; i++) {
		uint64_t may = 0;

		if (now[i] == before[i])
			continue;
		require(w->outcome == WALK_OK);
		for (int level = 4; level >= w->level; level--)
			if (w->table[level].raw * 512 + w->index[level] == i)
				may |= PTE_A | (write && level == w->level ? PTE_D : 0);
		require((now[i] & ~may) == (before[i] & ~may) && (now[i] & may) == may);
	}
	for (int level = 4; w->outcome == WALK_OK && level >= w->level; level--) {
		const uint64_t *e =
		    guest_mem_ptr(&mem, maddr_init(w->table[level].raw * PAGE_SIZE + w->index[level] * 8ull), 8);

		require(e && (*e & PTE_A) && (level > w->level || !write || (*e & PTE_D)));
	}
}

/* The walk reference by reference: it ends likewise, writes nothing, and says which rule was broken. */
static void check_trace(const struct walk_mode *mode, struct walk_access access, gva_t gva, const struct walk *dry)
{
	char sentence[WALK_SENTENCE];
	struct walk_rule rule;
	struct trace t;
	int guest = 0;

	trace_walk(&s2, mode, gva, access, &t);
	require(t.nr <= TRACE_MAX && t.walk.outcome == dry->outcome && t.walk.level == dry->level);
	for (int i = 0; i < t.nr; i++)
		guest += trace_is_guest(&t.ref[i]);
	if (dry->outcome == WALK_NON_CANONICAL)
		require(t.nr == 0);
	else
		require(guest == 5 - dry->level - (dry->outcome == WALK_TABLE_OUTSIDE));
	rule = walk_broken_rule(mode, access, dry);
	require((rule.kind == RULE_KEPT) == (dry->outcome == WALK_OK) && rule.kind < RULE_NR);
	require(rule.level == 0 || (rule.level >= dry->level && rule.level <= WALK_LEVELS));
	walk_rule_sentence(mode, access, dry, sentence);
	require(sentence[strlen(sentence) - 1] == '.');
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const int r = guest_mem_init(&mem, MEMORY_SIZE, BACKING_4K);

	return r < 0 ? r : stage2_init(&s2, &mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t before[TABLES_BYTES / 8];
	struct walk dry, wet, again;
	struct walk_access access;
	struct walk_mode mode;
	struct header h;
	uint64_t gva;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	build_tables(data + sizeof(h), size - sizeof(h));
	memcpy(before, guest_mem_ptr(&mem, maddr_init(0), TABLES_BYTES), TABLES_BYTES);
	gva = address_of(&h);
	mode = (struct walk_mode){
	    .cr3 = gpa_init(h.cr3_kind & 1 ? h.cr3 & PTE_ADDR : (uint64_t)(h.cr3 % TABLES) << PAGE_SHIFT),
	    .wp = h.mode & 1,
	    .nxe = h.mode & 2,
	    .smep = h.mode & 4,
	    .smap = h.mode & 8,
	    .gbpages = h.mode & 16,
	    .pml4_global_reserved = h.mode & 32,
	    .maxphyaddr = (uint8_t)(36 + h.maxphyaddr % 17), /* 36-52 */
	};
	access = (struct walk_access){
	    .user = h.access & 1, .write = (h.access & 6) == 2, .fetch = (h.access & 6) == 4, .ac = h.access & 8};

	guest_walk(&s2, &mode, gva_init(gva), access, false, &dry);
	check_trace(&mode, access, gva_init(gva), &dry);
	require(memcmp(before, guest_mem_ptr(&mem, maddr_init(0), TABLES_BYTES), TABLES_BYTES) == 0);
	require(dry.outcome < WALK_NR && (dry.outcome == WALK_NON_CANONICAL) == !gva_canonical(gva_init(gva)));
	if (dry.outcome != WALK_NON_CANONICAL)
		check_path(&mode, &dry, gva);
	check_error_code(&mode, access, &dry);
	require((dry.outcome == WALK_OK || dry.outcome == WALK_DENIED) ==
	        (dry.outcome != WALK_NON_CANONICAL && dry.level >= 1 && dry.level <= 3 &&
	         dry.gpte[dry.level].raw & PTE_P && gpte_is_leaf(dry.gpte[dry.level], dry.level) &&
	         dry.outcome != WALK_RESERVED));

	guest_walk(&s2, &mode, gva_init(gva), access, true, &wet);
	require(wet.outcome == dry.outcome && wet.gpa.raw == dry.gpa.raw && wet.error_code == dry.error_code);
	check_memory(before, &wet, access.write);
	require(wet.outcome != WALK_OK || !access.write || wet.dirty);
	guest_walk(&s2, &mode, gva_init(gva), access, true, &again);
	require(again.outcome == wet.outcome && again.gpa.raw == wet.gpa.raw);
	return 0;
}
