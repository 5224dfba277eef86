/* SPDX-License-Identifier: MIT */
/* Changes of privilege by instructions: iretq, sysretq, syscall, sysenter, int n, far returns and jumps, APM3. */
#include "trap_machine.h"

#define IRETQ               0x48, 0xcf
#define FRAME               (STACK_PAGE + 0x100)

static void put_frame(struct machine *m, uint64_t rip, uint64_t cs, uint64_t rflags, uint64_t rsp, uint64_t ss)
{
	const uint64_t frame[] = {rip, cs, rflags, rsp, ss};

	memcpy(machine_u64(FRAME), frame, sizeof(frame));
	m->cpu.gpr[GPR_RSP] = FRAME;
}

/* To user code: privilege, flags, stack, and no kernel segment left behind. */
Test(emulate_far, iretq_to_user)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.rflags &= ~(uint64_t)RFLAGS_IF;
	m.cpu.seg[SEG_DS] = m.cpu.seg[SEG_SS];
	m.cpu.seg[SEG_FS] = (struct cpu_segment){.base = 0x1234};
	put_frame(&m, 0x401000, USER_CS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_ZF | RFLAGS_IOPL, 0x7fff0008, USER_DS);
	cr_assert_eq(RUN(&m, &r, IRETQ), EMUL_DONE);
	cr_assert(m.cpu.cpl == 3 && m.cpu.rip == 0x401000 && m.cpu.gpr[GPR_RSP] == 0x7fff0008);
	cr_assert(m.cpu.seg[SEG_CS].selector == USER_CS && m.cpu.seg[SEG_CS].attributes & SEG_L);
	cr_assert(m.cpu.seg[SEG_SS].selector == USER_DS && m.cpu.seg[SEG_SS].attributes & SEG_P);
	cr_assert_eq(m.cpu.rflags, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_ZF | RFLAGS_IOPL);
	cr_assert_eq(m.cpu.seg[SEG_DS].selector, 0, "a kernel segment in DS");
	cr_assert_eq(m.cpu.seg[SEG_FS].base, 0x1234);
	/* and from there to itself: no IF, no IOPL */
	m.cpu.rip = CODE_PAGE;
	put_frame(&m, 0x402000, USER_CS, RFLAGS_FIXED, 0x7fff0000, USER_DS);
	m.cpu.rflags &= ~(uint64_t)RFLAGS_IOPL;
	cr_assert_eq(RUN(&m, &r, IRETQ), EMUL_DONE);
	cr_assert(m.cpu.rflags == (RFLAGS_FIXED | RFLAGS_IF) && m.cpu.rip == 0x402000 && m.cpu.cpl == 3);
}

/* Each check of the popped frame, with the state untouched. */
Test(emulate_far, iretq_refusals)
{
	static const struct {
		const char *name;
		uint8_t cpl;
		uint64_t rip, cs, rflags, ss;
		uint8_t vector;
		uint32_t error;
	} table[] = {
	    {"null cs", 0, 0x1000, 0, 2, USER_DS, VEC_GP, 0},
	    {"cs beyond the limit", 0, 0x1000, 0x1fb, 2, USER_DS, VEC_GP, 0x1f8},
	    {"cs is data", 0, 0x1000, KERNEL_DS, 2, KERNEL_DS, VEC_GP, KERNEL_DS},
	    {"cs is a TSS", 0, 0x1000, TSS_SEL, 2, KERNEL_DS, VEC_GP, TSS_SEL},
	    {"cs: RPL 3, DPL 0", 0, 0x1000, KERNEL_CS | 3, 2, USER_DS, VEC_GP, KERNEL_CS},
	    {"cs: RPL 0, DPL 3", 0, 0x1000, USER_CS & ~3, 2, KERNEL_DS, VEC_GP, USER_CS & ~3},
	    {"cs not present", 0, 0x1000, ABSENT_CS, 2, KERNEL_DS, VEC_NP, ABSENT_CS},
	    {"cs more privileged", 3, 0x1000, KERNEL_CS, 2, KERNEL_DS, VEC_GP, KERNEL_CS},
	    {"null ss for user", 0, 0x1000, USER_CS, 2, 0, VEC_GP, 0},
	    {"ss: wrong RPL", 0, 0x1000, USER_CS, 2, KERNEL_DS, VEC_GP, KERNEL_DS},
	    {"ss: wrong DPL", 0, 0x1000, USER_CS, 2, KERNEL_DS | 3, VEC_GP, KERNEL_DS},
	    {"ss is code", 0, 0x1000, USER_CS, 2, USER_CS, VEC_GP, USER_CS & ~3},
	    {"ss not present", 0, 0x1000, KERNEL_CS, 2, ABSENT_DS, VEC_SS, ABSENT_DS},
	    {"rip not canonical", 0, CANONICAL_HOLE, USER_CS, 2, USER_DS, VEC_GP, 0},
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct emul_result r;
		struct machine m;

		machine_init(&m, table[i].cpl);
		put_frame(&m, table[i].rip, table[i].cs, table[i].rflags, STACK_TOP, table[i].ss);
		struct cpu_state before = m.cpu;

		cr_assert_eq(RUN(&m, &r, IRETQ), EMUL_EXCEPTION, "%s", table[i].name);
		cr_assert(r.exc.vector == table[i].vector && r.exc.error == table[i].error, "%s: #%u(%#x)",
		          table[i].name, r.exc.vector, r.exc.error);
		cr_assert_eq(memcmp(&m.cpu, &before, sizeof(before)), 0, "%s", table[i].name);
	}
}

/* VIF and VIP are loaded by IRET alone, and by the kernel's, SDM vol. 2 IRET. */
Test(emulate_far, iretq_virtual_flags)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	put_frame(&m, 0x401000, USER_CS, RFLAGS_FIXED | RFLAGS_VIRTUAL, 0x7fff0008, USER_DS);
	cr_assert(RUN(&m, &r, IRETQ) == EMUL_DONE && (m.cpu.rflags & RFLAGS_VIRTUAL) == RFLAGS_VIRTUAL);
	m.cpu.rip = CODE_PAGE;
	put_frame(&m, 0x401000, USER_CS, RFLAGS_FIXED, 0x7fff0008, USER_DS);
	cr_assert(RUN(&m, &r, IRETQ) == EMUL_DONE && (m.cpu.rflags & RFLAGS_VIRTUAL) == RFLAGS_VIRTUAL);
}

/* Same privilege with a null SS; NT; 32-bit code; a frame on no page. */
Test(emulate_far, iretq_kernel)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	put_frame(&m, CODE_PAGE + 0x40, KERNEL_CS, RFLAGS_FIXED | RFLAGS_RF, STACK_TOP, 0);
	cr_assert_eq(RUN(&m, &r, IRETQ), EMUL_DONE);
	cr_assert(m.cpu.cpl == 0 && m.cpu.rip == CODE_PAGE + 0x40 && m.cpu.seg[SEG_SS].selector == 0);
	cr_assert(m.cpu.rflags & RFLAGS_RF, "iret loads RF");
	put_frame(&m, CODE_PAGE, KERNEL_CS, RFLAGS_FIXED, STACK_TOP, KERNEL_DS);
	m.cpu.rflags |= RFLAGS_NT;
	cr_assert(RUN(&m, &r, IRETQ) == EMUL_EXCEPTION && r.exc.vector == VEC_GP, "NT");
	m.cpu.rflags &= ~(uint64_t)RFLAGS_NT;
	put_frame(&m, CODE_PAGE, CODE32, RFLAGS_FIXED, STACK_TOP, KERNEL_DS);
	cr_assert_eq(RUN(&m, &r, IRETQ), EMUL_UNSUPPORTED);
	cr_assert(r.why != NULL);
	m.cpu.gpr[GPR_RSP] = STACK_TOP + PAGE_SIZE - 8;
	cr_assert(RUN(&m, &r, IRETQ) == EMUL_EXCEPTION && r.exc.vector == VEC_PF);
	m.cpu.gpr[GPR_RSP] = CANONICAL_HOLE - 8;
	cr_assert(RUN(&m, &r, IRETQ) == EMUL_EXCEPTION && r.exc.vector == VEC_SS && r.exc.error == 0);
}

/* syscall and sysretq: selectors from STAR, flags by SFMASK, no table read. */
Test(emulate_far, syscall_and_sysret)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 3);
	m.cpu.msrs.star = (uint64_t)KERNEL_CS << 32 | 0x10ull << 48;
	m.cpu.msrs.lstar = CODE_PAGE + 0x800;
	m.cpu.msrs.sfmask = RFLAGS_IF | RFLAGS_DF;
	m.cpu.rflags |= RFLAGS_DF | RFLAGS_CF;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x05), EMUL_DONE);
	cr_assert(m.cpu.cpl == 0 && m.cpu.rip == CODE_PAGE + 0x800 && m.cpu.gpr[GPR_RCX] == CODE_PAGE + 2);
	cr_assert_eq(m.cpu.gpr[GPR_R11], RFLAGS_FIXED | RFLAGS_IF | RFLAGS_DF | RFLAGS_CF);
	cr_assert_eq(m.cpu.rflags, RFLAGS_FIXED | RFLAGS_CF);
	cr_assert(m.cpu.seg[SEG_CS].selector == KERNEL_CS && m.cpu.seg[SEG_SS].selector == KERNEL_DS);
	cr_assert_eq(m.cpu.gpr[GPR_RSP], STACK_TOP, "syscall leaves RSP");
	cr_assert_eq(RUN(&m, &r, 0x48, 0x0f, 0x07), EMUL_DONE);
	cr_assert(m.cpu.cpl == 3 && m.cpu.rip == CODE_PAGE + 2);
	cr_assert(m.cpu.seg[SEG_CS].selector == 0x23 && m.cpu.seg[SEG_SS].selector == 0x1b);
	cr_assert_eq(m.cpu.rflags, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_DF | RFLAGS_CF);
	cr_assert_eq(m.reads + m.writes + m.cmpxchgs, 0);

	machine_set_cpl(&m, 0);
	m.cpu.rip = CODE_PAGE;
	m.cpu.gpr[GPR_RCX] = CANONICAL_HOLE;
	cr_assert(RUN(&m, &r, 0x48, 0x0f, 0x07) == EMUL_EXCEPTION && r.exc.vector == VEC_GP && m.cpu.cpl == 0);
	m.ops.limits.intel = false;
	cr_assert(RUN(&m, &r, 0x48, 0x0f, 0x07) == EMUL_DONE && m.cpu.cpl == 3 && m.cpu.rip == CANONICAL_HOLE,
	          "AMD's CPUs fault at the target");
	machine_set_cpl(&m, 0);
	m.cpu.rip = CODE_PAGE;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x07), EMUL_UNSUPPORTED, "sysretl");
	m.cpu.efer &= ~(uint64_t)EFER_SCE;
	cr_assert(RUN(&m, &r, 0x48, 0x0f, 0x07) == EMUL_EXCEPTION && r.exc.vector == VEC_UD);
	cr_assert(RUN(&m, &r, 0x0f, 0x05) == EMUL_EXCEPTION && r.exc.vector == VEC_UD);
}

/* sysenter and sysexitq: selectors from one MSR, nothing is kept of where it came from. SDM vol. 2. */
Test(emulate_far, sysenter_and_sysexit)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 3);
	cr_assert(RUN(&m, &r, 0x0f, 0x34) == EMUL_EXCEPTION && r.exc.vector == VEC_GP && r.exc.error == 0);
	cr_assert(m.cpu.cpl == 3 && m.cpu.rip == CODE_PAGE, "without its MSR");
	m.cpu.msrs.sysenter_cs = KERNEL_CS | 3;
	m.cpu.msrs.sysenter_esp = STACK_TOP - 64;
	m.cpu.msrs.sysenter_eip = CODE_PAGE + 0x800;
	m.cpu.rflags |= RFLAGS_DF | RFLAGS_AC;
	cr_assert_eq(RUN(&m, &r, 0x0f, 0x34), EMUL_DONE);
	cr_assert(m.cpu.cpl == 0 && m.cpu.rip == CODE_PAGE + 0x800 && m.cpu.gpr[GPR_RSP] == STACK_TOP - 64);
	cr_assert_eq(m.cpu.rflags, RFLAGS_FIXED | RFLAGS_DF | RFLAGS_AC, "of the flags IF alone");
	cr_assert(m.cpu.seg[SEG_CS].selector == KERNEL_CS && m.cpu.seg[SEG_SS].selector == KERNEL_DS);

	m.cpu.gpr[GPR_RDX] = CODE_PAGE + 0x100;
	m.cpu.gpr[GPR_RCX] = CANONICAL_HOLE;
	cr_assert(RUN(&m, &r, 0x48, 0x0f, 0x35) == EMUL_EXCEPTION && r.exc.vector == VEC_GP && m.cpu.cpl == 0);
	m.cpu.gpr[GPR_RCX] = STACK_TOP;
	cr_assert_eq(RUN(&m, &r, 0x48, 0x0f, 0x35), EMUL_DONE);
	cr_assert(m.cpu.cpl == 3 && m.cpu.rip == CODE_PAGE + 0x100 && m.cpu.gpr[GPR_RSP] == STACK_TOP);
	cr_assert(m.cpu.seg[SEG_CS].selector == KERNEL_CS + 32 + 3 && m.cpu.seg[SEG_SS].selector == KERNEL_CS + 40 + 3);
	cr_assert(RUN(&m, &r, 0x48, 0x0f, 0x35) == EMUL_EXCEPTION && r.exc.vector == VEC_GP, "at CPL 3");

	m.ops.limits.intel = false;
	cr_assert(RUN(&m, &r, 0x0f, 0x34) == EMUL_EXCEPTION && r.exc.vector == VEC_UD, "AMD has neither");
	cr_assert(RUN(&m, &r, 0x48, 0x0f, 0x35) == EMUL_EXCEPTION && r.exc.vector == VEC_UD);
}

/* int n goes by the gate's DPL; the frame holds the next instruction. */
Test(emulate_far, software_interrupts)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 3);
	cr_assert_eq(RUN(&m, &r, 0xcd, 0x80), EMUL_EXCEPTION);
	cr_assert(r.exc.vector == VEC_GP && r.exc.error == 0x80 * 8 + 2 && m.cpu.rip == CODE_PAGE);
	machine_set_gate(0x80, CODE_PAGE + 0x800, KERNEL_CS, 0, 0xee);
	m.cpu.rflags |= RFLAGS_TF;
	cr_assert_eq(RUN(&m, &r, 0xcd, 0x80), EMUL_DONE, "no #DB: the delivery cleared TF");
	cr_assert(m.cpu.cpl == 0 && m.cpu.rip == CODE_PAGE + 0x800);
	cr_assert_eq(*machine_u64(m.cpu.gpr[GPR_RSP]), CODE_PAGE + 2);
	machine_init(&m, 0);
	cr_assert_eq(RUN(&m, &r, 0xcc), EMUL_DONE);
	cr_assert(m.cpu.rip == CODE_PAGE + 16 * VEC_BP && *machine_u64(m.cpu.gpr[GPR_RSP]) == CODE_PAGE + 1);
	m.cpu.rip = CODE_PAGE;
	m.cpu.idtr.limit = 16;
	cr_assert(RUN(&m, &r, 0xcc) == EMUL_EXCEPTION && r.exc.error == VEC_BP * 8 + 2, "beyond the IDT, no EXT");
}

/* Far returns within the kernel and to user, far jumps and calls through memory. */
Test(emulate_far, far_branches)
{
	struct emul_result r;
	struct machine m;

	machine_init(&m, 0);
	m.cpu.gpr[GPR_RSP] = FRAME;
	machine_u64(FRAME)[0] = CODE_PAGE + 0x20;
	machine_u64(FRAME)[1] = KERNEL_CS;
	cr_assert_eq(RUN(&m, &r, 0x48, 0xcb), EMUL_DONE, "lretq");
	cr_assert(m.cpu.rip == CODE_PAGE + 0x20 && m.cpu.gpr[GPR_RSP] == FRAME + 16 && m.cpu.cpl == 0);
	put_frame(&m, 0x401000, USER_CS, 0x7fff0000, USER_DS, 0); /* RIP, CS, RSP, SS */
	cr_assert_eq(RUN(&m, &r, 0x48, 0xcb), EMUL_DONE, "lretq to user");
	cr_assert(m.cpu.cpl == 3 && m.cpu.rip == 0x401000 && m.cpu.gpr[GPR_RSP] == 0x7fff0000);
	machine_init(&m, 0);
	*machine_u64(DATA_PAGE) = (CODE_PAGE + 0x30) | (uint64_t)KERNEL_CS << 32;
	m.cpu.gpr[GPR_RAX] = DATA_PAGE;
	cr_assert_eq(RUN(&m, &r, 0xff, 0x28), EMUL_DONE, "ljmp *(rax)");
	cr_assert(m.cpu.rip == CODE_PAGE + 0x30);
	cr_assert_eq(RUN(&m, &r, 0xff, 0x18), EMUL_DONE, "lcall *(rax)");
	cr_assert(m.cpu.rip == CODE_PAGE + 0x30 && m.cpu.gpr[GPR_RSP] == STACK_TOP - 8);
	cr_assert_eq(*machine_u64(STACK_TOP - 8), (CODE_PAGE + 0x32) | (uint64_t)KERNEL_CS << 32);
	*machine_u64(DATA_PAGE) = CODE_PAGE | (uint64_t)KERNEL_DS << 32;
	cr_assert(RUN(&m, &r, 0xff, 0x28) == EMUL_EXCEPTION && r.exc.error == KERNEL_DS);

	/* REX.W: an offset of 64 bits, or on AMD's CPUs of 32 with the selector right behind it. */
	machine_init(&m, 0);
	machine_u64(DATA_PAGE)[0] = CODE_PAGE + 0x30;
	machine_u64(DATA_PAGE)[1] = KERNEL_CS;
	m.cpu.gpr[GPR_RAX] = DATA_PAGE;
	cr_assert(RUN(&m, &r, 0x48, 0xff, 0x28) == EMUL_DONE && m.cpu.rip == CODE_PAGE + 0x30);
	m.ops.limits.intel = false;
	cr_assert(RUN(&m, &r, 0x48, 0xff, 0x28) == EMUL_EXCEPTION && r.exc.vector == VEC_GP && r.exc.error == 0);
	*machine_u64(DATA_PAGE) = (CODE_PAGE + 0x40) | (uint64_t)KERNEL_CS << 32;
	cr_assert(RUN(&m, &r, 0x48, 0xff, 0x28) == EMUL_DONE && m.cpu.rip == CODE_PAGE + 0x40);
}
