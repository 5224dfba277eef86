/* SPDX-License-Identifier: MIT */
/*
 * What the balloon does with guest memory: a page that the guest gave is out of its reach, and what it takes back is
 * zeroed (vm/reclaim.h). A page that it only reported free stays within reach, and may read as zeroes.
 */
#include <errno.h>
#include <gnomon/abi.h>

#include "platform/platform.h"
#include "vm/lend.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

static bool overlaps(gpa_t at, uint64_t size, uint64_t from, uint64_t to)
{
	return gpa_raw(at) < to && from < gpa_raw(at) + size;
}

static const char *refusal(void *ctx, gpa_t at, uint64_t size)
{
	const struct platform *p = ctx;

	if (overlaps(at, size, 0, GNOMON_LOADER_END))
		return "a page lies in the loader's first MiB";
	if (overlaps(at, size, gpa_raw(p->image), gpa_raw(p->image_end)))
		return "a page lies in the guest's own image";
	if (vm_lent_to(p->vm, at, size))
		return "a page belongs to an enclave";
	if (((gpa_raw(at) | size) & (guest_mem_host_page(&p->vm->mem) - 1)) == 0)
		return NULL;
	return p->vm->mem.backing == BACKING_HUGETLB1G
	           ? "memory of 1 GiB pages (--backing hugetlb1g) goes in whole, aligned 1 GiB only"
	           : "memory of 2 MiB pages (--backing hugetlb2m) goes in whole, aligned 2 MiB only";
}

typedef int (*change_fn)(struct vm *vm, gpa_t at, uint64_t size);

static int change_all(struct vm *vm, gpa_t at, uint64_t size, change_fn change)
{
	const uint64_t unit = guest_mem_host_page(&vm->mem);
	int r = VM_PATIENTLY(vm, change(vm, at, size));

	if (r != -EALREADY)
		return r;
	/* A control client took or returned some of it, past the balloon: page by page of the host's then. */
	for (uint64_t off = 0; off < size; off += unit) {
		r = VM_PATIENTLY(vm, change(vm, gpa_add(at, off), unit));
		if (r < 0 && r != -EALREADY)
			return r;
	}
	return 0;
}

static void to_slices(const struct balloon_run *run, unsigned n, struct stage2_slice *ret_slice)
{
	for (unsigned i = 0; i < n; i++)
		ret_slice[i] =
		    (struct stage2_slice){.gpa = gfn_to_gpa(gfn_init(run[i].pfn)), .size = run[i].pages * PAGE_SIZE};
}

static int reclaim(void *ctx, const struct balloon_run *run, unsigned n)
{
	struct vm *vm = ((const struct platform *)ctx)->vm;
	struct stage2_slice slice[BALLOON_RUNS_MAX];
	int r;

	to_slices(run, n, slice);
	r = VM_PATIENTLY(vm, vm_reclaim_slices(vm, slice, n));
	if (r != -EALREADY)
		return r;
	r = 0;
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = change_all(vm, slice[i].gpa, slice[i].size, vm_reclaim);
	return r;
}

static int release(void *ctx, const struct balloon_run *run, unsigned n, unsigned *ret_done)
{
	struct vm *vm = ((const struct platform *)ctx)->vm;
	struct stage2_slice slice[BALLOON_RUNS_MAX];
	unsigned done = 0, more;
	int r = 0;

	to_slices(run, n, slice);
	while (r == 0 && done < n) {
		r = vm_release_slices(vm, slice + done, n - done, &more);
		done += more;
		if (r == -EBUSY && !vm_has_ended(vm))
			r = 0;
		if (r == -EALREADY) {
			r = change_all(vm, slice[done].gpa, slice[done].size, vm_release);
			done += r == 0;
		}
	}
	*ret_done = done;
	return r;
}

static int discard(void *ctx, gpa_t at, uint64_t size)
{
	const struct platform *p = ctx;

	return VM_PATIENTLY(p->vm, vm_discard(p->vm, at, size));
}

static void *memory(void *ctx, gpa_t at, uint64_t len)
{
	const struct platform *p = ctx;

	return stage2_ptr(&p->vm->stage2, at, len);
}

/* The bytes may be entries of a table. No vCPU traps while the device stores: an audit finds both in step. */

static void stores_begin(void *ctx)
{
	const struct platform *p = ctx;

	pthread_mutex_lock(&p->vm->paging_lock);
}

static void stored(void *ctx, gpa_t at, unsigned len)
{
	const struct platform *p = ctx;

	p->vm->paging->written(p->vm, at, len);
}

static void stores_end(void *ctx)
{
	const struct platform *p = ctx;

	pthread_mutex_unlock(&p->vm->paging_lock);
}

static const struct virtq_watch stores = {.begin = stores_begin, .stored = stored, .end = stores_end};

static void interrupt(void *ctx)
{
	const struct platform *p = ctx;

	vcpu_interrupt(p->vm->vcpu[0], GNOMON_VIRTIO_VECTOR(GNOMON_VIRTIO_BALLOON));
}

int platform_balloon_init(struct platform *p, uint64_t features)
{
	static const struct balloon_ops ops = {
	    .refusal = refusal, .reclaim = reclaim, .release = release, .discard = discard};
	struct balloon_config config = {
	    .features = features,
	    .mem = {.ptr = memory, .watch = &stores, .ctx = p},
	    .interrupt = interrupt,
	    .interrupt_ctx = p,
	    .ops = &ops,
	    .ops_ctx = p,
	    .counters = &p->vm->vcpu[0]->counters,
	};

	_Static_assert(BALLOON_RAM_RANGES >= GUEST_MEM_REGIONS, "each region is a range");
	for (int i = 0; i < p->vm->mem.nr_regions; i++) {
		config.ram[i].base = gpa_init(maddr_raw(p->vm->mem.region[i].base));
		config.ram[i].size = p->vm->mem.region[i].size;
	}
	return balloon_init(&p->balloon, &config);
}
