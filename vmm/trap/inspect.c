/* SPDX-License-Identifier: MIT */
#include "trap/inspect.h"

#include <errno.h>

#include "trap/emul.h"
#include "trap/present.h"

#define M(mnemonic) ZYDIS_MNEMONIC_##mnemonic

/* A push names RSP as it is before; what it writes lies below. */
static uint64_t linear_of(const struct emul *e, const ZydisDecodedOperand *op, unsigned size)
{
	const bool pushes = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && op->mem.base == ZYDIS_REGISTER_RSP &&
	                    op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;

	return emul_based(e, op->mem.segment, emul_address(e, op, pushes ? -(int64_t)size : 0));
}

/* MOVDIR64B's destination: a register holds its address, in ES, whatever Zydis takes for its segment. */
static bool is_direct_store(const struct insn *insn, const ZydisDecodedOperand *op)
{
	return insn->z.mnemonic == M(MOVDIR64B) && (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
}

/*
 * SSE's 16 bytes, but for the moves that are there for it; with VEX or EVEX the moves that say so; the areas of FXSAVE:
 * APM1 4.3.2, SDM vol. 1 4.1.1 and 14.9.
 */
static unsigned alignment(const struct insn *insn, const ZydisDecodedOperand *op, unsigned size)
{
	if (is_direct_store(insn, op))
		return size;
	switch (insn->z.mnemonic) {
	case M(MOVUPS):
	case M(MOVUPD):
	case M(MOVDQU):
	case M(LDDQU):
	case M(MASKMOVDQU):
	case M(PCMPESTRI):
	case M(PCMPESTRM):
	case M(PCMPISTRI):
	case M(PCMPISTRM):
		return 1;
	case M(VMOVAPS):
	case M(VMOVAPD):
	case M(VMOVDQA):
	case M(VMOVDQA32):
	case M(VMOVDQA64):
	case M(VMOVNTPS):
	case M(VMOVNTPD):
	case M(VMOVNTDQ):
	case M(VMOVNTDQA):
		return size;
	case M(FXSAVE):
	case M(FXSAVE64):
	case M(FXRSTOR):
	case M(FXRSTOR64):
	case M(CVTPD2PI):
	case M(CVTTPD2PI):
		return 16;
	default:
		return size == 16 && insn_fpu(insn) == INSN_FPU_SSE ? 16 : 1;
	}
}

/* A hint or a flush names one byte, though it is about a line. */
static bool is_about_a_line(const struct insn *insn)
{
	switch (insn->z.meta.category) {
	case ZYDIS_CATEGORY_CLFLUSHOPT:
	case ZYDIS_CATEGORY_CLWB:
	case ZYDIS_CATEGORY_CLDEMOTE:
	case ZYDIS_CATEGORY_PREFETCH:
	case ZYDIS_CATEGORY_PREFETCHWT1:
		return true;
	default:
		return insn->z.mnemonic == M(CLFLUSH);
	}
}

static void note(const struct emul *e, const ZydisDecodedOperand *op, struct inspection *to)
{
	const unsigned size = op->size < 8 || is_about_a_line(&e->insn) ? 1 : op->size / 8u;

	if (op->mem.type == ZYDIS_MEMOP_TYPE_VSIB)
		to->lanes = true;
	if (op->mem.type != ZYDIS_MEMOP_TYPE_MEM || to->nr_accesses == INSPECT_ACCESSES)
		return;
	to->access[to->nr_accesses++] = (struct insn_access){
	    .at = gva_init(linear_of(e, op, size)),
	    .size = size,
	    .align = alignment(&e->insn, op, size),
	    .write = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
	    .stack = emul_operand_segment(op) == ZYDIS_REGISTER_SS && !is_direct_store(&e->insn, op),
	};
}

bool inspect_insn(const struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                  struct inspection *ret_inspection)
{
	struct cpu_state copy = *state;
	struct emul e = {.env = {.cpu = &copy, .ops = ops, .ctx = ctx}};

	const int err = decode_insn(&e.env, &e.insn);

	*ret_inspection = (struct inspection){0};
	if (err)
		return err == -ENOEXEC;
	copy.rip += e.insn.length;
	ret_inspection->known = true;
	ret_inspection->present = insn_is_present(&e.insn);
	for (unsigned i = 0; i < e.insn.z.operand_count; i++)
		if (e.insn.op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			note(&e, &e.insn.op[i], ret_inspection);
	return true;
}
