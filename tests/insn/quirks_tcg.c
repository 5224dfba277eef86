/* SPDX-License-Identifier: MIT */
/* QEMU's TCG. */
#include <gnomon/x86.h>
#include <string.h>

#include "quirk.h"

#define M(name) ZYDIS_MNEMONIC_##name

static bool is_mmx_with_rex(const struct generated *gen)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	return quirk_decode(gen, &z, op) && z.attributes & ZYDIS_ATTRIB_HAS_REX && quirk_has_mmx(&z, op);
}

static bool is_narrow_far_return(const struct generated *gen)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	return gen->mnemonic == M(IRET) || gen->mnemonic == M(IRETD) ||
	       (gen->mnemonic == M(RET) && quirk_decode(gen, &z, op) && z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR);
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
	return gen->mnemonic == M(TEST) && quirk_decode(gen, &z, op) && z.raw.modrm.reg == 1 &&
	       (z.opcode & 0xfe) == 0xf6;
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

	return (m == M(IRETQ) || m == M(IRETD) || m == M(IRET)) && p->want->vector == VEC_GP &&
	       p->got->vector == VEC_PF;
}

static bool is_lock(const struct pair *p)
{
	return p->want->vector == VEC_GP && p->got->vector == VEC_UD && !p->gen->decodes &&
	       p->want->rip == p->gen->c.rip && memchr(p->gen->bytes, 0xf0, INSN_MAX);
}

static bool is_base_not_canonical(const struct pair *p)
{
	return !quirk_canonical(p->want->fs_base) || !quirk_canonical(p->want->gs_base);
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

const struct quirks quirks_of_tcg = {tcg, sizeof(tcg) / sizeof(*tcg)};
