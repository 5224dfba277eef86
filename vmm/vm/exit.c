/* SPDX-License-Identifier: MIT */
/* What KVM_RUN's exit reasons mean (KVM API, section 5): one handler each. */
#include <string.h>

#include "dev/bus.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

bool vcpu_dispatch(struct vcpu *vcpu, const struct bus *bus, const struct bus_access *a)
{
	bool taken;

	atomic_store(&vcpu->at_device, true);
	taken = bus_dispatch(bus, vcpu, *a);
	atomic_store(&vcpu->at_device, false);
	return taken;
}

void vcpu_port_access(struct vcpu *vcpu, uint16_t port, uint8_t size, uint32_t count, bool write, uint8_t *data)
{
	const struct bus_access a = {.offset = port, .size = size, .count = count, .write = write, .data = data};

	if (vcpu_dispatch(vcpu, &vcpu->vm->pio, &a))
		return;
	/* An ISA bus without a device floats high; probing it is no mistake. */
	counter_inc(&vcpu->counters, CTR_PORT_UNCLAIMED);
	if (!a.write)
		memset(a.data, 0xff, (size_t)a.size * a.count);
}

static void exit_io(struct vcpu *vcpu)
{
	vcpu->vm->paging->port_exit(vcpu);
}

static void exit_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	const struct bus_access a = {
	    .offset = run->mmio.phys_addr,
	    .size = run->mmio.len,
	    .count = 1,
	    .write = run->mmio.is_write,
	    .data = run->mmio.data,
	};

	vcpu->incomplete = true;
	if (!vcpu_dispatch(vcpu, &vcpu->vm->mmio, &a) && !vcpu_violation(vcpu, gpa_init(a.offset)))
		vm_kill(vcpu, "it %s %u byte%s at guest physical 0x%llx, where there is neither memory nor a device",
		        a.write ? "wrote" : "read", a.size, a.size == 1 ? "" : "s", (unsigned long long)a.offset);
}

void vcpu_halt(struct vcpu *vcpu, bool interrupts_on)
{
	struct vm *vm = vcpu->vm;

	if (interrupts_on) {
		vcpu_wait(vcpu);
		return;
	}
	/* Without interrupts only the end of the run, or a reset, can wake this CPU. */
	if (atomic_fetch_add(&vm->dead_cpus, 1) + 1 == vm->nr_vcpus) {
		vm_kill(vcpu, "every CPU is halted with interrupts off: nothing can wake it");
		return;
	}
	while (!(atomic_load(&vcpu->requests) & (REQ_END | REQ_RESET))) {
		vcpu_wait(vcpu);
		for (int i = 0; i < 4; i++)
			atomic_store(&vcpu->vectors[i], 0);
	}
}

static void exit_hlt(struct vcpu *vcpu)
{
	vcpu->halted = true; /* the run loop waits */
}

static void exit_irq_window(struct vcpu *vcpu)
{
	/* The run loop delivers the interrupt before it enters again. */
	vcpu->vm->paging->interrupted(vcpu);
}

/* CR8 was lowered. The platform has no interrupt priorities: nothing waited for it. */
static void exit_set_tpr(struct vcpu *vcpu)
{
}

static void exit_intr(struct vcpu *vcpu)
{
	counter_inc(&vcpu->counters, CTR_KICKS_RECEIVED);
}

static void exit_shutdown(struct vcpu *vcpu)
{
	if (!vcpu->vm->paging->violation_behind(vcpu))
		vm_kill(vcpu, "triple fault: an exception could not be delivered, nor could the double fault after it");
}

static void exit_internal_error(struct vcpu *vcpu)
{
	if (vcpu->vm->paging->violation_behind(vcpu))
		return;
	if (vcpu->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		vm_kill(vcpu, "KVM on this host cannot emulate the instruction at RIP");
	else
		vm_kill(vcpu, "KVM cannot go on with it (internal error %u)", vcpu->run->internal.suberror);
}

static void exit_fail_entry(struct vcpu *vcpu)
{
	vm_kill(vcpu, "the CPU refuses its state (KVM_EXIT_FAIL_ENTRY, reason 0x%llx)",
	        (unsigned long long)vcpu->run->fail_entry.hardware_entry_failure_reason);
}

static const struct {
	const char *name;
	void (*handle)(struct vcpu *vcpu);
	enum counter counter;
} exit_table[] = {
    [KVM_EXIT_IO] = {"IO", exit_io, CTR_EXIT_IO},
    [KVM_EXIT_MMIO] = {"MMIO", exit_mmio, CTR_EXIT_MMIO},
    [KVM_EXIT_HLT] = {"HLT", exit_hlt, CTR_EXIT_HLT},
    [KVM_EXIT_IRQ_WINDOW_OPEN] = {"IRQ_WINDOW_OPEN", exit_irq_window, CTR_EXIT_IRQ_WINDOW},
    [KVM_EXIT_SET_TPR] = {"SET_TPR", exit_set_tpr, CTR_EXIT_OTHER},
    [KVM_EXIT_INTR] = {"INTR", exit_intr, CTR_EXIT_INTR},
    [KVM_EXIT_SHUTDOWN] = {"SHUTDOWN", exit_shutdown, CTR_EXIT_OTHER},
    [KVM_EXIT_INTERNAL_ERROR] = {"INTERNAL_ERROR", exit_internal_error, CTR_EXIT_OTHER},
    [KVM_EXIT_FAIL_ENTRY] = {"FAIL_ENTRY", exit_fail_entry, CTR_EXIT_OTHER},
};

void vcpu_handle_exit(struct vcpu *vcpu)
{
	uint32_t reason = vcpu->run->exit_reason;

	if (reason < sizeof(exit_table) / sizeof(*exit_table) && exit_table[reason].handle) {
		counter_inc(&vcpu->counters, exit_table[reason].counter);
		exit_table[reason].handle(vcpu);
		return;
	}
	counter_inc(&vcpu->counters, CTR_EXIT_OTHER);
	vm_kill(vcpu, "it caused a KVM exit that Gnomon does not know (reason %u)", reason);
}
