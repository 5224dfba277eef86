/* SPDX-License-Identifier: MIT */
/* The one writer of shadow entries. It keeps their links: parents and reverse map. */
#include "shadow/internal.h"

struct shadow_page *shadow_child(const struct shadow *sh, spte_t e)
{
	return &sh->pages[((e.raw & PTE_ADDR) - maddr_raw(sh->pool_base)) >> PAGE_SHIFT];
}

/* The list that a present entry stands in. */
static struct shadow_ref **list_of(const struct shadow *sh, const struct shadow_page *page, spte_t e)
{
	int64_t n;

	if (!spte_is_leaf(page, e))
		return &shadow_child(sh, e)->parents;
	n = shadow_machine_frame(sh, spte_mfn(e));
	BUG_ON(n < 0);
	return page->role.level == 1 ? &sh->rmap[n] : &sh->rmap_2m[n / 512];
}

/* A watched entry goes, or becomes an ordinary one. */
static void count_used(struct counters *counters, const struct shadow_page *page, unsigned index)
{
	if (page->spte[index].raw & SPTE_WATCHED && page->live[index] & PTE_A)
		counter_inc(counters, CTR_SHADOW_PREFETCHED_USED);
}

/* A writable leaf goes. A TLB, or a tree that some CPU still walks, may grant the access until that CPU flushes. */
static void note_unmapped(struct shadow *sh, const struct shadow_page *page, spte_t e)
{
	int64_t n;

	if (!(e.raw & PTE_W) || !spte_is_leaf(page, e))
		return;
	n = shadow_machine_frame(sh, spte_mfn(e));
	*(page->role.level == 1 ? &sh->unmapped[n] : &sh->unmapped_2m[n / 512]) = ++sh->flushes;
}

void shadow_unlink(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index)
{
	const spte_t e = page->spte[index];

	if (!(e.raw & PTE_P))
		return;
	count_used(counters, page, index);
	note_unmapped(sh, page, e);
	shadow_ref_remove(sh, list_of(sh, page, e), page, index);
	page->spte[index].raw = 0;
	page->present--;
}

static enum shadow_result link_entry(struct shadow *sh, struct shadow_page *page, unsigned index, spte_t value)
{
	if (value.raw & PTE_P) {
		if (!shadow_ref_add(sh, list_of(sh, page, value), page, index))
			return SHADOW_MUST_DROP;
		page->present++;
	}
	page->spte[index] = value;
	return SHADOW_DONE;
}

spte_t shadow_live_value(const struct shadow *sh, const struct shadow_page *page, unsigned index)
{
	const spte_t e = page->spte[index];

	if (page->role.level != 2 || !(e.raw & PTE_P) || spte_is_leaf(page, e) || !shadow_child(sh, e)->promoted)
		return e;
	return (spte_t){(shadow_child(sh, e)->spte[0].raw & ~SPTE_WATCHED) | PTE_PS | PTE_A};
}

/*
 * From nothing to something is a plain store: the CPU has cached no absence, and KVM looks again. But where nothing is
 * live of an entry that was present, edits wait of which the stub stored some before it was interrupted, and it will
 * store them again: they would undo the store.
 */
static enum shadow_result store(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index,
                                bool was_present)
{
	const spte_t value = shadow_live_value(sh, page, index);

	if (!page->live[index] && !was_present) {
		__atomic_store_n(&page->live[index], value.raw, __ATOMIC_RELEASE);
		return SHADOW_DONE;
	}
	if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE))
		return SHADOW_MUST_DROP;
	return shadow_edit_queue(sh, counters, page, index, value);
}

enum shadow_result shadow_store_parents(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	enum shadow_result r = SHADOW_DONE;

	for (const struct shadow_ref *ref = page->parents; r == SHADOW_DONE && ref; ref = ref->next)
		r = store(sh, counters, ref->page, ref->index, true);
	return r;
}

/* Back from promotion, before an entry of the page changes. */
static enum shadow_result demote(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	page->promoted = false;
	counter_inc(counters, CTR_SHADOW_DEMOTIONS);
	return shadow_store_parents(sh, counters, page);
}

enum shadow_result shadow_set(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index,
                              spte_t value)
{
	const spte_t old = page->spte[index];
	const uint64_t same_link = PTE_ADDR | PTE_P | PTE_PS;
	enum shadow_result r = SHADOW_DONE;

	if (old.raw == value.raw)
		return SHADOW_DONE;
	if (page->promoted)
		r = demote(sh, counters, page);
	if (r != SHADOW_DONE)
		return r;
	if ((old.raw ^ value.raw) & same_link) {
		shadow_unlink(sh, counters, page, index);
		r = link_entry(sh, page, index, value);
	} else {
		count_used(counters, page, index);
		if (!(value.raw & PTE_W))
			note_unmapped(sh, page, old);
		page->spte[index] = value;
	}
	shadow_unsync_set(sh, page, index);
	return r == SHADOW_DONE ? store(sh, counters, page, index, old.raw & PTE_P) : r;
}

uint64_t shadow_prefetched_used(const struct shadow *sh)
{
	uint64_t used = 0;

	for (const struct shadow_page *p = sh->oldest; p; p = p->newer)
		for (unsigned i = 0; i < 512; i++)
			used += p->spte[i].raw & SPTE_WATCHED && p->live[i] & PTE_A;
	return used;
}
