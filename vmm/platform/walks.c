/* SPDX-License-Identifier: MIT */
#include "platform/walks.h"

#include <gnomon/x86.h>
#include <stdlib.h>

#include "host/host.h"
#include "paging/shadow_vm.h"
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
	const struct shadow_vm *shadow; /* NULL in nested mode */
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

static bool guest_entry(void *ctx, uint64_t at, uint64_t *ret_entry)
{
	const struct view *v = ctx;
	const _Atomic uint64_t *p;

	vcpu_pin(v->vcpu);
	p = stage2_ptr(&v->vcpu->vm->stage2, gpa_init(at), sizeof(*p));
	if (p)
		*ret_entry = atomic_load(p);
	vcpu_unpin(v->vcpu);
	return p;
}

/* What the CPU sees: `live`, where 2 MiB pages that were promoted are one leaf. */
static bool shadow_entry(void *ctx, uint64_t at, uint64_t *ret_entry)
{
	const struct view *v = ctx;
	const uint64_t *p = shadow_pool_ptr(v->shadow->mmu, maddr_init(at));

	if (p)
		*ret_entry = __atomic_load_n(p, __ATOMIC_RELAXED);
	return p;
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

	for (int i = 0; i < mem->nr_regions; i++)
		add_slot(v, mem->region[i].base, mem->region[i].size, mem->region[i].host,
		         leaf_of_backing(mem->backing));
	if (v->shadow)
		add_slot(v, v->shadow->stub.pool, v->shadow->stub.pool_size, v->shadow->pool, (struct walk_leaf){0, 0});
}

/* Levels of the second stage, 0 where KVM composes; false: it is not known. */
static bool second_stage(int *ret_levels)
{
	struct host_info info;

	host_read_second_stage(&info);
	switch (info.second_stage) {
	case HOST_STAGE_EPT:
		*ret_levels = EPT_LEVELS;
		return true;
	case HOST_STAGE_NPT: /* as many as the host's own tables */
		*ret_levels = host_has_cpu_feature(&info, HOST_CPU_LA57) ? 5 : 4;
		return true;
	case HOST_STAGE_SOFTWARE_PVM:
	case HOST_STAGE_SOFTWARE_NPT0:
	case HOST_STAGE_SOFTWARE_EPT0:
		*ret_levels = 0;
		return true;
	default:
		return false;
	}
}

/* The guest's own tables. False: it has none. */
static bool find_guest_tables(struct view *v, struct walk_live *live)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (vcpu_get_registers(v->vcpu, &regs, &sregs) < 0 || !(sregs.cr0 & CR0_PG) || !(sregs.efer & EFER_LMA))
		return false;
	live->root = sregs.cr3 & PTE_ADDR;
	live->levels = sregs.cr4 & CR4_LA57 ? 5 : 4;
	live->entry = guest_entry;
	return true;
}

/* The shadow's, for what the guest does at CPL 3. Lock held. */
static bool find_shadow_tables(struct view *v, struct walk_live *live)
{
	struct shadow_view view = shadow_vcpu_view(v->vcpu);
	maddr_t root;

	view.user = true;
	view.ac = false;
	v->shadow = v->vcpu->vm->shadow;
	if (!shadow_find_root(v->shadow->mmu, &view, &root))
		return false;
	live->root = maddr_raw(root);
	live->levels = 4;
	live->entry = shadow_entry;
	return true;
}

void vcpu_count_walks(struct vcpu *vcpu, gva_t first, uint64_t bytes, struct walk_refs *ret_refs)
{
	struct view v = {.vcpu = vcpu};
	struct walk_live live = {.leaf = leaf, .ctx = &v};

	*ret_refs = (struct walk_refs){0};
	if (!second_stage(&live.second) ||
	    !(vcpu->vm->shadow ? find_shadow_tables(&v, &live) : find_guest_tables(&v, &live)))
		return;
	find_slots(&v);
	walk_live_count(&live, gva_raw(first), bytes, ret_refs);
	for (int i = 0; i < v.nr_slots; i++)
		free(v.slot[i].pages);
}
