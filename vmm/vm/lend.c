/* SPDX-License-Identifier: MIT */
#include "vm/lend.h"

#include <errno.h>
#include <string.h>

#include "vm/reclaim.h"

/* Both locks; what is lent is known. -EINVAL, -ENOMEM, -EBUSY: the locks are not held. */
static int begin(struct vm *vm, gpa_t gpa, uint64_t size)
{
	int r;

	if ((gpa_raw(gpa) | size) & (guest_mem_host_page(&vm->mem) - 1) || !stage2_is_ram(&vm->stage2, gpa, size))
		return -EINVAL;
	r = vm_lock_paging(vm);
	if (r < 0)
		return r;
	r = lent_init(&vm->stage2.lent, maddr_raw(guest_mem_end(&vm->mem)));
	if (r < 0)
		vm_unlock_paging(vm);
	return r;
}

static int end(struct vm *vm, int r)
{
	vm_unlock_paging(vm);
	return r;
}

int vm_lend(struct vm *vm, gpa_t gpa, uint64_t size, unsigned to, void *ret_content)
{
	struct stage2_slice slice = {.gpa = gpa, .size = size};
	int r = begin(vm, gpa, size);

	if (r < 0)
		return r;
	if (lent_to(&vm->stage2.lent, gpa, size))
		return end(vm, -EPERM);
	vm->stage2.lent.content = ret_content;
	r = vm_reclaim_locked(vm, &slice, 1);
	vm->stage2.lent.content = NULL;
	if (r == 0)
		lent_set(&vm->stage2.lent, gpa, size, to);
	return end(vm, r);
}

/* All of it. */
static bool is_lent(const struct vm *vm, gpa_t gpa, uint64_t size)
{
	uint64_t off = 0;

	while (off < size && lent_to(&vm->stage2.lent, gpa_add(gpa, off), PAGE_SIZE))
		off += PAGE_SIZE;
	return off >= size;
}

/* A page at a time: the range may go over more than one region of host memory. */
static void fill(const struct vm *vm, gpa_t gpa, uint64_t size, const uint8_t *content)
{
	for (uint64_t off = 0; off < size; off += PAGE_SIZE)
		memcpy(stage2_ptr(&vm->stage2, gpa_add(gpa, off), PAGE_SIZE), content + off, PAGE_SIZE);
}

int vm_give_back(struct vm *vm, gpa_t gpa, uint64_t size, const void *content)
{
	const struct stage2_slice slice = {.gpa = gpa, .size = size};
	unsigned done;
	int r = begin(vm, gpa, size);

	if (r < 0)
		return r;
	if (!is_lent(vm, gpa, size))
		return end(vm, -EALREADY);
	r = vm_release_locked(vm, &slice, 1, &done);
	if (r < 0)
		return end(vm, r);
	lent_set(&vm->stage2.lent, gpa, size, 0);
	if (content)
		fill(vm, gpa, size, content);
	vm->paging->written(vm, gpa, size);
	return end(vm, 0);
}

/* The frames of [gpa, gpa + size) as one range of machine memory. -EALREADY: some of it is not mapped. */
static int find_frames(const struct vm *vm, gpa_t gpa, uint64_t size, maddr_t *ret_at)
{
	struct stage2_mapping m;

	if (!stage2_ptr(&vm->stage2, gpa, size) || !stage2_lookup(&vm->stage2, gpa, &m))
		return -EALREADY;
	*ret_at = m.maddr;
	return 0;
}

/* Nothing that was derived from the pages stays, such as the shadows of tables that lay there. They are zero then. */
static int make_fresh(struct vm *vm, gpa_t gpa, uint64_t size)
{
	struct stage2_slice slice = {.gpa = gpa, .size = size};
	unsigned done;
	int r = vm_reclaim_locked(vm, &slice, 1);

	return r < 0 ? r : vm_release_locked(vm, &slice, 1, &done);
}

int vm_share(struct vm *vm, gpa_t gpa, uint64_t size, unsigned with, int fd, uint64_t offset)
{
	maddr_t at;
	int r = begin(vm, gpa, size);

	if (r < 0)
		return r;
	r = lent_to(&vm->stage2.lent, gpa, size) ? -EPERM : make_fresh(vm, gpa, size);
	if (r == 0)
		r = find_frames(vm, gpa, size, &at);
	if (r == 0)
		r = guest_mem_share(&vm->mem, at, size, fd, offset);
	if (r == 0)
		lent_set(&vm->stage2.lent, gpa, size, with);
	return end(vm, r);
}

int vm_unshare(struct vm *vm, gpa_t gpa, uint64_t size)
{
	maddr_t at;
	int r = begin(vm, gpa, size);

	if (r < 0)
		return r;
	r = lent_to(&vm->stage2.lent, gpa, size) ? find_frames(vm, gpa, size, &at) : -EALREADY;
	if (r == 0)
		r = guest_mem_unshare(&vm->mem, at, size);
	if (r == 0)
		lent_set(&vm->stage2.lent, gpa, size, 0);
	written_note(&vm->stage2.written, gpa, size);
	return end(vm, r);
}

unsigned vm_lent_to(struct vm *vm, gpa_t gpa, uint64_t size)
{
	unsigned owner;

	pthread_mutex_lock(&vm->reclaim_lock);
	owner = lent_to(&vm->stage2.lent, gpa, size);
	pthread_mutex_unlock(&vm->reclaim_lock);
	return owner;
}
