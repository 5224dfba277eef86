/* SPDX-License-Identifier: MIT */
#include "vm/dirty.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/bitmap.h"

uint64_t vm_dirty_pages(const struct vm *vm)
{
	return maddr_raw(guest_mem_end(&vm->mem)) / PAGE_SIZE;
}

uint64_t vm_dirty_words(const struct vm *vm)
{
	return bitmap_words(vm_dirty_pages(vm));
}

/* For the first reader. */
static int begin_log(struct vm *vm)
{
	int r = written_begin(&vm->stage2.written, vm_dirty_pages(vm) * PAGE_SIZE);

	if (r < 0)
		return r;
	vm->logs_writes = true;
	return vm_set_memslots(vm, true);
}

int vm_dirty_begin(struct vm *vm, struct dirty_reader *r)
{
	int error;

	if (r->pages)
		return 0;
	r->pages = calloc(vm_dirty_words(vm), sizeof(*r->pages));
	if (!r->pages)
		return -ENOMEM;
	r->next = vm->dirty_readers;
	vm->dirty_readers = r;
	error = vm->logs_writes ? 0 : begin_log(vm);
	if (error < 0)
		vm_dirty_end(vm, r);
	return error;
}

void vm_dirty_end(struct vm *vm, struct dirty_reader *r)
{
	struct dirty_reader **link = &vm->dirty_readers;

	if (!r->pages)
		return;
	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	free(r->pages);
	*r = (struct dirty_reader){0};
	if (vm->dirty_readers || !vm->logs_writes)
		return;
	vm->logs_writes = false;
	(void)!vm_set_memslots(vm, true); /* the guest runs on as it did */
}

/* KVM's log of a region, a bit for each page of its memslot. */
static int take_region(struct vm *vm, int slot, uint64_t *into)
{
	const struct mem_region *m = &vm->mem.region[slot];
	const uint64_t words = bitmap_words(m->size / PAGE_SIZE);
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
			const uint64_t n = w * BITMAP_WORD + (unsigned)__builtin_ctzll(set);
			const uint64_t page = gpa_raw(stage2_page_of(maddr_add(m->base, n * PAGE_SIZE))) / PAGE_SIZE;

			bitmap_set(into, page);
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
			bitmap_set(into, page);
}

/* What the log has, for all readers. */
static int collect(struct vm *vm)
{
	uint64_t *all = calloc(vm_dirty_words(vm), sizeof(*all));
	int r = all ? 0 : -ENOMEM;

	for (int i = 0; r == 0 && i < vm->mem.nr_regions; i++)
		r = take_region(vm, i, all);
	if (all) {
		written_take(&vm->stage2.written, all);
		add_shared(vm, all);
	}
	for (struct dirty_reader *to = vm->dirty_readers; to; to = to->next)
		for (uint64_t w = 0; w < vm_dirty_words(vm); w++)
			to->pages[w] |= r < 0 ? ~0ull : all[w];
	free(all);
	return r;
}

int vm_dirty_take(struct vm *vm, struct dirty_reader *r, uint64_t *into)
{
	int error = r->pages ? collect(vm) : -EINVAL;

	for (uint64_t w = 0; r->pages && w < vm_dirty_words(vm); w++) {
		into[w] |= r->pages[w];
		r->pages[w] = 0;
	}
	return error;
}

void vm_dirty_put_back(struct vm *vm, struct dirty_reader *r, const uint64_t *pages)
{
	for (uint64_t w = 0; r->pages && w < vm_dirty_words(vm); w++)
		r->pages[w] |= pages[w];
}
