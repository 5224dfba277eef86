/* SPDX-License-Identifier: MIT */
/* Privileged and sensitive instructions: what each does at CPL 0, and what it refuses, by APM2 and APM3. */
#include "trap_machine.h"

#define NONE    255 /* no exception */

/* One instruction, registers, and what comes of it. */
struct expectation {
	const char *name;
	uint8_t bytes[8];
	unsigned length;
	unsigned cpl;
	uint64_t rax, rcx, rdx;
	uint8_t vector; /* NONE: done; error codes are 0 */
};

#define B(...) {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})

static const struct expectation table[] = {
	/* CPL 3 refuses each of them */
	{"hlt", B(0xf4), 3, 0, 0, 0, VEC_GP},
	{"cli", B(0xfa), 3, 0, 0, 0, VEC_GP},
	{"sti", B(0xfb), 3, 0, 0, 0, VEC_GP},
	{"clts", B(0x0f, 0x06), 3, 0, 0, 0, VEC_GP},
	{"wbinvd", B(0x0f, 0x09), 3, 0, 0, 0, VEC_GP},
	{"invlpg", B(0x0f, 0x01, 0x38), 3, DATA_PAGE, 0, 0, VEC_GP},
	{"lgdt", B(0x0f, 0x01, 0x10), 3, DATA_PAGE, 0, 0, VEC_GP},
	{"lidt", B(0x0f, 0x01, 0x18), 3, DATA_PAGE, 0, 0, VEC_GP},
	{"ltr", B(0x0f, 0x00, 0xd8), 3, TSS_SEL, 0, 0, VEC_GP},
	{"lldt", B(0x0f, 0x00, 0xd0), 3, 0, 0, 0, VEC_GP},
	{"rdmsr", B(0x0f, 0x32), 3, 0, MSR_EFER, 0, VEC_GP},
	{"wrmsr", B(0x0f, 0x30), 3, 0, MSR_EFER, 0, VEC_GP},
	{"swapgs", B(0x0f, 0x01, 0xf8), 3, 0, 0, 0, VEC_GP},
	{"sysretq", B(0x48, 0x0f, 0x07), 3, 0, 0, 0, VEC_GP},
	{"mov cr3, rax", B(0x0f, 0x22, 0xd8), 3, 0, 0, 0, VEC_GP},
	{"mov rax, cr0", B(0x0f, 0x20, 0xc0), 3, 0, 0, 0, VEC_GP},
	{"mov dr7, rax", B(0x0f, 0x23, 0xf8), 3, 0, 0, 0, VEC_GP},
	{"in", B(0xec), 3, 0, 0, 0x3f8, VEC_GP},
	{"out", B(0xee), 3, 0, 0, 0x3f8, VEC_GP},
	{"stac", B(0x0f, 0x01, 0xcb), 3, 0, 0, 0, VEC_UD},
	{"invpcid, not offered", B(0x66, 0x0f, 0x38, 0x82, 0x01), 3, 2, DATA_PAGE, 0, VEC_UD},
	/* without CR4.UMIP the CPL matters not */
	{"sgdt", B(0x0f, 0x01, 0x00), 3, DATA_PAGE, 0, 0, NONE},
	{"smsw", B(0x0f, 0x01, 0xe0), 3, 0, 0, 0, NONE},
	{"str", B(0x0f, 0x00, 0xc8), 3, 0, 0, 0, NONE},
	/* CR0 */
	{"cr0: upper half", B(0x0f, 0x22, 0xc0), 0, CR0_PG | CR0_PE | 1ull << 32, 0, 0, VEC_GP},
	{"cr0: NW without CD", B(0x0f, 0x22, 0xc0), 0, CR0_PG | CR0_PE | CR0_NW, 0, 0, VEC_GP},
	{"cr0: NW with CD", B(0x0f, 0x22, 0xc0), 0, CR0_PG | CR0_PE | CR0_NW | CR0_CD, 0, 0, NONE},
	{"cr0: PG without PE", B(0x0f, 0x22, 0xc0), 0, CR0_PG, 0, 0, VEC_GP},
	{"cr0: leave paging", B(0x0f, 0x22, 0xc0), 0, CR0_PE, 0, 0, VEC_GP},
	{"cr0: without WP", B(0x0f, 0x22, 0xc0), 0, CR0_PG | CR0_PE, 0, 0, NONE},
	/* CR3, 40 physical bits */
	{"cr3: highest frame", B(0x0f, 0x22, 0xd8), 0, 0xfffffff000, 0, 0, NONE},
	{"cr3: beyond the physical bits", B(0x0f, 0x22, 0xd8), 0, 1ull << 40, 0, 0, VEC_GP},
	{"cr3: bit 63 without PCIDs", B(0x0f, 0x22, 0xd8), 0, 1ull << 63, 0, 0, VEC_GP},
	/* CR4 */
	{"cr4: without PAE", B(0x0f, 0x22, 0xe0), 0, 0, 0, 0, VEC_GP},
	{"cr4: reserved", B(0x0f, 0x22, 0xe0), 0, CR4_PAE | 1u << 31, 0, 0, VEC_GP},
	{"cr4: LA57 in long mode", B(0x0f, 0x22, 0xe0), 0, CR4_PAE | CR4_LA57, 0, 0, VEC_GP},
	{"cr4: SMEP", B(0x0f, 0x22, 0xe0), 0, CR4_PAE | CR4_SMEP, 0, 0, NONE},
	{"cr8: 15", B(0x44, 0x0f, 0x22, 0xc0), 0, 15, 0, 0, NONE},
	{"cr8: 16", B(0x44, 0x0f, 0x22, 0xc0), 0, 16, 0, 0, VEC_GP},
	{"dr6: upper half", B(0x0f, 0x23, 0xf0), 0, 1ull << 32, 0, 0, VEC_GP},
	{"dr7: off", B(0x0f, 0x23, 0xf8), 0, 0x400, 0, 0, NONE},
	/* MSRs */
	{"efer: SCE|LME|LMA|NXE", B(0x0f, 0x30), 0, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE, MSR_EFER, 0, NONE},
	{"efer: reserved", B(0x0f, 0x30), 0, EFER_LME | 1 << 16, MSR_EFER, 0, VEC_GP},
	{"efer: LME off under paging", B(0x0f, 0x30), 0, EFER_SCE, MSR_EFER, 0, VEC_GP},
	{"lstar", B(0x0f, 0x30), 0, 0, MSR_LSTAR, 0xffff8000, NONE},
	{"lstar: not canonical", B(0x0f, 0x30), 0, 0, MSR_LSTAR, 0x8000, VEC_GP},
	{"fs base: not canonical", B(0x0f, 0x30), 0, 0, MSR_FS_BASE, 0x8000, VEC_GP},
	{"gs base: not canonical", B(0x0f, 0x30), 0, 0, MSR_GS_BASE, 0x8000, VEC_GP},
	{"kernel gs base: not canonical", B(0x0f, 0x30), 0, 0, MSR_KERNEL_GS_BASE, 0x8000, VEC_GP},
	{"pat: type 2", B(0x0f, 0x30), 0, 0x02060606, 0x277, 0x06060606, VEC_GP},
	{"pat", B(0x0f, 0x30), 0, 0x00070406, 0x277, 0x01050406, NONE},
	{"unknown msr, read", B(0x0f, 0x32), 0, 0, 0x12345, 0, VEC_GP},
	{"unknown msr, write", B(0x0f, 0x30), 0, 0, 0x12345, 0, VEC_GP},
	{"rdpmc", B(0x0f, 0x33), 0, 0, 0, 0, VEC_GP},
	/* XCR0 needs CR4.OSXSAVE; FSGSBASE its own bit */
	{"xgetbv", B(0x0f, 0x01, 0xd0), 0, 0, 0, 0, VEC_UD},
	{"xsetbv", B(0x0f, 0x01, 0xd1), 0, 1, 0, 0, VEC_UD},
	{"rdfsbase", B(0xf3, 0x48, 0x0f, 0xae, 0xc0), 0, 0, 0, 0, VEC_UD},
	/* tables and segments */
	{"ltr null", B(0x0f, 0x00, 0xd8), 0, 0, 0, 0, VEC_GP},
	{"mov ds, null", B(0x8e, 0xd8), 0, 0, 0, 0, NONE},
	{"mov ss, null", B(0x8e, 0xd0), 0, 0, 0, 0, NONE},
	{"mov ss, null at CPL 3", B(0x8e, 0xd0), 3, 0, 0, 0, VEC_GP},
	{"mov ds, user", B(0x8e, 0xd8), 3, USER_DS, 0, 0, NONE},
	{"lss, no such segment", B(0x0f, 0xb2, 0x00), 3, DATA_PAGE, 0, 0, VEC_GP},
	{"lgs, null", B(0x0f, 0xb5, 0x00), 3, DATA_PAGE, 0, 0, NONE},
	/* fast system calls: SCE is set, the MSRs of the others are not */
	{"sysenter without its MSR", B(0x0f, 0x34), 3, 0, 0, 0, VEC_GP},
	{"sysexit without its MSR", B(0x48, 0x0f, 0x35), 0, 0, 0, 0, VEC_GP},
	/* the time stamp */
	{"rdtsc", B(0x0f, 0x31), 3, 0, 0, 0, NONE},
	{"rdtscp", B(0x0f, 0x01, 0xf9), 3, 0, 0, 0, NONE},
	{"tsc_aux, 33 bits", B(0x0f, 0x30), 0, 0, MSR_TSC_AUX, 1, VEC_GP},
	/* operand checks */
	{"load, not canonical", B(0x48, 0x8b, 0x00), 0, CANONICAL_HOLE, 0, 0, VEC_GP},
	{"load, over the edge", B(0x48, 0x8b, 0x00), 0, CANONICAL_HOLE - 4, 0, 0, VEC_GP},
	{"cmpxchg16b, unaligned", B(0x48, 0x0f, 0xc7, 0x09), 0, 0, DATA_PAGE + 8, 0, VEC_GP},
	{"ud2", B(0x0f, 0x0b), 3, 0, 0, 0, VEC_UD},
	{"rep insb of nothing", B(0xf3, 0x6c), 3, 0, 0, 0x3f8, VEC_GP},
	{"invpcid, not offered", B(0x66, 0x0f, 0x38, 0x82, 0x01), 0, 4, DATA_PAGE, 0, VEC_UD},
};

/* An instruction that is let through at the wrong privilege, with a reserved value, or refused without cause. */
Test(emulate_privileged, refusals_and_permissions)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const struct expectation *x = &table[i];
		struct emul_result result;
		struct machine m;

		machine_init(&m, (uint8_t)x->cpl);
		m.cpu.gpr[GPR_RAX] = x->rax;
		m.cpu.gpr[GPR_RCX] = x->rcx;
		m.cpu.gpr[GPR_RDX] = x->rdx;
		struct cpu_state before = m.cpu;
		enum emul_outcome outcome = machine_run(&m, x->bytes, x->length, &result);

		if (x->vector == NONE) {
			cr_assert_eq(outcome, EMUL_DONE, "%s: outcome %d vector %d", x->name, outcome,
				     result.exc.vector);
			cr_assert_eq(m.cpu.rip, before.rip + x->length, "%s: rip", x->name);
			continue;
		}
		cr_assert_eq(outcome, EMUL_EXCEPTION, "%s: outcome %d", x->name, outcome);
		cr_assert_eq(result.exc.vector, x->vector, "%s: vector %d", x->name, result.exc.vector);
		cr_assert_eq(result.exc.error, 0, "%s: error %#x", x->name, result.exc.error);
		cr_assert_eq(result.exc.has_error, x->vector == VEC_GP, "%s", x->name);
		cr_assert_eq(memcmp(&m.cpu, &before, sizeof(before)), 0, "%s changed the state", x->name);
	}
}

/* A changed paging bit that the MMU is not told of would leave it composing tables by the old rules. */
Test(emulate_privileged, mmu_is_told)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.cr3 = 0x1000;
	m.cpu.gpr[GPR_RAX] = 0x5000;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x22, 0xd8), EMUL_DONE);
	cr_assert(m.cr3_calls == 1 && m.cr3_old == 0x1000 && m.cr3_new == 0x5000 && m.cpu.cr3 == 0x5000);
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x22, 0xd8), EMUL_DONE);
	cr_assert(m.cr3_calls == 2 && m.mmu_calls == 0, "an unchanged CR3 is a flush too");
	m.cpu.gpr[GPR_RAX] = m.cpu.cr0 & ~(uint64_t)CR0_WP;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x22, 0xc0), EMUL_DONE);
	cr_assert(m.mmu_calls == 1 && m.mmu_cr0 == CR0_WP);
	m.cpu.gpr[GPR_RAX] = m.cpu.cr0 | CR0_TS;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x22, 0xc0), EMUL_DONE);
	cr_assert(m.mmu_calls == 1, "TS is not paging");
	m.cpu.gpr[GPR_RAX] = CR4_PAE | CR4_SMAP;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x22, 0xe0), EMUL_DONE);
	cr_assert(m.mmu_calls == 2 && m.mmu_cr4 == CR4_SMAP);
	m.cpu.gpr[GPR_RCX] = MSR_EFER;
	m.cpu.gpr[GPR_RAX] = EFER_SCE | EFER_LME;
	m.cpu.gpr[GPR_RDX] = 0;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x30), EMUL_DONE);
	cr_assert(m.mmu_calls == 3 && m.mmu_efer == EFER_NXE, "LMA is not software's to clear");
	m.cpu.gpr[GPR_RAX] = DATA_PAGE + 5;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x01, 0x38), EMUL_DONE);
	cr_assert(m.invlpg_calls == 1 && m.invlpg_addr == DATA_PAGE + 5 && m.reads == 0);
	m.cpu.gpr[GPR_RAX] = CANONICAL_HOLE;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x01, 0x38), EMUL_DONE);
	cr_assert_eq(m.invlpg_calls, 1, "there is nothing to invalidate at a non-canonical address");
}

/* The virtual IF, its shadow, HLT. */
Test(emulate_privileged, interrupt_flag)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	cr_assert_eq(RUN(&m, &r, 0xfa), EMUL_DONE);
	cr_assert(!(m.cpu.rflags & RFLAGS_IF) && !inject_interrupt_allowed(&m.cpu));
	cr_assert_eq(RUN(&m, &r, 0xfb), EMUL_DONE);
	cr_assert(m.cpu.rflags & RFLAGS_IF && m.cpu.interrupt_shadow && !inject_interrupt_allowed(&m.cpu));
	cr_assert_eq(RUN(&m, &r, 0xf4), EMUL_HALT);
	cr_assert(m.cpu.halted && inject_interrupt_allowed(&m.cpu), "sti; hlt: the shadow ends with hlt");
	cr_assert_eq(m.cpu.rip, CODE_PAGE + 3);
	cr_assert_eq(RUN(&m, &r, 0xfb), EMUL_DONE);
	cr_assert(!m.cpu.interrupt_shadow, "IF was set already");
	m.cpu.gpr[GPR_RAX] = KERNEL_DS;
	cr_assert_eq(RUN(&m, &r, 0x8e, 0xd0), EMUL_DONE);
	cr_assert(m.cpu.interrupt_shadow, "mov ss");
	machine_set_cpl(&m, 3);
	m.cpu.rflags |= RFLAGS_IOPL;
	cr_assert_eq(RUN(&m, &r, 0xfa), EMUL_DONE, "IOPL 3 allows cli");
}

/* MSRs that live in the state, swapgs, and the two ways to a segment base. */
Test(emulate_privileged, bases)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.seg[SEG_GS].base = 0x1111;
	m.cpu.msrs.kernel_gs_base = 0xffff800000002222;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x01, 0xf8), EMUL_DONE);
	cr_assert(m.cpu.seg[SEG_GS].base == 0xffff800000002222 && m.cpu.msrs.kernel_gs_base == 0x1111);
	m.cpu.gpr[GPR_RCX] = MSR_GS_BASE;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x32), EMUL_DONE);
	cr_assert(m.cpu.gpr[GPR_RAX] == 0x2222 && m.cpu.gpr[GPR_RDX] == 0xffff8000);
	m.cpu.cr4 |= CR4_FSGSBASE;
	m.cpu.gpr[GPR_RAX] = DATA_PAGE - 8;
	cr_assert_eq(RUN(&m, &r, 0xf3, 0x48, 0x0f, 0xae, 0xd0), EMUL_DONE, "wrfsbase rax");
	*machine_u64(DATA_PAGE) = 0x5566;
	cr_assert_eq(RUN(&m, &r, 0x64, 0x48, 0x8b, 0x1c, 0x25, 8, 0, 0, 0), EMUL_DONE, "mov rbx, fs:8");
	cr_assert_eq(m.cpu.gpr[GPR_RBX], 0x5566);
}

/* lgdt, lidt, sgdt; ltr marks busy and refuses a busy TSS; lldt; UMIP. */
Test(emulate_privileged, tables)
{
	const struct cpu_table table_read = {.base = 0xffff800012345678, .limit = 0x1fff};
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	memcpy(machine_u64(DATA_PAGE), &table_read.limit, 2);
	memcpy((uint8_t *)machine_u64(DATA_PAGE) + 2, &table_read.base, 8);
	m.cpu.gpr[GPR_RAX] = DATA_PAGE;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x01, 0x18), EMUL_DONE);
	cr_assert(m.cpu.idtr.base == table_read.base && m.cpu.idtr.limit == 0x1fff && m.last_size == 10);
	m.cpu.gpr[GPR_RAX] = DATA_PAGE + 0x100;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x01, 0x08), EMUL_DONE, "sidt");
	cr_assert_eq(memcmp(machine_u64(DATA_PAGE), machine_u64(DATA_PAGE + 0x100), 10), 0);
	*machine_u64(DATA_PAGE) = ~0ull >> 1;
	m.cpu.gpr[GPR_RAX] = DATA_PAGE;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x01, 0x18), EMUL_EXCEPTION, "lidt of a non-canonical base");
	cr_assert_eq(m.cpu.idtr.base, table_read.base);

	m.cpu.gpr[GPR_RAX] = TSS_SEL;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x00, 0xd8), EMUL_DONE);
	cr_assert(m.cpu.seg[SEG_TR].base == TSS_PAGE && m.cpu.seg[SEG_TR].limit == 0x67);
	cr_assert_eq(*machine_u64(GDT_PAGE + TSS_SEL) >> 40 & 0xff, 0x8b, "busy");
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x00, 0xd8), EMUL_EXCEPTION, "a busy TSS");
	cr_assert(r.exc.vector == VEC_GP && r.exc.error == TSS_SEL);
	m.cpu.gpr[GPR_RAX] = LDT_SEL;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x00, 0xd0), EMUL_DONE);
	cr_assert_eq(m.cpu.seg[SEG_LDTR].base, DATA_PAGE);
	*machine_u64(DATA_PAGE) = DESC_KERNEL_DS;
	m.cpu.gpr[GPR_RAX] = SELECTOR_TI;
	cr_assert_eq(RUN(&m, &r, 0x8e, 0xd8), EMUL_DONE, "ds from the LDT");
	m.cpu.gpr[GPR_RAX] = SELECTOR_TI | 0x10;
	cr_assert_eq(RUN(&m, &r, 0x8e, 0xd8), EMUL_EXCEPTION, "beyond the LDT");
	cr_assert(r.exc.vector == VEC_GP && r.exc.error == (SELECTOR_TI | 0x10));
	m.cpu.cr4 |= CR4_UMIP;
	machine_set_cpl(&m, 3);
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x00, 0xc8), EMUL_EXCEPTION, "str under UMIP");
}

/* Segment loads: not present, wrong type, wrong privilege, and the accessed bit. */
Test(emulate_privileged, segments)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.gpr[GPR_RAX] = ABSENT_DS;
	cr_assert(RUN(&m, &r, 0x8e, 0xd8) == EMUL_EXCEPTION && r.exc.vector == VEC_NP && r.exc.error == ABSENT_DS);
	cr_assert(RUN(&m, &r, 0x8e, 0xd0) == EMUL_EXCEPTION && r.exc.vector == VEC_SS && r.exc.error == ABSENT_DS);
	m.cpu.gpr[GPR_RAX] = TSS_SEL;
	cr_assert(RUN(&m, &r, 0x8e, 0xd8) == EMUL_EXCEPTION && r.exc.vector == VEC_GP && r.exc.error == TSS_SEL);
	m.cpu.gpr[GPR_RAX] = RO_DS;
	cr_assert(RUN(&m, &r, 0x8e, 0xd0) == EMUL_EXCEPTION && r.exc.vector == VEC_GP && r.exc.error == RO_DS);
	m.cpu.gpr[GPR_RAX] = USER_DS;
	cr_assert(RUN(&m, &r, 0x8e, 0xd0) == EMUL_EXCEPTION && r.exc.error == (USER_DS & ~3), "ss with RPL 3");
	machine_set_cpl(&m, 3);
	m.cpu.gpr[GPR_RAX] = KERNEL_DS;
	cr_assert(RUN(&m, &r, 0x8e, 0xe0) == EMUL_EXCEPTION && r.exc.vector == VEC_GP, "fs, a kernel segment");
	*machine_u64(GDT_PAGE + USER_DS - 3) &= ~(1ull << 40);
	m.cpu.gpr[GPR_RAX] = USER_DS;
	cr_assert_eq(RUN(&m, &r, 0x8e, 0xe0), EMUL_DONE);
	cr_assert(*machine_u64(GDT_PAGE + USER_DS - 3) >> 40 & 1, "accessed");
	m.fail_at = m.accesses + 2; /* fetch, descriptor, then the accessed bit */
	*machine_u64(GDT_PAGE + USER_DS - 3) &= ~(1ull << 40);
	m.cpu.seg[SEG_FS].selector = 0;
	cr_assert(RUN(&m, &r, 0x8e, 0xe0) == EMUL_EXCEPTION && m.cpu.seg[SEG_FS].selector == 0);
}

/* Ports: widths, the TSS bitmap, string forms, one call an element. */
Test(emulate_privileged, ports)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.gpr[GPR_RDX] = 0x604;
	m.cpu.gpr[GPR_RAX] = 0x1122334455667788;
	cr_assert_eq(RUN(&m, &r, 0xef), EMUL_DONE);
	cr_assert(m.port == 0x604 && m.port_size == 4 && m.port_value == 0x55667788);
	cr_assert_eq(RUN(&m, &r, 0xe6, 0xf4), EMUL_DONE);
	cr_assert(m.port == 0xf4 && m.port_size == 1 && m.port_value == 0x88);
	m.port_value = 0xaabbccdd;
	cr_assert_eq(RUN(&m, &r, 0xec), EMUL_DONE);
	cr_assert_eq(m.cpu.gpr[GPR_RAX], 0x11223344556677dd);
	cr_assert_eq(RUN(&m, &r, 0xed), EMUL_DONE);
	cr_assert_eq(m.cpu.gpr[GPR_RAX], 0xaabbccdd, "32 bits are zero-extended");
	m.out_calls = 0;
	m.cpu.gpr[GPR_RSI] = DATA_PAGE;
	m.cpu.gpr[GPR_RCX] = 5;
	memcpy(machine_u64(DATA_PAGE), "hello", 5);
	cr_assert_eq(RUN(&m, &r, 0xf3, 0x6e), EMUL_DONE);
	cr_assert(m.out_calls == 5 && m.port_value == 'o' && m.cpu.gpr[GPR_RCX] == 0 && m.port_size == 1);
	m.in_calls = 0;
	m.cpu.gpr[GPR_RDI] = DATA_PAGE;
	m.cpu.gpr[GPR_RCX] = 3;
	m.fail_at = m.accesses + 1 + 2; /* fetch, then probe and store: the second element faults */
	cr_assert_eq(RUN(&m, &r, 0xf3, 0x6d), EMUL_EXCEPTION);
	cr_assert(m.in_calls == 1 && m.cpu.gpr[GPR_RCX] == 2 && m.cpu.gpr[GPR_RDI] == DATA_PAGE + 4);

	machine_init(&m, 3);
	m.cpu.seg[SEG_TR].limit = 0x68 + 0x200;
	*machine_u64(TSS_PAGE + 0x66) = 0x68;
	memset((uint8_t *)machine_u64(TSS_PAGE) + 0x68, 0, 0x200);
	((uint8_t *)machine_u64(TSS_PAGE))[0x68 + 0x3f8 / 8] = 0x10;
	m.cpu.gpr[GPR_RDX] = 0x3f8;
	cr_assert_eq(RUN(&m, &r, 0xef), EMUL_DONE, "four ports the bitmap allows");
	m.cpu.gpr[GPR_RDX] = 0x3f9;
	cr_assert_eq(RUN(&m, &r, 0xef), EMUL_EXCEPTION, "the fourth is forbidden");
	cr_assert_eq(RUN(&m, &r, 0xee), EMUL_DONE);
}
