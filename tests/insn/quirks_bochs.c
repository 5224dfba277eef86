/* SPDX-License-Identifier: MIT */
/* Bochs 2.7, which plays Intel's CPUs. */
#include <gnomon/x86.h>

#include "quirk.h"

#define M(name) ZYDIS_MNEMONIC_##name

static bool is_trap_before(const struct generated *gen, const struct trapped *t)
{
	return t->vector == VEC_DB && t->rip == gen->c.rip && gen->c.rflags & RFLAGS_TF;
}

/* Where both have it, the instruction led to itself. */
static bool is_early_trap(const struct pair *p)
{
	return is_trap_before(p->gen, p->got) && !is_trap_before(p->gen, p->want);
}

static bool is_early_trap_of_judge(const struct pair *p)
{
	return is_trap_before(p->gen, p->want) && !is_trap_before(p->gen, p->got);
}

/* SDM vol. 2 2.2.1.2: where ModRM.reg names no general, vector, control or debug register, REX.R counts for nothing. */
static bool is_segment_with_rex(const struct pair *p)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	return p->want->vector == VEC_UD && p->gen->mnemonic == M(MOV) && quirk_decode(p->gen, &z, op) && z.raw.rex.R &&
	       op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ZydisRegisterGetClass(op[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

static bool is_half_restored(const struct pair *p)
{
	return (p->gen->mnemonic == M(FXRSTOR) || p->gen->mnemonic == M(FXRSTOR64)) && p->want->vector == VEC_GP &&
	       p->got->vector == VEC_GP && p->want->rip == p->got->rip;
}

static const struct quirk bochs[] = {
    {"a single step's trap before the instruction: where EPT does not map a page yet", true, NULL, is_early_trap},
    {"none before it, where the judge has one: the same", false, NULL, is_early_trap_of_judge},
    {"MOV to a segment register, with REX.R: Bochs takes it for a part of the register's number", false, NULL,
     is_segment_with_rex},
    {"FXRSTOR that raises #GP for its MXCSR: Bochs has loaded x87 registers before", false, NULL, is_half_restored},
};

const struct quirks quirks_of_bochs = {bochs, sizeof(bochs) / sizeof(*bochs)};
