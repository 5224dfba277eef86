/* SPDX-License-Identifier: MIT */
/* Shadow mode behind the interface of a paging mode. What happens in a trap: shadow_vcpu.c and on. */
#include "paging/shadow.h"

#include <errno.h>
#include <gnomon/x86.h>

#include "host/host.h"
#include "kvm/cpu_regs.h"
#include "paging/shadow_vm.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

/* --- the VM --- */

static int reset(struct vm *vm)
{
	struct shadow_vm *s = vm->shadow;
	int r;

	pthread_mutex_lock(&vm->paging_lock);
	r = shadow_recycle(s->mmu, &vm->vcpu[0]->counters);
	pthread_mutex_unlock(&vm->paging_lock);
	return r < 0 ? log_errno(-r, "KVM does not take the memory of shadow tables back") : 0;
}

static void finish(struct vm *vm)
{
	if (vm->shadow)
		counter_add(&vm->vcpu[0]->counters, CTR_SHADOW_PREFETCHED_USED,
		            shadow_prefetched_used(vm->shadow->mmu));
}

/* --- state --- */

/* Whether the guest's tables use the PML4 slot in which every root has the stub. */
static bool uses_stub_slot(struct vcpu *vcpu, const struct cpu_state *c)
{
	const uint64_t *pml4 = stage2_ptr(&vcpu->vm->stage2, gpa_init(c->cr3 & PTE_ADDR), PAGE_SIZE);

	return pml4 && pml4[gva_index(gva_init(GNOMON_RESERVED_BASE), 4)] & PTE_P;
}

/* A CPU that ignores its own segment registers at CPL 3 has the host's selectors there (docs/hosts.md). */
static const uint16_t host_selector[] = {0x2b, 0x33};

static bool has_selectors_of_host(const struct cpu_state *c)
{
	for (enum segment n = SEG_ES; n <= SEG_GS; n++)
		for (size_t i = 0; i < sizeof(host_selector) / sizeof(*host_selector); i++)
			if (c->seg[n].selector == host_selector[i])
				return true;
	return false;
}

/* Whether a program could load them later. */
static bool offers_selectors_of_host(struct vcpu *vcpu, const struct cpu_state *c)
{
	const uint8_t for_programs = (SEG_P | SEG_DPL | SEG_S) & 0xff;

	for (size_t i = 0; i < sizeof(host_selector) / sizeof(*host_selector); i++) {
		const uint16_t at = host_selector[i] & ~(SELECTOR_RPL | SELECTOR_TI);
		uint8_t rights; /* byte 5 of the descriptor */

		if (at + 7 <= c->gdtr.limit && vcpu_peek(vcpu, c, gva_init(c->gdtr.base + at + 5), &rights) &&
		    (rights & for_programs) == for_programs)
			return true;
	}
	return false;
}

/* Of the host and the guest's state alone: there may be no shadow yet. */
static const char *refuses(struct vcpu *vcpu, const struct cpu_state *c)
{
	const struct cpu_limits limits = shadow_ops_make().limits;
	const bool obeyed = host_runs_guests_in_hardware();

	if (!(c->cr0 & CR0_PG) || !(c->efer & EFER_LMA))
		return "it does not run in long mode";
	if (c->cr4 & ~limits.cr4_bits || c->efer & ~limits.efer_bits || c->xcr0 & ~limits.xcr0_bits)
		return "CR4, EFER or XCR0 enables a feature that shadow mode does not have";
	if (c->cpl != 0 && c->cpl != 3)
		return "it runs at CPL 1 or 2";
	if (!(c->seg[SEG_CS].attributes & SEG_L))
		return "it runs 32-bit code";
	if (!obeyed && has_selectors_of_host(c))
		return "a segment register holds selector 0x2b or 0x33, which are the host's on this CPU";
	if (!obeyed && offers_selectors_of_host(vcpu, c))
		return "its GDT has segments for programs at 0x28 or 0x30, whose selectors are the host's on this CPU";
	if (!stage2_ptr(&vcpu->vm->stage2, gpa_init(c->cr3 & PTE_ADDR), PAGE_SIZE))
		return "CR3 leads outside its memory";
	if (uses_stub_slot(vcpu, c))
		return "its tables use PML4 slot 508, which belongs to Gnomon in shadow mode";
	return NULL;
}

static int get_state(struct vcpu *vcpu, struct cpu_state *ret_state)
{
	*ret_state = vcpu->shadow->cpu;
	return 0;
}

static int set_state(struct vcpu *vcpu, const struct cpu_state *state)
{
	const int r = cpu_regs_disarm(vcpu->fd);

	return r < 0 ? r : shadow_vcpu_begin(vcpu, state);
}

static int start(struct vcpu *vcpu)
{
	struct cpu_state state;
	int r;

	cpu_regs_from_kvm(&state, &vcpu->start_regs, &vcpu->start_sregs);
	shadow_vcpu_lock(vcpu);
	r = shadow_vcpu_begin(vcpu, &state);
	shadow_vcpu_unlock(vcpu);
	return r;
}

/* --- in and out --- */

static bool halted(struct vcpu *vcpu, bool *ret_interrupts_on)
{
	*ret_interrupts_on = vcpu->shadow->cpu.rflags & RFLAGS_IF;
	return vcpu->shadow->cpu.halted;
}

static void left(struct vcpu *vcpu)
{
	atomic_store(&vcpu->shadow->in_guest, false); /* also of one that does not come to the lock: killed */
}

/* What ends so in shadow mode is the stub's fault, or the host's. */
static bool violation_behind(struct vcpu *vcpu)
{
	return false;
}

static bool settled(struct vcpu *vcpu)
{
	vcpu->unsettled = NULL;
	return vcpu->shadow->where == SHADOW_AT_VMM;
}

/* --- memory --- */

static unsigned shootdown(struct vm *vm, const struct stage2_slice *slice, unsigned n)
{
	struct counters *counters = &vm->vcpu[0]->counters;
	struct shadow *mmu = vm->shadow->mmu;
	unsigned acks = 0;

	withdrawal_announce(&vm->withdrawal, slice, n);
	for (int i = 0; i < vm->nr_vcpus; i++)
		acks += atomic_load(&vm->vcpu[i]->shadow->in_guest);
	for (unsigned i = 0; i < n; i++)
		shadow_zap_gpa(mmu, counters, slice[i].gpa, slice[i].maddr, slice[i].size);
	vm_withdraw(vm, slice, n);
	return acks;
}

static void joined(struct vm *vm, gpa_t gpa)
{
	shadow_join_gpa(vm->shadow->mmu, &vm->vcpu[0]->counters, gpa);
}

static void written(struct vm *vm, gpa_t gpa, uint64_t size)
{
	for (uint64_t off = 0; off < size; off += PAGE_SIZE)
		shadow_written(vm->shadow->mmu, &vm->vcpu[0]->counters, gpa_add(gpa, off),
		               size - off < PAGE_SIZE ? size - off : PAGE_SIZE);
}

/* --- looking at the guest --- */

/* What the CPU sees, where 2 MiB pages that were promoted are one leaf. */
static bool shadow_entry(struct vcpu *vcpu, uint64_t at, uint64_t *ret_entry)
{
	const uint64_t *p = shadow_pool_ptr(vcpu->vm->shadow->mmu, maddr_init(at));

	if (p)
		*ret_entry = __atomic_load_n(p, __ATOMIC_RELAXED);
	return p;
}

static bool tables(struct vcpu *vcpu, enum paging_view which, struct paging_tables *ret_tables)
{
	const struct shadow_vm *s = vcpu->vm->shadow;
	maddr_t root = vcpu->shadow->root;

	if (which != PAGING_VIEW_NOW) {
		struct shadow_view view = shadow_vcpu_view(vcpu);

		view.user = which == PAGING_VIEW_USER;
		view.ac &= !view.user;
		if (!shadow_find_root(s->mmu, &view, &root))
			return false;
	}
	*ret_tables = (struct paging_tables){
	    .root = maddr_raw(root),
	    .levels = 4,
	    .entry = shadow_entry,
	    .base = s->stub.pool,
	    .size = s->stub.pool_size,
	    .host = s->pool,
	};
	return true;
}

const struct paging_ops paging_shadow = {
    .name = "shadow",
    .create = shadow_vm_create,
    .destroy = shadow_vm_destroy,
    .reset = reset,
    .finish = finish,
    .refuses = refuses,
    .get_state = get_state,
    .set_state = set_state,
    .start = start,
    .halted = halted,
    .enter = shadow_vcpu_enter,
    .left = left,
    .interrupted = shadow_vcpu_interrupted,
    .port_exit = shadow_vcpu_trap,
    .violation_behind = violation_behind,
    .settled = settled,
    .shootdown = shootdown,
    .joined = joined,
    .written = written,
    .tables = tables,
};
