/* SPDX-License-Identifier: MIT */
#include "paging/shadow_vm.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kvm/cpuid.h"
#include "host/host.h"
#include "vm/vcpu.h"
#include "cpu/zydis.h"

/* Machine addresses and memslots beside guest RAM's, aligned to 2 MiB; both lie in the hole below 4 GiB. */
#define STUB_MADDR 0xdf000000
#define POOL_MADDR 0xe0000000
#define SLOT_STUB  8
#define SLOT_POOL  9

static int set_slot(struct vm *vm, int slot, maddr_t at, uint64_t size, void *host)
{
	const struct kvm_userspace_memory_region r = {
	    .slot = slot,
	    .guest_phys_addr = maddr_raw(at),
	    .memory_size = size,
	    .userspace_addr = (uintptr_t)host,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r) < 0 ? -errno : 0;
}

/* Every other vCPU out of KVM_RUN; none enters again while the caller holds the lock. */
static void quiesce(void *ctx, struct counters *counters)
{
	struct shadow_vm *s = ctx;
	bool kicked = false;

	for (int i = 0; i < s->vm->nr_vcpus; i++) {
		if (!atomic_load(&s->vm->vcpu[i]->shadow->in_guest))
			continue;
		vcpu_kick(s->vm->vcpu[i]); /* once is enough: see the picture in vcpu.h */
		kicked = true;
	}
	for (int i = 0; i < s->vm->nr_vcpus; i++)
		while (atomic_load(&s->vm->vcpu[i]->shadow->in_guest))
			sched_yield();
	if (kicked)
		counter_inc(counters, CTR_SHADOW_SHOOTDOWNS);
}

/* One that is on its way out executes no instruction of the guest before it passes through the stub. */
static uint64_t oldest_flush(void *ctx)
{
	const struct shadow_vm *s = ctx;
	uint64_t oldest = UINT64_MAX;

	for (int i = 0; i < s->vm->nr_vcpus; i++) {
		const struct shadow_vcpu *v = s->vm->vcpu[i]->shadow;

		if (atomic_load(&v->in_guest) && !v->leaving && v->flushes < oldest)
			oldest = v->flushes;
	}
	return oldest;
}

/* Only a new memslot makes KVM forget the content of frames that were tables (docs/shadow.md). */
static int recycle_pool(void *ctx)
{
	struct shadow_vm *s = ctx;
	int r;

	r = set_slot(s->vm, SLOT_POOL, s->stub.pool, 0, s->pool);
	if (r == 0)
		r = set_slot(s->vm, SLOT_POOL, s->stub.pool, s->stub.pool_size, s->pool);
	s->recycles++;
	return r;
}

static const struct shadow_ops ops = {.quiesce = quiesce, .oldest_flush = oldest_flush, .recycle_pool = recycle_pool};

/*
 * The CPU walks these tables through the second stage: large pages below them make its walks shorter, as those below guest
 * memory do. Never of the host's pool, whose pages are counted out for guests: the bound on the tables' memory would be
 * taken from it as a whole, whatever of it is used.
 */
static void *map_tables(const struct vm *vm, uint64_t size)
{
	return backing_map(vm->mem.backing == BACKING_4K ? BACKING_4K : BACKING_THP, size);
}

/* Whole 2 MiB: less is never one page of the host. */
static uint64_t stub_size(int cpus)
{
	return round_up(stub_pages(cpus) * PAGE_SIZE, PAGE_2M);
}

static struct shadow *create_mmu(struct shadow_vm *s)
{
	return shadow_create(&(struct shadow_params){
	    .s2 = &s->vm->stage2,
	    .pool = s->pool,
	    .pool_base = s->stub.pool,
	    .nr_frames = s->stub.pool_size / PAGE_SIZE,
	    .stub_pdpt = stub_pdpt(&s->stub),
	    .maxphyaddr = s->maxphyaddr,
	    .gbpages = s->gbpages,
	    .pml4_global_reserved = s->pml4_global_reserved,
	    .opts = s->vm->paging_config.shadow_opts,
	    .audited = s->vm->paging_config.audit,
	    .ops = &ops,
	    .ctx = s,
	});
}

static int set_up(struct shadow_vm *s)
{
	struct vm *vm = s->vm;
	int r;

	s->pool = map_tables(vm, s->vm->paging_config.shadow_memory);
	s->stub = (struct stub_layout){
	    .host = map_tables(vm, stub_size(vm->nr_vcpus)),
	    .base = maddr_init(STUB_MADDR),
	    .cpus = vm->nr_vcpus,
	    .pool = maddr_init(POOL_MADDR),
	    .pool_size = s->vm->paging_config.shadow_memory,
	};
	if (!s->pool || !s->stub.host)
		return log_errno(ENOMEM, "no memory for shadow tables");
	stub_build(&s->stub);
	s->maxphyaddr = cpuid_maxphyaddr();
	s->gbpages = cpuid_gbpages();
	s->pml4_global_reserved = cpuid_pml4_global_reserved();
	s->mmu = create_mmu(s);
	if (!s->mmu)
		return log_errno(ENOMEM, "no memory for the shadow page cache");
	s->cpu_ops = shadow_ops_make();
	s->obeyed = host_runs_guests_in_hardware();
	r = set_slot(vm, SLOT_STUB, s->stub.base, stub_size(vm->nr_vcpus), s->stub.host);
	if (r == 0)
		r = set_slot(vm, SLOT_POOL, s->stub.pool, s->stub.pool_size, s->pool);
	return r < 0 ? log_errno(-r, "KVM refuses the memory of shadow tables") : 0;
}

int shadow_vm_create(struct vm *vm, const char **ret_why)
{
	struct shadow_vm *s;
	int r = 0;

	*ret_why = "the host has no memory for shadow tables";
	if (!vm->sync_regs) {
		*ret_why = "shadow paging needs KVM_CAP_SYNC_REGS (Linux 4.17)";
		log_error("%s", *ret_why);
		return -ENOTSUP;
	}
	if (zydis_load() < 0) {
		*ret_why = "libZydis, which decodes the guest's instructions, is not there";
		return -ENOENT;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return log_errno(ENOMEM, "shadow mode");
	vm->shadow = s;
	s->vm = vm;
	for (int i = 0; r == 0 && i < vm->nr_vcpus; i++) {
		vm->vcpu[i]->shadow = calloc(1, sizeof(struct shadow_vcpu));
		if (!vm->vcpu[i]->shadow)
			r = log_errno(ENOMEM, "shadow mode");
	}
	if (r == 0)
		r = set_up(s);
	if (r < 0)
		shadow_vm_destroy(vm);
	return r;
}

void shadow_vm_destroy(struct vm *vm)
{
	struct shadow_vm *s = vm->shadow;

	if (!s)
		return;
	/*
	 * One that is not there is refused. With a memslot a KVM that composes tables itself forgets what it knew of the
	 * guest's when nested mode last ran (docs/hosts.md): it has not seen what the VMM stored into them since.
	 */
	(void)set_slot(vm, SLOT_POOL, s->stub.pool, 0, s->pool);
	(void)set_slot(vm, SLOT_STUB, s->stub.base, 0, s->stub.host);
	if (s->pool)
		munmap(s->pool, s->stub.pool_size);
	if (s->stub.host)
		munmap(s->stub.host, stub_size(s->stub.cpus));
	shadow_destroy(s->mmu);
	for (int i = 0; i < vm->nr_vcpus; i++) {
		free(vm->vcpu[i]->shadow);
		vm->vcpu[i]->shadow = NULL;
	}
	free(s);
	vm->shadow = NULL;
}
