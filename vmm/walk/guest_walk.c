/* SPDX-License-Identifier: MIT */
#include "walk/guest_walk.h"

#include <stdatomic.h>

const char *const walk_outcome_what[WALK_NR] = {
    [WALK_OK] = "translated",
    [WALK_NOT_PRESENT] = "an entry is not present",
    [WALK_RESERVED] = "a reserved bit is set",
    [WALK_DENIED] = "the guest's tables forbid the access",
    [WALK_NON_CANONICAL] = "the address is not canonical",
    [WALK_TABLE_OUTSIDE] = "a table lies outside memory",
};

const char *const walk_outcome_name[WALK_NR] = {
    [WALK_OK] = "translated", [WALK_NOT_PRESENT] = "not-present",     [WALK_RESERVED] = "reserved",
    [WALK_DENIED] = "denied", [WALK_NON_CANONICAL] = "non-canonical", [WALK_TABLE_OUTSIDE] = "table-outside",
};

void walk_mode_set(struct walk_mode *m, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
	m->cr3 = gpa_init(cr3 & PTE_ADDR);
	m->wp = cr0 & CR0_WP;
	m->nxe = efer & EFER_NXE;
	m->smep = cr4 & CR4_SMEP;
	m->smap = cr4 & CR4_SMAP;
}

gpa_t gpte_gpa(gpte_t e)
{
	return gpa_init(e.raw & PTE_ADDR);
}

bool gpte_is_leaf(gpte_t e, int level)
{
	return level == 1 || ((level == 2 || level == 3) && (e.raw & PTE_PS));
}

gpa_t gpte_leaf_gpa(gpte_t e, int level)
{
	return gpa_init(e.raw & PTE_ADDR & ~(level_span(level) - 1));
}

uint64_t gpte_reserved(const struct walk_mode *mode, gpte_t e, int level)
{
	uint64_t bits = PTE_ADDR & ~((1ull << mode->maxphyaddr) - 1);

	if (!mode->nxe)
		bits |= PTE_NX;
	if (level == 4 && mode->pml4_global_reserved)
		bits |= PTE_G;
	if (level == 4 || (level == 3 && !mode->gbpages))
		bits |= PTE_PS;
	else if (level > 1 && (e.raw & PTE_PS))
		bits |= PTE_ADDR & (level_span(level) - 1) & ~(1ull << 12); /* bit 12 is PAT in a large leaf */
	return bits;
}

bool walk_permits(const struct walk_mode *mode, struct walk_access a, bool w, bool u, bool x)
{
	if (a.user)
		return u && (!a.write || w) && (!a.fetch || x);
	if (a.fetch)
		return x && !(mode->smep && u);
	if (mode->smap && u && !a.ac)
		return false;
	return !a.write || w || !mode->wp;
}

static uint32_t error_code(const struct walk_mode *mode, struct walk_access a, enum walk_outcome outcome)
{
	uint32_t code = 0;

	if (outcome != WALK_NOT_PRESENT)
		code |= PFEC_P;
	if (outcome == WALK_RESERVED)
		code |= PFEC_RSVD;
	if (a.write)
		code |= PFEC_W;
	if (a.user)
		code |= PFEC_U;
	if (a.fetch && (mode->nxe || mode->smep))
		code |= PFEC_I;
	return code;
}

/* NULL: no memory is there, or an enclave's, where no table may lie (stage2/lent.h). */
static _Atomic uint64_t *entry_ptr(const struct stage2 *s2, gfn_t table, unsigned index)
{
	if (lent_to(&s2->lent, gfn_to_gpa(table), PAGE_SIZE))
		return NULL;
	return stage2_ptr(s2, gpa_add(gfn_to_gpa(table), index * sizeof(uint64_t)), sizeof(uint64_t));
}

static bool stage2_entry(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const gpa_t gpa = gpa_init(at);
	const _Atomic uint64_t *p = entry_ptr(ctx, gpa_to_gfn(gpa), page_offset(at) / sizeof(uint64_t));

	if (p)
		*ret_entry = pte_init(atomic_load(p));
	return p;
}

struct walk_memory walk_memory_of(const struct stage2 *s2)
{
	return (struct walk_memory){.entry = stage2_entry, .ctx = (void *)(uintptr_t)s2};
}

/* Down to the leaf or the first failure; fills the path. */
static enum walk_outcome descend(const struct walk_memory *m, const struct walk_mode *mode, gva_t gva, struct walk *w)
{
	gpa_t table = mode->cr3;

	w->w = w->u = w->x = true;
	for (w->level = WALK_LEVELS;; w->level--) {
		pte_t entry;
		gpte_t e;

		w->table[w->level] = gpa_to_gfn(table);
		w->index[w->level] = gva_index(gva, w->level);
		if (!m->entry(m->ctx, gpa_raw(table) + w->index[w->level] * sizeof(entry), &entry)) {
			w->outside = table;
			return WALK_TABLE_OUTSIDE;
		}
		e = (gpte_t){pte_raw(entry)};
		w->gpte[w->level] = e;
		if (!(e.raw & PTE_P))
			return WALK_NOT_PRESENT;
		if (e.raw & gpte_reserved(mode, e, w->level))
			return WALK_RESERVED;
		w->w &= !!(e.raw & PTE_W);
		w->u &= !!(e.raw & PTE_U);
		w->x &= !(e.raw & PTE_NX);
		if (gpte_is_leaf(e, w->level))
			break;
		table = gpte_gpa(e);
	}
	w->gpa = gpa_add(gpte_leaf_gpa(w->gpte[w->level], w->level), gva.raw & (level_span(w->level) - 1));
	return WALK_OK;
}

/* False when the guest changed an entry of the path meanwhile: walk again. */
static bool set_accessed_dirty(const struct stage2 *s2, struct walk *w, bool write)
{
	for (int level = WALK_LEVELS; level >= w->level; level--) {
		uint64_t old = w->gpte[level].raw;
		uint64_t new = old | PTE_A | (write && level == w->level ? PTE_D : 0);

		if (new == old)
			continue;
		if (!atomic_compare_exchange_strong(entry_ptr(s2, w->table[level], w->index[level]), &old, new))
			return false;
		written_note(&s2->written, gfn_to_gpa(w->table[level]), PAGE_SIZE);
		w->gpte[level].raw = new;
	}
	return true;
}

void guest_walk_look(const struct walk_memory *m, const struct walk_mode *mode, gva_t gva, struct walk_access access,
                     struct walk *ret_walk)
{
	struct walk w = {0};

	w.outcome = gva_canonical(gva) ? descend(m, mode, gva, &w) : WALK_NON_CANONICAL;
	if (w.outcome == WALK_OK && !walk_permits(mode, access, w.w, w.u, w.x))
		w.outcome = WALK_DENIED;
	if (w.outcome != WALK_OK && w.outcome != WALK_NON_CANONICAL)
		w.error_code = error_code(mode, access, w.outcome);
	w.dirty = w.outcome == WALK_OK && (w.gpte[w.level].raw & PTE_D);
	*ret_walk = w;
}

void guest_walk(const struct stage2 *s2, const struct walk_mode *mode, gva_t gva, struct walk_access access,
                bool set_ad, struct walk *ret_walk)
{
	const struct walk_memory m = walk_memory_of(s2);
	struct walk w;

	do {
		guest_walk_look(&m, mode, gva, access, &w);
	} while (w.outcome == WALK_OK && set_ad && !set_accessed_dirty(s2, &w, access.write));
	w.dirty = w.outcome == WALK_OK && (w.gpte[w.level].raw & PTE_D);
	*ret_walk = w;
}
