/* SPDX-License-Identifier: MIT */
/*
 * What hosts do to a program before Gnomon hears of it, and where a judge is wrong itself. Each entry tells one kind of
 * case, or of difference, as narrowly as it can be told.
 */
#include <gnomon/x86.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define RFLAGS_NT      (1 << 14)
#define RFLAGS_RF      (1 << 16)
#define CANONICAL_BITS 48
#define M(name)        ZYDIS_MNEMONIC_##name

/* One kind of difference: what was judged, and what came instead. */
struct pair {
	const struct generated *gen;
	const struct trapped *want, *got;
};

struct quirk {
	const char *why;
	bool nested_only;                                /* shadow mode can do better */
	bool (*leaves_out)(const struct generated *gen); /* such a case is not even run */
	bool (*excuses)(const struct pair *p);
};

/* The operands of a decoded instruction, once more. */
static bool decode(const struct generated *gen, ZydisDecodedInstruction *z, ZydisDecodedOperand *op)
{
	return gen->decodes && ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, gen->bytes, INSN_MAX, z, op));
}

static bool is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << (64 - CANONICAL_BITS)) >> (64 - CANONICAL_BITS)) == address;
}

static bool has_mmx(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
	for (unsigned i = 0; i < z->operand_count_visible; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ZydisRegisterGetClass(op[i].reg.value) == ZYDIS_REGCLASS_MMX)
			return true;
	return false;
}

static bool is_mmx_with_rex(const struct generated *gen)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	return decode(gen, &z, op) && z.attributes & ZYDIS_ATTRIB_HAS_REX && has_mmx(&z, op);
}

static bool is_mmx_fault(const struct pair *p)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	return p->want->vector == VEC_GP && p->got->vector == VEC_GP && p->want->rip == p->got->rip &&
	       decode(p->gen, &z, op) && has_mmx(&z, op);
}

static bool rsp_not_canonical(const struct generated *gen)
{
	return !is_canonical(gen->c.gpr[4]);
}

/* The INT3 behind it is what the emulator executes then. */
static bool leaves_rsp_not_canonical(const struct pair *p)
{
	return !is_canonical(p->want->gpr[4]) && p->want->vector == VEC_BP && p->got->vector == VEC_BP;
}

static bool is_setssbsy(const struct generated *gen)
{
	return gen->mnemonic == M(SETSSBSY);
}

/* Found by trying all 256. */
static bool is_int_of_pvm(const struct generated *gen)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	if (gen->mnemonic != M(INT) || !decode(gen, &z, op))
		return false;
	switch (op[0].imm.value.u) {
	case 0x17:
	case 0x19:
	case 0x1a:
		return true;
	case 0x1b:
		return z.length > 2;
	default:
		return false;
	}
}

static bool is_unknown_to_kvm(const struct pair *p)
{
	return (p->want->vector == VEC_GP || p->want->vector == VEC_SS) && p->got->vector == VEC_UD;
}

static bool is_unknown_to_cpu(const struct pair *p)
{
	return p->want->vector == VEC_UD && p->got->vector == VEC_GP;
}

static bool is_fxsave(const struct pair *p)
{
	const uint16_t m = p->gen->mnemonic;

	return p->want->vector == VEC_GP &&
	       (m == M(FXSAVE) || m == M(FXSAVE64) || m == M(FXRSTOR) || m == M(FXRSTOR64));
}

static bool is_fxsave_done(const struct pair *p)
{
	return is_fxsave(p) && p->got->vector != VEC_PF;
}

static bool is_fxsave_fault(const struct pair *p)
{
	return is_fxsave(p) && p->got->vector == VEC_PF;
}

static bool is_two_operands(const struct pair *p)
{
	const uint16_t m = p->gen->mnemonic;

	return p->want->vector == VEC_GP && p->got->vector == VEC_PF &&
	       (m == M(CMPSB) || m == M(CMPSW) || m == M(CMPSD) || m == M(CMPSQ) || m == M(MOVSB) || m == M(MOVSW) ||
	        m == M(MOVSD) || m == M(MOVSQ));
}

/* MOVNTDQ from a register to a register, LOCK where it must not be, ... */
static bool is_no_instruction(const struct pair *p)
{
	return p->want->vector == VEC_UD && !p->gen->decodes &&
	       (p->got->vector != VEC_GP || p->got->rip != p->want->rip);
}

static bool is_not_offered(const struct pair *p)
{
	if (p->want->vector != VEC_GP || p->got->vector != VEC_UD)
		return false;
	switch (p->gen->mnemonic) {
	case M(ENCLU):
	case M(ENQCMDS):
	case M(HRESET):
	case M(INVPCID):
	case M(PTWRITE):
	case M(SEAMCALL):
	case M(XEND):
		return true;
	default:
		return false;
	}
}

/* FS or GS, and behind it one that counts for nothing in 64-bit mode. */
static bool is_segment_order(const struct pair *p)
{
	const uint8_t *b = p->gen->bytes;
	bool base = false;

	if (p->want->vector != VEC_GP || p->got->vector != VEC_PF)
		return false;
	for (; memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", *b, 11); b++) {
		if (base && memchr("\x26\x2e\x36\x3e", *b, 4))
			return true;
		base |= *b == 0x64 || *b == 0x65;
	}
	return false;
}

static bool is_stack_segment(const struct pair *p)
{
	return p->want->vector == VEC_GP && p->got->vector == VEC_SS && memchr(p->gen->bytes, 0x36, INSN_MAX);
}

static bool is_iret_selector(const struct pair *p)
{
	const uint16_t m = p->gen->mnemonic;

	return p->want->vector == VEC_GP && p->got->vector == VEC_GP &&
	       (m == M(IRET) || m == M(IRETD) || m == M(IRETQ));
}

static bool is_last_page(const struct trapped *t)
{
	return t->vector == VEC_PF && t->cr2 >> 12 == 0x7ffffffff;
}

static bool is_end_of_half(const struct pair *p)
{
	const uint16_t m = p->gen->mnemonic;

	if (is_last_page(p->got))
		return p->want->vector == VEC_GP || p->want->vector == VEC_SS;
	return is_last_page(p->want) && (p->got->vector == VEC_GP || p->got->vector == VEC_SS) && m != M(CLFLUSH) &&
	       m != M(CLFLUSHOPT) && m != M(CLWB);
}

static const struct quirk pvm[] = {
    {"a program whose RSP is not canonical: KVM's emulator executes it, and knows few instructions", false,
     rsp_not_canonical, leaves_rsp_not_canonical},
    {"SETSSBSY: KVM's emulator goes on behind it", false, is_setssbsy, NULL},
    {"INT 0x17, 0x19 and 0x1a, INT 0x1b with a prefix: KVM takes them for something of its own", false, is_int_of_pvm,
     NULL},
    {"CMPS and MOVS whose operands would both fault: KVM's emulator begins with the other", false, NULL,
     is_two_operands},
    {"what is no instruction: KVM's emulator executes it now and then", false, NULL, is_no_instruction},
    {"ENCLU, ENQCMDS, HRESET, INVPCID, PTWRITE, SEAMCALL, XEND: #UD is right as well, for CPUID does not offer them",
     false, NULL, is_not_offered},
    {"#PF where #GP is due, of FS or GS and another segment behind it: KVM's emulator takes the last", false, NULL,
     is_segment_order},
    {"#SS where #GP is due: KVM's emulator takes SS for a segment", true, NULL, is_stack_segment},
    {"IRET: the error code of KVM's emulator", true, NULL, is_iret_selector},
    {"#UD where #GP or #SS is due: KVM's emulator does not know the instruction", true, NULL, is_unknown_to_kvm},
    {"#GP where #UD is due: KVM's emulator knows an instruction that the CPU does not", false, NULL, is_unknown_to_cpu},
    {"#GP of an MMX instruction: KVM's emulator has set the x87 tags before", false, NULL, is_mmx_fault},
    {"FXSAVE and FXRSTOR that are not aligned: KVM's emulator does not mind", false, NULL, is_fxsave_done},
    {"#PF where #GP is due, of FXSAVE and FXRSTOR", true, NULL, is_fxsave_fault},
    {"#PF or #GP of what crosses the end of the lower half: which bytes come first depends on who executes it", false,
     NULL, is_end_of_half},
};

static bool is_narrow_far_return(const struct generated *gen)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	return gen->mnemonic == M(IRET) || gen->mnemonic == M(IRETD) ||
	       (gen->mnemonic == M(RET) && decode(gen, &z, op) && z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR);
}

static bool is_adx(const struct generated *gen)
{
	return gen->mnemonic == M(ADOX) || gen->mnemonic == M(ADCX);
}

static bool is_other_test(const struct generated *gen)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	if (gen->mnemonic == M(INT1))
		return true;
	return gen->mnemonic == M(TEST) && decode(gen, &z, op) && z.raw.modrm.reg == 1 && (z.opcode & 0xfe) == 0xf6;
}

static bool is_xsetbv(const struct generated *gen)
{
	return gen->mnemonic == M(XSETBV);
}

static bool is_int(const struct pair *p)
{
	return p->want->vector == VEC_GP && p->got->vector == VEC_GP && p->want->error % 16 == 2 &&
	       p->got->error == (p->want->error - 2) / 2 + 2;
}

static bool is_stack_fault(const struct pair *p)
{
	return p->want->vector == VEC_GP && p->got->vector == VEC_SS && !p->got->error;
}

/* The new CS is none, and behind it a page is not there. */
static bool is_iret_order(const struct pair *p)
{
	const uint16_t m = p->gen->mnemonic;

	return (m == M(IRETQ) || m == M(IRETD) || m == M(IRET)) && p->want->vector == VEC_GP && p->got->vector == VEC_PF;
}

static bool is_lock(const struct pair *p)
{
	return p->want->vector == VEC_GP && p->got->vector == VEC_UD && !p->gen->decodes &&
	       p->want->rip == p->gen->c.rip && memchr(p->gen->bytes, 0xf0, INSN_MAX);
}

static bool is_base_not_canonical(const struct pair *p)
{
	return !is_canonical(p->want->fs_base) || !is_canonical(p->want->gs_base);
}

static bool is_alignment(const struct pair *p)
{
	return p->want->vector != VEC_AC && p->got->vector == VEC_AC && p->gen->c.rflags & RFLAGS_AC;
}

static bool is_sysexit(const struct pair *p)
{
	return p->gen->mnemonic == M(SYSEXIT) && p->want->vector == VEC_GP && p->got->vector == VEC_UD;
}

static bool is_rotate_with_carry(const struct generated *gen)
{
	return gen->mnemonic == M(RCR) || gen->mnemonic == M(RCL);
}

static const struct quirk tcg[] = {
    {"RCR and RCL: QEMU changes CF before a store that faults", false, is_rotate_with_carry, NULL},
    {"MMX with REX: QEMU takes REX.R and REX.B for a part of the register's number", false, is_mmx_with_rex, NULL},
    {"far RET, IRET and IRETD: QEMU takes the width of RSP from SS", false, is_narrow_far_return, NULL},
    {"ADCX and ADOX: QEMU leaves arbitrary flags", false, is_adx, NULL},
    {"INT1, and TEST as F6 /1 and F7 /1: QEMU does not know them", false, is_other_test, NULL},
    {"XSETBV without CR4.OSXSAVE: QEMU looks at the privilege level first", false, is_xsetbv, NULL},
    {"INT n: QEMU's error code is 16 n + 2", false, NULL, is_int},
    {"WRFSBASE and WRGSBASE of what is not canonical: QEMU does not mind", false, NULL, is_base_not_canonical},
    {"SYSEXIT on AMD: #UD, of which KVM's emulator makes #GP", false, NULL, is_sysexit},
    {"IRET: QEMU looks at CS before it reads the rest", false, NULL, is_iret_order},
    {"#AC: QEMU does not check alignment", false, NULL, is_alignment},
    {"#GP where #SS is due", false, NULL, is_stack_fault},
    {"#GP of an instruction that must not be locked", false, NULL, is_lock},
};

static bool is_call(const struct pair *p)
{
	return p->gen->mnemonic == M(CALL) && p->want->vector == VEC_GP && p->got->vector == VEC_GP &&
	       p->want->rip == p->got->rip && p->want->error == p->got->error;
}

static const struct quirk anywhere[] = {
    {"CALL to an address that is not canonical: Intel's CPUs have written the return address when they find out", false,
     NULL, is_call},
};

/* The quirks of this host; `guest`: they concern only guests. */
static const struct quirk *quirks(bool guest, unsigned *ret_count)
{
	if (on_tcg()) {
		*ret_count = sizeof(tcg) / sizeof(*tcg);
		return tcg;
	}
	*ret_count = guest && on_pvm() ? sizeof(pvm) / sizeof(*pvm) : 0;
	return pvm;
}

bool quirk_leaves_out(const struct side *tested, const struct generated *gen)
{
	unsigned n;
	const struct quirk *q = quirks(tested->run == guest_run, &n);

	for (unsigned i = 0; i < n; i++)
		if (q[i].leaves_out && q[i].leaves_out(gen))
			return true;
	return false;
}

void quirk_mask(const struct side *tested, struct insn_case *c)
{
	if (on_tcg())
		c->flags_mask &= ~(uint64_t)RFLAGS_RF;
	if (tested->run == guest_run && on_pvm()) {
		c->rflags &= ~(uint64_t)RFLAGS_NT;
		c->flags_mask &= ~(uint64_t)RFLAGS_NT;
	}
}

const char *quirk_excuses(const struct side *tested, const struct generated *gen, const struct insn_result *judge,
                          const struct insn_result *found)
{
	const struct pair p = {gen, &judge->trapped, &found->trapped};
	unsigned n;
	const struct quirk *q = quirks(tested->run == guest_run, &n);

	for (unsigned i = 0; i < n; i++)
		if (q[i].excuses && (!q[i].nested_only || tested->judge == JUDGE_NESTED) && q[i].excuses(&p))
			return q[i].why;
	for (unsigned i = 0; i < sizeof(anywhere) / sizeof(*anywhere); i++)
		if (anywhere[i].excuses(&p))
			return anywhere[i].why;
	return NULL;
}

static void print_list(const struct quirk *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		printf("%s%s\n", q[i].why,
		       q[i].leaves_out    ? ""
		       : q[i].nested_only ? " (such a difference is excused in nested mode)"
		                          : " (such a difference is excused)");
}

void quirks_print(void)
{
	printf("\nOn any host:\n\n");
	print_list(anywhere, sizeof(anywhere) / sizeof(*anywhere));
	printf("\nWhere a guest runs on kvm_pvm:\n\n"
	       "NT is neither set nor compared: it is lost where KVM executes IRETQ, or handles a fault by itself\n");
	print_list(pvm, sizeof(pvm) / sizeof(*pvm));
	printf("\nOn QEMU's TCG:\n\nRF is not compared: QEMU never sets it\n");
	print_list(tcg, sizeof(tcg) / sizeof(*tcg));
}
