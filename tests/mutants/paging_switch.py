# SPDX-License-Identifier: MIT
"""Bugs of a change of the paging mode while the guest runs. As in shadow_cpu.py each names the check that must find it:
"switch NAME" is a change at random moments (tests/stress/switch)."""

NESTED, SHADOW, REGS, REST = "vmm/paging/nested.c", "vmm/paging/shadow.c", "vmm/kvm/cpu_regs.c", "vmm/vm/rest.c"
STATE = "control control/set_paging_keeps_the_state"

MUTANTS = [
    ("switch-loses-software-interrupt", NESTED, "if (vcpu->run->ready_for_interrupt_injection) return false;",
     "if (1) return false;", "INT n was begun before the change, and is not done after it", "switch selftest"),
    ("switch-before-access-is-done", NESTED, "while (vcpu->incomplete &&", "while (0 &&",
     "an access to a port or device has not been completed when the state is taken", "npt switch reads"),
    ("switch-loses-halt", NESTED, "vcpu->halted = state->halted;", "vcpu->halted = false;",
     "a CPU that was halted runs on", "switch halts"),
    ("switch-goes-on-interrupted", SHADOW, "return vcpu->shadow->where == SHADOW_AT_VMM;", "return true;",
     "the state is taken while the guest's is still in the real CPU", "switch random"),
    ("switch-loses-msrs", REGS, "r = set_msrs(fd, &c->msrs);", ";", "MSRs stay behind", STATE),
    ("switch-loses-debug-registers", REGS, "r = set_debug(fd, c->dr);", ";", "debug registers stay behind", STATE),
    ("switch-loses-cr2", REGS, "s.cr2 = c->cr2;", "", "CR2 stays behind", STATE),
    ("switch-loses-task-priority", NESTED, "vcpu->run->cr8 = state->cr8;", "vcpu->run->cr8 = 0;", "CR8 stays behind",
     STATE),
    ("switch-past-slot-508", SHADOW, "return pml4 && pml4[", "return 0 && pml4 && pml4[",
     "a guest is taken whose tables use Gnomon's slot", "control control/set_paging_slot_in_use"),
    ("switch-past-32-bit-code", SHADOW, "if (!(c->seg[SEG_CS].attributes & SEG_L))", "if (0)",
     "32-bit code goes on as 64-bit code", "control control/set_paging_32_bit_code"),
    ("switch-past-offered-selectors", SHADOW, "if (!obeyed && offers_selectors_of_host(vcpu, c))", "if (0)",
     "a program may load the host's selectors later", "control control/set_paging_selectors_of_the_host"),
    ("auto-judges-a-stopped-guest", "vmm/machine/auto.c", "if (atomic_load(&a->vm->paused)) {", "if (0) {",
     "a stopped guest counts as quiet", "control control/auto_does_not_judge_a_stopped_guest"),
    ("switch-past-half-done", REST, "else if (is_half_done(vcpu))", "else if (0)",
     "the state is taken in the middle of an instruction", "switch selftest"),
    ("stop-half-done", REST, "!has_half_done(vm)", "1", "a guest is stopped where it cannot be saved or changed",
     "control control/set_paging_wherever_a_guest_is_stopped"),
]
