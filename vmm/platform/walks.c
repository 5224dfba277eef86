/* SPDX-License-Identifier: MIT */
#include "platform/walks.h"

#include <gnomon/x86.h>
#include <stdlib.h>

#include "host/host.h"
#include "mem/host_page.h"

#define MAX_SLOTS  (GUEST_MEM_REGIONS + 1)
#define EPT_LEVELS 4 /* KVM's, while a guest's physical addresses have at most 48 bits */

/* A memslot, and how the host maps it. */
struct slot {
	uint64_t base, size;
	const uint8_t *host;
	struct walk_leaf all; /* of every page; largest 0: as `pages` says */
	uint8_t *pages;       /* enum host_page, by 2 MiB */
};

struct view {
	struct vcpu *vcpu;
	struct paging_tables tables;
	struct slot slot[MAX_SLOTS];
	int nr_slots;
};

static const struct slot *find_slot(const struct view *v, uint64_t at)
{
	for (int i = 0; i < v->nr_slots; i++)
		if (at - v->slot[i].base < v->slot[i].size)
			return &v->slot[i];
	return NULL;
}

/* KVM maps by large pages what is aligned alike in the guest and in the host and lies in the slot as a whole. */
static bool allows(const struct slot *s, uint64_t at, int level)
{
	const uint64_t first = at & ~(level_span(level) - 1);

	return (((uintptr_t)s->host ^ s->base) & (level_span(level) - 1)) == 0 && first >= s->base &&
	       first + level_span(level) - s->base <= s->size;
}

static int allowed(const struct slot *s, uint64_t at, int level)
{
	while (level > 1 && !allows(s, at, level))
		level--;
	return level;
}

static void leaf(void *ctx, uint64_t at, struct walk_leaf *ret_leaf)
{
	const struct slot *s = find_slot(ctx, at);
	struct walk_leaf l = {1, 1};

	if (s && s->all.largest) {
		l = s->all;
	} else if (s) {
		const enum host_page page = s->pages ? s->pages[(at - s->base) / PAGE_2M] : HOST_PAGE_UNKNOWN;

		l.smallest = page == HOST_PAGE_HUGE ? 2 : 1;
		l.largest = page == HOST_PAGE_SMALL ? 1 : 2;
	}
	ret_leaf->smallest = s ? allowed(s, at, l.smallest) : 1;
	ret_leaf->largest = s ? allowed(s, at, l.largest) : 1;
}

static bool entry(void *ctx, uint64_t at, uint64_t *ret_entry)
{
	const struct view *v = ctx;

	return v->tables.entry(v->vcpu, at, ret_entry);
}

static void add_slot(struct view *v, maddr_t base, uint64_t size, const uint8_t *host, struct walk_leaf all)
{
	struct slot *s = &v->slot[v->nr_slots++];

	*s = (struct slot){.base = maddr_raw(base), .size = size, .host = host, .all = all};
	if (all.largest)
		return;
	if (!allows(s, s->base, 2)) { /* never by more, whatever the host has */
		s->all = (struct walk_leaf){1, 1};
		return;
	}
	s->pages = malloc(size / PAGE_2M);
	if (s->pages)
		host_page_find(host, size, s->pages);
}

static struct walk_leaf leaf_of_backing(enum backing backing)
{
	switch (backing) {
	case BACKING_4K:
		return (struct walk_leaf){1, 1};
	case BACKING_HUGETLB2M:
		return (struct walk_leaf){2, 2};
	case BACKING_HUGETLB1G:
		return (struct walk_leaf){3, 3};
	case BACKING_THP:
		break; /* as the host has it */
	}
	return (struct walk_leaf){0, 0};
}

static void find_slots(struct view *v)
{
	const struct guest_mem *mem = &v->vcpu->vm->mem;

	for (int i = 0; i < mem->nr_regions; i++) {
		const struct mem_region *m = &mem->region[i];

		/* What is borrowed has what its owner asked for. */
		add_slot(v, m->base, m->size, m->host, leaf_of_backing(m->borrowed ? BACKING_THP : mem->backing));
	}
	if (v->tables.size)
		add_slot(v, v->tables.base, v->tables.size, v->tables.host, (struct walk_leaf){0, 0});
}

/* Levels of the second stage, 0 where KVM composes; false: it is not known. */
static bool second_stage(int *ret_levels)
{
	struct host_info info;

	host_read_second_stage(&info);
	if (host_stage_is_software(info.second_stage))
		*ret_levels = 0;
	else if (info.second_stage == HOST_STAGE_EPT)
		*ret_levels = EPT_LEVELS;
	else if (info.second_stage == HOST_STAGE_NPT) /* as many as the host's own tables */
		*ret_levels = host_has_cpu_feature(&info, HOST_CPU_LA57) ? 5 : 4;
	else
		return false;
	return true;
}

void vcpu_count_walks(struct vcpu *vcpu, gva_t first, uint64_t bytes, struct walk_refs *ret_refs)
{
	struct view v = {.vcpu = vcpu};
	struct walk_live live = {.leaf = leaf, .entry = entry, .ctx = &v};

	*ret_refs = (struct walk_refs){0};
	if (!second_stage(&live.second) || !vcpu->vm->paging->tables(vcpu, PAGING_VIEW_USER, &v.tables))
		return;
	live.root = v.tables.root;
	live.levels = v.tables.levels;
	find_slots(&v);
	walk_live_count(&live, gva_raw(first), bytes, ret_refs);
	for (int i = 0; i < v.nr_slots; i++)
		free(v.slot[i].pages);
}
