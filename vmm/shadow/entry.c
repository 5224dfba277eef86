/* SPDX-License-Identifier: MIT */
/* The one writer of shadow entries, with the links it keeps: parents and reverse map. */
#include <stdlib.h>
#include <string.h>

#include "shadow/internal.h"

#define REFS_PER_BLOCK 1024

static bool more_refs(struct shadow *sh)
{
	struct shadow_ref **blocks = realloc(sh->ref_blocks, (sh->nr_ref_blocks + 1) * sizeof(struct shadow_ref *));
	struct shadow_ref *block;

	if (!blocks)
		return false;
	sh->ref_blocks = blocks;
	block = calloc(REFS_PER_BLOCK, sizeof(*block));
	if (!block)
		return false;
	sh->ref_blocks[sh->nr_ref_blocks++] = block;
	for (int i = 0; i < REFS_PER_BLOCK; i++) {
		block[i].next = sh->free_refs;
		sh->free_refs = &block[i];
	}
	return true;
}

static bool ref_add(struct shadow *sh, struct shadow_ref **list, struct shadow_page *page, unsigned index)
{
	struct shadow_ref *ref;

	if (!sh->free_refs && !more_refs(sh))
		return false;
	ref = sh->free_refs;
	sh->free_refs = ref->next;
	*ref = (struct shadow_ref){.page = page, .index = index, .next = *list};
	*list = ref;
	return true;
}

static void ref_remove(struct shadow *sh, struct shadow_ref **list, const struct shadow_page *page, unsigned index)
{
	for (struct shadow_ref **p = list; *p; p = &(*p)->next) {
		struct shadow_ref *ref = *p;

		if (ref->page == page && ref->index == index) {
			*p = ref->next;
			ref->next = sh->free_refs;
			sh->free_refs = ref;
			return;
		}
	}
	BUG_ON(true);
}

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
	n = shadow_machine_frame(sh, compose_mfn(e));
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
	n = shadow_machine_frame(sh, compose_mfn(e));
	*(page->role.level == 1 ? &sh->unmapped[n] : &sh->unmapped_2m[n / 512]) = ++sh->flushes;
}

void shadow_unlink(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index)
{
	const spte_t e = page->spte[index];

	if (!(e.raw & PTE_P))
		return;
	count_used(counters, page, index);
	note_unmapped(sh, page, e);
	ref_remove(sh, list_of(sh, page, e), page, index);
	page->spte[index].raw = 0;
	page->present--;
}

static enum shadow_result link_entry(struct shadow *sh, struct shadow_page *page, unsigned index, spte_t value)
{
	if (value.raw & PTE_P) {
		if (!ref_add(sh, list_of(sh, page, value), page, index))
			return SHADOW_MUST_DROP;
		page->present++;
	}
	page->spte[index] = value;
	return SHADOW_DONE;
}

static bool more_edits(struct shadow *sh)
{
	const unsigned max = sh->max_edits ? 2 * sh->max_edits : 256;
	struct shadow_edit *edit = realloc(sh->edit, max * sizeof(*edit));

	if (!edit)
		return false;
	sh->edit = edit;
	sh->max_edits = max;
	return true;
}

enum shadow_result shadow_edit_queue(struct shadow *sh, struct counters *counters, const struct shadow_page *page,
                                     unsigned index, spte_t value)
{
	if (sh->nr_edits == sh->max_edits && !more_edits(sh))
		return SHADOW_MUST_DROP;
	sh->edit[sh->nr_edits++] = (struct shadow_edit){
	    .entry = maddr_add(page->table, index * sizeof(uint64_t)),
	    .value = value,
	};
	sh->flushes++;
	counter_inc(counters, CTR_SHADOW_EDITS);
	return SHADOW_DONE;
}

const struct shadow_edit *shadow_edits(const struct shadow *sh)
{
	return sh->edit;
}

unsigned shadow_nr_edits(const struct shadow *sh)
{
	return sh->nr_edits;
}

void shadow_edits_stored(struct shadow *sh, unsigned n)
{
	if (n == 0)
		return; /* there may be no array yet */
	sh->nr_edits -= n;
	memmove(sh->edit, sh->edit + n, sh->nr_edits * sizeof(*sh->edit));
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
enum shadow_result shadow_store(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index,
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

enum shadow_result shadow_set(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index,
                              spte_t value)
{
	const spte_t old = page->spte[index];
	const uint64_t same_link = PTE_ADDR | PTE_P | PTE_PS;
	enum shadow_result r = SHADOW_DONE;

	if (old.raw == value.raw)
		return SHADOW_DONE;
	if (page->promoted)
		r = shadow_demote(sh, counters, page);
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
	return r == SHADOW_DONE ? shadow_store(sh, counters, page, index, old.raw & PTE_P) : r;
}

uint64_t shadow_prefetched_used(const struct shadow *sh)
{
	uint64_t used = 0;

	for (const struct shadow_page *p = sh->oldest; p; p = p->newer)
		for (unsigned i = 0; i < 512; i++)
			used += p->spte[i].raw & SPTE_WATCHED && p->live[i] & PTE_A;
	return used;
}
