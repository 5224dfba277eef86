/* SPDX-License-Identifier: MIT */
/* Delivery through the guest's IDT, GDT and TSS: the frame, the stack, the flags, and faults on the way, APM2 8. */
#include "trap_machine.h"

#define FRAME_RIP    0
#define FRAME_CS     1
#define FRAME_RFLAGS 2
#define FRAME_RSP    3
#define FRAME_SS     4

static const struct cpu_exception page_fault = {
    .vector = VEC_PF, .has_error = true, .error = PFEC_W | PFEC_U, .cr2 = {0xdead000}};
static const struct cpu_exception general = {.vector = VEC_GP, .has_error = true, .error = 0x50};
static const struct cpu_exception undefined = {.vector = VEC_UD};

static enum inject_outcome inject(struct machine *m, const struct cpu_exception *exc)
{
	return inject_exception(&m->cpu, &m->ops, m, exc);
}

/* From user: RSP0, null SS, error code, CR2, IF off, RF pushed for a fault. */
Test(inject, exception_from_user)
{
	struct machine m;

	machine_init(&m, 3);
	m.cpu.rip = 0x401234;
	m.cpu.gpr[GPR_RSP] = 0x7fff1238;
	m.cpu.rflags |= RFLAGS_TF | RFLAGS_NT | RFLAGS_CF;
	m.cpu.halted = m.cpu.interrupt_shadow = true;
	cr_assert_eq(inject(&m, &page_fault), INJECT_DONE);
	const any_u64 *frame = machine_u64(STACK_PAGE + 0x800 - 40);

	cr_assert_eq(m.cpu.gpr[GPR_RSP], STACK_PAGE + 0x800 - 48);
	cr_assert_eq(frame[-1], PFEC_W | PFEC_U);
	cr_assert(frame[FRAME_RIP] == 0x401234 && frame[FRAME_CS] == USER_CS && frame[FRAME_RSP] == 0x7fff1238 &&
	          frame[FRAME_SS] == USER_DS);
	cr_assert_eq(frame[FRAME_RFLAGS], RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | RFLAGS_CF | RFLAGS_RF);
	cr_assert_eq(m.cpu.rflags, RFLAGS_FIXED | RFLAGS_CF);
	cr_assert(m.cpu.cpl == 0 && m.cpu.rip == CODE_PAGE + 16 * VEC_PF && m.cpu.cr2 == 0xdead000);
	cr_assert(m.cpu.seg[SEG_CS].selector == KERNEL_CS && m.cpu.seg[SEG_SS].selector == 0 &&
	          !(m.cpu.seg[SEG_SS].attributes & SEG_P));
	cr_assert(!m.cpu.halted && !m.cpu.interrupt_shadow);
	cr_assert(m.last_access & ACCESS_IMPLICIT && !(m.last_access & ACCESS_USER), "pushed with kernel rights");
}

/* From the kernel: the same stack, aligned to 16; a trap gate keeps IF; no error code; no RF for traps. */
Test(inject, exception_from_kernel)
{
	struct machine m;

	machine_init(&m, 0);
	machine_set_gate(VEC_BP, 0xffff80001234abcd, KERNEL_CS, 0, 0x8f);
	m.cpu.gpr[GPR_RSP] = STACK_TOP - 0x38;
	cr_assert_eq(inject(&m, &(struct cpu_exception){.vector = VEC_BP}), INJECT_DONE);
	cr_assert_eq(m.cpu.gpr[GPR_RSP], STACK_TOP - 0x40 - 40);
	const any_u64 *frame = machine_u64(m.cpu.gpr[GPR_RSP]);

	cr_assert(frame[FRAME_RSP] == STACK_TOP - 0x38 && frame[FRAME_SS] == KERNEL_DS);
	cr_assert_eq(frame[FRAME_RFLAGS], RFLAGS_FIXED | RFLAGS_IF);
	cr_assert(m.cpu.rflags & RFLAGS_IF && m.cpu.rip == 0xffff80001234abcd);
	cr_assert_eq(m.cpu.seg[SEG_SS].selector, KERNEL_DS, "SS stays without a change of privilege");
	cr_assert_eq(m.last_access, ACCESS_WRITE, "the kernel's own rights");
	cr_assert_eq(inject(&m, &(struct cpu_exception){.vector = VEC_DB, .dr6 = 1 << 14}), INJECT_DONE);
	cr_assert_eq(m.cpu.dr[6], 1 << 14);
}

/* IST: from either privilege, aligned down. */
Test(inject, ist)
{
	struct machine m;

	for (uint8_t cpl = 0; cpl <= 3; cpl += 3) {
		machine_init(&m, cpl);
		machine_set_gate(VEC_GP, CODE_PAGE, KERNEL_CS, 1, 0x8e);
		cr_assert_eq(inject(&m, &general), INJECT_DONE);
		cr_assert_eq(m.cpu.gpr[GPR_RSP], STACK_PAGE + 0x400 - 48, "IST1 is not aligned in the TSS");
		cr_assert_eq(*machine_u64(m.cpu.gpr[GPR_RSP]), 0x50);
	}
	machine_set_gate(VEC_GP, CODE_PAGE, KERNEL_CS, 2, 0x8e);
	cr_assert_eq(inject(&m, &general), INJECT_DONE);
	cr_assert_eq(m.cpu.gpr[GPR_RSP], STACK_PAGE + 0x600 - 48);
}

/* External interrupts: no error code, RF as it was, allowed by IF and shadow. */
Test(inject, interrupt)
{
	struct machine m;

	machine_init(&m, 3);
	cr_assert(inject_interrupt_allowed(&m.cpu));
	cr_assert_eq(inject_interrupt(&m.cpu, &m.ops, &m, 0x40), INJECT_DONE);
	cr_assert(m.cpu.rip == CODE_PAGE + 16 * 0x40 && m.cpu.gpr[GPR_RSP] == STACK_PAGE + 0x800 - 40);
	cr_assert_eq(machine_u64(m.cpu.gpr[GPR_RSP])[FRAME_RFLAGS], RFLAGS_FIXED | RFLAGS_IF);
	cr_assert(!inject_interrupt_allowed(&m.cpu));
}

/* A fault on the way is delivered in place of a benign event, with EXT in its error code. */
Test(inject, replaced)
{
	static const struct {
		const char *name;
		uint8_t type;
		uint16_t selector;
		uint8_t vector;
		uint32_t error;
	} table[] = {
	    {"not a gate", 0x82, KERNEL_CS, VEC_GP, VEC_UD * 8 + 3},
	    {"gate not present", 0x0e, KERNEL_CS, VEC_NP, VEC_UD * 8 + 3},
	    {"null code segment", 0x8e, 0, VEC_GP, 1},
	    {"code beyond the GDT", 0x8e, 0x1f8, VEC_GP, 0x1f9},
	    {"code is data", 0x8e, KERNEL_DS, VEC_GP, KERNEL_DS | 1},
	    {"code not present", 0x8e, ABSENT_CS, VEC_NP, ABSENT_CS | 1},
	    {"32-bit code", 0x8e, CODE32, VEC_GP, CODE32 | 1},
	    {"less privileged code", 0x8e, USER_CS, VEC_GP, (USER_CS & ~3) | 1},
	};
	struct machine m;

	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		machine_init(&m, 0);
		machine_set_gate(VEC_UD, CODE_PAGE, table[i].selector, 0, table[i].type);
		cr_assert_eq(inject(&m, &undefined), INJECT_REPLACED, "%s", table[i].name);
		cr_assert_eq(m.cpu.rip, CODE_PAGE + 16u * table[i].vector, "%s", table[i].name);
		cr_assert_eq(*machine_u64(m.cpu.gpr[GPR_RSP]), table[i].error, "%s: error %#lx", table[i].name,
		             *machine_u64(m.cpu.gpr[GPR_RSP]));
	}
	machine_init(&m, 3); /* a TSS too short for RSP0: #TS, and #DF after it, find no stack either */
	m.cpu.seg[SEG_TR].limit = 10;
	cr_assert_eq(inject(&m, &undefined), INJECT_TRIPLE_FAULT);
	machine_init(&m, 0);
	m.cpu.gpr[GPR_RSP] = CANONICAL_HOLE + 0x1000;
	machine_set_gate(VEC_SS, CODE_PAGE + 0x700, KERNEL_CS, 1, 0x8e);
	cr_assert_eq(inject(&m, &undefined), INJECT_REPLACED);
	cr_assert(m.cpu.rip == CODE_PAGE + 0x700 && *machine_u64(m.cpu.gpr[GPR_RSP]) == 1, "#SS(EXT)");
}

/* Contributory after contributory, anything after #PF: double fault with error 0; benign pairs: in series. */
Test(inject, double_fault)
{
	struct machine m;

	machine_init(&m, 0);
	machine_set_gate(VEC_GP, CODE_PAGE, KERNEL_CS, 0, 0x0e);
	cr_assert_eq(inject(&m, &general), INJECT_REPLACED);
	cr_assert(m.cpu.rip == CODE_PAGE + 16 * VEC_DF && *machine_u64(m.cpu.gpr[GPR_RSP]) == 0);

	machine_init(&m, 0);
	machine_set_gate(VEC_PF, CODE_PAGE, KERNEL_CS, 0, 0x0e);
	cr_assert_eq(inject(&m, &page_fault), INJECT_REPLACED);
	cr_assert(m.cpu.rip == CODE_PAGE + 16 * VEC_DF && m.cpu.cr2 == 0xdead000, "#PF then #NP");

	machine_init(&m, 0); /* #PF, and the stack is not mapped: #PF again, then #DF on its IST */
	m.cpu.gpr[GPR_RSP] = ARENA_BASE - 64;
	machine_set_gate(VEC_DF, CODE_PAGE + 0x700, KERNEL_CS, 1, 0x8e);
	cr_assert_eq(inject(&m, &page_fault), INJECT_REPLACED);
	cr_assert(m.cpu.rip == CODE_PAGE + 0x700 && m.cpu.gpr[GPR_RSP] == STACK_PAGE + 0x400 - 48);
	cr_assert_eq(m.cpu.cr2, ARENA_BASE - 64 - 8, "CR2 is the second fault's, of its first push");
	cr_assert(m.faulted_calls == 2 && m.faulted_addr == m.cpu.cr2, "nothing counts that was known of either");

	machine_init(&m, 0); /* #GP whose push page-faults: #PF takes its place */
	m.cpu.gpr[GPR_RSP] = ARENA_BASE - 64;
	machine_set_gate(VEC_PF, CODE_PAGE + 0x700, KERNEL_CS, 2, 0x8e);
	cr_assert_eq(inject(&m, &general), INJECT_REPLACED);
	cr_assert(m.cpu.rip == CODE_PAGE + 0x700 && *machine_u64(m.cpu.gpr[GPR_RSP]) == PFEC_W);
}

/* A fault in the delivery of #DF ends the CPU, and the state can still be shown. */
Test(inject, triple_fault)
{
	struct machine m;

	machine_init(&m, 0);
	m.cpu.idtr.limit = 0;
	struct cpu_state before = m.cpu;

	cr_assert_eq(inject(&m, &undefined), INJECT_TRIPLE_FAULT);
	cr_assert_eq(memcmp(&before, &m.cpu, sizeof(before)), 0);
	cr_assert_eq(inject_interrupt(&m.cpu, &m.ops, &m, 0x40), INJECT_TRIPLE_FAULT);
	machine_init(&m, 0);
	m.cpu.gpr[GPR_RSP] = ARENA_BASE - 64;
	cr_assert_eq(inject(&m, &page_fault), INJECT_TRIPLE_FAULT);
	m.cpu.idtr.base = OUTSIDE_MEMORY;
	cr_assert_eq(inject(&m, &page_fault), INJECT_OUTSIDE_MEMORY);
	m.cpu.idtr.base = CANONICAL_HOLE - 16;
	cr_assert_eq(inject(&m, &page_fault), INJECT_TRIPLE_FAULT, "an IDT that reaches out of the canonical half");
}

/* A fault at each access of a delivery: #PF replaces #UD, whatever was read by then. */
Test(inject, fault_at_each_access)
{
	struct machine m;
	int n;

	for (n = 0;; n++) {
		machine_init(&m, 3);
		m.fail_at = n;
		enum inject_outcome outcome = inject(&m, &undefined);

		if (outcome == INJECT_DONE)
			break;
		cr_assert(outcome == INJECT_REPLACED && m.cpu.rip == CODE_PAGE + 16 * VEC_PF, "access %d", n);
	}
	cr_assert_eq(n, 4, "gate, code segment, RSP0, frame; not %d", n);
}

/* Every outcome has its sentence. */
Test(inject, sentences)
{
	for (int i = 0; i < INJECT_OUTCOME_COUNT; i++)
		cr_assert(inject_outcome_describe((enum inject_outcome)i) != NULL);
	for (int i = 0; i < EMUL_OUTCOME_COUNT; i++)
		cr_assert(emul_outcome_describe((enum emul_outcome)i) != NULL);
}
