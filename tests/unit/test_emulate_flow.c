/* SPDX-License-Identifier: MIT */
/* From one instruction to the next: fetching, long repetitions, single steps. */
#include "trap_machine.h"

/* Long reps are cut, so that interrupts get in, and go on where they stopped. */
Test(emulate_privileged, long_rep)
{
	struct emul_result r;
	struct machine m;
	unsigned calls = 0;

	machine_init(&m, 0);
	m.cpu.gpr[GPR_RDI] = DATA_PAGE;
	m.cpu.gpr[GPR_RCX] = 2 * PAGE_SIZE;
	m.cpu.gpr[GPR_RAX] = 0x5a;
	do {
		cr_assert_eq(m.cpu.rip, CODE_PAGE);
		cr_assert_eq(RUN(&m, &r, 0xf3, 0xaa), EMUL_DONE);
		calls++;
	} while (m.cpu.gpr[GPR_RCX] != 0);
	cr_assert(calls > 1 && m.cpu.rip == CODE_PAGE + 2 && m.cpu.gpr[GPR_RDI] == STACK_PAGE);
	cr_assert(*machine_u64(STACK_PAGE - 8) == 0x5a5a5a5a5a5a5a5a && *machine_u64(STACK_PAGE) == 0);
}

/* Fetching: byte-exact at a page's end, faults on the second page only if needed, 15 bytes at most. */
Test(emulate_privileged, fetch)
{
	static const uint8_t too_long[] = {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	                                   0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90};
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.rip = ARENA_BASE + ARENA_SIZE - 1; /* nothing is mapped behind */
	cr_assert_eq(RUN(&m, &r, 0xfa), EMUL_DONE, "the last byte of memory");
	m.cpu.rip = ARENA_BASE + ARENA_SIZE - 1;
	*(uint8_t *)machine_u64(m.cpu.rip) = 0x0f;
	cr_assert_eq(emulate_insn(&m.cpu, &m.ops, &m, &r), EMUL_EXCEPTION);
	cr_assert(r.exc.vector == VEC_PF && gva_raw(r.exc.cr2) == ARENA_BASE + ARENA_SIZE);
	cr_assert(r.length == 1 && r.bytes[0] == 0x0f, "the bytes for a message");
	m.cpu.rip = CODE_PAGE;
	cr_assert_eq(machine_run(&m, too_long, sizeof(too_long), &r), EMUL_EXCEPTION);
	cr_assert(r.exc.vector == VEC_GP);
	m.cpu.rip = CODE_PAGE;
	m.cpu.gpr[GPR_RAX] = OUTSIDE_MEMORY;
	cr_assert_eq(RUN(&m, &r, 0x48, 0x89, 0x00), EMUL_OUTSIDE_MEMORY);
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x11, 0x00), EMUL_UNKNOWN, "movups");
	cr_assert(r.why && r.length == 3 && r.fpu == INSN_FPU_SSE && !r.privileged);
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x01, 0xdd), EMUL_UNKNOWN, "clgi");
	cr_assert(r.privileged && r.fpu == INSN_FPU_NONE);
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x22, 0xc8), EMUL_UNKNOWN, "mov cr1");
	cr_assert_eq(RUN(&m, &r, 0x8e, 0xc8), EMUL_UNKNOWN, "mov cs");
	cr_assert_eq(RUN(&m, &r, 0xf0, 0x01, 0xc0), EMUL_UNKNOWN, "lock on a register");
	cr_assert(!r.privileged && r.fpu == INSN_FPU_NONE);
	m.cpu.rip = CANONICAL_HOLE;
	cr_assert(emulate_insn(&m.cpu, &m.ops, &m, &r) == EMUL_EXCEPTION && r.exc.vector == VEC_GP);
}

/* RFLAGS.TF: a #DB after the instruction, not after one that shadows it. */
Test(emulate_privileged, single_step)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.rflags |= RFLAGS_TF | RFLAGS_RF;
	cr_assert_eq(RUN(&m, &r, 0xfa), EMUL_EXCEPTION);
	cr_assert(r.exc.vector == VEC_DB && r.exc.dr6 == 1 << 14 && m.cpu.rip == CODE_PAGE + 1);
	cr_assert(!(m.cpu.rflags & (RFLAGS_IF | RFLAGS_RF)), "done, and RF ends with it");
	m.cpu.gpr[GPR_RAX] = KERNEL_DS;
	cr_assert_eq(RUN(&m, &r, 0x8e, 0xd0), EMUL_DONE, "mov ss holds the trap back");
	/* Between two elements: RF, so that no breakpoint of the instruction comes again. */
	machine_init(&m, 0);
	m.cpu.rflags |= RFLAGS_TF;
	m.cpu.gpr[GPR_RDI] = DATA_PAGE;
	m.cpu.gpr[GPR_RCX] = 2;
	cr_assert(RUN(&m, &r, 0xf3, 0xaa) == EMUL_EXCEPTION && m.cpu.rip == CODE_PAGE && m.cpu.rflags & RFLAGS_RF);
	cr_assert(RUN(&m, &r, 0xf3, 0xaa) == EMUL_EXCEPTION && m.cpu.rip == CODE_PAGE + 2);
	cr_assert(!(m.cpu.rflags & RFLAGS_RF), "done");
	/* AMD's CPUs leave it as it was. */
	for (uint64_t rf = 0; rf <= RFLAGS_RF; rf += RFLAGS_RF) {
		machine_init(&m, 0);
		m.ops.limits.intel = false;
		m.cpu.rflags |= RFLAGS_TF | rf;
		m.cpu.gpr[GPR_RDI] = DATA_PAGE;
		m.cpu.gpr[GPR_RCX] = 2;
		cr_assert(RUN(&m, &r, 0xf3, 0xaa) == EMUL_EXCEPTION && (m.cpu.rflags & RFLAGS_RF) == rf);
	}
}

/* With the prefix 66 a near branch has 16-bit operands on AMD's CPUs, but for REX.W. Zydis decodes for the CPU that is. */
Test(emulate_privileged, branch_size)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.ops.limits.intel = false;
	m.cpu.gpr[GPR_RAX] = 0x12345678;
	m.cpu.gpr[GPR_RSP] = STACK_TOP;
	cr_assert_eq(RUN(&m, &r, 0x66, 0xff, 0xd0), EMUL_DONE);
	cr_assert(m.cpu.rip == 0x5678 && m.cpu.gpr[GPR_RSP] == STACK_TOP - 2, "%#llx", (unsigned long long)m.cpu.rip);
	cr_assert_eq((uint16_t)*machine_u64(STACK_TOP - 2), (uint16_t)(CODE_PAGE + 3));
	machine_init(&m, 0);
	m.ops.limits.intel = false;
	m.cpu.gpr[GPR_RAX] = CODE_PAGE + 0x100;
	m.cpu.gpr[GPR_RSP] = STACK_TOP;
	cr_assert_eq(RUN(&m, &r, 0x66, 0x48, 0xff, 0xd0), EMUL_DONE);
	cr_assert(m.cpu.rip == CODE_PAGE + 0x100 && m.cpu.gpr[GPR_RSP] == STACK_TOP - 8);
	machine_init(&m, 0);
	m.cpu.gpr[GPR_RAX] = CODE_PAGE + 0x100;
	m.cpu.gpr[GPR_RSP] = STACK_TOP;
	cr_assert_eq(RUN(&m, &r, 0x66, 0xff, 0xd0), EMUL_DONE);
	cr_assert(m.cpu.rip == CODE_PAGE + 0x100 && m.cpu.gpr[GPR_RSP] == STACK_TOP - 8, "Intel ignores it");
}
