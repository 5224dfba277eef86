/* SPDX-License-Identifier: MIT */
#include "cpu/inspect.h"

#include <errno.h>

#include "cpu/emul.h"
#include "cpu/present.h"

#define M(mnemonic) ZYDIS_MNEMONIC_##mnemonic

/* A push names RSP as it is before; what it writes lies below. */
static uint64_t linear_of(const struct emul *e, const ZydisDecodedOperand *op, unsigned size)
{
	const bool pushes = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && op->mem.base == ZYDIS_REGISTER_RSP &&
	                    op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	int64_t displace = pushes ? -(int64_t)size : 0;

	if (e->insn.z.mnemonic == M(XLAT)) /* Zydis does not name its index */
		displace = (int64_t)emul_reg_read(e->env.cpu, ZYDIS_REGISTER_AL);
	return emul_based(e, op->mem.segment, emul_address(e, op, displace));
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

/* It names memory, but neither faults nor meets a breakpoint there. */
static bool is_hint(const struct insn *insn)
{
	switch (insn->z.meta.category) {
	case ZYDIS_CATEGORY_CLDEMOTE:
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_PREFETCH:
	case ZYDIS_CATEGORY_PREFETCHWT1:
	case ZYDIS_CATEGORY_WIDENOP:
		return true;
	default:
		return false;
	}
}

/* A flush names one byte, though it is about a line. */
static bool is_about_a_line(const struct insn *insn)
{
	switch (insn->z.meta.category) {
	case ZYDIS_CATEGORY_CLFLUSHOPT:
	case ZYDIS_CATEGORY_CLWB:
		return true;
	default:
		return insn->z.mnemonic == M(CLFLUSH);
	}
}

static void note(const struct emul *e, const ZydisDecodedOperand *op, struct inspection *to)
{
	const unsigned size = op->size < 8 || is_about_a_line(&e->insn) ? 1 : op->size / 8u;

	if (op->mem.type == ZYDIS_MEMOP_TYPE_VSIB)
		to->lanes = to->stays = true;
	if (op->mem.type != ZYDIS_MEMOP_TYPE_MEM || to->nr_accesses == INSPECT_ACCESSES || is_hint(&e->insn))
		return;
	to->access[to->nr_accesses++] = (struct insn_access){
	    .at = gva_init(linear_of(e, op, size)),
	    .size = size,
	    .align = alignment(&e->insn, op, size),
	    .aligned_last =
	        e->insn.z.meta.isa_set == ZYDIS_ISA_SET_SHA && !e->env.ops->limits.intel, /* seen, in no manual */
	    .write = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
	    .stack = emul_operand_segment(op) == ZYDIS_REGISTER_SS && !is_direct_store(&e->insn, op),
	};
}

static bool is_branch(const struct insn *insn)
{
	for (unsigned i = 0; i < insn->z.operand_count; i++)
		if (insn->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER && insn->op[i].reg.value == ZYDIS_REGISTER_RIP &&
		    insn->op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			return true;
	return false;
}

/* A repeated one whose count is zero touches nothing. */
static bool is_no_element(const struct emul *e)
{
	return emul_is_repeated(e) && emul_index(e, GPR_RCX) == 0;
}

/* ENTER copies the pointers to the frames around its own, which no operand names: SDM vol. 1 6.6.1. */
static void note_frames(const struct emul *e, struct inspection *to)
{
	const unsigned level = e->insn.op[1].imm.value.u % 32;

	if (level < 2 || to->nr_accesses == INSPECT_ACCESSES)
		return;
	to->access[to->nr_accesses++] = (struct insn_access){
	    .at = gva_init(emul_reg_read(e->env.cpu, ZYDIS_REGISTER_RBP) - 8 * (level - 1)),
	    .size = 8 * (level - 1),
	    .align = 1,
	    .stack = true,
	};
}

/* CLZERO's line, at RAX: APM3. */
static void note_line(const struct emul *e, struct inspection *to)
{
	const ZydisRegister rax = e->insn.z.address_width == 32 ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_RAX;

	to->access[to->nr_accesses++] = (struct insn_access){
	    .at = gva_init(emul_based(e, ZYDIS_REGISTER_DS, emul_reg_read(e->env.cpu, rax)) & ~63ull),
	    .size = 64,
	    .align = 1,
	    .write = true,
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
	ret_inspection->length = e.insn.length;
	ret_inspection->int1 = e.insn.z.mnemonic == M(INT1);
	ret_inspection->present = insn_is_present(&e.insn);
	ret_inspection->stays = is_branch(&e.insn) || emul_is_repeated(&e);
	if (is_no_element(&e))
		return true;
	for (unsigned i = 0; i < e.insn.z.operand_count; i++)
		if (e.insn.op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			note(&e, &e.insn.op[i], ret_inspection);
	if (e.insn.z.mnemonic == M(ENTER))
		note_frames(&e, ret_inspection);
	if (e.insn.z.mnemonic == M(CLZERO))
		note_line(&e, ret_inspection);
	return true;
}
