/* SPDX-License-Identifier: MIT */
/* kvm_pvm: what KVM's emulator does to a guest's program. */
#include <gnomon/x86.h>
#include <string.h>

#include "../host_kind.h"
#include "quirk.h"

#define M(name) ZYDIS_MNEMONIC_##name

static bool is_mmx_fault(const struct pair *p)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	return p->want->vector == VEC_GP && p->got->vector == VEC_GP && p->want->rip == p->got->rip &&
	       quirk_decode(p->gen, &z, op) && quirk_has_mmx(&z, op);
}

static bool rsp_not_canonical(const struct generated *gen)
{
	return !quirk_canonical(gen->c.gpr[4]);
}

/* The INT3 behind it is what the emulator executes then. */
static bool leaves_rsp_not_canonical(const struct pair *p)
{
	return !quirk_canonical(p->want->gpr[4]) && p->want->vector == VEC_BP && p->got->vector == VEC_BP;
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

	if (gen->mnemonic != M(INT) || !quirk_decode(gen, &z, op))
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
	case M(MOVDIR64B): /* AMD's family 26 executes it and MOVDIRI, whatever the host's CPUID says */
	case M(MOVDIRI):
	case M(PSMASH):
	case M(PTWRITE):
	case M(PVALIDATE):
	case M(RMPADJUST):
	case M(RMPUPDATE):
	case M(SEAMCALL):
	case M(XEND):
		return true;
	default:
		return false;
	}
}

/* SERIALIZE, and 0F 0D with a register, which Intel's CPUs take for NOP. */
static bool is_executed_by_kvm(const struct pair *p)
{
	return (p->gen->mnemonic == M(SERIALIZE) || p->gen->mnemonic == M(NOP)) && p->want->vector == VEC_UD &&
	       (p->got->vector == VEC_BP || p->got->vector == VEC_DB);
}

static bool is_sysexit(const struct pair *p)
{
	return p->gen->mnemonic == M(SYSEXIT) && p->want->vector == VEC_GP && p->got->vector == VEC_UD;
}

/* The selector behind the offset is in the error code; and KVM's may be one that can be loaded. */
static bool is_wide_far_pointer(const struct pair *p)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	if (cpu_is_intel() || p->want->vector != VEC_GP || !quirk_decode(p->gen, &z, op) || !z.raw.rex.W)
		return false;
	if (z.mnemonic == M(LFS) || z.mnemonic == M(LGS) || z.mnemonic == M(LSS))
		return true;
	return p->got->vector == VEC_GP && z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
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

/* It begins anew behind a fault of ours, which the process had not. Everything else is as it was. */
static bool is_gather_resumed(const struct pair *p)
{
	struct trapped got = *p->got;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	got.rflags ^= RFLAGS_RF;
	return p->got->vector == VEC_DB && p->got->rip == p->gen->c.rip && memcmp(&got, p->want, sizeof(got)) == 0 &&
	       quirk_decode(p->gen, &z, op) &&
	       (z.meta.category == ZYDIS_CATEGORY_AVX2GATHER || z.meta.category == ZYDIS_CATEGORY_GATHER ||
	        z.meta.category == ZYDIS_CATEGORY_SCATTER);
}

/* The guest has RIP behind it, as the manuals want. Everything else is as it was. */
static bool is_behind_int1(const struct pair *p)
{
	struct trapped got = *p->got;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	if (p->gen->mnemonic != M(INT1) || !quirk_decode(p->gen, &z, op))
		return false;
	got.rip -= z.length;
	return p->got->vector == VEC_DB && memcmp(&got, p->want, sizeof(got)) == 0;
}

static const struct quirk pvm[] = {
    {"a program whose RSP is not canonical: KVM's emulator executes it, and knows few instructions", false,
     rsp_not_canonical, leaves_rsp_not_canonical},
    {"SETSSBSY: KVM's emulator goes on behind it", false, is_setssbsy, NULL},
    {"INT 0x17, 0x19 and 0x1a, INT 0x1b with a prefix: KVM takes them for something of its own", false, is_int_of_pvm,
     NULL},
    {"INT1 on AMD: a process of this host finds RIP at it", false, NULL, is_behind_int1},
    {"CMPS and MOVS whose operands would both fault: KVM's emulator begins with the other", false, NULL,
     is_two_operands},
    {"what is no instruction: KVM's emulator executes it now and then", false, NULL, is_no_instruction},
    {"ENCLU, ENQCMDS, HRESET, INVPCID, MOVDIR64B, MOVDIRI, PTWRITE, SEAMCALL, XEND, AMD's of SNP: #UD is right as "
     "well, "
     "for CPUID does not offer them",
     false, NULL, is_not_offered},
    {"SERIALIZE and PREFETCH of a register, which this CPU does not have: KVM goes on behind them", false, NULL,
     is_executed_by_kvm},
    {"SYSEXIT on AMD: #UD by APM3, #GP by the CPU", false, NULL, is_sysexit},
    {"far JMP and CALL, LFS, LGS and LSS with REX.W on AMD: KVM's emulator reads an offset of 64 bits, as Intel's CPUs "
     "do",
     false, NULL, is_wide_far_pointer},
    {"#PF where #GP is due, of FS or GS and another segment behind it: KVM's emulator takes the last", false, NULL,
     is_segment_order},
    {"#SS where #GP is due: KVM's emulator takes SS for a segment", true, NULL, is_stack_segment},
    {"IRET: the error code of KVM's emulator", true, NULL, is_iret_selector},
    {"#UD where #GP or #SS is due: KVM's emulator does not know the instruction", true, NULL, is_unknown_to_kvm},
    {"#GP where #UD is due: KVM's emulator knows an instruction that the CPU does not", false, NULL, is_unknown_to_cpu},
    {"#GP of an MMX instruction: KVM's emulator has set the x87 tags before", false, NULL, is_mmx_fault},
    {"FXSAVE and FXRSTOR that are not aligned: KVM's emulator does not mind", false, NULL, is_fxsave_done},
    {"#PF where #GP is due, of FXSAVE and FXRSTOR", true, NULL, is_fxsave_fault},
    {"RF of a #DB between two elements of a gather or scatter: it is set behind a fault, as on a CPU", false, NULL,
     is_gather_resumed},
    {"#PF or #GP of what crosses the end of the lower half: which bytes come first depends on who executes it", false,
     NULL, is_end_of_half},
};

const struct quirks quirks_of_pvm = {pvm, sizeof(pvm) / sizeof(*pvm)};
