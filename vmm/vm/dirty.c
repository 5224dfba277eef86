/* SPDX-License-Identifier: MIT */
#include "vm/dirty.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define BITS 64

uint64_t vm_dirty_pages(const struct vm *vm)
{
	return maddr_raw(guest_mem_end(&vm->mem)) / PAGE_SIZE;
}

int vm_dirty_begin(struct vm *vm)
{
	int r;

	if (vm->logs_writes)
		return 0;
	r = written_begin(&vm->stage2.written, vm_dirty_pages(vm) * PAGE_SIZE);
	if (r < 0)
		return r;
	vm->logs_writes = true;
	r = vm_set_memslots(vm, true);
	if (r < 0)
		vm_dirty_end(vm);
	return r;
}

void vm_dirty_end(struct vm *vm)
{
	if (!vm->logs_writes)
		return;
	vm->logs_writes = false;
	(void)!vm_set_memslots(vm, true); /* the guest runs on as it did */
}

/* KVM's log of a region, a bit for each page of its memslot. */
static int take_region(struct vm *vm, int slot, uint64_t *into)
{
	const struct mem_region *m = &vm->mem.region[slot];
	const uint64_t words = (m->size / PAGE_SIZE + BITS - 1) / BITS;
	struct kvm_dirty_log log = {.slot = (uint32_t)slot};
	uint64_t *bits = calloc(words, sizeof(*bits));
	int r = 0;

	if (!bits)
		return -ENOMEM;
	log.dirty_bitmap = bits;
	if (ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log) < 0)
		r = -errno;
	for (uint64_t w = 0; r == 0 && w < words; w++) {
		for (uint64_t set = bits[w]; set; set &= set - 1) {
			const uint64_t n = w * BITS + (unsigned)__builtin_ctzll(set);
			const uint64_t page = gpa_raw(stage2_page_of(maddr_add(m->base, n * PAGE_SIZE))) / PAGE_SIZE;

			into[page / BITS] |= 1ull << page % BITS;
		}
	}
	free(bits);
	return r;
}

static void add_shared(const struct vm *vm, uint64_t *into)
{
	const struct lent *l = &vm->stage2.lent;

	for (uint64_t page = 0; atomic_load(&l->owner) && page < l->pages; page++)
		if (lent_to(l, gpa_init(page * PAGE_SIZE), PAGE_SIZE))
			into[page / BITS] |= 1ull << page % BITS;
}

int vm_dirty_take(struct vm *vm, uint64_t *into)
{
	int r = vm->logs_writes ? 0 : -EINVAL;

	for (int i = 0; r == 0 && i < vm->mem.nr_regions; i++)
		r = take_region(vm, i, into);
	written_take(&vm->stage2.written, into);
	add_shared(vm, into);
	return r;
}
