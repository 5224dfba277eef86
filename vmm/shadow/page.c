/* SPDX-License-Identifier: MIT */
/* The cache of shadow pages, their links, the reverse map, and the one writer of entries. */
#include <gnomon/abi.h>
#include <stdlib.h>
#include <string.h>

#include "shadow/shadow.h"

#define REFS_PER_BLOCK 1024

static struct shadow_ref *ref_alloc(struct shadow *sh)
{
	struct shadow_ref *ref = sh->free_refs;

	if (!ref) {
		struct shadow_ref *block = calloc(REFS_PER_BLOCK, sizeof(*block));
		struct shadow_ref **blocks =
			realloc(sh->ref_blocks, (sh->nr_ref_blocks + 1) * sizeof(struct shadow_ref *));

		/* Bounded by the pool: 512 a frame. A host without that memory cannot go on either way. */
		BUG_ON(!block || !blocks);
		sh->ref_blocks = blocks;
		sh->ref_blocks[sh->nr_ref_blocks++] = block;
		for (int i = 0; i < REFS_PER_BLOCK; i++) {
			block[i].next = sh->free_refs;
			sh->free_refs = &block[i];
		}
		ref = sh->free_refs;
	}
	sh->free_refs = ref->next;
	return ref;
}

static void ref_add(struct shadow *sh, struct shadow_ref **list, struct shadow_page *page, unsigned index)
{
	struct shadow_ref *ref = ref_alloc(sh);

	*ref = (struct shadow_ref){.page = page, .index = index, .next = *list};
	*list = ref;
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

static unsigned bucket_of(gfn_t gfn)
{
	return (gfn.raw * 0x9e3779b97f4a7c15ull) >> 52;
}

_Static_assert(SHADOW_BUCKETS == 1 << (64 - 52), "bucket_of");

/* The page a table entry leads to: frames and pages go by the same number. */
static struct shadow_page *page_of(const struct shadow *sh, spte_t e)
{
	return &sh->pages[((e.raw & PTE_ADDR) - maddr_raw(sh->pool_base)) >> PAGE_SHIFT];
}

static bool is_leaf(const struct shadow_page *page)
{
	return page->role.level == 1;
}

static struct shadow_ref **rmap_of(const struct shadow *sh, spte_t e)
{
	int64_t n = shadow_frame(sh, gfn_init((e.raw & PTE_ADDR) >> PAGE_SHIFT));

	BUG_ON(n < 0);
	return &sh->rmap[n];
}

static void unlink_entry(struct shadow *sh, struct shadow_page *page, unsigned index)
{
	spte_t e = page->spte[index];

	if (!(e.raw & PTE_P))
		return;
	if (is_leaf(page))
		ref_remove(sh, rmap_of(sh, e), page, index);
	else
		ref_remove(sh, &page_of(sh, e)->parents, page, index);
	page->spte[index].raw = 0;
}

/* With everything else: a single page is not freed while parents point at it. */
void shadow_page_forget(struct shadow *sh, struct shadow_page *page)
{
	for (unsigned i = 0; i < 512; i++)
		unlink_entry(sh, page, i);
	if (!page->role.direct)
		sh->tracked[shadow_frame(sh, page->gfn)]--;
	sh->nr_in_use--;
}

struct shadow_page *shadow_page_find(const struct shadow *sh, gfn_t gfn, struct shadow_role role)
{
	for (struct shadow_page *p = sh->bucket[bucket_of(gfn)]; p; p = p->hash_next)
		if (p->gfn.raw == gfn.raw && role_equal(p->role, role))
			return p;
	return NULL;
}

static struct shadow_page *same_table(struct shadow_page *p, gfn_t gfn)
{
	while (p && (p->gfn.raw != gfn.raw || p->role.direct))
		p = p->hash_next;
	return p;
}

struct shadow_page *shadow_page_first(const struct shadow *sh, gfn_t gfn)
{
	return same_table(sh->bucket[bucket_of(gfn)], gfn);
}

struct shadow_page *shadow_page_next(const struct shadow_page *page)
{
	return same_table(page->hash_next, page->gfn);
}

bool shadow_page_zap(struct shadow *sh, struct shadow_page *page)
{
	const uint64_t generation = sh->generation;
	struct shadow_page **p = &sh->bucket[bucket_of(page->gfn)];

	while (page->parents) {
		if (!shadow_set(sh, page->parents->page, page->parents->index, (spte_t){0}, NULL))
			return false;
		BUG_ON(sh->generation != generation);
	}
	while (*p != page)
		p = &(*p)->hash_next;
	*p = page->hash_next;
	shadow_page_forget(sh, page);
	sh->flushes++; /* a CPU may still walk it, as root for one; its frame rests until the pool is recycled */
	return true;
}

/* Takes write access to a frame away. False: that needs everything dropped, and it was. */
static bool write_protect(struct shadow *sh, gfn_t gfn)
{
	for (struct shadow_ref *ref = sh->rmap[shadow_frame(sh, gfn)]; ref; ref = ref->next) {
		spte_t e = ref->page->spte[ref->index];

		if (!(e.raw & PTE_W))
			continue;
		if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE)) {
			shadow_drop_all(sh);
			return false;
		}
		sh->ops->quiesce(sh->ctx); /* from here on no vCPU writes the table unseen */
		counter_inc(sh->counters, CTR_SHADOW_WRITE_PROTECTS);
		if (!shadow_set(sh, ref->page, ref->index, (spte_t){e.raw & ~PTE_W}, NULL))
			return false;
	}
	return true;
}

struct shadow_page *shadow_page_get(struct shadow *sh, gfn_t gfn, struct shadow_role role)
{
	struct shadow_page *page = shadow_page_find(sh, gfn, role);
	unsigned n;

	if (page)
		return page;
	if (sh->next_fresh == sh->nr_frames) {
		/* Recycling may fail on the host's side: then the pool stays empty and the caller gives up. */
		(void)shadow_pool_recycle(sh);
		return NULL;
	}
	if (!role.direct) {
		if (!write_protect(sh, gfn))
			return NULL;
		sh->tracked[shadow_frame(sh, gfn)]++;
	}
	n = sh->next_fresh++;
	page = &sh->pages[n];
	memset(page, 0, sizeof(*page));
	page->gfn = gfn;
	page->role = role;
	page->table = maddr_add(sh->pool_base, n * PAGE_SIZE);
	page->live = (uint64_t *)(void *)(sh->pool + n * PAGE_SIZE);
	page->hash_next = sh->bucket[bucket_of(gfn)];
	sh->bucket[bucket_of(gfn)] = page;
	sh->nr_in_use++;
	counter_inc(sh->counters, CTR_SHADOW_PAGES_BUILT);
	/* Not live yet: no root leads here. */
	if (role.level == 4)
		page->live[gva_index(gva_init(GNOMON_RESERVED_BASE), 4)] = maddr_raw(sh->stub_pdpt) | PTE_P | PTE_W | PTE_A;
	return page;
}

/*
 * The one writer. From nothing to something is a plain store: the CPU has cached no
 * absence, and KVM looks again. Anything else goes through the stub.
 */
bool shadow_set(struct shadow *sh, struct shadow_page *page, unsigned index, spte_t value, struct shadow_page *child)
{
	spte_t old = page->spte[index];

	if (old.raw == value.raw)
		return true;
	if (page->live[index] && (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE) || sh->nr_edits == SHADOW_EDITS)) {
		shadow_drop_all(sh);
		return false;
	}
	if (!is_leaf(page) || (old.raw ^ value.raw) & (PTE_ADDR | PTE_P)) {
		unlink_entry(sh, page, index);
		if (value.raw && is_leaf(page))
			ref_add(sh, rmap_of(sh, value), page, index);
		else if (value.raw)
			ref_add(sh, &child->parents, page, index);
	}
	page->spte[index] = value;
	if (!page->live[index]) {
		__atomic_store_n(&page->live[index], value.raw, __ATOMIC_RELEASE);
		return true;
	}
	sh->edit[sh->nr_edits++] = (struct shadow_edit){
		.entry = maddr_add(page->table, index * sizeof(uint64_t)),
		.value = value,
	};
	sh->flushes++;
	counter_inc(sh->counters, CTR_SHADOW_EDITS);
	return true;
}
