/* SPDX-License-Identifier: MIT */
/*
 * Nested mode: the guest's own tables and KVM's second stage translate. KVM's vCPU holds all of the guest's state, and
 * the VMM keeps nothing that is derived from guest memory.
 */
#include "paging/nested.h"

#include <errno.h>
#include <gnomon/x86.h>
#include <sys/ioctl.h>

#include "kvm/cpu_regs.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

/* --- the VM --- */

static int create(struct vm *vm, const char **ret_why)
{
	return 0;
}

static void nothing_of_vm(struct vm *vm)
{
}

static int reset(struct vm *vm)
{
	return 0;
}

/* --- state --- */

static const char *refuses(struct vcpu *vcpu, const struct cpu_state *state)
{
	return NULL;
}

static int get_state(struct vcpu *vcpu, struct cpu_state *ret_state)
{
	const int r = cpu_regs_get(vcpu->fd, ret_state);

	ret_state->halted = vcpu->halted;
	return r;
}

static int set_state(struct vcpu *vcpu, const struct cpu_state *state)
{
	const bool interrupts_on = state->rflags & RFLAGS_IF;

	vcpu->halted = state->halted;
	vcpu->incomplete = false;
	vcpu->run->kvm_valid_regs = vcpu->run->kvm_dirty_regs = 0;
	vcpu->run->cr8 = state->cr8;
	/* As KVM_RUN left them: it will not return before the first interrupt is due. */
	vcpu->run->if_flag = interrupts_on;
	vcpu->run->ready_for_interrupt_injection = interrupts_on && !state->interrupt_shadow;
	return cpu_regs_set(vcpu->fd, state);
}

static int start(struct vcpu *vcpu)
{
	if (vcpu->vm->sync_regs) {
		vcpu->run->kvm_valid_regs = 0;
		vcpu->run->s.regs.sregs = vcpu->start_sregs;
		vcpu->run->s.regs.regs = vcpu->start_regs;
		vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
		vcpu->incomplete = true; /* KVM_RUN takes them */
		return 0;
	}
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &vcpu->start_sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &vcpu->start_regs) < 0)
		return log_errno(errno, "KVM refuses the start registers of vCPU %d", vcpu->id);
	return 0;
}

/* --- in and out --- */

static bool halted(struct vcpu *vcpu, bool *ret_interrupts_on)
{
	*ret_interrupts_on = vcpu->run->if_flag;
	return vcpu->halted;
}

/*
 * Delivers the highest pending vector if the guest can take it, else asks for a window: KVM API, KVM_INTERRUPT and
 * request_interrupt_window.
 */
static bool enter(struct vcpu *vcpu)
{
	int vector = vcpu_pending_vector(vcpu);
	struct kvm_interrupt irq = {.irq = vector};

	vcpu->run->request_interrupt_window = vector >= 0;
	if (vector < 0 || !vcpu->run->ready_for_interrupt_injection)
		return true;
	if (ioctl(vcpu->fd, KVM_INTERRUPT, &irq) < 0) {
		if (errno == EEXIST)
			return true; /* one waits in KVM already: the window brings us back */
		log_errno(errno, "KVM_INTERRUPT");
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		return true;
	}
	vcpu->halted = false;
	vcpu_clear_vector(vcpu, vector);
	vcpu->run->request_interrupt_window = vcpu_pending_vector(vcpu) >= 0;
	counter_inc(&vcpu->counters, CTR_INTERRUPTS_INJECTED);
	return true;
}

static void left(struct vcpu *vcpu)
{
	vcpu->incomplete = false;
}

static void interrupted(struct vcpu *vcpu)
{
}

static void port_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	vcpu->incomplete = true;
	vcpu_port_access(vcpu, run->io.port, run->io.size, run->io.count, run->io.direction == KVM_EXIT_IO_OUT,
	                 (uint8_t *)run + run->io.data_offset);
}

/* INT n, INT3, INTO or INT1 stands at RIP, or right before it (APM3). */
static bool is_at_software_interrupt(struct vcpu *vcpu)
{
	struct cpu_state c;
	uint8_t b[3] = {0}; /* at RIP - 2, RIP - 1, RIP */

	if (cpu_regs_get_some(vcpu->fd, &c) < 0)
		return true;
	for (int i = 0; i < 3; i++)
		(void)vcpu_peek(vcpu, &c, gva_init(c.rip - 2 + i), &b[i]);
	return b[0] == 0xcd || b[2] == 0xcd || b[1] == 0xcc || b[2] == 0xcc || b[1] == 0xce || b[2] == 0xce ||
	       b[1] == 0xf1 || b[2] == 0xf1;
}

/*
 * Of a software interrupt that is on its way KVM tells nothing, but that the guest, with interrupts on, is not ready
 * for another one. With interrupts off that says nothing, and the instruction has to tell.
 */
static bool holds_software_interrupt(struct vcpu *vcpu, bool interrupt_shadow)
{
	if (vcpu->run->ready_for_interrupt_injection)
		return false;
	return (vcpu->run->if_flag && !interrupt_shadow) || is_at_software_interrupt(vcpu);
}

/*
 * What KVM holds of an event that was on its way to the guest when it was kicked. An external interrupt is taken back:
 * it waits in the VMM again. Anything else is over as soon as the guest runs on.
 */
static const char *take_back_events(struct vcpu *vcpu)
{
	struct kvm_vcpu_events e;

	if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &e) < 0)
		return "KVM does not tell its pending events";
	if (e.exception.injected || e.exception.pending || (e.interrupt.injected && e.interrupt.soft))
		return "an exception is on its way to the guest";
	if (e.nmi.injected || e.nmi.pending || e.smi.smm)
		return "it handles an event that no guest of Gnomon has";
	if (!e.interrupt.injected)
		return holds_software_interrupt(vcpu, e.interrupt.shadow) ? "a software interrupt is on its way" : NULL;
	atomic_fetch_or(&vcpu->vectors[e.interrupt.nr / 64], 1ull << e.interrupt.nr % 64);
	e.interrupt.injected = 0;
	e.flags = 0;
	return ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &e) < 0 ? "an interrupt cannot be taken back from KVM" : NULL;
}

/*
 * The access that left KVM_RUN is completed by the next one. With immediate_exit that is all it does; but for a string
 * instruction, which goes on to its next access.
 */
static bool settled(struct vcpu *vcpu)
{
	while (vcpu->incomplete && !(atomic_load(&vcpu->requests) & REQ_LEAVE)) {
		int r;

		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		if (!vcpu_begin_run(vcpu))
			continue;
		r = ioctl(vcpu->fd, KVM_RUN, 0);
		vcpu_end_run(vcpu);
		if (r == 0)
			vcpu_handle_exit(vcpu);
		else if (errno != EINTR)
			vcpu_run_failed(vcpu, errno);
	}
	vcpu->unsettled = take_back_events(vcpu);
	return true;
}

/* --- memory --- */

/* The other vCPUs go on while one slice goes. Several at once go while all are kept out of the guest. */
static unsigned shootdown(struct vm *vm, const struct stage2_slice *slice, unsigned n)
{
	unsigned acks;

	if (n == 1 && !vm->stage2.lent.content) { /* of a page that is lent no store may come between copy and end */
		vm_withdraw(vm, slice, n);
		return vm_kick_out(vm);
	}
	/* Else the host interrupts every CPU that runs a guest for each slice, at five times its cost. */
	withdrawal_announce(&vm->withdrawal, slice, n);
	acks = vm_keep_out(vm);
	vm_withdraw(vm, slice, n);
	vm_let_in(vm);
	return acks;
}

static void joined(struct vm *vm, gpa_t gpa)
{
}

static void written(struct vm *vm, gpa_t gpa, uint64_t size)
{
	written_note(&vm->stage2.written, gpa, size);
}

/* --- looking at the guest --- */

static bool tables(struct vcpu *vcpu, enum paging_view view, struct paging_tables *ret_tables)
{
	struct cpu_state c;

	if (get_state(vcpu, &c) < 0 || !(c.cr0 & CR0_PG) || !(c.efer & EFER_LMA))
		return false;
	*ret_tables = (struct paging_tables){
	    .root = c.cr3 & PTE_ADDR, .levels = c.cr4 & CR4_LA57 ? 5 : 4, .entry = vcpu_guest_entry};
	return true;
}

/* Where the guest's way to `gva` meets reclaimed memory: a table, or what is there. */
static bool leads_to_reclaimed(struct vcpu *vcpu, const struct walk_mode *mode, uint64_t gva, gpa_t *ret_at)
{
	const struct stage2 *s2 = &vcpu->vm->stage2;
	struct stage2_mapping m;
	struct walk w;

	vcpu_pin(vcpu);
	guest_walk(s2, mode, gva_init(gva), (struct walk_access){.ac = true}, false, &w);
	vcpu_unpin(vcpu);
	if (w.outcome != WALK_OK && w.outcome != WALK_TABLE_OUTSIDE)
		return false;
	*ret_at = w.outcome == WALK_OK ? w.gpa : w.outside;
	return stage2_is_ram(s2, *ret_at, 1) && !stage2_lookup(s2, *ret_at, &m);
}

/* Some of the guest's memory is reclaimed now. */
static bool is_something_reclaimed(struct vm *vm)
{
	bool mapped = true;

	for (int i = 0; mapped && i < vm->mem.nr_regions; i++) {
		const struct mem_region *m = &vm->mem.region[i];

		if (stage2_range_state(&vm->stage2, gpa_init(maddr_raw(m->base)), m->size, &mapped) < 0)
			mapped = false;
	}
	return !mapped;
}

/*
 * After a shutdown SVM's saved state is undefined (APM2 15.14.3), and KVM leaves a vCPU as after INIT: a state that no
 * guest is started in. In doubt it reached what was taken: nothing that it does there may be silent.
 */
static bool is_violation_forgotten(struct vcpu *vcpu, const struct cpu_state *c)
{
	if (c->cr0 & CR0_PE || c->rip != 0xfff0 || !is_something_reclaimed(vcpu->vm))
		return false;
	counter_inc(&vcpu->counters, CTR_STAGE2_VIOLATIONS);
	vm_kill(vcpu, "triple fault, with memory taken away from it; this host's CPU does not say where that happened");
	return true;
}

/*
 * On some hosts KVM itself reads the guest's instructions and tables, and where they were taken away the guest ends at
 * something else.
 */
static bool violation_behind(struct vcpu *vcpu)
{
	struct cpu_state c;

	if (!atomic_load(&vcpu->vm->reclaim_generation) || cpu_regs_get_some(vcpu->fd, &c) < 0)
		return false;
	if (!(c.cr0 & CR0_PG))
		return is_violation_forgotten(vcpu, &c);

	const struct walk_mode mode = vcpu_walk_mode(&c);
	/* What an instruction needs, and the delivery of an exception. */
	const uint64_t needed[] = {
	    c.rip, c.cr2, c.idtr.base, c.gdtr.base, c.seg[SEG_TR].base, c.gpr[GPR_RSP] - sizeof(uint64_t)};
	gpa_t at;

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (leads_to_reclaimed(vcpu, &mode, needed[i], &at))
			return vcpu_violation(vcpu, at);
	return false;
}

const struct paging_ops paging_nested = {
    .name = "nested",
    .create = create,
    .destroy = nothing_of_vm,
    .reset = reset,
    .finish = nothing_of_vm,
    .refuses = refuses,
    .get_state = get_state,
    .set_state = set_state,
    .start = start,
    .halted = halted,
    .enter = enter,
    .left = left,
    .interrupted = interrupted,
    .port_exit = port_exit,
    .violation_behind = violation_behind,
    .settled = settled,
    .shootdown = shootdown,
    .joined = joined,
    .written = written,
    .tables = tables,
};
