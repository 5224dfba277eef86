/* SPDX-License-Identifier: MIT */
/* push, pop, near call and ret: for a stack on a write-protected page, and for sensitive operands. */
#include "cpu/emul.h"
#include "cpu/segment.h"

int emul_push(struct emul *e, unsigned size, uint64_t value)
{
	uint64_t rsp = e->env.cpu->gpr[GPR_RSP] - size, linear = 0;
	int err = emul_linear(e, ZYDIS_REGISTER_SS, rsp, size, &linear);

	if (err == 0)
		err = emul_store(e, linear, size, value);
	if (err == 0)
		e->env.cpu->gpr[GPR_RSP] = rsp;
	return err;
}

int emul_pop(struct emul *e, unsigned size, uint64_t *ret_value)
{
	uint64_t linear = 0;
	int err = emul_linear(e, ZYDIS_REGISTER_SS, e->env.cpu->gpr[GPR_RSP], size, &linear);

	if (err == 0)
		err = emul_load(e, linear, size, 0, ret_value);
	if (err == 0)
		e->env.cpu->gpr[GPR_RSP] += size;
	return err;
}

static unsigned stack_size(const struct emul *e)
{
	return e->insn.z.operand_width == 16 ? 2 : 8;
}

static bool is_segment(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value >= ZYDIS_REGISTER_ES &&
	       op->reg.value <= ZYDIS_REGISTER_GS;
}

int emul_push_insn(struct emul *e)
{
	const ZydisDecodedOperand *src = &e->insn.op[0];
	uint64_t value = 0;
	int err = 0;

	if (is_segment(src))
		value = e->env.cpu->seg[emul_segment(src->reg.value)].selector;
	else
		err = emul_read(e, src, &value);
	return err ? err : emul_push(e, stack_size(e), value);
}

/* A destination addressed through RSP uses the RSP after the pop, APM3 POP. */
int emul_pop_insn(struct emul *e)
{
	const ZydisDecodedOperand *dst = &e->insn.op[0];
	uint64_t value = 0;
	int err = emul_pop(e, stack_size(e), &value);

	if (err)
		return err;
	if (is_segment(dst))
		return segment_load(&e->env, emul_segment(dst->reg.value), (uint16_t)value);
	return emul_write(e, dst, value);
}

int emul_pushf(struct emul *e)
{
	return emul_push(e, stack_size(e), e->env.cpu->rflags & ~(uint64_t)(RFLAGS_RF | RFLAGS_VM));
}

int emul_popf(struct emul *e)
{
	const uint64_t kept = RFLAGS_IF | RFLAGS_IOPL;
	unsigned size = stack_size(e);
	uint64_t value = 0;
	int err = emul_pop(e, size, &value);

	if (err)
		return err;
	/*
	 * Unlike iret, popf clears RF. IF and IOPL stay, as they do where the CPU executes it at the real CPL 3: the image may
	 * come from a pushf there, which shows other ones than the guest's (docs/shadow.md).
	 */
	value = (value & ~kept) | (e->env.cpu->rflags & kept);
	e->env.cpu->rflags = emul_merge_rflags(e->env.cpu, value, size * 8) & ~(uint64_t)RFLAGS_RF;
	return 0;
}

/*
 * Bytes of RIP in a near branch: with the prefix 66 two on AMD's CPUs, and RIP becomes one of 16 bits (APM3 1.2.2); Intel's
 * ignore it. Zydis knows of it with relative branches only.
 */
static unsigned branch_size(const struct emul *e)
{
	const ZydisDecodedInstruction *z = &e->insn.z;

	return !e->env.ops->limits.intel && z->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE && !z->raw.rex.W ? 2 : 8;
}

static uint64_t branch_rip(const struct emul *e, uint64_t rip)
{
	return branch_size(e) == 2 ? rip & 0xffff : rip;
}

/* The target of a near branch; relative ones count from the next instruction. */
static int branch_target(struct emul *e, uint64_t *ret_target)
{
	const ZydisDecodedOperand *op = &e->insn.op[0];
	uint64_t target = 0;
	int err = emul_read(e, op, &target);

	if (err)
		return err;
	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		target += e->env.cpu->rip;
	target = branch_rip(e, target);
	if (!env_canonical(&e->env, target))
		return env_fault(&e->env, VEC_GP, 0);
	*ret_target = target;
	return 0;
}

int emul_jmp(struct emul *e)
{
	uint64_t target = 0;
	int err;

	if (e->insn.z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return emul_jmp_far(e);
	err = branch_target(e, &target);
	if (err == 0)
		e->env.cpu->rip = target;
	return err;
}

int emul_call(struct emul *e)
{
	uint64_t return_rip = e->env.cpu->rip;
	int err;

	if (e->insn.z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return emul_call_far(e);
	err = emul_jmp(e);
	return err ? err : emul_push(e, branch_size(e), return_rip);
}

int emul_ret(struct emul *e)
{
	uint64_t target = 0;
	int err;

	if (e->insn.z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return emul_ret_far(e);
	err = emul_pop(e, branch_size(e), &target);
	if (err)
		return err;
	if (!env_canonical(&e->env, target))
		return env_fault(&e->env, VEC_GP, 0);
	if (e->insn.op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		e->env.cpu->gpr[GPR_RSP] += e->insn.op[0].imm.value.u & 0xffff;
	e->env.cpu->rip = target;
	return 0;
}

int emul_leave(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	uint64_t value = 0;
	int err;

	cpu->gpr[GPR_RSP] = cpu->gpr[GPR_RBP];
	err = emul_pop(e, stack_size(e), &value);
	if (err == 0)
		emul_reg_write(cpu, stack_size(e) == 2 ? ZYDIS_REGISTER_BP : ZYDIS_REGISTER_RBP, value);
	return err;
}
