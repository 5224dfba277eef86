/* SPDX-License-Identifier: MIT */
/*
 * What the balloon does with guest memory: gives the host pages back, at once. The guest's mapping stays, so that a
 * page that it touches although it gave it away comes back zeroed.
 */
#include <errno.h>
#include <gnomon/abi.h>
#include <sys/mman.h>

#include "kvm/platform.h"
#include "kvm/vcpu.h"

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
	return NULL;
}

static int discard(void *ctx, gpa_t at, uint64_t size)
{
	const struct platform *p = ctx;
	void *host = stage2_ptr(&p->vm->stage2, at, size);

	BUG_ON(!host); /* the balloon checked every page, and runs end with their range of memory */
	return madvise(host, size, MADV_DONTNEED) < 0 ? -errno : 0;
}

static int release(void *ctx, gpa_t at, uint64_t size)
{
	return 0;
}

static void *memory(void *ctx, gpa_t at, uint64_t len)
{
	const struct platform *p = ctx;

	return stage2_ptr(&p->vm->stage2, at, len);
}

static void interrupt(void *ctx)
{
	const struct platform *p = ctx;

	vcpu_interrupt(p->vm->vcpu[0], GNOMON_VIRTIO_VECTOR(GNOMON_VIRTIO_BALLOON));
}

int platform_balloon_init(struct platform *p)
{
	static const struct balloon_ops ops = {
	    .refusal = refusal, .reclaim = discard, .release = release, .discard = discard};
	struct balloon_config config = {
	    .mem = {.ptr = memory, .ctx = p},
	    .interrupt = interrupt,
	    .interrupt_ctx = p,
	    .ops = &ops,
	    .ops_ctx = p,
	};

	_Static_assert(BALLOON_RAM_RANGES >= GUEST_MEM_REGIONS, "each region is a range");
	for (int i = 0; i < p->vm->mem.nr_regions; i++) {
		config.ram[i].base = gpa_init(maddr_raw(p->vm->mem.region[i].base));
		config.ram[i].size = p->vm->mem.region[i].size;
	}
	return balloon_init(&p->balloon, &config);
}
